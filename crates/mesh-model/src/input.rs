//! Attribute values as they were written, before they mean anything.
//!
//! One form serves Terraform configurations (with unknown values), stored intents and golden cases, so that there is one
//! decoder.

use std::collections::BTreeMap;
use std::fmt;

/// An attribute value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// not set
    Null,
    /// known only after apply
    Unknown,
    /// `bool`
    Bool(bool),
    /// `number`, as decimal text
    Number(String),
    /// `string`
    String(String),
    /// list or set
    List(Vec<Input>),
    /// map or object
    Map(BTreeMap<String, Input>),
}

/// One step of an [`AttributePath`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathStep {
    /// attribute of an object
    Attribute(String),
    /// element of a map
    Key(String),
    /// element of a list
    Index(usize),
}

/// Where in a resource's configuration something is; printed as in HCL.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttributePath(pub Vec<PathStep>);

impl AttributePath {
    /// The path of a top-level attribute.
    #[must_use]
    pub fn of(attribute: &str) -> Self {
        Self::default().attribute(attribute)
    }

    /// One step on, into an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Self {
        self.then(PathStep::Attribute(name.to_owned()))
    }

    /// One step on, into a map element.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(PathStep::Key(key.to_owned()))
    }

    /// One step on, into a list element.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(PathStep::Index(index))
    }

    fn then(&self, step: PathStep) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                PathStep::Attribute(name) if position == 0 => write!(f, "{name}")?,
                PathStep::Attribute(name) => write!(f, ".{name}")?,
                PathStep::Key(key) => write!(f, "[{}]", crate::text::literal(key))?,
                PathStep::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
