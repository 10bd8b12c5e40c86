//! Clusters that cannot be written, read or found: what is said, what the state keeps, what the next plan does.

use std::fs;

use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Action, Core, Failure, Instance};
use tf_value::{Diagnostics, Severity};

use super::rig::Room;
use crate::support::{DESTINATION, destination, mesh, set};

const RULE: &str = "manifests/bookinfo/DestinationRule-vd-reviews.mesh.internal.yaml";

/// State and private bytes, as text that shows a difference.
fn text(instance: &Instance) -> String {
    format!("{:?} {} {}", instance.tainted, String::from_utf8_lossy(&instance.private), instance.state)
}

async fn created() -> (Room, Instance) {
    let room = Room::new();
    let instance = room.core().await.converge(DESTINATION, None, destination()).await.unwrap();
    (room, instance)
}

fn changed() -> Json {
    set(destination(), "/timeout", json!("7s"))
}

/// Every error says what, where, why and how to fix it; one of them has these words.
fn check_told(diagnostics: &Diagnostics, words: &[&str]) {
    let errors: Vec<_> = diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    assert!(!errors.is_empty(), "no error");
    for error in &errors {
        assert!(error.summary.contains("(GM"), "{}", error.summary);
        assert_eq!(error.detail.split("\n\n").count(), 3, "what, why, fix: {}", error.detail);
    }
    let is_said = |word: &&str| errors.iter().any(|error| error.detail.contains(word));
    assert!(words.iter().all(is_said), "{words:?} in {diagnostics:?}");
}

