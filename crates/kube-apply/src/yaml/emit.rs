//! JSON value → block-style YAML.
//!
//! Contract: one sorted mapping per object; a string is plain only when every YAML 1.1 and 1.2 reader takes it for a string,
//! otherwise double-quoted on one line; numbers keep their digits.

use std::fmt::Write as _;

use serde_json::Value;

use crate::drift::is_obeyed;

/// A key longer than this is written in the explicit form `? key`: readers look ahead 1024 characters at most.
const LONGEST_SIMPLE_KEY: usize = 1000;

/// One YAML document, with a final newline.
#[must_use]
pub fn emit(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => mapping(&mut out, members, 0, false),
        Value::Array(elements) if !elements.is_empty() => sequence(&mut out, elements, 0, false),
        flow => {
            scalar(&mut out, flow);
            out.push('\n');
        }
    }
    out
}

fn mapping(out: &mut String, members: &serde_json::Map<String, Value>, indent: usize, mut inline: bool) {
    for (key, value) in members {
        if !std::mem::take(&mut inline) {
            pad(out, indent);
        }
        let start = out.len();
        string(out, key);
        if out.len() - start > LONGEST_SIMPLE_KEY {
            out.insert_str(start, "? ");
            out.push('\n');
            pad(out, indent);
        }
        out.push(':');
        match value {
            Value::Object(members) if !members.is_empty() => {
                out.push('\n');
                mapping(out, members, indent + 2, false);
            }
            // a sequence needs no further indent below a key, as kubectl prints it
            Value::Array(elements) if !elements.is_empty() => {
                out.push('\n');
                sequence(out, elements, indent, false);
            }
            flow => {
                out.push(' ');
                scalar(out, flow);
                out.push('\n');
            }
        }
    }
}

fn sequence(out: &mut String, elements: &[Value], indent: usize, mut inline: bool) {
    for element in elements {
        if !std::mem::take(&mut inline) {
            pad(out, indent);
        }
        out.push_str("- ");
        match element {
            Value::Object(members) if !members.is_empty() => mapping(out, members, indent + 2, true),
            Value::Array(elements) if !elements.is_empty() => sequence(out, elements, indent + 2, true),
            flow => {
                scalar(out, flow);
                out.push('\n');
            }
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => string(out, text),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

fn string(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' | '\u{a0}'..='\u{fffd}' | '\u{1_0000}'.. if !is_obeyed(c) => out.push(c),
            // control characters, other line breaks, what reorders text, the byte order mark and non-characters
            _ => write!(out, "\\u{:04x}", u32::from(c)).expect("writing to a String cannot fail"),
        }
    }
    out.push('"');
}

/// Whether every reader takes the bare text for a string: it starts with a letter, so it is no number and no date; it has
/// no character with a meaning in YAML; and it is no word for a boolean, null or number.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 11] = ["y", "yes", "n", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b))
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}
