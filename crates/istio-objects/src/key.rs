//! Keys of objects and of entries of `manifests`.

use std::fmt;
use std::str::FromStr;

use mesh_model::names::{ClusterName, Namespace, ObjectName};

/// One object in one cluster: `<Kind>/<namespace>/<name>`, namespace `-` for cluster-scoped kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// [`crate::Kind::key_name`]
    pub kind: String,
    /// namespace, unless the kind has none
    pub namespace: Option<Namespace>,
    /// name
    pub name: ObjectName,
}

/// Which clusters an entry of `manifests` is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `*`: every cluster of `applied`, two or more
    All,
    /// one cluster
    Cluster(ClusterName),
}

/// Key of an entry of `manifests`: `<cluster or *>/<Kind>/<namespace>/<name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ManifestKey {
    /// where
    pub scope: Scope,
    /// what
    pub object: ObjectKey,
}

/// A text that is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidKey(pub String);

impl fmt::Display for InvalidKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no object key: it reads <cluster or *>/<Kind>/<namespace or ->/<name>", self.0)
    }
}

impl std::error::Error for InvalidKey {}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.kind, self.namespace.as_ref().map_or("-", Namespace::as_str), self.name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Cluster(name) => name.fmt(f),
        }
    }
}

impl fmt::Display for ManifestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope, self.object)
    }
}

impl FromStr for ObjectKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let invalid = || InvalidKey(text.to_owned());
        let mut parts = text.split('/');
        let (Some(kind), Some(namespace), Some(name), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(invalid());
        };
        let kind_is_valid = kind.starts_with(|c: char| c.is_ascii_uppercase())
            && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
        if !kind_is_valid {
            return Err(invalid());
        }
        Ok(Self {
            kind: kind.to_owned(),
            namespace: if namespace == "-" { None } else { Some(namespace.parse().map_err(|_| invalid())?) },
            name: name.parse().map_err(|_| invalid())?,
        })
    }
}

impl FromStr for ManifestKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let invalid = || InvalidKey(text.to_owned());
        let (scope, object) = text.split_once('/').ok_or_else(invalid)?;
        Ok(Self {
            scope: if scope == "*" { Scope::All } else { Scope::Cluster(scope.parse().map_err(|_| invalid())?) },
            object: object.parse().map_err(|_| invalid())?,
        })
    }
}
