//! What was seen on running meshes (istiod 1.30 and 1.31, Envoy 1.40), each experiment by its letter.

use mesh_foresight::{Cause, Fault, Forecast, Loss, NoRoute, Pods, Request, Share, State, Tries, Unforeseen, World};
use serde_json::json;

use crate::rig::{HOST, Rig, SERVICE, allow, cluster, entry, gateway, percents, routed};

fn all(of: &str) -> Vec<(String, u128)> {
    vec![(of.to_owned(), 100)]
}

fn east_dead(fault: Fault) -> World {
    World::default().without_service(&cluster("east"), fault)
}

/// One local pod and one remote gateway.
fn pair() -> Rig {
    let mut rig = Rig::new();
    rig.objects.get_mut(&cluster("east")).unwrap().retain(|object| object["metadata"]["name"] != "vd-reviews-north");
    rig
}

fn pods(all: u32, failing: u32) -> World {
    let mut world = World::default();
    world.pods.insert(cluster("east"), Pods { all, failing, fault: Fault::Application });
    world
}

fn limited(percent: u8) -> Rig {
    pair().with(
        "east",
        "DestinationRule",
        &json!({ "spec": { "trafficPolicy": { "outlierDetection": { "maxEjectionPercent": percent } } } }),
    )
}

#[test]
fn b_local_pods_serve_and_the_remote_gateway_waits() {
    let well = pair().get(&World::default());
    assert_eq!(percents(&well), all("east"));
    assert_eq!((&well.first, &well.lasting), (&Tries::Clean, &Tries::Clean));
    let ways: Vec<_> = well.ways.iter().map(|way| (way.priority, way.cluster.clone(), way.state.clone())).collect();
    assert_eq!(ways, [(0, Some(cluster("east")), State::Serves(Share::ALL)), (1, Some(cluster("west")), State::Waits)]);
    for fault in [Fault::Application, Fault::Connection] {
        assert_eq!(percents(&pair().get(&east_dead(fault))), all("west"));
    }
}

#[test]
fn d_the_virtual_service_hides_a_failover_and_istios_retries_do_not() {
    for fault in [Fault::Application, Fault::Connection] {
        let with = Rig::new().get(&east_dead(fault));
        assert_eq!((&with.first, &with.lasting), (&Tries::Repeated, &Tries::Clean), "{fault:?}");
    }
    let bare = Rig::new().without("east", "VirtualService");
    assert_eq!(bare.get(&east_dead(Fault::Application)).first, Tries::Lost(Loss::NotRepeated(Fault::Application)));
    assert_eq!(bare.get(&east_dead(Fault::Connection)).first, Tries::Lost(Loss::Stays));
    // and once the dead pod is out nothing is lost either way
    assert_eq!(bare.get(&east_dead(Fault::Application)).lasting, Tries::Clean);
}

#[test]
fn d_one_retry_never_leaves_the_cluster_and_two_do() {
    for (attempts, first) in [
        (0, Tries::Lost(Loss::NotRepeated(Fault::Application))),
        (1, Tries::Lost(Loss::TooFew)),
        (2, Tries::Repeated),
        (3, Tries::Repeated),
    ] {
        let mut rig = Rig::new();
        let east = rig.objects.get_mut(&cluster("east")).unwrap();
        let routes = east.iter_mut().find(|object| object["kind"] == "VirtualService").unwrap();
        routes["spec"]["http"][0]["retries"]["attempts"] = json!(attempts);
        assert_eq!(rig.get(&east_dead(Fault::Application)).first, first, "{attempts}");
    }
}

#[test]
fn d_a_dead_application_is_repeated_only_when_503_is_listed() {
    let mut rig = Rig::new();
    let east = rig.objects.get_mut(&cluster("east")).unwrap();
    let routes = east.iter_mut().find(|object| object["kind"] == "VirtualService").unwrap();
    routes["spec"]["http"][0]["retries"]["retryOn"] = json!("connect-failure,refused-stream,unavailable,cancelled");
    let dead = rig.get(&east_dead(Fault::Application));
    assert_eq!(dead.first, Tries::Lost(Loss::NotRepeated(Fault::Application)));
    assert_eq!(rig.get(&east_dead(Fault::Connection)).first, Tries::Repeated);
}

#[test]
fn d_when_everything_is_dead_nobody_serves() {
    let mut world = World::default();
    for name in ["east", "west", "north"] {
        world = world.without_service(&cluster(name), Fault::Application);
    }
    let dead = Rig::new().get(&world);
    assert_eq!(percents(&dead), []);
    assert_eq!((dead.first, dead.lasting), (Tries::Lost(Loss::Nobody), Tries::Lost(Loss::Nobody)));
    assert!(dead.ways.iter().all(|way| way.state == State::Ejected(Fault::Application, Cause::Pods)));
}

