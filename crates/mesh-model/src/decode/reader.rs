//! Reading attribute values: every failure leaves a finding, and nothing is read on from a value that failed.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::str::FromStr;

use super::number;
use super::shapes::Shape;
use crate::finding::{Code, Finding, Findings};
use crate::input::PathStep;
use crate::names::InvalidName;
use crate::text::{listed, quoted};
use crate::{AttributePath, Input, Leaf, LeafPath};

/// Proof that a finding was left: only [`Sink`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported(());

/// What was read, or proof that a finding says why not.
pub(super) type Read<T> = Result<T, Reported>;

/// How many errors are kept; what comes after them is counted.
const MAX_ERRORS: usize = 1_000;

/// Collects findings.
#[derive(Debug, Default)]
pub(super) struct Sink {
    findings: Findings,
    errors: usize,
    unknown_shape: Option<LeafPath>,
}

impl Sink {
    /// An error or a warning, by its code.
    pub(super) fn report(
        &mut self,
        code: Code,
        path: AttributePath,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Reported {
        if code.severity() == crate::Severity::Error {
            self.errors += 1;
            if self.errors > MAX_ERRORS {
                return Reported(());
            }
        }
        self.findings.push(Finding::new(code, path, what, why, fix));
        Reported(())
    }

    /// A value on which the set of objects depends is unknown.
    pub(super) fn unknown_shape(&mut self, path: AttributePath) -> Reported {
        let leaf = LeafPath(path.to_string());
        let what = format!("{} is known only after apply.", shown(&path));
        let first = self.unknown_shape.is_none();
        self.unknown_shape.get_or_insert(leaf);
        let why = if first {
            "Which objects exist depends on it, so the plan cannot show them."
        } else {
            "Which objects exist depends on it too."
        };
        self.report(
            Code::UnknownShape,
            path,
            what,
            why,
            "Give a value that is known at plan, or apply what it comes from first: terraform apply -target=<its address>.",
        )
    }

    /// Everything that was found, whether an error is among it, and the first unknown value that decides the shape.
    pub(super) fn finish(mut self) -> (Findings, bool, Option<LeafPath>) {
        let hidden = self.errors.saturating_sub(MAX_ERRORS);
        if hidden > 0 {
            self.findings.push(Finding::new(
                Code::TooLarge,
                AttributePath::default(),
                format!("{hidden} more errors are not shown."),
                format!("At most {MAX_ERRORS} are."),
                "Correct those that are shown.",
            ));
        }
        (self.findings, self.errors > 0, self.unknown_shape)
    }
}

/// The path as messages show it.
pub(super) fn shown(path: &AttributePath) -> String {
    if path.0.is_empty() { "the resource".to_owned() } else { path.to_string() }
}

/// The step from the path of the container.
#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Stay,
    Attribute(&'static str),
    Key(&'a str),
    Index(usize),
}

/// An attribute value and where it was written. Paths are put together only when a finding needs one.
#[derive(Clone, Debug)]
pub(super) struct Value<'a> {
    input: &'a Input,
    base: Rc<AttributePath>,
    step: Step<'a>,
    name: &'static str,
    example: &'static str,
}

impl<'a> Value<'a> {
    /// A value that is no member of an object of ours.
    pub(super) fn root(input: &'a Input, path: AttributePath, name: &'static str, example: &'static str) -> Self {
        Self { input, base: Rc::new(path), step: Step::Stay, name, example }
    }

    pub(super) fn path(&self) -> AttributePath {
        let mut path = AttributePath(Vec::with_capacity(self.base.0.len() + 2));
        path.0.extend_from_slice(&self.base.0);
        match self.step {
            Step::Stay => {}
            Step::Attribute(name) => path.0.push(PathStep::Attribute(name.to_owned())),
            Step::Key(key) => path.0.push(PathStep::Key(key.to_owned())),
            Step::Index(index) => path.0.push(PathStep::Index(index)),
        }
        path
    }

    /// `name = example`, as the user would write it.
    pub(super) fn example(&self) -> String {
        format!("{} = {}", self.name, self.example)
    }

    /// The value, if it is set; an unknown one is.
    pub(super) fn set(&self) -> Option<&Self> {
        (!matches!(self.input, Input::Null)).then_some(self)
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.input, Input::Unknown)
    }

    /// A finding about this value that shows how to write it.
    pub(super) fn report(&self, sink: &mut Sink, code: Code, what: impl Into<String>, why: impl Into<String>) -> Reported {
        sink.report(code, self.path(), what, why, format!("Write, for example: {}", self.example()))
    }

