//! The cty type system of Terraform core.

use std::collections::BTreeMap;

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
