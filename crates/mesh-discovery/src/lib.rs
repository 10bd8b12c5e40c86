//! What the objects of a cluster say about its mesh and its Services.
//!
//! ```text
//! objects, as `kubectl get -o yaml` prints them → cluster_facts → facts of the cluster + Findings
//!                                               → service       → backend of a destination + Findings
//!                                               → services      → backends, or why there is none, for each Service + Findings
//!                                               → workloads     → what runs, and as whom + Findings
//! ```
//!
//! Contract:
//! - Pure and total: no input makes it panic, and what is wrong in the input becomes a finding, never a silent guess.
//! - The order of objects and of the items in their lists never matters.
//! - Facts are slow: pods that come, go, move or restart, nodes that are added, and patch releases change none of them. What
//!   does change stands in `observed`, which findings and outputs may use, but no argument.
//! - A kind of which the inventory has no object is unknown, never "none".
//! - Objects that carry this owner's claim are ignored, those of another owner are reported.
//!
//! The rules for Istio are in [`cluster_facts`], for gateways in [`gateways`], for Services in [`service()`].

mod cluster;
mod features;
pub mod gateways;
mod inventory;
mod istio;
mod mesh_config;
mod nodes;
mod ports;
mod read;
mod revisions;
mod selected;
mod service;
mod verdict;
mod workload;
mod workloads;

use mesh_model::Findings;

pub use cluster::{ClusterFound, ClusterObserved, cluster_facts};
pub use inventory::CLAIM_ANNOTATION;
pub use selected::Selected;
pub use service::{Asked, ListedService, ServiceFacts, ServiceObserved, service, services};
pub use workloads::{ListedWorkload, WorkloadFacts, WorkloadObserved, workloads};

/// What was found out, and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovered<T> {
    /// `None` exactly if one of the findings is an error
    pub value: Option<T>,
    /// in a fixed order
    pub findings: Findings,
}
