//! `gloo_virtual_mesh`.

use serde_json::{Value as Json, json};
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

/// The destination of another state, which took the mesh from the state that declares it.
fn of_the_mesh(taken: &Json) -> Json {
    set(destination(), "/virtual_mesh", taken.clone())
}

fn without(member: &str) -> Json {
    let mut mesh = mesh();
    mesh["clusters"].as_object_mut().unwrap().remove(member);
    mesh
}

#[tokio::test]
async fn a_mesh_that_other_states_use_does_not_go() {
    let world = World::new().await;
    let instance = world.create(MESH, mesh()).await;
    let team = world.beside(|block| block["owner"] = json!("team/shop")).await;
    let used = team.converge(DESTINATION, None, of_the_mesh(&instance.state["mesh"])).await.unwrap();

    let refused = world.core.plan_destroy(&instance).await.unwrap_err();
    assert!(refused.says("Mesh is in use (GM4025)"), "{refused}");
    assert!(
        refused.to_string().contains("team/shop//gloo_virtual_destination/bookinfo/reviews (in east, north, west)"),
        "{refused}"
    );
    // another name is another mesh
    let renamed = set(mesh(), "/name", json!("staging"));
    let refused = world.core.plan(MESH, Some(&instance), renamed).await.unwrap_err();
    assert!(refused.says("Mesh is in use (GM4025)"), "{refused}");

    // a plan of before is refused by the apply
    let destroyed = team.plan_destroy(&used).await.unwrap();
    team.apply(&destroyed).await.success().unwrap();
    let plan = world.core.plan_destroy(&instance).await.unwrap();
    team.converge(DESTINATION, None, of_the_mesh(&instance.state["mesh"])).await.unwrap();
    let failure = world.core.apply(&plan).await.success().unwrap_err();
    assert!(failure.says("Mesh is in use (GM4025)"), "{failure}");
}

#[tokio::test]
async fn a_cluster_in_which_other_states_use_the_mesh_does_not_leave_it() {
    let world = World::new().await;
    let instance = world.create(MESH, mesh()).await;
    let team = world.beside(|block| block["owner"] = json!("team/shop")).await;
    let used = team.converge(DESTINATION, None, of_the_mesh(&instance.state["mesh"])).await.unwrap();

    let refused = world.core.plan(MESH, Some(&instance), without("north")).await.unwrap_err();
    assert!(refused.says("Mesh is in use (GM4025)"), "{refused}");
    assert!(refused.to_string().contains("bookinfo/reviews (in north)"), "{refused}");

    let narrowed = set(of_the_mesh(&instance.state["mesh"]), "/clients", json!(["east", "west"]));
    team.converge(DESTINATION, Some(&used), narrowed).await.unwrap();
    world.core.converge(MESH, Some(&instance), without("north")).await.unwrap();
}

#[tokio::test]
async fn a_mesh_goes_that_others_do_not_use() {
    let world = World::new().await;
    let instance = world.create(MESH, mesh()).await;
    // what this state has of it is planned in the same run
    let own = world.create(DESTINATION, of_the_mesh(&instance.state["mesh"])).await;
    world.core.plan_destroy(&instance).await.unwrap();
    world.core.destroy(&own).await.success().unwrap();
    // a mesh of the same name that somebody else declares, or nobody
    let team = world.beside(|block| block["owner"] = json!("team/shop")).await;
    let theirs = team.converge(MESH, None, mesh()).await.unwrap();
    let used = team.converge(DESTINATION, None, of_the_mesh(&theirs.state["mesh"])).await.unwrap();
    world.core.plan_destroy(&instance).await.unwrap();
    team.converge(DESTINATION, Some(&used), destination()).await.unwrap();
    team.plan_destroy(&theirs).await.unwrap();
    world.core.destroy(&instance).await.success().unwrap();
}

#[tokio::test]
async fn clusters_that_do_not_answer_are_named_when_a_mesh_goes() {
    let world = World::new().await;
    let instance = world.create(MESH, mesh()).await;
    std::fs::remove_dir_all(world.path("west")).unwrap();
    let plan = world.core.plan_destroy(&instance).await.unwrap();
    assert!(format!("{:?}", plan.diagnostics).contains("was not asked of: west"), "{:?}", plan.diagnostics);
}

/// Who takes a cluster away takes it out of the provider block in the same commit.
#[tokio::test]
async fn clusters_that_the_provider_block_has_no_more_are_named_when_they_leave() {
    let world = World::new().await;
    let instance = world.create(MESH, mesh()).await;
    let blocks: [fn(&mut Json); 2] = [
        |block| drop(block["clusters"].as_object_mut().unwrap().remove("north")),
        |block| block["clusters"]["north"]["directory"] = unknown(),
    ];
    for change in blocks {
        let core = world.beside(change).await;
        let plan = core.plan(MESH, Some(&instance), without("north")).await.unwrap();
        assert!(format!("{:?}", plan.diagnostics).contains("was not asked of: north"), "{:?}", plan.diagnostics);
    }
    let gone = world.beside(|block| block["decommissioned_clusters"] = json!(["north"])).await;
    assert!(gone.plan(MESH, Some(&instance), without("north")).await.unwrap().diagnostics.is_empty());
}
