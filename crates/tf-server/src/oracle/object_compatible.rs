//! Does a later value keep what an earlier one promised?

use tf_value::schema::{Attribute, Kind, Nesting, Schema};
use tf_value::{Path, Type, Value};

use super::show::show;
use super::{Rule, Verdict, Violation, member};

/// Which later value is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// the second plan, made during apply: unknown may stay unknown
    SecondPlan,
    /// the result of apply: nothing unknown is left
    Applied,
}

/// Every way in which `actual` breaks what `planned` promised. Null stands for absence.
#[must_use]
pub fn object_compatible(schema: &Schema, planned: &Value, actual: &Value, stage: Stage) -> Vec<Violation> {
    let mut verdict = Verdict::default();
    let root = Path::root();
    check(Shape::Object(&schema.attributes), planned, actual, &root, false, &mut verdict);
    if stage == Stage::Applied {
        for path in actual.unknown_paths(&schema.ty()) {
            // a known value that became unknown is listed already
            if !verdict.0.iter().any(|violation| violation.path == path) {
                verdict.add(Rule::UnknownLeft, &path, "still unknown after apply");
            }
        }
    }
    verdict.0
}

/// What is known about the shape of a value.
#[derive(Clone, Copy)]
enum Shape<'s> {
    Object(&'s [Attribute]),
    Nested(Nesting, &'s [Attribute]),
    Type(&'s Type),
}

fn check(shape: Shape<'_>, planned: &Value, actual: &Value, path: &Path, sensitive: bool, verdict: &mut Verdict) {
    if planned.is_unknown() {
        return;
    }
    if actual.is_unknown() {
        return verdict.add(Rule::KnownValue, path, format!("was {}, but now unknown", show(planned, sensitive)));
    }
    match (planned.is_null(), actual.is_null()) {
        (true, true) => return,
        (true, false) => return verdict.add(Rule::Presence, path, "was absent, but now present"),
        (false, true) => return verdict.add(Rule::Presence, path, "was present, but now absent"),
        (false, false) => {}
    }
    match shape {
        Shape::Object(attributes) => check_object(attributes, planned, actual, path, sensitive, verdict),
        Shape::Nested(nesting, attributes) => {
            let object = Shape::Object(attributes);
            match nesting {
                Nesting::Single => check_object(attributes, planned, actual, path, sensitive, verdict),
                Nesting::List => check_list(&|_| object, planned, actual, path, sensitive, verdict),
                Nesting::Map => check_map(object, planned, actual, path, sensitive, verdict),
                Nesting::Set => check_set(object, planned, actual, path, sensitive, verdict),
            }
        }
        Shape::Type(ty) => check_typed(ty, planned, actual, path, sensitive, verdict),
    }
}

fn check_object(attributes: &[Attribute], planned: &Value, actual: &Value, path: &Path, sensitive: bool, verdict: &mut Verdict) {
    for attribute in attributes {
        let name = attribute.name.as_str();
        let path = path.attribute(name);
        let (planned, actual) = (member(planned, name), member(actual, name));
        if attribute.write_only {
            if !actual.is_null() {
                verdict.add(Rule::WriteOnly, &path, "a write-only attribute has a value");
            }
            continue;
        }
        let shape = match &attribute.kind {
            Kind::Value(ty) => Shape::Type(ty),
            Kind::Nested(nesting, attributes) => Shape::Nested(*nesting, attributes),
        };
        check(shape, planned, actual, &path, sensitive || attribute.sensitive, verdict);
    }
}

fn check_typed(ty: &Type, planned: &Value, actual: &Value, path: &Path, sensitive: bool, verdict: &mut Verdict) {
    match ty {
        Type::Bool | Type::Number | Type::String => {
            if planned != actual {
                let (before, after) = (show(planned, sensitive), show(actual, sensitive));
                verdict.add(Rule::KnownValue, path, format!("was {before}, but now {after}"));
            }
        }
        Type::Dynamic => match (planned, actual) {
            (Value::Dynamic(planned), Value::Dynamic(actual)) if refines(&planned.0, &actual.0) => {
                check(Shape::Type(&planned.0), &planned.1, &actual.1, path, sensitive, verdict);
            }
            (Value::Dynamic(_), Value::Dynamic(_)) => verdict.add(Rule::Type, path, "the type of a dynamic value changed"),
            _ => verdict.add(Rule::Type, path, "a dynamic value carries no type"),
        },
        Type::List(element) => check_list(&|_| Shape::Type(element), planned, actual, path, sensitive, verdict),
        Type::Tuple(types) => {
            let shape = |index: usize| Shape::Type(types.get(index).unwrap_or(&Type::Dynamic));
            check_list(&shape, planned, actual, path, sensitive, verdict);
        }
        Type::Set(element) => check_set(Shape::Type(element), planned, actual, path, sensitive, verdict),
        Type::Map(element) => check_map(Shape::Type(element), planned, actual, path, sensitive, verdict),
        Type::Object(members) => {
            for (name, ty) in members {
                let (planned, actual) = (member(planned, name), member(actual, name));
                check(Shape::Type(ty), planned, actual, &path.attribute(name), sensitive, verdict);
            }
        }
    }
}

/// Whether `actual` is `planned` with types in place of `dynamic`, which is the type of an unknown inside a dynamic value.
fn refines(planned: &Type, actual: &Type) -> bool {
    match (planned, actual) {
        (Type::Dynamic, _) => true,
        (Type::List(planned), Type::List(actual))
        | (Type::Set(planned), Type::Set(actual))
        | (Type::Map(planned), Type::Map(actual)) => refines(planned, actual),
        (Type::Tuple(planned), Type::Tuple(actual)) => {
            planned.len() == actual.len() && planned.iter().zip(actual).all(|(planned, actual)| refines(planned, actual))
        }
        (Type::Object(planned), Type::Object(actual)) => {
            planned.len() == actual.len()
                && planned.iter().all(|(name, planned)| actual.get(name).is_some_and(|actual| refines(planned, actual)))
        }
        _ => planned == actual,
    }
}

fn check_list<'s>(
    shape: &dyn Fn(usize) -> Shape<'s>,
    planned: &Value,
    actual: &Value,
    path: &Path,
    sensitive: bool,
    verdict: &mut Verdict,
) {
    let (Value::List(before), Value::List(after)) = (planned, actual) else {
        return verdict.add(Rule::Type, path, "a list is no longer one");
    };
    if before.len() != after.len() {
        return verdict.add(Rule::Count, path, format!("had {} elements, but now {}", before.len(), after.len()));
    }
    for (index, (planned, actual)) in before.iter().zip(after).enumerate() {
        check(shape(index), planned, actual, &path.index(index), sensitive, verdict);
    }
}

fn check_map(shape: Shape<'_>, planned: &Value, actual: &Value, path: &Path, sensitive: bool, verdict: &mut Verdict) {
    let (Value::Map(before), Value::Map(after)) = (planned, actual) else {
        return verdict.add(Rule::Type, path, "a map is no longer one");
    };
    for (key, planned) in before {
        match after.get(key) {
            Some(actual) => check(shape, planned, actual, &path.key(key), sensitive, verdict),
            None => verdict.add(Rule::Keys, &path.key(key), "an element has vanished"),
        }
    }
    for key in after.keys().filter(|key| !before.contains_key(*key)) {
        verdict.add(Rule::Keys, &path.key(key), "a new element has appeared");
    }
}

/// A set may shrink, when elements that were unknown turn out equal; it never grows.
fn check_set(shape: Shape<'_>, planned: &Value, actual: &Value, path: &Path, sensitive: bool, verdict: &mut Verdict) {
    let (Value::Set(before), Value::Set(after)) = (planned, actual) else {
        return verdict.add(Rule::Type, path, "a set is no longer one");
    };
    if after.len() > before.len() {
        return verdict.add(Rule::Count, path, format!("had {} elements, but now {}", before.len(), after.len()));
    }
    let keeps = |planned: &Value, actual: &Value| {
        let mut verdict = Verdict::default();
        check(shape, planned, actual, path, sensitive, &mut verdict);
        verdict.0.is_empty()
    };
    if before.iter().any(|planned| !after.iter().any(|actual| keeps(planned, actual))) {
        verdict.add(Rule::SetElements, path, "a planned element corresponds to no actual element");
    }
    if after.iter().any(|actual| !before.iter().any(|planned| keeps(planned, actual))) {
        verdict.add(Rule::SetElements, path, "an actual element corresponds to no planned element");
    }
}
