//! Field ownership where the store itself does not know it.

use std::collections::BTreeSet;

use istio_objects::{Manifest, reserved};
use serde_json::{Map, Value};

use crate::drift::drift_lines;
use crate::port::Write;

/// The object to store: the manifest, the labels and annotations of others, and the state annotations. Pure.
#[must_use]
pub(crate) fn compose(write: &Write, live: Option<&Value>) -> Value {
    let mut object = write.manifest.value();
    let previous = write.previous.as_ref().map(Manifest::value);
    for member in ["labels", "annotations"] {
        let pointer = format!("/metadata/{member}");
        let of = |object: Option<&Value>| object.and_then(|o| o.pointer(&pointer)).and_then(Value::as_object).cloned();
        let previous = of(previous.as_ref()).unwrap_or_default();
        let ours = of(Some(&object));
        let mut merged = ours.clone().unwrap_or_default();
        for (name, value) in of(live).unwrap_or_default() {
            if !previous.contains_key(&name) && !merged.contains_key(&name) && !reserved::is_ours(&name) {
                merged.insert(name, value);
            }
        }
        if member == "annotations" {
            merged.extend(write.state_annotations.iter().map(|(name, text)| (name.clone(), Value::String(text.clone()))));
        }
        if ours.is_none() && merged.is_empty() {
            continue;
        }
        let metadata = object.get_mut("metadata").and_then(Value::as_object_mut);
        metadata.expect("a manifest has metadata").insert(member.to_owned(), Value::Object(merged));
    }
    object
}

/// Whether the live object is what the write would make of it.
pub(crate) fn is_as_written(write: &Write, live: &Value) -> bool {
    let composed = compose(write, Some(live));
    let is_same = |member: &str| {
        let of = |object: &Value| object.pointer(member).and_then(Value::as_object).cloned().unwrap_or_default();
        of(&composed) == of(live)
    };
    drift_lines(&write.manifest, Some(live)).is_empty() && is_same("/metadata/labels") && is_same("/metadata/annotations")
}

/// Labels and annotations of an object that are this owner's and that no manifest names any more, because the write that was
/// to take them off failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Residue {
    /// names of labels
    pub labels: BTreeSet<String>,
    /// names of annotations
    pub annotations: BTreeSet<String>,
}

impl Residue {
    /// Everything that a manifest names, but for what has one of our prefixes: every write decides on that.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let names = |member: &str| {
            let names = names_in(&manifest.value(), member);
            names.into_iter().map(|(name, _)| name).filter(|name| !reserved::is_ours(name)).collect()
        };
        Self { labels: names("labels"), annotations: names("annotations") }
    }

    /// These and those.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.labels.extend(other.labels.iter().cloned());
        self.annotations.extend(other.annotations.iter().cloned());
        self
    }

    /// These but for what the manifest names.
    #[must_use]
    pub fn without(mut self, manifest: &Manifest) -> Self {
        let named = Self::of(manifest);
        self.labels.retain(|name| !named.labels.contains(name));
        self.annotations.retain(|name| !named.annotations.contains(name));
        self
    }

    /// Whether there is nothing to take off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.annotations.is_empty()
    }

    /// The manifest with what the live object still has of it; `None` when that is nothing.
    pub(crate) fn on(&self, manifest: &Manifest, live: &Value) -> Option<Manifest> {
        let mut object = manifest.value();
        let mut is_found = false;
        for (member, names) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            let mut named = names_in(&object, member);
            let there = names_in(live, member).into_iter().filter(|(name, _)| names.contains(name) && !named.contains_key(name));
            let there: Vec<_> = there.collect();
            is_found |= !there.is_empty();
            named.extend(there);
            if !named.is_empty() {
                object.get_mut("metadata")?.as_object_mut()?.insert(member.to_owned(), Value::Object(named));
            }
        }
        if is_found { Manifest::from_stored(manifest.key().clone(), &object.to_string()).ok() } else { None }
    }
}

fn names_in(object: &Value, member: &str) -> Map<String, Value> {
    object.pointer(&format!("/metadata/{member}")).and_then(Value::as_object).cloned().unwrap_or_default()
}
