//! A Terraform value.

use std::collections::BTreeMap;

use crate::{Number, Type};

/// A value of some [`Type`]; which one is known to whoever holds it, except inside [`Value::Dynamic`].
#[derive(Clone, Debug, PartialEq)]
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
    /// a known, non-null value at a place of type `dynamic`, with the type that it chose
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

impl Value {
    /// An unknown value without refinement.
    #[must_use]
    pub fn unknown() -> Self {
        Self::Unknown(Refinement::default())
    }

    /// A string.
    #[must_use]
    pub fn string(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// An integer.
    #[must_use]
    pub fn int(number: i64) -> Self {
        Self::Number(Number::from(number))
    }

    /// A map or an object.
    #[must_use]
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// A list of strings.
    #[must_use]
    pub fn strings<S: Into<String>>(texts: impl IntoIterator<Item = S>) -> Self {
        Self::List(texts.into_iter().map(|text| Self::String(text.into())).collect())
    }

    /// Whether this value is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether this value itself is unknown (its elements are not looked at).
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
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
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a known map or object.
    #[must_use]
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The elements of a known list, tuple or set.
    #[must_use]
    pub fn as_elements(&self) -> Option<&[Value]> {
        match self {
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
