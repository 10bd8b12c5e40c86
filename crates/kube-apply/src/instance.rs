//! Which instance of a resource wrote an object.
//!
//! A claim says which resource of which owner an object belongs to. Two states that share an `owner` by mistake have the
//! same claims, so every object also carries the nonce of the instance that wrote it, and one object of each cluster, the
//! anchor, a mark with that nonce, written after all objects of a create are there. Marks are written in the order of the
//! clusters' names as far as it matters: the last cluster gets its mark when all others have theirs. An instance is complete
//! when the last cluster that has objects of it has its mark; an incomplete one is the leftover of an interrupted create, and
//! anybody with the claim may take it.
//!
//! Why not any mark: a create that is killed between two marks has not returned, so no state holds it; the next create must
//! be free to take what it left. Why not all marks: whoever takes one off by hand would give the whole instance away. Objects
//! that an update creates carry the mark from the beginning, so that a cluster that is being added makes nothing incomplete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Claim, ObjectKey, annotation, reserved};
use mesh_model::names::ClusterName;
use serde_json::Value;

use crate::fleet::Fleet;

/// The instance that writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// its random nonce
    pub nonce: String,
    /// the object of each cluster that carries the mark
    pub anchors: BTreeMap<ClusterName, ObjectKey>,
}

/// The nonce of the instance that wrote a live object, if one is on it.
#[must_use]
pub fn nonce_of(live: &Value) -> Option<&str> {
    annotation(live, reserved::INSTANCE_ANNOTATION)
}

/// Whether one instance wrote both states of an object.
pub(crate) fn is_same_instance(one: &Value, other: &Value) -> bool {
    nonce_of(one) == nonce_of(other)
}

/// Whether another instance than the one with this nonce has written an object.
pub(crate) fn is_of_another(live: &Value, nonce: Option<&str>) -> bool {
    nonce_of(live).is_some_and(|other| nonce != Some(other))
}

/// The mark on a live object, if it has one.
pub(crate) fn mark_of(live: &Value) -> Option<&str> {
    annotation(live, reserved::COMPLETE_ANNOTATION)
}

/// The instances that wrote the objects of one claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census(BTreeMap<String, BTreeMap<ClusterName, bool>>);

impl Census {
    /// Counts a live object with the claim.
    pub fn note(&mut self, cluster: &ClusterName, live: &Value) {
        if let Some(nonce) = nonce_of(live) {
            let is_marked = self.0.entry(nonce.to_owned()).or_default().entry(cluster.clone()).or_default();
            *is_marked |= mark_of(live) == Some(nonce);
        }
    }

    /// Whether an instance has finished its create.
    #[must_use]
    pub fn is_complete(&self, nonce: &str) -> bool {
        self.0.get(nonce).and_then(BTreeMap::last_key_value).is_some_and(|(_, is_marked)| *is_marked)
    }

    /// The one instance that there is; `None` when there is none, or several.
    #[must_use]
    pub fn sole(&self) -> Option<&str> {
        let mut nonces = self.0.keys();
        nonces.next().filter(|_| nonces.next().is_none()).map(String::as_str)
    }

    /// The complete instances but `own`.
    #[must_use]
    pub fn others(&self, own: Option<&str>) -> BTreeSet<String> {
        let others = self.0.keys().filter(|nonce| Some(nonce.as_str()) != own && self.is_complete(nonce));
        others.cloned().collect()
    }

    /// Counts everything with this claim that the clusters list by now. A cluster that does not answer says nothing.
    pub async fn take(fleet: &Fleet, claim: &Claim) -> Self {
        let mut census = Self::default();
        for cluster in fleet.clusters() {
            let Some(slot) = fleet.slot(cluster).map(Arc::clone) else { continue };
            slot.forget_list().await;
            let Ok(listed) = slot.listed(fleet.owner()).await else { continue };
            let keys = listed.by_claim.get(claim).into_iter().flatten();
            for object in keys.filter_map(|key| listed.objects.get(key)) {
                census.note(cluster, &object.unpack().json);
            }
        }
        census
    }
}
