//! What is spoken on ports besides HTTP/1.1, and what failures cost there.

use rig::mesh::fleet::Fleet;
use rig::mesh::layout::Speech;
use rig::mesh::seeds::PORTS_HOST;
use rig::mesh::traffic::Traffic;

use crate::changes::change;
use crate::check::{all_by, errors_at_most, nobody_notices, until_by};
use crate::config::{QUICK, destination_with};
use crate::live::Stage;
use crate::scenarios::Scene;

/// Calls of a cluster's client where this is spoken.
fn speaking(fleet: &Fleet, speech: Speech, client: &str) -> Traffic {
    let host = format!("{PORTS_HOST}:{}", speech.port());
    fleet.speaking(speech, client, &host)
}

/// The same, served by the client's own cluster by now.
fn local(fleet: &Fleet, speech: Speech) -> Traffic {
    let traffic = speaking(fleet, speech, "east");
    until_by(&traffic, "east");
    traffic
}

/// A: on every port each client is served by its own cluster; one that only calls by all others.
pub fn each_at_home(&Scene { fleet, figures, .. }: &Scene) {
    for speech in Speech::ALL {
        for client in ["east", "west"] {
            let traffic = speaking(fleet, speech, client);
            until_by(&traffic, client);
            let calls = traffic.more(50);
            figures.note(&format!("{} in {client}", speech.name()), &calls);
            all_by(&calls, client);
        }
        let traffic = speaking(fleet, speech, "north");
        traffic.wait_until("others serve north", 10, |seen| seen.is_served());
        let calls = traffic.more(100);
        figures.note(&format!("{} in north", speech.name()), &calls);
        errors_at_most(&calls, 0, "while everything is well");
        assert!(calls.served_by("east") > 20 && calls.served_by("west") > 20, "two regions share equally: {calls}");
    }
}

/// D: a call over gRPC that meets a dead application is repeated elsewhere, though it is a POST: its sidecar says `UNAVAILABLE`.
pub fn grpc_app_dies(&Scene { fleet, figures, .. }: &Scene) {
    nobody_notices(&local(fleet, Speech::Grpc), fleet, figures);
}

/// R: nothing repeats a connection: each one that meets what is dead is lost, until it is taken out, and once more at each end of
/// an ejection. A dead application behind a living sidecar is never taken out, for its sidecar accepts.
pub fn connections(&Scene { fleet, figures, .. }: &Scene) {
    for speech in [Speech::Tcp, Speech::Tls] {
        let told = |what: &str| format!("{}, {what}", speech.name());
        let traffic = local(fleet, speech);
        let mark = traffic.mark();
        fleet.proxy("east/reviews").kill().expect("it runs");
        until_by(&traffic, "west");
        figures.takeover(&told("sidecar dead"), &traffic.since(mark), "west");
        errors_at_most(&traffic.since(mark), 10, "until a dead sidecar is taken out");
        let mark = traffic.mark();
        traffic.more(600);
        figures.note(&told("with ends of ejections"), traffic.since(mark));
        assert!(traffic.since(mark).errors() > 0, "if ends of ejections cost nothing, the guide says too much");
        let mark = traffic.mark();
        fleet.heal().expect("it starts again");
        until_by(&traffic, "east");
        figures.takeover(&told("healed"), &traffic.since(mark), "east");

        let mark = traffic.mark();
        fleet.backend("east").die();
        traffic.more(200);
        let calls = traffic.since(mark);
        figures.note(&told("application dead behind a living sidecar"), &calls);
        assert_eq!(calls.served_by("west"), 0, "if west takes over, the guide says too much: {calls}");
        fleet.backend("east").revive().expect("its address is free");
        until_by(&traffic, "east");
    }
}

/// F: ports come and go under traffic of those that stay.
pub fn come_and_go(stage: &Stage) {
    let with = |ports: &[Speech]| destination_with(ports, &["east", "west"], QUICK);
    let world = stage.applied(&with(&[Speech::Http]));
    let fleet = stage.mesh.fleet();
    let clients = ["east", "west", "north"];
    let http = clients.map(|client| speaking(fleet, Speech::Http, client));
    http.iter().for_each(|one| one.wait_until("it is served", 10, |seen| seen.is_served()));
    stage.settle();
    change(stage, &world, &with(&[Speech::Http, Speech::Grpc]), &http, "a port comes");
    let grpc = clients.map(|client| speaking(fleet, Speech::Grpc, client));
    grpc.iter().for_each(|one| one.wait_until("the new port is served", 10, |seen| seen.is_served()));
    let both: Vec<Traffic> = http.into_iter().chain(grpc).collect();
    change(stage, &world, &with(&[Speech::Tls, Speech::Http, Speech::Tcp, Speech::Grpc]), &both, "two more, in another order");
    for speech in [Speech::Tls, Speech::Tcp] {
        until_by(&speaking(fleet, speech, "east"), "east");
    }
    change(stage, &world, &with(&[Speech::Http, Speech::Grpc]), &both, "two go");
    let (http, grpc) = both.split_at(clients.len());
    change(stage, &world, &with(&[Speech::Grpc]), grpc, "the first one goes");
    http[0].wait_until("nobody serves a port that is gone", 5, |seen| !seen.is_served());
    world.assert_clean();
    drop(both);
    world.destroy();
}
