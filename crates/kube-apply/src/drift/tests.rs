#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use istio_objects::{Manifest, object_key};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{drift_lines, printable};

fn object(spec: Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {
            "name": "reviews",
            "namespace": "bookinfo",
            "labels": {"gloo-terraform/owner": "o", "app": "reviews"},
            "annotations": {"gloo-terraform/claim": "o//t/bookinfo/reviews"},
        },
        "spec": spec,
    })
}

fn manifest(object: &Value) -> Manifest {
    Manifest::from_stored(object_key(object).unwrap(), &object.to_string()).unwrap()
}

fn lines(intent: Value, live: Value) -> Vec<String> {
    drift_lines(&manifest(&object(intent)), Some(&object(live)))
}

#[test]
fn an_object_that_is_gone_has_one_line() {
    assert_eq!(drift_lines(&manifest(&object(json!({}))), None), ["missing"]);
}

#[test]
fn what_others_and_servers_add_is_no_drift() {
    let intent = object(json!({"hosts": ["a"], "weight": 1}));
    let mut live = intent.clone();
    live["status"] = json!({"conditions": [1]});
    live["spec"]["weight"] = json!(1.0);
    live["spec"]["nothing"] = Value::Null;
    let metadata = live["metadata"].as_object_mut().unwrap();
    for member in ["uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"] {
        metadata.insert(member.to_owned(), json!("x"));
    }
    live["metadata"]["labels"]["team"] = json!("x");
    live["metadata"]["annotations"]["note"] = json!("x");
    live["metadata"]["annotations"]["state.gloo-terraform/intent"] = json!("x");
    assert_eq!(drift_lines(&manifest(&intent), Some(&live)), Vec::<String>::new());
}

