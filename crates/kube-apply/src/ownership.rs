//! Field ownership where the store itself does not know it.

use istio_objects::{Manifest, reserved};
use serde_json::{Map, Value};

use crate::port::Write;

/// The object to store: the manifest, the labels and annotations of others, and the state annotations. Pure.
#[must_use]
pub fn compose(write: &Write, live: Option<&Value>) -> Value {
    let mut object = write.manifest.value();
    let previous = write.previous.as_ref().map(Manifest::value);
    for member in ["labels", "annotations"] {
        let pointer = format!("/metadata/{member}");
        let of = |object: Option<&Value>| object.and_then(|o| o.pointer(&pointer)).and_then(Value::as_object).cloned();
        let previous = of(previous.as_ref()).unwrap_or_default();
        let ours = of(Some(&object));
        let mut merged = ours.clone().unwrap_or_default();
        for (name, value) in of(live).unwrap_or_default() {
            if !previous.contains_key(&name) && !merged.contains_key(&name) && !is_reserved(&name) {
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

/// The annotations of a live object that are not part of its manifest.
#[must_use]
pub fn state_annotations(live: &Value) -> Map<String, Value> {
    let annotations = live.pointer("/metadata/annotations").and_then(Value::as_object);
    let ours = annotations.into_iter().flatten().filter(|(name, _)| name.starts_with(reserved::STATE_PREFIX));
    ours.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether a label or annotation has one of our prefixes: nobody else's then.
fn is_reserved(name: &str) -> bool {
    let own = reserved::OWNER_LABEL.split_once('/').map_or(reserved::OWNER_LABEL, |(prefix, _)| prefix);
    name.starts_with(reserved::STATE_PREFIX)
        || name.starts_with(reserved::RANK_PREFIX)
        || name.strip_prefix(own).is_some_and(|rest| rest.starts_with('/'))
}
