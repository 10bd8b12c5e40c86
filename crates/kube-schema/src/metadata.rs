//! Metadata: names, labels and annotations.

use serde_json::{Map, Value};

use crate::number::kind_of;
use crate::place::Place;
use crate::schema::Schema;
use crate::verdict::Report;

/// Bytes of all annotations of one object.
const MAX_ANNOTATIONS: usize = 256 << 10;
/// Members that metadata has. The types of those that a server sets are not looked at.
const MEMBERS: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Whether objects have a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Namespaced,
    Cluster,
    /// inside another object: either, and the name may be missing
    Embedded,
}

/// Checks the metadata of an object.
pub(crate) fn check_metadata(object: &Map<String, Value>, scope: Scope, root: &Place<'_>, report: &mut Report<'_>) {
    let place = root.field("metadata");
    let empty = Map::new();
    let metadata = match object.get("metadata") {
        Some(Value::Object(metadata)) => metadata,
        None | Some(Value::Null) => &empty,
        Some(other) => return report.add(&place, place.to_string(), format!("must be an object, not {}", kind_of(other))),
    };
    for key in metadata.keys().filter(|key| !MEMBERS.contains(&key.as_str())) {
        report.add(&Place::Root, place.field(key).to_string(), "is a field that metadata does not have".to_owned());
    }
    let mut text = |name: &str| match metadata.get(name) {
        None | Some(Value::Null) => Some(""),
        Some(Value::String(text)) => Some(text.as_str()),
        Some(other) => {
            report.add(&place, place.field(name).to_string(), format!("must be a string, not {}", kind_of(other)));
            None
        }
    };
    let (name, namespace, prefix) = (text("name"), text("namespace"), text("generateName"));
    match name {
        Some("") if scope != Scope::Embedded && prefix == Some("") => {
            report.add(&place, place.field("name").to_string(), "is required".to_owned());
        }
        Some("") | None => {}
        Some(name) if scope == Scope::Embedded => {
            if [".", ".."].contains(&name) || name.contains(['/', '%']) {
                report.add(&place, place.field("name").to_string(), "must be usable in a path".to_owned());
            }
        }
        Some(name) if !is_dns_subdomain(name) => {
            let what = format!(
                "must be at most 253 of a-z, 0-9, - and ., with a letter or digit at both ends of each part, and {name:?} is not"
            );
            report.add(&place, place.field("name").to_string(), what);
        }
        Some(_) => {}
    }
    match (scope, namespace) {
        (Scope::Namespaced, Some("")) => report.add(&place, place.field("namespace").to_string(), "is required".to_owned()),
        (Scope::Cluster, Some(namespace)) if !namespace.is_empty() => {
            report.add(&place, place.field("namespace").to_string(), "must be absent: the kind has no namespace".to_owned());
        }
        (_, Some(namespace)) if !namespace.is_empty() && !is_dns_label(namespace) => {
            let what =
                format!("must be at most 63 of a-z, 0-9 and -, with a letter or digit at both ends, and {namespace:?} is not");
            report.add(&place, place.field("namespace").to_string(), what);
        }
        _ => {}
    }
    check_labels(metadata, &place, report);
    check_annotations(metadata, &place, report);
}

/// The members of a map of texts; what is no text is told.
fn texts<'v>(metadata: &'v Map<String, Value>, place: &Place<'_>, report: &mut Report<'_>) -> Vec<(&'v str, &'v str)> {
    let Place::Field(_, name) = place else { return Vec::new() };
    match metadata.get(*name) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(all)) => {
            let mut members = Vec::new();
            for (key, value) in all {
                match value {
                    Value::String(value) => members.push((key.as_str(), value.as_str())),
                    // read as an empty text
                    Value::Null => members.push((key.as_str(), "")),
                    other => {
                        let what = format!("must be a string, not {}", kind_of(other));
                        report.add(place, Place::Key(place, key).to_string(), what);
                    }
                }
            }
            members
        }
        Some(other) => {
            report.add(place, place.to_string(), format!("must be an object, not {}", kind_of(other)));
            Vec::new()
        }
    }
}