#[test]
fn each_kind_of_change_reads_as_what_it_is() {
    let route = |name: &str, timeout: &str| json!({"name": name, "timeout": timeout});
    let intent = json!({
        "http": [route("canary", "2s"), route("rest", "1s")],
        "hosts": ["a", "b", "c"],
        "tls": {"mode": "MUTUAL"},
    });
    let with = |member: &str, value: Value| {
        let mut live = intent.clone();
        live[member] = value;
        lines(intent.clone(), live)
    };
    assert_eq!(
        with("http", json!([route("canary", "9s"), route("rest", "1s")])),
        [r#"spec.http[canary].timeout: live "9s", intent "2s""#]
    );
    assert_eq!(
        with("http", json!([route("rest", "1s"), route("canary", "2s")])),
        [r#"spec.http: order live ["rest","canary"], intent ["canary","rest"]"#]
    );
    assert_eq!(
        with("http", json!([route("canary", "2s"), route("new one", "1s"), route("rest", "1s")])),
        [r#"spec.http["new one"]: live {"name":"new one","timeout":"1s"} at position 1, intent nothing"#]
    );
    assert_eq!(
        with("http", json!([route("rest", "1s")])),
        [r#"spec.http[canary]: live nothing, intent {"name":"canary","timeout":"2s"}"#]
    );
    assert_eq!(with("hosts", json!(["a", "b", "x"])), [r#"spec.hosts[2]: live "x", intent "c""#]);
    assert_eq!(with("hosts", json!(["c", "a", "b"])), [r#"spec.hosts: order live ["c","a","b"], intent ["a","b","c"]"#]);
    assert_eq!(with("hosts", json!(["a", "x", "b", "c"])), [r#"spec.hosts[1]: live "x", intent nothing"#]);
    assert_eq!(with("hosts", json!(["a", "c"])), [r#"spec.hosts[1]: live nothing, intent "b""#]);
    assert_eq!(with("hosts", json!(["x", "y"])), [r#"spec.hosts: live ["x","y"], intent ["a","b","c"]"#]);
    assert_eq!(with("hosts", json!("a")), [r#"spec.hosts: live "a", intent ["a","b","c"]"#]);
    assert_eq!(with("tls", json!({"mode": "MUTUAL", "sni": "x"})), [r#"spec.tls.sni: live "x", intent nothing"#]);
    assert_eq!(with("tls", Value::Null), [r#"spec.tls: live nothing, intent {"mode":"MUTUAL"}"#]);
}

#[test]
fn our_labels_and_claim_are_watched_one_by_one() {
    let intent = object(json!({}));
    let mut live = intent.clone();
    live["metadata"].as_object_mut().unwrap().remove("labels");
    live["metadata"]["annotations"]["gloo-terraform/claim"] = json!("else");
    assert_eq!(
        drift_lines(&manifest(&intent), Some(&live)),
        [
            r#"metadata.annotations["gloo-terraform/claim"]: live "else", intent "o//t/bookinfo/reviews""#,
            r#"metadata.labels.app: live nothing, intent "reviews""#,
            r#"metadata.labels["gloo-terraform/owner"]: live nothing, intent "o""#,
        ]
    );
    let mut live = intent.clone();
    live["metadata"]["finalizers"] = json!(["x"]);
    assert_eq!(drift_lines(&manifest(&intent), Some(&live)), [r#"metadata.finalizers: live ["x"], intent nothing"#]);
}

#[test]
fn long_values_are_cut_and_told_apart() {
    let long = |end: &str| json!({"text": format!("{}{end}", "ü".repeat(200))});
    let (one, other) = (lines(json!({}), long("1")), lines(json!({}), long("2")));
    assert!(one[0].chars().count() < 140, "{one:?}");
    assert_ne!(one, other);
}

#[test]
fn numbers_are_compared_by_value() {
    for (a, b, equal) in [
        ("1", "1.0", true),
        ("100", "1e2", true),
        ("-0.50", "-5E-1", true),
        ("0", "-0.0", true),
        ("12345678901234567890123", "12345678901234567890124", false),
        ("1", "-1", false),
        ("1e99999999999999999999999999999999999999999", "1e99999999999999999999999999999999999999999", true),
    ] {
        let parse = |text: &str| serde_json::from_str::<Value>(&format!("{{\"n\":{text}}}")).unwrap();
        assert_eq!(lines(parse(a), parse(b)).is_empty(), equal, "{a} {b}");
    }
    assert_eq!(lines(json!({"n": "1"}), json!({"n": 1})), [r#"spec.n: live 1, intent "1""#]);
    assert_eq!(lines(json!({"n": ["number 1e0"]}), json!({"n": [1]})).len(), 1);
}

fn specs() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(json!("a")), Just(json!("b")), Just(json!(1)), Just(json!(true)), Just(json!({}))];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let names = prop_oneof![Just("name".to_owned()), Just("x".to_owned()), Just("a/b".to_owned())];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map(names, inner, 0..3).prop_map(|m: BTreeMap<_, _>| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The staleness check rests on it: equal lines, equal live objects.
    #[test]
    fn lines_tell_live_objects_apart(intent in specs(), one in specs(), other in specs()) {
        let (first, second) = (lines(intent.clone(), one.clone()), lines(intent.clone(), other.clone()));
        prop_assert_eq!(first == second, one == other, "{:?}", first);
        prop_assert_eq!(first.is_empty(), one == intent);
    }
}

#[test]
fn what_a_terminal_obeys_is_shown_and_not_sent() {
    let hostile = "a\u{1b}[2J\u{202e}b\u{7f}\u{9b}31m\u{2066}c\u{feff}";
    let intent = manifest(&object(json!({"hosts": ["a"]})));
    let mut live = intent.value();
    live["spec"]["hosts"][0] = json!(hostile);
    live["spec"][hostile] = json!({ "name": hostile });
    live["metadata"]["generateName"] = json!(hostile);
    let lines = drift_lines(&intent, Some(&live));
    assert_eq!(lines.len(), 3, "{lines:?}");
    let is_safe = |c: char| !c.is_control() && !"\u{202e}\u{2066}\u{feff}".contains(c);
    assert!(lines.iter().flat_map(|line| line.chars()).all(is_safe), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("\\u202eb\\u007f\\u009b31m\\u2066c\\ufeff")), "{lines:?}");
    assert_eq!(printable("two\nlines – and ‘more’"), "two\nlines – and ‘more’");
}
