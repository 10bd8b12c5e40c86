//! What the clusters would say to the objects that a plan changes.
//!
//! Contract: asked for nothing that the plan leaves as it is, and for nothing that is not wholly known. A verdict vetoes or
//! warns; no planned value depends on it.

use std::sync::Arc;

use istio_objects::{Change, Manifest, Operation};
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Findings, Severity};
use mesh_translate::Objects;
use serde_json::Value;

use super::meet::Asking;
use super::state::Record;
use crate::session::Inventories;

/// What the clusters had to say already, and what is there.
pub(super) struct Met<'a> {
    /// said so far
    pub(super) findings: &'a Findings,
    /// clusters that answered
    pub(super) inventories: &'a Inventories,
}

/// Tries the objects that differ from `record` or have drifted. Refusals are about the argument `written_in`.
pub(super) async fn try_changes(
    asking: &Asking<'_>,
    met: &Met<'_>,
    record: &Record,
    objects: &Objects,
    written_in: Option<&str>,
) -> Findings {
    let Some(labels) = &asking.session.settings.default_labels else { return Findings::new() };
    let mut changes = Vec::new();
    for (cluster, objects) in objects.iter().filter(|(cluster, _)| met.inventories.contains_key(*cluster)) {
        for manifest in objects.iter().filter_map(|object| object.seal(asking.rights.claim, labels).manifest().cloned()) {
            if met.is_without_namespace(cluster, &manifest) {
                continue;
            }
            changes.extend(operation(record, cluster, &manifest).map(|operation| Change { cluster: cluster.clone(), operation }));
        }
    }
    let mut findings = kube_apply::verdicts(&asking.session.fleet, changes).await;
    if let Some(argument) = written_in {
        let refusals = findings.iter_mut().filter(|finding| finding.code.severity() == Severity::Error);
        refusals.filter(|finding| finding.object.is_some()).for_each(|finding| finding.path = AttributePath::of(argument));
    }
    findings
}

/// What the apply does to make the object this one; `None`: nothing.
fn operation(record: &Record, cluster: &ClusterName, manifest: &Manifest) -> Option<Operation> {
    let object = format!("{cluster}/{}", manifest.key());
    let old = record.manifests.get(cluster).and_then(|written| written.iter().find(|old| old.key() == manifest.key()));
    match old {
        // it is somebody else's by now, and stays so or is taken back after a closer look
        Some(_) if record.is_given_up(&object) => None,
        Some(old) if old == manifest && !record.drift.contains_key(&object) && record.landed(cluster) => None,
        Some(old) => Some(Operation::Update { old: old.clone(), new: manifest.clone() }),
        None => Some(Operation::Create(manifest.clone())),
    }
}

impl Met<'_> {
    /// Whether the namespace of an object is missing and that was said: the cluster can say nothing more.
    fn is_without_namespace(&self, cluster: &ClusterName, manifest: &Manifest) -> bool {
        let is_said =
            |finding: &mesh_model::Finding| finding.code == Code::NamespaceMissing && finding.cluster.as_ref() == Some(cluster);
        let Some(namespace) = &manifest.key().namespace else { return false };
        let is_it = |object: &Arc<Value>| {
            object["kind"] == "Namespace" && object.pointer("/metadata/name").and_then(Value::as_str) == Some(namespace.as_str())
        };
        self.findings.iter().any(is_said) && !self.inventories.get(cluster).into_iter().flatten().any(is_it)
    }
}
