//! Where in an object something is.

use std::fmt;

use serde_json::Value;

/// A path from the root, as a list that shares its beginning.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// the object
    Root,
    /// a field of the schema
    Field(&'a Self, &'a str),
    /// a key of a map
    Key(&'a Self, &'a str),
    /// an item of a list
    Index(&'a Self, usize),
}

impl<'a> Place<'a> {
    pub(crate) const fn field<'b>(&'b self, name: &'b str) -> Place<'b>
    where
        'a: 'b,
    {
        Place::Field(self, name)
    }

    pub(crate) fn parent(&self) -> Option<&Self> {
        match self {
            Self::Root => None,
            Self::Field(parent, _) | Self::Key(parent, _) | Self::Index(parent, _) => Some(parent),
        }
    }

    /// What is there.
    pub(crate) fn find<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Root => Some(root),
            Self::Field(parent, name) | Self::Key(parent, name) => parent.find(root)?.as_object()?.get(*name),
            Self::Index(parent, position) => parent.find(root)?.as_array()?.get(*position),
        }
    }

    /// The place, or the outermost list that it is in.
    pub(crate) fn above_lists(&self) -> Self {
        let mut outermost = *self;
        let mut place = *self;
        while let Some(parent) = place.parent().copied() {
            if matches!(place, Self::Index(..)) {
                outermost = parent;
            }
            place = parent;
        }
        outermost
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Key(parent, key) => write!(f, "{parent}[{key}]"),
            Self::Index(parent, position) => write!(f, "{parent}[{position}]"),
        }
    }
}
