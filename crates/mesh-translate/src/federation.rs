//! Exported Services: each is called by every member under a name of its own cluster, and served there alone.
//!
//! An export is a virtual destination with one backend and every member as a client, in the namespace of the Service, and is
//! translated like one. Three things differ, because no other cluster serves it:
//!
//! - What serves it is selected apart from everything else. A destination selects its pods by canonical name, and so would take
//!   the entries of an export of the same pods for its own, and the other way round. So entries of an export lack that name, and
//!   in its own cluster an export is served by what the Service selects.
//! - At most half of its endpoints are ejected: a way to the cluster that fails is given up for another one, the last way never.
//! - Every TCP port of the Service is a port of the name, with the Service's protocol. Where that is not known, connections are
//!   carried as they are (`tcp`), which is never wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_model::facts::{Backend, BackendPort};
use mesh_model::input::PathStep;
use mesh_model::intent::{
    Export, Failover, Federation, LoadBalancer, OutlierDetection, Port, Protocol, Ranking, Retries, ServicePort,
    VirtualDestination, VirtualMesh,
};
use mesh_model::names::{ClusterName, PortName};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use crate::link::{is_of_sidecars, port_of_sidecars};
use crate::lower::Selection;
use crate::{Objects, translate_selected};

/// Share of an export's endpoints that may be ejected at a time: of two ways to its cluster one stays, and so does a single one.
const MAX_EJECTION: u8 = 50;

/// Translates all exports. Where one is refused, its findings say so and it has no objects.
pub(crate) fn federate(mesh: &VirtualMesh, federation: &Federation) -> (Objects, Findings) {
    let mut objects: Objects = mesh.clusters.keys().map(|cluster| (cluster.clone(), Vec::new())).collect();
    let mut told = Told::default();
    for (index, export) in federation.exports.iter().enumerate() {
        let destination = destination(mesh, federation, export);
        if destination.ports.is_empty() {
            told.tell(no_port(export, index));
            continue;
        }
        if let Some(port) = destination.ports.iter().find(|port| is_of_sidecars(port)) {
            told.tell(uncalled(export, index, port));
            continue;
        }
        let translation = translate_selected(&destination, Selection::Apart);
        translation.findings.into_iter().for_each(|finding| told.tell(placed(finding, index)));
        for (cluster, made) in translation.objects {
            objects.entry(cluster).or_default().extend(made);
        }
    }
    (objects, told.findings())
}

/// The destination that an export is.
fn destination(mesh: &VirtualMesh, federation: &Federation, export: &Export) -> VirtualDestination {
    let Federation { exports: _, client_namespace, tcp_keepalive, ignored } = federation;
    let Export { hostname, backend } = export;
    let ports = ports(backend);
    let is_client_alone = |(cluster, _): &(&ClusterName, _)| **cluster != backend.cluster;
    VirtualDestination {
        mesh: mesh.clone(),
        namespace: backend.namespace.clone(),
        name: backend.service.as_str().parse().expect("a Service's name is one of an intent"),
        hostname: hostname.clone(),
        ports: ports.iter().map(|(_, port)| port.clone()).collect(),
        // its ports say what the Service's ports are: nothing contradicts them
        subsets: BTreeMap::new(),
        backends: vec![Backend { ports: ports.into_iter().map(|(port, _)| port).collect(), ..backend.clone() }],
        clients: mesh.clusters.keys().cloned().collect(),
        client_namespace: client_namespace.iter().filter(is_client_alone).map(|(c, n)| (c.clone(), n.clone())).collect(),
        // one cluster serves, so its rank says nothing and must not depend on regions
        failover: Failover { ranking: Ranking::Order(vec![backend.cluster.clone()]), ..Failover::default() },
        outlier_detection: OutlierDetection { max_ejection_percent: Leaf::Known(MAX_EJECTION), ..OutlierDetection::default() },
        retries: Retries::default(),
        timeout: None,
        connect_timeout: Leaf::Known(Duration::from_secs(1)),
        tcp_keepalive: tcp_keepalive.clone(),
        load_balancer: Leaf::Known(LoadBalancer::default()),
        export_to: vec![Leaf::Known("*".to_owned())],
        overlays: Vec::new(),
        ignored: ignored.clone(),
    }
}

