//! From facts to attribute values: what data sources return and examples show. Every attribute is there; a default is null.
//!
//! Decoding gives back what was encoded; an unknown leaf comes back unknown, under the path where it was read.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::facts::{Backend, BackendPort, ClusterFacts, GatewayAddress, GatewayFacts};
use crate::intent::VirtualMesh;
use crate::names::{ClusterDomain, HostnameSuffix, Namespace, PortNumber, Revision};
use crate::{Input, Leaf};

/// The facts of a cluster, as `data.gloo_cluster.x.facts` shows them.
#[must_use]
pub fn cluster_facts(facts: &ClusterFacts) -> Input {
    let ClusterFacts {
        istio_version,
        revision,
        trust_domain,
        cluster_domain,
        root_namespace,
        network,
        region,
        dns_capture,
        gateways,
    } = facts;
    object([
        ("istio_version", text(istio_version)),
        ("trust_domain", text(trust_domain)),
        ("revision", unless(*revision == Revision::default(), || text(revision))),
        ("cluster_domain", unless(*cluster_domain == ClusterDomain::default(), || text(cluster_domain))),
        ("root_namespace", unless(*root_namespace == Namespace::istio_system(), || text(root_namespace))),
        ("network", network.as_ref().map_or(Input::Null, |network| leaf(network, text))),
        ("region", region.as_ref().map_or(Input::Null, |region| leaf(region, text))),
        ("dns_capture", dns_capture.as_ref().map_or(Input::Null, |capture| leaf(capture, |capture| Input::Bool(*capture)))),
        ("gateways", Input::List(gateways.iter().map(|gateway| gateway_facts(gateway, root_namespace)).collect())),
    ])
}

fn gateway_facts(gateway: &GatewayFacts, root: &Namespace) -> Input {
    let GatewayFacts { namespace, selector, address, port, exposed_hosts } = gateway;
    let (addresses, hostname) = match address {
        GatewayAddress::Addresses(addresses) => {
            (Input::List(addresses.iter().map(|address| leaf(address, text)).collect()), Input::Null)
        }
        GatewayAddress::Hostname(hostname) => (Input::Null, leaf(hostname, text)),
    };
    object([
        ("addresses", addresses),
        ("hostname", hostname),
        ("port", unless(*port == Leaf::Known(PortNumber::EAST_WEST), || leaf(port, number))),
        ("namespace", unless(namespace == root, || text(namespace))),
        ("selector", unless(*selector == GatewayFacts::default_selector(), || labels(selector))),
        ("exposed_hosts", texts(exposed_hosts)),
    ])
}

/// A backend, as an element of `data.gloo_service.x.backends`.
#[must_use]
pub fn backend(backend: &Backend) -> Input {
    let Backend { cluster, namespace, service, ports, selector, canonical_name, service_accounts, subsets: _ } = backend;
    object([
        ("cluster", text(cluster)),
        ("namespace", text(namespace)),
        ("service", text(service)),
        ("ports", Input::List(ports.iter().map(backend_port).collect())),
        ("selector", labels(selector)),
        ("canonical_name", leaf(canonical_name, text)),
        ("service_accounts", Input::List(service_accounts.iter().map(|account| leaf(account, text)).collect())),
    ])
}

fn backend_port(port: &BackendPort) -> Input {
    let BackendPort { number: own, name, target_port, protocol } = port;
    object([
        ("number", number(own)),
        ("name", name.as_ref().map_or(Input::Null, text)),
        ("target_port", number(target_port)),
        ("protocol", protocol.as_ref().map_or(Input::Null, text)),
    ])
}

/// A mesh, as `gloo_virtual_mesh.x.mesh` shows it.
#[must_use]
pub fn virtual_mesh(mesh: &VirtualMesh) -> Input {
    let VirtualMesh { name, hostname_suffix, clusters, accepted_trust_domains } = mesh;
    let accepted = accepted_trust_domains.iter().map(|(cluster, domains)| (cluster.to_string(), texts(domains)));
    object([
        ("name", text(name)),
        ("hostname_suffix", unless(*hostname_suffix == HostnameSuffix::default(), || text(hostname_suffix))),
        ("accepted_trust_domains", unless(accepted_trust_domains.is_empty(), || Input::Map(accepted.collect()))),
        ("clusters", Input::Map(clusters.iter().map(|(name, facts)| (name.to_string(), cluster_facts(facts))).collect())),
    ])
}

fn object<const N: usize>(members: [(&str, Input); N]) -> Input {
    Input::Map(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn text(value: &impl Display) -> Input {
    Input::String(value.to_string())
}

fn number(port: &PortNumber) -> Input {
    Input::Number(port.to_string())
}

fn labels(labels: &BTreeMap<String, String>) -> Input {
    Input::Map(labels.iter().map(|(key, value)| (key.clone(), text(value))).collect())
}

/// Null where there are none.
fn texts<'t, T: Display + 't>(values: impl IntoIterator<Item = &'t T>) -> Input {
    let values: Vec<Input> = values.into_iter().map(text).collect();
    unless(values.is_empty(), || Input::List(values))
}

fn leaf<T>(leaf: &Leaf<T>, known: impl FnOnce(&T) -> Input) -> Input {
    leaf.known().map_or(Input::Unknown, known)
}

fn unless(is_default: bool, value: impl FnOnce() -> Input) -> Input {
    if is_default { Input::Null } else { value() }
}
