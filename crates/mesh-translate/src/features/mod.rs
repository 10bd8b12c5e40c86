//! Features: each gives a slice of some objects. One file each, all listed in [`FEATURES`].
//!
//! A feature declares the fields that it writes; no two write the same field of one kind. Tests hold both.

mod connection_pool;
mod exposure;
mod failover;
mod host;
mod ignored_findings;
mod mutual_tls;
mod outlier_detection;
mod remote_entry;
mod remote_gateway;
mod retries;
mod routing;
mod serving;
mod subsets;
mod timeout;
mod visibility;

#[cfg(test)]
mod tests;

pub(crate) use exposure::listening_port;
pub(crate) use failover::RANKS_BY_LOCALITY;
use istio_objects::kinds::{
    DestinationRule, Gateway, HttpRoute, RemoteGateway, ServiceEntry, TcpRoute, TrafficPolicy, VirtualService, WorkloadEntry,
};

use crate::ir;

/// A unit of translation.
pub struct Feature {
    /// its name; `testdata/<name>/` holds its golden cases
    pub name: &'static str,
    /// what it gives
    pub slices: &'static [Slice],
}

/// What a feature gives to one kind: the function, and the fields that it writes.
pub enum Slice {
    /// of a serving cluster's Gateway
    Gateway(fn(&ir::Exposure) -> Gateway, &'static [&'static str]),
    /// of the ServiceEntry by which its gateways know its pods
    ServingEntry(fn(&ir::ServingHost) -> ServiceEntry, &'static [&'static str]),
    /// of the DestinationRule by which they tell them apart
    ServingRule(fn(&ir::ServingSubsets) -> DestinationRule, &'static [&'static str]),
    /// of a client cluster's DestinationRule
    DestinationRule(fn(&ir::Policy) -> DestinationRule, &'static [&'static str]),
    /// of the policy of each port there
    TrafficPolicy(fn(&ir::PortPolicy) -> TrafficPolicy, &'static [&'static str]),
    /// of its VirtualService
    VirtualService(fn(&ir::RouteTable) -> VirtualService, &'static [&'static str]),
    /// of each route there
    HttpRoute(fn(&ir::Route) -> HttpRoute, &'static [&'static str]),
    /// of its route for connections
    TcpRoute(fn(&ir::ConnectionRoute) -> TcpRoute, &'static [&'static str]),
    /// of each of its WorkloadEntries
    WorkloadEntry(fn(&ir::Entry) -> WorkloadEntry, &'static [&'static str]),
    /// of each of its Gateways for other networks
    RemoteGateway(fn(&ir::RemoteGateway) -> RemoteGateway, &'static [&'static str]),
    /// of its ServiceEntry
    ServiceEntry(fn(&ir::Host) -> ServiceEntry, &'static [&'static str]),
}

/// All features. Their order has no meaning.
pub const FEATURES: &[Feature] = &[
    connection_pool::FEATURE,
    exposure::FEATURE,
    failover::FEATURE,
    host::FEATURE,
    ignored_findings::FEATURE,
    mutual_tls::FEATURE,
    outlier_detection::FEATURE,
    remote_entry::FEATURE,
    remote_gateway::FEATURE,
    retries::FEATURE,
    routing::FEATURE,
    serving::FEATURE,
    subsets::FEATURE,
    timeout::FEATURE,
    visibility::FEATURE,
];
