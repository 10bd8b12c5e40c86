//! `gloo_virtual_mesh` with `federation` and `mtls`, through its life.

use std::fs;

use serde_json::{Value as Json, json};
use tf_server::testing::{Action, unknown};

use crate::support::{DESTINATION, World, backend, destination, keys, mesh, set};

const MESH: &str = "gloo_virtual_mesh";
const CLUSTERS: [&str; 3] = ["east", "north", "west"];
const MODE: &str = "istio-system/PeerAuthentication-default";

/// The mesh, which exports `reviews` of east and west and takes mutual TLS alone.
fn exporting() -> Json {
    let federation = json!({ "exports": [backend("east"), backend("west")] });
    set(set(mesh(), "/federation", federation), "/mtls", json!({ "mode": "strict" }))
}

fn host(cluster: &str) -> String {
    format!("bookinfo/ServiceEntry-vd-reviews.bookinfo.svc.{cluster}.global")
}

/// Files of the world that hold a stored intent.
fn noted(world: &World) -> Vec<String> {
    let has_intent = |file: &String| fs::read_to_string(world.path(file)).unwrap().contains("state.gloo-terraform/intent");
    world.files().into_iter().filter(has_intent).collect()
}

fn in_each(rest: &str) -> Vec<String> {
    CLUSTERS.iter().map(|cluster| format!("{cluster}/manifests/{rest}.yaml")).collect()
}

#[tokio::test]
async fn every_member_gets_every_name_and_the_mode_and_the_next_plan_is_empty() {
    let world = World::new().await;
    let plan = world.core.plan(MESH, None, exporting()).await.unwrap();
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
    let planned = keys(&plan);
    assert!(planned.contains(&"*/PeerAuthentication/istio-system/default".to_owned()), "{planned:?}");
    let instance = world.core.apply(&plan).await.success().unwrap().unwrap();
    for cluster in CLUSTERS {
        for exporter in ["east", "west"] {
            assert!(world.file(cluster, &host(exporter)).exists(), "{exporter} in {cluster}");
        }
        assert!(fs::read_to_string(world.file(cluster, MODE)).unwrap().contains("mode: STRICT"));
    }
    // the mesh that destinations take says nothing of it
    let members: Vec<&String> = instance.state["mesh"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["accepted_trust_domains", "clusters", "hostname_suffix", "name", "owner"]);
    let again = world.core.plan(MESH, Some(&instance), exporting()).await.unwrap();
    assert_eq!(again.action, Action::NoOp);
    world.core.destroy(&instance).await.success().unwrap();
    assert_eq!(world.files(), Vec::<String>::new());
}

#[tokio::test]
async fn exports_and_the_mode_change_in_place() {
    let world = World::new().await;
    let first = world.create(MESH, exporting()).await;
    let steps = [
        set(exporting(), "/federation/exports", json!([backend("north")])),
        set(exporting(), "/federation/hostname_suffix", json!("corp.example")),
        set(exporting(), "/federation/client_namespace", json!({ "north": "edge" })),
        set(exporting(), "/mtls/mode", json!("permissive")),
        set(exporting(), "/federation", Json::Null),
        set(exporting(), "/mtls", Json::Null),
        exporting(),
    ];
    let mut instance = first.clone();
    for step in steps {
        instance = world.core.converge(MESH, Some(&instance), step).await.unwrap_or_else(|failure| panic!("{failure}"));
    }
    assert_eq!(instance.state, first.state, "the way back leaves nothing behind");
    let nothing = world.core.converge(MESH, Some(&instance), mesh()).await.unwrap();
    assert_eq!(nothing.state["manifests"], json!({}));
    assert_eq!(world.files(), Vec::<String>::new());
}

/// A state that was written before a mesh could write anything.
#[tokio::test]
async fn a_mesh_that_writes_nothing_stays_as_it_was() {
    let world = World::new().await;
    let mut instance = world.create(MESH, mesh()).await;
    let state = instance.state.as_object_mut().unwrap();
    for name in ["federation", "mtls", "takeover_from", "adopt", "deletion_protection"] {
        assert_eq!(state.remove(name), Some(Json::Null), "{name}");
    }
    let core = world.beside(|_| {}).await;
    let seen = core.refresh(&instance).await.unwrap().unwrap();
    let plan = core.plan(MESH, Some(&seen), mesh()).await.unwrap();
    assert_eq!(plan.action, Action::NoOp);
    assert_eq!(world.files(), Vec::<String>::new());
}

#[tokio::test]
async fn one_object_of_each_cluster_holds_what_import_needs_wherever_it_moves() {
    let world = World::new().await;
    let without = |name: &str| set(exporting(), &format!("/{name}"), Json::Null);
    let mut instance = None;
    for (config, holders) in [
        (without("mtls"), in_each(&host("east"))),
        (exporting(), in_each(MODE)),
        (without("mtls"), in_each(&host("east"))),
        (set(without("mtls"), "/federation/exports", json!([backend("west")])), in_each(&host("west"))),
        (without("mtls"), in_each(&host("east"))),
        (without("federation"), in_each(MODE)),
    ] {
        let written = world.core.converge(MESH, instance.as_ref(), config.clone()).await.unwrap_or_else(|f| panic!("{f}"));
        assert_eq!(noted(&world), holders);
        let core = world.beside(|_| {}).await;
        let imported = core.import(MESH, "prod").await.unwrap().remove(0);
        assert_eq!(imported.state, written.state);
        assert_eq!(core.plan(MESH, Some(&imported), config).await.unwrap().action, Action::NoOp);
        instance = Some(written);
    }
}

