//! YAML in and out.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

/// Reads a document.
pub(crate) fn read(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Lays a JSON merge patch over a document.
pub(crate) fn lay_over(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let members = target.as_object_mut().expect("it was just made an object");
    for (key, value) in patch {
        if value.is_null() {
            members.remove(&key);
        } else {
            lay_over(members.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// Writes a value in block style, keys sorted.
pub(crate) fn write(out: &mut String, value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let _ = write!(out, "{indent}{}:", scalar(key));
                below(out, value, depth);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut text = String::new();
                below(&mut text, item, depth);
                // the first line of a map or list stands beside the dash
                let text =
                    if is_block(item) { text[1..].trim_start_matches(' ').to_owned() } else { text.trim_start().to_owned() };
                let _ = write!(out, "{indent}- {text}");
            }
        }
        other => {
            let _ = writeln!(out, "{indent}{}", inline(other));
        }
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty() && !items.iter().all(Value::is_string),
        _ => false,
    }
}

fn below(out: &mut String, value: &Value, depth: usize) {
    if is_block(value) {
        out.push('\n');
        write(out, value, depth + 1);
    } else {
        let _ = writeln!(out, " {}", inline(value));
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A string, quoted where YAML would read something else.
pub(crate) fn scalar(text: &str) -> String {
    let plain = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}
