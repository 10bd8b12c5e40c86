//! The Kubernetes and Istio objects that we emit, byte-canonical.
//!
//! ```text
//! kinds (typed) → Object (Tree, may hold unknown leaves) → seal → Manifest (canonical JSON, digest) → fold → `manifests`
//! ```
//!
//! Objects do not know why they exist. A [`Manifest`] is wholly known by construction: sealing is the only way to make one.

mod change;
mod claim;
mod fold;
mod key;
mod kind;
pub mod kinds;
mod manifest;
mod object;
mod tree;

pub use change::{Change, Operation, Wave, changes};
pub use claim::{Claim, annotation, reserved};
pub use fold::{Folded, fold, unfold};
pub use key::{ManifestKey, ObjectKey, Scope};
pub use kind::Kind;
pub use manifest::{Digest, Manifest, Sealed, is_under, keep_written, object_key};
pub use object::Object;
pub use tree::Tree;
