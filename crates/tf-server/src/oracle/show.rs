//! Values in messages: short, and never a sensitive one.

use tf_value::Value;

/// Longest text of a value in a message, in characters.
const LIMIT: usize = 120;

/// The value as a person would write it, cut to a line; `(sensitive value)` where it must not be shown.
pub(super) fn show(value: &Value, sensitive: bool) -> String {
    if sensitive && !value.is_null() && !value.is_unknown() {
        return "(sensitive value)".to_owned();
    }
    let mut text = String::new();
    write_value(value, &mut text);
    if text.chars().count() > LIMIT {
        text = text.chars().take(LIMIT).chain("…".chars()).collect();
    }
    text
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Unknown(_) => text.push_str("(known after apply)"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(number.as_str()),
        Value::String(string) => text.push_str(&format!("{string:?}")),
        Value::List(elements) | Value::Set(elements) => {
            text.push('[');
            write_all(elements.iter().map(|element| (None, element)), text);
            text.push(']');
        }
        Value::Map(entries) => {
            text.push('{');
            write_all(entries.iter().map(|(key, element)| (Some(key.as_str()), element)), text);
            text.push('}');
        }
        Value::Dynamic(inner) => write_value(&inner.1, text),
    }
}

fn write_all<'v>(elements: impl Iterator<Item = (Option<&'v str>, &'v Value)>, text: &mut String) {
    for (position, (key, element)) in elements.enumerate() {
        // enough is written already; the caller cuts the rest
        if text.len() > LIMIT * 4 {
            return;
        }
        if position > 0 {
            text.push_str(", ");
        }
        if let Some(key) = key {
            text.push_str(key);
            text.push_str(" = ");
        }
        write_value(element, text);
    }
}
