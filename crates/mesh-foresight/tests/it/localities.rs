//! Localities and networks: what was seen on running meshes, by the letters of the experiments, and what istiod's rules add.

use mesh_foresight::{Address, Fault, Pods, Share, Via, World};
use mesh_model::Leaf;
use mesh_model::facts::GatewayAddress;
use serde_json::{Value, json};

use crate::rig::{Rig, cluster, entry, percents};

/// East calls; west and north are reached through gateways of their networks, with these localities.
fn networks(places: [(&str, &str); 2], setting: &Value) -> Rig {
    let mut rig = setting_of(Rig::new().without("east", "WorkloadEntry"), setting);
    for (target, place) in places {
        let (number, name) = (if target == "west" { 2 } else { 3 }, format!("gateway.{target}.example"));
        rig.add("east", [network_entry(target, number, place), remote(&format!("net-{number}"), target, &[&name])]);
        rig.facts.get_mut(&cluster(target)).unwrap().gateways[0].address =
            GatewayAddress::Hostname(Leaf::Known(name.parse().unwrap()));
    }
    rig
}

/// With this instead of what the rule says of localities.
fn setting_of(mut rig: Rig, setting: &Value) -> Rig {
    let east = rig.objects.get_mut(&cluster("east")).unwrap();
    let rule = east.iter_mut().find(|object| object["kind"] == "DestinationRule").unwrap();
    rule["spec"]["trafficPolicy"]["loadBalancer"]["localityLbSetting"] = setting.clone();
    rig
}

fn network_entry(target: &str, number: u8, place: &str) -> Value {
    let labels = json!({ "service.istio.io/canonical-name": "reviews", "security.istio.io/tlsMode": "istio", "vd.rank/1": "y" });
    json!({
        "kind": "WorkloadEntry",
        "metadata": { "name": format!("vd-reviews-{target}"), "namespace": "bookinfo" },
        "spec": { "network": format!("net-{number}"), "locality": place, "weight": 1, "labels": labels },
    })
}

fn remote(network: &str, name: &str, hostnames: &[&str]) -> Value {
    let addresses: Vec<Value> = hostnames.iter().map(|name| json!({ "type": "Hostname", "value": name })).collect();
    let tls = json!({ "mode": "Passthrough", "options": { "gateway.istio.io/listener-protocol": "auto-passthrough" } });
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": { "name": name, "namespace": "bookinfo", "labels": { "topology.istio.io/network": network } },
        "spec": {
            "gatewayClassName": "istio-remote",
            "addresses": addresses,
            "listeners": [{ "name": "cross-network", "port": 15443, "protocol": "TLS", "tls": tls }],
        },
    })
}

fn failover(rules: &[(&str, &str)]) -> Value {
    let rules: Vec<Value> = rules.iter().map(|(from, to)| json!({ "from": from, "to": to })).collect();
    json!({ "enabled": true, "failover": rules })
}

/// Who serves while those of the earlier lines are dead.
fn order(rig: &Rig) -> Vec<Vec<String>> {
    let (mut order, mut world) = (Vec::new(), World::default());
    loop {
        let serving: Vec<String> = percents(&rig.get(&world)).into_iter().map(|(cluster, _)| cluster).collect();
        if serving.is_empty() {
            return order;
        }
        for name in &serving {
            world = match name.as_str() {
                "east" => world.without_service(&cluster(name), Fault::Application),
                _ => world.without_cluster(&cluster(name)),
            };
        }
        order.push(serving);
    }
}

fn of(groups: &[&[&str]]) -> Vec<Vec<String>> {
    groups.iter().map(|group| group.iter().map(|name| (*name).to_owned()).collect()).collect()
}

fn own_dead() -> World {
    World::default().without_service(&cluster("east"), Fault::Application)
}

#[test]
fn a_h1_a_gateway_stands_for_the_entry_of_its_network_at_its_place() {
    let rule = failover(&[("us-east1", "gloo-rank-1")]);
    let rig = networks([("west", "gloo-rank-1"), ("north", "gloo-rank-2")], &rule);
    assert_eq!(order(&rig), of(&[&["east"], &["west"], &["north"]]));
    let swapped = networks([("west", "gloo-rank-2"), ("north", "gloo-rank-1")], &rule);
    assert_eq!(order(&swapped), of(&[&["east"], &["north"], &["west"]]));
    let ways = rig.get(&World::default()).ways;
    let address = Address::Hostname("gateway.west.example".to_owned());
    assert_eq!(ways[1].via, Via::Network { network: "net-2".to_owned(), address });
    // only where it listens
    let mut moved = rig;
    let of_network = |object: &&mut Value| object["spec"]["gatewayClassName"] == "istio-remote";
    moved.objects.get_mut(&cluster("east")).unwrap().iter_mut().filter(of_network).for_each(|object| {
        object["spec"]["listeners"][0]["port"] = json!(443);
    });
    assert_eq!(order(&moved), of(&[&["east"]]));
}

