//! `gloo_service`: from what a cluster has to a destination.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::support::{DESTINATION, World, destination, keys, set};

/// A world in which east has two Services whose pods share a canonical name.
async fn world() -> World {
    let world = World::new().await;
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/mesh-discovery/testdata");
    for file in ["services-together/in.yaml", "shared/namespaces.yaml", "shared/nodes.yaml"] {
        fs::copy(cases.join(file), world.path("east/inventory").join(file.replace('/', "-"))).unwrap();
    }
    world
}

fn asked(name: &str, together_with: Json) -> Json {
    json!({ "namespace": "bookinfo", "name": name, "clusters": ["east"], "together_with": together_with })
}

#[tokio::test]
async fn services_of_one_canonical_name_become_one_destination_when_they_are_meant_to() {
    let world = world().await;
    for without in [Json::Null, json!(["v3"])] {
        let refused = world.core.read_data("gloo_service", asked("v1", without)).await.unwrap_err();
        assert!(refused.says("Canonical name does not select the Service's pods (GM3108)"), "{refused}");
        assert!(refused.to_string().contains("together_with = [\"v2\"]"), "{refused}");
    }
    let wrong = world.core.read_data("gloo_service", asked("v1", json!(["V 2"]))).await.unwrap_err();
    assert!(wrong.says("Invalid name") && wrong.violations.is_empty(), "{wrong}");
    let wrong = world.core.read_data("gloo_service", set(asked("v1", json!(["v2"])), "/clusters", json!(["east", null]))).await;
    assert!(wrong.unwrap_err().says("Name is null"));

    let mut backends = Vec::new();
    for (name, other) in [("v1", "v2"), ("v2", "v1")] {
        let (found, diagnostics) = world.core.read_data("gloo_service", asked(name, json!([other]))).await.unwrap();
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let found = found.get("backends").to_json_untyped().unwrap();
        backends.extend(found.as_array().unwrap().iter().cloned());
    }
    assert_eq!(backends.len(), 2);
    let config = set(destination(), "/backends", json!(backends));
    let plan = world.core.plan(DESTINATION, None, config).await.unwrap_or_else(|failure| panic!("{failure}"));
    let served = "east/ServiceEntry/bookinfo/vd-gloo-serving.reviews.mesh.internal";
    assert!(keys(&plan).contains(&served.to_owned()), "{:?}", keys(&plan));
}
