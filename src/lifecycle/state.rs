//! The computed attributes that every resource has, read from and written to a state.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Digest, Manifest, ObjectKey};
use kube_apply::Residue;
use mesh_model::names::ClusterName;
use tf_value::{Diagnostic, Value};

use super::private::Residues;
use crate::session::PerCluster;

/// What each cluster holds of a resource after writes.
pub(crate) type Landed = BTreeMap<ClusterName, BTreeMap<ObjectKey, Manifest>>;

/// Drift by `<cluster>/<Kind>/<namespace>/<name>`, one line for each field.
pub(crate) type Drift = BTreeMap<String, Vec<String>>;

/// What a state says of the clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// what was last written, by cluster
    pub(crate) manifests: PerCluster,
    /// digest of what landed, by cluster
    pub(crate) applied: BTreeMap<ClusterName, String>,
    /// what the last refresh found
    pub(crate) drift: Drift,
}

impl Record {
    /// Reads a wholly known state.
    ///
    /// # Errors
    /// When the state is not one that this provider wrote.
    pub(crate) fn read(state: &Value) -> Result<Self, Diagnostic> {
        let damaged = |problem: String| {
            Diagnostic::error(
                "Damaged state",
                format!(
                    "{problem}.\n\nThe computed attributes of this resource were changed outside the provider. Restore the state from a backup, or remove the resource from the state and import it."
                ),
            )
        };
        let applied: BTreeMap<ClusterName, String> = strings(state.get("applied"))
            .into_iter()
            .map(|(cluster, digest)| cluster.parse().map(|cluster| (cluster, digest)))
            .collect::<Result<_, _>>()
            .map_err(|error: mesh_model::names::InvalidName| damaged(error.to_string()))?;
        let clusters: BTreeSet<ClusterName> = applied.keys().cloned().collect();
        let manifests = istio_objects::unfold(&strings(state.get("manifests")), &clusters).map_err(damaged)?;
        let drift = state.get("drift").as_map().into_iter().flatten();
        let drift = drift
            .map(|(object, lines)| {
                let lines = lines.as_elements().unwrap_or_default().iter();
                (object.clone(), lines.filter_map(Value::as_str).map(str::to_owned).collect())
            })
            .collect();
        Ok(Self { manifests, applied, drift })
    }

    /// The clusters in which something is not as it should be. After a failed apply they may be more than those of
    /// `manifests`: what is still to be deleted keeps its cluster here.
    pub(crate) fn drifted_clusters(&self) -> BTreeSet<ClusterName> {
        self.drift.keys().filter_map(|object| object.split('/').next()?.parse().ok()).collect()
    }

    /// Whether a planned state leaves an object, `<cluster>/<Kind>/<namespace>/<name>`, to whoever took it.
    pub(crate) fn is_given_up(&self, object: &str) -> bool {
        self.drift.get(object).is_some_and(|lines| kube_apply::taker(lines).is_some())
    }

    /// Whether `cluster` holds exactly what the state says, as far as the last apply knows.
    pub(crate) fn landed(&self, cluster: &ClusterName) -> bool {
        let manifests = self.manifests.get(cluster).map(Vec::as_slice).unwrap_or_default();
        self.applied.get(cluster).is_some_and(|digest| *digest == Digest::of(manifests).to_string())
    }
}

/// What is still to be taken off after an update that has not landed as a whole: what it, or one before it, has written and
/// the goal does not name. The state holds the goal, which says nothing of it.
pub(crate) fn residues(before: &Record, goal: &Record, earlier: &Residues, landed: &Landed) -> Residues {
    let mut residues = Residues::new();
    for (cluster, holds) in landed {
        for (key, there) in holds {
            let manifest =
                |record: &Record| record.manifests.get(cluster)?.iter().find(|manifest| manifest.key() == key).cloned();
            let goal = manifest(goal);
            if goal.as_ref() == Some(there) {
                continue;
            }
            let object = format!("{cluster}/{key}");
            let mut residue = earlier.get(&object).cloned().unwrap_or_default();
            if let Some(before) = manifest(before) {
                residue = residue.with(&Residue::of(&before));
            }
            if let Some(goal) = &goal {
                residue = residue.without(goal);
            }
            if !residue.is_empty() {
                residues.insert(object, residue);
            }
        }
    }
    residues
}

fn strings(map: &Value) -> BTreeMap<String, String> {
    let entries = map.as_map().into_iter().flatten();
    entries.filter_map(|(key, value)| value.as_str().map(|text| (key.clone(), text.to_owned()))).collect()
}

/// What of the objects differs between a state and the one that is planned for it.
pub(crate) fn changed<'a>(prior: &'a Value, planned: &'a Value) -> impl Iterator<Item = &'static str> + 'a {
    ["manifests", "applied", "drift"].into_iter().filter(|name| prior.get(name) != planned.get(name))
}

/// `drift` as a value.
pub(crate) fn drift_value(drift: &Drift) -> Value {
    Value::map(drift.iter().map(|(object, lines)| (object.clone(), Value::strings(lines.iter().cloned()))))
}

/// `applied` as a value.
pub(crate) fn applied_value(applied: &BTreeMap<ClusterName, String>) -> Value {
    Value::map(applied.iter().map(|(cluster, digest)| (cluster.to_string(), Value::string(digest.clone()))))
}

/// The digest of what a cluster holds, as text.
pub(crate) fn digest<'a>(manifests: impl IntoIterator<Item = &'a Manifest>) -> String {
    Digest::of(manifests).to_string()
}

/// The state with `value` at the top-level attribute `name`.
pub(crate) fn with(state: &mut Value, name: &str, value: Value) {
    if let Value::Map(attributes) = state {
        attributes.insert(name.to_owned(), value);
    }
}
