//! # What it does
//! Says where the network of another cluster is reached whose gateway has a hostname.
//!
//! # Renders
//! A Gateway of Gateway API of class `istio-remote`, for which nothing is deployed: istiod resolves its hostname and puts the
//! addresses in the place of the entry, which names the network only. An entry with a hostname of its own would be dropped
//! without a word beside pods with addresses.
//!
//! # Interacts with
//! `remote_entry`, for which it stands; `failover`, which ranks by locality then.

use istio_objects::kinds::{PassthroughListener, RemoteAddress, RemoteGateway};
use mesh_model::facts::GatewayAddress;

use super::{Feature, Slice};
use crate::ir;

pub(super) const FEATURE: Feature = Feature {
    name: "remote_gateway",
    slices: &[Slice::RemoteGateway(gateway, &["spec.gatewayClassName", "spec.addresses", "spec.listeners"])],
};

fn gateway(gateway: &ir::RemoteGateway) -> RemoteGateway {
    let addresses = match &gateway.address {
        GatewayAddress::Addresses(addresses) => addresses.iter().cloned().map(RemoteAddress::Ip).collect(),
        GatewayAddress::Hostname(hostname) => vec![RemoteAddress::Hostname(hostname.clone())],
    };
    RemoteGateway {
        class: Some("istio-remote".to_owned()),
        addresses: Some(addresses),
        listeners: Some(vec![PassthroughListener { port: gateway.port.clone() }]),
    }
}
