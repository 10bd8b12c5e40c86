//! The cty type system of Terraform core.

use std::collections::BTreeMap;
use std::fmt;

/// A Terraform type. `Dynamic` is the type constraint of an attribute whose type is chosen by its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// `bool`
    Bool,
    /// `number`, of any precision
    Number,
    /// `string`, NFC-normalised
    String,
    /// any type; the value carries its own
    Dynamic,
    /// ordered, of one element type
    List(Box<Type>),
    /// unordered and without duplicates
    Set(Box<Type>),
    /// string keys, one element type
    Map(Box<Type>),
    /// fixed attributes, each of its own type
    Object(BTreeMap<String, Type>),
    /// fixed length, each element of its own type
    Tuple(Vec<Type>),
}

impl Type {
    /// A list of `element`.
    #[must_use]
    pub fn list(element: Type) -> Self {
        Self::List(Box::new(element))
    }

    /// A set of `element`.
    #[must_use]
    pub fn set(element: Type) -> Self {
        Self::Set(Box::new(element))
    }

    /// A map of `element`.
    #[must_use]
    pub fn map(element: Type) -> Self {
        Self::Map(Box::new(element))
    }

    /// An object with the given attributes.
    #[must_use]
    pub fn object<K: Into<String>>(attributes: impl IntoIterator<Item = (K, Type)>) -> Self {
        Self::Object(attributes.into_iter().map(|(name, ty)| (name.into(), ty)).collect())
    }
}

impl Type {
    /// The type of the element at `position` of a list, set or tuple.
    #[must_use]
    pub fn element(&self, position: usize) -> Option<&Self> {
        match self {
            Self::List(element) | Self::Set(element) => Some(element),
            Self::Tuple(elements) => elements.get(position),
            _ => None,
        }
    }

    /// Whether `dynamic` is this type or a part of it.
    #[must_use]
    pub fn has_dynamic(&self) -> bool {
        match self {
            Self::Dynamic => true,
            Self::Bool | Self::Number | Self::String => false,
            Self::List(element) | Self::Set(element) | Self::Map(element) => element.has_dynamic(),
            Self::Object(attributes) => attributes.values().any(Self::has_dynamic),
            Self::Tuple(elements) => elements.iter().any(Self::has_dynamic),
        }
    }
}

/// As a person names it: `list of string`, `object`, `tuple of 2 elements`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::Dynamic => f.write_str("dynamic"),
            Self::List(element) => write!(f, "list of {element}"),
            Self::Set(element) => write!(f, "set of {element}"),
            Self::Map(element) => write!(f, "map of {element}"),
            Self::Object(_) => f.write_str("object"),
            Self::Tuple(elements) => write!(f, "tuple of {} elements", elements.len()),
        }
    }
}
