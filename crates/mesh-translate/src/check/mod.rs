//! Planned objects judged against what is live. Live data may veto or warn, never shape.
//!
//! An inventory that holds no object of a kind says nothing about that kind: nothing is concluded from absence, except that a
//! namespace is missing where other namespaces are listed.

mod capture;
mod hosts;
mod live;
mod planned;
mod serving;

use std::collections::BTreeMap;

use istio_objects::{Claim, Object};
use mesh_model::Findings;
use mesh_model::names::ClusterName;
use serde_json::Value;

use live::Inventory;
use planned::Planned;

/// Judges the objects that a resource is about to write, cluster by cluster. `inventories` holds live objects of each
/// cluster in JSON form, our own too: those with this `claim` are skipped.
#[must_use]
pub fn check_inventory(
    objects: &BTreeMap<ClusterName, Vec<Object>>,
    claim: &Claim,
    inventories: &BTreeMap<ClusterName, Vec<Value>>,
) -> Findings {
    let mut findings = Findings::new();
    let Some(hostname) = planned::hostname(objects) else { return findings };
    for (cluster, live) in inventories {
        let Some(objects) = objects.get(cluster) else { continue };
        let inventory = Inventory::new(cluster, claim, live);
        let planned = Planned::new(&hostname, objects);
        capture::check(&planned, &inventory, &mut findings);
        hosts::check(&planned, &inventory, &mut findings);
        serving::check(&planned, &inventory, &mut findings);
    }
    findings.sort();
    findings.dedup();
    findings
}
