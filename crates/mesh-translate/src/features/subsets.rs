//! # What it does
//! Tells pods of several versions apart, in every cluster, so that each gets its share of all calls.
//!
//! # Renders
//! For the gateways of a serving cluster a DestinationRule of the destination's own name there, with the labels of each subset:
//! an `AUTO_PASSTHROUGH` gateway then knows a server name for each of them. Entries of other clusters have the labels of the
//! subset that they stand for, as local pods have them. The client's DestinationRule has a whole policy for each subset, with its
//! server name: one without would send every call to any pod of another cluster.
//!
//! # Interacts with
//! `serving`, whose name it is about; `routing`, which splits calls; `mutual_tls`, whose server names they are.

use istio_objects::kinds::{DestinationRule, HostSubset, WorkloadEntry};
use mesh_model::Leaf;

use super::{Feature, Slice};
use crate::ir::{Entry, ServingSubsets};

pub(super) const FEATURE: Feature = Feature {
    name: "subsets",
    slices: &[
        Slice::ServingRule(rule, &["spec.host", "spec.subsets", "spec.exportTo"]),
        Slice::WorkloadEntry(entry, &["spec.labels[*]"]),
    ],
};

fn rule(serving: &ServingSubsets) -> DestinationRule {
    let subset =
        |(name, labels): &(_, _)| HostSubset { name: Clone::clone(name), labels: Clone::clone(labels), traffic_policy: None };
    DestinationRule {
        host: Some(serving.hostname.clone()),
        subsets: Some(serving.subsets.iter().map(subset).collect()),
        export_to: Some(serving.gateways.iter().map(|namespace| Leaf::Known(namespace.to_string())).collect()),
        ..DestinationRule::default()
    }
}

fn entry(entry: &Entry) -> WorkloadEntry {
    WorkloadEntry { subset: (!entry.subset.is_empty()).then(|| entry.subset.clone()), ..WorkloadEntry::default() }
}
