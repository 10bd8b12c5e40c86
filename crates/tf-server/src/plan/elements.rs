//! Which configured set element does a planned one come from?

use tf_value::Value;
use tf_value::schema::{Attribute, Kind, Nesting};

use crate::oracle::{is_computed, member};

/// The configured element that `planned` comes from, each one used once: an equal one first, else one that `planned`
/// extends by computed attributes; null when there is none.
pub(super) fn configured_element<'v>(
    attributes: &[Attribute],
    configured: &'v [Value],
    planned: &Value,
    used: &mut [bool],
) -> &'v Value {
    let position = |fits: &dyn Fn(&Value) -> bool| (0..configured.len()).find(|&index| !used[index] && fits(&configured[index]));
    let equal = position(&|config| config == planned);
    match equal.or_else(|| position(&|config| extends(attributes, config, planned))) {
        Some(index) => {
            used[index] = true;
            &configured[index]
        }
        None => &Value::Null,
    }
}

/// Whether `planned` is `config` plus values of computed attributes, minus write-only ones.
fn extends(attributes: &[Attribute], config: &Value, planned: &Value) -> bool {
    if config == planned {
        return true;
    }
    let (Value::Map(_), Value::Map(_)) = (config, planned) else { return false };
    attributes.iter().all(|attribute| {
        let (config, planned) = (member(config, &attribute.name), member(planned, &attribute.name));
        if config == planned || (config.is_null() && is_computed(attribute)) || (planned.is_null() && attribute.write_only) {
            return true;
        }
        match &attribute.kind {
            Kind::Value(_) => false,
            Kind::Nested(nesting, attributes) => nested_extends(*nesting, attributes, config, planned),
        }
    })
}

fn nested_extends(nesting: Nesting, attributes: &[Attribute], config: &Value, planned: &Value) -> bool {
    match (nesting, config, planned) {
        (Nesting::Single, _, _) => extends(attributes, config, planned),
        (Nesting::List, Value::List(configured), Value::List(elements)) => {
            configured.len() == elements.len()
                && configured.iter().zip(elements).all(|(config, planned)| extends(attributes, config, planned))
        }
        (Nesting::Map, Value::Map(configured), Value::Map(entries)) => {
            configured.len() == entries.len()
                && configured
                    .iter()
                    .all(|(key, config)| entries.get(key).is_some_and(|planned| extends(attributes, config, planned)))
        }
        (Nesting::Set, Value::Set(configured), Value::Set(elements)) => {
            configured.len() == elements.len()
                && configured.iter().all(|config| elements.iter().any(|planned| extends(attributes, config, planned)))
        }
        _ => false,
    }
}
