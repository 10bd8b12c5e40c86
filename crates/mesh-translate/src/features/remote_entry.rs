//! # What it does
//! Stands for another cluster that serves: one endpoint for each address of its gateways.
//!
//! # Renders
//! A WorkloadEntry with the gateway's address and port, the labels that the ServiceEntry selects, the label that makes istiod
//! speak mutual TLS to it, and the pods' account. No network: an entry with address and network loses its labels, hence its
//! rank, as soon as a Gateway of class `istio-remote` for that network exists.
//!
//! # Interacts with
//! `host`, which selects it; `failover`, which ranks it.

use istio_objects::kinds::WorkloadEntry;

use super::{Feature, Slice};
use crate::ir::{Entry, Way};

pub(super) const FEATURE: Feature = Feature {
    name: "remote_entry",
    slices: &[Slice::WorkloadEntry(
        entry,
        &[
            "spec.address",
            "spec.network",
            "spec.ports",
            "spec.weight",
            "spec.serviceAccount",
            "spec.labels[service.istio.io/canonical-name]",
            "spec.labels[security.istio.io/tlsMode]",
            "spec.labels[gloo-terraform/destination]",
        ],
    )],
};

fn entry(entry: &Entry) -> WorkloadEntry {
    let (address, ports, network) = match &entry.way {
        Way::Address { address, port } => {
            let ports = entry.port_names.iter().map(|name| (name.to_string(), port.clone()));
            (Some(address.clone()), Some(ports.collect()), None)
        }
        Way::Network(network) => (None, None, Some(network.clone())),
    };
    WorkloadEntry {
        address,
        network,
        ports,
        weight: Some(1),
        service_account: entry.service_account.clone(),
        canonical_name: entry.canonical_name.clone(),
        tls_mode: Some("istio".to_owned()),
        destination: Some(entry.destination.clone()),
        ..WorkloadEntry::default()
    }
}
