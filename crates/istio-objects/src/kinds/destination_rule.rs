//! `DestinationRule` of `networking.istio.io`.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh_model::Leaf;
use mesh_model::intent::{LoadBalancer, TcpKeepalive};
use mesh_model::names::{Hostname, PortNumber, Region, SubsetName};

use super::macros::{fields, kind};
use super::value::ToTree;
use crate::Tree;

kind! {
    /// How clients connect to a host and choose among its endpoints.
    DestinationRule {
        /// the host
        host: Hostname => "spec.host",
        /// namespaces that see it
        export_to: Vec<Leaf<String>> => "spec.exportTo",
        /// how, for its ports
        traffic_policy: PortPolicies => "spec.trafficPolicy",
        /// parts of its endpoints
        subsets: Vec<HostSubset> => "spec.subsets",
    }
}

fields! {
    /// How clients connect to a port of a host and choose among its endpoints.
    TrafficPolicy {
        /// mutual TLS towards every endpoint
        tls: ClientTls => "policy.tls",
        /// connections
        connection_pool: ConnectionPool => "policy.connectionPool",
        /// choice among endpoints of one priority
        load_balancer: Leaf<LoadBalancer> => "policy.loadBalancer.simple",
        /// priorities
        locality: LocalitySetting => "policy.loadBalancer.localityLbSetting",
        /// ejection
        outlier_detection: OutlierDetection => "policy.outlierDetection",
    }
}

/// Endpoints of a host that have these labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSubset {
    /// its name
    pub name: SubsetName,
    /// the labels
    pub labels: BTreeMap<String, String>,
    /// how clients connect to them and choose; `None`: as to all
    pub traffic_policy: Option<PortPolicies>,
}

impl ToTree for HostSubset {
    fn to_tree(&self) -> Tree {
        let Self { name, labels, traffic_policy } = self;
        Tree::map([("name", name.to_tree()), ("labels", labels.to_tree()), ("trafficPolicy", traffic_policy.to_tree())])
    }
}

/// The policy of every port. istiod takes nothing from the policy of the host for a port that has one of its own, so each is
/// whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortPolicies {
    /// of the one port that the host has
    Only(Box<TrafficPolicy>),
    /// by number (`portLevelSettings`)
    Each(Vec<(PortNumber, TrafficPolicy)>),
}

impl ToTree for PortPolicies {
    fn to_tree(&self) -> Tree {
        let policies = match self {
            Self::Only(policy) => return policy.members().part("policy"),
            Self::Each(policies) => policies,
        };
        let settings = policies.iter().map(|(number, policy)| {
            let mut tree = policy.members().part("policy");
            if let Tree::Map(members) = &mut tree {
                members.insert("port".to_owned(), Tree::map([("number", number.to_tree())]));
            }
            tree
        });
        Tree::map([("portLevelSettings", Tree::list(settings))])
    }
}

/// TLS of a client with the workload's own certificate (`ISTIO_MUTUAL`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientTls {
    /// server name sent
    pub sni: String,
    /// SPIFFE ids of servers that are accepted; compared exactly
    pub subject_alt_names: Vec<Leaf<String>>,
}

impl ToTree for ClientTls {
    fn to_tree(&self) -> Tree {
        let Self { sni, subject_alt_names } = self;
        Tree::map([
            ("mode", Tree::from("ISTIO_MUTUAL")),
            ("sni", sni.to_tree()),
            ("subjectAltNames", subject_alt_names.to_tree()),
        ])
    }
}

/// Limits of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionPool {
    /// limit of connecting
    pub connect_timeout: Leaf<Duration>,
    /// probes on silent connections
    pub tcp_keepalive: Option<TcpKeepalive>,
}

impl ToTree for ConnectionPool {
    fn to_tree(&self) -> Tree {
        let Self { connect_timeout, tcp_keepalive } = self;
        let keepalive = tcp_keepalive.as_ref().map(|TcpKeepalive { probes, time, interval }| {
            Tree::map([("probes", probes.to_tree()), ("time", time.to_tree()), ("interval", interval.to_tree())])
        });
        let tcp = [("connectTimeout", connect_timeout.to_tree()), ("tcpKeepalive", keepalive.unwrap_or(Tree::Null))];
        Tree::map([("tcp", Tree::map(tcp))])
    }
}

impl ToTree for LoadBalancer {
    fn to_tree(&self) -> Tree {
        Tree::from(match self {
            Self::LeastRequest => "LEAST_REQUEST",
            Self::RoundRobin => "ROUND_ROBIN",
            Self::Random => "RANDOM",
        })
    }
}

/// Priorities of endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalitySetting {
    /// labels; an endpoint's priority is the first of them in which it differs from the client
    FailoverPriority(Vec<String>),
    /// for clients of a region, the region that comes after their own; all others come last
    Failover {
        /// region of the clients
        from: Leaf<Region>,
        /// the one that comes next
        to: String,
    },
    /// for clients of every region and of none, percent of requests by region; endpoints of other regions get none
    Distribute(Vec<(Leaf<Region>, u8)>),
}

impl ToTree for LocalitySetting {
    fn to_tree(&self) -> Tree {
        let (member, value) = match self {
            Self::FailoverPriority(labels) => ("failoverPriority", labels.to_tree()),
            Self::Failover { from, to } => {
                ("failover", Tree::list([Tree::map([("from", from.to_tree()), ("to", to.to_tree())])]))
            }
            Self::Distribute(shares) => {
                ("distribute", Tree::list([Tree::map([("from", Tree::from("*")), ("to", distributed(shares))])]))
            }
        };
        Tree::map([("enabled", Tree::Bool(true)), (member, value)])
    }
}

/// Regions are keys: with one that is not known none is.
fn distributed(shares: &[(Leaf<Region>, u8)]) -> Tree {
    let share = |(region, percent): &(Leaf<Region>, u8)| match region {
        Leaf::Known(region) => Ok((region.to_string(), percent.to_tree())),
        Leaf::Unknown(path) => Err(Tree::Unknown(path.clone())),
    };
    shares.iter().map(share).collect::<Result<_, _>>().map_or_else(|unknown| unknown, Tree::Map)
}

/// When an endpoint is ejected. Local-origin failures are always counted apart, and 5xx answers never eject: a remote
/// cluster is a single endpoint, and one application error must not remove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// connect failures, resets, timeouts in a row
    pub consecutive_local_origin_failures: Leaf<u32>,
    /// 502, 503, 504 in a row
    pub consecutive_gateway_errors: Leaf<u32>,
    /// how often endpoints are judged
    pub interval: Leaf<Duration>,
    /// first ejection
    pub base_ejection_time: Leaf<Duration>,
    /// share of endpoints ejected at a time
    pub max_ejection_percent: Leaf<u8>,
}

impl ToTree for OutlierDetection {
    fn to_tree(&self) -> Tree {
        let Self {
            consecutive_local_origin_failures,
            consecutive_gateway_errors,
            interval,
            base_ejection_time,
            max_ejection_percent,
        } = self;
        Tree::map([
            ("splitExternalLocalOriginErrors", Tree::Bool(true)),
            ("consecutiveLocalOriginFailures", consecutive_local_origin_failures.to_tree()),
            ("consecutiveGatewayErrors", consecutive_gateway_errors.to_tree()),
            ("consecutive5xxErrors", Tree::from(0)),
            ("interval", interval.to_tree()),
            ("baseEjectionTime", base_ejection_time.to_tree()),
            ("maxEjectionPercent", max_ejection_percent.to_tree()),
        ])
    }
}
