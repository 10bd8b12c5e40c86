//! The steps by which the schema alone turns core's proposal into a plan. Each is pure.

use tf_value::schema::{Attribute, Kind, Nesting, Schema};
use tf_value::{Diagnostics, Path, Value};

use super::rewrite::{Rewrite, rewrite};
use crate::oracle::is_computed;

/// The configuration with defaults where nothing is written. Set elements that become equal by that are an error.
pub(crate) fn fill_config(schema: &Schema, config: &Value, diagnostics: &mut Diagnostics) -> Value {
    let mut collapsed = Vec::new();
    let filled = rewrite(&schema.attributes, config, config.clone(), &Path::root(), &default_or_value, &mut collapsed);
    for path in collapsed {
        diagnostics.error(
            &path,
            "Duplicate set elements",
            "Two elements of this set are equal once the defaults are filled in. Remove one of them.",
        );
    }
    filled
}

/// The proposal with defaults where nothing is configured. Sets are left to `sets`.
pub(super) fn fill_proposal(schema: &Schema, config: &Value, proposed: Value) -> Value {
    rewrite(&schema.attributes, config, proposed, &Path::root(), &default_or_value, &mut Vec::new())
}

fn default_or_value(attribute: &Attribute, config: &Value, value: Value) -> Rewrite {
    match &attribute.default {
        Some(default) if config.is_null() => Rewrite::Done(default.clone()),
        None if config.is_null() => Rewrite::Done(value),
        _ => Rewrite::Descend(value),
    }
}

/// Nulls write-only attributes: they are never planned nor stored.
pub(crate) fn null_write_only(schema: &Schema, value: Value) -> Value {
    if !any(&schema.attributes, &|attribute| attribute.write_only) {
        return value;
    }
    let decide = |attribute: &Attribute, _: &Value, value: Value| {
        if attribute.write_only { Rewrite::Done(Value::Null) } else { Rewrite::Descend(value) }
    };
    rewrite(&schema.attributes, &Value::Null, value, &Path::root(), &decide, &mut Vec::new())
}

/// Makes unknown what only the provider can fill in, because something changes: computed attributes without configured
/// value, except those with a default and those that keep a value they have. Sets are left to `sets`.
pub(super) fn mark_unknown(schema: &Schema, config: &Value, proposed: Value) -> Value {
    let decide = |attribute: &Attribute, config: &Value, value: Value| {
        if matches!(attribute.kind, Kind::Nested(Nesting::Set, _)) && !config.is_null() {
            return Rewrite::Done(value);
        }
        if !config.is_null() {
            return Rewrite::Descend(value);
        }
        let kept = attribute.keep && !value.is_null();
        if is_computed(attribute) && attribute.default.is_none() && !attribute.write_only && !kept {
            Rewrite::Done(Value::unknown())
        } else {
            Rewrite::Done(value)
        }
    };
    rewrite(&schema.attributes, config, proposed, &Path::root(), &decide, &mut Vec::new())
}

/// Write-only attributes that are set, for clients that do not know them.
pub(crate) fn write_only_set(attributes: &[Attribute], config: &Value) -> Vec<Path> {
    let mut paths = Vec::new();
    collect_write_only(attributes, config, &Path::root(), &mut paths);
    paths
}

fn collect_write_only(attributes: &[Attribute], config: &Value, path: &Path, paths: &mut Vec<Path>) {
    let Value::Map(_) = config else { return };
    for attribute in attributes {
        let value = config.get(&attribute.name);
        let path = path.attribute(&attribute.name);
        match &attribute.kind {
            _ if value.is_null() => {}
            _ if attribute.write_only => paths.push(path),
            Kind::Value(_) => {}
            Kind::Nested(_, attributes) => match value {
                Value::List(elements) => {
                    let elements = elements.iter().enumerate();
                    elements.for_each(|(index, value)| collect_write_only(attributes, value, &path.index(index), paths));
                }
                Value::Set(elements) => {
                    elements.iter().for_each(|value| collect_write_only(attributes, value, &path, paths));
                }
                Value::Map(entries) if matches!(attribute.kind, Kind::Nested(Nesting::Map, _)) => {
                    entries.iter().for_each(|(key, value)| collect_write_only(attributes, value, &path.key(key), paths));
                }
                value => collect_write_only(attributes, value, &path, paths),
            },
        }
    }
}

/// Whether one of the attributes, at any depth, is such.
pub(super) fn any(attributes: &[Attribute], is: &dyn Fn(&Attribute) -> bool) -> bool {
    attributes
        .iter()
        .any(|attribute| is(attribute) || matches!(&attribute.kind, Kind::Nested(_, attributes) if any(attributes, is)))
}

/// `value` with null in place of everything unknown.
pub(crate) fn null_unknown(value: Value) -> Value {
    match value {
        Value::Unknown(_) => Value::Null,
        Value::List(elements) => Value::List(elements.into_iter().map(null_unknown).collect()),
        Value::Set(elements) => Value::set(elements.into_iter().map(null_unknown).collect::<Vec<_>>()),
        Value::Map(entries) => Value::Map(entries.into_iter().map(|(key, value)| (key, null_unknown(value))).collect()),
        Value::Dynamic(inner) => {
            let (ty, value) = *inner;
            Value::Dynamic(Box::new((ty, null_unknown(value))))
        }
        known @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => known,
    }
}
