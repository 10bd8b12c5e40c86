//! Objects become the values of `manifests` and `applied`.

use std::collections::BTreeMap;

use istio_objects::{Claim, Folded, Sealed};
use mesh_model::LeafPath;
use mesh_model::names::ClusterName;
use mesh_translate::Objects;
use tf_value::Value;

use super::state::digest;

/// `manifests` and `applied` of a plan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rendered {
    /// value of `manifests`
    pub(crate) manifests: Value,
    /// value of `applied`
    pub(crate) applied: Value,
    /// the leaf that hides all of `manifests`, if one does
    pub(crate) hidden_by: Option<LeafPath>,
}

impl Rendered {
    /// Nothing is known.
    pub(crate) fn unknown(leaf: LeafPath) -> Self {
        Self { manifests: Value::unknown(), applied: Value::unknown(), hidden_by: Some(leaf) }
    }
}

/// Seals, folds and digests. One unknown leaf hides its own object and the digest of its cluster.
pub(crate) fn render(objects: &Objects, claim: &Claim, default_labels: &BTreeMap<String, String>) -> Rendered {
    let sealed: BTreeMap<ClusterName, Vec<Sealed>> = objects
        .iter()
        .map(|(cluster, objects)| (cluster.clone(), objects.iter().map(|object| object.seal(claim, default_labels)).collect()))
        .collect();
    let applied = Value::map(sealed.iter().map(|(cluster, sealed)| {
        let manifests: Option<Vec<_>> = sealed.iter().map(Sealed::manifest).collect();
        (cluster.to_string(), manifests.map_or_else(Value::unknown, |manifests| Value::string(digest(manifests))))
    }));
    match istio_objects::fold(&sealed) {
        Folded::Entries(entries) => Rendered {
            manifests: Value::map(
                entries.into_iter().map(|(key, json)| (key.to_string(), json.map_or_else(Value::unknown, Value::string))),
            ),
            applied,
            hidden_by: None,
        },
        Folded::Unknown(leaf) => Rendered { manifests: Value::unknown(), applied, hidden_by: Some(leaf) },
    }
}