#[test]
fn d_a_dead_gateway_sends_requests_on_to_the_next_rank() {
    let world = east_dead(Fault::Connection).without_gateway(&cluster("west"), Fault::Connection);
    let dead = Rig::new().get(&world);
    assert_eq!(percents(&dead), all("north"));
    // both at once are more than four tries can pass; one after the other are not
    assert_eq!(dead.first, Tries::Lost(Loss::TooFew));
    assert_eq!(dead.lasting, Tries::Clean);
    let (fleet, east) = (Rig::new().read().unwrap(), cluster("east"));
    let request = Request { cluster: &east, namespace: "bookinfo", account: None, host: HOST, port: 9080, method: "GET" };
    let after = fleet.forecast_after(Some(&east_dead(Fault::Connection)), &world, &request);
    assert_eq!(routed(after).first, Tries::Repeated);
}

#[test]
fn d_a_hung_gateway_holds_requests_as_long_as_nothing_limits_them() {
    let world = east_dead(Fault::Connection).without_gateway(&cluster("west"), Fault::Hang);
    let routes = |patch: serde_json::Value| {
        let mut rig = Rig::new();
        let east = rig.objects.get_mut(&cluster("east")).unwrap();
        let object = east.iter_mut().find(|object| object["kind"] == "VirtualService").unwrap();
        let route = &mut object["spec"]["http"][0];
        for (key, value) in patch.as_object().unwrap() {
            match key.as_str() {
                "timeout" => route["timeout"] = value.clone(),
                _ => route["retries"][key] = value.clone(),
            }
        }
        rig
    };
    let first = |patch| routes(patch).get(&world).first;
    assert_eq!(first(json!({})), Tries::Lost(Loss::Hangs(None)));
    assert_eq!(first(json!({ "timeout": "5s" })), Tries::Lost(Loss::Hangs(Some("5s".to_owned()))));
    let limits = json!({ "perTryTimeout": "1s", "retryOn": "connect-failure,503,reset", "attempts": 5 });
    assert_eq!(first(limits), Tries::Repeated);
    assert_eq!(percents(&routes(json!({})).get(&world)), all("north"));
}

#[test]
fn e_entries_with_the_services_labels_take_plain_calls_abroad() {
    let call = |rig: &Rig| routed(rig.ask(&World::default(), |request| request.host = SERVICE));
    assert_eq!(percents(&call(&Rig::new())), all("east"));
    let captured = Rig::new().with("east", "WorkloadEntry", &json!({ "spec": { "labels": { "app": "reviews" } } }));
    let third = Share::of(1, 3);
    let shares = call(&captured).shares;
    assert_eq!(shares.into_values().collect::<Vec<_>>(), [third; 3]);
    assert_eq!(percents(&captured.get(&World::default())), all("east"), "the virtual destination is as it was");
    // the gateways of the run did not pass the Service: what went there was refused and tried again
    let closed = captured.without("west", "Gateway").without("north", "Gateway");
    let refused = call(&closed);
    assert_eq!((refused.failing, &refused.lasting), (Share::of(2, 3), &Tries::Repeated));
}

#[test]
fn f_entries_without_a_rule_split_live_traffic() {
    let bare = pair().without("east", "DestinationRule");
    // with the name of the virtual destination passed through, both serve
    let mut passed = bare.clone().without("west", "Gateway");
    passed.add("west", [gateway(HOST), crate::rig::host()]);
    let passed = passed.with("west", "ServiceEntry", &json!({ "spec": { "exportTo": ["*"] } }));
    assert_eq!(percents(&passed.get(&World::default())), [("east".to_owned(), 50), ("west".to_owned(), 50)]);
    // with the Service's name passed through, the gateway refuses and retries hide it
    let refused = bare.get(&World::default());
    assert_eq!((refused.failing, &refused.lasting), (Share::of(1, 2), &Tries::Repeated));
    assert!(refused.ways.iter().any(|way| matches!(&way.state, State::Fails(_, _, Cause::ServerName(_)))));
    // an annotation keeps calls near even then
    let near = json!({ "metadata": { "annotations": { "networking.istio.io/traffic-distribution": "PreferClose" } } });
    assert_eq!(percents(&bare.with("east", "ServiceEntry", &near).get(&World::default())), all("east"));
}