/// A mesh whose objects are there is never imported as one that writes none: the next apply would delete them.
#[tokio::test]
async fn objects_without_their_note_are_not_imported_as_nothing() {
    let world = World::new().await;
    let mesh = world.create(MESH, set(mesh(), "/mtls", json!({ "mode": "strict" }))).await;
    world.create(DESTINATION, set(destination(), "/virtual_mesh", mesh.state["mesh"].clone())).await;
    for cluster in CLUSTERS {
        world.edit(cluster, MODE, "state.gloo-terraform/intent", "state.gloo-terraform/lost");
    }
    let refused = world.beside(|_| {}).await.import(MESH, "prod").await.unwrap_err();
    assert!(refused.to_string().contains("No stored intent was found; objects of it: east/PeerAuthentication"), "{refused}");
}

#[tokio::test]
async fn what_somebody_else_has_is_told_where_the_mesh_says_it() {
    let world = World::new().await;
    world.create(MESH, exporting()).await;
    let before = world.files();
    let other = world.beside(|block| block["owner"] = json!("team-b/prod")).await;
    let refused = other.plan(MESH, None, exporting()).await.unwrap_err();
    assert!(refused.violations.is_empty(), "{refused}");
    let paths: Vec<String> = refused.diagnostics.iter().filter_map(|d| Some(d.path.as_ref()?.to_string())).collect();
    assert!(paths.contains(&"federation.exports".to_owned()) && paths.contains(&"mtls".to_owned()), "{paths:?}");
    assert!(refused.to_string().contains("takeover_from"), "{refused}");
    assert_eq!(world.files(), before);
}

/// As the refusals say.
#[tokio::test]
async fn names_and_mode_are_taken_over_in_place() {
    let claim = "test/it//gloo_virtual_mesh/-/prod";
    for entry in ["test/it", claim] {
        let world = World::new().await;
        let old = world.create(MESH, exporting()).await;
        let before = world.files();
        let other = world.beside(|block| block["owner"] = json!("team-b/prod")).await;
        let refused = other.plan(MESH, None, exporting()).await.unwrap_err();
        assert!(refused.to_string().contains(&format!("takeover_from = [\"{claim}\"]")), "{refused}");
        let taking = set(exporting(), "/takeover_from", json!([entry]));
        other.converge(MESH, None, taking).await.unwrap_or_else(|failure| panic!("{entry}: {failure}"));
        assert_eq!(world.files(), before);
        let core = world.beside(|_| {}).await;
        let seen = core.refresh(&old).await.unwrap().expect("the objects are there, though another's");
        assert!(core.destroy(&seen).await.success().unwrap().is_none());
        assert_eq!(world.files(), before);
    }
    // a mesh that gets another name has its objects handed over
    let world = World::new().await;
    let mesh = world.create(MESH, exporting()).await;
    let before = world.files();
    let renamed = set(exporting(), "/name", json!("staging"));
    let plan = world.core.plan(MESH, Some(&mesh), renamed.clone()).await.unwrap();
    let told = format!("{:?}", plan.diagnostics);
    assert!(told.contains("GM4016") && told.contains(claim), "{told}");
    let (core, taking) = (world.beside(|_| {}).await, set(renamed, "/takeover_from", json!([claim])));
    let plan = core.plan(MESH, Some(&mesh), taking.clone()).await.unwrap();
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
    let outcome = core.apply_create_first(&plan, taking).await;
    assert!(outcome.deposed.is_none(), "{:?}", outcome.diagnostics);
    outcome.success().unwrap();
    assert_eq!(world.files(), before);
}

#[tokio::test]
async fn what_is_overruled_is_not_shown_and_stands_on_every_name_with_its_reason() {
    let world = World::new().await;
    let deaf = set(exporting(), "/clusters/north/dns_capture", json!(false));
    let plan = world.core.plan(MESH, None, deaf.clone()).await.unwrap();
    let summaries: Vec<&str> = plan.diagnostics.iter().map(|d| d.summary.as_str()).collect();
    assert_eq!(summaries, ["DNS capture is off (GM2013)"]);
    let overruled = set(deaf, "/federation/ignore_findings", json!({ "GM2013": "CoreDNS answers" }));
    let plan = world.core.plan(MESH, None, overruled.clone()).await.unwrap();
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
    let made = world.core.apply(&plan).await.success().unwrap().unwrap();
    for (cluster, exporter) in CLUSTERS.into_iter().flat_map(|cluster| ["east", "west"].map(|exporter| (cluster, exporter))) {
        let text = fs::read_to_string(world.file(cluster, &host(exporter))).unwrap();
        assert!(text.contains("gloo-terraform/ignored-findings: \"GM2013: CoreDNS answers\""), "{text}");
    }
    let core = world.beside(|_| {}).await;
    let imported = core.import(MESH, "prod").await.unwrap().remove(0);
    assert_eq!(imported.state, made.state, "the reasons are part of what is stored");
    let refused = core.plan(MESH, Some(&made), set(overruled, "/federation/ignore_findings", json!({ "GM2005": "x" }))).await;
    assert!(refused.unwrap_err().to_string().contains("GM2005 (Trust domains differ) cannot be ignored"));
}

