//! What a virtual mesh writes by itself: Services of single clusters under names of the mesh, and the mode of mutual TLS.

use std::net::SocketAddr;

use rig::api::path_of;
use rig::mesh::layout::{PORT, ROOT, Role, Spot};
use rig::mesh::traffic::{Seen, calls};
use serde_json::json;

use crate::changes::{ALL, SERVICE, change, traffic};
use crate::check::{all_by, errors_at_most, until_by, until_host_served};
use crate::config::{HOST, QUICK, destination};
use crate::live::Stage;

/// The destination of other cases, beside a mesh with these lines.
fn mesh_with(lines: &str) -> String {
    let clusters = "  clusters = { for name, cluster in data.gloo_cluster.all : name => cluster.facts }\n";
    let text = destination(&["east", "west"], QUICK);
    assert!(text.contains(clusters), "the mesh is written otherwise: {text}");
    text.replace(clusters, &format!("{clusters}{lines}"))
}

/// The mesh exports `reviews` of these clusters.
fn exporting(clusters: &[&str]) -> String {
    let chosen =
        format!("[for backend in data.gloo_service.reviews.backends : backend if contains({clusters:?}, backend.cluster)]");
    mesh_with(&format!("  federation = {{ exports = {chosen} }}\n"))
}

fn name_of(cluster: &str) -> String {
    format!("reviews.bookinfo.svc.{cluster}.global:{PORT}")
}

/// P: every cluster calls the Service of every cluster by name and is served there alone, beside a destination on the same pods;
/// exports come and go without an error of those that stay.
pub fn federation(stage: &Stage) {
    let fleet = stage.mesh.fleet();
    let world = stage.applied(&exporting(&ALL));
    for (client, exporter) in ALL.iter().flat_map(|client| ALL.map(|exporter| (client, exporter))) {
        until_host_served(fleet, client, &name_of(exporter));
    }
    stage.settle();
    world.assert_clean();
    for (client, exporter) in ALL.iter().flat_map(|client| ALL.map(|exporter| (client, exporter))) {
        let seen = fleet.calls(client, &name_of(exporter), 30);
        stage.figures.note(&format!("{client} calls {exporter}"), &seen);
        all_by(&seen, exporter);
        assert!(seen.0.iter().all(|one| one.host == name_of(exporter)), "the name stays as it was called: {}", seen.0[0].host);
    }
    for (what, host) in [("the Service itself", SERVICE), ("the destination", HOST)] {
        let seen = fleet.calls("east", host, 50);
        stage.figures.note(what, &seen);
        all_by(&seen, "east");
    }
    let staying = ALL.map(|client| fleet.traffic(client, &name_of("west")));
    staying.iter().for_each(|one| until_by(one, "west"));
    let beside = traffic(stage);
    change(stage, &world, &exporting(&["west"]), &staying, "two exports go");
    fleet.traffic("north", &name_of("east")).wait_until("the name is gone", 20, |seen| !seen.is_served());
    change(stage, &world, &exporting(&ALL), &staying, "they come again");
    until_host_served(fleet, "north", &name_of("east"));
    let mark = staying[0].mark();
    fleet.backend("west").die();
    staying[0].wait_until("nobody takes over", 20, |seen| !seen.is_served());
    staying[0].more(200);
    fleet.backend("west").revive().expect("its address is free");
    until_by(&staying[0], "west");
    let seen = staying[0].since(mark);
    stage.figures.note("west dies and comes back", &seen);
    assert!(seen.0.iter().all(|one| one.by.is_empty() || one.by == "west"), "served elsewhere: {seen}");
    beside.iter().for_each(|one| errors_at_most(&one.all(), 0, "of the destination beside them"));
    stage.settle();
    drop((staying, beside));
    world.destroy();
}

/// Modes change under traffic: calls between clusters never fail, and plain text is taken or refused as the mode says.
pub fn mtls_mode(stage: &Stage) {
    // every cluster of the rig begins with one that the rig applies
    let mode_of_rig = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": { "name": "default", "namespace": ROOT },
    });
    for cluster in stage.mesh.rig().clusters() {
        cluster.api().delete(&path_of(&mode_of_rig).expect("it has a path")).expect("it is there");
    }
    let with_mode = |mode: &str| mesh_with(&format!("  mtls = {{ mode = {mode:?} }}\n"));
    let world = stage.applied(&with_mode("strict"));
    let traffic = traffic(stage);
    let server: SocketAddr = (Role::Server.ip(Spot::of("east").expect("it is known")), PORT).into();
    let plain = |what: &str, is_taken: bool| {
        let seen = calls(server, SERVICE, 20);
        stage.figures.note(what, &seen);
        assert!(seen.0.iter().all(|one| Seen::is_served(one) == is_taken), "plain text, {what}: {seen}");
    };
    plain("strict", false);
    change(stage, &world, &with_mode("permissive"), &traffic, "strict to permissive");
    plain("permissive", true);
    change(stage, &world, &with_mode("strict"), &traffic, "permissive to strict");
    plain("strict again", false);
    change(stage, &world, &mesh_with(""), &traffic, "no mode at all");
    plain("no mode", true);
    world.assert_clean();
    drop(traffic);
    world.destroy();
}
