//! Which changes replace the resource, as the schema says.

use std::collections::{BTreeMap, BTreeSet};

use tf_value::schema::{Attribute, Kind, Nesting, OnChange, Schema};
use tf_value::{Path, Value};

use super::steps::any;
use crate::oracle::member;

/// Paths of attributes that replace on change and really differ, or may differ because they are unknown. A path ends at
/// the set when the attribute is inside one.
pub(super) fn replaced_paths(schema: &Schema, prior: &Value, planned: &Value) -> Vec<Path> {
    let mut paths = Vec::new();
    collect(&schema.attributes, prior, planned, &Path::root(), &mut paths);
    paths
}

fn replaces(attribute: &Attribute) -> bool {
    attribute.on_change == OnChange::Replace && !attribute.write_only
}

fn collect(attributes: &[Attribute], prior: &Value, planned: &Value, path: &Path, paths: &mut Vec<Path>) {
    for attribute in attributes {
        let (prior, planned) = (member(prior, &attribute.name), member(planned, &attribute.name));
        let path = path.attribute(&attribute.name);
        if prior == planned {
            continue;
        }
        if replaces(attribute) {
            paths.push(path);
        } else if let Kind::Nested(nesting, attributes) = &attribute.kind
            && any(attributes, &replaces)
        {
            collect_nested(*nesting, attributes, prior, planned, &path, paths);
        }
    }
}

fn collect_nested(
    nesting: Nesting,
    attributes: &[Attribute],
    prior: &Value,
    planned: &Value,
    path: &Path,
    paths: &mut Vec<Path>,
) {
    // nothing inside can be compared
    if planned.is_unknown() {
        return paths.push(path.clone());
    }
    match nesting {
        Nesting::Single => collect(attributes, prior, planned, path, paths),
        Nesting::List => {
            let (before, after) = (prior.as_elements().unwrap_or_default(), planned.as_elements().unwrap_or_default());
            for index in 0..before.len().max(after.len()) {
                let (prior, planned) = (before.get(index), after.get(index));
                let (prior, planned) = (prior.unwrap_or(&Value::Null), planned.unwrap_or(&Value::Null));
                collect(attributes, prior, planned, &path.index(index), paths);
            }
        }
        Nesting::Map => {
            let none = BTreeMap::new();
            let (before, after) = (prior.as_map().unwrap_or(&none), planned.as_map().unwrap_or(&none));
            for key in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
                let (prior, planned) = (before.get(key), after.get(key));
                let (prior, planned) = (prior.unwrap_or(&Value::Null), planned.unwrap_or(&Value::Null));
                collect(attributes, prior, planned, &path.key(key), paths);
            }
        }
        // elements have no identity: compare what all of them say in those attributes
        Nesting::Set => {
            let slice = |set: &Value| {
                let elements = set.as_elements().unwrap_or_default().iter();
                let slices = elements.map(|element| only_replacing(attributes, element));
                Value::set(slices.filter(|slice| !is_blank(slice)))
            };
            if slice(prior) != slice(planned) {
                paths.push(path.clone());
            }
        }
    }
}

/// `object` without the attributes that do not replace.
fn only_replacing(attributes: &[Attribute], object: &Value) -> Value {
    let Value::Map(_) = object else { return object.clone() };
    Value::map(attributes.iter().filter_map(|attribute| {
        let value = object.get(&attribute.name);
        let name = attribute.name.clone();
        if replaces(attribute) {
            return Some((name, value.clone()));
        }
        let Kind::Nested(nesting, attributes) = &attribute.kind else { return None };
        if !any(attributes, &replaces) {
            return None;
        }
        let inside = |element: &Value| only_replacing(attributes, element);
        let value = match (nesting, value) {
            (Nesting::Single, value) => inside(value),
            (Nesting::List, Value::List(elements)) => Value::List(elements.iter().map(inside).collect()),
            (Nesting::Set, Value::Set(elements)) => Value::set(elements.iter().map(inside).collect::<Vec<_>>()),
            (Nesting::Map, Value::Map(entries)) => Value::map(entries.iter().map(|(key, element)| (key, inside(element)))),
            (_, other) => other.clone(),
        };
        Some((name, value))
    }))
}

/// Whether nothing is set in it.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::List(elements) | Value::Set(elements) => elements.iter().all(is_blank),
        Value::Map(entries) => entries.values().all(is_blank),
        Value::Unknown(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Dynamic(_) => false,
    }
}
