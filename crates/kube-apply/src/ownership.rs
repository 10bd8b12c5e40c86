//! Field ownership where the store itself does not know it.

use istio_objects::{Manifest, reserved};
use serde_json::Value;

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

/// Whether the live object is what the write would make of it.
pub(crate) fn is_as_written(write: &Write, live: &Value) -> bool {
    let composed = compose(write, Some(live));
    let is_same = |member: &str| {
        let of = |object: &Value| object.pointer(member).and_then(Value::as_object).cloned().unwrap_or_default();
        of(&composed) == of(live)
    };
    drift_lines(&write.manifest, Some(live)).is_empty() && is_same("/metadata/labels") && is_same("/metadata/annotations")
}

/// Whether a label or annotation has one of our prefixes: nobody else's then.
fn is_reserved(name: &str) -> bool {
    let own = reserved::OWNER_LABEL.split_once('/').map_or(reserved::OWNER_LABEL, |(prefix, _)| prefix);
    name.starts_with(reserved::STATE_PREFIX)
        || name.starts_with(reserved::RANK_PREFIX)
        || name.strip_prefix(own).is_some_and(|rest| rest.starts_with('/'))
}
