//! Functions, called as core calls them.

use std::sync::Arc;

use serde_json::json;
use terraform_provider_gloo::Gloo;
use tf_server::Provider as _;
use tf_server::testing::{Core, Input};

async fn role(arguments: &[&str]) -> Result<String, (Option<i64>, String)> {
    let core = Core::new(Arc::new(Gloo::new())).await;
    let arguments: Vec<Input> = arguments.iter().map(|text| Input::from(json!(text))).collect();
    let answer = core.call("role", arguments).await;
    answer.map(|value| value.as_str().unwrap().to_owned()).map_err(|error| (error.argument, error.text))
}

#[test]
fn every_function_keeps_the_rules_of_core() {
    for function in Gloo::new().functions() {
        assert_eq!(function.schema().violations(), Vec::new(), "{}", function.name());
    }
}

#[tokio::test]
async fn a_role_is_of_the_cluster_or_of_one_namespace() {
    let plan = role(&["plan", "gloo-plan"]).await.unwrap();
    assert!(
        plan.starts_with("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: gloo-plan\nrules:\n")
    );
    assert!(plan.contains("nodes") && !plan.contains("patch"));
    let apply = role(&["apply", "gloo-apply", "shop"]).await.unwrap();
    assert!(apply.contains("\nkind: Role\nmetadata:\n  name: gloo-apply\n  namespace: \"shop\"\n"), "{apply}");
    assert!(apply.contains("patch") && !apply.contains("nodes") && !apply.contains("gatewayclasses"), "{apply}");
}

#[tokio::test]
async fn a_wrong_argument_is_named_with_what_it_takes() {
    for (arguments, position, part) in [
        (&["read", "a"][..], 0, "\"plan\""),
        (&["plan", "a/b"], 1, "gloo-apply"),
        (&["plan", "a", "A b"], 2, "\"A b\""),
        (&["plan", "a", "b", "c"], 3, "for namespace in"),
    ] {
        let (argument, text) = role(arguments).await.unwrap_err();
        assert_eq!(argument, Some(position), "{text}");
        assert!(text.contains(part), "{text}");
    }
}

async fn call(function: &str, arguments: &[&str]) -> Result<serde_json::Value, (Option<i64>, String)> {
    let core = Core::new(Arc::new(Gloo::new())).await;
    let arguments: Vec<Input> = arguments.iter().map(|text| Input::from(json!(text))).collect();
    let answer = core.call(function, arguments).await;
    answer.map(|value| value.to_json_untyped().unwrap()).map_err(|error| (error.argument, error.text))
}

#[tokio::test]
async fn names_follow_from_names() {
    let id = call("spiffe_id", &["cluster.local", "bookinfo", "bookinfo-reviews"]).await.unwrap();
    assert_eq!(id, json!("spiffe://cluster.local/ns/bookinfo/sa/bookinfo-reviews"));
    let hostname = call("global_hostname", &["reviews", "bookinfo", "west"]).await.unwrap();
    assert_eq!(hostname, json!("reviews.bookinfo.svc.west.global"));
    let hostname = call("global_hostname", &["reviews", "bookinfo", "west", "mesh.internal"]).await.unwrap();
    assert_eq!(hostname, json!("reviews.bookinfo.svc.west.mesh.internal"));
}

#[tokio::test]
async fn a_text_that_is_no_name_is_refused_where_it_stands() {
    let long = "a.".repeat(80) + "internal";
    for (function, arguments, position) in [
        ("spiffe_id", &["spiffe://a", "b", "c"][..], 0),
        ("spiffe_id", &["a", "b/sa/admin", "c"], 1),
        ("spiffe_id", &["a", "*", "c"], 1),
        ("spiffe_id", &["a", "b", "c\u{1b}[31m"], 2),
        ("spiffe_id", &["a", "b", ""], 2),
        ("global_hostname", &["a.b", "c", "d"], 0),
        ("global_hostname", &["a", "c.svc", "d"], 1),
        ("global_hostname", &["a", "c", "1d"], 2),
        ("global_hostname", &["a", "c", "d", "Mesh"], 3),
        ("global_hostname", &["a", "c", "d", "e", "f"], 4),
        ("global_hostname", &[&"a".repeat(63), &"c".repeat(63), "d", &long], 3),
    ] {
        let (argument, text) = call(function, arguments).await.unwrap_err();
        assert_eq!(argument, Some(position), "{arguments:?}: {text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

#[tokio::test]
async fn ids_claims_and_keys_are_taken_apart() {
    let parts = |given: serde_json::Value| {
        let mut all =
            json!({ "owner": null, "type": null, "cluster": null, "kind": null, "namespace": null, "name": null, "id": null });
        all.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        all
    };
    let mesh = json!({ "type": "gloo_virtual_mesh", "name": "prod", "id": "prod" });
    let destination =
        json!({ "type": "gloo_virtual_destination", "namespace": "bookinfo", "name": "reviews", "id": "bookinfo/reviews" });
    let object = json!({ "type": "gloo_istio_object", "kind": "VirtualService", "namespace": "bookinfo", "name": "reviews", "id": "VirtualService/bookinfo/reviews" });
    let class = json!({ "type": "gloo_istio_object", "kind": "GatewayClass.gateway.networking.k8s.io", "name": "a", "id": "GatewayClass.gateway.networking.k8s.io/-/a" });
    let owned = |mut given: serde_json::Value| {
        given["owner"] = json!("platform/prod");
        given
    };
    for (text, expected) in [
        ("prod", mesh.clone()),
        ("bookinfo/reviews", destination.clone()),
        ("VirtualService/bookinfo/reviews", object.clone()),
        ("GatewayClass.gateway.networking.k8s.io/-/a", class.clone()),
        ("platform/prod//prod", owned(mesh.clone())),
        ("platform/prod//bookinfo/reviews", owned(destination.clone())),
        ("platform/prod//VirtualService/bookinfo/reviews", owned(object.clone())),
        ("platform/prod//gloo_virtual_mesh/-/prod", owned(mesh)),
        ("platform/prod//gloo_virtual_destination/bookinfo/reviews", owned(destination)),
        ("platform/prod//gloo_istio_object/bookinfo/VirtualService/reviews", owned(object)),
        ("platform/prod//gloo_istio_object/-/GatewayClass.gateway.networking.k8s.io/a", owned(class)),
        ("*/Sidecar/a/b", json!({ "cluster": "*", "kind": "Sidecar", "namespace": "a", "name": "b" })),
        ("east/GatewayClass/-/b", json!({ "cluster": "east", "kind": "GatewayClass", "name": "b" })),
    ] {
        assert_eq!(call("parse_id", &[text]).await, Ok(parts(expected)), "{text}");
    }
    for text in [
        "",
        "/",
        "//",
        "a//",
        "//a",
        "a/b/c",
        "a/b/c/d",
        "a/b/c/d/e",
        "Owner//a",
        "a//gloo_traffic_policy/b/c",
        "a//gloo_virtual_mesh/b/c",
        "a//gloo_virtual_mesh/-/b/c",
        "a//gloo_virtual_destination/-/c",
        "a//gloo_virtual_destination/b/c/d",
        "a//gloo_istio_object/b/c",
        "a//east/Sidecar/b/c",
        "gloo_virtual_mesh/-/prod",
        "bookinfo/reviews\u{202e}",
        "../..",
        "*/b",
    ] {
        let (argument, problem) = call("parse_id", &[text]).await.expect_err(text);
        assert!(argument == Some(0) && problem.contains("an import id") && !problem.contains('\u{202e}'), "{problem:?}");
    }
}
