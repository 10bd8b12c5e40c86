//! Ports: what the Services behind the destination have there, and which settings mean anything for them.

use mesh_model::facts::{Backend, BackendPort};
use mesh_model::intent::{Port, Protocol, Retries, ServicePort, VirtualDestination};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use super::releases::ADDRESSES;
use super::{Scope, facts_path};

pub(super) fn none(intent: &VirtualDestination) -> Finding {
    Finding::new(
        Code::EmptyCollection,
        AttributePath::of("ports"),
        format!("{} has no port.", intent.hostname),
        "There is nothing to call.",
        "ports = [{ number = 9080 }]",
    )
}

/// The port of a Service behind `port`.
pub(super) fn of_service<'a>(
    index: usize,
    backend: &'a Backend,
    port: &Port,
    findings: &mut Findings,
) -> Option<&'a BackendPort> {
    let Backend { cluster, namespace, service, ports, .. } = backend;
    let path = AttributePath::of("backends").index(index).attribute("ports");
    let (found, asked) = match &port.service_port {
        ServicePort::Number(number) => (ports.iter().find(|port| port.number == *number), number.to_string()),
        ServicePort::Name(name) => (ports.iter().find(|port| port.name.as_deref() == Some(name.as_str())), name.to_string()),
    };
    let Some(found) = found else {
        let has: Vec<String> = ports
            .iter()
            .map(|port| port.name.as_ref().map_or_else(|| port.number.to_string(), |name| format!("{} ({name})", port.number)))
            .collect();
        let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
        let fix = ports.first().map_or(port.number, |port| port.number);
        findings.push(
            Finding::new(
                Code::PortNotInService,
                path,
                format!("Service {namespace}/{service} in cluster {cluster} has no port {asked}; its ports: {has}."),
                "Gateways find the Service by its port: calls to other clusters would find nobody.",
                format!("Name the Service's port: ports = [{{ number = {}, service_port = {fix} }}]", port.number),
            )
            .in_cluster(cluster),
        );
        return None;
    };
    if let Some(protocol) = &found.protocol
        && !agrees(port.protocol, protocol)
    {
        findings.push(
            Finding::new(
                Code::ProtocolContradicts,
                path,
                format!(
                    "Port {} of Service {namespace}/{service} in cluster {cluster} speaks {protocol}, the destination's port {} {}.",
                    found.number,
                    port.number,
                    port.protocol.as_str()
                ),
                "Clients would speak a protocol that the pods, or the sidecar in front of them, do not understand.",
                format!(
                    "Say what the Service speaks: ports = [{{ number = {}, protocol = {:?} }}], or set `appProtocol` of the Service's port if that is what is wrong.",
                    port.number,
                    named_after(protocol)
                ),
            )
            .in_cluster(cluster),
        );
    }
    Some(found)
}

/// Whether the sidecar in front of the pods hands on what clients speak: by the Service's protocol, as Istio reads it, it looks
/// into requests or not at all. Where the Service says nothing it looks first.
fn agrees(port: Protocol, service: &str) -> bool {
    let service = service.to_ascii_lowercase();
    let is_one_of = |names: &[&str]| ["auto", ""].iter().chain(names).any(|name| *name == service);
    match port {
        Protocol::Http => is_one_of(&["http", "http2", "grpc-web"]),
        Protocol::Http2 | Protocol::Grpc => is_one_of(&["http2", "grpc"]),
        Protocol::Tls => is_one_of(&["tls", "https", "tcp"]),
        Protocol::Tcp => is_one_of(&["tcp", "tls", "https", "mongo", "mysql", "redis"]),
    }
}

/// The destination's protocol for a Service's one.
fn named_after(service: &str) -> &str {
    match service.to_ascii_lowercase().as_str() {
        "http2" => "http2",
        "grpc" => "grpc",
        "tls" | "https" => "tls",
        "tcp" | "mongo" | "mysql" | "redis" => "tcp",
        _ => "http",
    }
}

