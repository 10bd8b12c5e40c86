//! Intents: what a resource means, in mesh terms, valid by construction.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::facts::{Backend, ClusterFacts};
use crate::names::{
    ClusterName, Hostname, HostnameSuffix, IntentName, Namespace, PortName, PortNumber, Region, SubsetName, TrustDomain,
};
use crate::{Code, Input, Leaf};

/// `gloo_virtual_mesh`: a mesh, and what is written to its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedMesh {
    /// the mesh
    pub mesh: VirtualMesh,
    /// Services that every member can call by a name of their cluster; `None`: none
    pub federation: Option<Federation>,
    /// what workloads of every member take from callers; `None`: as others have set it
    pub mutual_tls: Option<MutualTls>,
}

/// Services that every member of a mesh can call, each in its own cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Federation {
    /// the Services, each once
    pub exports: Vec<Export>,
    /// namespace of the objects in members that only call, where it is not the Service's
    pub client_namespace: BTreeMap<ClusterName, Namespace>,
    /// probes on connections that are silent; `None`: none
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// warnings that the user overrules, with the reasons
    pub ignored: BTreeMap<Code, String>,
}

/// A Service of one cluster under a name of the whole mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// the name: [`crate::derived::federated_hostname`]
    pub hostname: Hostname,
    /// the Service
    pub backend: Backend,
}

/// What workloads take from callers. Without mutual TLS at all no other cluster could call them: gateways pass nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MutualTls {
    /// mutual TLS alone
    Strict,
    /// plain text too
    Permissive,
}

impl MutualTls {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 2] = [Self::Strict, Self::Permissive];

    /// As written in HCL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Permissive => "permissive",
        }
    }
}

/// Clusters that form one mesh, as destinations refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualMesh {
    /// its name
    pub name: IntentName,
    /// what default hostnames end with
    pub hostname_suffix: HostnameSuffix,
    /// members
    pub clusters: BTreeMap<ClusterName, ClusterFacts>,
    /// trust domains besides its own whose workloads the servers of a member accept
    pub accepted_trust_domains: BTreeMap<ClusterName, BTreeSet<TrustDomain>>,
}

/// `gloo_virtual_destination`: one hostname for a service that lives in several clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualDestination {
    /// the mesh that it belongs to
    pub mesh: VirtualMesh,
    /// namespace of its objects
    pub namespace: Namespace,
    /// its name
    pub name: IntentName,
    /// what clients call
    pub hostname: Hostname,
    /// ports of the hostname
    pub ports: Vec<Port>,
    /// who serves it
    pub backends: Vec<Backend>,
    /// parts of the backends' pods among which calls are split; empty: no parts
    pub subsets: BTreeMap<SubsetName, Subset>,
    /// clusters whose workloads may call it
    pub clients: BTreeSet<ClusterName>,
    /// namespace of its objects in client-only clusters where it differs
    pub client_namespace: BTreeMap<ClusterName, Namespace>,
    /// who serves next
    pub failover: Failover,
    /// when an endpoint is ejected
    pub outlier_detection: OutlierDetection,
    /// what is tried again
    pub retries: Retries,
    /// limit of a whole request; `None`: no limit
    pub timeout: Option<Leaf<Duration>>,
    /// limit of connecting to an endpoint
    pub connect_timeout: Leaf<Duration>,
    /// probes on connections that are silent; `None`: none
    pub tcp_keepalive: Option<TcpKeepalive>,
    /// choice among endpoints that may serve
    pub load_balancer: Leaf<LoadBalancer>,
    /// namespaces that see the hostname; `["*"]`: all
    pub export_to: Vec<Leaf<String>>,
    /// what is laid over its objects, in this order
    pub overlays: Vec<Overlay>,
    /// warnings that are not shown, with the reasons why not
    pub ignored: BTreeMap<Code, String>,
}

/// A port of a virtual destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// what clients call
    pub number: PortNumber,
    /// its name, unique in the destination
    pub name: PortName,
    /// application protocol
    pub protocol: Protocol,
    /// port of the Services behind it
    pub service_port: ServicePort,
}

/// Pods of the backends that have some labels in common, and their share of all calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subset {
    /// labels of the pods, at least one
    pub labels: BTreeMap<String, String>,
    /// percent of requests, and of connections where a port has no requests; those of all subsets are 100 together
    pub weight: u8,
}

/// A port of the Services behind a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServicePort {
    /// the same number in every cluster
    Number(PortNumber),
    /// the port of this name, whatever its number is in each cluster
    Name(PortName),
}

/// Application protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1 (and what a client upgrades to)
    Http,
    /// HTTP/2 without TLS of its own
    Http2,
    /// gRPC, which is HTTP/2
    Grpc,
    /// TLS between application and application, carried through as it is
    Tls,
    /// bytes
    Tcp,
}

impl Protocol {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 5] = [Self::Http, Self::Http2, Self::Grpc, Self::Tls, Self::Tcp];

    /// As written in HCL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Grpc => "grpc",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
        }
    }

    /// Whether proxies see single requests, which can be repeated and routed. Of the others they see connections.
    #[must_use]
    pub fn has_requests(self) -> bool {
        match self {
            Self::Http | Self::Http2 | Self::Grpc => true,
            Self::Tls | Self::Tcp => false,
        }
    }
}

