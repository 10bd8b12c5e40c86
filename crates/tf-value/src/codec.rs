//! msgpack and JSON forms of values and types, as core writes and reads them.
//!
//! Contract: what is decoded conforms to the type it was decoded for; hostile bytes give an error with a path, never a
//! panic, and cost no more memory than a fixed multiple of their own size (a value in memory takes 32 bytes, one of one byte too).

pub mod json;
pub mod msgpack;
mod refinement;
mod type_json;

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::{Path, Step};

/// Deepest nesting of a value or a type that is read.
pub const MAX_DEPTH: usize = 128;

/// A value that cannot be read or written, and where in it the reason lies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", place(.path))]
pub struct CodecError {
    /// where; ends at the set for what lies in a set
    pub path: Path,
    /// what is wrong, and what was expected instead
    pub problem: String,
}

fn place(path: &Path) -> String {
    if path.steps().is_empty() { String::new() } else { format!("{path}: ") }
}

impl CodecError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { path: Path::root(), problem: problem.into() }
    }

    pub(crate) fn expected(expected: impl std::fmt::Display, found: impl std::fmt::Display) -> Self {
        Self::new(format!("expected {expected}, found {found}"))
    }

    /// The same error, seen from one level further out.
    pub(crate) fn inside(self, step: Step) -> Self {
        Self { path: std::iter::once(step).chain(self.path.steps().iter().cloned()).collect(), ..self }
    }

    /// The same error, seen from the set whose element has it.
    pub(crate) fn inside_set(self) -> Self {
        Self { path: Path::root(), ..self }
    }
}

/// `text` in Unicode normal form C, as core keeps every string.
pub(crate) fn normalised(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

pub(crate) fn index(position: usize) -> Step {
    Step::Index(i64::try_from(position).expect("a list in memory is shorter than i64::MAX"))
}

pub(crate) fn attribute(name: &str) -> Step {
    Step::Attribute(name.to_owned())
}

pub(crate) fn key(name: &str) -> Step {
    Step::Key(name.to_owned())
}
