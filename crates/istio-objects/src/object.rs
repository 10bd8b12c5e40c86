//! An object before it is sealed.

use std::collections::BTreeMap;

use mesh_model::names::{Namespace, ObjectName};

use crate::{Kind, ObjectKey, Tree};

/// An object as translation makes it: no owner, no claim yet; leaves may be unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// group, version, kind
    pub kind: Kind,
    /// namespace, unless the kind has none
    pub namespace: Option<Namespace>,
    /// name
    pub name: ObjectName,
    /// labels of its own
    pub labels: BTreeMap<String, String>,
    /// annotations of its own
    pub annotations: BTreeMap<String, String>,
    /// top-level members besides `apiVersion`, `kind` and `metadata`; nearly always `spec` alone
    pub body: BTreeMap<String, Tree>,
}

impl Object {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        ObjectKey { kind: self.kind.key_name(), namespace: self.namespace.clone(), name: self.name.clone() }
    }

    /// What is at a path, which begins with a top-level member of the body.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Tree> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.body.get(*first)?, |tree, key| tree.member(key))
    }
}
