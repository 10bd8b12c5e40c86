//! Typed, path-true access to a value.

use crate::{Path, Value};

/// A leaf of a configuration: known, absent, or known only after apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tf<T> {
    /// set
    Known(T),
    /// not set
    Null,
    /// set to something that is not known yet
    Unknown,
}

/// A value together with where it is. Every accessor gives parts that carry their own path.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// the value
    pub value: &'a Value,
    /// where it is
    pub path: Path,
}

impl<'a> Reader<'a> {
    /// The root of a configuration.
    #[must_use]
    pub fn root(value: &'a Value) -> Self {
        Self { value, path: Path::root() }
    }

    /// The attribute `name` of this object; null inside null, unknown inside unknown.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Reader<'a> {
        let value = if self.value.is_unknown() { self.value } else { self.value.get(name) };
        Reader { value, path: self.path.attribute(name) }
    }

    /// The known elements of a list, in order.
    #[must_use]
    pub fn elements(&self) -> Tf<Vec<Reader<'a>>> {
        match self.value {
            Value::Unknown(_) => Tf::Unknown,
            Value::List(elements) => Tf::Known(
                elements.iter().enumerate().map(|(index, value)| Reader { value, path: self.path.index(index) }).collect(),
            ),
            // a path cannot step into a set
            Value::Set(elements) => {
                Tf::Known(elements.iter().map(|value| Reader { value, path: self.path.clone() }).collect())
            }
            _ => Tf::Null,
        }
    }

    /// The known entries of a map, by key.
    #[must_use]
    pub fn entries(&self) -> Tf<Vec<(&'a str, Reader<'a>)>> {
        match self.value {
            Value::Unknown(_) => Tf::Unknown,
            Value::Map(entries) => Tf::Known(
                entries.iter().map(|(key, value)| (key.as_str(), Reader { value, path: self.path.key(key) })).collect(),
            ),
            _ => Tf::Null,
        }
    }

    /// A string.
    #[must_use]
    pub fn string(&self) -> Tf<&'a str> {
        match self.value {
            Value::Unknown(_) => Tf::Unknown,
            Value::String(text) => Tf::Known(text),
            _ => Tf::Null,
        }
    }

    /// A boolean.
    #[must_use]
    pub fn bool(&self) -> Tf<bool> {
        match self.value {
            Value::Unknown(_) => Tf::Unknown,
            Value::Bool(value) => Tf::Known(*value),
            _ => Tf::Null,
        }
    }

    /// An integer; a number that is none, or does not fit, is `Known(Err(text))`.
    #[must_use]
    pub fn integer(&self) -> Tf<Result<i64, String>> {
        match self.value {
            Value::Unknown(_) => Tf::Unknown,
            Value::Number(number) => Tf::Known(number.as_i64().ok_or_else(|| number.as_str().to_owned())),
            _ => Tf::Null,
        }
    }
}
