//! Lists whose items are told apart: sets, and maps by keys.

use serde_json::{Map, Value};

use crate::number::same;
use crate::place::Place;
use crate::prepare::below;
use crate::schema::{ListType, Schema};
use crate::verdict::Report;

/// Tells items that are there twice.
pub(crate) fn check_lists(value: &Value, schema: &Schema, place: &Place<'_>, report: &mut Report<'_>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                if let Some(member) = schema.member(key) {
                    check_lists(value, member, &below(schema, key, place), report);
                }
            }
        }
        Value::Array(items) => {
            match &schema.list {
                ListType::Atomic => {}
                ListType::Set => check_unique(items, place, report, |item| item.clone()),
                ListType::Map(keys) => check_keys(items, keys, place, report),
            }
            if let Some(schema) = &schema.items {
                for (position, item) in items.iter().enumerate() {
                    check_lists(item, schema, &Place::Index(place, position), report);
                }
            }
        }
        _ => {}
    }
}

fn check_keys(items: &[Value], keys: &[String], place: &Place<'_>, report: &mut Report<'_>) {
    let key_of = |item: &Value| {
        let members = keys.iter().filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
        Value::Object(members.collect::<Map<_, _>>())
    };
    check_unique(items, place, report, key_of);
}

fn check_unique(items: &[Value], place: &Place<'_>, report: &mut Report<'_>, key_of: impl Fn(&Value) -> Value) {
    let mut seen: Vec<Value> = Vec::with_capacity(items.len());
    for (position, item) in items.iter().enumerate() {
        let key = key_of(item);
        if seen.iter().any(|other| same(other, &key)) {
            report.add(place, Place::Index(place, position).to_string(), format!("is there twice: {key}"));
        }
        seen.push(key);
    }
}
