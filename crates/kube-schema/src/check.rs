//! Values against a schema.

use std::cmp::Ordering;

use serde_json::Value;

use crate::compose::check_alternatives;
use crate::number::{Num, kind_of, same};
use crate::place::Place;
use crate::prepare::below;
use crate::schema::{Additional, Bounds, Checks, Kind, Limit, Schema};
use crate::verdict::Report;

/// Where problems go: to the report, or to a count that decides between alternatives.
pub(crate) trait Problems {
    /// One more. `is_blocking`: an API server leaves the rules unjudged after it.
    fn add(&mut self, node: &Place<'_>, path: &Place<'_>, what: &dyn Fn() -> String, is_blocking: bool);
}

impl Problems for Report<'_> {
    fn add(&mut self, node: &Place<'_>, path: &Place<'_>, what: &dyn Fn() -> String, is_blocking: bool) {
        if is_blocking {
            self.add_blocking(node, path.to_string(), what());
        } else {
            Report::add(self, node, path.to_string(), what());
        }
    }
}

/// Whether there was any problem.
#[derive(Debug, Default)]
pub(crate) struct Any(pub(crate) bool);

impl Problems for Any {
    fn add(&mut self, _: &Place<'_>, _: &Place<'_>, _: &dyn Fn() -> String, _: bool) {
        self.0 = true;
    }
}

/// Whether a value is as a schema says.
pub(crate) fn is_valid(value: &Value, schema: &Schema) -> bool {
    let mut any = Any::default();
    check(value, schema, &Place::Root, &mut any);
    !any.0
}

/// Checks a value and what is in it.
pub(crate) fn check(value: &Value, schema: &Schema, place: &Place<'_>, problems: &mut dyn Problems) {
    if let Some(kind) = schema.kind
        && !kind.accepts(value, schema.nullable)
    {
        let what = || format!("must be {}, not {}", kind.name(), if value.is_null() { "null" } else { kind_of(value) });
        problems.add(place, place, &what, true);
        return;
    }
    check_enum(value, &schema.checks, place, problems);
    if value.is_null() {
        return;
    }
    check_alternatives(value, &schema.checks, place, problems);
    match value {
        Value::String(text) => check_text(text, &schema.checks, place, problems),
        Value::Number(number) => check_number(Num::of(number), schema, place, problems),
        Value::Array(items) => check_items(items, schema, place, problems),
        Value::Object(members) => {
            let count = members.len();
            check_bounds(count, schema.checks.members, "member", place, problems);
            for name in &schema.checks.required {
                if !members.contains_key(name) {
                    problems.add(place, &place.field(name), &|| "is required".to_owned(), true);
                }
            }
            for (key, value) in members {
                if let Some(member) = schema.member(key) {
                    check(value, member, &below(schema, key, place), problems);
                }
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

impl Kind {
    fn accepts(self, value: &Value, nullable: bool) -> bool {
        match (self, value) {
            (_, Value::Null) => nullable,
            (Self::Object, Value::Object(_))
            | (Self::Array, Value::Array(_))
            | (Self::String | Self::IntOrString, Value::String(_))
            | (Self::Number, Value::Number(_))
            | (Self::Boolean, Value::Bool(_)) => true,
            (Self::Integer | Self::IntOrString, Value::Number(number)) => matches!(Num::of(number), Num::Int(_)),
            _ => false,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "a list",
            Self::String => "a string",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::IntOrString => "a whole number or a string",
        }
    }
}

fn check_enum(value: &Value, checks: &Checks, place: &Place<'_>, problems: &mut dyn Problems) {
    let Some(all) = &checks.one_among else { return };
    if !all.iter().any(|one| !value.is_null() && same(one, value)) {
        let what = || {
            let names: Vec<String> = all.iter().map(ToString::to_string).collect();
            format!("must be one of {}, not {value}", names.join(", "))
        };
        problems.add(place, place, &what, true);
    }
}

fn check_text(text: &str, checks: &Checks, place: &Place<'_>, problems: &mut dyn Problems) {
    if checks.length.min.is_some() || checks.length.max.is_some() {
        check_bounds(text.chars().count(), checks.length, "character", place, problems);
    }
    if let Some(pattern) = &checks.pattern
        && !pattern.matches(text)
    {
        problems.add(place, place, &|| format!("must match {}, and {text:?} does not", pattern.text), false);
    }
    if let Some(format) = checks.format
        && !format.accepts(text)
    {
        problems.add(place, place, &|| format!("must be {}, and {text:?} is not", format.name()), true);
    }
}

/// Too few is not what keeps an API server from judging rules, too many is.
fn check_bounds(count: usize, bounds: Bounds, of: &str, place: &Place<'_>, problems: &mut dyn Problems) {
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    let many = |number: u64| if number == 1 { of.to_owned() } else { format!("{of}s") };
    if let Some(min) = bounds.min.filter(|min| count < *min) {
        problems.add(place, place, &|| format!("must have at least {min} {}, and has {count}", many(min)), false);
    }
    if let Some(max) = bounds.max.filter(|max| count > *max) {
        problems.add(place, place, &|| format!("must have at most {max} {}, and has {count}", many(max)), true);
    }
}

fn check_number(number: Num, schema: &Schema, place: &Place<'_>, problems: &mut dyn Problems) {
    let checks = &schema.checks;
    if let Some(format) = checks.format
        && !format.holds(number)
    {
        problems.add(place, place, &|| format!("must be {}", format.name()), false);
    }
    let outside = |limit: &Limit, side: Ordering| {
        let order = number.compare(limit.at);
        order == Some(side) || limit.is_exclusive && order == Some(Ordering::Equal)
    };
    let words = |limit: &Limit| if limit.is_exclusive { "than " } else { "than or equal to " };
    if let Some(limit) = checks.minimum.filter(|limit| outside(limit, Ordering::Less)) {
        problems.add(place, place, &|| format!("must be greater {}{}", words(&limit), limit.at.as_f64()), false);
    }
    if let Some(limit) = checks.maximum.filter(|limit| outside(limit, Ordering::Greater)) {
        problems.add(place, place, &|| format!("must be less {}{}", words(&limit), limit.at.as_f64()), false);
    }
    if let Some(factor) = checks.multiple_of {
        let is_multiple = match (number, factor) {
            (Num::Int(number), Num::Int(factor)) => factor > 0 && number % factor == 0,
            (number, factor) => factor.as_f64() > 0.0 && (number.as_f64() / factor.as_f64()).fract() == 0.0,
        };
        if !is_multiple {
            problems.add(place, place, &|| format!("must be a multiple of {}", factor.as_f64()), false);
        }
    }
}

fn check_items(items: &[Value], schema: &Schema, place: &Place<'_>, problems: &mut dyn Problems) {
    check_bounds(items.len(), schema.checks.items, "item", place, problems);
    if schema.checks.is_unique {
        let mut seen: Vec<&Value> = Vec::new();
        for (position, item) in items.iter().enumerate() {
            if seen.iter().any(|other| same(other, item)) {
                problems.add(place, &Place::Index(place, position), &|| "is there twice".to_owned(), false);
            }
            seen.push(item);
        }
    }
    if let Some(schema) = &schema.items {
        for (position, item) in items.iter().enumerate() {
            check(item, schema, &Place::Index(place, position), problems);
        }
    }
}

impl Schema {
    /// Whether keys besides the properties are allowed by name.
    pub(crate) fn is_map(&self) -> bool {
        self.properties.is_empty() && matches!(self.additional, Additional::Schema(_))
    }
}
