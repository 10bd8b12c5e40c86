//! Every write of every journey, broken in every way: at most two applies reach the goal, and nothing is orphaned.

use std::fs;

use kube_apply::breakage::{Act, Break, Moment};
use serde_json::{Value as Json, json};

use super::rig::{Journey, Prepared, Room};
use crate::support::{DESTINATION, backend, destination, mesh, set};

const OBJECT: &str = "gloo_istio_object";

fn leave(_: &Room) {}

fn object(clusters: &[&str], host: &str) -> Json {
    json!({
        "clusters": clusters,
        "manifest": {
            "apiVersion": "networking.istio.io/v1",
            "kind": "ServiceEntry",
            "metadata": { "name": "elsewhere", "namespace": "bookinfo" },
            "spec": { "hosts": [host], "location": "MESH_EXTERNAL", "resolution": "DNS", "ports": [{ "number": 443, "name": "tls", "protocol": "TLS" }] },
        },
    })
}

fn without_north() -> Json {
    let mut mesh = mesh();
    mesh["clusters"].as_object_mut().unwrap().remove("north");
    set(destination(), "/virtual_mesh", mesh)
}

fn disturb(room: &Room) {
    let rule = room.path("east/manifests/bookinfo/DestinationRule-vd-reviews.mesh.internal.yaml");
    let text = fs::read_to_string(&rule).unwrap();
    fs::write(&rule, text.replace("maxEjectionPercent: 100", "maxEjectionPercent: 10")).unwrap();
    fs::remove_file(room.path("west/manifests/bookinfo/ServiceEntry-vd-reviews.mesh.internal.yaml")).unwrap();
    let entry = room.path("north/manifests/bookinfo/ServiceEntry-vd-reviews.mesh.internal.yaml");
    let text = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, text.replace("gloo-terraform/owner: test-it", "elsewhere/owner: test-it")).unwrap();
}

fn serving(cluster: &str, name: &str) -> Json {
    let mut backend = backend(cluster);
    backend["service"] = json!(name);
    backend["canonical_name"] = json!(name);
    set(destination(), "/backends", json!([backend]))
}

fn journeys() -> Vec<Journey> {
    let three = || set(destination(), "/backends", json!([backend("east"), backend("west"), backend("north")]));
    let to = |name: &'static str, before: Json, goal: Json| Journey {
        name,
        type_name: DESTINATION,
        before: Some(before),
        disturb: leave,
        goal: Some(goal),
    };
    vec![
        Journey { name: "create", type_name: DESTINATION, before: None, disturb: leave, goal: Some(destination()) },
        Journey { name: "destroy", type_name: DESTINATION, before: Some(destination()), disturb: leave, goal: None },
        Journey { name: "repair", type_name: DESTINATION, before: Some(destination()), disturb, goal: Some(destination()) },
        Journey { name: "destroy of what drifted", type_name: DESTINATION, before: Some(destination()), disturb, goal: None },
        to("add a serving cluster", destination(), three()),
        to("remove a serving cluster", three(), set(three(), "/backends", json!([backend("east"), backend("north")]))),
        to("remove a cluster of the mesh", destination(), without_north()),
        to("add a cluster of the mesh", without_north(), destination()),
        to("rank anew", three(), set(three(), "/failover", json!({ "order": ["north", "west", "east"] }))),
        // nothing changes but what is noted on the hosts
        to("a default written out", destination(), set(destination(), "/retries", json!({ "attempts": 3 }))),
        to("another Service in another cluster", serving("east", "reviews"), serving("west", "books")),
        to("another hostname", destination(), set(destination(), "/hostname", json!("r.example.internal"))),
        to("another port", destination(), set(destination(), "/ports", json!([{ "number": 80, "service_port": 9080 }]))),
        to("another client namespace", destination(), set(destination(), "/client_namespace", json!({ "north": "edge" }))),
        Journey {
            name: "an object moves to another cluster",
            type_name: OBJECT,
            before: Some(object(&["east", "west"], "a.example.com")),
            disturb: leave,
            goal: Some(object(&["east", "north"], "b.example.com")),
        },
    ]
}

/// One journey of each sort.
fn a_few() -> Vec<Journey> {
    let mut journeys = journeys();
    journeys.retain(|journey| ["create", "destroy", "repair", "remove a cluster of the mesh"].contains(&journey.name));
    assert_eq!(journeys.len(), 4);
    journeys
}

async fn for_every_write(breakages: &[(Act, Moment)], check: impl AsyncFn(&Prepared, Act, Moment, usize)) {
    for_every_write_of(journeys(), breakages, check).await;
}