#[test]
fn f_without_the_serving_gateway_nothing_is_reached() {
    let dead = pair().without("west", "Gateway").get(&east_dead(Fault::Connection));
    assert_eq!((percents(&dead), dead.lasting), (vec![], Tries::Lost(Loss::Nobody)));
    let gone = pair().without("east", "ServiceEntry").ask(&World::default(), |_| {});
    assert_eq!(gone, Forecast::NoRoute(NoRoute::NameUnknown));
}

#[test]
fn g_a_client_without_pods_goes_by_ranks() {
    let rig = Rig::new().client_only("east");
    assert_eq!(percents(&rig.get(&World::default())), all("west"));
    assert_eq!(percents(&rig.get(&World::default().without_cluster(&cluster("west")))), all("north"));
}

#[test]
fn h5_ranks_hold_at_any_depth_and_both_ways() {
    for (ranks, order) in [([1, 2], ["west", "north"]), ([2, 1], ["north", "west"])] {
        let mut rig = Rig::new().without("east", "WorkloadEntry");
        rig.add("east", [entry("west", 2, ranks[0]), entry("north", 3, ranks[1])]);
        let mut world = east_dead(Fault::Connection);
        for next in order {
            assert_eq!(percents(&rig.get(&world)), all(next), "{ranks:?}");
            world = world.without_cluster(&cluster(next));
        }
        assert_eq!(percents(&rig.get(&world)), []);
    }
}

#[test]
fn h5_a_rank_counts_more_than_the_clients_own_region() {
    let near = json!({ "spec": { "locality": "us-east1/us-east1-a" } });
    let rig = Rig::new().with("east", "WorkloadEntry", &near);
    let priorities = |rig: &Rig| {
        rig.get(&World::default())
            .ways
            .into_iter()
            .map(|way| (way.priority, way.cluster.unwrap().to_string()))
            .collect::<Vec<_>>()
    };
    let order = [(0, "east".to_owned()), (1, "west".to_owned()), (2, "north".to_owned())];
    assert_eq!(priorities(&rig), order);
    assert_eq!(priorities(&Rig::new()), order);
}

#[test]
fn h_i_a_what_is_not_modelled_is_refused_by_name() {
    let zone = json!([{ "from": "us-east1/us-east1-a", "to": { "us-east1": 100 } }]);
    let locality = json!({ "spec": { "trafficPolicy": { "loadBalancer": { "localityLbSetting": { "distribute": zone } } } } });
    for (kind, patch, refused) in [
        ("DestinationRule", locality, "spec.trafficPolicy.loadBalancer.localityLbSetting.distribute[0].from"),
        ("DestinationRule", json!({ "spec": { "subsets": [{ "name": "v1", "mode": 1 }] } }), "spec.subsets[0].mode"),
        ("VirtualService", json!({ "spec": { "tcp": [{ "match": [{ "gateways": [] }] }] } }), "spec.tcp[0].match[0].gateways"),
        ("WorkloadEntry", json!({ "spec": { "address": null } }), "spec.address"),
        ("ServiceEntry", json!({ "spec": { "resolution": "DNS" } }), "spec.resolution"),
        ("VirtualService", json!({ "spec": { "http": [{ "fault": {} }] } }), "spec.http[0].fault"),
    ] {
        match Rig::new().with("east", kind, &patch).read() {
            Err(Unforeseen::NotModelled { object, member }) => {
                assert_eq!((object.kind.as_str(), member.as_str()), (kind, refused));
            }
            other => panic!("{kind}: {other:?}"),
        }
    }
}

/// Seen in the cases `spread` and `spread-by-hostname`.
#[test]
fn shares_are_of_regions_and_what_is_dead_leaves_its_own_to_the_others() {
    let spread = |to: serde_json::Value| {
        let setting = json!({ "failoverPriority": null, "distribute": [{ "from": "*", "to": to }] });
        let patch = json!({ "spec": { "trafficPolicy": { "loadBalancer": { "localityLbSetting": setting } } } });
        let mut rig = Rig::new().with("east", "DestinationRule", &patch);
        for object in rig.objects.get_mut(&cluster("east")).unwrap() {
            let name = object["metadata"]["name"].as_str().unwrap().strip_prefix("vd-reviews-").unwrap_or_default();
            if object["kind"] == "WorkloadEntry" {
                object["spec"]["locality"] = json!(format!("gloo-spread-{name}"));
            }
        }
        rig
    };
    let of = |shares: &[(&str, u128)]| shares.iter().map(|(name, share)| ((*name).to_owned(), *share)).collect::<Vec<_>>();
    let three = spread(json!({ "us-east1": 50, "gloo-spread-west": 30, "gloo-spread-north": 20 }));
    let well = three.get(&World::default());
    assert_eq!((percents(&well), &well.first), (of(&[("east", 50), ("north", 20), ("west", 30)]), &Tries::Clean));
    let dead = three.get(&east_dead(Fault::Application));
    assert_eq!(percents(&dead), of(&[("north", 40), ("west", 60)]));
    assert_eq!((&dead.first, &dead.lasting), (&Tries::Repeated, &Tries::Clean));
    // without a share there is nothing, whatever happens
    let drained = spread(json!({ "gloo-spread-west": 100 }));
    assert_eq!(percents(&drained.get(&World::default())), all("west"));
    let gone = World::default().without_cluster(&cluster("west"));
    assert_eq!(percents(&drained.get(&gone)), []);
}