    fn not_a(&self, sink: &mut Sink, wanted: &str) -> Reported {
        let path = self.path();
        let found = match self.input {
            Input::Null => {
                return self.report(
                    sink,
                    Code::MissingArgument,
                    format!("{} is not set.", shown(&path)),
                    "The objects cannot be built without it.",
                );
            }
            Input::Unknown => return sink.unknown_shape(path),
            Input::Bool(_) => "a bool",
            Input::Number(_) => "a number",
            Input::String(_) => "a string",
            Input::List(_) => "a list",
            Input::Map(_) => "a map or an object",
        };
        let what = format!("{} is {found}; it must be {wanted}.", shown(&path));
        self.report(sink, Code::WrongType, what, "A value of another type has no meaning here.")
    }

    pub(super) fn string(&self, sink: &mut Sink) -> Read<&'a str> {
        match self.input {
            Input::String(text) => Ok(text),
            _ => Err(self.not_a(sink, "a string")),
        }
    }

    pub(super) fn bool(&self, sink: &mut Sink) -> Read<bool> {
        match self.input {
            Input::Bool(value) => Ok(*value),
            _ => Err(self.not_a(sink, "a bool")),
        }
    }

    /// A whole number between two bounds.
    pub(super) fn integer(&self, sink: &mut Sink, least: u32, most: u32) -> Read<u32> {
        let Input::Number(text) = self.input else {
            return Err(self.not_a(sink, "a number"));
        };
        let what = || format!("{} is {}.", shown(&self.path()), quoted(text).trim_matches('"'));
        let why = format!("It must be a whole number from {least} to {most}.");
        match number::integer(text) {
            number::Integer::Whole(value) => match u32::try_from(value) {
                Ok(value) if (least..=most).contains(&value) => Ok(value),
                _ => Err(self.report(sink, Code::OutOfRange, what(), why)),
            },
            number::Integer::OutOfReach => Err(self.report(sink, Code::OutOfRange, what(), why)),
            number::Integer::NotWhole => Err(self.report(sink, Code::InvalidValue, what(), why)),
        }
    }

    /// A text whose type knows its rule.
    pub(super) fn name<N: FromStr<Err = InvalidName>>(&self, sink: &mut Sink) -> Read<N> {
        let text = self.string(sink)?;
        text.parse().map_err(|error| self.invalid_name(sink, text, &error))
    }

    fn invalid_name(&self, sink: &mut Sink, text: &str, error: &InvalidName) -> Reported {
        let what = format!("{} is no {}.", quoted(text), error.what);
        self.report(sink, Code::InvalidValue, what, format!("Rule: {}.", error.rule))
    }

    /// A value that may stay unknown.
    pub(super) fn leaf<T>(&self, sink: &mut Sink, read: impl FnOnce(&Self, &mut Sink) -> Read<T>) -> Read<Leaf<T>> {
        match self.input {
            Input::Unknown => Ok(Leaf::Unknown(LeafPath(self.path().to_string()))),
            _ => read(self, sink).map(Leaf::Known),
        }
    }

    /// The elements of a list or set of at most `most`.
    pub(super) fn list(&self, sink: &mut Sink, most: usize) -> Read<Vec<Value<'a>>> {
        let Input::List(items) = self.input else {
            return Err(self.not_a(sink, "a list"));
        };
        self.check_size(sink, items.len(), most, "elements")?;
        let base = Rc::new(self.path());
        let element = |(index, input)| Value { input, base: Rc::clone(&base), step: Step::Index(index), ..*self };
        Ok(items.iter().enumerate().map(element).collect())
    }

    /// The same, with one element or more.
    pub(super) fn filled_list(&self, sink: &mut Sink, most: usize) -> Read<Vec<Value<'a>>> {
        let items = self.list(sink, most)?;
        if items.is_empty() { Err(self.empty(sink)) } else { Ok(items) }
    }

    /// A finding that this collection is empty.
    pub(super) fn empty(&self, sink: &mut Sink) -> Reported {
        let what = format!("{} is empty.", shown(&self.path()));
        self.report(sink, Code::EmptyCollection, what, "It needs one element or more.")
    }

    /// The elements of a map of at most `most`.
    pub(super) fn map(&self, sink: &mut Sink, most: usize) -> Read<Vec<(&'a str, Value<'a>)>> {
        let Input::Map(items) = self.input else {
            return Err(self.not_a(sink, "a map"));
        };
        self.check_size(sink, items.len(), most, "elements")?;
        let base = Rc::new(self.path());
        Ok(items
            .iter()
            .map(|(key, input)| (key.as_str(), Value { input, base: Rc::clone(&base), step: Step::Key(key), ..*self }))
            .collect())
    }

    /// The key of a map element, as a name.
    pub(super) fn key<N: FromStr<Err = InvalidName>>(&self, sink: &mut Sink, key: &str) -> Read<N> {
        key.parse().map_err(|error| self.invalid_name(sink, key, &error))
    }

    fn check_size(&self, sink: &mut Sink, found: usize, most: usize, what: &str) -> Read<()> {
        if found <= most {
            return Ok(());
        }
        let path = self.path();
        let fix = format!("Write at most {most}, or split the resource.");
        let why = format!("At most {most} are supported.");
        Err(sink.report(Code::TooLarge, path.clone(), format!("{} has {found} {what}.", shown(&path)), why, fix))
    }

    /// The members of an object. Its members are exactly those of `shape`; one of them or more is set.
    pub(super) fn object(&self, sink: &mut Sink, shape: &'static Shape) -> Read<Object<'a>> {
        let object = self.top_level(sink, shape)?;
        let unset = |(name, member): (&String, &Input)| shape.has(name) && matches!(member, Input::Null);
        if !object.members.iter().all(unset) {
            return Ok(object);
        }
        let path = self.path();
        Err(sink.report(
            Code::EmptyObject,
            path.clone(),
            format!("{} sets none of the attributes that it has.", shown(&path)),
            "Members that an object does not have are dropped before the provider sees them, so a misspelled one looks like none.",
            format!("Set one or more of {}, or leave the object out.", shape.names()),
        ))
    }

    /// The same, where all may be null.
    pub(super) fn top_level(&self, sink: &mut Sink, shape: &'static Shape) -> Read<Object<'a>> {
        let Input::Map(members) = self.input else {
            return Err(self.not_a(sink, "an object"));
        };
        let path = self.path();
        for stranger in members.keys().filter(|name| !shape.has(name)) {
            sink.report(
                Code::UnknownArgument,
                path.attribute(stranger),
                format!("{} has no attribute {}.", shown(&path), quoted(stranger)),
                "What it was meant to do would not happen.",
                format!("Use one of {}.", shape.names()),
            );
        }
        // the members that it does have are judged all the same
        Ok(Object { members, base: Rc::new(path), shape })
    }
}

/// An object: every member that its shape names can be asked for.
#[derive(Clone, Debug)]
pub(super) struct Object<'a> {
    members: &'a BTreeMap<String, Input>,
    base: Rc<AttributePath>,
    shape: &'static Shape,
}