/// Members laid over objects of one kind (RFC 7386), for what an intent has no argument for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// kind of the objects, as in keys: `DestinationRule`
    pub kind: String,
    /// the cluster whose objects are meant; `None`: all
    pub cluster: Option<ClusterName>,
    /// members of the merge patch; known JSON throughout
    pub patch: Leaf<BTreeMap<String, Input>>,
}

/// Who serves a client. Its own cluster comes first and the others are ranked, unless its requests are spread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failover {
    /// how every client ranks, unless `per_client` says otherwise
    pub ranking: Ranking,
    /// whether clusters that no rule names get no traffic at all
    pub only: bool,
    /// ranks of single client clusters
    pub per_client: BTreeMap<ClusterName, Vec<ClusterName>>,
    /// client clusters that rank nobody: each one that serves them has a share of their requests, all others have none
    pub spread: BTreeMap<ClusterName, Shares>,
    /// how many remote clusters serve a client at most, the best-ranked ones; `None`: all
    pub most_targets: Option<u32>,
}

/// How remote clusters are ranked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Ranking {
    /// same region first, then all others in equal share
    #[default]
    Nearest,
    /// `order`: one after the other
    Order(Vec<ClusterName>),
    /// `locality`: by region of the client
    Locality(Vec<LocalityRule>),
}

/// Clients in region `from` fail over to clusters in region `to`; earlier rules of one `from` come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalityRule {
    /// region of the client
    pub from: Region,
    /// region that serves next
    pub to: Region,
}

/// Percent of requests by the cluster that serves them: 1 or more each, 100 together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shares(BTreeMap<ClusterName, u8>);

impl Shares {
    /// What all shares make together.
    pub const WHOLE: u32 = 100;

    /// The shares, if none of them is 0 and they make 100.
    #[must_use]
    pub fn new(percents: BTreeMap<ClusterName, u8>) -> Option<Self> {
        let is_whole = percents.values().copied().map(u32::from).sum::<u32>() == Self::WHOLE;
        (is_whole && !percents.values().any(|percent| *percent == 0)).then_some(Self(percents))
    }

    /// The share of a cluster, if it has one.
    #[must_use]
    pub fn of(&self, cluster: &ClusterName) -> Option<u8> {
        self.0.get(cluster).copied()
    }

    /// Every cluster that has a share, with it.
    pub fn iter(&self) -> impl Iterator<Item = (&ClusterName, u8)> {
        self.0.iter().map(|(cluster, percent)| (cluster, *percent))
    }
}

/// When an endpoint is taken out of load balancing (Envoy outlier detection with split local-origin errors).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// connect failures, resets and timeouts in a row
    pub consecutive_local_origin_failures: Leaf<u32>,
    /// answers 502, 503, 504 in a row; 0: never
    pub consecutive_gateway_errors: Leaf<u32>,
    /// how often endpoints are judged
    pub interval: Leaf<Duration>,
    /// first ejection; it grows with each one
    pub base_ejection_time: Leaf<Duration>,
    /// share of endpoints that may be ejected at a time, 0 to 100
    pub max_ejection_percent: Leaf<u8>,
}

/// Probes on silent connections, which keep firewalls from forgetting them and find out that the other side is gone. What is not
/// said is as the system of the client has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpKeepalive {
    /// how many without an answer end the connection
    pub probes: Option<Leaf<u32>>,
    /// how long it is silent before the first one
    pub time: Option<Leaf<Duration>>,
    /// how long between them
    pub interval: Option<Leaf<Duration>>,
}

/// Choice among the endpoints of one priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoadBalancer {
    /// of two, the one with fewer open requests: a slow cluster gets less
    #[default]
    LeastRequest,
    /// one after the other
    RoundRobin,
    /// any
    Random,
}

impl LoadBalancer {
    /// All, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::LeastRequest, Self::RoundRobin, Self::Random];

    /// As written in HCL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeastRequest => "least_request",
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
        }
    }
}

/// What is tried again, on another endpoint and in another cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retries {
    /// 0: none; the first retry that can reach another cluster is the second
    pub attempts: Leaf<u32>,
    /// limit of one try
    pub per_try_timeout: Option<Leaf<Duration>>,
    /// repeat requests of every method that were answered 503
    pub retry_unavailable: Leaf<bool>,
    /// repeat requests whose connection broke, which may run them twice
    pub retry_on_reset: Leaf<bool>,
}

impl Default for OutlierDetection {
    /// 5 local-origin failures, 5 gateway errors, interval 5 s, base ejection 30 s, up to 100 %.
    fn default() -> Self {
        Self {
            consecutive_local_origin_failures: Leaf::Known(5),
            consecutive_gateway_errors: Leaf::Known(5),
            interval: Leaf::Known(Duration::from_secs(5)),
            base_ejection_time: Leaf::Known(Duration::from_secs(30)),
            max_ejection_percent: Leaf::Known(100),
        }
    }
}

impl Default for Retries {
    /// 3 attempts, each as long as the request; no repeats that could run a request twice.
    fn default() -> Self {
        Self {
            attempts: Leaf::Known(3),
            per_try_timeout: None,
            retry_unavailable: Leaf::Known(false),
            retry_on_reset: Leaf::Known(false),
        }
    }
}
