//! What the engine sees of a live object, and what is sent of a manifest. Pure.
//!
//! The engine sees an object as somebody wrote it: without status, without what the server notes in `metadata`, in the
//! version in which we wrote it, without defaults that nobody wrote, and with the changes undone that admission made when
//! it was written and that were recorded then (annotation [`ACCEPTED`]), as long as they are exactly as recorded.

use istio_objects::{keep_written, reserved};
use kube_apply::authors::{Authors, Step};
use kube_apply::port::{LiveObject, Revision, Write};
use mesh_model::names::OwnerId;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// Annotation with what the server made of the written object: a list of `[pointer, live value, written value]`, the last
/// one missing where nothing was written.
const ACCEPTED: &str = "state.gloo-terraform/accepted";
/// What would be longer is not recorded: annotations have a limit of 256 KiB in all.
const LONGEST_RECORD: usize = 32 << 10;

/// An object as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) json: Value,
    pub(crate) authors: Authors,
}

impl Raw {
    /// `manager` is the name under which we write.
    pub(crate) fn new(json: Value, manager: &str) -> Self {
        let authors = Authors::new(json.pointer("/metadata/managedFields").unwrap_or(&Value::Null), manager);
        Self { json, authors }
    }

    pub(crate) fn uid(&self) -> &str {
        self.json.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn version(&self) -> &str {
        self.json.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default()
    }

    /// Its state: everything but the status, the server's notes, and labels and annotations of others.
    fn revision(&self) -> Revision {
        let mut object = self.json.clone();
        if let Some(members) = object.as_object_mut() {
            members.remove("status");
        }
        let metadata = object.get("metadata").cloned().unwrap_or_default();
        let mut kept = Map::new();
        for member in ["labels", "annotations"] {
            let there = metadata.get(member).and_then(Value::as_object).into_iter().flatten();
            let ours = there.filter(|(name, _)| {
                let path = [Step::Member("metadata"), Step::Member(member), Step::Member(name)];
                reserved::is_ours(name)
                    || self
                        .authors
                        .own()
                        .is_some_and(|_| !self.authors.of(&path).is_empty() && self.authors.other(&path).is_none())
            });
            kept.insert(member.to_owned(), ours.map(|(name, value)| (name.clone(), value.clone())).collect());
        }
        kept.insert("deletionTimestamp".to_owned(), metadata.get("deletionTimestamp").cloned().unwrap_or_default());
        object["metadata"] = Value::Object(kept);
        let digest: String = Sha256::digest(object.to_string()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Revision(format!("{}:{digest}", self.uid()))
    }

    /// As the engine sees it.
    pub(crate) fn live(&self) -> Option<LiveObject> {
        let mut json = self.json.clone();
        keep_written(&mut json);
        let members = json.as_object_mut()?;
        if let Some(own) = self.authors.own() {
            members.insert("apiVersion".to_owned(), Value::String(own.api_version.clone()));
            for (name, value) in members.iter_mut().filter(|(name, _)| is_body(name)) {
                drop_unowned(&self.authors, &[Step::Member(name)], value);
            }
        }
        undo_accepted(&mut json, &self.json);
        Some(LiveObject::new(json, self.revision())?.written_by(self.authors.clone()))
    }
}

/// What is sent to write the object: the manifest and the state annotations, and nothing else.
pub(crate) fn applied(write: &Write, accepted: Option<&str>) -> Value {
    let mut object = write.manifest.value();
    let annotations = write.state_annotations.iter().map(|(name, text)| (name.clone(), Value::String(text.clone())));
    let accepted = accepted.map(|text| (ACCEPTED.to_owned(), Value::String(text.to_owned())));
    let added: Map<String, Value> = annotations.chain(accepted).collect();
    if !added.is_empty()
        && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut)
    {
        let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
        if let Some(annotations) = annotations.as_object_mut() {
            annotations.extend(added);
        }
    }
    object
}

/// The record that is on an object.
pub(crate) fn accepted_on(object: &Value) -> Option<&str> {
    istio_objects::annotation(object, ACCEPTED)
}

/// What is left to do after the manifest was applied: members that others put into what is ours, as steps of a JSON patch,
/// and the record of what the server itself made different.
pub(crate) struct Rest {
    /// empty: nothing is to be removed
    pub(crate) patch: Vec<Value>,
    pub(crate) accepted: Option<String>,
}

/// Compares what was written with what is there.
pub(crate) fn rest(write: &Write, there: &Raw) -> Rest {
    let manifest = write.manifest.value();
    let mut rest = Vec::new();
    let mut record = Vec::new();
    let names: Vec<&String> =
        there.json.as_object().into_iter().flatten().map(|(name, _)| name).filter(|name| is_body(name)).collect();
    for name in names {
        let mut path = vec![Step::Member(name)];
        compare(&there.authors, &mut path, &there.json[name.as_str()], manifest.get(name), &mut rest, &mut record);
    }
    for member in ["labels", "annotations"] {
        let of = |object: &Value| {
            object.pointer(&format!("/metadata/{member}")).and_then(Value::as_object).cloned().unwrap_or_default()
        };
        let previous = write.previous.as_ref().map(|previous| of(&previous.value())).unwrap_or_default();
        let ours = of(&manifest);
        for (name, value) in of(&there.json) {
            let is_state = member == "annotations" && (write.state_annotations.contains_key(&name) || name == ACCEPTED);
            if !ours.contains_key(&name) && !is_state && (previous.contains_key(&name) || reserved::is_ours(&name)) {
                rest.push((pointer(&[Step::Member("metadata"), Step::Member(member), Step::Member(&name)]), value));
            }
        }
    }
    // later items of a list first: removing one moves those behind it
    rest.reverse();
    let mut patch = Vec::new();
    if !rest.is_empty() {
        patch.push(json!({"op": "test", "path": "/metadata/resourceVersion", "value": there.version()}));
    }
    for (path, value) in rest {
        patch.push(json!({"op": "test", "path": path, "value": value}));
        patch.push(json!({"op": "remove", "path": path}));
    }
    let accepted = (!record.is_empty()).then(|| Value::Array(record).to_string());
    Rest { patch, accepted: accepted.filter(|record| record.len() <= LONGEST_RECORD) }
}

fn compare<'a>(
    authors: &Authors,
    path: &mut Vec<Step<'a>>,
    there: &'a Value,
    written: Option<&'a Value>,
    rest: &mut Vec<(String, Value)>,
    record: &mut Vec<Value>,
) {
    match (there, written) {
        (there, Some(written)) if there == written => {}
        (Value::Object(there), Some(Value::Object(written))) => {
            for (name, value) in there {
                path.push(Step::Member(name));
                compare(authors, path, value, written.get(name), rest, record);
                path.pop();
            }
        }
        (_, None) if authors.other(path).is_some() => rest.push((pointer(path), there.clone())),
        (Value::Array(items), Some(Value::Array(written))) if items.len() != written.len() => {
            // a list whose items have owners of their own: items of others go
            let (before, position) = (rest.len(), path.len());
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Item(index, item));
                let of = authors.of(path);
                if !of.is_empty() && authors.own().is_some_and(|own| !of.contains(&own)) {
                    rest.push((pointer(path), item.clone()));
                }
                path.truncate(position);
            }
            if rest.len() == before && authors.other(path).is_none() {
                record.push(json!([pointer(path), items, written]));
            }
        }
        // what others wrote over it is no doing of the server, and a default that nobody wrote is not seen anyway
        _ if authors.other(path).is_some() || authors.of(path).is_empty() => {}
        (there, Some(written)) => record.push(json!([pointer(path), there, written])),
        (there, None) => record.push(json!([pointer(path), there])),
    }
}

