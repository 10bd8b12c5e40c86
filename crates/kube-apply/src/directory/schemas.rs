//! What the definitions in an inventory say to objects.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use istio_objects::Manifest;
use kube_schema::{Definition, Unchecked, Violation};
use mesh_model::names::ClusterName;
use serde_json::Value;

use crate::port::Remark;
use crate::{Class, ClusterError};

/// Violations that are shown of one object.
const SHOWN: usize = 8;

/// A definition of the inventory.
#[derive(Debug)]
pub(super) struct Found {
    name: String,
    /// or why it is none
    definition: Result<Definition, String>,
}

/// What was said to be unchecked: once is enough for the life of the configured provider.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<BTreeSet<(String, Unchecked)>>);

impl Found {
    pub(super) fn read(json: &Value) -> Self {
        let name = json.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { name, definition: Definition::read(json) }
    }
}

impl Told {
    fn is_new(&self, definition: &str, unchecked: &Unchecked) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert((definition.to_owned(), unchecked.clone()))
    }
}

/// What an API server with this definition would say to a write of `new` where `old` is.
pub(super) fn judge(
    cluster: &ClusterName,
    found: &Found,
    new: &Manifest,
    old: Option<&Manifest>,
    told: &Told,
) -> Result<Vec<Remark>, ClusterError> {
    let definition = match &found.definition {
        Ok(definition) => definition,
        Err(why) => {
            let unchecked = Unchecked { path: String::new(), rule: "the whole definition".to_owned(), why: why.clone() };
            let is_new = told.is_new(&found.name, &unchecked);
            return Ok(is_new.then(|| warning(cluster, &found.name, &unchecked)).into_iter().collect());
        }
    };
    let verdict = definition.check(&new.value(), old.map(Manifest::value).as_ref());
    if verdict.violations.is_empty() {
        let unchecked = verdict.unchecked.iter().filter(|unchecked| told.is_new(&found.name, unchecked));
        return Ok(unchecked.map(|unchecked| warning(cluster, &found.name, unchecked)).collect());
    }
    Err(refused(cluster, &found.name, new, &verdict.violations))
}

fn refused(cluster: &ClusterName, definition: &str, manifest: &Manifest, violations: &[Violation]) -> ClusterError {
    let key = manifest.key();
    let line = |violation: &Violation| match violation.path.as_str() {
        "" => violation.what.clone(),
        path => format!("{path}: {}", violation.what),
    };
    let mut lines: Vec<String> = violations.iter().take(SHOWN).map(line).collect();
    if violations.len() > SHOWN {
        lines.push(format!("and {} more", violations.len() - SHOWN));
    }
    let (what, list) = match lines.as_slice() {
        [one] => (format!("cluster {cluster} would refuse {key}: {one}"), String::new()),
        all => (format!("cluster {cluster} would refuse {key}"), format!("{}\n\n", all.join("\n"))),
    };
    ClusterError::new(
        Class::Invalid,
        cluster,
        what,
        format!("{list}So says the definition {definition} in the inventory of the cluster."),
        "Change what is named in the arguments of the resource. Where the cluster has a newer definition by now, write the \
         inventory again:\n\n  kubectl get crd -o yaml > inventory/crds.yaml",
    )
    .at(key)
}

fn warning(cluster: &ClusterName, definition: &str, unchecked: &Unchecked) -> Remark {
    let place = if unchecked.path.is_empty() { String::new() } else { format!(" at {}", unchecked.path) };
    let rule: String = unchecked.rule.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = rule.chars().take(200).collect();
    let dots = if shown.len() < rule.len() { " …" } else { "" };
    Remark::Unchecked {
        what: format!("A rule of {definition} in the inventory of cluster {cluster} is not checked{place}: {shown}{dots}"),
        why: format!("Without a server it cannot be judged: {}.", unchecked.why),
    }
}
