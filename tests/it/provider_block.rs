//! The provider block.

use std::sync::Arc;

use serde_json::json;
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Core, unknown};

use crate::support::{World, set};

#[tokio::test]
async fn every_part_may_be_unknown_but_the_owner() {
    let base = || {
        json!({ "owner": "a/b", "clusters": { "east": { "directory": "x" } }, "plan": { "unreachable": "warn" },
        "apply": { "clusters_order": ["east"] }, "limits": { "request_timeout": "1s", "max_in_flight": 2 },
        "default_labels": { "a": "b" }, "rerender": "always", "decommissioned_clusters": ["west"] })
    };
    for pointer in [
        "/clusters",
        "/clusters/east",
        "/clusters/east/directory",
        "/plan",
        "/plan/unreachable",
        "/apply",
        "/apply/clusters_order",
        "/apply/clusters_order/0",
        "/limits",
        "/limits/request_timeout",
        "/limits/max_in_flight",
        "/default_labels",
        "/default_labels/a",
        "/rerender",
        "/decommissioned_clusters",
        "/decommissioned_clusters/0",
    ] {
        let core = Core::new(Arc::new(Gloo::new())).await;
        core.configure(set(base(), pointer, unknown())).await.unwrap_or_else(|failure| panic!("{pointer}: {failure}"));
    }
    let core = Core::new(Arc::new(Gloo::new())).await;
    assert!(core.configure(set(base(), "/owner", unknown())).await.unwrap_err().says("Owner is not known"));
}

#[tokio::test]
async fn bad_values_are_refused_at_their_attribute() {
    let world = World::new().await;
    for (pointer, value, path) in [
        ("/owner", json!("Platform Team"), "owner"),
        ("/owner", json!("a//b"), "owner"),
        ("/clusters", json!({ "East": { "directory": "x" } }), "clusters[\"East\"]"),
        ("/clusters", json!({ "east": {} }), "clusters[\"east\"]"),
        ("/clusters", json!({ "east": { "directory": "" } }), "clusters[\"east\"].directory"),
        ("/clusters", json!({ "east": { "directory": "x" }, "west": { "directory": "./x/" } }), "clusters[\"west\"]"),
        ("/rerender", json!("sometimes"), "rerender"),
        ("/plan", json!({ "unreachable": "ignore" }), "plan.unreachable"),
        ("/plan", json!({}), "plan"),
        ("/apply", json!({ "clusters_order": ["Mars!"] }), "apply.clusters_order[0]"),
        ("/limits", json!({ "request_timeout": "soon" }), "limits.request_timeout"),
        ("/limits", json!({ "max_in_flight": 0 }), "limits.max_in_flight"),
        ("/limits", json!({ "max_in_flight": 1.5 }), "limits.max_in_flight"),
        ("/default_labels", json!({ "gloo-terraform/owner": "x" }), "default_labels[\"gloo-terraform/owner\"]"),
        ("/default_labels", json!({ "a": "no spaces" }), "default_labels[\"a\"]"),
    ] {
        let core = Core::new(Arc::new(Gloo::new())).await;
        let failure = core.configure(set(world.provider_block(), pointer, value.clone())).await.unwrap_err();
        let paths: Vec<String> = failure.diagnostics.iter().filter_map(|d| d.path.as_ref().map(ToString::to_string)).collect();
        assert!(paths.iter().any(|found| found == path), "{pointer} = {value}: {paths:?}\n{failure}");
    }
}

#[tokio::test]
async fn two_spellings_of_one_folder_are_refused() {
    let world = World::new().await;
    std::os::unix::fs::symlink(world.path("east"), world.path("link")).unwrap();
    std::fs::create_dir_all(world.path("other")).unwrap();
    std::fs::create_dir_all(world.path("east/manifests")).unwrap();
    std::os::unix::fs::symlink(world.path("east/manifests"), world.path("other/manifests")).unwrap();
    for other in ["link", "west/../east", "other", "./east/"] {
        let spelled = world.path("").join(other);
        let clusters = json!({ "east": { "directory": world.path("east") }, "west": { "directory": spelled } });
        let core = Core::new(Arc::new(Gloo::new())).await;
        let failure = core.configure(set(world.provider_block(), "/clusters", clusters)).await.unwrap_err();
        assert!(failure.says("Two clusters share a directory"), "{other}: {failure}");
    }
}

#[tokio::test]
async fn default_labels_are_on_every_object() {
    let world = World::with(|block| block["default_labels"] = json!({ "app.kubernetes.io/part-of": "mesh" })).await;
    let instance = world.create(crate::support::DESTINATION, crate::support::destination()).await;
    for manifest in instance.state["manifests"].as_object().unwrap().values() {
        assert!(manifest.as_str().unwrap().contains("\"app.kubernetes.io/part-of\":\"mesh\""));
    }
}

#[tokio::test]
async fn data_sources_never_give_a_shorter_answer() {
    let world = World::with(|block| block["clusters"]["west"]["directory"] = unknown()).await;
    let failure = world.core.read_data("gloo_service", json!({ "namespace": "bookinfo", "name": "reviews" })).await.unwrap_err();
    assert!(failure.says("Cluster is not known yet"), "{failure}");
    let failure = world.core.read_data("gloo_cluster", json!({ "name": "west" })).await.unwrap_err();
    assert!(failure.says("Cluster is not known yet"), "{failure}");
    let failure = world.core.read_data("gloo_cluster", json!({ "name": "mars" })).await.unwrap_err();
    assert!(failure.says("Cluster is not registered"), "{failure}");
    let world = World::with(|block| block["clusters"] = unknown()).await;
    let failure = world.core.read_data("gloo_service", json!({ "namespace": "bookinfo", "name": "reviews" })).await.unwrap_err();
    assert!(failure.says("Clusters are not known yet"), "{failure}");
}

#[tokio::test]
async fn default_labels_that_a_service_selects_are_refused() {
    let service = "{apiVersion: v1, kind: Service, metadata: {name: reviews, namespace: bookinfo}, spec: {selector: {app: reviews}, ports: [{port: 9080}]}}\n";
    for (label, is_refused) in [("reviews", true), ("mesh", false)] {
        let world = World::with(|block| block["default_labels"] = json!({ "app": label })).await;
        std::fs::write(world.path("east/inventory/services.yaml"), service).unwrap();
        let plan = world.core.plan(crate::support::DESTINATION, None, crate::support::destination()).await;
        assert_eq!(plan.is_err(), is_refused, "{label}: {plan:?}");
    }
}