fn of_sidecars(index: usize, port: &Port) -> Finding {
    let service_port = match &port.service_port {
        ServicePort::Number(number) => format!("service_port = {number}"),
        ServicePort::Name(name) => format!("service_port_name = \"{name}\""),
    };
    let path = AttributePath::of("ports").index(index).attribute("number");
    let protocol = port.protocol.as_str();
    let fix = format!("Call it by another number: ports = [{{ number = 8080, protocol = \"{protocol}\", {service_port} }}]");
    port_of_sidecars(path, port, fix)
}

/// The finding about a port of which [`is_of_sidecars`] is true.
pub(crate) fn port_of_sidecars(path: AttributePath, port: &Port, fix: String) -> Finding {
    let what = format!("Port {} is one that every sidecar keeps for itself.", port.number);
    Finding::new(
        Code::PortOfSidecars,
        path,
        what,
        "istiod gives clients no listener for HTTP there, and says so in its log alone.",
        fix,
    )
}

/// Ports of every sidecar: what leaves, what arrives, health, and metrics (`conflictWithReservedListener` of istiod).
const OF_SIDECARS: [u16; 4] = [15001, 15006, 15021, 15090];

/// Whether sidecars have no listener for what clients would call.
pub(crate) fn is_of_sidecars(port: &Port) -> bool {
    port.protocol.has_requests() && OF_SIDECARS.contains(&port.number.get())
}

/// Judges numbers, and ports that carry connections instead of requests.
pub(super) fn check(scope: &Scope<'_>, ports: &[&Port], findings: &mut Findings) {
    for (index, port) in scope.intent.ports.iter().enumerate() {
        if is_of_sidecars(port) {
            findings.push(of_sidecars(index, port));
        }
    }
    let connections: Vec<&&Port> = ports.iter().filter(|port| !port.protocol.has_requests()).collect();
    check_addresses(scope, &connections, findings);
    if connections.len() == ports.len() {
        let intent = scope.intent;
        let is_set = [("timeout", intent.timeout.is_some()), ("retries", intent.retries != Retries::default())];
        for (setting, _) in is_set.into_iter().filter(|(_, is_set)| *is_set) {
            findings.push(Finding::new(
                Code::NoEffect,
                AttributePath::of(setting),
                format!("{} has no port of HTTP, so that `{setting}` does nothing.", intent.hostname),
                "Proxies see connections there, no requests that they could repeat or limit.",
                format!(
                    "Remove `{setting}`, or name the protocol of the port: ports = [{{ number = {}, protocol = \"http\" }}]",
                    connections[0].number
                ),
            ));
        }
    }
}

/// Clients whose Istio gives hostnames no address: nobody needs one where something else than a sidecar resolves hostnames.
fn check_addresses(scope: &Scope<'_>, connections: &[&&Port], findings: &mut Findings) {
    let names: Vec<String> = connections.iter().map(|port| port.name.to_string()).collect();
    for (cluster, facts) in scope.clients.iter().filter(|(_, facts)| facts.istio_version < ADDRESSES) {
        let is_captured = facts.dns_capture.as_ref().and_then(Leaf::known);
        let resolved = (is_captured == Some(&true)).then(|| {
            "Sidecars that answer DNS know only hostnames with an address, so that nobody there resolves it.".to_owned()
        });
        let told = (is_captured != Some(&false) && !names.is_empty()).then(|| {
            format!(
                "Sidecars tell connections of {} by address and port; without an address, the hostname takes every connection to that port which no other listener takes.",
                names.join(", ")
            )
        });
        let why: Vec<String> = resolved.into_iter().chain(told).collect();
        if why.is_empty() {
            continue;
        }
        let what = format!(
            "Cluster {cluster} runs Istio {}, which gives {} no address by itself.",
            facts.istio_version, scope.intent.hostname
        );
        let fix = format!(
            "Upgrade Istio there to {ADDRESSES}, or turn it on and restart the workloads: meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_AUTO_ALLOCATE = \"true\""
        );
        let path = facts_path(cluster).attribute("istio_version");
        findings.push(Finding::new(Code::AddressNotGiven, path, what, why.join(" "), fix).in_cluster(cluster));
    }
}
