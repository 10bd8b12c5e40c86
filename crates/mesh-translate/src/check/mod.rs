//! Planned objects judged against what is live. Live data may veto or warn, never shape.
//!
//! An inventory that holds no object of a kind says nothing about that kind: nothing is concluded from absence, except that a
//! namespace is missing where other namespaces are listed.

mod behind;
pub(crate) mod capture;
mod ejection;
mod families;
mod gateways;
mod hosts;
mod keys;
mod live;
pub(crate) mod overlaid;
mod planned;
mod pods;
mod roots;
mod serving;
mod subsets;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use istio_objects::Claim;
use mesh_model::Findings;
use mesh_model::names::ClusterName;
use serde_json::Value;

use live::Inventory;
use planned::{Common, Planned};
use pods::Pods;

use crate::Objects;

/// What a resource may write besides what is its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights<'a> {
    /// whose objects are its own
    pub claim: &'a Claim,
    /// whose it takes over; `None`: not known yet
    pub takeover: Option<BTreeSet<Claim>>,
    /// whether it takes what nobody claims; `None`: not known yet
    pub adopt: Option<bool>,
}

impl<'a> Rights<'a> {
    /// Its own objects, and nothing besides.
    #[must_use]
    pub fn of(claim: &'a Claim) -> Self {
        Self { claim, takeover: Some(BTreeSet::new()), adopt: Some(false) }
    }
}

/// Whether the judgement of these objects depends on all that is live. Otherwise it depends on what is under their keys alone.
#[must_use]
pub fn looks_around(objects: &Objects) -> bool {
    planned::hostname(objects).is_some()
}

/// Judges the objects that a resource is about to write, cluster by cluster. `inventories` holds live objects of each
/// cluster in JSON form, our own too: those with a claim of `rights` are skipped.
#[must_use]
pub fn check_inventory<V: Borrow<Value>>(
    objects: &Objects,
    rights: &Rights<'_>,
    inventories: &BTreeMap<ClusterName, Vec<V>>,
) -> Findings {
    let mut findings = Findings::new();
    let hosts: Vec<(Option<String>, Common, Objects)> = planned::by_destination(objects)
        .into_iter()
        .map(|objects| (planned::hostname(&objects), Common::of(&objects), objects))
        .collect();
    let mut seen = Vec::new();
    for (cluster, live) in inventories {
        let inventory = Inventory::new(cluster, rights, live);
        for (hostname, common, objects) in &hosts {
            let Some(objects) = objects.get(cluster) else { continue };
            let taken = keys::check(objects, hostname.as_deref(), rights, &inventory, &mut findings);
            let Some(hostname) = hostname else { continue };
            let planned = Planned::new(hostname, common, objects);
            capture::check(&planned, &inventory, &mut findings);
            families::check(&planned, &inventory, &mut findings);
            hosts::check(&planned, &inventory, &taken, &mut findings);
            gateways::check(&planned, &inventory, &mut findings);
            if let Some(pods) = Pods::find(&planned, &inventory) {
                behind::check(&planned, &pods, &inventory, &mut findings);
                serving::check(&planned, &pods, &inventory, &mut findings);
                ejection::check(&planned, &pods, &inventory, &mut findings);
                subsets::check(&planned, &pods, &inventory, &mut findings);
            }
        }
        if hosts.iter().any(|(hostname, _, objects)| hostname.is_some() && objects.contains_key(cluster)) {
            seen.push(inventory);
        }
    }
    roots::check(&seen, &mut findings);
    findings.sort();
    findings.dedup();
    findings
}
