//! Who wrote which part of an object, where the cluster knows it.
//!
//! API servers keep a record of the fields of every object and of who set them (`metadata.managedFields`, in the notation
//! FieldsV1: `f:` a member, `k:` an item of a list by its keys, `v:` an element of a set, `i:` a position, `.` the thing
//! itself; an empty node stands for all below it). Contract: pure.

use serde_json::{Value, json};

/// The record of one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Authors {
    own: String,
    entries: Vec<Author>,
}

/// One who wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Author {
    /// name of the field manager
    pub manager: String,
    /// whether it applies its fields, and so will again (`Apply`), or just changed them (`Update`)
    pub is_applier: bool,
    /// when it last did, RFC 3339; empty where the server did not note it
    pub time: String,
    /// `apiVersion` in which it wrote
    pub api_version: String,
    fields: Value,
}

/// A step from a value into it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step<'a> {
    /// a member of an object
    Member(&'a str),
    /// an item of a list: its position and what it is
    Item(usize, &'a Value),
}

impl Authors {
    /// The record in `metadata.managedFields`; `own` is the name under which we write.
    #[must_use]
    pub fn new(managed_fields: &Value, own: &str) -> Self {
        let text = |entry: &Value, name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let entries = managed_fields.as_array().into_iter().flatten().map(|entry| Author {
            manager: text(entry, "manager"),
            is_applier: text(entry, "operation") == "Apply",
            time: text(entry, "time"),
            api_version: text(entry, "apiVersion"),
            fields: entry.get("fieldsV1").cloned().unwrap_or_default(),
        });
        Self { own: own.to_owned(), entries: entries.collect() }
    }

    /// The record as text, for [`Self::unpack`].
    pub(crate) fn pack(&self) -> Box<str> {
        let entries = self.entries.iter().map(|author| {
            let Author { manager, is_applier, time, api_version, fields } = author;
            let operation = if *is_applier { "Apply" } else { "Update" };
            json!({"manager": manager, "operation": operation, "time": time, "apiVersion": api_version, "fieldsV1": fields})
        });
        json!([self.own, entries.collect::<Vec<Value>>()]).to_string().into()
    }

    /// The record of a packed text.
    pub(crate) fn unpack(text: &str) -> Self {
        let packed: Value = serde_json::from_str(text).expect("a packed record is JSON");
        Self::new(&packed[1], packed[0].as_str().unwrap_or_default())
    }

    /// Our own entry, if we applied the object.
    #[must_use]
    pub fn own(&self) -> Option<&Author> {
        self.entries.iter().find(|author| author.is_applier && author.manager == self.own)
    }

    /// The entries that hold the value at a path, or a part of it, or all around it; the latest first.
    #[must_use]
    pub fn of(&self, path: &[Step<'_>]) -> Vec<&Author> {
        let mut found: Vec<&Author> = self.entries.iter().filter(|author| holds(&author.fields, path)).collect();
        found.sort_by(|a, b| b.time.cmp(&a.time));
        found
    }

    /// The latest of them that is not us.
    #[must_use]
    pub fn other(&self, path: &[Step<'_>]) -> Option<&Author> {
        self.of(path).into_iter().find(|author| author.manager != self.own)
    }

    /// The latest but us who holds what a drift line of `object` is about.
    #[must_use]
    pub fn of_line<'a>(&'a self, line: &str, object: &Value) -> Option<&'a Author> {
        self.other(&locate(path_of(line)?, object)?)
    }

    /// The drift line of `object` with the one who made it so, if that is known and not us.
    pub(crate) fn sign(&self, line: String, object: &Value) -> String {
        match self.of_line(&line, object) {
            Some(author) => {
                let manager: String = author.manager.chars().filter(|c| !c.is_control() && *c != ';').collect();
                let operation = if author.is_applier { APPLY } else { UPDATE };
                // who applies what is there already leaves no time
                let at = if author.time.is_empty() { String::new() } else { format!(" at {}", author.time) };
                format!("{line}{BY}{manager}{at} {operation}")
            }
            None => line,
        }
    }
}

const BY: &str = "; by ";
const APPLY: &str = "(Apply)";
const UPDATE: &str = "(Update)";

/// The path that a drift line is about.
#[must_use]
pub fn path_of(line: &str) -> Option<&str> {
    line.split_once(": live ").or_else(|| line.split_once(": order live ")).map(|(path, _)| path)
}

/// A drift line without the one who made it so: what it says of the live object.
#[must_use]
pub fn unsigned(line: &str) -> &str {
    // no value that a line shows ends like this: JSON does not, nor does the digest of a cut one
    let is_signed = line.ends_with(APPLY) || line.ends_with(UPDATE);
    match line.rfind(BY).filter(|_| is_signed) {
        Some(end) => &line[..end],
        None => line,
    }
}

/// Whether a node of FieldsV1 holds the value at a path, a part of it, or all around it.
fn holds(fields: &Value, path: &[Step<'_>]) -> bool {
    let Some(members) = fields.as_object() else { return false };
    let Some((step, rest)) = path.split_first() else { return true };
    if members.is_empty() {
        return true;
    }
    let next = match step {
        Step::Member(name) => members.get(&format!("f:{name}")),
        Step::Item(position, item) => {
            let found = members.iter().find(|(key, _)| is_item(key, *position, item));
            found.map(|(_, node)| node)
        }
    };
    next.is_some_and(|next| holds(next, rest))
}

fn is_item(key: &str, position: usize, item: &Value) -> bool {
    if let Some(keys) = key.strip_prefix("k:") {
        let keys: Value = serde_json::from_str(keys).unwrap_or_default();
        return keys.as_object().is_some_and(|keys| keys.iter().all(|(name, value)| item.get(name) == Some(value)));
    }
    if let Some(value) = key.strip_prefix("v:") {
        return serde_json::from_str::<Value>(value).is_ok_and(|value| value == *item);
    }
    key.strip_prefix("i:").is_some_and(|index| index == position.to_string())
}

/// The steps of a path as drift lines write it, as far as the object has them.
fn locate<'a>(path: &'a str, object: &'a Value) -> Option<Vec<Step<'a>>> {
    let mut steps = Vec::new();
    let (mut rest, mut at) = (path, Some(object));
    while !rest.is_empty() {
        let (name, is_bracketed);
        if let Some(inside) = rest.strip_prefix('[') {
            let end = end_of_bracket(inside)?;
            (name, rest, is_bracketed) = (&inside[..end], &inside[end + 1..], true);
        } else {
            let word = rest.strip_prefix('.').unwrap_or(rest);
            let end = word.find(['.', '[']).unwrap_or(word.len());
            (name, rest, is_bracketed) = (&word[..end], &word[end..], false);
        }
        let quoted = serde_json::from_str::<String>(name).ok().filter(|_| is_bracketed);
        let text = quoted.as_deref().unwrap_or(name);
        match at {
            Some(Value::Array(items)) => {
                let by_position = name.parse().ok().filter(|_| quoted.is_none());
                let by_name = || items.iter().position(|item| item.get("name").and_then(Value::as_str) == Some(text));
                // an item that is not there: the list is all that can be said
                let Some(position) = by_position.or_else(by_name) else { return Some(steps) };
                let Some(item) = items.get(position) else { return Some(steps) };
                steps.push(Step::Item(position, item));
                at = Some(item);
            }
            Some(Value::Object(members)) => {
                let (member, value) = members.get_key_value(text)?;
                steps.push(Step::Member(member));
                at = Some(value);
            }
            _ => return None,
        }
    }
    Some(steps)
}

/// Where a bracket closes: not inside a quoted text.
fn end_of_bracket(inside: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (index, c) in inside.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            ']' if !is_quoted => return Some(index),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