/// Puts back what was written where the object is exactly as it was recorded.
fn undo_accepted(seen: &mut Value, raw: &Value) {
    let record = accepted_on(raw).and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok()).unwrap_or_default();
    if let Some(annotations) = seen.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove(ACCEPTED);
    }
    for entry in record {
        let (Some(path), Some(live)) = (entry.get(0).and_then(Value::as_str), entry.get(1)) else { continue };
        let Some((parent, name)) = path.rsplit_once('/') else { continue };
        let Some(parent) = seen.pointer_mut(parent).and_then(Value::as_object_mut) else { continue };
        let name = name.replace("~1", "/").replace("~0", "~");
        if parent.get(&name) == Some(live) {
            match entry.get(2) {
                Some(written) => drop(parent.insert(name, written.clone())),
                None => drop(parent.remove(&name)),
            }
        }
    }
}

/// Takes out members that nobody wrote: defaults.
fn drop_unowned(authors: &Authors, path: &[Step<'_>], value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !authors.of(&[path, &[Step::Member(name)]].concat()).is_empty());
            for (name, value) in members {
                drop_unowned(authors, &[path, &[Step::Member(name)]].concat(), value);
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter_mut().enumerate().filter(|(_, item)| item.is_object()) {
                let before = item.clone();
                let path = [path, &[Step::Item(position, &before)]].concat();
                if !authors.of(&path).is_empty() {
                    drop_unowned(authors, &path, item);
                }
            }
        }
        _ => {}
    }
}

fn pointer(path: &[Step<'_>]) -> String {
    let parts = path.iter().map(|step| match step {
        Step::Member(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
        Step::Item(position, _) => format!("/{position}"),
    });
    parts.collect()
}

fn is_body(member: &str) -> bool {
    !["apiVersion", "kind", "metadata", "status"].contains(&member)
}

/// The field manager of an owner.
pub(crate) fn manager(owner: &OwnerId) -> String {
    format!("gloo-terraform:{owner}")
}
