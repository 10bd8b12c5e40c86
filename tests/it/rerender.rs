//! Objects of an unchanged intent stay as they were written.

use serde_json::{Value as Json, json};
use tf_server::testing::{Action, Instance, unknown};

use crate::support::{DESTINATION, World, destination, set};

const KEY: &str = "*/VirtualService/bookinfo/vd-reviews.mesh.internal";

/// The instance as a version that renders the VirtualService with 2 attempts would have left it.
async fn by_another_version(world: &World) -> Instance {
    let two = set(destination(), "/retries", json!({ "attempts": 2 }));
    let mut other = world.create(DESTINATION, two).await;
    let ours = World::new().await.create(DESTINATION, destination()).await;
    other.state["retries"] = serde_json::Value::Null;
    // what it was rendered from, and still the same instance
    let [mut notes, ours]: [Json; 2] = [&other.private, &ours.private].map(|bytes| serde_json::from_slice(bytes).unwrap());
    notes["inputs"] = ours["inputs"].clone();
    other.private = notes.to_string().into_bytes();
    other
}

#[tokio::test]
async fn a_newer_version_keeps_them_with_a_warning() {
    let world = World::new().await;
    let instance = by_another_version(&world).await;
    let seen = world.core.refresh(&instance).await.unwrap().unwrap();
    let plan = world.core.plan(DESTINATION, Some(&seen), destination()).await.unwrap();
    assert_eq!(plan.action, Action::NoOp);
    assert_eq!(
        plan.diagnostics.iter().map(|d| d.summary.as_str()).collect::<Vec<_>>(),
        ["Objects rendered by another version are kept"]
    );
}

#[tokio::test]
async fn they_are_rendered_anew_when_asked_or_when_anything_changes() {
    let world = World::new().await;
    let instance = by_another_version(&world).await;
    let always = world.beside(|block| block["rerender"] = json!("always")).await;
    let plan = always.plan(DESTINATION, Some(&instance), destination()).await.unwrap();
    assert_eq!(plan.action, Action::Update);
    assert!(plan.planned.get("manifests").get(KEY).as_str().unwrap().contains("\"attempts\":3"));
    let changed = set(destination(), "/timeout", json!("9s"));
    let plan = world.core.plan(DESTINATION, Some(&instance), changed).await.unwrap();
    assert!(plan.planned.get("manifests").get(KEY).as_str().unwrap().contains("\"attempts\":3"));
    let labelled = world.beside(|block| block["default_labels"] = json!({ "a": "b" })).await;
    let plan = labelled.plan(DESTINATION, Some(&instance), destination()).await.unwrap();
    assert!(plan.planned.get("manifests").get(KEY).as_str().unwrap().contains("\"attempts\":3"));
}

#[tokio::test]
async fn while_a_change_is_not_known_neither_are_objects_that_would_be_rendered_differently() {
    let world = World::new().await;
    let instance = by_another_version(&world).await;
    let before = set(destination(), "/virtual_mesh/clusters/west/gateways/0/addresses/0", unknown());
    let plan = world.core.plan(DESTINATION, Some(&instance), before).await.unwrap();
    assert!(plan.planned.get("manifests").get(KEY).is_unknown(), "it stays if the address turns out to be the same");
    assert!(plan.planned.get("manifests").get("*/DestinationRule/bookinfo/vd-reviews.mesh.internal").as_str().is_some());
    let same = world.core.apply_with(&plan, destination()).await.success().unwrap().unwrap();
    assert!(same.state["manifests"][KEY].as_str().unwrap().contains("\"attempts\":2"));
}
