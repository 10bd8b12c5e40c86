//! `Gateway` of `gateway.networking.k8s.io`, of class `istio-remote`: where another network is reached.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mesh_model::Leaf;
use mesh_model::names::{Hostname, Namespace, NetworkName, ObjectName, PortNumber};

use super::macros::fields;
use super::value::ToTree;
use crate::{Kind, Object, Tree};

/// The label that says which network a Gateway leads to.
const NETWORK_LABEL: &str = "topology.istio.io/network";

fields! {
    /// A gateway of another network. Nothing is deployed for it: istiod puts its addresses in the place of endpoints of that
    /// network, and resolves those that are hostnames.
    RemoteGateway {
        /// what makes it one of another network
        class: String => "spec.gatewayClassName",
        /// where it is reached
        addresses: Vec<RemoteAddress> => "spec.addresses",
        /// the port there
        listeners: Vec<PassthroughListener> => "spec.listeners",
    }
}

impl RemoteGateway {
    /// The object with these fields, for a network.
    #[must_use]
    pub fn object(
        &self,
        namespace: Namespace,
        name: ObjectName,
        network: &NetworkName,
        mut labels: BTreeMap<String, String>,
    ) -> Object {
        labels.insert(NETWORK_LABEL.to_owned(), network.to_string());
        self.members().object(Kind::gateway_api("Gateway"), namespace, name, labels)
    }
}

/// An address of a remote gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteAddress {
    /// as it is
    Ip(Leaf<IpAddr>),
    /// what it resolves to, wherever istiod runs
    Hostname(Leaf<Hostname>),
}

impl ToTree for RemoteAddress {
    fn to_tree(&self) -> Tree {
        let (kind, value) = match self {
            Self::Ip(address) => ("IPAddress", address.to_tree()),
            Self::Hostname(hostname) => ("Hostname", hostname.to_tree()),
        };
        Tree::map([("type", Tree::from(kind)), ("value", value)])
    }
}

/// A listener that passes mutual TLS on by its server name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassthroughListener {
    /// the port where the gateway is reached
    pub port: Leaf<PortNumber>,
}

impl ToTree for PassthroughListener {
    fn to_tree(&self) -> Tree {
        let Self { port } = self;
        let options = Tree::map([("gateway.istio.io/listener-protocol", Tree::from("auto-passthrough"))]);
        let tls = Tree::map([("mode", Tree::from("Passthrough")), ("options", options)]);
        Tree::map([
            ("name", Tree::from("cross-network")),
            ("port", port.to_tree()),
            ("protocol", Tree::from("TLS")),
            ("tls", tls),
        ])
    }
}
