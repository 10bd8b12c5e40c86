//! Cases in which something changes under traffic: only a living istiod can play them.

use std::time::Instant;

use acceptance_tests::World;
use rig::api::path_of;
use rig::mesh::layout::{NAMESPACE, ROOT, Role, Seat, Spot};
use rig::mesh::seeds;
use rig::mesh::traffic::{Calls, EVENTUALLY, Seen, Traffic};
use rig::wait::is_so_by;
use serde_json::{Value, json};

use crate::check::{all_by, errors_at_most, local_traffic, until_by, until_served};
use crate::config::{HOST, QUICK, destination};
use crate::exports;
use crate::live::Stage;
use crate::ports;

/// A case by name.
pub type Case = (&'static str, fn(&Stage));

/// All of them.
pub fn all() -> Vec<Case> {
    vec![
        ("create-and-destroy", create_and_destroy),
        ("settings-change", settings_change),
        ("ranks-change", ranks_change),
        ("clusters-come-and-go", clusters_come_and_go),
        ("client-namespace", client_namespace),
        ("global-name", global_name),
        ("federation", exports::federation),
        ("mtls-mode", exports::mtls_mode),
        ("gateway-selector-changes", gateway_selector_changes),
        ("ports-come-and-go", ports::come_and_go),
        ("control-plane-dies", control_plane_dies),
        ("istiod-refuses", istiod_refuses),
        ("plain-service-stays", plain_service_stays),
        ("pods-serve", pods_serve),
        ("export-ends", export_ends),
    ]
}

/// Every cluster.
pub const ALL: [&str; 3] = ["east", "west", "north"];
/// The Service behind the destination, in the words of its own cluster.
pub const SERVICE: &str = "reviews.bookinfo.svc.cluster.local:9080";

/// Applies a changed configuration; the traffic meets no error then, nor in the calls after it.
pub fn change(stage: &Stage, world: &World, resources: &str, traffic: &[Traffic], what: &str) {
    let marks: Vec<usize> = traffic.iter().map(Traffic::mark).collect();
    stage.configure(world, resources);
    let plan = world.plan();
    assert!(plan.has_changes, "{what} should change something");
    world.apply(&plan);
    // istiod waits a tenth of a second for more; proxies take it within a few
    traffic.iter().for_each(|one| drop(one.more(60)));
    stage.settle();
    for (one, mark) in traffic.iter().zip(marks) {
        let calls = one.since(mark);
        stage.figures.note(what, &calls);
        errors_at_most(&calls, 0, what);
    }
}

/// Traffic of every cluster, each one served.
pub fn traffic(stage: &Stage) -> Vec<Traffic> {
    ALL.iter().for_each(|cluster| until_served(stage.mesh.fleet(), cluster));
    stage.settle();
    ALL.iter().map(|cluster| stage.mesh.fleet().traffic(cluster, HOST)).collect()
}

/// Nothing is left to do, no client lost a call in all of it, and everything goes.
pub fn end(stage: &Stage, world: &World, traffic: Vec<Traffic>) {
    world.assert_clean();
    for (one, cluster) in traffic.iter().zip(ALL) {
        stage.figures.note(cluster, one.all());
        errors_at_most(&one.all(), 0, "in all of it");
    }
    drop(traffic);
    world.destroy();
}

/// F: the name appears at once and complete, and is gone at once.
fn create_and_destroy(stage: &Stage) {
    let traffic = stage.mesh.fleet().traffic("east", HOST);
    traffic.wait_until("nobody serves a host that is not there", 5, |seen| !seen.is_served());
    let world = stage.applied(&destination(&["east", "west"], QUICK));
    until_by(&traffic, "east");
    assert_eq!(traffic.all().order(), ["!", "east"], "{}", traffic.all());
    world.assert_clean();
    let mark = traffic.mark();
    world.destroy();
    traffic.wait_until("the host is gone", 5, |seen| !seen.is_served());
    let calls = traffic.since(mark);
    stage.figures.note("destroy", &calls);
    assert_eq!(calls.order(), ["east", "!"], "{calls}");
    stage.settle();
}

/// F: what is changed in place is changed without an error.
fn settings_change(stage: &Stage) {
    let world = stage.applied(&destination(&ALL, QUICK));
    let traffic = traffic(stage);
    let lines = [
        ("other ejection", "  outlier_detection = { base_ejection_time = \"4s\", interval = \"2s\" }\n"),
        ("a timeout", "  timeout = \"5s\"\n"),
        ("other retries", "  retries = { attempts = 2, retry_unavailable = true }\n"),
        (
            "probes and another load balancer",
            "  load_balancer = \"round_robin\"\n  tcp_keepalive = { time = \"300s\", probes = 5 }\n",
        ),
        ("another export", "  export_to = [\"bookinfo\"]\n"),
        ("no setting", ""),
    ];
    for (what, lines) in lines {
        change(stage, &world, &destination(&ALL, lines), &traffic, what);
    }
    world.destroy();
}

/// H5: other ranks while a remote cluster serves: traffic goes over without an error.
fn ranks_change(stage: &Stage) {
    let ranked = |order: &str| destination(&ALL, &format!("{QUICK}  failover = {{ order = {order} }}\n"));
    let world = stage.applied(&ranked(r#"["north", "west"]"#));
    until_served(stage.mesh.fleet(), "east");
    let east = stage.mesh.fleet().traffic("east", HOST);
    stage.mesh.fleet().backend("east").die();
    until_by(&east, "north");
    for (order, first) in [(r#"["west", "north"]"#, "west"), (r#"["north", "west"]"#, "north")] {
        let mark = east.mark();
        stage.configure(&world, &ranked(order));
        world.apply(&world.plan());
        until_by(&east, first);
        let calls = east.since(mark);
        stage.figures.note(&format!("{first} becomes first"), &calls);
        errors_at_most(&calls, 0, "while ranks change");
    }
    world.assert_clean();
    drop(east);
    world.destroy();
}

/// Clusters begin and stop to serve under traffic of all clients, and no call is lost.
fn clusters_come_and_go(stage: &Stage) {
    let backends = |names: &[&str]| destination(names, QUICK);
    let world = stage.applied(&backends(&["east", "west"]));
    let traffic = traffic(stage);
    let steps: [(&str, &[&str]); 4] =
        [("north comes", &ALL), ("east goes", &["west", "north"]), ("west goes", &["north"]), ("all are there again", &ALL)];
    for (what, names) in steps {
        change(stage, &world, &backends(names), &traffic, what);
        for (one, cluster) in traffic.iter().zip(ALL) {
            if names.contains(&cluster) {
                until_by(one, cluster);
            } else {
                one.wait_until("others serve", 20, |seen| seen.is_served() && names.contains(&seen.by.as_str()));
            }
        }
    }
    end(stage, &world, traffic);
}

/// P: a name for the Service of one cluster, beside the plain one, which stays at home.
fn global_name(stage: &Stage) {
    const NAME: &str = "reviews.bookinfo.svc.west.global:9080";
    let named = destination(&["west"], QUICK).replace("\"reviews.mesh.internal\"", "\"reviews.bookinfo.svc.west.global\"");
    let world = stage.applied(&named);
    let fleet = stage.mesh.fleet();
    for client in ALL {
        fleet.traffic(client, NAME).wait_until("west serves", 5, Seen::is_served);
    }
    stage.settle();
    for client in ALL {
        let calls = fleet.calls(client, NAME, 50);
        stage.figures.note(client, &calls);
        all_by(&calls, "west");
        assert!(calls.0.iter().all(|seen| seen.host == NAME), "the name stays as it was called: {}", calls.0[0].host);
    }
    let calls = fleet.calls("east", SERVICE, 50);
    stage.figures.note("the Service itself", &calls);
    all_by(&calls, "east");
    world.destroy();
}

/// V2, V3: in a cluster that only calls, the objects work in the root namespace and in any other one, also while they move and
/// the nearer backend dies.
fn client_namespace(stage: &Stage) {
    let placed =
        |namespace: &str| destination(&["east", "west"], &format!("{QUICK}  client_namespace = {{ north = \"{namespace}\" }}\n"));
    let world = stage.applied(&placed(ROOT));
    until_served(stage.mesh.fleet(), "north");
    stage.settle();
    let north = [stage.mesh.fleet().traffic("north", HOST)];
    for (what, namespace) in
        [("to another namespace", "default"), ("to that of the pods", NAMESPACE), ("to the root namespace", ROOT)]
    {
        change(stage, &world, &placed(namespace), &north, what);
        let mark = north[0].mark();
        stage.mesh.fleet().backend("east").die();
        north[0].more(200);
        stage.mesh.fleet().backend("east").revive().expect("its address is free");
        north[0].more(200);
        let calls = north[0].since(mark);
        stage.figures.note(&format!("objects in {namespace}, east dies and comes back"), &calls);
        errors_at_most(&calls, 0, "while one of two is dead");
    }
    world.assert_clean();
    drop(north);
    world.destroy();
}

/// Another selector is another Gateway, which comes before the old one goes: for a moment istiod has both, of which it takes the
/// older one.
fn gateway_selector_changes(stage: &Stage) {
    let first = destination(&["east", "west"], QUICK);
    let selector = r#"merge(cluster.facts, {
    gateways = [for gateway in cluster.facts.gateways : merge(gateway, { selector = { app = "istio-eastwestgateway" } })]
  })"#;
    let world = stage.applied(&first);
    until_served(stage.mesh.fleet(), "north");
    let traffic = [stage.mesh.fleet().traffic("north", HOST)];
    change(stage, &world, &first.replace("cluster.facts }", &format!("{selector} }}")), &traffic, "another selector");
    change(stage, &world, &first, &traffic, "and back");
    assert!(traffic[0].all().served_by("east") > 0 && traffic[0].all().served_by("west") > 0, "{}", traffic[0].all());
    world.assert_clean();
    drop(traffic);
    world.destroy();
}

/// Proxies go on as they were told when istiod and API servers are gone, also from one cluster to another.
fn control_plane_dies(stage: &Stage) {
    let world = stage.applied(&destination(&["east", "west"], QUICK));
    let east = local_traffic(stage.mesh.fleet(), "east");
    stage.settle();
    let mark = east.mark();
    for cluster in ["east", "west"] {
        stage.mesh.istiod(cluster).signal("kill").expect("it runs");
        stage.mesh.rig().cluster(cluster).kill().expect("it runs");
    }
    east.more(50);
    stage.mesh.fleet().backend("east").die();
    until_by(&east, "west");
    for cluster in ["east", "west"] {
        stage.mesh.rig().cluster(cluster).restart().expect("it starts again");
        stage.mesh.istiod(cluster).heal().expect("it starts again");
    }
    stage.mesh.fleet().backend("east").revive().expect("its address is free");
    until_by(&east, "east");
    stage.settle();
    stage.figures.note("control planes dead and back, local application too", east.since(mark));
    errors_at_most(&east.since(mark), 0, "without control planes");
    drop(east);
    world.assert_clean();
    world.destroy();
}

/// E: entries of a destination are nothing to the Service of its namespace; one that its selector meets takes traffic abroad,
/// which is why such labels are refused at plan.
fn plain_service_stays(stage: &Stage) {
    let world = stage.applied(&destination(&["east", "west"], QUICK));
    until_served(stage.mesh.fleet(), "east");
    stage.settle();
    let calls = stage.mesh.fleet().calls("east", SERVICE, 100);
    stage.figures.note("the Service beside a destination", &calls);
    all_by(&calls, "east");
    let entry = json!({
        "apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
        "metadata": { "name": "of-a-person", "namespace": "bookinfo" },
        "spec": {
            "address": "127.2.15.1", "ports": { "http": 15443 }, "weight": 1, "serviceAccount": "bookinfo-reviews",
            "labels": { "app": "reviews", "security.istio.io/tlsMode": "istio" },
        },
    });
    let api = stage.mesh.rig().cluster("east").api();
    api.apply(&entry).expect("istiod finds nothing wrong with it");
    let mut last = Calls::default();
    let is_captured = is_so_by(Instant::now() + EVENTUALLY, || {
        last = stage.mesh.fleet().calls("east", SERVICE, 40);
        Ok(last.served_by("west") > 0)
    });
    stage.figures.note("with an entry that the selector meets", &last);
    assert_eq!(is_captured, Ok(true), "it should have gone abroad: {last}");
    api.delete(&path_of(&entry).expect("it has a path")).expect("it is there");
    world.destroy();
}

/// Q: what istiod refuses is told before the first write, in istiod's words.
fn istiod_refuses(stage: &Stage) {
    let lines = r#"  overlays = [{
    kind        = "Gateway"
    merge_patch = jsonencode({ spec = { servers = [{
      port = { number = 70000, name = "tls", protocol = "TLS" }, hosts = ["reviews.bookinfo.svc.cluster.local"]
      tls  = { mode = "AUTO_PASSTHROUGH" }
    }] } })
  }]
"#;
    let world = World::empty(stage.rig);
    stage.configure(&world, &destination(&["east", "west"], lines));
    let refused = world.plan_refused();
    stage.figures.note("istiod says", refused.to_string().lines().take(4).collect::<Vec<_>>().join(" "));
    assert!(refused.to_string().contains("admission webhook"), "{refused}");
    let nothing = is_so_by(Instant::now() + EVENTUALLY, || {
        let found = stage.mesh.rig().cluster("east").api().list("/apis/networking.istio.io/v1/serviceentries")?;
        Ok(found.is_empty())
    });
    assert_eq!(nothing, Ok(true), "nothing was written");
}

