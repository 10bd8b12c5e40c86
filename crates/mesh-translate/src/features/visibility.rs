//! # What it does
//! Says which namespaces see the hostname and what belongs to it.
//!
//! # Renders
//! `exportTo` of ServiceEntry, DestinationRule and VirtualService, all the same: a client that sees the host but not its
//! policy would spread its calls over all clusters.
//!
//! # Interacts with
//! `host`.

use istio_objects::kinds::{DestinationRule, ServiceEntry, VirtualService};

use super::{Feature, Slice};
use crate::ir::{Host, Policy, RouteTable};

pub(super) const FEATURE: Feature = Feature {
    name: "visibility",
    slices: &[
        Slice::ServiceEntry(host, &["spec.exportTo"]),
        Slice::DestinationRule(policy, &["spec.exportTo"]),
        Slice::VirtualService(route_table, &["spec.exportTo"]),
    ],
};

fn host(host: &Host) -> ServiceEntry {
    ServiceEntry { export_to: Some(host.export_to.clone()), ..ServiceEntry::default() }
}

fn policy(policy: &Policy) -> DestinationRule {
    DestinationRule { export_to: Some(policy.export_to.clone()), ..DestinationRule::default() }
}

fn route_table(table: &RouteTable) -> VirtualService {
    VirtualService { export_to: Some(table.export_to.clone()), ..VirtualService::default() }
}
