//! Subsets of `gloo_virtual_destination` from one apply to the next.

use serde_json::{Value as Json, json};

use crate::support::{DESTINATION, World, backend, destination, set};

fn split(weights: &[(&str, u32)]) -> Json {
    let subsets =
        weights.iter().map(|(name, weight)| ((*name).to_owned(), json!({ "labels": { "version": *name }, "weight": weight })));
    set(destination(), "/subsets", Json::Object(subsets.collect()))
}

#[tokio::test]
async fn a_swap_is_refused_and_goes_by_the_step_that_is_shown() {
    let world = World::new().await;
    let mut instance = world.create(DESTINATION, split(&[("v1", 90), ("v2", 10)])).await;
    let goal = split(&[("v1", 90), ("v3", 10)]);
    let refused = world.core.plan(DESTINATION, Some(&instance), goal.clone()).await.unwrap_err();
    assert!(refused.says("Subsets come and go at once (GM4023)"), "{refused}");
    for line in [
        "\"v1\" = { labels = { \"version\" = \"v1\" }, weight = 90 }",
        "\"v3\" = { labels = { \"version\" = \"v3\" }, weight = 0 }",
    ] {
        assert!(format!("{refused}").contains(line), "{refused}");
    }
    for config in [split(&[("v1", 90), ("v2", 10), ("v3", 0)]), goal] {
        let plan = world.core.plan(DESTINATION, Some(&instance), config).await.unwrap();
        instance = world.core.apply(&plan).await.success().unwrap().unwrap();
    }
    // without calls before, or after, one may take the place of another
    for config in [split(&[("v1", 100), ("v3", 0)]), split(&[("v1", 90), ("v2", 10)]), destination(), split(&[("v3", 100)])] {
        let plan = world.core.plan(DESTINATION, Some(&instance), config).await.unwrap();
        instance = world.core.apply(&plan).await.success().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_subset_that_comes_to_all_that_a_client_reaches_comes_without_calls() {
    let world = World::new().await;
    let of = |weights: &[(&str, u32)], in_west: &[&str]| {
        let config = set(set(split(weights), "/clients", json!(["north"])), "/backends/1/subsets", json!(in_west));
        set(config, "/failover", json!({ "order": ["west"], "only": true }))
    };
    let mut instance = world.create(DESTINATION, of(&[("v1", 0), ("v2", 100)], &["v2"])).await;
    let goal = of(&[("v1", 100)], &["v1"]);
    let refused = world.core.plan(DESTINATION, Some(&instance), goal.clone()).await.unwrap_err();
    assert!(refused.says("Subsets come and go at once (GM4023)"), "{refused}");
    for config in [of(&[("v1", 0), ("v2", 100)], &["v1", "v2"]), goal] {
        let plan = world.core.plan(DESTINATION, Some(&instance), config).await.unwrap();
        instance = world.core.apply(&plan).await.success().unwrap().unwrap();
    }
}

#[tokio::test]
async fn other_labels_are_another_subset() {
    let world = World::new().await;
    let instance = world.create(DESTINATION, split(&[("v1", 90), ("v2", 10)])).await;
    let relabelled = set(split(&[("v1", 90), ("v2", 10)]), "/subsets/v2/labels/version", json!("v2-1"));
    let refused = world.core.plan(DESTINATION, Some(&instance), relabelled).await.unwrap_err();
    assert!(refused.says("Subsets come and go at once (GM4023)"), "{refused}");
    assert!(format!("{refused}").contains("Give the new labels a name of their own"), "{refused}");
}

#[tokio::test]
async fn other_pods_behind_subsets_are_refused() {
    let world = World::new().await;
    let subsets = split(&[("v1", 90), ("v2", 10)]);
    let instance = world.create(DESTINATION, subsets.clone()).await;
    let renamed = |config: Json| set(config, "/backends/0/canonical_name", json!("another"));
    let refused = world.core.plan(DESTINATION, Some(&instance), renamed(subsets)).await.unwrap_err();
    assert!(refused.says("Pods of subsets change (GM4024)"), "{refused}");
    assert!(world.core.plan(DESTINATION, Some(&instance), renamed(destination())).await.is_err(), "when subsets go, too");
    let plan = world.core.plan(DESTINATION, Some(&instance), destination()).await.unwrap();
    let instance = world.core.apply(&plan).await.success().unwrap().unwrap();
    world.core.plan(DESTINATION, Some(&instance), renamed(destination())).await.unwrap();
}

#[tokio::test]
async fn a_cluster_begins_and_ends_to_serve_subsets() {
    let world = World::new().await;
    let subsets = split(&[("v1", 90), ("v2", 10)]);
    let mut instance = world.create(DESTINATION, subsets.clone()).await;
    let clusters =
        |names: &[&str]| set(subsets.clone(), "/backends", Json::Array(names.iter().map(|cluster| backend(cluster)).collect()));
    // north has called until now
    for names in [&["east", "west", "north"][..], &["west", "north"], &["east", "west"]] {
        let plan = world.core.plan(DESTINATION, Some(&instance), clusters(names)).await.unwrap();
        instance = world.core.apply(&plan).await.success().unwrap().unwrap();
    }
}

#[tokio::test]
async fn protection_sees_the_backends_of_subsets() {
    let world = World::new().await;
    let base = set(split(&[("v1", 100)]), "/deletion_protection", json!(true));
    let instance = world.create(DESTINATION, base.clone()).await;
    let swapped = set(base, "/backends", json!([backend("north")]));
    let refused = world.core.plan(DESTINATION, Some(&instance), swapped).await.unwrap_err();
    assert!(refused.says("Deletion protection is on (GM4015)"), "{refused}");
}
