//! Configurations of cases, over clusters that are API servers or folders with the same content.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use acceptance_tests::{Live, World};
use rig::api::path_of;
use rig::dev::discovered_in;
use rig::mesh::layout::{CLUSTERS, NAMESPACE, Speech};
use rig::mesh::seeds::PORTS_HOST;
use rig::mesh::{Member, Mesh, seeds};
use serde_json::{Value, json};
use xtask::tools::digest;

use crate::scenarios::Configuration;

/// What clients call.
pub const HOST: &str = "reviews.mesh.internal:9080";

/// The destination of every case.
pub const DESTINATION: &str = "gloo_virtual_destination.reviews";

/// Lines of a destination with which tests see failover and recovery within seconds.
pub const QUICK: &str = "  outlier_detection = { base_ejection_time = \"3s\", interval = \"1s\" }\n";

/// The mesh of all clusters, and the destination with these backends (a part of `all`) and lines.
pub fn destination(backends: &[&str], lines: &str) -> String {
    let chosen = format!(
        "[for backend in data.gloo_service.reviews.backends : backend if contains({}, backend.cluster)]",
        json!(backends)
    );
    discovered_in(&CLUSTERS, &chosen, NAMESPACE, "reviews.mesh.internal", lines)
}

/// A destination whose hostname has a port for each of these, with what is spoken there.
pub fn destination_with(ports: &[Speech], backends: &[&str], lines: &str) -> String {
    with_ports(ports, &destination(backends, lines).replace("\"reviews.mesh.internal\"", &format!("{PORTS_HOST:?}")))
}

/// The same destination with these ports.
pub fn with_ports(ports: &[Speech], destination: &str) -> String {
    let ports = ports.iter().map(|speech| format!("{{ number = {}, protocol = {:?} }}", speech.port(), speech.name()));
    let ports = format!("ports        = [{}]", ports.collect::<Vec<_>>().join(", "));
    destination.replace("ports        = [{ number = 9080, protocol = \"http\" }]", &ports)
}

/// The provider block over the API servers of a mesh.
pub fn provider(mesh: &Mesh) -> String {
    let entry = |cluster: &rig::Cluster| Live::entry_of(cluster.name(), &cluster.kubeconfig().display().to_string());
    block(&mesh.rig().clusters().map(entry).collect::<String>())
}

/// The provider block over folders, which are written with what the API servers of a mesh hold for this configuration.
pub fn folders(world: &World, istio: &str, configuration: &Configuration) -> String {
    let mut entries = String::new();
    for name in CLUSTERS {
        let objects = seeds::objects(Member::serving(name), istio).into_iter().chain(configuration.objects_in(name));
        // of two with one path, the later one was written over the first
        let objects: BTreeMap<_, Value> = objects.map(|object| (path_of(&object).expect("it has a path"), object)).collect();
        let objects = json!({ "apiVersion": "v1", "kind": "List", "items": Vec::from_iter(objects.into_values()) });
        world.write(&format!("clusters/{name}/inventory/all.json"), &objects.to_string());
        let _ = writeln!(entries, "    {name} = {{ directory = \"clusters/{name}\" }}");
    }
    block(&entries)
}

fn block(entries: &str) -> String {
    format!("provider \"gloo\" {{\n  owner = \"tests/mesh\"\n  clusters = {{\n{entries}  }}\n}}\n")
}

/// What stands for the objects of a case in its recording.
pub fn digest_of(manifests: &BTreeMap<String, Value>) -> String {
    let text: String = manifests.iter().map(|(key, object)| format!("{key}={object}\n")).collect();
    digest(&[&text])
}