/// A destination on the exported pods, in the same namespace of the same clusters.
#[tokio::test]
async fn a_destination_and_an_export_of_the_same_pods_live_side_by_side() {
    let world = World::new().await;
    let mesh = world.create(MESH, exporting()).await;
    let destination = world.create(DESTINATION, set(destination(), "/virtual_mesh", mesh.state["mesh"].clone())).await;
    let core = world.beside(|_| {}).await;
    let changed = set(exporting(), "/federation/tcp_keepalive", json!({ "time": "300s" }));
    core.converge(MESH, Some(&mesh), changed).await.unwrap_or_else(|failure| panic!("{failure}"));
    core.destroy(&destination).await.success().unwrap();
    assert!(CLUSTERS.iter().all(|cluster| world.file(cluster, &host("west")).exists()));
}

#[tokio::test]
async fn a_protected_mesh_keeps_its_names_and_its_mode() {
    let world = World::new().await;
    let config = set(exporting(), "/deletion_protection", json!(true));
    let instance = world.create(MESH, config.clone()).await;
    let before = world.files();
    for changed in [
        set(config.clone(), "/federation/exports", json!([backend("east")])),
        set(config.clone(), "/federation/hostname_suffix", json!("corp.example")),
        set(config.clone(), "/mtls", Json::Null),
        set(set(config.clone(), "/federation", Json::Null), "/mtls", Json::Null),
        set(config.clone(), "/name", json!("staging")),
    ] {
        let refused = world.core.plan(MESH, Some(&instance), changed).await.unwrap_err();
        assert!(refused.says("Deletion protection is on (GM4015)"), "{refused}");
    }
    assert!(world.core.plan_destroy(&instance).await.unwrap_err().says("Deletion protection is on (GM4015)"));
    let more = set(config.clone(), "/federation/exports", json!([backend("east"), backend("west"), backend("north")]));
    let more = set(set(more, "/federation/client_namespace", json!({ "north": "edge" })), "/mtls/mode", json!("permissive"));
    let more = world.core.converge(MESH, Some(&instance), more).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(world.files().len() > before.len());
    // a member that only calls may leave; one that exports takes its name from the others
    let mut fewer = config;
    fewer["clusters"].as_object_mut().unwrap().remove("north");
    world.core.plan(MESH, Some(&instance), fewer.clone()).await.unwrap_or_else(|failure| panic!("{failure}"));
    let refused = world.core.plan(MESH, Some(&more), fewer).await.unwrap_err();
    assert!(refused.to_string().contains("reviews.bookinfo.svc.north.global (in east, west)"), "{refused}");
}

#[tokio::test]
async fn what_is_not_known_yet_hides_what_depends_on_it() {
    let world = World::new().await;
    let known = keys(&world.core.plan(MESH, None, exporting()).await.unwrap());
    let plan = world.core.plan(MESH, None, set(exporting(), "/clusters/west/gateways/0/addresses/0", unknown())).await.unwrap();
    assert_eq!(keys(&plan), known, "the keys do not depend on the address");
    for pointer in ["/federation", "/federation/exports", "/clusters", "/mtls"] {
        let plan = world.core.plan(MESH, None, set(exporting(), pointer, unknown())).await.unwrap();
        assert!(plan.planned.get("manifests").is_unknown(), "{pointer}");
        let summaries: Vec<&str> = plan.diagnostics.iter().map(|d| d.summary.as_str()).collect();
        assert_eq!(summaries, ["Objects known after apply (GM1007)"], "{pointer}");
        world.core.apply_with(&plan, exporting()).await.success().unwrap_or_else(|f| panic!("{pointer}: {f}"));
        let imported = world.core.import(MESH, "prod").await.unwrap().remove(0);
        world.core.destroy(&imported).await.success().unwrap();
    }
}

#[tokio::test]
async fn members_that_do_not_trust_each_other_are_told() {
    let world = World::new().await;
    let config = |base: Json| set(base, "/clusters/west/trust_domain", json!("west.corp"));
    let plan = world.core.plan(MESH, None, config(mesh())).await.unwrap();
    let summaries: Vec<&str> = plan.diagnostics.iter().map(|d| d.summary.as_str()).collect();
    assert_eq!(summaries, ["Members have different trust domains (GM2030)"]);
    let refused = world.core.plan(MESH, None, config(exporting())).await.unwrap_err();
    let summaries: Vec<&str> = refused.diagnostics.iter().map(|d| d.summary.as_str()).collect();
    assert_eq!(summaries, ["Trust domains differ (GM2005)"; 2], "once for each cluster that refuses: {refused}");
}
