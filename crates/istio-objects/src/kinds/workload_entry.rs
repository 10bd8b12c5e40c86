//! `WorkloadEntry` of `networking.istio.io`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mesh_model::Leaf;
use mesh_model::names::{CanonicalName, NetworkName, PortNumber, Region, ServiceAccount};

use super::macros::kind;
use super::value::ToTree;
use crate::{Tree, reserved};

kind! {
    /// An endpoint outside Kubernetes: here, the gateway of another cluster.
    WorkloadEntry {
        /// where it is reached
        address: Leaf<IpAddr> => "spec.address",
        /// the network whose gateways stand for it, where it has no address
        network: NetworkName => "spec.network",
        /// by name of the ServiceEntry's port
        ports: BTreeMap<String, Leaf<PortNumber>> => "spec.ports",
        /// region where requests are really served, or one that stands for a rank
        locality: Leaf<Region> => "spec.locality",
        /// share among endpoints of one priority
        weight: u32 => "spec.weight",
        /// identity of the server
        service_account: Leaf<ServiceAccount> => "spec.serviceAccount",
        /// the canonical name of the pods behind it
        canonical_name: Leaf<CanonicalName> => "spec.labels[service.istio.io/canonical-name]",
        /// that it speaks mutual TLS
        tls_mode: String => "spec.labels[security.istio.io/tlsMode]",
        /// the destination that it serves
        destination: String => "spec.labels[gloo-terraform/destination]",
        /// the subset of the destination that it serves, by its labels
        subset: BTreeMap<String, String> => "spec.labels[*]",
        /// failover rank
        rank: RankLabel => "spec.labels[gloo-terraform-rank/*]",
    }
}

/// The label that says when an endpoint serves; 1 is the first after the local cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RankLabel(pub Leaf<u32>);

impl RankLabel {
    /// Its key for a rank.
    #[must_use]
    pub fn key(rank: u32) -> String {
        format!("{}{rank}", reserved::RANK_PREFIX)
    }
}

impl ToTree for RankLabel {
    fn to_tree(&self) -> Tree {
        match &self.0 {
            Leaf::Known(rank) => Tree::map([(Self::key(*rank), Tree::from("y"))]),
            Leaf::Unknown(path) => Tree::Unknown(path.clone()),
        }
    }
}
