//! What differs between an object as it was written and as it is.
//!
//! Contract: pure; no line when all that is ours is as written; and, for one manifest, the same lines mean the same live
//! values: what the plan showed can be compared with what is there at apply. Long values are therefore cut with a digest.
//!
//! Ours is everything but: labels and annotations that the manifest does not name, annotations under the state prefix,
//! `status`, and what API servers write into `metadata`. `null` and absent are the same; so are `1.0` and `1`.

use std::collections::BTreeSet;

use istio_objects::{Manifest, reserved};
use serde_json::{Map, Value};

use crate::port::LiveObject;

/// The whole drift of an object that is not there.
pub const MISSING: &str = "missing";

/// Metadata that API servers write.
const SERVER_METADATA: [&str; 7] =
    ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp"];
/// Values longer than this, in characters of JSON, are cut.
const LONGEST_VALUE: usize = 80;

/// One line per field whose live value is not the written one: `spec.http[canary].timeout: live "9s", intent "2s"`.
///
/// Items of a list are named by their `name`, where every item has one of its own, else by position. `nothing` stands for
/// a value that is not there.
#[must_use]
pub fn drift_lines(manifest: &Manifest, live: Option<&Value>) -> Vec<String> {
    let Some(live) = live else { return vec![MISSING.to_owned()] };
    let intent = manifest.value();
    let mut live = live.clone();
    keep_ours(&mut live, &intent);
    let mut lines = Vec::new();
    compare(&mut lines, "", &live, &intent);
    lines.iter().map(|line| printable(line)).collect()
}

/// The text without characters that a terminal obeys instead of showing them, or that change the order in which text is read:
/// they become `\u202e` and the like. Line ends stay. What clusters hold reaches people through this alone.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_obeyed(c) {
            shown.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether a terminal obeys the character, or the order in which text is read changes with it.
pub(crate) fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The same lines, each with who made it so, where the cluster knows: `…; by kubectl-edit at 2026-08-20T10:02:11Z (Update)`.
#[must_use]
pub(crate) fn signed_drift_lines(manifest: &Manifest, live: Option<&LiveObject>) -> Vec<String> {
    let lines = drift_lines(manifest, live.map(|live| &*live.json));
    match live.and_then(|live| Some((live, live.authors.as_ref()?))) {
        Some((live, authors)) => lines.into_iter().map(|line| authors.sign(line, &live.json)).collect(),
        None => lines,
    }
}

/// Whether two states of an object differ in nothing but `status` and `metadata`.
pub(crate) fn is_same_body(one: &Value, other: &Value) -> bool {
    let body = |object: &Value| {
        let mut object = object.clone();
        if let Some(members) = object.as_object_mut() {
            members.remove("status");
            members.remove("metadata");
        }
        object
    };
    same(&body(one), &body(other))
}

/// Takes out of a live object what is not ours.
fn keep_ours(live: &mut Value, intent: &Value) {
    let Some(members) = live.as_object_mut() else { return };
    members.remove("status");
    let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for member in SERVER_METADATA {
        metadata.remove(member);
    }
    for member in ["labels", "annotations"] {
        let named = intent.pointer(&format!("/metadata/{member}")).and_then(Value::as_object);
        if let Some(there) = metadata.get_mut(member).and_then(Value::as_object_mut) {
            there.retain(|name, _| {
                named.is_some_and(|named| named.contains_key(name)) && !name.starts_with(reserved::STATE_PREFIX)
            });
            if there.is_empty() && named.is_none() {
                metadata.remove(member);
            }
        } else if named.is_some() && metadata.get(member).is_none_or(Value::is_null) {
            // every label that was stripped gets its own line
            metadata.insert(member.to_owned(), Value::Object(Map::new()));
        }
    }
}

fn compare(lines: &mut Vec<String>, path: &str, live: &Value, intent: &Value) {
    match (live, intent) {
        (Value::Object(live), Value::Object(intent)) => {
            let names: BTreeSet<&String> = live.keys().chain(intent.keys()).collect();
            for name in names {
                let path = member_path(path, name);
                compare(lines, &path, live.get(name).unwrap_or(&Value::Null), intent.get(name).unwrap_or(&Value::Null));
            }
        }
        (Value::Array(live), Value::Array(intent)) => compare_lists(lines, path, live, intent),
        (live, intent) if same(live, intent) => {}
        (live, intent) => lines.push(format!("{path}: live {}, intent {}", shown(live), shown(intent))),
    }
}