fn check_labels(metadata: &Map<String, Value>, place: &Place<'_>, report: &mut Report<'_>) {
    let place = place.field("labels");
    for (key, value) in texts(metadata, &place, report) {
        check_name(key, &place, report);
        if !value.is_empty() && !is_label_part(value) {
            let what = format!(
                "must be empty or at most 63 letters, digits, -, _ and ., with a letter or digit at both ends, and {value:?} is not"
            );
            report.add(&place, Place::Key(&place, key).to_string(), what);
        }
    }
}

fn check_annotations(metadata: &Map<String, Value>, place: &Place<'_>, report: &mut Report<'_>) {
    let place = place.field("annotations");
    let mut size = 0;
    for (key, value) in texts(metadata, &place, report) {
        // only here do capitals before the slash not matter
        check_name(&key.to_lowercase(), &place, report);
        size += key.len() + value.len();
    }
    if size > MAX_ANNOTATIONS {
        let what = format!("must have at most {MAX_ANNOTATIONS} bytes in all, and have {size}");
        report.add(&place, place.to_string(), what);
    }
}

fn check_name(key: &str, place: &Place<'_>, report: &mut Report<'_>) {
    if !is_qualified_name(key) {
        let what = format!(
            "has the key {key:?}, which must be at most 63 letters, digits, -, _ and . with a letter or digit at both ends, behind a \
             domain and a slash or without"
        );
        report.add(place, place.to_string(), what);
    }
}

/// Checks the objects in an object.
pub(crate) fn check_embedded(value: &Value, schema: &Schema, place: &Place<'_>, report: &mut Report<'_>) {
    match value {
        Value::Object(members) => {
            if schema.is_embedded {
                for name in ["apiVersion", "kind"] {
                    match members.get(name) {
                        None => report.add(place, place.field(name).to_string(), "is required".to_owned()),
                        Some(Value::String(text)) if !text.is_empty() => {}
                        Some(_) => {
                            report.add(place, place.field(name).to_string(), "must be a string that is not empty".to_owned())
                        }
                    }
                }
                check_metadata(members, Scope::Embedded, place, report);
            }
            for (key, value) in members {
                if let Some(member) = schema.member(key) {
                    check_embedded(value, member, &crate::prepare::below(schema, key, place), report);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = &schema.items {
                for (position, item) in items.iter().enumerate() {
                    check_embedded(item, schema, &Place::Index(place, position), report);
                }
            }
        }
        _ => {}
    }
}

/// At most 63 of `a-z`, `0-9` and `-`, with a letter or digit at both ends.
pub(crate) fn is_dns_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// At most 253 bytes: labels of any length with dots between them.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_inner) && !part.starts_with('-') && !part.ends_with('-');
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_label_part(text: &str) -> bool {
    let is_end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() <= 63 && text.bytes().all(is_inner) && is_end(text.bytes().next()) && is_end(text.bytes().last())
}

fn is_qualified_name(text: &str) -> bool {
    match text.split_once('/') {
        Some((domain, name)) => is_dns_subdomain(domain) && is_label_part(name),
        None => is_label_part(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_kubernetes() {
        assert!(is_dns_subdomain("a.b-c.0") && !is_dns_subdomain("a..b") && !is_dns_subdomain("A") && !is_dns_subdomain(""));
        assert!(is_dns_label("a-b") && !is_dns_label("a.b") && !is_dns_label("-a") && !is_dns_label(&"a".repeat(64)));
        assert!(
            is_qualified_name("a.b/C_d") && !is_qualified_name("/a") && !is_qualified_name("a/") && !is_qualified_name("a/b/c")
        );
        assert!(!is_qualified_name("A.b/c"));
    }
}
