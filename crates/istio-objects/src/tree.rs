//! JSON with unknown leaves.

use std::collections::BTreeMap;

use mesh_model::{Leaf, LeafPath};

/// A part of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// `null`
    Null,
    /// boolean
    Bool(bool),
    /// number, as decimal text
    Number(String),
    /// string
    String(String),
    /// array
    List(Vec<Tree>),
    /// object
    Map(BTreeMap<String, Tree>),
    /// known only after apply; has no JSON form
    Unknown(LeafPath),
}

impl Tree {
    /// A map of the given members; members that are [`Tree::Null`] are left out.
    #[must_use]
    pub fn map<K: Into<String>>(members: impl IntoIterator<Item = (K, Tree)>) -> Self {
        Self::Map(members.into_iter().map(|(k, v)| (k.into(), v)).filter(|(_, v)| *v != Self::Null).collect())
    }

    /// A list.
    #[must_use]
    pub fn list(elements: impl IntoIterator<Item = Tree>) -> Self {
        Self::List(elements.into_iter().collect())
    }

    /// A string leaf.
    #[must_use]
    pub fn leaf(leaf: &Leaf<impl ToString>) -> Self {
        match leaf {
            Leaf::Known(value) => Self::String(value.to_string()),
            Leaf::Unknown(path) => Self::Unknown(path.clone()),
        }
    }

    /// The first unknown leaf, if there is one.
    #[must_use]
    pub fn unknown(&self) -> Option<&LeafPath> {
        match self {
            Self::Unknown(path) => Some(path),
            Self::List(elements) => elements.iter().find_map(Self::unknown),
            Self::Map(members) => members.values().find_map(Self::unknown),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::String(_) => None,
        }
    }

    /// A member, if this is a map that has it.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(members) => members.get(key),
            _ => None,
        }
    }

    /// The elements, if this is a list; else none.
    #[must_use]
    pub fn elements(&self) -> &[Self] {
        match self {
            Self::List(elements) => elements,
            _ => &[],
        }
    }

    /// The text, if this is a known string.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// Whether both can turn out the same once every leaf is known.
    #[must_use]
    pub fn may_equal(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown(_), _) | (_, Self::Unknown(_)) => true,
            (Self::List(one), Self::List(other)) => {
                one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.may_equal(b))
            }
            (Self::Map(one), Self::Map(other)) => {
                // a member that turns out to be nothing is left out
                let may_be_nothing = |member: Option<&Self>| matches!(member, None | Some(Self::Unknown(_)));
                one.keys().chain(other.keys()).all(|key| match (one.get(key), other.get(key)) {
                    (Some(a), Some(b)) => a.may_equal(b),
                    (a, b) => may_be_nothing(a) && may_be_nothing(b),
                })
            }
            _ => self == other,
        }
    }

    /// The JSON, or the unknown leaf that stands in the way.
    pub fn to_json(&self) -> Result<serde_json::Value, &LeafPath> {
        Ok(match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => serde_json::Value::Bool(*value),
            Self::Number(text) => serde_json::Value::Number(serde_json::Number::from_string_unchecked(text.clone())),
            Self::String(text) => serde_json::Value::String(text.clone()),
            Self::List(elements) => serde_json::Value::Array(elements.iter().map(Self::to_json).collect::<Result<_, _>>()?),
            Self::Map(members) => serde_json::Value::Object(
                members.iter().map(|(key, value)| Ok((key.clone(), value.to_json()?))).collect::<Result<_, &LeafPath>>()?,
            ),
            Self::Unknown(path) => return Err(path),
        })
    }

    /// The tree of a JSON value.
    #[must_use]
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => Self::Number(number.to_string()),
            serde_json::Value::String(text) => Self::String(text.clone()),
            serde_json::Value::Array(elements) => Self::List(elements.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(members) => {
                Self::Map(members.iter().map(|(key, value)| (key.clone(), Self::from_json(value))).collect())
            }
        }
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Tree {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Tree {
    fn from(number: i64) -> Self {
        Self::Number(number.to_string())
    }
}
