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
