//! What the objects of one cluster say, read back from their trees.

mod access;
mod host;
mod part;
mod policy;
mod remote;
mod route;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::Object;

pub(crate) use access::{Access, Action};
pub(crate) use host::{Host, HostPort, Protocol};
pub use part::Unforeseen;
pub(crate) use policy::{Distribution, Failover, Locality, Outlier, Policy, PortPolicy};
pub(crate) use remote::{Entry, EntryAddress, Passthrough, RemoteGateway};
pub(crate) use route::{Limit, Retries, Route, RouteTable, Target};

/// The configuration of one cluster.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) hosts: Vec<Host>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) route_tables: Vec<RouteTable>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) gateways: Vec<Passthrough>,
    /// gateways of other networks
    pub(crate) remote_gateways: Vec<RemoteGateway>,
    pub(crate) access: Vec<Access>,
}

impl Configuration {
    pub(crate) fn read(objects: &[Arc<Object>]) -> Result<Self, Unforeseen> {
        let mut configuration = Self::default();
        for object in objects {
            match object.kind.key_name().as_str() {
                "ServiceEntry" => configuration.hosts.push(Host::read(object)?),
                "DestinationRule" => configuration.policies.push(Policy::read(object)?),
                "VirtualService" => configuration.route_tables.push(RouteTable::read(object)?),
                "WorkloadEntry" => configuration.entries.push(Entry::read(object)?),
                "Gateway" => configuration.gateways.push(Passthrough::read(object)?),
                "Gateway.gateway.networking.k8s.io" => configuration.remote_gateways.extend(RemoteGateway::read(object)?),
                "AuthorizationPolicy" => configuration.access.push(Access::read(object)?),
                _ => return Err(Unforeseen::NotModelled { object: object.key(), member: "kind".to_owned() }),
            }
        }
        Ok(configuration)
    }

    /// Where a network is reached, each place once.
    pub(crate) fn gateways_of(&self, network: &str) -> BTreeSet<&RemoteGateway> {
        self.remote_gateways.iter().filter(|gateway| gateway.network == network).collect()
    }

    /// The networks with gateways.
    pub(crate) fn networks(&self) -> BTreeSet<&str> {
        self.remote_gateways.iter().map(|gateway| gateway.network.as_str()).collect()
    }
}

/// Namespace of an object; ours all have one.
fn namespace(object: &Object) -> String {
    object.namespace.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// Whether an object of `namespace` with this `exportTo` is seen in the namespace `viewer`.
pub(crate) fn is_visible(export_to: &[String], namespace: &str, viewer: &str) -> bool {
    export_to.is_empty() || export_to.iter().any(|to| to == "*" || to == viewer || (to == "." && namespace == viewer))
}

/// Whether a selector selects a workload. One without labels selects none.
pub(crate) fn is_selected(selector: Option<&BTreeMap<String, String>>, labels: &BTreeMap<String, String>) -> bool {
    selector.is_some_and(|selector| !selector.is_empty() && has_labels(labels, selector))
}

/// Whether all of these are among the labels.
pub(crate) fn has_labels(labels: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}
