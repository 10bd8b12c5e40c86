//! Changes to clusters, and waves of them.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::names::ClusterName;

use crate::{Manifest, ObjectKey};

/// What is to happen to one object of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// where
    pub cluster: ClusterName,
    /// what
    pub operation: Operation,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// write an object that this resource did not have
    Create(Manifest),
    /// write an object that it has
    Update {
        /// as last written
        old: Manifest,
        /// as it shall be
        new: Manifest,
    },
    /// remove an object that it has
    Delete(ObjectKey),
}

/// Changes that may happen at the same time and in any order. A wave ends on all clusters before the next begins.
pub type Wave = Vec<Change>;

impl Change {
    /// Which object it is about.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        match &self.operation {
            Operation::Create(manifest) | Operation::Update { new: manifest, .. } => manifest.key(),
            Operation::Delete(key) => key,
        }
    }
}

/// What differs between the manifests of before and the goal, by cluster and key.
#[must_use]
pub fn changes(before: &BTreeMap<ClusterName, Vec<Manifest>>, goal: &BTreeMap<ClusterName, Vec<Manifest>>) -> Vec<Change> {
    let clusters: BTreeSet<&ClusterName> = before.keys().chain(goal.keys()).collect();
    let mut changes = Vec::new();
    for cluster in clusters {
        let [old, new] = [before, goal].map(|all| {
            let manifests = all.get(cluster).into_iter().flatten();
            manifests.map(|manifest| (manifest.key(), manifest)).collect::<BTreeMap<_, _>>()
        });
        let keys: BTreeSet<&ObjectKey> = old.keys().chain(new.keys()).copied().collect();
        changes.extend(keys.into_iter().filter_map(|key| {
            let operation = match (old.get(key), new.get(key)) {
                (Some(old), Some(new)) if old == new => return None,
                (Some(old), Some(new)) => Operation::Update { old: (*old).clone(), new: (*new).clone() },
                (None, Some(new)) => Operation::Create((*new).clone()),
                (_, None) => Operation::Delete(key.clone()),
            };
            Some(Change { cluster: cluster.clone(), operation })
        }));
    }
    changes
}
