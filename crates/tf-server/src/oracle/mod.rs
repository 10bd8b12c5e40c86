//! Core's own rules about plans and results, as total functions that list every violation.
//!
//! The plan engine and the apply call judge themselves with them in debug builds; the in-process core of [`crate::testing`]
//! judges a provider with them. They know nothing about how a plan was made. Sensitive values never appear in a violation.

mod object_compatible;
mod plan_valid;
mod show;

use std::fmt;

use tf_value::schema::{Attribute, Mode};
use tf_value::{Path, Step, Value};

pub use object_compatible::{Stage, object_compatible};
pub use plan_valid::plan_valid;

/// Which rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// a value is absent exactly where the other side is absent
    Presence,
    /// a configured value is planned as configured, or as in the prior state
    MatchesConfig,
    /// an attribute that is neither configured nor computed is planned null
    NotComputed,
    /// a write-only attribute is null in plans and states
    WriteOnly,
    /// nested objects are planned in the number that is configured
    Count,
    /// nested objects are planned under the configured keys
    Keys,
    /// every element of a set has its counterpart
    SetElements,
    /// a configured nested object is planned as an object, not as unknown
    NestedUnknown,
    /// a path that asks for replacement exists in the prior state or in the plan
    ReplacePath,
    /// a value that was known before stays as it was
    KnownValue,
    /// a result holds nothing unknown
    UnknownLeft,
    /// a value has the type that was announced
    Type,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Presence => "presence",
            Self::MatchesConfig => "planned value matches configuration or prior state",
            Self::NotComputed => "attribute that is not computed stays null",
            Self::WriteOnly => "write-only attribute is null",
            Self::Count => "number of nested objects",
            Self::Keys => "keys of nested objects",
            Self::SetElements => "set elements correspond",
            Self::NestedUnknown => "configured object is planned known",
            Self::ReplacePath => "replacement path exists",
            Self::KnownValue => "known value is kept",
            Self::UnknownLeft => "nothing unknown is left",
            Self::Type => "type",
        })
    }
}

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// where; the root for the whole object
    pub path: Path,
    /// the broken rule
    pub rule: Rule,
    /// what was found, without sensitive values
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.steps().is_empty() {
            write!(f, "rule \"{}\": {}", self.rule, self.detail)
        } else {
            write!(f, "rule \"{}\" at {}: {}", self.rule, self.path, self.detail)
        }
    }
}

/// The violations found so far.
#[derive(Default)]
struct Verdict(Vec<Violation>);

impl Verdict {
    fn add(&mut self, rule: Rule, path: &Path, detail: impl Into<String>) {
        self.0.push(Violation { path: path.clone(), rule, detail: detail.into() });
    }
}

/// Whether core sees this attribute as computed: a default makes it so on the wire.
pub(crate) fn is_computed(attribute: &Attribute) -> bool {
    attribute.default.is_some() || matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed)
}

/// The attribute `name` of an object: null inside null, unknown inside unknown.
pub(crate) fn member<'v>(object: &'v Value, name: &str) -> &'v Value {
    if object.is_unknown() { object } else { object.get(name) }
}

/// The value at `path`, if every step exists. Nothing is inside null or a set; everything
/// inside unknown is unknown.
pub(crate) fn resolve<'v>(value: &'v Value, path: &Path) -> Option<&'v Value> {
    path.steps().iter().try_fold(value, |value, step| {
        let value = if let Value::Dynamic(inner) = value { &inner.1 } else { value };
        match (step, value) {
            (_, Value::Unknown(_)) => Some(value),
            (Step::Attribute(name) | Step::Key(name), Value::Map(entries)) => entries.get(name),
            (Step::Index(index), Value::List(elements)) => usize::try_from(*index).ok().and_then(|index| elements.get(index)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests;
