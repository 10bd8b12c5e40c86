use serde_json::{Value, json};

use super::{Authors, Step, unsigned};

const OWN: &str = "gloo-terraform:demo/quickstart";

fn object() -> Value {
    json!({
        "metadata": {"labels": {"app.kubernetes.io/name": "x", "team": "b"}},
        "spec": {
            "http": [{"name": "canary", "timeout": "9s"}],
            "ports": [{"name": "http", "number": 9080}, {"name": "extra", "number": 1}],
            "hosts": ["reviews"],
        },
    })
}

fn authors() -> Authors {
    let fields = json!([
        {"manager": OWN, "operation": "Apply", "time": "2026-08-20T09:00:00Z", "apiVersion": "networking.istio.io/v1",
         "fieldsV1": {"f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}},
                      "f:spec": {"f:hosts": {}, "f:ports": {"k:{\"name\":\"http\"}": {".": {}, "f:name": {}, "f:number": {}}}}}},
        {"manager": "kubectl-edit", "operation": "Update", "time": "2026-08-20T10:02:11Z", "apiVersion": "networking.istio.io/v1",
         "fieldsV1": {"f:spec": {"f:http": {}}}},
        {"manager": "argo", "operation": "Apply", "time": "2026-08-20T10:01:00Z", "apiVersion": "networking.istio.io/v1",
         "fieldsV1": {"f:spec": {"f:ports": {"k:{\"name\":\"extra\"}": {".": {}, "f:name": {}}}},
                      "f:metadata": {"f:labels": {"f:team": {}}}}},
    ]);
    Authors::new(&fields, OWN)
}

#[test]
fn a_line_names_who_made_it_so() {
    let (authors, object) = (authors(), object());
    for (line, by) in [
        ("spec.http[canary].timeout: live \"9s\", intent \"2s\"", Some("kubectl-edit at 2026-08-20T10:02:11Z (Update)")),
        ("spec.http: order live [], intent []", Some("kubectl-edit at 2026-08-20T10:02:11Z (Update)")),
        ("spec.ports[extra]: live {} at position 1, intent nothing", Some("argo at 2026-08-20T10:01:00Z (Apply)")),
        ("metadata.labels[\"team\"]: live \"b\", intent \"a\"", Some("argo at 2026-08-20T10:01:00Z (Apply)")),
        ("spec.ports[http].number: live 9080, intent 1", None),
        ("metadata.labels[\"app.kubernetes.io/name\"]: live \"x\", intent \"y\"", None),
        ("spec.gateways: live nothing, intent []", None),
        ("missing", None),
    ] {
        let signed = authors.sign(line.to_owned(), &object);
        let expected = by.map_or(line.to_owned(), |by| format!("{line}; by {by}"));
        assert_eq!(signed, expected);
        assert_eq!(unsigned(&signed), line, "what was added is taken off again");
    }
}

#[test]
fn a_value_that_looks_like_an_author_stays() {
    for line in [
        "spec.x: live 1, intent \"; by kubectl at 1 (Update)\"",
        "spec.x: live 1, intent [\"; by kubectl at 1 (Update)\"]",
        "spec.x: live \"; by a at 1 (Update)… (sha256:0123456789abcdef)",
    ] {
        assert_eq!(unsigned(line), line);
    }
}

#[test]
fn a_part_and_the_whole_are_held_too() {
    let authors = authors();
    let spec = [Step::Member("spec")];
    assert_eq!(authors.other(&spec).map(|author| author.manager.as_str()), Some("kubectl-edit"), "the latest");
    let inside = [Step::Member("spec"), Step::Member("http"), Step::Item(0, &Value::Null), Step::Member("timeout")];
    assert_eq!(authors.of(&inside).len(), 1);
    assert!(authors.of(&[Step::Member("spec"), Step::Member("nobody")]).is_empty());
    assert_eq!(authors.own().map(|own| own.api_version.as_str()), Some("networking.istio.io/v1"));
}
