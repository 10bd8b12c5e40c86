//! Objects of other providers that a `moved` block brings to `gloo_istio_object`: nothing is deleted, and the next apply
//! adopts what is there.

use std::path::PathBuf;
use std::sync::OnceLock;

use acceptance_tests::{Action, Case, Rig, World, case};
use serde_json::{Value, json};
use xtask::cli::SOURCE;

use super::{PROVIDER, built_example};

pub fn cases() -> Vec<Case> {
    vec![
        case!(a_kubernetes_manifest_is_moved_and_adopted_where_it_is),
        case!(a_kubectl_manifest_is_moved_and_adopted_where_it_is),
    ]
}

const OBJECT: &str = "gloo_istio_object.reviews";
const KEY: &str = "VirtualService/bookinfo/reviews";

/// The object as the other provider wrote it, with a label that somebody else set.
fn live() -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": { "name": "reviews", "namespace": "bookinfo", "labels": { "app": "x", "team": "blue" } },
        "spec": { "hosts": ["reviews"] },
    })
}

const KUBERNETES: &str = r#"
resource "kubernetes_manifest" "reviews" {
  manifest = {
    apiVersion = "networking.istio.io/v1"
    kind       = "VirtualService"
    metadata   = { name = "reviews", namespace = "bookinfo", labels = { team = "blue" } }
    spec       = { hosts = ["reviews"] }
  }
}
"#;

const KUBECTL: &str = r#"
resource "kubectl_manifest" "reviews" {
  override_namespace = "bookinfo"
  yaml_body          = <<-YAML
    apiVersion: networking.istio.io/v1
    kind: VirtualService
    metadata:
      name: reviews
      labels: {team: blue}
    spec:
      hosts: [reviews]
  YAML
}
"#;

fn ours(host: &str) -> String {
    format!(
        r#"
resource "gloo_istio_object" "reviews" {{
  clusters = ["east"]
  manifest = {{
    apiVersion = "networking.istio.io/v1"
    kind       = "VirtualService"
    metadata   = {{ name = "reviews", namespace = "bookinfo", labels = {{ team = "blue" }} }}
    spec       = {{ hosts = ["{host}"] }}
  }}
}}
"#
    )
}

fn a_kubernetes_manifest_is_moved_and_adopted_where_it_is(rig: &Rig) {
    is_moved(rig, "hashicorp/kubernetes", KUBERNETES);
}

fn a_kubectl_manifest_is_moved_and_adopted_where_it_is(rig: &Rig) {
    is_moved(rig, "gavinbunney/kubectl", KUBECTL);
}

/// The folder with the stand-in under the names of both providers; staged once, beside the provider.
fn stand_in(rig: &Rig) -> PathBuf {
    static STAGED: OnceLock<PathBuf> = OnceLock::new();
    let stage = || {
        let (binary, folder) = (built_example("stand_in"), rig.provider.join("stand-in"));
        std::fs::create_dir(&folder).expect("a new folder is writable");
        for name in ["kubernetes", "kubectl"] {
            let staged = folder.join(format!("terraform-provider-{name}{}", std::env::consts::EXE_SUFFIX));
            std::fs::copy(&binary, staged).expect("a new folder is writable");
        }
        folder
    };
    STAGED.get_or_init(stage).clone()
}

fn is_moved(rig: &Rig, source: &str, theirs: &str) {
    let name = source.rsplit('/').next().unwrap_or(source);
    let providers = |more: &str| {
        format!("terraform {{\n  required_providers {{\n    gloo = {{ source = \"{SOURCE}\" }}\n{more}  }}\n}}\n\n{PROVIDER}")
    };
    let both = providers(&format!("    {name} = {{ source = \"{source}\" }}\n"));
    let world = World::clusters(rig);
    world.add_provider(source, &stand_in(rig));
    let east = world.cluster("east");
    east.create(&live());
    let there = east.instances();
    world.write("main.tf", &format!("{both}{theirs}"));
    world.apply(&world.plan());

    let moved = format!("moved {{\n  from = {name}_manifest.reviews\n  to   = {OBJECT}\n}}\n");
    world.write("main.tf", &format!("{}{}{moved}", providers(""), ours("critics")));
    let plan = world.plan();
    assert_eq!(plan.action(OBJECT), Action::Update);
    assert_eq!(plan.changed().len(), 1, "nothing is deleted: {:?}", plan.changed());
    plan.diagnostics.warning_with(&["GM3011", "spec.hosts[0]: live \"reviews\", intent \"critics\""]);
    world.apply(&plan);
    let object = east.object(KEY);
    assert_eq!(object["spec"]["hosts"], json!(["critics"]));
    assert_eq!((&object["metadata"]["labels"]["app"], &object["metadata"]["labels"]["team"]), (&json!("x"), &json!("blue")));
    let claim = "tests/acceptance//gloo_istio_object/bookinfo/VirtualService/reviews";
    assert_eq!(object["metadata"]["annotations"]["gloo-terraform/claim"], claim);
    assert_eq!(east.instances(), there, "it did not go for a moment");
    assert_eq!(world.state().addresses(), [OBJECT]);
    // the other provider has nothing left to do, and the move is over
    world.write("main.tf", &format!("{}{}", providers(""), ours("critics")));
    world.assert_clean();
    assert!(!world.folder().join("deleted").exists(), "the other provider deleted nothing");
    world.destroy();
    assert!(east.is_empty());
}
