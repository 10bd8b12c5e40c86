//! `gloo_services` and `gloo_workloads`: what is in clusters, from their inventories to arguments of resources.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use tf_server::testing::unknown;

use crate::support::{DESTINATION, World, destination, keys, set};

/// A world in which east and west hold the golden cases of these names.
async fn world(east: &str, west: &str) -> World {
    let world = World::new().await;
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/mesh-discovery/testdata");
    for (cluster, case) in [("east", east), ("west", west)] {
        for file in [&format!("{case}/in.yaml"), "shared/namespaces.yaml", "shared/nodes.yaml"] {
            let to = format!("{cluster}/inventory/{}", file.replace('/', "-"));
            fs::copy(cases.join(file), world.path(&to)).unwrap();
        }
    }
    world
}

async fn read(world: &World, type_name: &str, config: Json) -> (Json, String) {
    let (found, diagnostics) = world.core.read_data(type_name, config).await.unwrap_or_else(|failure| panic!("{failure}"));
    (found.to_json_untyped().unwrap(), format!("{diagnostics:?}"))
}

fn asked() -> Json {
    json!({ "clusters": ["east", "west"], "namespaces": ["bookinfo"], "selector": { "export": "true" } })
}

#[tokio::test]
async fn services_that_serve_become_destinations_and_others_say_why_not() {
    let world = world("services-listed", "services-listed").await;
    let (found, warnings) = read(&world, "gloo_services", asked()).await;
    let services = found["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), ["bookinfo/reviews"]);
    let reviews = &services["bookinfo/reviews"];
    assert_eq!((&reviews["namespace"], &reviews["name"]), (&json!("bookinfo"), &json!("reviews")));
    let clusters: Vec<&Json> = reviews["backends"].as_array().unwrap().iter().map(|backend| &backend["cluster"]).collect();
    assert_eq!(clusters, ["east", "west"]);
    assert_eq!(found["observed"]["east/bookinfo/reviews"]["pods"], 1);

    let unusable = found["unusable"].as_array().unwrap();
    let told = |name: &str| {
        let of = unusable.iter().filter(|reason| reason["name"] == name && reason["cluster"] == "east");
        of.map(|reason| format!("{} {}", reason["code"].as_str().unwrap(), reason["reason"].as_str().unwrap()))
            .collect::<String>()
    };
    assert!(told("headless").contains("GM3105 Service/bookinfo/headless in cluster east is headless"), "{}", told("headless"));
    assert!(told("empty").contains("GM3110"), "{}", told("empty"));
    assert!(told("Not_A-Name").contains("is no Service name"), "{}", told("Not_A-Name"));
    assert!(!unusable.iter().any(|reason| reason["name"] == "ratings" || reason["namespace"] == "other"), "{found}");
    assert!(told("named").contains("no TCP port whose target is known"), "{}", told("named"));
    assert!(!warnings.contains("not a backend in every cluster"), "{warnings}");

    // the same backends as the data source of one Service gives, and what a destination takes
    let one = json!({ "clusters": ["east", "west"], "namespace": "bookinfo", "name": "reviews" });
    assert_eq!(read(&world, "gloo_service", one).await.0["backends"], reviews["backends"]);
    let plan = world.core.plan(DESTINATION, None, set(destination(), "/backends", reviews["backends"].clone())).await;
    let planned = keys(&plan.unwrap_or_else(|failure| panic!("{failure}")));
    assert!(planned.iter().any(|key| key.starts_with("west/WorkloadEntry/bookinfo/")), "{planned:?}");
}

#[tokio::test]
async fn a_service_that_serves_in_some_clusters_only_is_a_warning() {
    let world = world("services-listed", "services-listed").await;
    let file = world.path("west/inventory/services-listed-in.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let headless = text.replacen("selector: {app: reviews}, ports", "selector: {app: reviews}, clusterIP: None, ports", 1);
    assert_ne!(text, headless);
    fs::write(&file, headless).unwrap();
    let (found, warnings) = read(&world, "gloo_services", asked()).await;
    assert_eq!(found["services"]["bookinfo/reviews"]["backends"].as_array().unwrap().len(), 1);
    assert!(warnings.contains("not a backend in every cluster") && warnings.contains("is no backend in west"), "{warnings}");
}

#[tokio::test]
async fn workloads_are_told_apart_as_the_mesh_does_it() {
    let world = world("workloads-listed", "workloads-without-pods").await;
    let config = json!({ "clusters": ["east", "west"], "namespaces": ["bookinfo"] });
    let (found, warnings) = read(&world, "gloo_workloads", config).await;
    let keys: Vec<&str> = found["workloads"].as_array().unwrap().iter().map(|each| each["key"].as_str().unwrap()).collect();
    assert!(keys.contains(&"east/bookinfo/reviews/v1/bookinfo-reviews"), "{keys:?}");
    assert!(keys.contains(&"west/bookinfo/ratings/latest/r"), "{keys:?}");
    assert!(!keys.iter().any(|key| key.contains("/other/") || key.contains("/old") || key.contains("batch")), "{keys:?}");
    let seen = &found["observed"]["east/bookinfo/reviews/v1/bookinfo-reviews"];
    assert_eq!(
        *seen,
        json!({ "pods": 2, "ready_pods": 1, "sidecars": 1, "localities": { "us-east-1/us-east-1a": 1, "us-east-1/us-east-1b": 1 } })
    );
    assert!(found["observed"].as_object().unwrap().keys().all(|key| key.starts_with("east/")), "west shows no pods");
    assert!(warnings.contains("GM3113") && warnings.contains("cluster west has no Pod"), "{warnings}");
}

/// Pods that come and go change counts, and nothing that a resource may take.
#[tokio::test]
async fn counts_stay_apart_from_facts() {
    let world = world("workloads-listed", "workloads-listed").await;
    let config = json!({ "clusters": ["east"], "namespaces": ["bookinfo"], "selector": { "app": "reviews" } });
    let before = [read(&world, "gloo_workloads", config.clone()).await.0, read(&world, "gloo_services", config.clone()).await.0];
    let file = world.path("east/inventory/workloads-listed-in.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let fewer: Vec<&str> = text.split("---\n").filter(|document| !document.contains("name: reviews-v1-a1-2")).collect();
    fs::write(&file, fewer.join("---\n")).unwrap();
    let beside = world.beside(|_| {}).await;
    for (type_name, before) in ["gloo_workloads", "gloo_services"].into_iter().zip(before) {
        let (found, _) = beside.read_data(type_name, config.clone()).await.unwrap();
        let mut after = found.to_json_untyped().unwrap();
        let counts = after["observed"].take();
        if type_name == "gloo_workloads" {
            assert_ne!(counts, before["observed"]);
        }
        assert_eq!(after, set(before, "/observed", Json::Null), "{type_name}");
    }
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let silent = world("services-listed", "services-listed-kind-missing").await;
    let failure = silent.core.read_data("gloo_services", json!({ "clusters": ["east", "west"] })).await.unwrap_err();
    assert!(failure.says("Kind missing in the inventory (GM3104)"), "{failure}");
    let nothing = World::new().await;
    for type_name in ["gloo_services", "gloo_workloads"] {
        let failure = silent.core.read_data(type_name, json!({ "clusters": ["moon"] })).await.unwrap_err();
        assert!(failure.says("Cluster is not registered"), "{failure}");
        let failure = nothing.core.read_data(type_name, json!({ "clusters": ["north"] })).await.unwrap_err();
        assert!(failure.says("Kind missing in the inventory (GM3104)"), "{failure}");
        let (none, _) = read(&nothing, type_name, json!({ "clusters": [] })).await;
        assert_eq!(none["observed"], json!({}));
        fs::remove_dir_all(nothing.path("west")).ok();
        let failure = nothing.core.read_data(type_name, json!({ "clusters": ["west"] })).await.unwrap_err();
        assert!(failure.to_string().contains("cluster west cannot be opened"), "{failure}");
        let unknown = World::with(|block| block["clusters"]["west"]["directory"] = unknown()).await;
        let failure = unknown.core.read_data(type_name, json!({})).await.unwrap_err();
        assert!(failure.says("Cluster is not known yet"), "{failure}");
    }
}
