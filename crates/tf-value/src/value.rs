//! A Terraform value.

mod conform;
mod walk;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::codec::normalised;
use crate::{Number, Type};

/// A value of some [`Type`]; which one is known to whoever holds it, except inside [`Value::Dynamic`].
///
/// The order of values has no meaning but a fixed one; sets are kept in it. Accessors look through
/// [`Value::Dynamic`], matching on variants does not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// absent
    Null,
    /// to be known after apply
    Unknown(Refinement),
    /// `bool`
    Bool(bool),
    /// `number`
    Number(Number),
    /// `string`
    String(String),
    /// elements of a list or of a tuple
    List(Vec<Value>),
    /// elements of a set, in canonical order; build it with [`Value::set`]
    Set(Vec<Value>),
    /// elements of a map or attributes of an object
    Map(BTreeMap<String, Value>),
    /// a value at a place of type `dynamic`, with the type that it chose; build it with [`Value::dynamic`]. It may be null
    /// or unknown of a known type (`tostring(null)`), which is something else than plain null or unknown.
    Dynamic(Box<(Type, Value)>),
}

/// What core said about a value that is not known yet. Opaque: it is carried, never used to decide.
/// All refinements are equal: two unknown values are the same unknown.
#[derive(Clone, Debug, Default)]
pub struct Refinement(pub(crate) Vec<u8>);

impl PartialEq for Refinement {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Refinement {}

impl Ord for Refinement {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl PartialOrd for Refinement {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Value {
    /// An unknown value without refinement.
    #[must_use]
    pub fn unknown() -> Self {
        Self::Unknown(Refinement::default())
    }

    /// A string, in Unicode normal form C as all strings are in core.
    #[must_use]
    pub fn string(text: impl Into<String>) -> Self {
        Self::String(in_normal_form(text.into()))
    }

    /// An integer.
    #[must_use]
    pub fn int(number: i64) -> Self {
        Self::Number(Number::from(number))
    }

    /// A map or an object.
    #[must_use]
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (in_normal_form(key.into()), value)).collect())
    }

    /// A set: in canonical order, equal elements once. An element with an unknown part may become anything, so it is
    /// never a duplicate.
    #[must_use]
    pub fn set(elements: impl IntoIterator<Item = Value>) -> Self {
        let mut elements: Vec<Value> = elements.into_iter().collect();
        elements.sort();
        elements.dedup_by(|later, earlier| later == earlier && later.is_wholly_known());
        Self::Set(elements)
    }

    /// A value at a place of type `dynamic`: `value`, which is of type `ty`. Null and unknown of type `dynamic` itself
    /// stay what they are.
    #[must_use]
    pub fn dynamic(ty: Type, value: Value) -> Self {
        match ty {
            Type::Dynamic => value,
            ty => Self::Dynamic(Box::new((ty, value))),
        }
    }

    /// A list of strings.
    #[must_use]
    pub fn strings<S: Into<String>>(texts: impl IntoIterator<Item = S>) -> Self {
        Self::List(texts.into_iter().map(Self::string).collect())
    }

    /// This value, or the one inside it when it is [`Value::Dynamic`].
    #[must_use]
    pub fn inner(&self) -> &Self {
        match self {
            Self::Dynamic(inner) => inner.1.inner(),
            other => other,
        }
    }

    /// Whether this value is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self.inner(), Self::Null)
    }

    /// Whether this value itself is unknown (its elements are not looked at).
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self.inner(), Self::Unknown(_))
    }

    /// Whether this value and everything inside it is known.
    #[must_use]
    pub fn is_wholly_known(&self) -> bool {
        match self {
            Self::Unknown(_) => false,
            Self::List(elements) | Self::Set(elements) => elements.iter().all(Self::is_wholly_known),
            Self::Map(entries) => entries.values().all(Self::is_wholly_known),
            Self::Dynamic(inner) => inner.1.is_wholly_known(),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => true,
        }
    }

    /// The text of a known string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self.inner() {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// A known bool.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.inner() {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A known number.
    #[must_use]
    pub fn as_number(&self) -> Option<&Number> {
        match self.inner() {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The entries of a known map or object.
    #[must_use]
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        match self.inner() {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The elements of a known list, tuple or set.
    #[must_use]
    pub fn as_elements(&self) -> Option<&[Value]> {
        match self.inner() {
            Self::List(elements) | Self::Set(elements) => Some(elements),
            _ => None,
        }
    }

    /// The attribute `name` of a known object; `Null` where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &Value {
        const NULL: &Value = &Value::Null;
        self.as_map().and_then(|entries| entries.get(name)).unwrap_or(NULL)
    }
}

fn in_normal_form(text: String) -> String {
    match normalised(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(normal) => normal,
    }
}
