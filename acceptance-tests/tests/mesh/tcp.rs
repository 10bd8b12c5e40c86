//! What a port of TCP loses where HTTP loses nothing. The translation has no such port yet: overlays make one of the destination,
//! so that the facts are known before it has.

use rig::mesh::layout::TCP_PORT;
use rig::mesh::seeds::TCP_HOST;

use crate::changes::Case;
use crate::check::{errors_at_most, until_by};
use crate::config::{QUICK, destination};
use crate::live::Stage;

/// Its name, and what plays it.
pub const CASE: Case = ("tcp", tcp);

/// R: nothing repeats a connection: each one that meets what is dead is lost, until it is taken out, and once more at each end of
/// an ejection. A dead application behind a living sidecar is never taken out, for its sidecar accepts.
fn tcp(stage: &Stage) {
    let overlays = format!(
        r#"  overlays = [{{
    kind        = "ServiceEntry"
    merge_patch = jsonencode({{ spec = {{ ports = [{{ number = {TCP_PORT}, name = "http-9080", protocol = "TCP" }}] }} }})
  }}, {{
    kind        = "DestinationRule"
    merge_patch = jsonencode({{ spec = {{ trafficPolicy = {{ tls = {{ sni = "outbound_.{TCP_PORT}_._.reviews.bookinfo.svc.cluster.local" }} }} }} }})
  }}]
"#
    );
    let lines = destination(&["east", "west"], &(QUICK.to_owned() + &overlays));
    let world = stage.applied(&lines.replace("\"reviews.mesh.internal\"", &format!("\"{TCP_HOST}\"")));
    let fleet = stage.mesh.fleet();
    let traffic = fleet.connections("east");
    until_by(&traffic, "east");
    stage.settle();
    let mark = traffic.mark();
    traffic.more(100);
    errors_at_most(&traffic.since(mark), 0, "while everything is well");

    let mark = traffic.mark();
    fleet.proxy("east/reviews").kill().expect("it runs");
    until_by(&traffic, "west");
    stage.figures.takeover("sidecar dead", &traffic.since(mark), "west");
    let mark = traffic.mark();
    traffic.more(600);
    stage.figures.note("with ends of ejections", traffic.since(mark));
    assert!(traffic.since(mark).errors() > 0, "if ends of ejections cost nothing, the guide says too much");
    let mark = traffic.mark();
    fleet.heal().expect("it starts again");
    until_by(&traffic, "east");
    stage.figures.takeover("healed", &traffic.since(mark), "east");

    let mark = traffic.mark();
    fleet.backend("east").die();
    traffic.more(400);
    let calls = traffic.since(mark);
    stage.figures.note("application dead behind a living sidecar", &calls);
    assert_eq!(calls.served_by("west"), 0, "if west takes over, the guide says too much: {calls}");
    drop(traffic);
    world.destroy();
}
