//! Typed, path-true access to a value.

use crate::{Number, Path, Value};

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

impl<T> Tf<T> {
    /// The value, when it is known and set.
    #[must_use]
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Null | Self::Unknown => None,
        }
    }

    /// The same with what `f` makes of a known value.
    #[must_use]
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Tf<U> {
        match self {
            Self::Known(value) => Tf::Known(f(value)),
            Self::Null => Tf::Null,
            Self::Unknown => Tf::Unknown,
        }
    }

    /// Whether it is not set.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether it is not known yet.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

/// A value together with where it is. Every accessor gives parts that carry their own path; a value at a place of type
/// `dynamic` reads as the value that it is. A value of another kind than asked for reads as null: the schema rules
/// that out.
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

    /// Whether it is not set.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.value.is_null()
    }

    /// Whether it is not known yet (its parts are not looked at).
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.value.is_unknown()
    }

    /// This value itself, when it is known and set; for nested objects.
    #[must_use]
    pub fn object(&self) -> Tf<Reader<'a>> {
        self.leaf(|value| value.as_map().map(|_| self.clone()))
    }

    /// The known elements of a list, tuple or set, in order.
    #[must_use]
    pub fn elements(&self) -> Tf<Vec<Reader<'a>>> {
        self.leaf(|value| match value {
            Value::List(elements) => {
                let part = |(index, value)| Reader { value, path: self.path.index(index) };
                Some(elements.iter().enumerate().map(part).collect())
            }
            Value::Set(elements) => Some(elements.iter().map(|value| Reader { value, path: self.path.set_element() }).collect()),
            _ => None,
        })
    }

    /// The known entries of a map, by key.
    #[must_use]
    pub fn entries(&self) -> Tf<Vec<(&'a str, Reader<'a>)>> {
        self.parts(Path::key)
    }

    /// The known attributes of an object whose attributes are not known beforehand (a value of type `dynamic`), by name.
    #[must_use]
    pub fn attributes(&self) -> Tf<Vec<(&'a str, Reader<'a>)>> {
        self.parts(Path::attribute)
    }

    /// A string.
    #[must_use]
    pub fn string(&self) -> Tf<&'a str> {
        self.leaf(Value::as_str)
    }

    /// A boolean.
    #[must_use]
    pub fn bool(&self) -> Tf<bool> {
        self.leaf(Value::as_bool)
    }

    /// A number.
    #[must_use]
    pub fn number(&self) -> Tf<&'a Number> {
        self.leaf(Value::as_number)
    }

    /// An integer; a number that is none, or does not fit, is `Known(Err(text))`.
    #[must_use]
    pub fn integer(&self) -> Tf<Result<i64, String>> {
        self.number().map(|number| number.as_i64().ok_or_else(|| number.as_str().to_owned()))
    }

    fn parts(&self, step: impl Fn(&Path, &str) -> Path) -> Tf<Vec<(&'a str, Reader<'a>)>> {
        self.leaf(|value| {
            let part = |(name, value): (&'a String, &'a Value)| (name.as_str(), Reader { value, path: step(&self.path, name) });
            value.as_map().map(|entries| entries.iter().map(part).collect())
        })
    }

    fn leaf<T>(&self, read: impl FnOnce(&'a Value) -> Option<T>) -> Tf<T> {
        let value = self.value.inner();
        match value {
            Value::Unknown(_) => Tf::Unknown,
            known => read(known).map_or(Tf::Null, Tf::Known),
        }
    }
}
