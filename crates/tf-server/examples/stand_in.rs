//! Stands in for the providers of `kubernetes_manifest` and `kubectl_manifest`, never shipped: the acceptance tests need a
//! CLI that has such a resource in its state, to move it away.
//!
//! It writes nothing into any cluster. A delete, which a move must not cause, leaves the file `deleted`.

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::Value as Json;
use tf_server::transport::{Mode, Options};
use tf_server::{
    Applied, ApplyRequest, BoxFuture, Cx, DataSource, Function, ImportBy, Imported, PlanRequest, Planned, Private, Provider,
    Resource,
};
use tf_value::schema::{Attribute, Schema};
use tf_value::{Diagnostic, Diagnostics, Type, Value};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let options =
        Options { name: "stand-in", source: "hashicorp/kubernetes", mode: Mode::Plugin, leaving: CancellationToken::new() };
    tf_server::serve(Arc::new(StandIn), options)
}

struct StandIn;

impl Provider for StandIn {
    fn schema(&self) -> Schema {
        Schema { version: 0, description: "Nothing to set.".to_owned(), attributes: Vec::new() }
    }

    fn validate(&self, _: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    fn configure<'a>(&'a self, _: &'a Cx, _: &'a str, _: Value) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async { Diagnostics::new() })
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        vec![Arc::new(Manifest { is_text: false }), Arc::new(Manifest { is_text: true })]
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        Vec::new()
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        Vec::new()
    }
}

/// `kubectl_manifest`, whose object is a text, or `kubernetes_manifest`, where it is a value of any type.
struct Manifest {
    is_text: bool,
}

impl Resource for Manifest {
    fn type_name(&self) -> &'static str {
        if self.is_text { "kubectl_manifest" } else { "kubernetes_manifest" }
    }

    fn schema(&self) -> Schema {
        let attributes = if self.is_text {
            vec![
                Attribute::required("yaml_body", Type::String, "The object."),
                Attribute::optional("override_namespace", Type::String, "Its namespace, whatever it says."),
            ]
        } else {
            vec![Attribute::required("manifest", Type::Dynamic, "The object.")]
        };
        Schema { version: 1, description: "One object.".to_owned(), attributes }
    }

    fn validate<'a>(&'a self, _: &'a Cx, _: &'a Value) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async { Diagnostics::new() })
    }

    fn plan<'a>(&'a self, _: &'a Cx, request: PlanRequest) -> BoxFuture<'a, Planned> {
        Box::pin(async move { Planned { value: Some(request.proposed), ..Planned::default() } })
    }

    fn plan_destroy<'a>(&'a self, _: &'a Cx, _: &'a Value, _: &'a Private) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async { Diagnostics::new() })
    }

    fn create<'a>(&'a self, _: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move { Applied { state: request.planned, ..Applied::default() } })
    }

    fn read<'a>(&'a self, _: &'a Cx, state: Value, private: Private) -> BoxFuture<'a, Applied> {
        Box::pin(async move { Applied { state: Some(state), private, diagnostics: Diagnostics::new() } })
    }

    fn update<'a>(&'a self, _: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move { Applied { state: request.planned, ..Applied::default() } })
    }

    fn delete<'a>(&'a self, _: &'a Cx, _: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            match std::fs::write("deleted", "") {
                Ok(()) => Applied::default(),
                Err(error) => {
                    Applied { diagnostics: Diagnostic::error("File trouble", error.to_string()).into(), ..Applied::default() }
                }
            }
        })
    }

    fn import<'a>(&'a self, _: &'a Cx, _: &'a ImportBy) -> BoxFuture<'a, Result<Vec<Imported>, Diagnostics>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn upgrade(&self, _: u64, state: Json) -> Result<Json, Diagnostics> {
        Ok(state)
    }
}