#[test]
fn h2_a_region_that_no_rule_names_serves_last() {
    let rig = setting_of(Rig::new(), &failover(&[("us-east1", "eu-north1")]));
    assert_eq!(order(&rig), of(&[&["east"], &["north"], &["west"]]));
    let other = setting_of(Rig::new(), &failover(&[("us-west1", "eu-north1")]));
    assert_eq!(
        order(&other),
        of(&[&["east"], &["north", "west"]]),
        "without a rule for the client's region all others are alike"
    );
}

#[test]
fn h3_of_two_rules_for_a_region_the_first_counts() {
    let rig = setting_of(Rig::new(), &failover(&[("us-east1", "eu-north1"), ("us-east1", "us-west1")]));
    assert_eq!(order(&rig), of(&[&["east"], &["north"], &["west"]]));
}

#[test]
fn h5d_gateways_have_no_labels_and_fall_together() {
    let labels = json!({ "enabled": true, "failoverPriority": ["vd.rank/1", "topology.kubernetes.io/region"] });
    let rig = networks([("west", "us-west1"), ("north", "eu-north1")], &labels);
    assert_eq!(order(&rig), of(&[&["east"], &["north", "west"]]));
}

#[test]
fn labels_come_before_regions_where_both_are_given() {
    let mut both = failover(&[("us-east1", "us-west1")]);
    both["failoverPriority"] = json!(["vd.rank/1"]);
    assert_eq!(order(&setting_of(Rig::new(), &both)), of(&[&["east"], &["north"], &["west"]]));
    both["failoverPriority"] = json!(["vd.none/1"]);
    assert_eq!(order(&setting_of(Rig::new(), &both)), of(&[&["east"], &["west"], &["north"]]));
}

#[test]
fn gateways_of_a_network_share_the_weight_of_its_entries() {
    let rule = failover(&[("us-east1", "gloo-rank-1")]);
    let mut rig = networks([("west", "gloo-rank-1"), ("north", "gloo-rank-1")], &rule);
    let second = "second.west.example";
    rig.add("east", [remote("net-2", "second", &[second])]);
    let mut gateway = rig.facts[&cluster("west")].gateways[0].clone();
    gateway.address = GatewayAddress::Hostname(Leaf::Known(second.parse().unwrap()));
    rig.facts.get_mut(&cluster("west")).unwrap().gateways.push(gateway);
    let half = |name: &str| (name.to_owned(), 50);
    assert_eq!(percents(&rig.get(&own_dead())), [half("north"), half("west")]);
    assert_eq!(rig.get(&own_dead()).ejections.endpoints, 4);
    // chance does not look at weights
    let random = json!({ "spec": { "trafficPolicy": { "loadBalancer": { "simple": "RANDOM" } } } });
    let shares = rig.with("east", "DestinationRule", &random).get(&own_dead()).shares;
    assert_eq!(shares[&cluster("west")], Share::of(2, 3));
}

#[test]
fn clusters_of_one_network_are_taken_for_one_another() {
    let rule = failover(&[("us-east1", "gloo-rank-1")]);
    let mut rig = networks([("west", "gloo-rank-1"), ("north", "gloo-rank-2")], &rule);
    for object in rig.objects.get_mut(&cluster("east")).unwrap() {
        match object["kind"].as_str() {
            Some("WorkloadEntry") => object["spec"]["network"] = json!("net-shared"),
            Some("Gateway") if object["spec"]["gatewayClassName"] == "istio-remote" => {
                object["metadata"]["labels"]["topology.istio.io/network"] = json!("net-shared")
            }
            _ => {}
        }
    }
    assert_eq!(order(&rig), of(&[&["east"], &["north", "west"]]));
}

