//! The way from hand-written objects to a destination: the guide's steps, under traffic of the old name.

use rig::mesh::layout::NAMESPACE;
use serde_json::{Value, json};

use crate::changes::{ALL, Case, change};
use crate::check::{all_by, nobody_notices, until_host_served};
use crate::config::{QUICK, destination};
use crate::live::Stage;

/// All of them, by name.
pub fn all() -> Vec<Case> {
    vec![("brownfield", brownfield)]
}

/// What somebody wrote a ServiceEntry, a DestinationRule and a VirtualService for.
const OLD_HOST: &str = "books.example.internal";
const NAME: &str = "books";

/// Callers of the old name go over to the destination without an error, and have its failover from then on.
fn brownfield(stage: &Stage) {
    let fleet = stage.mesh.fleet();
    let host = format!("{OLD_HOST}:9080");
    for cluster in stage.mesh.rig().clusters() {
        for (kind, spec) in written_by_hand() {
            cluster.api().apply(&object(kind, &spec)).expect("nobody finds anything wrong with it");
        }
    }
    ALL.iter().for_each(|cluster| until_host_served(fleet, cluster, &host));
    stage.settle();
    let traffic = ALL.map(|cluster| fleet.traffic(cluster, &host));

    let lines = format!("{QUICK}  failover = {{ order = [\"west\", \"north\"] }}\n");
    let resources = destination(&ALL, &lines);
    let [entry, policy, _] = written_by_hand().map(|(kind, spec)| adopted(kind, &spec.to_string()));
    let world = stage.applied(&resources);
    let spec = "{ hosts = [\"books.example.internal\"], http = jsondecode(gloo_virtual_destination.reviews.manifests[\
                \"*/VirtualService/bookinfo/vd-reviews.mesh.internal\"]).spec.http }";
    let forwarding = adopted("VirtualService", spec);
    change(
        stage,
        &world,
        &format!("{resources}{entry}{policy}{forwarding}"),
        &traffic,
        "what is there is adopted, and the old name leads to the destination",
    );
    change(stage, &world, &format!("{resources}{entry}{forwarding}"), &traffic, "the old policy goes");
    nobody_notices(&traffic[0], fleet, stage.figures);
    stage.settle();
    for cluster in ALL {
        all_by(&fleet.calls(cluster, &host, 20), cluster);
    }
    world.assert_clean();
    drop(traffic);
    world.destroy();
}

fn written_by_hand() -> [(&'static str, Value); 3] {
    [
        (
            "ServiceEntry",
            json!({
                "hosts": [OLD_HOST], "location": "MESH_INTERNAL", "resolution": "STATIC",
                "ports": [{ "number": 9080, "name": "http", "protocol": "HTTP" }],
                "workloadSelector": { "labels": { "app": "reviews" } },
            }),
        ),
        ("DestinationRule", json!({ "host": OLD_HOST, "trafficPolicy": { "tls": { "mode": "ISTIO_MUTUAL" } } })),
        (
            "VirtualService",
            json!({ "hosts": [OLD_HOST], "http": [{ "route": [{ "destination": { "host": OLD_HOST } }], "timeout": "10s" }] }),
        ),
    ]
}

fn object(kind: &str, spec: &Value) -> Value {
    let metadata = json!({ "name": NAME, "namespace": NAMESPACE });
    json!({ "apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": metadata, "spec": spec })
}

/// The object as a resource that takes what is there; its `spec` as HCL, of which JSON is a part.
fn adopted(kind: &str, spec: &str) -> String {
    let name = kind.to_lowercase();
    format!(
        "\nresource \"gloo_istio_object\" \"{name}\" {{\n  clusters = {ALL:?}\n  adopt    = true\n  manifest = {{\n    \
         apiVersion = \"networking.istio.io/v1\"\n    kind       = {kind:?}\n    metadata   = {{ name = {NAME:?}, namespace = \
         {NAMESPACE:?} }}\n    spec       = {spec}\n  }}\n}}\n"
    )
}
