//! # What it does
//! Gives the pods of a serving cluster a name by which its gateways know them, where the Services differ, or pods have subsets:
//! clients send one server name, which has to lead to the pods in every cluster.
//!
//! # Renders
//! A ServiceEntry that only the gateways' namespaces see. It selects pods by the labels of their Service, which no entry of
//! another cluster has, so that a gateway never sends a call on to another one. Where one Service has the same name, namespace,
//! ports and domain everywhere, and there are no subsets, its own name does, and nothing is written.
//!
//! # Interacts with
//! `exposure`, which passes the name through; `mutual_tls`, whose server name it is; `subsets`, which tells the pods apart.

use istio_objects::kinds::{ServiceEntry, WorkloadSelector};
use mesh_model::Leaf;

use super::host::known_by;
use super::{Feature, Slice};
use crate::ir::ServingHost;

pub(super) const FEATURE: Feature = Feature {
    name: "serving",
    slices: &[Slice::ServingEntry(
        host,
        &["spec.hosts", "spec.location", "spec.resolution", "spec.ports", "spec.workloadSelector", "spec.exportTo"],
    )],
};

fn host(host: &ServingHost) -> ServiceEntry {
    let selector = WorkloadSelector::Pods(host.selector.clone(), host.canonical_name.clone());
    let gateways = host.gateways.iter().map(|namespace| Leaf::Known(namespace.to_string()));
    ServiceEntry { export_to: Some(gateways.collect()), ..known_by(&host.hostname, &host.ports, selector) }
}
