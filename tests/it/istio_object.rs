//! `gloo_istio_object`.

use std::fs;

use serde_json::{Value as Json, json};
use tf_server::testing::{Action, unknown};

use crate::support::{World, set};

const OBJECT: &str = "gloo_istio_object";

fn config() -> Json {
    json!({
        "clusters": ["east", "west"],
        "manifest": {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": { "name": "reviews", "namespace": "bookinfo", "labels": { "team": "blue" } },
            "spec": { "hosts": ["reviews"], "http": [{ "route": [{ "destination": { "host": "reviews" }, "weight": 100 }] }] },
        },
    })
}

#[tokio::test]
async fn it_lives_in_several_clusters() {
    let world = World::new().await;
    let instance = world.create(OBJECT, config()).await;
    assert_eq!(instance.state["id"], "VirtualService/bookinfo/reviews");
    assert_eq!(
        instance.state["manifests"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["*/VirtualService/bookinfo/reviews"]
    );
    let grown = world.core.converge(OBJECT, Some(&instance), set(config(), "/clusters", json!(["east", "north"]))).await.unwrap();
    assert_eq!(
        world.files(),
        ["east/manifests/bookinfo/VirtualService-reviews.yaml", "north/manifests/bookinfo/VirtualService-reviews.yaml",]
    );
    assert_eq!(world.core.destroy(&grown).await.success().unwrap(), None);
    assert_eq!(world.files(), Vec::<String>::new());
}

#[tokio::test]
async fn another_name_replaces_and_another_spec_updates() {
    let world = World::new().await;
    let instance = world.create(OBJECT, config()).await;
    let plan = world.core.plan(OBJECT, Some(&instance), set(config(), "/manifest/metadata/name", json!("other"))).await.unwrap();
    assert_eq!(plan.action, Action::Replace);
    let plan = world.core.plan(OBJECT, Some(&instance), set(config(), "/manifest/spec/hosts", json!(["a", "b"]))).await.unwrap();
    assert_eq!(plan.action, Action::Update);
}

#[tokio::test]
async fn unknown_values_hide_the_object_and_unknown_names_everything() {
    let world = World::new().await;
    let plan = world.core.plan(OBJECT, None, set(config(), "/manifest/spec/hosts", json!([unknown()]))).await.unwrap();
    assert!(plan.planned.get("manifests").get("*/VirtualService/bookinfo/reviews").is_unknown());
    world.core.apply_with(&plan, config()).await.success().unwrap();
    for pointer in ["/manifest/metadata/name", "/manifest/kind", "/manifest/metadata/labels/team", "/manifest", "/clusters"] {
        let world = World::new().await;
        let plan =
            world.core.plan(OBJECT, None, set(config(), pointer, unknown())).await.unwrap_or_else(|f| panic!("{pointer}: {f}"));
        assert!(plan.planned.get("manifests").is_unknown(), "{pointer}");
        world.core.apply_with(&plan, config()).await.success().unwrap_or_else(|f| panic!("{pointer}: {f}"));
    }
}

#[tokio::test]
async fn import_restores_manifest_and_clusters() {
    let world = World::new().await;
    let instance = world.create(OBJECT, config()).await;
    let core = world.beside(|_| {}).await;
    let imported = core.import(OBJECT, "VirtualService/bookinfo/reviews").await.unwrap().remove(0);
    assert_eq!(imported.state, instance.state);
    assert!(core.import(OBJECT, "VirtualService/bookinfo/none").await.unwrap_err().says("Nothing to import"));
}

#[tokio::test]
async fn an_object_that_is_not_ours_is_not_taken() {
    let world = World::new().await;
    fs::create_dir_all(world.path("east/manifests/bookinfo")).unwrap();
    let theirs = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: reviews, namespace: bookinfo}\nspec: {hosts: [theirs]}\n";
    fs::write(world.file("east", "bookinfo/VirtualService-reviews"), theirs).unwrap();
    let failure = match world.core.plan(OBJECT, None, config()).await {
        Ok(plan) => world.core.apply(&plan).await.success().unwrap_err(),
        Err(failure) => failure,
    };
    assert!(failure.violations.is_empty(), "{failure}");
    assert_eq!(fs::read_to_string(world.file("east", "bookinfo/VirtualService-reviews")).unwrap(), theirs);
    assert_eq!(world.files(), ["east/manifests/bookinfo/VirtualService-reviews.yaml"], "nothing is written anywhere");
}

#[tokio::test]
async fn what_is_no_object_of_a_mesh_is_refused() {
    let world = World::new().await;
    for (pointer, value) in [
        ("/manifest", json!("text")),
        ("/manifest", json!({})),
        ("/manifest/kind", json!(7)),
        ("/manifest/kind", json!("virtualService")),
        ("/manifest/kind", json!("Virtual Service")),
        ("/manifest/kind", json!("../../VirtualService")),
        ("/manifest/apiVersion", json!("v1")),
        ("/manifest/metadata/name", json!("No Name")),
        ("/manifest/metadata/uid", json!("0")),
        ("/manifest/metadata/labels", json!({ "gloo-terraform/owner": "x" })),
        ("/manifest/metadata/labels", json!({ "n": 1 })),
        ("/manifest/status", json!({ "ok": true })),
        ("/clusters", json!([])),
        ("/clusters", json!(["Mars"])),
    ] {
        let failure = world.core.plan(OBJECT, None, set(config(), pointer, value.clone())).await.unwrap_err();
        assert!(failure.violations.is_empty() && failure.diagnostics.has_errors(), "{pointer} = {value}: {failure}");
    }
}

#[tokio::test]
async fn an_unknown_label_does_not_replace_the_object() {
    let world = World::new().await;
    let instance = world.create(OBJECT, config()).await;
    for pointer in ["/manifest/metadata/labels/team", "/manifest/metadata/labels", "/manifest/spec/hosts"] {
        let plan = world.core.plan(OBJECT, Some(&instance), set(config(), pointer, unknown())).await.unwrap();
        assert_eq!(plan.action, Action::Update, "{pointer}");
        assert_eq!(plan.planned.get("id"), plan.prior.get("id"), "{pointer}");
        world.core.apply_with(&plan, config()).await.success().unwrap_or_else(|failure| panic!("{pointer}: {failure}"));
    }
}
