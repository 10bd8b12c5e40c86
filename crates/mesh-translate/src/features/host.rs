//! # What it does
//! Makes the hostname known in a client cluster and says what serves it.
//!
//! # Renders
//! The ServiceEntry: hosts, port, and a selector of pods and WorkloadEntries by canonical name. Where no pods of the cluster
//! serve, the selector is the destination's label alone, which its entries have and nothing else does: two destinations on one
//! canonical name share no entries, and another canonical name changes nothing about what is selected. The target port there
//! is that of gateways: an entry brings its own by the name of the host's port, and has this one while that name changes,
//! which takes a write of the host and one of the entry. Where nothing but the cluster's own pods ever serves, as with an export, it
//! is what their Service selects.
//!
//! # Interacts with
//! `remote_entry`, whose labels it selects.

use istio_objects::kinds::{DestinationRule, Location, Resolution, ServiceEntry, ServicePort, VirtualService, WorkloadSelector};
use mesh_model::names::Hostname;

use super::{Feature, Slice};
use crate::ir::{Host, HostPort, LocalPods, Policy, RouteTable};

pub(super) const FEATURE: Feature = Feature {
    name: "host",
    slices: &[
        Slice::ServiceEntry(host, &["spec.hosts", "spec.location", "spec.resolution", "spec.ports", "spec.workloadSelector"]),
        Slice::DestinationRule(policy, &["spec.host"]),
        Slice::VirtualService(route_table, &["spec.hosts"]),
    ],
};

fn host(host: &Host) -> ServiceEntry {
    let selector = match &host.local {
        LocalPods::Serving { canonical_name } => WorkloadSelector::CanonicalName(canonical_name.clone()),
        LocalPods::Alone { selector } => WorkloadSelector::Pods(selector.clone(), None),
        LocalPods::None => WorkloadSelector::Destination(host.destination.clone()),
    };
    known_by(&host.hostname, &host.ports, selector)
}

/// A host of the mesh whose endpoints have addresses.
pub(super) fn known_by(hostname: &Hostname, ports: &[HostPort], selector: WorkloadSelector) -> ServiceEntry {
    let ports = ports.iter().map(|port| ServicePort {
        number: port.number,
        name: port.name.clone(),
        protocol: port.protocol.as_str().to_ascii_uppercase(),
        target_port: port.target_port,
    });
    ServiceEntry {
        hosts: Some(vec![hostname.clone()]),
        location: Some(Location::MeshInternal),
        resolution: Some(Resolution::Static),
        ports: Some(ports.collect()),
        workload_selector: Some(selector),
        ..ServiceEntry::default()
    }
}

fn policy(policy: &Policy) -> DestinationRule {
    DestinationRule { host: Some(policy.hostname.clone()), ..DestinationRule::default() }
}

fn route_table(table: &RouteTable) -> VirtualService {
    VirtualService { hosts: Some(vec![table.hostname.clone()]), ..VirtualService::default() }
}
