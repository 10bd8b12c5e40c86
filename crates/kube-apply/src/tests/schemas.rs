//! What definitions in an inventory say to objects.

use std::fs;
use std::path::Path;

use istio_objects::Manifest;
use mesh_model::{Code, Findings};
use serde_json::{Value, json};

use super::support::{cluster, create, folder_fleet, manifest, request, runtime, sets, update};
use crate::{Refreshed, preflight, verdicts};

/// A definition of VirtualServices with one rule, or with another.
fn definition(rule: &str) -> Value {
    let spec = json!({
        "type": "object",
        "properties": {
            "hosts": {"type": "array", "items": {"type": "string", "maxLength": 20}},
            "http": {"type": "array", "items": {"type": "object", "properties": {
                "name": {"type": "string"},
                "timeout": {"type": "string", "x-kubernetes-validations": [
                    {"rule": rule, "message": "must be a valid duration greater than 1ms"},
                ]},
                "route": {"type": "array", "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
            }}},
        },
    });
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "virtualservices.networking.istio.io"},
        "spec": {
            "group": "networking.istio.io",
            "names": {"kind": "VirtualService", "plural": "virtualservices"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
            }],
        },
    })
}

const RULE: &str = "duration(self) >= duration('1ms')";

fn folder(files: &[(&str, String)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("inventory")).unwrap();
    for (name, text) in files {
        fs::write(root.path().join("inventory").join(name), text).unwrap();
    }
    root
}

fn object(timeout: &str) -> Manifest {
    let spec = json!({"hosts": ["a"], "http": [{"name": "x", "timeout": timeout, "route": [{"destination": {"host": "a"}}]}]});
    manifest("a", &spec)
}

fn said(root: &Path, changes: Vec<istio_objects::Change>) -> Findings {
    runtime().block_on(verdicts(&folder_fleet(root), changes))
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

#[test]
fn an_object_is_refused_by_the_definition_in_the_inventory_before_anything_is_written() {
    // as kubectl prints it, in a list and beside other documents
    for (name, text) in
        [("crds.yaml", format!("---\n{}\n---\n", list(&[definition(RULE)]))), ("crds.json", definition(RULE).to_string())]
    {
        let root = folder(&[(name, text)]);
        let findings = said(root.path(), vec![create("east", &object("0s"))]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        let finding = &findings[0];
        assert_eq!((finding.code, finding.cluster.as_ref()), (Code::RefusedByCluster, Some(&cluster("east"))));
        assert_eq!(finding.object.as_deref(), Some("VirtualService/bookinfo/a"));
        assert_eq!(
            finding.what,
            "cluster east would refuse VirtualService/bookinfo/a: spec.http[0].timeout: must be a valid duration greater than 1ms"
        );
        assert!(finding.why.contains("virtualservices.networking.istio.io"), "{finding:?}");
        assert!(finding.fix.contains("kubectl get crd -o yaml > inventory/crds.yaml"), "{finding:?}");
        assert_eq!(said(root.path(), vec![create("east", &object("1s"))]), Findings::new());

        let waves = vec![vec![create("east", &object("0s"))]];
        let refused =
            runtime().block_on(preflight(&folder_fleet(root.path()), request(&sets("east", []), waves, &Refreshed::default())));
        assert_eq!(refused.unwrap_err()[0].code, Code::RefusedByCluster);
        assert!(!root.path().join("manifests").exists());
    }
}

#[test]
fn several_violations_are_listed() {
    let root = folder(&[("crds.json", definition(RULE).to_string())]);
    let mut value = object("0s").value();
    value["spec"]["hosts"] = json!([1, "x".repeat(30)]);
    let several = Manifest::from_stored(object("0s").key().clone(), &value.to_string()).unwrap();
    let findings = said(root.path(), vec![create("east", &several)]);
    assert!(findings[0].what.ends_with("would refuse VirtualService/bookinfo/a"), "{findings:?}");
    assert!(
        findings[0].why.starts_with("spec.hosts[0]: must be a string, not a number\nspec.hosts[1]: must have at most 20"),
        "{findings:?}"
    );
}

#[test]
fn what_stays_as_it_was_is_not_held_against_an_update() {
    let root = folder(&[("crds.json", definition(RULE).to_string())]);
    let mut value = object("0s").value();
    value["spec"]["hosts"] = json!(["b"]);
    let changed = Manifest::from_stored(object("0s").key().clone(), &value.to_string()).unwrap();
    // the list with the timeout is the same
    assert_eq!(said(root.path(), vec![update("east", &object("0s"), &changed)]), Findings::new());
    assert_eq!(said(root.path(), vec![update("east", &object("1s"), &object("0s"))]).len(), 1);
}

#[test]
fn a_rule_that_cannot_be_judged_is_a_warning_and_told_once() {
    let root = folder(&[("crds.json", definition("nonsense(self)").to_string())]);
    let fleet = folder_fleet(root.path());
    let ask = || runtime().block_on(verdicts(&fleet, vec![create("east", &object("0s"))]));
    let findings = ask();
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::RuleUnchecked], "{findings:?}");
    assert_eq!(
        findings[0].what,
        "A rule of virtualservices.networking.istio.io in the inventory of cluster east is not checked at spec.http[].timeout: nonsense(self)"
    );
    assert_eq!(ask(), Findings::new());
    let damaged = folder(&[("crds.json", definition(RULE).to_string().replace("\"v1\"", "1"))]);
    let findings = said(damaged.path(), vec![create("east", &object("0s"))]);
    assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::RuleUnchecked], "{findings:?}");
}

#[test]
fn without_a_definition_nothing_is_said() {
    let other = definition(RULE).to_string().replace("networking.istio.io", "example.com");
    for files in [vec![], vec![("crds.json", other)]] {
        assert_eq!(said(folder(&files).path(), vec![create("east", &object("0s"))]), Findings::new());
    }
}
