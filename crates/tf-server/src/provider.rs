//! What a provider implements. Everything is object-safe and works on [`Value`]s that conform to the declared schema.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tf_value::schema::{FunctionSchema, IdentitySchema, Schema};
use tf_value::{Diagnostics, Path, Value};
use tokio_util::sync::CancellationToken;

/// A future that can be stored; the form in which async methods are object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Bytes that core keeps beside the state of a resource and never shows. Empty when there are none.
pub type Private = Vec<u8>;

/// What a call brings besides its arguments.
#[derive(Clone, Debug, Default)]
pub struct Cx {
    /// cancelled by `StopProvider`: finish the write in flight, start no other
    pub cancel: CancellationToken,
    /// whether the client knows write-only attributes
    pub write_only_attributes_allowed: bool,
    checkpoint: Arc<Mutex<Option<(Value, Private)>>>,
}

impl Cx {
    /// What a call with these particulars gets.
    #[must_use]
    pub fn new(cancel: CancellationToken, write_only_attributes_allowed: bool) -> Self {
        Self { cancel, write_only_attributes_allowed, checkpoint: Arc::default() }
    }

    /// Remembers the state that is true from here on. It is what core gets when the call panics.
    pub fn checkpoint(&self, state: Value, private: Private) {
        *self.checkpoint.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some((state, private));
    }

    /// The last checkpoint.
    #[must_use]
    pub fn last_checkpoint(&self) -> Option<(Value, Private)> {
        self.checkpoint.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// The provider as core sees it.
pub trait Provider: Send + Sync + 'static {
    /// Schema of the provider block.
    fn schema(&self) -> Schema;
    /// Checks the provider block; unknown values are never an error.
    fn validate(&self, config: &Value) -> Diagnostics;
    /// Takes the provider block; opens no connection. Parts may be unknown during plan.
    fn configure<'a>(&'a self, cx: &'a Cx, terraform_version: &'a str, config: Value) -> BoxFuture<'a, Diagnostics>;
    /// All resources.
    fn resources(&self) -> Vec<Arc<dyn Resource>>;
    /// All data sources.
    fn data_sources(&self) -> Vec<Arc<dyn DataSource>>;
    /// All functions.
    fn functions(&self) -> Vec<Arc<dyn Function>>;
}

/// What `PlanResourceChange` asks. `proposed` has defaults filled in, write-only attributes nulled, computed attributes
/// unknown where something changed (or kept, where the schema says so).
#[derive(Clone)]
pub struct PlanRequest {
    /// as written, with unknowns and write-only values
    pub config: Value,
    /// state before; `None` on create
    pub prior: Option<Value>,
    /// state after, as far as the schema alone tells
    pub proposed: Value,
    /// private bytes of the prior state
    pub private: Private,
}

/// The answer to [`PlanRequest`].
#[derive(Clone, Debug, Default)]
pub struct Planned {
    /// the planned state; `None` only together with an error
    pub value: Option<Value>,
    /// more paths whose change replaces (those declared in the schema are found by the engine)
    pub requires_replace: Vec<Path>,
    /// private bytes for apply
    pub private: Private,
    /// errors and warnings
    pub diagnostics: Diagnostics,
}

/// What `ApplyResourceChange` asks.
#[derive(Clone)]
pub struct ApplyRequest {
    /// as written, all known, with write-only values
    pub config: Value,
    /// state before; `None` on create
    pub prior: Option<Value>,
    /// the planned state; `None` on delete
    pub planned: Option<Value>,
    /// private bytes of the plan
    pub private: Private,
}

/// Without values: they may be secrets, and a log is no place for them.
impl fmt::Debug for PlanRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanRequest").field("is_create", &self.prior.is_none()).finish_non_exhaustive()
    }
}

/// Without values: they may be secrets, and a log is no place for them.
impl fmt::Debug for ApplyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (is_create, is_delete) = (self.prior.is_none(), self.planned.is_none());
        let mut shown = f.debug_struct("ApplyRequest");
        shown.field("is_create", &is_create).field("is_delete", &is_delete).finish_non_exhaustive()
    }
}

/// What an apply or a read left behind.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// the new state; `None`: the resource is not there
    pub state: Option<Value>,
    /// private bytes of the new state
    pub private: Private,
    /// errors and warnings
    pub diagnostics: Diagnostics,
}

/// One resource found by import.
#[derive(Clone, Debug)]
pub struct Imported {
    /// state, completed by the read that core does next
    pub state: Value,
    /// private bytes of the state
    pub private: Private,
}

/// What is to be imported.
#[derive(Clone, Debug, PartialEq)]
pub enum ImportBy {
    /// the id of an import block or of the command line; never empty
    Id(String),
    /// an identity that conforms to the resource's identity schema, wholly known; attributes that are required for import
    /// are set, optional ones may be null. Only asked of resources that have an identity schema.
    Identity(Value),
}

/// The resource that a `moved` block moves to a resource of another type, maybe from another provider.
#[derive(Clone, Debug, PartialEq)]
pub struct MoveSource {
    /// full address of the provider that the state belongs to, `registry.terraform.io/hashicorp/kubernetes`; the host is
    /// the one of the CLI
    pub provider_address: String,
    /// type of the resource that the state belongs to
    pub type_name: String,
    /// schema version that the state was written with
    pub schema_version: u64,
    /// the state as it is stored, in the JSON of that schema; never trusted
    pub state: serde_json::Value,
    /// private bytes of the source
    pub private: Private,
    /// the identity with its schema version, as it is stored; OpenTofu never sends it
    pub identity: Option<(u64, serde_json::Value)>,
}

