//! The one error type of the tools: a sentence for a person, with the fix in it.

use std::fmt;
use std::path::Path;

/// What went wrong and what to do about it, ready to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(String);

/// Result of every tool.
pub type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    /// A problem told in these words.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For `map_err` on file operations: what was tried, on which path, and the system's answer.
    pub fn file<'a>(doing: &'a str, path: &'a Path) -> impl FnOnce(std::io::Error) -> Self + 'a {
        move |error| Self(format!("cannot {doing} {}: {error}", path.display()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Problem {}
