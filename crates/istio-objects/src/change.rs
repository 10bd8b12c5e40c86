//! Changes to clusters, and waves of them.

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
