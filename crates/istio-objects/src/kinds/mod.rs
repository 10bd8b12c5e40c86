//! Typed kinds: only the fields that we emit, each with the path where it is written.
//!
//! Every field of a kind is an `Option`, because features each give a slice of an object and [`merge`](Gateway::merge) joins
//! them; two features that give the same field are a [`Conflict`], never a silent win.

mod destination_rule;
mod gateway;
mod macros;
mod peer_authentication;
mod remote_gateway;
mod service_entry;
mod value;
mod virtual_service;
mod workload_entry;

use std::collections::BTreeMap;
use std::fmt;

pub use destination_rule::{
    ClientTls, ConnectionPool, DestinationRule, HostSubset, LocalitySetting, OutlierDetection, PortPolicies, TrafficPolicy,
};
pub use gateway::{Gateway, PassthroughServer};
pub use peer_authentication::{MutualTlsMode, PeerAuthentication};
pub use remote_gateway::{PassthroughListener, RemoteAddress, RemoteGateway};
pub use service_entry::{Location, Resolution, ServiceEntry, ServicePort, WorkloadSelector};
pub use value::duration_text;
pub use virtual_service::{HttpMatch, HttpRetries, HttpRoute, PortMatches, RouteDestination, TcpRoute, VirtualService};
pub use workload_entry::{RankLabel, WorkloadEntry};

use mesh_model::names::{Namespace, ObjectName};

use crate::{Kind, Object, Tree};

/// Two slices give the same field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// kind of the object
    pub kind: &'static str,
    /// path of the field
    pub field: &'static str,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "two features write {} of a {}", self.field, self.kind)
    }
}

impl std::error::Error for Conflict {}

/// Members of an object, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    annotations: BTreeMap<String, String>,
    body: BTreeMap<String, Tree>,
}

impl Members {
    /// Puts `value` where `path` says: `spec.host`, or `spec.labels[key]` for a member whose name has dots. A key that ends
    /// with `*` takes the members of `value`; an unknown value then makes the whole map unknown.
    pub(crate) fn put(&mut self, path: &'static str, value: Tree) {
        let (parents, key) = match path.strip_suffix(']').and_then(|path| path.split_once('[')) {
            Some((parents, key)) => (parents.split('.').collect::<Vec<_>>(), key),
            None => {
                let (parents, key) = path.rsplit_once('.').expect("field paths begin with a top-level member");
                (parents.split('.').collect(), key)
            }
        };
        if parents == ["metadata", "annotations"] {
            if let Tree::String(text) = value {
                self.annotations.insert(key.to_owned(), text);
            }
            return;
        }
        let (first, rest) = parents.split_first().expect("a path has a top-level member");
        let mut node = self.body.entry((*first).to_owned()).or_insert_with(empty);
        for part in rest {
            let Tree::Map(members) = node else { return };
            node = members.entry((*part).to_owned()).or_insert_with(empty);
        }
        // an unknown map stays unknown: which members it has is what is not known
        let Tree::Map(members) = node else { return };
        match value {
            Tree::Null => {}
            Tree::Map(more) if key.ends_with('*') => members.extend(more),
            Tree::Unknown(leaf) if key.ends_with('*') => *node = Tree::Unknown(leaf),
            value => {
                members.insert(key.to_owned(), value);
            }
        }
    }

    /// The object that they make.
    pub(crate) fn object(self, kind: Kind, namespace: Namespace, name: ObjectName, labels: BTreeMap<String, String>) -> Object {
        Object { kind, namespace: Some(namespace), name, labels, annotations: self.annotations, body: self.body }
    }

    /// The member below `spec`, for parts that are no objects of their own.
    pub(crate) fn part(mut self, root: &str) -> Tree {
        self.body.remove(root).unwrap_or_else(empty)
    }
}

fn empty() -> Tree {
    Tree::Map(BTreeMap::new())
}
