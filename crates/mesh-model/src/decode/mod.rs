//! From attribute values to intents.
//!
//! Decoding is total: whatever comes in, the outcome is an intent, an unknown shape, or errors that say where, what, why and
//! how to write it. Every finding is collected. An unknown value stays a [`crate::Leaf`] where it does not decide which objects
//! exist; anywhere else the outcome is [`Outcome::UnknownShape`].

mod destination;
mod facts;
mod failover;
mod federation;
mod mesh;
mod number;
mod reader;
mod scalars;
mod shapes;
mod subsets;

use crate::facts::{Backend, ClusterFacts};
use crate::finding::Findings;
use crate::intent::{ManagedMesh, VirtualDestination};
use crate::{AttributePath, Input, LeafPath};
pub use number::duration as parse_duration;
use reader::{Read, Sink, Value};

/// Most clusters of a virtual mesh.
pub const MAX_CLUSTERS: usize = 10_000;
/// Most backends of a destination.
pub const MAX_BACKENDS: usize = 20_000;
/// Most ports of a destination, or of a Service.
pub const MAX_PORTS: usize = 256;
/// Most gateways of a cluster, and most addresses of a gateway.
pub const MAX_GATEWAYS: usize = 64;
/// Most labels of a selector.
pub const MAX_LABELS: usize = 64;
/// Most subsets of a destination.
pub const MAX_SUBSETS: usize = 100;
/// Most elements of any other list.
pub const MAX_LIST: usize = 1_000;

/// What came of it, and every finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<T> {
    /// what came of it
    pub outcome: Outcome<T>,
    /// errors and warnings, in the order of the attributes
    pub findings: Findings,
}

/// What came of decoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// a valid intent; its findings are warnings
    Intent(T),
    /// no error, but this value, on which the set of objects depends, is unknown
    UnknownShape(LeafPath),
    /// there is an error
    Invalid,
}

/// `gloo_virtual_destination`
#[must_use]
pub fn virtual_destination(input: &Input) -> Decoded<VirtualDestination> {
    decode(&Value::root(input, AttributePath::default(), "gloo_virtual_destination", "{ … }"), destination::decode_destination)
}

/// `gloo_virtual_mesh`
#[must_use]
pub fn virtual_mesh(input: &Input) -> Decoded<ManagedMesh> {
    decode(&Value::root(input, AttributePath::default(), "gloo_virtual_mesh", "{ … }"), mesh::decode_resource)
}

/// The facts of one cluster, written at `path`.
#[must_use]
pub fn cluster_facts(input: &Input, path: AttributePath) -> Decoded<ClusterFacts> {
    decode(&Value::root(input, path, "facts", "data.gloo_cluster.east.facts"), facts::decode_cluster)
}

/// One backend, written at `path`.
#[must_use]
pub fn backend(input: &Input, path: AttributePath) -> Decoded<Backend> {
    decode(&Value::root(input, path, "backends", "data.gloo_service.reviews.backends"), |value, sink| {
        facts::decode_backend(value, None, sink)
    })
}

fn decode<T>(value: &Value<'_>, read: impl FnOnce(&Value<'_>, &mut Sink) -> Read<T>) -> Decoded<T> {
    let mut sink = Sink::default();
    let read = read(value, &mut sink);
    let (findings, failed, unknown) = sink.finish();
    let outcome = match (failed, unknown, read) {
        (true, _, _) => Outcome::Invalid,
        (false, Some(path), _) => Outcome::UnknownShape(path),
        (false, None, Ok(intent)) => Outcome::Intent(intent),
        // `Reported` exists only after an error or an unknown shape
        (false, None, Err(_)) => Outcome::Invalid,
    };
    Decoded { outcome, findings }
}
