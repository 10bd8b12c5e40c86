//! What an API server does to an applied object before it judges it: unknown fields are told, defaults come. A null stays
//! where the schema gives no default: of an applied object it is not dropped, other than of one that is posted.

use serde_json::{Map, Value};

use crate::place::Place;
use crate::schema::{Additional, Schema};
use crate::verdict::Report;

/// Members that every object has.
const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Tells the fields that the schema does not know.
pub(crate) fn check_known(value: &Value, schema: &Schema, place: &Place<'_>, report: &mut Report<'_>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let is_meta = (schema.is_embedded || matches!(place, Place::Root)) && META.contains(&key.as_str());
                if is_meta {
                    continue;
                }
                let below = below(schema, key, place);
                match schema.member(key) {
                    Some(schema) => check_known(value, schema, &below, report),
                    None if schema.preserves_unknown || matches!(schema.additional, Additional::Any) => {}
                    None => {
                        report.add_blocking(&Place::Root, below.to_string(), "is a field that the kind does not have".to_owned())
                    }
                }
            }
        }
        Value::Array(items) => {
            for (position, item) in items.iter().enumerate() {
                let below = Place::Index(place, position);
                if let Some(items) = &schema.items {
                    check_known(item, items, &below, report);
                }
            }
        }
        _ => {}
    }
}

/// The place of a member.
pub(crate) fn below<'a>(schema: &Schema, key: &'a str, place: &'a Place<'a>) -> Place<'a> {
    if schema.properties.contains_key(key) || !matches!(schema.additional, Additional::Schema(_)) {
        Place::Field(place, key)
    } else {
        Place::Key(place, key)
    }
}

/// Adds what the schema gives by default.
pub(crate) fn add_defaults(value: &mut Value, schema: &Schema) {
    match value {
        Value::Object(members) => {
            for (name, property) in &schema.properties {
                if let Some(default) = &property.default {
                    give(members, name, property, default);
                }
            }
            for (key, value) in members {
                if let Some(schema) = schema.member(key) {
                    default_null(value, schema);
                    add_defaults(value, schema);
                }
            }
        }
        Value::Array(list) => {
            if let Some(schema) = &schema.items {
                for item in list {
                    default_null(item, schema);
                    add_defaults(item, schema);
                }
            }
        }
        _ => {}
    }
}

fn give(members: &mut Map<String, Value>, name: &str, property: &Schema, default: &Value) {
    let is_missing = members.get(name).is_none_or(|there| there.is_null() && !property.nullable);
    if is_missing {
        members.insert(name.to_owned(), default.clone());
    }
}

fn default_null(value: &mut Value, schema: &Schema) {
    if let Some(default) = &schema.default
        && value.is_null()
        && !schema.nullable
    {
        *value = default.clone();
    }
}
