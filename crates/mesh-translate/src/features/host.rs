//! # What it does
//! Makes the hostname known in a client cluster and says what serves it.
//!
//! # Renders
//! The ServiceEntry: hosts, port, and a selector of pods and WorkloadEntries by canonical name. Where no pods of the cluster
//! serve, the selector is the destination's label alone, which its entries have and nothing else does: two destinations on one
//! canonical name share no entries, and another canonical name changes nothing about what is selected. The target port there
//! is that of gateways: an entry brings its own by the name of the host's port, and has this one while that name changes,
//! which takes a write of the host and one of the entry.
//!
//! # Interacts with
//! `remote_entry`, whose labels it selects.

use istio_objects::kinds::{DestinationRule, Location, Resolution, ServiceEntry, ServicePort, VirtualService, WorkloadSelector};
use mesh_model::intent::Protocol;

use super::exposure::listening_port;
use super::{Feature, Slice};
use crate::ir::{Host, LocalPods, Policy, RouteTable};

pub(super) const FEATURE: Feature = Feature {
    name: "host",
    slices: &[
        Slice::ServiceEntry(host, &["spec.hosts", "spec.location", "spec.resolution", "spec.ports", "spec.workloadSelector"]),
        Slice::DestinationRule(policy, &["spec.host"]),
        Slice::VirtualService(route_table, &["spec.hosts"]),
    ],
};

fn host(host: &Host) -> ServiceEntry {
    let (target_port, selector) = match host.local {
        LocalPods::Serving { target_port } => (target_port, WorkloadSelector::CanonicalName(host.canonical_name.clone())),
        LocalPods::None => (listening_port(), WorkloadSelector::Destination(host.destination.clone())),
    };
    let protocol = match host.protocol {
        Protocol::Http => "HTTP".to_owned(),
    };
    ServiceEntry {
        hosts: Some(vec![host.hostname.clone()]),
        location: Some(Location::MeshInternal),
        resolution: Some(Resolution::Static),
        ports: Some(vec![ServicePort { number: host.port, name: host.port_name.clone(), protocol, target_port }]),
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
