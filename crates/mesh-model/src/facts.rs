//! Facts: what is known about a cluster and a service without asking now. They come from data sources or are written by
//! hand, and change slowly: no counts, no patch level, no endpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::Leaf;
use crate::names::{
    CanonicalName, ClusterDomain, ClusterName, Hostname, IstioMinor, Namespace, NetworkName, PortNumber, Region, Revision,
    ServiceAccount, ServiceName, SubsetName, TrustDomain,
};

/// What translation needs to know of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterFacts {
    /// minor release of its control plane
    pub istio_version: IstioMinor,
    /// revision of its control plane
    pub revision: Revision,
    /// trust domain of its workloads
    pub trust_domain: TrustDomain,
    /// DNS suffix of its Services
    pub cluster_domain: ClusterDomain,
    /// Istio's root namespace
    pub root_namespace: Namespace,
    /// Istio network of its workloads, if it has one
    pub network: Option<Leaf<NetworkName>>,
    /// region of its nodes
    pub region: Option<Leaf<Region>>,
    /// whether sidecars answer DNS for ServiceEntry hosts; `None`: not known
    pub dns_capture: Option<Leaf<bool>>,
    /// east-west gateways, in the order in which they are to be used
    pub gateways: Vec<GatewayFacts>,
}

/// An east-west gateway: where other clusters reach this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayFacts {
    /// namespace of its workload
    pub namespace: Namespace,
    /// labels that select its workload
    pub selector: BTreeMap<String, String>,
    /// where it answers
    pub address: GatewayAddress,
    /// port where other clusters reach it
    pub port: Leaf<PortNumber>,
    /// hosts that Gateways of others already pass through there (`*.local`)
    pub exposed_hosts: Vec<String>,
}

impl GatewayFacts {
    /// What a server with `AUTO_PASSTHROUGH` passes through for one of its hosts: a name. istiod does not look at the namespace
    /// that may stand before it: `shop/*.local` passes each Service of the cluster, seen with Istio 1.29 and 1.30.
    #[must_use]
    pub fn passed_name(host: &str) -> &str {
        host.rsplit_once('/').map_or(host, |(_, name)| name)
    }

    /// The label that Istio's own samples and charts put on east-west gateways.
    #[must_use]
    pub fn default_selector() -> BTreeMap<String, String> {
        BTreeMap::from([("istio".to_owned(), "eastwestgateway".to_owned())])
    }
}

/// The form is chosen by which argument is set, never by a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayAddress {
    /// `addresses`
    Addresses(Vec<Leaf<IpAddr>>),
    /// `hostname`
    Hostname(Leaf<Hostname>),
}

/// A Service of one cluster that serves a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// cluster
    pub cluster: ClusterName,
    /// namespace of the Service
    pub namespace: Namespace,
    /// name of the Service
    pub service: ServiceName,
    /// ports of the Service
    pub ports: Vec<BackendPort>,
    /// the Service's selector
    pub selector: BTreeMap<String, String>,
    /// value of `service.istio.io/canonical-name` on its pods
    pub canonical_name: Leaf<CanonicalName>,
    /// service accounts of its pods
    pub service_accounts: Vec<Leaf<ServiceAccount>>,
    /// subsets of the destination that it has pods of; `None`: all of them. No fact: whoever uses the backend says it
    pub subsets: Option<BTreeSet<SubsetName>>,
}

impl Backend {
    /// Whether it has pods of a subset of the destination.
    #[must_use]
    pub fn has_subset(&self, name: &SubsetName) -> bool {
        self.subsets.as_ref().is_none_or(|subsets| subsets.contains(name))
    }
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendPort {
    /// the Service's port
    pub number: PortNumber,
    /// its name
    pub name: Option<String>,
    /// the port of the pods
    pub target_port: PortNumber,
    /// as Istio reads it from `appProtocol` or the name's prefix: `http`, `http2`, `grpc`, `tls`, `tcp`, …
    pub protocol: Option<String>,
}