/// R1: pods behind a destination come, lose their readiness and go; no call is lost.
fn pods_serve(stage: &Stage) {
    let (east, api) = (Spot::of("east").expect("it is known"), stage.mesh.rig().cluster("east").api());
    let world = stage.applied(&destination(&["east", "west"], QUICK));
    let traffic = local_traffic(stage.mesh.fleet(), "east");
    stage.settle();
    let mark = traffic.mark();
    let entry = seeds::workload(Seat { spot: east, role: Role::Server });
    let pod = |is_ready: bool| seeds::pod(Seat { spot: east, role: Role::Server }, is_ready);
    let delete = |object: &Value| api.delete(&path_of(object).expect("it has a path")).expect("it is there");
    let told = |what: &str, backend: &str| {
        let mark = traffic.mark();
        until_by(&traffic, backend);
        stage.figures.note(what, traffic.since(mark));
    };
    delete(&entry);
    told("without a workload in east", "west");
    api.apply(&pod(true)).expect("a pod as the kubelet tells of one");
    told("a pod", "east");
    api.apply(&pod(false)).expect("a pod as the kubelet tells of one");
    told("which is not ready", "west");
    api.apply(&pod(true)).expect("a pod as the kubelet tells of one");
    told("which is ready again", "east");
    delete(&pod(true));
    told("which is gone", "west");
    stage.settle();
    errors_at_most(&traffic.since(mark), 0, "while pods come and go");
    drop(traffic);
    world.destroy();
}

/// K: the name is known in the namespaces that it is exported to, and in no other.
fn export_ends(stage: &Stage) {
    let exported = |to: &str| destination(&["east", "west"], &format!("{QUICK}  export_to = [{to}]\n"));
    let traffic = stage.mesh.fleet().traffic("east", HOST);
    let world = stage.applied(&exported(r#""bookinfo""#));
    until_by(&traffic, "east");
    stage.configure(&world, &exported(r#""istio-system""#));
    world.apply(&world.plan());
    traffic.wait_until("the name ends at its namespaces", 20, |seen| seen.status == 502);
    stage.figures.note("exported to others only", traffic.more(20));
    stage.configure(&world, &exported(r#""*""#));
    world.apply(&world.plan());
    until_by(&traffic, "east");
    stage.settle();
    drop(traffic);
    world.destroy();
}
