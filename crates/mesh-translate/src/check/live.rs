//! What is live in one cluster, without what is ours.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Claim, Kind, annotation, reserved};
use mesh_model::names::ClusterName;
use serde_json::Value;

use super::Rights;

/// Live objects of one cluster by kind.
pub(super) struct Inventory<'a> {
    /// the cluster
    pub(super) cluster: &'a ClusterName,
    claim: &'a Claim,
    by_kind: BTreeMap<String, Vec<Live<'a>>>,
}

/// A live object that does not belong to the resource at hand.
#[derive(Clone, Copy)]
pub(super) struct Live<'a> {
    /// its namespace; empty where the kind has none
    pub(super) namespace: &'a str,
    /// its name
    pub(super) name: &'a str,
    value: &'a Value,
}

impl<'a> Inventory<'a> {
    pub(super) fn new(cluster: &'a ClusterName, rights: &Rights<'a>, objects: &'a [impl Borrow<Value>]) -> Self {
        let mut by_type: BTreeMap<(&str, &str), Vec<Live<'a>>> = BTreeMap::new();
        let ours: BTreeSet<String> = rights.takeover.iter().flatten().chain([rights.claim]).map(ToString::to_string).collect();
        for value in objects.iter().map(Borrow::borrow) {
            let text = |value: &'a Value, name| value.get(name).and_then(Value::as_str);
            let Some(metadata) = value.get("metadata") else { continue };
            let (Some(version), Some(kind), Some(name)) =
                (text(value, "apiVersion"), text(value, "kind"), text(metadata, "name"))
            else {
                continue;
            };
            let live = Live { namespace: text(metadata, "namespace").unwrap_or_default(), name, value };
            if !live.claim_text().is_some_and(|claim| ours.contains(claim)) {
                by_type.entry((version, kind)).or_default().push(live);
            }
        }
        // an inventory is large, and its kinds are few
        let mut by_kind: BTreeMap<String, Vec<Live<'a>>> = BTreeMap::new();
        for ((version, kind), lives) in by_type {
            if let Some(kind) = Kind::parse(version, kind) {
                by_kind.entry(kind.key_name()).or_default().extend(lives);
            }
        }
        Self { cluster, claim: rights.claim, by_kind }
    }

    /// Objects of a kind, by its name in keys.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = Live<'a>> + '_ {
        self.by_kind.get(kind).into_iter().flatten().copied()
    }

    /// Who has an object, in words.
    pub(super) fn owner(&self, live: Live<'_>) -> String {
        match live.claim_text().map(|text| (text, text.parse::<Claim>())) {
            None => "nobody that this provider knows".to_owned(),
            Some((_, Ok(claim))) if claim.owner == self.claim.owner => {
                format!("{}.{} of the same owner", claim.resource_type, claim.name)
            }
            Some((_, Ok(claim))) => format!("owner {} ({} {})", claim.owner, claim.resource_type, claim.name),
            Some((text, Err(_))) => format!("the claim {text:?}"),
        }
    }

    /// Istio's root namespace: where its mesh configuration is.
    pub(super) fn root_namespace(&self) -> &'a str {
        self.of_kind("ConfigMap")
            .find(|map| (map.name == "istio" || map.name.starts_with("istio-")) && map.at("/data/mesh").is_some())
            .map_or("istio-system", |map| map.namespace)
    }
}

impl<'a> Live<'a> {
    /// The claim on it.
    pub(super) fn claim_text(&self) -> Option<&'a str> {
        self.annotation(reserved::CLAIM_ANNOTATION)
    }

    /// An annotation of it.
    pub(super) fn annotation(&self, name: &str) -> Option<&'a str> {
        annotation(self.value, name)
    }

    /// A member of it, by a JSON pointer without escapes: unescaping takes longer than the walk, of which there are very many.
    pub(super) fn at(&self, pointer: &str) -> Option<&'a Value> {
        let mut members = pointer.split('/').skip(1);
        members.try_fold(self.value, |value, member| value.get(member)).filter(|value| !value.is_null())
    }

    /// Whether a map of strings of it has all of these.
    pub(super) fn meets(&self, selector: &BTreeMap<&str, &str>, pointer: &str) -> bool {
        let labels = self.at(pointer);
        selector.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)?.as_str()) == Some(value))
    }

    /// Elements of a list of it.
    pub(super) fn list(&self, pointer: &str) -> &'a [Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Strings in a list of it.
    pub(super) fn strings(&self, pointer: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.list(pointer).iter().filter_map(Value::as_str)
    }

    /// A map of strings of it; `None` where there is none, or an empty one.
    pub(super) fn labels(&self, pointer: &str) -> Option<BTreeMap<&'a str, &'a str>> {
        let map = self.at(pointer)?.as_object()?;
        let labels: BTreeMap<&str, &str> = map.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect();
        (!labels.is_empty()).then_some(labels)
    }

    /// `<Kind>/<namespace>/<name>`
    pub(super) fn key(&self, kind: &str) -> String {
        format!("{kind}/{}/{}", if self.namespace.is_empty() { "-" } else { self.namespace }, self.name)
    }
}

/// Most names that one finding lists.
const LISTED: usize = 5;

/// Names as a finding lists them: the first few, and how many more there are.
pub(super) fn listed<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let count = names.len();
    let mut shown: Vec<String> = names.take(LISTED).map(str::to_owned).collect();
    if count > LISTED {
        shown.push(format!("{} more", count - LISTED));
    }
    shown.join(", ")
}

/// Whether a selector takes something with these labels.
pub(super) fn selects(selector: &BTreeMap<&str, &str>, labels: &BTreeMap<&str, &str>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
