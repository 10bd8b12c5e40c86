//! Folding: objects that are the same in every cluster take one entry.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::LeafPath;
use mesh_model::names::ClusterName;

use crate::{Manifest, ManifestKey, ObjectKey, Scope, Sealed, Tree};

/// The entries of `manifests`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folded {
    /// the keys are known; an entry whose object has an unknown leaf is `None`
    Entries(BTreeMap<ManifestKey, Option<String>>),
    /// whether objects are the same in all clusters depends on this leaf
    Unknown(LeafPath),
}

/// Folds what all clusters hold. The clusters of `applied` are the keys of `sealed`, also those that hold nothing.
#[must_use]
pub fn fold(sealed: &BTreeMap<ClusterName, Vec<Sealed>>) -> Folded {
    let keys: BTreeSet<&ObjectKey> = sealed.values().flatten().map(Sealed::key).collect();
    let mut entries = BTreeMap::new();
    for key in keys {
        let holders: Vec<(&ClusterName, &Sealed)> = sealed
            .iter()
            .filter_map(|(cluster, objects)| objects.iter().find(|object| object.key() == key).map(|object| (cluster, object)))
            .collect();
        let everywhere = holders.len() == sealed.len() && holders.len() >= 2;
        let (_, first) = holders[0];
        if everywhere && holders.iter().all(|(_, object)| *object == first) {
            entries.insert(ManifestKey { scope: Scope::All, object: key.clone() }, first.json());
            continue;
        }
        if everywhere
            && may_be_equal(&holders)
            && let Some(leaf) = holders.iter().find_map(|(_, object)| object.unknown())
        {
            return Folded::Unknown(leaf.clone());
        }
        for (cluster, object) in holders {
            entries.insert(ManifestKey { scope: Scope::Cluster(cluster.clone()), object: key.clone() }, object.json());
        }
    }
    Folded::Entries(entries)
}

/// Whether unknown leaves could still make all of them the same. What is known to differ stays apart, whatever is unknown; but
/// a spec that is unknown as a whole is hidden by an overlay, which may also have a say in labels and annotations.
fn may_be_equal(holders: &[(&ClusterName, &Sealed)]) -> bool {
    let trees: Vec<(bool, Tree)> = holders
        .iter()
        .map(|(_, object)| (object.unknown().is_none(), object.tree()))
        .filter(|(_, tree)| !is_hidden(tree))
        .collect();
    if trees.is_empty() {
        return true;
    }
    let first_known = trees.iter().find(|(known, _)| *known);
    let beside_first_known =
        trees.iter().filter(|(known, _)| *known).all(|(_, tree)| first_known.is_none_or(|(_, first)| first == tree));
    beside_first_known
        && trees.iter().all(|(_, tree)| tree.may_equal(&trees[0].1))
        && trees.windows(2).all(|pair| pair[0].1.may_equal(&pair[1].1))
}

fn is_hidden(tree: &Tree) -> bool {
    matches!(tree, Tree::Map(members) if matches!(members.get("spec"), Some(Tree::Unknown(_))))
}

/// What each cluster of `clusters` holds, from the stored entries of `manifests`.
///
/// # Errors
/// When an entry is no manifest, or names a cluster that is not among `clusters`.
pub fn unfold(
    entries: &BTreeMap<String, String>,
    clusters: &BTreeSet<ClusterName>,
) -> Result<BTreeMap<ClusterName, Vec<Manifest>>, String> {
    let mut unfolded: BTreeMap<ClusterName, Vec<Manifest>> = clusters.iter().map(|name| (name.clone(), Vec::new())).collect();
    for (key, json) in entries {
        let key: ManifestKey = key.parse().map_err(|error: crate::key::InvalidKey| error.to_string())?;
        let manifest = Manifest::from_stored(key.object, json)?;
        match key.scope {
            Scope::All => unfolded.values_mut().for_each(|manifests| manifests.push(manifest.clone())),
            Scope::Cluster(cluster) => unfolded
                .get_mut(&cluster)
                .ok_or_else(|| {
                    format!("{}: cluster {cluster} is not among those that the resource was applied to", manifest.key())
                })?
                .push(manifest),
        }
    }
    Ok(unfolded)
}

impl Sealed {
    /// Which object it is.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Known(manifest) => manifest.key(),
            Self::Unknown { key, .. } => key,
        }
    }

    /// The unknown leaf, if there is one.
    #[must_use]
    pub fn unknown(&self) -> Option<&LeafPath> {
        match self {
            Self::Known(_) => None,
            Self::Unknown { leaf, .. } => Some(leaf),
        }
    }

    /// The manifest, when all is known.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        match self {
            Self::Known(manifest) => Some(manifest),
            Self::Unknown { .. } => None,
        }
    }

    fn tree(&self) -> Tree {
        match self {
            Self::Known(manifest) => Tree::from_json(&manifest.value()),
            Self::Unknown { tree, .. } => tree.clone(),
        }
    }

    fn json(&self) -> Option<String> {
        self.manifest().map(|manifest| manifest.json().to_owned())
    }
}
