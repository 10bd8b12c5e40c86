//! Cases in which the Services behind a destination differ between clusters.

use rig::mesh::layout::{NAMESPACE, PORT, Role, Seat, Spot};
use rig::mesh::seeds;
use serde_json::{Value, json};

use crate::changes::{ALL, Case, change, traffic};
use crate::check::{connections_of_gateway, nobody_notices, until_by};
use crate::config::{QUICK, destination};
use crate::live::Stage;

/// All of them, by name.
pub fn all() -> Vec<Case> {
    vec![("services-differ", services_differ)]
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
    for object in [other_service(), pods, template] {
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

/// A Service over the same pods.
fn other_service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": OTHER, "namespace": NAMESPACE },
        "spec": {
            "selector": { "app": Role::Server.app() },
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
