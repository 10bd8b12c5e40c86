//! What comes out of the steps of [`Core`](super::Core).

use std::fmt;

use serde_json::Value as Json;
use tf_value::{Diagnostics, Path, Value};

/// One resource in the state file.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// type of the resource
    pub type_name: String,
    /// schema version that wrote `state`
    pub schema_version: u64,
    /// all attributes
    pub state: Json,
    /// opaque bytes of the provider
    pub private: Vec<u8>,
    /// created with an error: to be replaced
    pub tainted: bool,
    /// its identity, where resource and core know one
    pub identity: Option<Json>,
    /// schema version that wrote `identity`
    pub identity_version: u64,
}

impl Instance {
    /// A state of this schema version and nothing else.
    #[must_use]
    pub fn new(type_name: &str, schema_version: u64, state: Json) -> Self {
        Self {
            type_name: type_name.to_owned(),
            schema_version,
            state,
            private: Vec::new(),
            tainted: false,
            identity: None,
            identity_version: 0,
        }
    }
}

/// What a plan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// nothing
    NoOp,
    /// a new resource
    Create,
    /// a change in place
    Update,
    /// delete and create
    Replace,
    /// delete
    Delete,
}

/// A plan of one resource, as it would lie in a plan file.
#[derive(Clone, Debug)]
pub struct Plan {
    /// type of the resource
    pub type_name: String,
    /// what it does
    pub action: Action,
    /// the instance before
    pub instance: Option<Instance>,
    /// the state before at the current schema; null on create
    pub prior: Value,
    /// the configuration, with unknowns
    pub config: Value,
    /// the planned state; null on delete
    pub planned: Value,
    /// opaque bytes of the provider
    pub private: Vec<u8>,
    /// the planned identity; `None` where it is not known yet
    pub identity: Option<Value>,
    /// where replacement is asked for and really needed
    pub requires_replace: Vec<Path>,
    /// warnings
    pub diagnostics: Diagnostics,
}

/// Why a step gave nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// what the provider says
    pub diagnostics: Diagnostics,
    /// what core calls a bug of the provider
    pub violations: Vec<String>,
}

impl Failure {
    pub(super) fn violation(text: impl Into<String>) -> Self {
        Self { diagnostics: Diagnostics::new(), violations: vec![text.into()] }
    }

    /// Whether a message has this summary.
    #[must_use]
    pub fn says(&self, summary: &str) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.summary == summary)
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self { diagnostics, violations: Vec::new() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.violations.iter().try_for_each(|violation| writeln!(f, "violation: {violation}"))?;
        self.diagnostics.iter().try_for_each(|diagnostic| {
            let place = diagnostic.path.as_ref().map(|path| format!(" at {path}")).unwrap_or_default();
            writeln!(f, "{:?}{place}: {}: {}", diagnostic.severity, diagnostic.summary, diagnostic.detail)
        })
    }
}

impl std::error::Error for Failure {}

/// What an apply left in the state, with everything that was said about it.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Outcome {
    /// what the state file holds now
    pub instance: Option<Instance>,
    /// the old one that is still there after `create_before_destroy`
    pub deposed: Option<Instance>,
    /// what the provider says
    pub diagnostics: Diagnostics,
    /// what core calls a bug of the provider
    pub violations: Vec<String>,
}

impl Outcome {
    /// The instance, if nothing failed.
    ///
    /// # Errors
    /// Errors and violations, if there are any.
    pub fn success(self) -> Result<Option<Instance>, Failure> {
        let Self { instance, deposed: _, diagnostics, violations } = self;
        if diagnostics.has_errors() || !violations.is_empty() {
            return Err(Failure { diagnostics, violations });
        }
        Ok(instance)
    }

    /// Whether a message has this summary.
    #[must_use]
    pub fn says(&self, summary: &str) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.summary == summary)
    }
}
