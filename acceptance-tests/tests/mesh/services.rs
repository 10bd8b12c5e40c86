//! Cases in which the Services behind a destination differ between clusters, or a cluster has several.

use rig::api::path_of;
use rig::mesh::fleet::Canaries;
use rig::mesh::layout::{NAMESPACE, PORT, Role, Seat, Spot};
use rig::mesh::seeds;
use rig::mesh::traffic::Traffic;
use serde_json::{Value, json};

use crate::changes::{ALL, Case, change, traffic};
use crate::check::{connections_of_gateway, errors_at_most, nobody_notices, until_by};
use crate::config::{HOST, QUICK, destination};
use crate::live::Stage;
use crate::report::Figures;
use crate::scenarios::Scene;

/// All of them, by name.
pub fn all() -> Vec<Case> {
    vec![("services-differ", services_differ), ("several-services", several_services)]
}

const OTHER: &str = "books";
/// Its port; the pods' one is that of all others.
const OTHER_PORT: u16 = 80;

/// In west another Service, by name and port, is in front of the pods, which have another canonical name: the destination changes
/// from one Service to different ones and back under traffic of all clients, and gateways never call each other.
fn services_differ(stage: &Stage) {
    let fleet = stage.mesh.fleet();
    let west = Spot::of("west").expect("it is known");
    let renamed = |mut object: Value, labels: &[&str]| {
        for labels in labels {
            object.pointer_mut(labels).expect("it has labels")["service.istio.io/canonical-name"] = OTHER.into();
        }
        object
    };
    let seat = Seat { spot: west, role: Role::Server };
    let pods = renamed(seeds::workload(seat), &["/metadata/labels", "/spec/labels"]);
    let template = renamed(seeds::deployment(seat), &["/spec/template/metadata/labels"]);
    let api = stage.mesh.rig().cluster("west").api();
    for object in [other_service(json!({ "app": Role::Server.app() })), pods, template] {
        api.apply(&object).expect("nobody finds anything wrong with it");
    }

    let world = stage.applied(&backends("east", ""));
    let traffic = traffic(stage);
    change(stage, &world, &backends("east", "west"), &traffic, "a Service of another name comes");
    for (one, cluster) in traffic.iter().zip(["east", "west"]) {
        until_by(one, cluster);
    }
    nobody_notices(&traffic[0], fleet, stage.figures);
    change(stage, &world, &backends("north", "west"), &traffic, "one of the usual name comes, another one goes");
    until_by(&traffic[2], "north");
    ["north", "west"].iter().for_each(|cluster| fleet.backend(cluster).die());
    traffic[0].wait_until("everything is dead", 20, |seen| !seen.is_served());
    drop(traffic[0].more(100));
    for cluster in ["north", "west"] {
        stage.figures.note(&format!("connections made by the gateway of {cluster}"), connections_of_gateway(fleet, cluster));
    }
    fleet.heal().expect("everything lives again");
    until_by(&traffic[2], "north");
    stage.settle();
    change(stage, &world, &backends("north", ""), &traffic, "the other Service goes");
    world.assert_clean();
    drop(traffic);
    world.destroy();
}

/// In west two Services serve as one, each with a version of the pods: the second one comes and goes, with its pods, the first one
/// goes and comes, and pods of one and of both die, under traffic of all clients.
fn several_services(stage: &Stage) {
    let fleet = stage.mesh.fleet();
    let world = stage.applied(&together(&ALL, false));
    let traffic = traffic(stage);
    let mut canaries = comes(stage);
    change(stage, &world, &together(&ALL, true), &traffic, "a second Service comes");
    until_both(&traffic[1]);

    any_pods_die(&Scene { fleet, canaries: &canaries, figures: stage.figures }, &traffic);
    for what in ["the second one goes, and its pods", "again"] {
        change(stage, &world, &together(&ALL, false), &traffic, what);
        costs_nothing("its pods go", stage.figures, &traffic, || goes(stage, &traffic));
        drop(canaries);
        canaries = comes(stage);
        change(stage, &world, &together(&ALL, true), &traffic, "it comes back");
        until_both(&traffic[1]);
    }
    change(stage, &world, &together(&["east", "north"], true), &traffic, "the first one goes");
    costs_nothing("others find the pods of the second one alone", stage.figures, &traffic, || {
        fleet.backend("east").die();
        until_by(&traffic[0], &second_of("west"));
        fleet.heal().expect("everything lives again");
        until_by(&traffic[0], "east");
    });
    change(stage, &world, &together(&ALL, true), &traffic, "it comes back");
    until_both(&traffic[1]);
    world.assert_clean();
    for (one, cluster) in traffic.iter().zip(ALL).skip(1) {
        stage.figures.note(cluster, one.all());
        errors_at_most(&one.all(), 0, "in all of it");
    }
    drop(traffic);
    world.destroy();
}

/// The same pods die, with traffic of its own.
pub fn pods_die(scene: &Scene) {
    let traffic = ALL.map(|cluster| scene.fleet.traffic(cluster, HOST));
    until_own(&traffic);
    any_pods_die(scene, &traffic);
}

