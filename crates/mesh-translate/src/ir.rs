//! What each cluster is to hold, with every decision taken, before anybody knows in which fields it is written.
//!
//! What several clusters hold alike is one value that they share, so that a fleet costs as much as its differences.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mesh_model::facts::GatewayAddress;
use mesh_model::intent::{LoadBalancer, OutlierDetection, Protocol, TcpKeepalive};
use mesh_model::names::{
    CanonicalName, ClusterName, Hostname, Namespace, NetworkName, ObjectName, PortName, PortNumber, Region, ServiceAccount,
    SubsetName,
};
use mesh_model::{Code, Leaf};

/// What one cluster is to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterPlan {
    /// what its gateways pass through for other clusters
    pub exposures: Vec<Arc<Exposure>>,
    /// what they know its pods by, where that is no Service's name
    pub serving: Option<Arc<ServingHost>>,
    /// what tells them apart there
    pub serving_subsets: Option<Arc<ServingSubsets>>,
    /// what its workloads need to call the destination; `None` where they are no clients
    pub client: Option<ClientPlan>,
}

/// What the workloads of a cluster need to call the destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPlan {
    /// namespace of the objects
    pub namespace: Namespace,
    /// the host
    pub host: Arc<Host>,
    /// how clients connect
    pub policy: Arc<Policy>,
    /// what happens to requests, in order; `None` where no port carries requests
    pub route_table: Option<Arc<RouteTable>>,
    /// the other clusters that serve
    pub entries: Vec<Arc<Entry>>,
    /// gateways that stand for entries without an address
    pub remote_gateways: Vec<Arc<RemoteGateway>>,
}

/// What a gateway passes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// name of the object
    pub name: ObjectName,
    /// namespace of the gateway
    pub namespace: Namespace,
    /// the gateway's labels
    pub selector: BTreeMap<String, String>,
    /// the name by which it knows what serves: the FQDN of a Service, or a [`ServingHost`]
    pub served_host: String,
    /// the destination's label
    pub destination: String,
}

/// The name by which gateways know the pods of a cluster, where Services differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServingHost {
    /// name of the object
    pub name: ObjectName,
    /// namespace of the pods
    pub namespace: Namespace,
    /// the host
    pub hostname: Hostname,
    /// the destination's label
    pub destination: String,
    /// its ports: those of the destination, by number
    pub ports: Vec<HostPort>,
    /// labels of the pods, which no entry of another cluster has
    pub selector: BTreeMap<String, String>,
    /// their canonical name, where `selector` alone may meet others
    pub canonical_name: Option<Leaf<CanonicalName>>,
    /// namespaces where gateways are, the only ones that see it
    pub gateways: Vec<Namespace>,
}

/// The subsets by which gateways know the pods of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServingSubsets {
    /// name of the object
    pub name: ObjectName,
    /// namespace of the pods
    pub namespace: Namespace,
    /// the [`ServingHost`]
    pub hostname: Hostname,
    /// the destination's label
    pub destination: String,
    /// labels by name: of all subsets, also where the cluster has no pods of one, so that no change of its backends takes away what
    /// a call may still ask for
    pub subsets: Vec<(SubsetName, BTreeMap<String, String>)>,
    /// namespaces where gateways are, the only ones that see them
    pub gateways: Vec<Namespace>,
}

/// The hostname and what serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// name of the object
    pub name: ObjectName,
    /// what clients call
    pub hostname: Hostname,
    /// the destination's label
    pub destination: String,
    /// its ports, by number
    pub ports: Vec<HostPort>,
    /// pods of the cluster itself
    pub local: LocalPods,
    /// SPIFFE ids of what serves
    pub identities: Vec<Leaf<String>>,
    /// namespaces that see it
    pub export_to: Vec<Leaf<String>>,
    /// warnings that the user overruled, with the reasons
    pub ignored: BTreeMap<Code, String>,
}

/// A port of the hostname.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// what clients call
    pub number: PortNumber,
    /// its name
    pub name: PortName,
    /// its protocol
    pub protocol: Protocol,
    /// port of the cluster's own pods; of gateways where none serve
    pub target_port: PortNumber,
}

/// Whether the cluster's own pods serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalPods {
    /// none: other clusters serve
    None,
    /// they do
    Serving {
        /// the name that they have, and entries of other clusters with them
        canonical_name: Leaf<CanonicalName>,
    },
    /// they do, and the entries of no other cluster with them
    Alone {
        /// labels of the pods, which no entry has
        selector: BTreeMap<String, String>,
    },
}