/// Plans and applies; the failure of either.
async fn refused(core: &Core, instance: Option<&Instance>, config: Option<Json>) -> (Failure, Option<Instance>) {
    let plan = match config {
        Some(config) => core.plan(DESTINATION, instance, config).await,
        None => core.plan_destroy(instance.unwrap()).await,
    };
    match plan {
        Err(failure) => (failure, instance.cloned()),
        Ok(plan) => {
            let outcome = core.apply(&plan).await;
            let left = outcome.instance.clone();
            (outcome.success().unwrap_err(), left)
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_in_the_place_of_the_folder_refuses_everything_before_the_first_write() {
    let room = Room::new();
    fs::write(room.path("west/manifests"), "in the way").unwrap();
    let before = room.files();
    let (failure, left) = refused(&room.core().await, None, Some(destination())).await;
    check_told(&failure.diagnostics, &["west", "is not a folder"]);
    assert_eq!((left, room.files()), (None, before));

    let (room, instance) = created().await;
    fs::rename(room.path("west/manifests"), room.path("west/aside")).unwrap();
    fs::write(room.path("west/manifests"), "in the way").unwrap();
    let before = room.files();
    for config in [Some(changed()), None] {
        let core = room.core().await;
        check_told(&core.refresh(&instance).await.unwrap_err().diagnostics, &["west", "is not a folder"]);
        let (failure, left) = refused(&core, Some(&instance), config.clone()).await;
        check_told(&failure.diagnostics, &["west", "is not a folder"]);
        assert_eq!(left.as_ref().map(text), Some(text(&instance)), "the state is kept");
        assert_eq!(room.files(), before, "nothing is written anywhere");
    }
    fs::remove_file(room.path("west/manifests")).unwrap();
    fs::rename(room.path("west/aside"), room.path("west/manifests")).unwrap();
    let core = room.core().await;
    let plan = core.plan(DESTINATION, Some(&core.refresh(&instance).await.unwrap().unwrap()), destination()).await.unwrap();
    assert_eq!(plan.action, Action::NoOp, "healed, and nothing to do");
    // the refused change is not mistaken for one that has happened
    let plan = core.plan(DESTINATION, Some(&instance), changed()).await.unwrap();
    fs::rename(room.path("west"), room.path("elsewhere")).unwrap();
    let kept = core.apply(&plan).await.instance.unwrap();
    fs::rename(room.path("elsewhere"), room.path("west")).unwrap();
    assert_eq!(core.plan(DESTINATION, Some(&kept), changed()).await.unwrap().action, Action::Update);
}

#[tokio::test(start_paused = true)]
async fn a_missing_folder_fails_the_refresh_and_keeps_the_state() {
    let (room, instance) = created().await;
    fs::rename(room.path("west"), room.path("elsewhere")).unwrap();
    let failure = room.core().await.refresh(&instance).await.unwrap_err();
    check_told(&failure.diagnostics, &["west", "directory = "]);
    assert!(!room.path("west").exists(), "the folder of a cluster is never created");
    fs::rename(room.path("elsewhere"), room.path("west")).unwrap();
    assert_eq!(room.core().await.refresh(&instance).await.unwrap().unwrap(), instance);
}

#[tokio::test(start_paused = true)]
async fn a_missing_folder_is_a_warning_where_that_is_wanted() {
    let (room, instance) = created().await;
    fs::rename(room.path("west"), room.path("elsewhere")).unwrap();
    let core = room.core_with(Gloo::new(), |block| block["plan"] = json!({ "unreachable": "warn" })).await;
    let seen = core.refresh(&instance).await.unwrap().unwrap();
    assert_eq!(seen, instance, "what was last known is kept");
    let plan = core.plan(DESTINATION, Some(&seen), destination()).await.unwrap();
    assert_eq!(plan.action, Action::NoOp);
    // a change needs all clusters
    let (failure, left) = refused(&core, Some(&seen), Some(changed())).await;
    check_told(&failure.diagnostics, &["west"]);
    assert_eq!(left, Some(instance));
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_vanishes_after_the_plan_stops_the_apply_before_the_first_write() {
    for config in [Some(changed()), None] {
        let (room, instance) = created().await;
        let core = room.core().await;
        let plan = match &config {
            Some(config) => core.plan(DESTINATION, Some(&instance), config.clone()).await.unwrap(),
            None => core.plan_destroy(&instance).await.unwrap(),
        };
        fs::rename(room.path("west"), room.path("elsewhere")).unwrap();
        let before = room.files();
        let outcome = core.apply(&plan).await;
        check_told(&outcome.diagnostics, &["west", "cannot be opened"]);
        assert_eq!(outcome.instance.as_ref(), Some(&instance));
        assert_eq!(room.files(), before, "nothing is written anywhere");
        fs::rename(room.path("elsewhere"), room.path("west")).unwrap();
        let core = room.core().await;
        match config {
            Some(config) => drop(core.converge(DESTINATION, outcome.instance.as_ref(), config).await.unwrap()),
            None => assert_eq!(core.destroy(&instance).await.success().unwrap(), None),
        }
    }
}

fn without_west() -> Json {
    let mut mesh = mesh();
    mesh["clusters"].as_object_mut().unwrap().remove("west");
    let config = set(destination(), "/virtual_mesh", mesh);
    set(config, "/backends", json!([crate::support::backend("east")]))
}

fn remove_west(block: &mut Json) {
    block["clusters"].as_object_mut().unwrap().remove("west");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_left_the_provider_block_is_an_error_until_it_is_decommissioned() {
    let (room, instance) = created().await;
    fs::remove_dir_all(room.path("west")).unwrap();
    let core = room.core_with(Gloo::new(), remove_west).await;
    let failure = core.refresh(&instance).await.unwrap_err();
    check_told(&failure.diagnostics, &["west", "WorkloadEntry", "decommissioned_clusters = [\"west\"]"]);
    let (failure, left) = refused(&core, Some(&instance), Some(without_west())).await;
    check_told(&failure.diagnostics, &["decommissioned_clusters = [\"west\"]"]);
    assert_eq!(left.as_ref().map(text), Some(text(&instance)));
    let (failure, left) = refused(&core, Some(&instance), None).await;
    check_told(&failure.diagnostics, &["decommissioned_clusters = [\"west\"]"]);
    assert_eq!(left.as_ref().map(text), Some(text(&instance)));

    let decommissioned = |block: &mut Json| {
        remove_west(block);
        block["decommissioned_clusters"] = json!(["west"]);
    };
    let core = room.core_with(Gloo::new(), decommissioned).await;
    let plan = core.plan(DESTINATION, Some(&instance), without_west()).await.unwrap();
    check_warned(&plan.diagnostics);
    let without = core.converge(DESTINATION, Some(&instance), without_west()).await.unwrap();
    assert_eq!(without.state["applied"].as_object().unwrap().keys().collect::<Vec<_>>(), ["east", "north"]);
    // west is forgotten for good: the next run needs it neither in the block nor in the list
    let core = room.core_with(Gloo::new(), remove_west).await;
    assert_eq!(core.refresh(&without).await.unwrap().unwrap(), without);
    assert_eq!(core.destroy(&without).await.success().unwrap(), None);
    assert_eq!(room.objects().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_destroy_forgets_what_a_decommissioned_cluster_holds() {
    let (room, instance) = created().await;
    fs::remove_dir_all(room.path("west")).unwrap();
    let core = room.core_with(Gloo::new(), |block| block["decommissioned_clusters"] = json!(["west"])).await;
    let seen = core.refresh(&instance).await.unwrap().unwrap();
    check_warned(&core.plan_destroy(&seen).await.unwrap().diagnostics);
    assert_eq!(core.destroy(&seen).await.success().unwrap(), None);
    assert_eq!(room.objects().len(), 0);
}

/// The configuration still names the cluster, as when only a destroy is wanted: nothing is refused before something changes.
#[tokio::test(start_paused = true)]
async fn a_decommissioned_cluster_that_is_still_configured_is_in_nobodys_way_but_a_changes() {
    let (room, instance) = created().await;
    fs::remove_dir_all(room.path("west")).unwrap();
    let core = room.core_with(Gloo::new(), |block| block["decommissioned_clusters"] = json!(["west"])).await;
    let seen = core.refresh(&instance).await.unwrap().unwrap();
    assert_eq!(seen, instance);
    let plan = core.plan(DESTINATION, Some(&seen), destination()).await.unwrap();
    assert_eq!(plan.action, Action::NoOp);
    let told: Vec<_> = plan.diagnostics.iter().map(|d| (d.summary.as_str(), d.detail.contains("a destroy forgets it"))).collect();
    assert_eq!(told, [("Cluster left out (GM5008)", true)]);
    let changed = set(destination(), "/timeout", json!("7s"));
    let failure = core.plan(DESTINATION, Some(&seen), changed).await.unwrap_err();
    check_told(&failure.diagnostics, &["west", "decommissioned_clusters"]);
}

/// The plan says what is forgotten in west.
fn check_warned(diagnostics: &Diagnostics) {
    let is_it =
        |d: &tf_value::Diagnostic| d.summary == "Objects forgotten (GM5009)" && d.detail.contains("cluster west leave the state");
    assert_eq!(diagnostics.iter().filter(|d| is_it(d)).count(), 1, "{diagnostics:?}");
}

/// Deletions that a failed update could not do stay known, also when their cluster leaves the provider block.
#[tokio::test(start_paused = true)]
async fn pending_deletions_in_a_cluster_that_left_are_not_forgotten() {
    use kube_apply::breakage::{Act, Break, Breaker, Moment};

    let (room, instance) = created().await;
    // the run that takes west out of the mesh fails at its last deletion there, and nowhere else
    let count = Breaker::simulated(Vec::new());
    let twin = room.copy();
    twin.broken_core(&count).await.converge(DESTINATION, Some(&instance), without_west()).await.unwrap();
    let breaker = Breaker::simulated(vec![Break { act: Act::Refuse, moment: Moment::Before, write: count.writes() }]);
    let core = room.broken_core(&breaker).await;
    let plan = core.plan(DESTINATION, Some(&instance), without_west()).await.unwrap();
    let outcome = core.apply(&plan).await;
    assert!(outcome.diagnostics.has_errors());
    let instance = outcome.instance.unwrap();
    let pending: Vec<&String> = instance.state["drift"].as_object().unwrap().keys().collect();
    assert!(!pending.is_empty() && pending.iter().all(|object| object.starts_with("west/")), "{pending:?}");
    assert!(!instance.state["applied"].as_object().unwrap().contains_key("west"));

    // without a refresh the state alone knows what is left to do
    let plan = room.core().await.plan(DESTINATION, Some(&instance), without_west()).await.unwrap();
    assert_eq!(plan.action, Action::Update);

    let failure = room.core_with(Gloo::new(), remove_west).await.refresh(&instance).await.unwrap_err();
    check_told(&failure.diagnostics, &["west", "decommissioned_clusters = [\"west\"]"]);
    // nor does an unknown connection make anybody forget
    let core = room.core_with(Gloo::new(), |block| block["clusters"]["west"]["directory"] = tf_server::testing::unknown()).await;
    assert_eq!(core.refresh(&instance).await.unwrap().unwrap(), instance);

    assert_eq!(room.core().await.apply(&plan).await.success().unwrap().unwrap().state["drift"], json!({}));
    assert_eq!(room.files(), twin.files());
}

#[tokio::test(start_paused = true)]
async fn a_damaged_file_is_named_left_alone_and_written_anew_once_it_is_gone() {
    for (text, words) in
        [("kind: [never closed", "cannot be read"), ("kind: Sidecar\napiVersion: v1\nmetadata:\n  name: x\n", "holds the object")]
    {
        let (room, instance) = created().await;
        let core = room.core().await;
        let change = core.plan(DESTINATION, Some(&instance), changed()).await.unwrap();
        let destroy = core.plan_destroy(&instance).await.unwrap();
        fs::write(room.path("east").join(RULE), text).unwrap();
        let before = room.files();
        let failure = room.core().await.refresh(&instance).await.unwrap_err();
        check_told(&failure.diagnostics, &[RULE, words]);
        // the rule itself is not among what the change writes; a destroy meets it
        let outcome = core.apply(&destroy).await;
        check_told(&outcome.diagnostics, &[RULE]);
        assert_eq!(outcome.instance.as_ref(), Some(&instance));
        assert_eq!(room.files(), before, "nothing is written anywhere");
        fs::remove_file(room.path("east").join(RULE)).unwrap();
        let core = room.core().await;
        let repaired = core.converge(DESTINATION, Some(&instance), destination()).await.unwrap();
        assert_eq!(repaired.state, instance.state);
        drop(change);
    }
}

#[tokio::test(start_paused = true)]
async fn all_objects_gone_is_a_resource_gone_unless_something_is_left_over() {
    let (room, instance) = created().await;
    // a run that moves to another host, killed before it could delete: both hosts are there …
    let moved = room.copy();
    let end = moved
        .core()
        .await
        .converge(DESTINATION, Some(&instance), set(destination(), "/hostname", json!("r.example.internal")))
        .await
        .unwrap();
    // … or only the new one, in a state that names the old one
    let seen = moved.core().await.refresh(&instance).await.unwrap().expect("what is left over is not forgotten");
    assert!(seen.state["drift"].as_object().unwrap().keys().any(|object| object.contains("r.example.internal")));
    assert_eq!(moved.core().await.destroy(&seen).await.success().unwrap(), None);
    assert_eq!(moved.files().len(), 0);
    drop(end);

    for cluster in super::rig::CLUSTERS {
        fs::remove_dir_all(room.path(cluster).join("manifests")).unwrap();
    }
    assert_eq!(room.core().await.refresh(&instance).await.unwrap(), None);
}