/// Of two Services in west: pods of one, of both, and of both beside those of another cluster.
fn any_pods_die(&Scene { fleet, canaries, figures }: &Scene, traffic: &[Traffic]) {
    let second = canaries["west"].backend();
    let heal = || {
        fleet.heal().expect("everything lives again");
        second.revive().expect("its address is free");
        until_own(traffic);
    };
    costs_nothing("pods of one of them die, and come back", figures, traffic, || {
        fleet.backend("west").die();
        until_by(&traffic[1], &second_of("west"));
        // several ends of an ejection
        traffic[1].more(400);
        heal();
    });
    costs_nothing("all pods of west die, and come back", figures, traffic, || {
        fleet.backend("west").die();
        second.die();
        until_by(&traffic[1], "north");
        traffic[1].more(400);
        heal();
    });
    let mark = traffic[0].mark();
    fleet.backend("east").die();
    traffic[0].wait_until("west answers", 20, |seen| seen.by.starts_with("west"));
    fleet.backend("west").die();
    traffic[0].more(400);
    second.die();
    until_by(&traffic[0], "north");
    heal();
    let calls = traffic[0].since(mark);
    figures.note("east dies, then pods of one of them, then of both", &calls);
    errors_at_most(&calls, calls.0.len() / 100, "while two clusters die");
}

/// No call of any client is lost meanwhile.
fn costs_nothing(what: &str, figures: &Figures, traffic: &[Traffic], happens: impl FnOnce()) {
    let marks: Vec<usize> = traffic.iter().map(Traffic::mark).collect();
    happens();
    for (one, mark) in traffic.iter().zip(marks) {
        figures.note(what, one.since(mark));
        errors_at_most(&one.since(mark), 0, what);
    }
}

/// Waits until each client is served by its own cluster, and that of west by both of its Services.
fn until_own(traffic: &[Traffic]) {
    for (one, cluster) in traffic.iter().zip(ALL) {
        one.wait_until("its own cluster answers", 20, |seen| seen.by.starts_with(cluster));
    }
    until_both(&traffic[1]);
}

/// How pods of the second version call themselves.
fn second_of(cluster: &str) -> String {
    format!("{cluster}-{}", Role::Canary.version())
}

/// Waits until pods of both versions in west answered.
fn until_both(traffic: &Traffic) {
    for by in ["west", &second_of("west")] {
        traffic.wait_until(&format!("{by} answers"), 1, |seen| seen.by == by);
    }
}

/// A second Service in west with pods of a second version comes.
fn comes(stage: &Stage) -> Canaries {
    two()
        .iter()
        .for_each(|service| drop(stage.mesh.rig().cluster("west").api().apply(service).expect("nothing is wrong with it")));
    stage.canaries(&["west"])
}

/// The two Services of west: the usual one with the pods of the first version, and one with those of the second.
pub fn two() -> [Value; 2] {
    let selector = |role: Role| json!({ "app": role.service(), "version": role.version() });
    let mut usual = seeds::service(Seat { spot: Spot::of("west").expect("it is known"), role: Role::Server });
    usual["spec"]["selector"] = selector(Role::Server);
    [usual, other_service(selector(Role::Canary))]
}

/// It goes: proxies leave its pods alone before these end.
fn goes(stage: &Stage, traffic: &[Traffic]) {
    let seat = Seat { spot: Spot::of("west").expect("it is known"), role: Role::Canary };
    let api = stage.mesh.rig().cluster("west").api();
    for object in [seeds::workload(seat), seeds::deployment(seat), other_service(json!({}))] {
        api.delete(&path_of(&object).expect("it has a path")).expect("it is there");
    }
    until_by(&traffic[1], "west");
    stage.settle();
}

/// The destination with the usual Services of these clusters, and the second one of west, which serves together with that of west.
pub fn together(usual: &[&str], with_second: bool) -> String {
    let lines = destination(usual, &format!("{QUICK}  failover = {{ order = [\"west\", \"north\", \"east\"] }}\n"));
    let data = |service: &str| format!("  name      = {service:?}\n");
    let with = |service: &str, other: &str| format!("{}  together_with = [{other:?}]\n", data(service));
    let usual = Role::Server.service();
    let lines = lines.replace(&data(usual), &with(usual, OTHER));
    if !with_second {
        return lines;
    }
    let lines = lines.replace("backends     = [", &format!("backends     = concat(data.gloo_service.{OTHER}.backends, ["));
    let lines = lines.replace("backend.cluster)]", "backend.cluster)])");
    let lines = lines.replace("protocol = \"http\"", "protocol = \"http\", service_port_name = \"http\"");
    format!("data \"gloo_service\" \"{OTHER}\" {{\n  namespace = \"{NAMESPACE}\"\n{}}}\n\n{lines}", with(OTHER, usual))
}

/// Another Service over these pods.
fn other_service(selector: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": OTHER, "namespace": NAMESPACE },
        "spec": {
            "selector": selector,
            "ports": [{ "name": "http", "port": OTHER_PORT, "targetPort": PORT, "protocol": "TCP" }],
        },
    })
}

/// The destination with the usual Service of one cluster, and the other one of another cluster.
fn backends(usual: &str, other: &str) -> String {
    let of = |service: &str, cluster: &str| {
        format!("[for backend in data.gloo_service.{service}.backends : backend if backend.cluster == {cluster:?}]")
    };
    let both = format!("  backends     = concat({}, {})\n", of("reviews", usual), of(OTHER, other));
    let lines = destination(&ALL, QUICK);
    let is_list = |line: &str| line.trim_start().starts_with("backends ");
    let resources: String = lines.lines().map(|line| if is_list(line) { both.clone() } else { format!("{line}\n") }).collect();
    let resources = resources.replace("protocol = \"http\"", "protocol = \"http\", service_port_name = \"http\"");
    format!("data \"gloo_service\" \"{OTHER}\" {{\n  namespace = \"{NAMESPACE}\"\n  name      = \"{OTHER}\"\n}}\n\n{resources}")
}
