//! Subsets: what is taken, and what is refused.

use mesh_model::{Code, Severity};
use serde_json::{Value, json};

use crate::example::{decode, destination, verdicts, with};

/// A destination with these members and no finding besides those that they cause.
fn found(changes: &[(&str, Value)]) -> Vec<(Code, String)> {
    let changed = changes.iter().fold(destination(), |document, (pointer, value)| with(document, pointer, value.clone()));
    let decoded = decode(&changed);
    let errors = decoded.findings.iter().any(|finding| finding.code.severity() == Severity::Error);
    assert_eq!(errors, matches!(decoded.outcome, mesh_model::decode::Outcome::Invalid), "{:#?}", decoded.findings);
    verdicts(&decoded)
}

fn refused(pointer: &str, value: Value, code: Code, path: &str) {
    assert_eq!(found(&[(pointer, value)]), [(code, path.to_owned())], "{pointer}");
}

fn subset(labels: Value, weight: u32) -> Value {
    json!({ "labels": labels, "weight": weight })
}

#[test]
fn weights_are_a_hundred_together() {
    refused("/subsets/v1/weight", json!(91), Code::InvalidValue, "subsets");
    refused("/subsets/v2/weight", json!(0), Code::InvalidValue, "subsets");
    refused("/subsets/v1/weight", json!(101), Code::OutOfRange, "subsets[\"v1\"].weight");
    refused("/subsets/v1/weight", json!(0.5), Code::InvalidValue, "subsets[\"v1\"].weight");
    refused("/subsets/v1/weight", Value::Null, Code::MissingArgument, "subsets[\"v1\"].weight");
    assert_eq!(found(&[("/subsets/v1/weight", json!(100)), ("/subsets/v2/weight", json!(0))]), [], "a canary begins with 0");
    assert_eq!(found(&[("/subsets", json!({ "v1": subset(json!({ "version": "v1" }), 100) }))]), [], "one may be all");
}

#[test]
fn names_are_those_of_istio() {
    for name in ["_", "", "V1", "v.1", "-v", "v_1"] {
        let subsets = json!({ "v1": subset(json!({ "version": "v1" }), 90), name: subset(json!({ "version": "v2" }), 10) });
        refused("/subsets", subsets, Code::InvalidValue, &format!("subsets[{name:?}]"));
    }
    refused("/subsets", json!({}), Code::EmptyCollection, "subsets");
}

#[test]
fn labels_tell_subsets_apart() {
    let labels = "subsets[\"v2\"].labels";
    refused("/subsets/v2/labels", json!({}), Code::EmptyCollection, labels);
    refused("/subsets/v2/labels", json!({ "a b": "v2" }), Code::InvalidValue, "subsets[\"v2\"].labels[\"a b\"]");
    refused("/subsets/v2/labels", json!({ "version": "a b" }), Code::InvalidValue, "subsets[\"v2\"].labels[\"version\"]");
    for taken in [
        "service.istio.io/canonical-name",
        "security.istio.io/tlsMode",
        "topology.istio.io/network",
        "topology.kubernetes.io/zone",
        "gloo-terraform/destination",
        "gloo-terraform-rank/1",
    ] {
        refused("/subsets/v2/labels", json!({ "version": "v2", taken: "x" }), Code::InvalidValue, labels);
    }
    assert_eq!(found(&[("/subsets/v2/labels", json!({ "service.istio.io/canonical-revision": "v2" }))]), []);
    // the same, and one within the other
    refused("/subsets/v2/labels", json!({ "version": "v1" }), Code::ConflictingArguments, "subsets[\"v2\"]");
    refused("/subsets/v2/labels", json!({ "version": "v1", "track": "x" }), Code::ConflictingArguments, "subsets[\"v2\"]");
    refused(
        "/subsets/v1/labels",
        json!({ "version": "v2", "example.com/track": "canary", "x": "y" }),
        Code::ConflictingArguments,
        "subsets[\"v1\"]",
    );
    assert_eq!(found(&[("/subsets/v2/labels", json!({ "track": "canary" }))]), [], "a pod may be in two");
}

#[test]
fn backends_have_subsets_of_the_destination() {
    refused("/backends/1/subsets", json!(["v3"]), Code::InvalidValue, "backends[1].subsets");
    refused("/backends/1/subsets", json!([]), Code::EmptyCollection, "backends[1].subsets");
    refused("/backends/1/subsets", json!(["v1", "v1"]), Code::Duplicate, "backends[1].subsets[1]");
    refused("/subsets", Value::Null, Code::InvalidValue, "backends[1].subsets");
    assert_eq!(found(&[("/subsets", Value::Null), ("/backends/1/subsets", Value::Null)]), []);
}

#[test]
fn a_selector_may_not_contradict() {
    let selector = |version: &str| json!({ "app": "reviews", "version": version });
    refused("/backends/0/selector", selector("v1"), Code::ConflictingArguments, "backends[0].subsets");
    refused("/backends/1/selector", selector("v2"), Code::ConflictingArguments, "backends[1].subsets");
    assert_eq!(found(&[("/backends/1/selector", selector("v1"))]), [], "it has v1 alone");
}

#[test]
fn tls_of_the_applications_is_not_split() {
    refused("/ports/0/protocol", json!("tls"), Code::Unsupported, "ports[0].protocol");
    let without = [("/ports/0/protocol", json!("tls")), ("/subsets", Value::Null), ("/backends/1/subsets", Value::Null)];
    assert_eq!(found(&without), []);
}

#[test]
fn server_names_fit_into_tls() {
    let hostname = |length: usize| json!(format!("{}.{}.{}.example", "a".repeat(63), "b".repeat(63), "c".repeat(length - 136)));
    assert_eq!(found(&[("/hostname", hostname(199))]), []);
    // `outbound_.82_.` and `_.gloo-serving.` are 29
    let name = "v".repeat(28);
    let subsets =
        |name: &str| json!({ "v1": subset(json!({ "version": "v1" }), 90), name: subset(json!({ "version": "v2" }), 10) });
    assert_eq!(found(&[("/hostname", hostname(198)), ("/subsets", subsets(&name))]), []);
    let longer = [("/hostname", hostname(199)), ("/subsets", subsets(&name))];
    assert_eq!(found(&longer), [(Code::InvalidValue, "subsets".to_owned())]);
}
