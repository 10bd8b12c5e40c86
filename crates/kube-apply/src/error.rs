//! What can go wrong with a cluster, classified by cause.

use istio_objects::ObjectKey;
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding};

/// Why a cluster did not do what was asked. The engine decides by class, never by text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// no answer: nothing is known about the effect
    Unreachable,
    /// the cluster answered that we may not
    Forbidden,
    /// a precondition no longer holds; nothing was written
    Conflict,
    /// somebody else applies a field that is to be changed; nothing was written
    Held,
    /// what is stored cannot be understood
    Damaged,
    /// something that is not ours is in the way
    Foreign,
    /// an inventory cannot be read
    Inventory,
    /// another writer holds the cluster
    Locked,
    /// the request is not valid for this cluster
    Invalid,
    /// the object is in none of the namespaces that this provider may look at
    Outside,
    /// a read or write of the operating system failed
    Io,
    /// cancelled before the effect began
    Cancelled,
}

impl Class {
    fn code(self) -> Code {
        match self {
            Self::Unreachable => Code::ClusterUnreachable,
            Self::Forbidden => Code::ClusterForbidden,
            Self::Conflict => Code::ChangedDuringApply,
            Self::Held => Code::HeldByAnother,
            Self::Damaged => Code::DamagedObject,
            Self::Foreign => Code::ForeignFile,
            Self::Inventory => Code::InvalidInventory,
            Self::Locked => Code::ClusterLocked,
            Self::Invalid => Code::RefusedByCluster,
            Self::Outside => Code::OutsideNamespaces,
            Self::Io => Code::ClusterIo,
            Self::Cancelled => Code::Interrupted,
        }
    }
}

/// An error of one cluster, with what a user needs to act on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cluster {cluster}{}: {}", .object.as_ref().map(|object| format!(", {object}")).unwrap_or_default(), .words.what)]
pub struct ClusterError {
    /// the cause
    pub class: Class,
    /// where
    pub cluster: ClusterName,
    /// at which object; `None`: it concerns the whole cluster
    pub object: Option<Box<ObjectKey>>,
    /// what a user reads
    pub words: Box<Words>,
    /// whether asking again would cost a time-out, so that the verdict is better shared
    pub lasting: bool,
}

/// What a user reads of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// what is the matter
    pub what: String,
    /// why it matters, or the cause below
    pub why: String,
    /// what to do
    pub fix: String,
}

impl ClusterError {
    /// An error that concerns the whole cluster.
    pub fn new(
        class: Class,
        cluster: &ClusterName,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            class,
            cluster: cluster.clone(),
            object: None,
            words: Box::new(Words { what: what.into(), why: why.into(), fix: fix.into() }),
            lasting: false,
        }
    }

    /// The same, about one object.
    #[must_use]
    pub fn at(mut self, object: &ObjectKey) -> Self {
        self.object = Some(Box::new(object.clone()));
        self
    }

    /// The same, as a verdict that holds for the life of the configured provider.
    #[must_use]
    pub fn lasting(mut self) -> Self {
        self.lasting = true;
        self
    }

    /// As a finding; the caller knows the attribute path, if there is one.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let Words { what, why, fix } = &*self.words;
        let finding = Finding::new(self.class.code(), AttributePath::default(), what, why, fix).in_cluster(&self.cluster);
        match &self.object {
            Some(object) => finding.on_object(object),
            None => finding,
        }
    }
}
