//! Values that may be known only after apply (ADR 0003).

use std::fmt;

/// Which attribute an unknown value comes from, as written in HCL: `backends[1].service_accounts[0]`. Two unknown leaves
/// with one path are the same value; leaves with different paths may turn out equal or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeafPath(pub String);

impl fmt::Display for LeafPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A leaf of an intent that may be unknown. It travels as it is: there is no placeholder that could reach an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaf<T> {
    /// its value
    Known(T),
    /// known only after apply
    Unknown(LeafPath),
}

impl<T> Leaf<T> {
    /// The known value.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The same leaf seen through `f`.
    pub fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Leaf<U> {
        match self {
            Self::Known(value) => Leaf::Known(f(value)),
            Self::Unknown(path) => Leaf::Unknown(path.clone()),
        }
    }
}

impl<T> From<T> for Leaf<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}