impl<'a> Object<'a> {
    /// A member; one that is absent is null.
    pub(super) fn get(&self, name: &'static str) -> Value<'a> {
        const ABSENT: &Input = &Input::Null;
        let input = self.members.get(name).unwrap_or(ABSENT);
        let example = self.shape.example(name);
        Value { input, base: Rc::clone(&self.base), step: Step::Attribute(name), name, example }
    }
}

/// Those that could be read, each with where it was written.
pub(super) fn sound<'r, 'v, T>(reads: &'r [Read<T>], items: &'r [Value<'v>]) -> impl Iterator<Item = (&'r T, &'r Value<'v>)> {
    reads.iter().zip(items).filter_map(|(read, item)| Some((read.as_ref().ok()?, item)))
}

/// All of them, after every one was read.
pub(super) fn all<T>(items: Vec<Read<T>>) -> Read<Vec<T>> {
    items.into_iter().collect()
}

/// Reports every element whose key was seen before.
pub(super) fn check_unique<K: Ord, D: std::fmt::Display>(
    sink: &mut Sink,
    items: impl IntoIterator<Item = (K, D, AttributePath)>,
    why: &str,
) -> Read<()> {
    let mut seen = BTreeSet::new();
    let mut outcome = Ok(());
    for (key, text, path) in items {
        if !seen.insert(key) {
            let what = format!("{text} is listed twice.");
            outcome = Err(sink.report(Code::Duplicate, path, what, why, "Remove one of the two."));
        }
    }
    outcome
}

/// `a, b and c` of a set of names.
pub(super) fn names<'a, T: std::fmt::Display + 'a>(names: impl IntoIterator<Item = &'a T>) -> String {
    let names: Vec<&T> = names.into_iter().collect();
    listed(names.into_iter())
}