fn compare_lists(lines: &mut Vec<String>, path: &str, live: &[Value], intent: &[Value]) {
    if live.len() == intent.len() && live.iter().zip(intent).all(|(live, intent)| same(live, intent)) {
        return;
    }
    if let (Some(live_names), Some(intent_names)) = (names_of(live), names_of(intent)) {
        return compare_named(lines, path, (live, &live_names), (intent, &intent_names));
    }
    let order = |values: &[Value]| shown(&Value::Array(values.to_vec()));
    if is_permutation(live, intent) {
        lines.push(format!("{path}: order live {}, intent {}", order(live), order(intent)));
    } else if live.len() == intent.len() {
        for (index, (live, intent)) in live.iter().zip(intent).enumerate() {
            compare(lines, &format!("{path}[{index}]"), live, intent);
        }
    } else if let Some(added) = insertions(intent, live) {
        lines.extend(added.into_iter().map(|index| format!("{path}[{index}]: live {}, intent nothing", shown(&live[index]))));
    } else if let Some(removed) = insertions(live, intent) {
        lines.extend(removed.into_iter().map(|index| format!("{path}[{index}]: live nothing, intent {}", shown(&intent[index]))));
    } else {
        lines.push(format!("{path}: live {}, intent {}", order(live), order(intent)));
    }
}

fn compare_named(lines: &mut Vec<String>, path: &str, live: (&[Value], &[&str]), intent: (&[Value], &[&str])) {
    let item = |name: &str| format!("{path}[{}]", readable(name));
    let position = |names: &[&str], name: &str| names.iter().position(|other| *other == name);
    for (value, name) in intent.0.iter().zip(intent.1) {
        match position(live.1, name) {
            Some(index) => compare(lines, &item(name), &live.0[index], value),
            None => lines.push(format!("{}: live nothing, intent {}", item(name), shown(value))),
        }
    }
    for (index, (value, name)) in live.0.iter().zip(live.1).enumerate() {
        if position(intent.1, name).is_none() {
            lines.push(format!("{}: live {} at position {index}, intent nothing", item(name), shown(value)));
        }
    }
    let common = |names: &[&str], others: &[&str]| -> Vec<Value> {
        names.iter().filter(|name| others.contains(name)).map(|name| Value::from(*name)).collect()
    };
    let (live_order, intent_order) = (common(live.1, intent.1), common(intent.1, live.1));
    if live_order != intent_order {
        lines.push(format!(
            "{path}: order live {}, intent {}",
            shown(&Value::Array(live_order)),
            shown(&Value::Array(intent_order))
        ));
    }
}

/// The names of items, when all have one and no two the same.
fn names_of(items: &[Value]) -> Option<Vec<&str>> {
    let names: Vec<&str> = items.iter().map(|item| item.get("name")?.as_str()).collect::<Option<_>>()?;
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    (distinct.len() == names.len()).then_some(names)
}

fn is_permutation(live: &[Value], intent: &[Value]) -> bool {
    let sorted = |values: &[Value]| {
        let mut texts: Vec<String> = values.iter().map(|value| normal(value).to_string()).collect();
        texts.sort();
        texts
    };
    live.len() == intent.len() && sorted(live) == sorted(intent)
}

/// Which positions of `longer` are more than `shorter` has, when taking them out leaves `shorter`.
fn insertions(shorter: &[Value], longer: &[Value]) -> Option<Vec<usize>> {
    let mut rest = shorter.iter().peekable();
    let mut added = Vec::new();
    for (index, value) in longer.iter().enumerate() {
        if rest.peek().is_some_and(|next| same(next, value)) {
            rest.next();
        } else {
            added.push(index);
        }
    }
    rest.next().is_none().then_some(added)
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || normal(a) == normal(b)
}

/// Without members that are null, numbers in one form.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), normal(value))).collect()
        }
        Value::Array(elements) => elements.iter().map(normal).collect(),
        Value::Number(number) => Value::String(format!("number {}", decimal(&number.to_string()))),
        Value::String(text) => Value::String(format!("text {text}")),
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

/// A number as `<digits>e<exponent>` without zeros at either end of the digits.
fn decimal(text: &str) -> String {
    let (sign, text) = text.strip_prefix('-').map_or(("", text), |text| ("-", text));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let zeros = digits.len() - significant.len();
    let shift = i128::try_from(zeros).unwrap_or(i128::MAX) - i128::try_from(fraction.len()).unwrap_or(i128::MAX);
    match exponent.parse::<i128>().ok().and_then(|exponent| exponent.checked_add(shift)) {
        Some(exponent) => format!("{sign}{significant}e{exponent}"),
        // an exponent beyond all measure: only the same text is the same number
        None => format!("{sign}{text}"),
    }
}

fn member_path(path: &str, name: &str) -> String {
    let is_word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match (path, is_word) {
        ("", true) => name.to_owned(),
        (_, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[{}]", Value::from(name)),
    }
}

/// The name of a list item, quoted unless it can be told from a position and needs no quotes.
fn readable(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    if is_plain { name.to_owned() } else { Value::from(name).to_string() }
}

fn shown(value: &Value) -> String {
    if value.is_null() {
        return "nothing".to_owned();
    }
    let json = value.to_string();
    if json.chars().count() <= LONGEST_VALUE {
        return json;
    }
    let start: String = json.chars().take(LONGEST_VALUE * 3 / 4).collect();
    format!("{start}… (sha256:{})", &crate::hex_digest(json.as_bytes())[..16])
}

#[cfg(test)]
mod tests;