/// How clients connect and choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// the host
    pub hostname: Hostname,
    /// namespaces that see it
    pub export_to: Vec<Leaf<String>>,
    /// by port of the host, as many as it has
    pub ports: Vec<PortPolicy>,
    /// of its subsets, each whole: a subset takes what it lacks from the policy of the host, server name included
    pub subsets: Vec<SubsetPolicy>,
}

/// How clients connect to a subset and choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubsetPolicy {
    /// its name
    pub name: SubsetName,
    /// labels of its endpoints
    pub labels: BTreeMap<String, String>,
    /// by port of the host, as many as it has
    pub ports: Vec<PortPolicy>,
}

/// How clients connect to a port and choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPolicy {
    /// port of the host
    pub number: PortNumber,
    /// server name by which gateways find the port of the Service
    pub sni: String,
    /// SPIFFE ids of servers
    pub identities: Vec<Leaf<String>>,
    /// limit of connecting
    pub connect_timeout: Leaf<Duration>,
    /// probes on silent connections
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// choice among endpoints of one rank
    pub load_balancer: Leaf<LoadBalancer>,
    /// how endpoints are ranked
    pub ranks: Ranks,
    /// ejection
    pub outlier_detection: OutlierDetection,
}

/// Which endpoints serve a client, and when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ranks {
    /// by labels
    Labels {
        /// the highest one of any client, so that the policy is the same in every cluster
        highest: u32,
    },
    /// by localities: istiod puts the addresses of gateways in the place of entries without one, and keeps no label of them
    Localities {
        /// region of the clients
        from: Leaf<Region>,
    },
    /// all at once: percent of requests by region, which pods have from their nodes, and entries for their cluster
    Shares(Vec<(Leaf<Region>, u8)>),
}

/// What happens to requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTable {
    /// the host
    pub hostname: Hostname,
    /// namespaces that see it
    pub export_to: Vec<Leaf<String>>,
    /// routes; the first that matches counts
    pub routes: Vec<Route>,
    /// of ports without requests, where they are split; otherwise they need none
    pub connections: Option<ConnectionRoute>,
}

/// Who serves a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destinations {
    /// the host
    Host(Hostname),
    /// subsets of the host that get calls, with percent
    Subsets(Hostname, Vec<(SubsetName, u8)>),
}

/// A route of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRoute {
    /// ports of the host
    pub ports: Vec<PortNumber>,
    /// who serves
    pub destinations: Destinations,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// its name
    pub name: &'static str,
    /// methods that it takes; empty: all
    pub methods: &'static [&'static str],
    /// who serves
    pub destinations: Destinations,
    /// how often a request is tried again
    pub attempts: Leaf<u32>,
    /// limit of one try
    pub per_try_timeout: Option<Leaf<Duration>>,
    /// whether an answer 503 is tried again
    pub retry_unavailable: Leaf<bool>,
    /// whether a broken connection is tried again
    pub retry_on_reset: Leaf<bool>,
    /// limit of a whole request
    pub timeout: Option<Leaf<Duration>>,
}

/// How another cluster is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// by an address of its gateways
    Address {
        /// the address
        address: Leaf<IpAddr>,
        /// the gateway's port
        port: Leaf<PortNumber>,
    },
    /// by whatever stands for its network
    Network(NetworkName),
}

/// What tells the rank of an entry, or its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RankedBy {
    /// a label, beside the region of the cluster
    Label {
        /// region of the cluster
        region: Option<Leaf<Region>>,
    },
    /// the region, which stands for the rank
    Locality,
    /// the region, which stands for the cluster, which has a share
    Share,
}

/// Where another cluster's network is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteGateway {
    /// name of the object
    pub name: ObjectName,
    /// the network
    pub network: NetworkName,
    /// the gateway's addresses
    pub address: GatewayAddress,
    /// its port
    pub port: Leaf<PortNumber>,
    /// the destination's label
    pub destination: String,
}

/// Another cluster that serves, by one way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// name of the object
    pub name: ObjectName,
    /// the cluster
    pub cluster: ClusterName,
    /// the destination's label
    pub destination: String,
    /// labels of the subset of its pods that it stands for; empty: of all
    pub subset: BTreeMap<String, String>,
    /// how it is reached
    pub way: Way,
    /// names of the host's ports, all of which it serves
    pub port_names: Vec<PortName>,
    /// when it serves: 1 is next after the client's own cluster
    pub rank: Leaf<u32>,
    /// how that is said
    pub ranked_by: RankedBy,
    /// canonical name of the client's own pods, or of its own; `None`: no host selects it by that
    pub canonical_name: Option<Leaf<CanonicalName>>,
    /// account of its pods, where there is exactly one and it lives in the entry's namespace
    pub service_account: Option<Leaf<ServiceAccount>>,
}
