//! Nested sets: which prior element does a configured one continue?
//!
//! Core answers before defaults are filled in, and takes the first prior element that fits; so it confuses elements that
//! differ in an attribute with a default. Here the defaults are known, and the most definite elements choose first.

use std::collections::BTreeMap;

use tf_value::Value;
use tf_value::schema::{Attribute, Kind, Nesting};

use crate::oracle::{is_computed, member};

/// What computed attributes without configuration become in elements of a set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Computed {
    /// as they were
    Prior,
    /// unknown, except those that keep a value they have
    Unknown,
}

/// The object `proposed` with every nested set made anew from `filled`, the configuration with defaults, and `prior`.
pub(super) fn realign(attributes: &[Attribute], prior: &Value, filled: &Value, proposed: Value, computed: Computed) -> Value {
    let Value::Map(mut members) = proposed else { return proposed };
    for attribute in attributes {
        let Kind::Nested(nesting, attributes) = &attribute.kind else { continue };
        let Some(value) = members.remove(&attribute.name) else { continue };
        let (prior, filled) = (member(prior, &attribute.name), member(filled, &attribute.name));
        let value = match (nesting, value, filled) {
            (Nesting::Single, value, Value::Map(_)) => realign(attributes, prior, filled, value, computed),
            (Nesting::List, Value::List(elements), Value::List(configured)) => {
                let elements = elements.into_iter().zip(configured).enumerate();
                let elements = elements
                    .map(|(index, (element, filled))| realign(attributes, at_index(prior, index), filled, element, computed));
                Value::List(elements.collect())
            }
            (Nesting::Map, Value::Map(entries), Value::Map(configured)) => {
                let entries = entries.into_iter().map(|(key, element)| {
                    let filled = configured.get(&key).unwrap_or(&Value::Null);
                    let element = realign(attributes, at_key(prior, &key), filled, element, computed);
                    (key, element)
                });
                Value::Map(entries.collect())
            }
            (Nesting::Set, Value::Set(_), Value::Set(configured)) => build_set(attributes, prior, configured, computed),
            (_, value, _) => value,
        };
        members.insert(attribute.name.clone(), value);
    }
    Value::Map(members)
}

fn at_index(prior: &Value, index: usize) -> &Value {
    prior.as_elements().and_then(|before| before.get(index)).unwrap_or(&Value::Null)
}

fn at_key<'v>(prior: &'v Value, key: &str) -> &'v Value {
    prior.as_map().and_then(|before| before.get(key)).unwrap_or(&Value::Null)
}

fn build_set(attributes: &[Attribute], prior: &Value, configured: &[Value], computed: Computed) -> Value {
    let before = prior.as_elements().unwrap_or_default();
    let mut used = vec![false; before.len()];
    let mut choosers: Vec<&Value> = configured.iter().collect();
    choosers.sort_by_key(|element| open_count(attributes, element));
    Value::set(choosers.into_iter().map(|filled| {
        let found = (0..before.len()).find(|&index| !used[index] && continues(attributes, filled, &before[index]));
        let prior = found.map_or(&Value::Null, |index| {
            used[index] = true;
            &before[index]
        });
        build_object(attributes, prior, filled, computed)
    }))
}

fn build_object(attributes: &[Attribute], prior: &Value, filled: &Value, computed: Computed) -> Value {
    if filled.is_null() || filled.is_unknown() {
        return filled.clone();
    }
    Value::map(attributes.iter().map(|attribute| {
        let name = attribute.name.as_str();
        (name, build_attribute(attribute, member(prior, name), member(filled, name), computed))
    }))
}

fn build_attribute(attribute: &Attribute, prior: &Value, filled: &Value, computed: Computed) -> Value {
    if filled.is_null() {
        let kept = attribute.keep && !prior.is_null();
        return match computed {
            _ if !is_computed(attribute) || attribute.default.is_some() => Value::Null,
            Computed::Unknown if !kept => Value::unknown(),
            Computed::Unknown | Computed::Prior => prior.clone(),
        };
    }
    let Kind::Nested(nesting, attributes) = &attribute.kind else { return filled.clone() };
    match (nesting, filled) {
        (Nesting::Single, filled) => build_object(attributes, prior, filled, computed),
        (Nesting::List, Value::List(elements)) => {
            let elements = elements.iter().enumerate();
            let elements = elements.map(|(index, filled)| build_object(attributes, at_index(prior, index), filled, computed));
            Value::List(elements.collect())
        }
        (Nesting::Map, Value::Map(entries)) => {
            let build =
                |(key, filled): (&String, &Value)| (key.clone(), build_object(attributes, at_key(prior, key), filled, computed));
            Value::Map(entries.iter().map(build).collect::<BTreeMap<_, _>>())
        }
        (Nesting::Set, Value::Set(elements)) => build_set(attributes, prior, elements, computed),
        (_, unknown) => unknown.clone(),
    }
}

/// How many attributes of the element the provider decides.
fn open_count(attributes: &[Attribute], element: &Value) -> usize {
    attributes.iter().filter(|attribute| is_computed(attribute) && member(element, &attribute.name).is_null()).count()
}

/// Whether `prior` is `filled` plus values of computed attributes.
fn continues(attributes: &[Attribute], filled: &Value, prior: &Value) -> bool {
    if filled == prior {
        return true;
    }
    let (Value::Map(_), Value::Map(_)) = (filled, prior) else { return false };
    attributes.iter().all(|attribute| {
        let (filled, prior) = (member(filled, &attribute.name), member(prior, &attribute.name));
        if filled == prior || (filled.is_null() && is_computed(attribute)) {
            return true;
        }
        let Kind::Nested(nesting, attributes) = &attribute.kind else { return false };
        match (nesting, filled, prior) {
            (Nesting::Single, _, _) => continues(attributes, filled, prior),
            (Nesting::List, Value::List(left), Value::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| continues(attributes, left, right))
            }
            (Nesting::Map, Value::Map(left), Value::Map(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| continues(attributes, left, right)))
            }
            (Nesting::Set, Value::Set(left), Value::Set(right)) => {
                left.len() == right.len() && left.iter().all(|left| right.iter().any(|right| continues(attributes, left, right)))
            }
            _ => false,
        }
    })
}
