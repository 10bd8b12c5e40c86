//! `gloo_objects`: what is ours in the clusters, whoever knows it.

use std::fs;

use serde_json::{Value as Json, json};
use tf_server::testing::unknown;

use crate::support::{DESTINATION, World, destination, object, set};

async fn objects(world: &World, config: Json) -> Json {
    let (found, diagnostics) = world.core.read_data("gloo_objects", config).await.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    found.to_json_untyped().unwrap()
}

fn each<'a>(found: &'a Json, member: &str) -> Vec<&'a Json> {
    found["objects"].as_array().unwrap().iter().map(|object| &object[member]).collect()
}

#[tokio::test]
async fn all_that_is_ours_is_there_with_the_resource_that_wrote_it() {
    let world = World::new().await;
    let empty = objects(&world, json!({})).await;
    assert_eq!((&empty["objects"], &empty["observed"]["objects"]), (&json!([]), &json!({})));

    let created = world.create(DESTINATION, destination()).await;
    let found = objects(&world, json!({ "show_manifests": true })).await;
    assert_eq!(found["id"], "test/it");
    let mut planned = created.state["manifests"].as_object().unwrap().clone();
    planned.retain(|key, _| !key.starts_with('*'));
    for (key, json) in &planned {
        let position = each(&found, "key").iter().position(|found| *found == key).unwrap_or_else(|| panic!("no {key}"));
        assert_eq!(each(&found, "manifest")[position], json, "what is there is what was planned");
    }
    assert!(each(&found, "resource_type").iter().all(|of| **of == DESTINATION));
    assert!(each(&found, "resource_id").iter().all(|of| **of == "bookinfo/reviews"));
    assert!(each(&found, "claim").iter().all(|of| **of == "test/it//gloo_virtual_destination/bookinfo/reviews"));
    assert_eq!(found["observed"]["incomplete"], json!([]));
    let counted: u64 = found["observed"]["objects"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(counted, found["objects"].as_array().unwrap().len() as u64);

    // the state is lost: another provider with the owner still sees it
    let leftovers = world.beside(|_| {}).await.read_data("gloo_objects", json!({})).await.unwrap().0.to_json_untyped().unwrap();
    assert_eq!(each(&leftovers, "key"), each(&found, "key"));
    assert!(each(&leftovers, "manifest").iter().all(|manifest| manifest.is_null()));
    let others = world.beside(|block| block["owner"] = json!("test/other")).await;
    assert_eq!(others.read_data("gloo_objects", json!({})).await.unwrap().0.get("objects").as_elements(), Some(&[][..]));
}

#[tokio::test]
async fn clusters_namespaces_and_labels_narrow_it() {
    let world = World::new().await;
    world.create(DESTINATION, destination()).await;
    let labelled = set(object(), "/manifest/metadata/labels", json!({ "team": "a" }));
    world.create("gloo_istio_object", set(labelled, "/manifest/metadata/namespace", json!("shop"))).await;
    let asked = json!({ "clusters": ["east", "north"], "namespaces": ["shop"], "selector": { "team": "a" } });
    let found = objects(&world, asked).await;
    assert_eq!(each(&found, "key"), ["east/VirtualService/shop/reviews"]);
    assert_eq!(each(&found, "resource_id"), ["VirtualService/shop/reviews"]);
    assert_eq!(found["observed"]["objects"], json!({ "east": 1 }));
    for (nothing, pointer) in
        [(json!(["north"]), "/clusters"), (json!(["sh"]), "/namespaces"), (json!({ "team": "b" }), "/selector")]
    {
        let config = set(json!({ "namespaces": ["shop"] }), pointer, nothing);
        assert_eq!(objects(&world, config).await["objects"], json!([]), "{pointer}");
    }
}

/// Drift of an object is of its resource; the digest only tells that two clusters differ.
#[tokio::test]
async fn what_others_changed_is_shown_as_it_is() {
    let world = World::new().await;
    world.create("gloo_istio_object", object()).await;
    let before = objects(&world, json!({})).await;
    assert_eq!(each(&before, "digest")[0], each(&before, "digest")[1]);
    world.edit("west", "bookinfo/VirtualService-reviews", "- reviews", "- ratings");
    let changed = world.beside(|_| {}).await.read_data("gloo_objects", json!({ "show_manifests": true })).await.unwrap().0;
    let changed = changed.to_json_untyped().unwrap();
    assert_ne!(each(&changed, "digest")[0], each(&changed, "digest")[1]);
    assert!(each(&changed, "manifest")[1].as_str().unwrap().contains("ratings"));
    // a claim that nobody can read, and one of a resource that this version does not have
    world.edit("west", "bookinfo/VirtualService-reviews", "test/it//gloo_istio_object/", "test/it//gloo_other/");
    world.edit("east", "bookinfo/VirtualService-reviews", "test/it//gloo_istio_object/", "");
    let odd = world.beside(|_| {}).await.read_data("gloo_objects", json!({})).await.unwrap().0.to_json_untyped().unwrap();
    assert_eq!(each(&odd, "resource_type"), [&Json::Null, &Json::Null]);
    assert!(each(&odd, "claim")[0].is_null() && each(&odd, "claim")[1].as_str().unwrap().contains("gloo_other"), "{odd}");
}

#[tokio::test]
async fn a_create_that_did_not_end_is_told() {
    let world = World::new().await;
    world.create("gloo_istio_object", object()).await;
    let marked = world.file("west", "bookinfo/VirtualService-reviews");
    let text = fs::read_to_string(&marked).unwrap();
    let without: Vec<&str> = text.lines().filter(|line| !line.contains("state.gloo-terraform/complete")).collect();
    assert_ne!(without.len(), text.lines().count(), "{text}");
    fs::write(&marked, without.join("\n")).unwrap();
    let found = world.beside(|_| {}).await.read_data("gloo_objects", json!({})).await.unwrap().0.to_json_untyped().unwrap();
    assert_eq!(
        found["observed"]["incomplete"],
        json!(["east/VirtualService/bookinfo/reviews", "west/VirtualService/bookinfo/reviews"])
    );
}

#[tokio::test]
async fn a_cluster_that_says_nothing_is_an_error() {
    let world = World::new().await;
    fs::remove_dir_all(world.path("west")).unwrap();
    let failure = world.core.read_data("gloo_objects", json!({})).await.unwrap_err();
    assert!(failure.to_string().contains("cluster west cannot be opened"), "{failure}");
    assert!(world.core.read_data("gloo_objects", json!({ "clusters": ["east"] })).await.is_ok());
    let unknown = World::with(|block| block["clusters"] = unknown()).await;
    let failure = unknown.core.read_data("gloo_objects", json!({})).await.unwrap_err();
    assert!(failure.says("Clusters are not known yet"), "{failure}");
    for (config, part) in [
        (json!({ "clusters": ["moon"] }), "no cluster moon"),
        (json!({ "clusters": ["Moon base"] }), "is no cluster name"),
        (json!({ "namespaces": ["a/b"] }), "is no namespace"),
        (json!({ "clusters": ["east", null] }), "An element of `clusters` is null"),
        (json!({ "namespaces": [null] }), "An element of `namespaces` is null"),
        (json!({ "selector": { "a": null } }), "Label without a value"),
    ] {
        let failure = world.core.read_data("gloo_objects", config).await.unwrap_err();
        assert!(failure.to_string().contains(part), "{failure}");
    }
}
