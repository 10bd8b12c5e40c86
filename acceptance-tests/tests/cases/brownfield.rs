//! From hand-written objects to a destination, as the guide goes.

use acceptance_tests::{Case, Rig, World, case};
use serde_json::{Value, json};

use super::{DESTINATION, PROVIDER, is_empty, with};

pub fn cases() -> Vec<Case> {
    vec![case!(objects_of_a_person_are_adopted_and_their_host_leads_to_a_destination)]
}

const HOST: &str = "books.example.internal";

fn written_by_hand() -> [(&'static str, Value); 3] {
    let entry = json!({
        "hosts": [HOST], "location": "MESH_INTERNAL", "resolution": "STATIC",
        "ports": [{ "number": 9080, "name": "http", "protocol": "HTTP" }],
        "workloadSelector": { "labels": { "app": "books" } },
    });
    let route = json!({ "hosts": [HOST], "http": [{ "route": [{ "destination": { "host": HOST } }], "timeout": "9s" }] });
    [
        ("ServiceEntry", entry),
        ("DestinationRule", json!({ "host": HOST, "trafficPolicy": { "tls": { "mode": "ISTIO_MUTUAL" } } })),
        ("VirtualService", route),
    ]
}

/// The object as a resource that takes what is there; its `spec` as HCL, of which JSON is a part.
fn adopted(kind: &str, spec: &str) -> String {
    format!(
        "resource \"gloo_istio_object\" \"{}\" {{\n  clusters = [\"east\", \"west\"]\n  adopt    = true\n  manifest = {{\n    \
         apiVersion = \"networking.istio.io/v1\"\n    kind       = {kind:?}\n    metadata   = {{ name = \"books\", namespace = \
         \"bookinfo\" }}\n    spec       = {spec}\n  }}\n}}\n",
        kind.to_lowercase()
    )
}

fn objects_of_a_person_are_adopted_and_their_host_leads_to_a_destination(rig: &Rig) {
    let world = World::clusters(rig);
    for cluster in ["east", "west"] {
        for (kind, spec) in written_by_hand() {
            let metadata = json!({ "name": "books", "namespace": "bookinfo" });
            let object = json!({ "apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec });
            world.cluster(cluster).create(&object);
        }
    }
    let destination = format!("{PROVIDER}{}", with(""));
    world.config(&destination);
    world.step();
    let ours = world.state().manifests(DESTINATION);
    let (key, ours) = ours.iter().find(|(key, _)| key.contains("/VirtualService/")).expect("requests are routed");
    let spec = format!("{{ hosts = [{HOST:?}], http = jsondecode({DESTINATION}.manifests[{key:?}]).spec.http }}");
    let forwarding = adopted("VirtualService", &spec);
    let [entry, policy, _] = written_by_hand().map(|(kind, spec)| adopted(kind, &spec.to_string()));
    world.config(&format!("{destination}{entry}{policy}{forwarding}"));
    let plan = world.step();
    plan.diagnostics.warning_with(&["GM3011", "ServiceEntry/bookinfo/books", "It says what the plan says"]);
    plan.diagnostics.warning_with(&["GM3011", "VirtualService/bookinfo/books", "spec.http: live"]);
    assert_eq!(plan.diagnostics.warnings().len(), 6, "three objects in two clusters: {}", plan.diagnostics);
    let http = &world.cluster("east").object("VirtualService/bookinfo/books")["spec"]["http"];
    assert_eq!(*http, ours["spec"]["http"], "the old name is routed as the new one");
    world.config(&format!("{destination}{entry}{forwarding}"));
    world.step();
    world.destroy();
    assert!(is_empty(&world), "what was adopted is destroyed like everything else");
}