#[test]
fn k_who_does_not_see_the_name_has_no_way() {
    let from = |rig: &Rig, namespace: &'static str| rig.ask(&World::default(), |request| request.namespace = namespace);
    assert_eq!(from(&Rig::new(), "shop"), Forecast::NoRoute(NoRoute::NameUnknown));
    let shown = Rig::new().with("east", "ServiceEntry", &json!({ "spec": { "exportTo": ["*"] } }));
    // a rule that is not seen takes ranks and server name with it: what goes abroad is refused, and retries come back
    let split = routed(from(&shown, "shop"));
    assert_eq!((percents(&split), split.lasting), (vec![("east".to_owned(), 33)], Tries::Repeated));
    let root = shown.with(
        "east",
        "DestinationRule",
        &json!({ "metadata": { "namespace": "istio-system" }, "spec": { "exportTo": ["*"] } }),
    );
    assert_eq!(percents(&routed(from(&root, "shop"))), all("east"));
    let third = root.with("east", "DestinationRule", &json!({ "metadata": { "namespace": "elsewhere" } }));
    assert_eq!(routed(from(&third, "shop")).failing, Share::of(2, 3));
    let apart =
        Rig::new().with("east", "ServiceEntry", &json!({ "metadata": { "namespace": "apart" }, "spec": { "exportTo": ["*"] } }));
    assert_eq!(from(&apart, "bookinfo"), Forecast::NoRoute(NoRoute::NoEndpoints));
}

#[test]
fn l_a_denial_is_an_answer_and_sends_nobody_elsewhere() {
    let mut rig = Rig::new();
    rig.add("west", [allow(None)]);
    let denied = rig.get(&east_dead(Fault::Connection));
    assert_eq!((percents(&denied), denied.denied, &denied.lasting), (vec![], Share::ALL, &Tries::Clean));
    rig.add("west", [allow(Some("cluster.local/ns/bookinfo/sa/bookinfo-productpage"))]);
    assert_eq!(percents(&rig.get(&east_dead(Fault::Connection))), all("west"));
    let other = routed(rig.ask(&east_dead(Fault::Connection), |request| request.account = Some("batch")));
    assert_eq!(other.denied, Share::ALL);
}

#[test]
fn m_ten_percent_of_two_endpoints_is_none_and_the_virtual_service_rescues() {
    let rig = limited(10);
    let dead = rig.get(&east_dead(Fault::Application));
    assert_eq!((dead.ejections.endpoints, dead.ejections.most), (2, 0));
    assert_eq!((dead.failing, &dead.lasting), (Share::ALL, &Tries::Repeated));
    let bare = rig.without("east", "VirtualService").get(&east_dead(Fault::Application));
    assert_eq!((bare.failing, &bare.lasting), (Share::ALL, &Tries::Lost(Loss::NotRepeated(Fault::Application))));
    assert_eq!(percents(&limited(50).get(&east_dead(Fault::Application))), all("west"));
}

#[test]
fn finding_2_two_dead_pods_and_one_gateway_with_ten_percent_are_no_ejection() {
    for (percent, most, west) in [(10, 0, 0), (34, 1, 30), (67, 2, 100), (100, 3, 100)] {
        let dead = limited(percent).get(&pods(2, 2));
        assert_eq!((dead.ejections.endpoints, dead.ejections.most), (3, most), "{percent} %");
        let answered = percents(&dead).iter().map(|(_, share)| share).sum::<u128>();
        assert_eq!(answered, west, "{percent} %");
        assert_eq!(dead.failing, Share::of(100 - west, 100), "{percent} %");
    }
    let off = pair().with("east", "DestinationRule", &json!({ "spec": { "trafficPolicy": { "outlierDetection": null } } }));
    // without ejection the ranks of a rule count for nothing, and they stand in the way of the annotation
    let near = json!({ "metadata": { "annotations": { "networking.istio.io/traffic-distribution": "PreferClose" } } });
    assert_eq!(off.with("east", "ServiceEntry", &near).get(&pods(2, 2)).failing, Share::of(2, 3));
}

