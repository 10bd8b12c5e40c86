//! `allOf`, `anyOf`, `oneOf` and `not`.

use serde_json::Value;

use crate::check::{Problems, check, is_valid};
use crate::place::Place;
use crate::schema::{Checks, Schema};

/// Checks a value against the alternatives of a node.
pub(crate) fn check_alternatives(value: &Value, checks: &Checks, place: &Place<'_>, problems: &mut dyn Problems) {
    for schema in &checks.all_of {
        check(value, schema, place, problems);
    }
    if !checks.any_of.is_empty() && !checks.any_of.iter().any(|schema| is_valid(value, schema)) {
        let what = || format!("must be at least one of: {}", named(&checks.any_of));
        problems.add(place, place, &what, false);
    }
    if !checks.one_of.is_empty() {
        let count = checks.one_of.iter().filter(|schema| is_valid(value, schema)).count();
        if count != 1 {
            let found = if count == 0 { "none".to_owned() } else { count.to_string() };
            let what = || format!("must be exactly one of these, and is {found}: {}", named(&checks.one_of));
            problems.add(place, place, &what, false);
        }
    }
    if let Some(not) = &checks.not
        && is_valid(value, not)
    {
        let what = || format!("must not be: {}", named(std::slice::from_ref(not)));
        problems.add(place, place, &what, false);
    }
}

/// What alternatives ask for, as far as it can be said in a few words.
fn named(alternatives: &[Schema]) -> String {
    let all: Vec<String> = alternatives.iter().map(words).collect();
    all.join("; ")
}

fn words(schema: &Schema) -> String {
    let checks = &schema.checks;
    let mut parts = Vec::new();
    if !checks.required.is_empty() {
        parts.push(format!("with {}", checks.required.join(" and ")));
    }
    if let Some(kind) = schema.kind {
        parts.push(format!("{kind:?}").to_lowercase());
    }
    if let Some(pattern) = &checks.pattern {
        parts.push(format!("matching {}", pattern.text));
    }
    if let Some(format) = checks.format {
        parts.push(format.name().to_owned());
    }
    for (word, inner) in [("any of", &checks.any_of), ("one of", &checks.one_of), ("all of", &checks.all_of)] {
        if !inner.is_empty() {
            parts.push(format!("{word} ({})", named(inner)));
        }
    }
    if let Some(not) = &checks.not {
        parts.push(format!("not ({})", words(not)));
    }
    if parts.is_empty() { "something else".to_owned() } else { parts.join(", ") }
}