async fn for_every_write_of(
    journeys: Vec<Journey>,
    breakages: &[(Act, Moment)],
    check: impl AsyncFn(&Prepared, Act, Moment, usize),
) {
    for journey in journeys {
        let journey = journey.prepare().await;
        for (act, moment) in breakages {
            for write in 1..=journey.writes {
                check(&journey, *act, *moment, write).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_kill_between_any_two_writes_needs_two_applies_at_most() {
    // a kill after a write leaves what a kill before the next one leaves
    for_every_write(&[(Act::Kill, Moment::Before), (Act::Kill, Moment::Between)], async |journey, act, moment, write| {
        let broken = journey.broken(act, moment, write).await;
        assert!(broken.outcome.is_none());
        journey.check_recovery(broken, &format!("killed {moment:?} write {write}")).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_after_the_last_write_needs_one_apply() {
    for journey in journeys() {
        let journey = journey.prepare().await;
        let broken = journey.broken(Act::Kill, Moment::After, journey.writes).await;
        if journey.instance.is_some() {
            journey.check_recovery(broken, "killed after the last write").await;
        }
    }
}

/// The state never heard of a create that is complete: nobody can tell it from that of another state with the same owner.
#[tokio::test(start_paused = true)]
async fn a_create_whose_state_is_lost_is_told_from_a_leftover_and_adopted_on_demand() {
    let create = Journey { name: "create", type_name: DESTINATION, before: None, disturb: leave, goal: Some(destination()) };
    let journey = create.prepare().await;
    let broken = journey.broken(Act::Kill, Moment::After, journey.writes).await;
    let core = broken.room.core().await;
    let plan = core.plan(DESTINATION, None, destination()).await.unwrap();
    let failure = core.apply(&plan).await.success().unwrap_err();
    assert!(failure.violations.is_empty() && failure.to_string().contains("adopt = true"), "{failure}");
    let adopted = core.converge(DESTINATION, None, set(destination(), "/adopt", json!(true))).await.unwrap();
    assert_eq!(Some(&adopted.state["manifests"]), journey.end_manifests());
    assert_eq!(broken.room.files(), journey.end);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_at_any_write_needs_one_more_apply() {
    for_every_write(&[Moment::Before, Moment::Between].map(|moment| (Act::Full, moment)), check_failure).await;
    for_every_write_of(a_few(), &[(Act::Full, Moment::After)], check_failure).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_or_refusing_cluster_at_any_write_needs_one_more_apply() {
    let breakages = [(Act::Silence, Moment::Before), (Act::Refuse, Moment::Before)];
    // the causes differ in the error alone; what follows from it is tried on all journeys by the full disk
    for_every_write_of(a_few(), &breakages, check_failure).await;
}

/// A failing write: an error, a state that tells the truth, and for a create none at all.
async fn check_failure(journey: &Prepared, act: Act, moment: Moment, write: usize) {
    let label = format!("{act:?} {moment:?} write {write}");
    let broken = journey.broken(act, moment, write).await;
    let outcome = broken.outcome.as_ref().unwrap();
    assert!(outcome.diagnostics.has_errors(), "{}, {label}: no error", journey.journey.name);
    if journey.instance.is_none() {
        assert_eq!(broken.instance, None, "{}, {label}: a failed create leaves a state", journey.journey.name);
        assert_eq!(
            broken.room.files(),
            journey.start().files(),
            "{}, {label}: a failed create leaves files",
            journey.journey.name
        );
    }
    if let (Some(_), Some(_), Some(left)) = (&journey.instance, &journey.journey.goal, &broken.instance) {
        assert_eq!(Some(&left.state["manifests"]), journey.end_manifests(), "{}, {label}", journey.journey.name);
    }
    journey.check_truth(&broken, &label).await;
    journey.check_recovery(broken, &label).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_at_any_write_is_found_out() {
    for_every_write(&[(Act::Silence, Moment::After)], async |journey, act, moment, write| {
        let broken = journey.broken(act, moment, write).await;
        let outcome = broken.outcome.as_ref().unwrap();
        // the engine looks and finds that the write has happened
        assert!(!outcome.diagnostics.has_errors(), "{}, write {write}: {:?}", journey.journey.name, outcome.diagnostics);
        assert_eq!(broken.room.files(), journey.end, "{}, write {write}", journey.journey.name);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_at_any_write_ends_with_the_truth() {
    let check = async |journey: &Prepared, act, moment, write| {
        let label = format!("stopped {moment:?} write {write}");
        let broken = journey.broken(act, moment, write).await;
        let outcome = broken.outcome.as_ref().unwrap();
        let is_done = write == journey.writes && moment == Moment::After;
        assert_eq!(outcome.diagnostics.has_errors(), !is_done, "{}, {label}: {:?}", journey.journey.name, outcome.diagnostics);
        if journey.instance.is_none() && !is_done {
            assert_eq!(broken.instance, None, "{}, {label}: an interrupted create leaves a state", journey.journey.name);
            assert_eq!(broken.room.files(), journey.start().files(), "{}, {label}", journey.journey.name);
        }
        journey.check_truth(&broken, &label).await;
        journey.check_recovery(broken, &label).await;
    };
    for_every_write(&[(Act::Hang, Moment::Before)], check).await;
    for_every_write_of(a_few(), &[(Act::Hang, Moment::After)], check).await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_during_the_rollback_needs_two_applies_at_most() {
    let create = || Journey { name: "create", type_name: DESTINATION, before: None, disturb: leave, goal: Some(destination()) };
    let journey = create().prepare().await;
    for failed in 2..=journey.writes {
        for undone in 1..failed {
            for moment in [Moment::Before, Moment::Between] {
                let fail = Break { act: Act::Full, moment: Moment::Before, write: failed };
                let kill = Break { act: Act::Kill, moment, write: failed + undone };
                let broken = journey.broken_at(vec![fail, kill]).await;
                // a deletion that meets a changed object looks again before it touches the file
                let is_killed = broken.outcome.is_none();
                assert!(is_killed || moment == Moment::Between, "write {failed}, undone {undone}");
                journey.check_recovery(broken, &format!("write {failed} failed, killed {moment:?} undoing {undone}")).await;
            }
        }
    }
}
