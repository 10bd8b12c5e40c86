//! The rules of a schema (`x-kubernetes-validations`).

use std::sync::Arc;

use serde_json::Value;

use crate::cel::{Expr, Fail, Scope, Val, evaluate, free_names, parse};
use crate::place::Place;
use crate::prepare::below;
use crate::schema::{ListType, Schema};
use crate::verdict::{Report, Unchecked};

/// Steps of one rule on one value.
const STEPS_OF_ONE: u64 = 1_000_000;
/// Steps of all rules on one object.
const STEPS_OF_ALL: u64 = 10_000_000;

/// A rule.
#[derive(Debug)]
pub(crate) struct Rule {
    text: String,
    program: Expr,
    message: Option<String>,
    message_program: Option<Expr>,
    /// below the value that it is about
    field: Option<String>,
    /// where it is in the schema
    path: String,
    uses_old: bool,
    is_old_optional: bool,
}

/// Steps that are left for an object.
#[derive(Debug)]
pub(crate) struct Fuel(u64);

impl Default for Fuel {
    fn default() -> Self {
        Self(STEPS_OF_ALL)
    }
}

impl Rule {
    /// Compiles a rule.
    ///
    /// # Errors
    /// When it is none, or uses what is not known here; the text says what.
    pub(crate) fn compile(text: &str, json: &Value, path: &str) -> Result<Self, String> {
        let member = |name: &str| json.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let program = parse(text)?;
        let known = ["self", "oldSelf"];
        let types = ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"];
        let names = free_names(&program);
        if let Some(unknown) = names.iter().find(|name| !known.contains(name) && !types.contains(name)) {
            return Err(format!("the name `{unknown}` is not known here"));
        }
        let uses_old = names.contains("oldSelf");
        // a message is only words: without it the rule is told by its text
        let message_program = member("messageExpression").and_then(|text| parse(text).ok());
        Ok(Self {
            text: text.trim().to_owned(),
            program,
            message: member("message").map(str::to_owned),
            message_program,
            field: member("fieldPath").map(str::to_owned),
            path: path.to_owned(),
            uses_old,
            is_old_optional: json.get("optionalOldSelf") == Some(&Value::Bool(true)),
        })
    }

    fn judge(
        &self,
        value: &Value,
        before: Option<&Value>,
        node: &Schema,
        place: &Place<'_>,
        fuel: &mut Fuel,
        report: &mut Report<'_>,
    ) {
        if self.uses_old && before.is_none() && !self.is_old_optional {
            // nothing to compare with
            return;
        }
        let unchecked = |why: String| Unchecked { path: self.path.clone(), rule: self.text.clone(), why };
        let mut left = STEPS_OF_ONE.min(fuel.0);
        let given = left;
        let outcome = self.scope(value, before, node).and_then(|scope| evaluate(&self.program, scope, &mut left));
        fuel.0 -= given - left;
        let path = || match &self.field {
            None => place.to_string(),
            Some(field) if field.starts_with('.') && matches!(place, Place::Root) => field[1..].to_owned(),
            Some(field) => format!("{place}{field}"),
        };
        match outcome {
            Ok(Val::Bool(true)) => {}
            Ok(Val::Bool(false)) => {
                let words = self.words(value, before, node);
                report.add_rule(place, path(), words, &self.text);
            }
            Ok(other) => report.add_unchecked(unchecked(format!("its value is of type {}", other.type_name()))),
            Err(Fail::Error(error)) => {
                report.add_rule(place, path(), format!("makes its rule end with an error: {error}"), &self.text);
            }
            Err(Fail::Unsupported(what)) => report.add_unchecked(unchecked(format!("{what} is not known here"))),
            Err(Fail::TooLong) => report.add_unchecked(unchecked("it takes too many steps".to_owned())),
        }
    }

    fn scope<'v>(&self, value: &'v Value, before: Option<&'v Value>, node: &'v Schema) -> Result<Scope<'v>, Fail> {
        let mut scope = vec![("self", Val::of(value, node)?)];
        let old = before.map(|before| Val::of(before, node)).transpose()?;
        match (self.is_old_optional, old) {
            (true, old) => scope.push(("oldSelf", Val::Optional(old.map(Arc::new)))),
            (false, Some(old)) => scope.push(("oldSelf", old)),
            (false, None) => {}
        }
        Ok(scope)
    }

    fn words(&self, value: &Value, before: Option<&Value>, node: &Schema) -> String {
        let computed = self.message_program.as_ref().and_then(|program| {
            let scope = self.scope(value, before, node).ok()?;
            match evaluate(program, scope, &mut { STEPS_OF_ONE }) {
                Ok(Val::Text(text)) if !text.trim().is_empty() && !text.contains('\n') => Some(text.trim().to_owned()),
                _ => None,
            }
        });
        computed.or_else(|| self.message.clone()).unwrap_or_else(|| format!("must meet the rule {}", self.text))
    }
}

/// Judges the rules of a value and of what is in it.
pub(crate) fn check_rules(value: &Value, before: Option<&Value>, schema: &Schema, fuel: &mut Fuel, report: &mut Report<'_>) {
    walk(value, before, schema, schema, &Place::Root, fuel, report);
}

/// `validation` has the rules, `node` the types: they differ inside `allOf`.
fn walk(
    value: &Value,
    before: Option<&Value>,
    validation: &Schema,
    node: &Schema,
    place: &Place<'_>,
    fuel: &mut Fuel,
    report: &mut Report<'_>,
) {
    if value.is_null() {
        return;
    }
    let before = before.filter(|before| !before.is_null());
    for rule in &validation.rules {
        rule.judge(value, before, node, place, fuel, report);
    }
    for all_of in &validation.checks.all_of {
        walk(value, before, all_of, node, place, fuel, report);
    }
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                if let (Some(validation), Some(member)) = (validation.member(key), node.member(key)) {
                    let before = before.and_then(|before| before.get(key));
                    walk(value, before, validation, member, &below(node, key, place), fuel, report);
                }
            }
        }
        Value::Array(items) => {
            let (Some(validation), Some(schema)) = (&validation.items, &node.items) else { return };
            for (position, item) in items.iter().enumerate() {
                let before = before.and_then(|before| item_before(item, before, &node.list));
                walk(item, before, validation, schema, &Place::Index(place, position), fuel, report);
            }
        }
        _ => {}
    }
}

/// What an item was, where items have keys.
fn item_before<'v>(item: &Value, before: &'v Value, list: &ListType) -> Option<&'v Value> {
    let ListType::Map(keys) = list else { return None };
    before.as_array()?.iter().find(|before| keys.iter().all(|key| before.get(key) == item.get(key)))
}