#[test]
fn spill_follows_the_overprovisioning_factor() {
    for (all, failing, east) in [(3, 1, 93), (3, 2, 46), (4, 2, 70), (2, 1, 70), (7, 2, 100)] {
        let shares = percents(&pair().get(&pods(all, failing)));
        let expected: Vec<(String, u128)> = [("east", east), ("west", 100 - east)]
            .into_iter()
            .filter(|(_, share)| *share > 0)
            .map(|(name, share)| (name.to_owned(), share))
            .collect();
        assert_eq!(shares, expected, "{failing} of {all}");
    }
}

#[test]
fn o_servers_of_another_trust_domain_refuse_the_client() {
    let mut rig = Rig::new();
    rig.facts.get_mut(&cluster("west")).unwrap().trust_domain = "west.td".parse().unwrap();
    let dead = rig.get(&east_dead(Fault::Connection));
    assert_eq!(percents(&dead), all("north"));
    let west = dead.ways.iter().find(|way| way.cluster == Some(cluster("west"))).unwrap();
    assert_eq!(west.state, State::Ejected(Fault::Connection, Cause::TrustDomain("cluster.local".to_owned())));
}

#[test]
fn an_id_that_is_not_listed_is_not_accepted() {
    let rig = Rig::new().with("east", "DestinationRule", &json!({ "spec": { "trafficPolicy": { "tls": { "subjectAltNames": ["spiffe://cluster.local/ns/bookinfo/sa/other"] } } } }));
    let refused = rig.get(&World::default());
    assert_eq!(percents(&refused), []);
    assert!(refused.ways.iter().all(|way| matches!(&way.state, State::Ejected(_, Cause::Identity(ids)) if ids.len() == 1)));
}

#[test]
fn r1_a_pod_that_is_not_ready_is_no_endpoint() {
    let none = pair().get(&pods(0, 0));
    assert_eq!((percents(&none), &none.first), (all("west"), &Tries::Clean));
    assert_eq!(none.ways[0].priority, 0, "the remote gateway is the first priority then");
}

#[test]
fn r7_tcp_has_no_retries_and_never_notices_a_dead_application() {
    let tcp = json!({ "spec": { "ports": [{ "number": 9080, "name": "http", "protocol": "TCP", "targetPort": 9080 }] } });
    let rig = pair().with("east", "ServiceEntry", &tcp);
    let sidecar = rig.get(&east_dead(Fault::Connection));
    assert_eq!((percents(&sidecar), sidecar.first), (all("west"), Tries::Lost(Loss::NotRepeated(Fault::Connection))));
    let application = rig.get(&east_dead(Fault::Application));
    assert_eq!((percents(&application), application.failing), (vec![], Share::ALL));
}

#[test]
fn v1_a_hostname_entry_under_addresses_is_dropped() {
    let rig = pair().with("east", "WorkloadEntry", &json!({ "spec": { "address": "gateway.west.example" } }));
    assert_eq!(rig.get(&World::default()).ways.len(), 1);
}

#[test]
fn the_dead_do_not_call() {
    let world = World::default().without_cluster(&cluster("east"));
    assert_eq!(Rig::new().ask(&world, |_| {}), Forecast::NoClient);
    assert_eq!(percents(&Rig::new().post(&World::default())), all("east"));
}

#[test]
fn n_a_request_that_no_route_takes_goes_nowhere() {
    let mut rig = Rig::new();
    let east = rig.objects.get_mut(&cluster("east")).unwrap();
    let routes = east.iter_mut().find(|object| object["kind"] == "VirtualService").unwrap();
    routes["spec"]["http"][0]["match"] = json!([{ "method": { "exact": "GET" } }]);
    assert_eq!(percents(&rig.get(&World::default())), all("east"));
    let post = rig.ask(&World::default(), |request| request.method = "POST");
    assert_eq!(post, Forecast::NoRoute(NoRoute::NotRouted));
    // of TCP there are no requests to route
    let tcp = json!({ "spec": { "ports": [{ "number": 9080, "name": "http", "protocol": "TCP", "targetPort": 9080 }] } });
    assert_eq!(percents(&rig.with("east", "ServiceEntry", &tcp).post(&World::default())), all("east"));
}
