//! Cases in which gateways are reached by hostnames, which istiod resolves.

use rig::mesh::layout::Spot;
use rig::mesh::names;
use serde_json::json;

use crate::changes::{ALL, Case, change, traffic};
use crate::check::{errors_at_most, until_by};
use crate::config::{QUICK, destination};
use crate::live::Stage;

/// All of them, by name.
pub fn all() -> Vec<Case> {
    vec![("gateway-hostname", gateway_hostname)]
}

/// A, B, H1: one gateway after the other gets a hostname in the place of its address, under traffic of all clients; the order of
/// failover is the same, as far as localities tell it.
fn gateway_hostname(stage: &Stage) {
    assert!(names::are_given(), "only root can give istiod a resolver of its own");
    let fleet = stage.mesh.fleet();
    let named =
        |clusters: &[&str]| named(clusters, &format!("{QUICK}  failover = {{ order = [\"west\", \"north\", \"east\"] }}\n"));
    let world = stage.applied(&named(&[]));
    let traffic = traffic(stage);
    change(stage, &world, &named(&["west"]), &traffic, "west gets a hostname");
    let mark = traffic[0].mark();
    fleet.backend("east").die();
    until_by(&traffic[0], "west");
    fleet.backend("west").die();
    until_by(&traffic[0], "north");
    stage.figures.note("east dies, then west", traffic[0].since(mark));
    errors_at_most(&traffic[0].since(mark), 0, "while others take over");
    fleet.heal().expect("everything lives again");
    until_by(&traffic[0], "east");
    until_by(&traffic[1], "west");
    change(stage, &world, &named(&ALL), &traffic, "the others get one too");
    let mark = traffic[2].mark();
    fleet.backend("north").die();
    until_by(&traffic[2], "west");
    stage.figures.note("north dies", traffic[2].since(mark));
    errors_at_most(&traffic[2].since(mark), 0, "while west takes over");
    fleet.heal().expect("everything lives again");
    until_by(&traffic[2], "north");
    change(stage, &world, &named(&[]), &traffic, "addresses again");
    world.assert_clean();
    drop(traffic);
    world.destroy();
}

/// The destination in every cluster, with gateways of these under hostnames, and lines.
pub fn named(clusters: &[&str], lines: &str) -> String {
    let hostname = |cluster: &str| names::gateway(Spot::of(cluster).expect("it is known"));
    let hostnames: serde_json::Map<String, serde_json::Value> =
        clusters.iter().map(|cluster| ((*cluster).to_owned(), json!(hostname(cluster)))).collect();
    let hostnames = serde_json::Value::Object(hostnames);
    let facts = format!(
        r#"merge(cluster.facts, {{
    gateways = [for gateway in cluster.facts.gateways : merge(gateway, {{
      addresses = contains(keys({hostnames}), name) ? null : gateway.addresses
      hostname  = lookup({hostnames}, name, null)
    }})]
  }})"#
    );
    destination(&ALL, lines).replace("cluster.facts }", &format!("{facts} }}"))
}