#[test]
fn who_is_in_the_network_or_in_none_is_led_to_no_gateway() {
    let rule = failover(&[("us-east1", "gloo-rank-1")]);
    let rig = networks([("west", "gloo-rank-1"), ("north", "gloo-rank-2")], &rule);
    let at = |network: Option<&str>, version: &str| {
        let mut rig = rig.clone();
        let east = rig.facts.get_mut(&cluster("east")).unwrap();
        east.network = network.map(|network| Leaf::Known(network.parse().unwrap()));
        east.istio_version = version.parse().unwrap();
        order(&rig)
    };
    assert_eq!(at(Some("net-2"), "1.30"), of(&[&["east"], &["north"]]));
    assert_eq!(at(None, "1.29"), of(&[&["east"]]));
    assert_eq!(at(None, "1.30"), of(&[&["east"], &["west"], &["north"]]));
    // server names are of mutual TLS
    let plain =
        rig.clone().with("east", "WorkloadEntry", &json!({ "spec": { "labels": { "security.istio.io/tlsMode": null } } }));
    assert_eq!(order(&plain), of(&[&["east"]]));
    let without = rig.without("east", "Gateway");
    assert_eq!(order(&without), of(&[&["east"]]));
}

#[test]
fn a_distribution_gives_localities_shares_and_those_that_it_does_not_name_none() {
    let distribute = |from: &str, to: Value| setting_of(Rig::new(), &json!({ "distribute": [{ "from": from, "to": to }] }));
    let two = json!({ "us-east1": 70, "us-west1/*": 30 });
    let share = |name: &str, percent| (name.to_owned(), percent);
    for from in ["us-east1/*", "*", "us-east1"] {
        let rig = distribute(from, two.clone());
        assert_eq!(percents(&rig.get(&World::default())), [share("east", 70), share("west", 30)], "{from}");
        assert_eq!(percents(&rig.get(&own_dead())), [share("west", 100)]);
        assert_eq!(percents(&rig.get(&own_dead().without_cluster(&cluster("west")))), [], "north is not named");
    }
    let others = distribute("us-west1/*", two.clone());
    assert_eq!(others.get(&World::default()).shares[&cluster("north")], Share::of(1, 3), "no rule is for this client");
    let mut rest = distribute("us-east1", json!({ "us-east1": 60, "us-west1": 40 }));
    rest.add("east", [entry("north", 2, 1)]);
    rest.objects.get_mut(&cluster("east")).unwrap().last_mut().unwrap()["spec"]["address"] = json!("127.3.15.1");
    rest.objects.get_mut(&cluster("east")).unwrap().last_mut().unwrap()["spec"]["locality"] = json!("us-west1/us-west1-b");
    assert_eq!(
        percents(&rest.get(&World::default())),
        [share("east", 60), share("north", 20), share("west", 20)],
        "localities of a region share by their endpoints"
    );
    assert!(distribute("us-east1", json!({ "us-east1": 60, "*": 40 })).read().is_err(), "istiod takes them in no order");
    // without anything that ejects, too
    let calm = json!({ "spec": { "trafficPolicy": { "outlierDetection": null } } });
    let calm = distribute("us-east1", two).with("east", "DestinationRule", &calm);
    assert_eq!(percents(&calm.get(&World::default())), [share("east", 70), share("west", 30)]);
    assert_eq!(calm.get(&own_dead()).failing, Share::of(70, 100));
}

#[test]
fn a_locality_keeps_its_share_until_overprovisioning_is_used_up() {
    let rig =
        setting_of(Rig::new(), &json!({ "distribute": [{ "from": "us-east1", "to": { "us-east1": 70, "us-west1": 30 } }] }));
    let share = |all, failing| {
        let mut world = World::default();
        world.pods.insert(cluster("east"), Pods { all, failing, fault: Fault::Application });
        rig.get(&world).shares[&cluster("east")]
    };
    assert_eq!(share(4, 1), Share::of(70, 100), "1.4 times three of four are more than all");
    assert_eq!(share(2, 1), Share::of(49, 79), "1.4 times a half are 70 % of its weight");
}

#[test]
fn without_lists_nearness_makes_priorities_and_weights_are_of_endpoints() {
    let near = setting_of(Rig::new(), &json!({ "enabled": true }));
    assert_eq!(order(&near), of(&[&["east"], &["north", "west"]]));
    let off = setting_of(Rig::new(), &json!({ "enabled": false, "failover": [{ "from": "us-east1", "to": "us-west1" }] }));
    assert_eq!(order(&off), of(&[&["east", "north", "west"]]));
    let heavy = near.with("east", "WorkloadEntry", &json!({ "spec": { "weight": 3 } }));
    assert_eq!(percents(&heavy.get(&own_dead())), [("north".to_owned(), 50), ("west".to_owned(), 50)]);
}