/// Every port that proxies carry, and the name's port for it.
fn ports(backend: &Backend) -> Vec<(BackendPort, Port)> {
    let port = |port: &BackendPort| {
        let protocol = protocol(port.protocol.as_deref())?;
        let name = PortName::of(protocol, port.number);
        let exported = Port { number: port.number, name, protocol, service_port: ServicePort::Number(port.number) };
        Some((BackendPort { protocol: Some(protocol.as_str().to_owned()), ..port.clone() }, exported))
    };
    backend.ports.iter().filter_map(port).collect()
}

/// The protocol of a name's port for a Service's one; `None`: proxies do not carry it.
fn protocol(service: Option<&str>) -> Option<Protocol> {
    match service.unwrap_or_default() {
        "udp" => None,
        "http" | "grpc-web" => Some(Protocol::Http),
        "http2" => Some(Protocol::Http2),
        "grpc" => Some(Protocol::Grpc),
        "tls" | "https" => Some(Protocol::Tls),
        _ => Some(Protocol::Tcp),
    }
}

fn exports() -> AttributePath {
    AttributePath::of("federation").attribute("exports")
}

/// The same finding where the mesh has what the destination would have.
fn placed(mut finding: Finding, index: usize) -> Finding {
    let is = |step: Option<&PathStep>, name: &str| matches!(step, Some(PathStep::Attribute(own)) if own == name);
    let steps = &finding.path.0;
    finding.path = if is(steps.first(), "virtual_mesh") {
        AttributePath(steps[1..].to_vec())
    } else {
        let rest = if is(steps.first(), "backends") { steps.get(2..).unwrap_or_default() } else { &[] };
        let mut path = exports().index(index);
        path.0.extend_from_slice(rest);
        path
    };
    finding
}

fn no_port(export: &Export, index: usize) -> Finding {
    let Backend { cluster, namespace, service, .. } = &export.backend;
    Finding::new(
        Code::EmptyCollection,
        exports().index(index).attribute("ports"),
        format!("Service {namespace}/{service} in cluster {cluster} has no TCP port."),
        "Proxies carry nothing else, so that nobody could call it.",
        format!("Leave it out: exports = [for export in data.gloo_service.{service}.backends : export if export.cluster != \"{cluster}\"]"),
    )
    .in_cluster(cluster)
}

/// A port of the Service that nobody could call by this number.
fn uncalled(export: &Export, index: usize, port: &Port) -> Finding {
    let Backend { cluster, service, .. } = &export.backend;
    let others = format!("merge(export, {{ ports = [for port in export.ports : port if port.number != {}] }})", port.number);
    let fix = format!("Leave it out: exports = [for export in data.gloo_service.{service}.backends : {others}]");
    port_of_sidecars(exports().index(index).attribute("ports"), port, fix).in_cluster(cluster)
}

/// What was said. Of a cluster the same is said once, however many exports it is true of.
#[derive(Default)]
pub(crate) struct Told(BTreeMap<(Code, AttributePath, Option<ClusterName>), (Finding, usize)>);

impl Told {
    pub(crate) fn tell(&mut self, finding: Finding) {
        let about = (finding.code, finding.path.clone(), finding.cluster.clone());
        self.0.entry(about).and_modify(|(_, more)| *more += 1).or_insert((finding, 0));
    }

    pub(crate) fn findings(self) -> Findings {
        let summed_up = |(mut finding, more): (Finding, usize)| {
            match more {
                0 => {}
                1 => finding.what.push_str(" So it is with 1 more export."),
                _ => finding.what.push_str(&format!(" So it is with {more} more exports.")),
            }
            finding
        };
        self.0.into_values().map(summed_up).collect()
    }
}
