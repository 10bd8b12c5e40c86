//! From intents to Istio objects.
//!
//! ```text
//! intent + facts → link (roles, ranks, findings) → lower (one plan per cluster) → features (slices of objects) → merge
//!                → emit (objects) → overlays of the user → sealed by the caller
//! ```
//!
//! A virtual mesh ([`translate_mesh`]) is the destinations that its exports are, and the mode of mutual TLS of its members.
//!
//! [`translate`] is total, pure and deterministic: the same intent gives the same objects, whatever the order of backends and
//! maps in it. An unknown leaf travels into the objects that need its value and into no other.

mod check;
mod emit;
pub mod features;
mod federation;
pub mod ir;
mod link;
mod lower;
mod merge;
mod mesh;
mod order;
mod overlay;

pub use check::{Rights, check_inventory, looks_around};
pub use mesh::{in_mesh, translate_mesh};
pub use order::{check_subsets, order, pauses};

use std::collections::BTreeMap;
use std::sync::Arc;

use istio_objects::Object;
use mesh_model::finding::Severity;
use mesh_model::intent::VirtualDestination;
use mesh_model::names::ClusterName;
use mesh_model::{Finding, Findings};

use lower::Selection;

/// Objects by cluster. Clusters share those that are the same in each of them.
pub type Objects = BTreeMap<ClusterName, Vec<Arc<Object>>>;

/// What an intent becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Translation {
    /// objects by cluster; every cluster that takes part has an entry, also one that needs no object. Empty when a finding is
    /// an error.
    pub objects: Objects,
    /// verdicts, sorted
    pub findings: Findings,
}

/// Translates a virtual destination.
pub fn translate(intent: &VirtualDestination) -> Translation {
    translate_selected(intent, Selection::ByName)
}

fn translate_selected(intent: &VirtualDestination, selection: Selection) -> Translation {
    let (linked, mut findings) = link::link(intent);
    let is_error = |finding: &Finding| finding.code.severity() == Severity::Error;
    let mut objects = match linked {
        Some(linked) if !findings.iter().any(is_error) => emit::emit(&lower::lower(&linked, selection)),
        _ => BTreeMap::new(),
    };
    if !findings.iter().any(is_error) {
        findings.extend(overlay::lay(&mut objects, &intent.overlays));
        findings.extend(check::capture::check_backends(intent, &objects));
        findings.extend(check::overlaid::check(intent, &objects));
    }
    if findings.iter().any(is_error) {
        objects.clear();
    }
    findings.sort();
    findings.dedup();
    Translation { objects, findings }
}
