//! What core proposes as the new state, from configuration and prior state alone.

use std::collections::BTreeMap;

use tf_value::Value;
use tf_value::schema::{Attribute, Kind, Mode, Nesting, Schema};

use crate::oracle::{is_computed, member};

/// The proposal: what is configured, and for computed attributes without configuration what was there before. Core fills
/// in neither defaults nor unknowns. `prior` is null on create.
#[must_use]
pub fn proposed_new(schema: &Schema, prior: &Value, config: &Value) -> Value {
    propose_object(&schema.attributes, prior, config)
}

fn propose_object(attributes: &[Attribute], prior: &Value, config: &Value) -> Value {
    if config.is_null() || config.is_unknown() {
        return config.clone();
    }
    Value::map(attributes.iter().map(|attribute| {
        let name = attribute.name.as_str();
        (name, propose_attribute(attribute, member(prior, name), member(config, name)))
    }))
}

fn propose_attribute(attribute: &Attribute, prior: &Value, config: &Value) -> Value {
    match &attribute.kind {
        Kind::Nested(_, attributes) if config.is_null() && is_computed(attribute) => {
            // what the user wrote before and took out now must not come back
            let removable = attribute.mode != Mode::Computed;
            if removable && holds_configured(attributes, prior) { Value::Null } else { prior.clone() }
        }
        Kind::Value(_) if config.is_null() && is_computed(attribute) => prior.clone(),
        Kind::Value(_) => config.clone(),
        Kind::Nested(nesting, attributes) => propose_nested(*nesting, attributes, prior, config),
    }
}

fn propose_nested(nesting: Nesting, attributes: &[Attribute], prior: &Value, config: &Value) -> Value {
    match (nesting, config) {
        (Nesting::Single, _) => propose_object(attributes, prior, config),
        (Nesting::List, Value::List(elements)) => {
            let before = prior.as_elements().unwrap_or_default();
            let elements = elements.iter().enumerate();
            Value::List(
                elements
                    .map(|(index, config)| propose_object(attributes, before.get(index).unwrap_or(&Value::Null), config))
                    .collect(),
            )
        }
        (Nesting::Map, Value::Map(entries)) => {
            let none = BTreeMap::new();
            let before = prior.as_map().unwrap_or(&none);
            let propose = |(key, config): (&String, &Value)| {
                let prior = before.get(key).unwrap_or(&Value::Null);
                (key.clone(), propose_object(attributes, prior, config))
            };
            Value::Map(entries.iter().map(propose).collect())
        }
        (Nesting::Set, Value::Set(elements)) => {
            let before = prior.as_elements().unwrap_or_default();
            let mut used = vec![false; before.len()];
            let elements: Vec<Value> = elements
                .iter()
                .map(|config| {
                    let found = (0..before.len()).find(|&index| !used[index] && completes(attributes, config, &before[index]));
                    let prior = found.map_or(&Value::Null, |index| {
                        used[index] = true;
                        &before[index]
                    });
                    propose_object(attributes, prior, config)
                })
                .collect();
            Value::set(elements)
        }
        // null or unknown
        _ => config.clone(),
    }
}

/// Whether somewhere in `prior` an attribute has a value that only a user can have written.
fn holds_configured(attributes: &[Attribute], prior: &Value) -> bool {
    match prior {
        Value::List(elements) | Value::Set(elements) => elements.iter().any(|element| holds_configured(attributes, element)),
        // a map of objects, or one object: only the latter has the attributes' names for keys
        Value::Map(entries) if entries.keys().all(|key| attributes.iter().any(|attribute| attribute.name == *key)) => {
            attributes.iter().any(|attribute| {
                let value = prior.get(&attribute.name);
                let inside = matches!(&attribute.kind, Kind::Nested(_, attributes) if holds_configured(attributes, value));
                !value.is_null() && (!is_computed(attribute) || inside)
            })
        }
        Value::Map(entries) => entries.values().any(|element| holds_configured(attributes, element)),
        _ => false,
    }
}

/// Whether the prior set element can be what the configured one became: equal but for computed attributes that are not
/// configured.
fn completes(attributes: &[Attribute], config: &Value, prior: &Value) -> bool {
    if config == prior {
        return true;
    }
    let (Value::Map(_), Value::Map(_)) = (config, prior) else { return false };
    attributes.iter().all(|attribute| {
        let (config, prior) = (config.get(&attribute.name), prior.get(&attribute.name));
        if config == prior || (config.is_null() && is_computed(attribute)) {
            return true;
        }
        let Kind::Nested(nesting, attributes) = &attribute.kind else { return false };
        match (nesting, config, prior) {
            (Nesting::Single, _, _) => completes(attributes, config, prior),
            (Nesting::Map, Value::Map(left), Value::Map(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| completes(attributes, left, right)))
            }
            (Nesting::List, Value::List(left), Value::List(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| completes(attributes, left, right))
            }
            (Nesting::Set, Value::Set(left), Value::Set(right)) => {
                left.len() == right.len() && left.iter().all(|left| right.iter().any(|right| completes(attributes, left, right)))
            }
            _ => false,
        }
    })
}
