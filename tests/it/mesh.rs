//! `gloo_virtual_mesh`.

use serde_json::json;
use tf_server::testing::{Action, unknown};

use crate::support::{DESTINATION, World, destination, mesh, set};

const MESH: &str = "gloo_virtual_mesh";

#[tokio::test]
async fn it_writes_nothing_and_hands_on_its_facts() {
    let world = World::new().await;
    let instance = world.create(MESH, mesh()).await;
    assert_eq!(instance.state["mesh"]["clusters"], instance.state["clusters"]);
    assert_eq!(instance.state["mesh"]["hostname_suffix"], "mesh.internal");
    assert_eq!(instance.state["manifests"], json!({}));
    assert_eq!(world.files(), Vec::<String>::new());
    assert_eq!(world.core.destroy(&instance).await.success().unwrap(), None);
}

#[tokio::test]
async fn its_mesh_is_known_as_far_as_its_facts() {
    let world = World::new().await;
    let plan = world.core.plan(MESH, None, set(mesh(), "/clusters/west/region", unknown())).await.unwrap();
    let clusters = plan.planned.get("mesh").get("clusters").clone();
    assert!(clusters.get("west").get("region").is_unknown());
    assert_eq!(clusters.get("east").get("region").as_str(), Some("us-east-1"));
    assert!(plan.diagnostics.is_empty(), "{:?}", plan.diagnostics);
    let plan = world.core.plan(MESH, None, set(mesh(), "/clusters", unknown())).await.unwrap();
    assert!(plan.planned.get("mesh").get("clusters").is_unknown());
}

#[tokio::test]
async fn a_removed_suffix_is_the_default_again_and_a_new_name_replaces() {
    let world = World::new().await;
    let instance = world.create(MESH, set(mesh(), "/hostname_suffix", json!("corp.internal"))).await;
    let back = world.core.converge(MESH, Some(&instance), mesh()).await.unwrap();
    assert_eq!(back.state["hostname_suffix"], "mesh.internal");
    let plan = world.core.plan(MESH, Some(&back), set(mesh(), "/name", json!("staging"))).await.unwrap();
    assert_eq!(plan.action, Action::Replace);
}

#[tokio::test]
async fn it_is_imported_from_the_destinations_that_belong_to_it() {
    let world = World::new().await;
    assert!(world.core.import(MESH, "prod").await.unwrap_err().says("Nothing to import"));
    let instance = world.create(MESH, mesh()).await;
    let of_mesh = set(destination(), "/virtual_mesh", instance.state["mesh"].clone());
    world.create(DESTINATION, of_mesh).await;
    let core = world.beside(|_| {}).await;
    let imported = core.import(MESH, "prod").await.unwrap().remove(0);
    assert_eq!(imported.state, instance.state);
    let plan = core.plan(MESH, Some(&imported), mesh()).await.unwrap();
    assert!(matches!(plan.action, Action::NoOp | Action::Update));
    assert_eq!(plan.planned.get("manifests"), plan.prior.get("manifests"));
    assert!(core.import(MESH, "other").await.unwrap_err().says("Nothing to import"));
}
