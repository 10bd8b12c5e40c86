//! `Gateway` of `networking.istio.io`.

use std::collections::BTreeMap;

use mesh_model::names::PortNumber;

use super::macros::kind;
use super::value::ToTree;
use crate::Tree;

kind! {
    /// Hosts that a gateway workload passes through.
    Gateway {
        /// labels of the gateway's pods
        selector: BTreeMap<String, String> => "spec.selector",
        /// what it listens for
        servers: Vec<PassthroughServer> => "spec.servers",
    }
}

/// A server that forwards mutual TLS by its SNI and ends no connection (`AUTO_PASSTHROUGH`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassthroughServer {
    /// the port where the gateway listens, which is not always the one where it is reached
    pub port: PortNumber,
    /// Service FQDNs
    pub hosts: Vec<String>,
}

impl ToTree for PassthroughServer {
    fn to_tree(&self) -> Tree {
        let Self { port, hosts } = self;
        let port = Tree::map([("number", port.to_tree()), ("name", Tree::from("tls")), ("protocol", Tree::from("TLS"))]);
        let tls = Tree::map([("mode", Tree::from("AUTO_PASSTHROUGH"))]);
        Tree::map([("port", port), ("tls", tls), ("hosts", hosts.to_tree())])
    }
}
