//! `VirtualService` of `networking.istio.io`.

use std::time::Duration;

use mesh_model::Leaf;
use mesh_model::names::{Hostname, PortNumber, SubsetName};

use super::macros::{fields, kind};
use super::value::ToTree;
use crate::Tree;

kind! {
    /// What happens to requests for hosts.
    VirtualService {
        /// hosts
        hosts: Vec<Hostname> => "spec.hosts",
        /// namespaces that see it
        export_to: Vec<Leaf<String>> => "spec.exportTo",
        /// routes; the first that matches counts
        http: Vec<HttpRoute> => "spec.http",
        /// routes of ports without requests
        tcp: Vec<TcpRoute> => "spec.tcp",
    }
}

fields! {
    /// A route for HTTP requests.
    HttpRoute {
        /// its name, unique in the object
        name: String => "route.name",
        /// requests that it takes, any of these; absent: all
        matches: Vec<HttpMatch> => "route.match",
        /// who serves them
        destination: RouteDestination => "route.route",
        /// what is tried again
        retries: Leaf<HttpRetries> => "route.retries",
        /// limit of a whole request
        timeout: Leaf<Duration> => "route.timeout",
    }
}

impl ToTree for HttpRoute {
    fn to_tree(&self) -> Tree {
        self.members().part("route")
    }
}

fields! {
    /// A route for connections.
    TcpRoute {
        /// ports of the host that it takes
        ports: PortMatches => "route.match",
        /// who serves them
        destination: RouteDestination => "route.route",
    }
}

impl ToTree for TcpRoute {
    fn to_tree(&self) -> Tree {
        self.members().part("route")
    }
}

/// Connections to any of these ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortMatches(pub Vec<PortNumber>);

impl ToTree for PortMatches {
    fn to_tree(&self) -> Tree {
        Tree::list(self.0.iter().map(|port| Tree::map([("port", port.to_tree())])))
    }
}

/// What serves the calls of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteDestination {
    /// a host
    Host(Hostname),
    /// subsets of a host, each with its percent of the calls
    Subsets(Hostname, Vec<(SubsetName, u8)>),
}

impl ToTree for RouteDestination {
    fn to_tree(&self) -> Tree {
        let (host, shares) = match self {
            Self::Host(host) => return Tree::list([Tree::map([("destination", Tree::map([("host", host.to_tree())]))])]),
            Self::Subsets(host, shares) => (host, shares),
        };
        Tree::list(shares.iter().map(|(subset, weight)| {
            let destination = Tree::map([("host", host.to_tree()), ("subset", subset.to_tree())]);
            Tree::map([("destination", destination), ("weight", Tree::from(i64::from(*weight)))])
        }))
    }
}

/// Which requests a route takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpMatch {
    /// requests with this method
    Method(String),
}

impl ToTree for HttpMatch {
    fn to_tree(&self) -> Tree {
        match self {
            Self::Method(method) => Tree::map([("method", Tree::map([("exact", method.to_tree())]))]),
        }
    }
}

/// What is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpRetries {
    /// nothing; istiod refuses every other field then
    Off,
    /// these failures, also on endpoints of other localities
    On {
        /// how often
        attempts: u32,
        /// limit of one try
        per_try_timeout: Option<Leaf<Duration>>,
        /// Envoy's retry conditions and status codes, joined by commas
        retry_on: Leaf<String>,
    },
}

impl ToTree for HttpRetries {
    fn to_tree(&self) -> Tree {
        match self {
            Self::Off => Tree::map([("attempts", Tree::from(0))]),
            Self::On { attempts, per_try_timeout, retry_on } => Tree::map([
                ("attempts", attempts.to_tree()),
                ("perTryTimeout", per_try_timeout.to_tree()),
                ("retryOn", retry_on.to_tree()),
                ("retryRemoteLocalities", Tree::Bool(true)),
            ]),
        }
    }
}
