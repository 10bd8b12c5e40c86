//! What lists are asked about.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::names::Namespace;

/// Namespaces and labels that narrow a list.
#[derive(Clone, Copy, Debug)]
pub struct Selected<'q> {
    /// where to look; `None`: everywhere
    pub namespaces: Option<&'q BTreeSet<Namespace>>,
    /// labels that must be there
    pub labels: &'q BTreeMap<String, String>,
}

impl Selected<'_> {
    /// Whether something with these labels in this namespace is asked for.
    pub(crate) fn takes(&self, namespace: &str, labels: &BTreeMap<&str, &str>) -> bool {
        let is_there = |asked: &BTreeSet<Namespace>| asked.iter().any(|asked| asked.as_str() == namespace);
        self.namespaces.is_none_or(is_there)
            && self.labels.iter().all(|(label, value)| labels.get(label.as_str()) == Some(&value.as_str()))
    }
}