/// What a moved state has become.
#[derive(Clone, Debug)]
pub struct Moved {
    /// state of the target type, completed by the read that core does next; top-level attributes that are missing become
    /// null, and nothing in it is unknown
    pub state: Value,
    /// private bytes of the state
    pub private: Private,
}

/// A managed resource.
pub trait Resource: Send + Sync + 'static {
    /// Full type name, `gloo_virtual_mesh`.
    fn type_name(&self) -> &'static str;
    /// Its schema.
    fn schema(&self) -> Schema;
    /// Checks a configuration offline; called several times, with unknowns, which are never an error.
    fn validate<'a>(&'a self, cx: &'a Cx, config: &'a Value) -> BoxFuture<'a, Diagnostics>;
    /// Puts the prior value back where the proposed one means the same (a host in other letters, `60s` for `1m`), so that
    /// a change of words is no change. Pure; asked before anything is found to differ, and again after computed attributes
    /// became unknown. Core allows the prior value for every attribute but those inside a set.
    fn normalise(&self, prior: &Value, proposed: Value) -> Value {
        let _ = prior;
        proposed
    }
    /// Plans a create or an update. Pure in its values: asked twice, in two processes.
    fn plan<'a>(&'a self, cx: &'a Cx, request: PlanRequest) -> BoxFuture<'a, Planned>;
    /// Checks a planned destroy.
    fn plan_destroy<'a>(&'a self, cx: &'a Cx, prior: &'a Value, private: &'a Private) -> BoxFuture<'a, Diagnostics>;
    /// Creates. An error with `state: None` leaves nothing recorded and nothing tainted.
    fn create<'a>(&'a self, cx: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied>;
    /// Reads; `state: None` without error means gone.
    fn read<'a>(&'a self, cx: &'a Cx, state: Value, private: Private) -> BoxFuture<'a, Applied>;
    /// Updates. An error with `state: None` keeps the prior state.
    fn update<'a>(&'a self, cx: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied>;
    /// Deletes. `state: None` without error means gone; anything left must come with an error.
    fn delete<'a>(&'a self, cx: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied>;
    /// Finds what an import id or an identity names.
    fn import<'a>(&'a self, cx: &'a Cx, by: &'a ImportBy) -> BoxFuture<'a, Result<Vec<Imported>, Diagnostics>>;
    /// Brings the JSON of a state of schema version `from` to the current schema: unknown members may be there, known
    /// ones may be missing. The result need not have every attribute; missing ones become null.
    fn upgrade(&self, from: u64, state: serde_json::Value) -> Result<serde_json::Value, Diagnostics>;
    /// Schema of the resource's identity; `None`: it has none.
    fn identity_schema(&self) -> Option<IdentitySchema> {
        None
    }
    /// The identity of the resource that `state` describes, a value of the identity schema. Pure; asked for planned states
    /// too, where an attribute that comes from something unknown is unknown. It is the same for every state of one
    /// resource: what it is made of either replaces the resource when it changes, or never changes. `None`: this state
    /// does not tell (a state that an older version wrote).
    fn identity(&self, state: &Value) -> Option<Value> {
        let _ = state;
        None
    }
    /// Brings the JSON of an identity of schema version `from` to the current identity schema; asked only when the version
    /// differs. The result need not have every attribute; missing ones become null.
    fn upgrade_identity(&self, from: u64, identity: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        let _ = identity;
        Err(tf_value::Diagnostic::error(
            "Identity cannot be upgraded",
            format!(
                "The stored identity of this {} has version {from}, which this provider does not know. Use the provider \
                 version that wrote it, or remove the resource from the state and import it again.",
                self.type_name()
            ),
        )
        .into())
    }
    /// Takes over the state of a resource of another type (`moved` block). Pure. `None`: there is no way from that type;
    /// core then gets a refusal that names both types. A state of a known type that cannot be taken over is an error that
    /// says why.
    ///
    /// OpenTofu 1.12.6 leaves the *source's* identity at the moved state, and fails when it is not one of the target's
    /// schema. A type that takes over one with an identity therefore gives its own identity schema a higher version than
    /// the source's has, and makes its own of the source's in [`Resource::upgrade_identity`].
    fn move_state(&self, source: &MoveSource) -> Option<Result<Moved, Diagnostics>> {
        let _ = source;
        None
    }
}

/// A data source.
pub trait DataSource: Send + Sync + 'static {
    /// Full type name.
    fn type_name(&self) -> &'static str;
    /// Its schema.
    fn schema(&self) -> Schema;
    /// Checks a configuration offline.
    fn validate(&self, config: &Value) -> Diagnostics;
    /// Reads; the result is wholly known. `state` is `None` only together with an error.
    fn read<'a>(&'a self, cx: &'a Cx, config: Value) -> BoxFuture<'a, Applied>;
}

/// An error of a function, at one argument or at none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// what, why, how to fix
    pub text: String,
    /// position of the argument
    pub argument: Option<i64>,
}

/// A pure function.
pub trait Function: Send + Sync + 'static {
    /// Name without prefix.
    fn name(&self) -> &'static str;
    /// Parameters and result.
    fn schema(&self) -> FunctionSchema;
    /// Calls it.
    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError>;
}
