//! Goes through a planned value together with the configuration that it comes from. Lists correspond by index, maps by
//! key; set elements have no correspondence here.

use tf_value::schema::{Attribute, Kind, Nesting};
use tf_value::{Path, Value};

use crate::oracle::member;

/// What becomes of one attribute.
pub(super) enum Rewrite {
    /// this value, as it is
    Done(Value),
    /// this value; nested attributes inside it are looked at
    Descend(Value),
}

/// A decision about one attribute from its configured and its planned value.
pub(super) type Decide<'d> = dyn Fn(&Attribute, &Value, Value) -> Rewrite + 'd;

/// The object `planned` with every attribute decided, down through nested attributes. Sets whose elements became equal
/// by that are reported in `collapsed`.
pub(super) fn rewrite(
    attributes: &[Attribute],
    config: &Value,
    planned: Value,
    path: &Path,
    decide: &Decide<'_>,
    collapsed: &mut Vec<Path>,
) -> Value {
    let Value::Map(mut members) = planned else { return planned };
    for attribute in attributes {
        let name = attribute.name.as_str();
        let value = members.remove(name).unwrap_or(Value::Null);
        let config = member(config, name);
        let value = match (decide(attribute, config, value), &attribute.kind) {
            (Rewrite::Done(value), _) | (Rewrite::Descend(value), Kind::Value(_)) => value,
            (Rewrite::Descend(value), Kind::Nested(nesting, attributes)) => {
                rewrite_nested(*nesting, attributes, config, value, &path.attribute(name), decide, collapsed)
            }
        };
        members.insert(attribute.name.clone(), value);
    }
    Value::Map(members)
}

fn rewrite_nested(
    nesting: Nesting,
    attributes: &[Attribute],
    config: &Value,
    planned: Value,
    path: &Path,
    decide: &Decide<'_>,
    collapsed: &mut Vec<Path>,
) -> Value {
    match (nesting, planned) {
        (Nesting::Single, planned) => rewrite(attributes, config, planned, path, decide, collapsed),
        (Nesting::List, Value::List(elements)) => {
            let configured = config.as_elements().unwrap_or_default();
            let elements = elements.into_iter().enumerate().map(|(index, element)| {
                let config = configured.get(index).unwrap_or(&Value::Null);
                rewrite(attributes, config, element, &path.index(index), decide, collapsed)
            });
            Value::List(elements.collect())
        }
        (Nesting::Map, Value::Map(entries)) => {
            let entries = entries.into_iter().map(|(key, element)| {
                let config = config.as_map().and_then(|configured| configured.get(&key)).unwrap_or(&Value::Null);
                let element = rewrite(attributes, config, element, &path.key(&key), decide, collapsed);
                (key, element)
            });
            Value::Map(entries.collect())
        }
        (Nesting::Set, Value::Set(elements)) => {
            let configured = config.as_elements().unwrap_or_default();
            let count = elements.len();
            let rewritten: Vec<Value> = elements
                .into_iter()
                .map(|element| {
                    // elements that are not as configured are the business of `sets`
                    let config = configured.iter().find(|config| **config == element).unwrap_or(&Value::Null);
                    rewrite(attributes, config, element, path, decide, collapsed)
                })
                .collect();
            let set = Value::set(rewritten);
            if set.as_elements().map_or(0, <[Value]>::len) < count {
                collapsed.push(path.clone());
            }
            set
        }
        (_, planned) => planned,
    }
}
