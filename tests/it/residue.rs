//! Labels and annotations that a failed update was to take off.

use std::fs;
use std::sync::Arc;

use kube_apply::breakage::{Act, Break, Breaker, Moment};
use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Action, Core, Instance};

use crate::support::{DESTINATION, World, destination, set};

const OBJECT: &str = "gloo_istio_object";
const NAME: &str = "bookinfo/VirtualService-reviews";

fn object(labels: Json, annotations: Json) -> Json {
    json!({
        "clusters": ["east"],
        "manifest": {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": { "name": "reviews", "namespace": "bookinfo", "labels": labels, "annotations": annotations },
            "spec": { "hosts": ["reviews"] },
        },
    })
}

/// A provider on the same folders that refuses its first write.
async fn refusing(world: &World) -> Core {
    let breaker = Breaker::simulated(vec![Break { act: Act::Refuse, moment: Moment::Before, write: 1 }]);
    let core = Core::new(Arc::new(Gloo::decorated(move |cluster| breaker.decorate(cluster)))).await;
    core.configure(world.provider_block()).await.unwrap();
    core
}

/// Plans and applies what the first write of is refused; what is left of the resource.
async fn fail(world: &World, instance: &Instance, goal: &Json) -> Instance {
    let core = refusing(world).await;
    let seen = core.refresh(instance).await.unwrap();
    let plan = core.plan(OBJECT, seen.as_ref(), goal.clone()).await.unwrap();
    let outcome = core.apply(&plan).await;
    assert!(outcome.diagnostics.has_errors() && outcome.violations.is_empty(), "{:?}", outcome.violations);
    outcome.instance.unwrap()
}

/// Refreshes, plans and applies; nothing is left to do after that.
async fn settle(world: &World, instance: &Instance, goal: &Json) -> Instance {
    let core = world.beside(|_| {}).await;
    let seen = core.refresh(instance).await.unwrap();
    let plan = core.plan(OBJECT, seen.as_ref(), goal.clone()).await.unwrap();
    assert_eq!(plan.action, Action::Update, "there is something left to do");
    let done = core.apply(&plan).await.success().unwrap().unwrap();
    let seen = core.refresh(&done).await.unwrap();
    assert_eq!(core.plan(OBJECT, seen.as_ref(), goal.clone()).await.unwrap().action, Action::NoOp);
    done
}

fn text(world: &World) -> String {
    fs::read_to_string(world.file("east", NAME)).unwrap()
}

async fn start() -> (World, Instance) {
    let world = World::new().await;
    let config = object(json!({ "team": "blue", "tier": "one" }), json!({ "note": "one" }));
    let instance = world.create(OBJECT, config).await;
    world.edit("east", NAME, "  labels:\n", "  labels:\n    theirs: label\n");
    (world, instance)
}

#[tokio::test]
async fn what_a_failed_update_was_to_take_off_goes_with_the_next_one() {
    for failures in [1, 2] {
        let (world, mut instance) = start().await;
        let goal = object(json!({ "tier": "one" }), json!({}));
        for _ in 0..failures {
            instance = fail(&world, &instance, &goal).await;
            assert!(text(&world).contains("team: blue") && text(&world).contains("note: one"));
        }
        let done = settle(&world, &instance, &goal).await;
        let text = text(&world);
        assert!(!text.contains("team: blue") && !text.contains("note: one"), "{failures}: {text}");
        assert!(text.contains("theirs: label") && text.contains("tier: one"), "{failures}: {text}");
        assert!(!String::from_utf8(done.private).unwrap().contains("team"), "it is forgotten once it is done");
    }
}

#[tokio::test]
async fn a_name_that_comes_back_stays_and_one_of_another_goal_goes() {
    let (world, instance) = start().await;
    let instance = fail(&world, &instance, &object(json!({ "tier": "one" }), json!({}))).await;
    let instance = fail(&world, &instance, &object(json!({}), json!({ "other": "two" }))).await;
    settle(&world, &instance, &object(json!({ "team": "blue" }), json!({}))).await;
    let text = text(&world);
    assert!(text.contains("team: blue") && text.contains("theirs: label"), "{text}");
    assert!(!text.contains("tier: one") && !text.contains("note: one") && !text.contains("other: two"), "{text}");
}

#[tokio::test]
async fn an_object_that_was_to_go_and_comes_back_has_no_names_of_before() {
    let (world, instance) = start().await;
    let away = set(object(json!({}), json!({})), "/clusters", json!(["west"]));
    let core = {
        let breaker = Breaker::simulated(vec![Break { act: Act::Refuse, moment: Moment::Before, write: 2 }]);
        let core = Core::new(Arc::new(Gloo::decorated(move |cluster| breaker.decorate(cluster)))).await;
        core.configure(world.provider_block()).await.unwrap();
        core
    };
    let plan = core.plan(OBJECT, Some(&instance), away).await.unwrap();
    let outcome = core.apply(&plan).await;
    assert!(outcome.diagnostics.has_errors());
    assert!(text(&world).contains("team: blue"), "the deletion failed");
    settle(&world, &outcome.instance.unwrap(), &object(json!({}), json!({}))).await;
    let text = text(&world);
    assert!(!text.contains("team: blue") && !text.contains("note: one"), "{text}");
    assert!(text.contains("theirs: label"), "{text}");
}

/// What is missing is a note on the object that holds notes; in one cluster somebody else has that object.
#[tokio::test]
async fn a_cluster_whose_host_is_anothers_stays_in_a_state_that_lacks_a_note() {
    let world = World::new().await;
    let created = world.create(DESTINATION, destination()).await;
    let claim = "//gloo_virtual_destination/bookinfo/reviews";
    let host = "bookinfo/ServiceEntry-vd-reviews.mesh.internal";
    world.edit("north", host, &format!("test/it{claim}"), &format!("team/other{claim}"));
    // the objects stay as they are, the stored intent does not
    let goal = set(destination(), "/connect_timeout", json!("1s"));
    let core = refusing(&world).await;
    let seen = core.refresh(&created).await.unwrap();
    let plan = core.plan(DESTINATION, seen.as_ref(), goal.clone()).await.unwrap();
    let failed = core.apply(&plan).await;
    assert!(failed.diagnostics.has_errors() && failed.violations.is_empty(), "{:?}", failed.violations);
    let failed = failed.instance.unwrap();
    assert_eq!(failed.state["manifests"], created.state["manifests"]);
    let clusters = |state: &Json| state["applied"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(clusters(&failed.state), clusters(&created.state));
    assert_eq!(failed.state["drift"], seen.unwrap().state["drift"], "what somebody else has is his");

    // the note is still to be written, and then all is as it was
    world.edit("north", host, &format!("team/other{claim}"), &format!("test/it{claim}"));
    let core = world.beside(|_| {}).await;
    let seen = core.refresh(&failed).await.unwrap();
    let plan = core.plan(DESTINATION, seen.as_ref(), goal.clone()).await.unwrap();
    assert_eq!(plan.action, Action::Update);
    let done = core.apply(&plan).await.success().unwrap().unwrap();
    assert_eq!(done.state["applied"], created.state["applied"]);
}
