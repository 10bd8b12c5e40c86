//! `ApplyResourceChange`: create, update or delete. Whatever happens in it, what exists is recorded.

use tf_value::{Diagnostic, Diagnostics, Value};

use super::{located, present};
use crate::oracle::{Stage, object_compatible};
use crate::plan::{null_unknown, null_write_only, violation_found};
use crate::server::Kind;
use crate::wire::Wire;
use crate::{Applied, ApplyRequest, Resource, Server, bug, identity};

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) prior: Wire,
    pub(crate) planned: Wire,
    pub(crate) config: Wire,
    pub(crate) private: Vec<u8>,
    /// as planned; absent when it was not known yet
    pub(crate) identity: Wire,
}

pub(crate) struct Response {
    pub(crate) state: Wire,
    pub(crate) private: Vec<u8>,
    pub(crate) identity: Wire,
    pub(crate) diagnostics: Diagnostics,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    Update,
    Delete,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    // nothing was done before these errors: the prior state stays
    let (prior, private, identity) = (request.prior.clone(), request.private.clone(), request.identity.clone());
    let kept = |error: Diagnostic| Response { state: prior, private, identity, diagnostics: error.into() };
    apply(server, request).await.unwrap_or_else(kept)
}

async fn apply(server: &Server, request: Request) -> Result<Response, Diagnostic> {
    let Request { type_name, prior, planned, config, private, identity: planned_identity } = request;
    let kind = server.resource(&type_name)?;
    let prior = present(prior.decode(&kind.ty)?);
    let planned = present(planned.decode(&kind.ty)?);
    let config = config.decode(&kind.ty)?;
    let operation = match (&prior, &planned) {
        (None, Some(_)) => Operation::Create,
        (Some(_), Some(_)) => Operation::Update,
        (Some(_), None) => Operation::Delete,
        (None, None) => return Err(bug(format!("Terraform asked to apply {type_name} from nothing to nothing."))),
    };

    let cx = server.cx(true);
    let (resource, handler_cx) = (kind.implementation.clone(), cx.clone());
    let call = ApplyRequest { config, prior: prior.clone(), planned: planned.clone(), private: private.clone() };
    let run = async move {
        match operation {
            Operation::Create => resource.create(&handler_cx, call).await,
            Operation::Update => resource.update(&handler_cx, call).await,
            Operation::Delete => resource.delete(&handler_cx, call).await,
        }
    };
    let applied = match server.guarded("ApplyResourceChange", &type_name, run).await {
        Ok(applied) => applied,
        Err(panic) => {
            let (state, private) = match cx.last_checkpoint() {
                Some((state, private)) => (Some(state), private),
                None => (prior.clone(), private.clone()),
            };
            Applied { state, private, diagnostics: panic.into() }
        }
    };
    let applied = settle(&kind, operation, &type_name, (prior.as_ref(), &private), planned.as_ref(), applied);

    let Applied { state, private, diagnostics } = applied;
    let mut diagnostics = located(&kind.ty, diagnostics);
    // a result that cannot be written is replaced by the last one that can
    let candidates = [state, cx.last_checkpoint().map(|(state, _)| null_unknown(state)), prior];
    for candidate in &candidates {
        match Wire::encode(&kind.ty, candidate.as_ref().unwrap_or(&Value::Null)) {
            Ok(state) => {
                let identity = match candidate {
                    Some(candidate) => {
                        let held = identity::held(&kind, &planned_identity);
                        let call = ("ApplyResourceChange", type_name.as_str());
                        identity::settled(server, call, &kind, candidate, held, &mut diagnostics).await
                    }
                    None => Wire::Absent,
                };
                return Ok(Response { state, private, identity, diagnostics });
            }
            Err(error) => diagnostics.push(error),
        }
    }
    Ok(Response { state: Wire::Absent, private, identity: Wire::Absent, diagnostics })
}

/// The rules about what an apply may leave behind.
fn settle(
    kind: &Kind<dyn Resource>,
    operation: Operation,
    type_name: &str,
    (prior, prior_private): (Option<&Value>, &Vec<u8>),
    planned: Option<&Value>,
    applied: Applied,
) -> Applied {
    let Applied { state, private, mut diagnostics } = applied;
    let failed = diagnostics.has_errors();
    let Some(state) = state else {
        return match operation {
            Operation::Delete if !failed => Applied { state: None, private, diagnostics },
            Operation::Create => {
                if !failed {
                    diagnostics.push(bug(format!("The create of {type_name} left no state and gave no error.")));
                }
                Applied { state: None, private, diagnostics }
            }
            // absence together with an error is no proof of absence
            Operation::Update | Operation::Delete => {
                if !failed {
                    diagnostics.push(bug(format!("The update of {type_name} left no state and gave no error.")));
                }
                Applied { state: prior.cloned(), private: prior_private.clone(), diagnostics }
            }
        };
    };

    let state = null_write_only(&kind.schema, state);
    if operation == Operation::Delete {
        if !failed {
            diagnostics.push(Diagnostic::error(
                "Delete left something behind",
                format!("The delete of {type_name} ended without error, but something is left. Run the command again."),
            ));
        }
        return Applied { state: Some(null_unknown(state)), private, diagnostics };
    }
    if !failed {
        for path in state.unknown_paths(&kind.ty) {
            diagnostics.push(bug(format!("\"{path}\" is still unknown after apply.")).at(path));
        }
        if let (true, Some(planned)) = (cfg!(any(debug_assertions, feature = "testing")), planned) {
            for violation in object_compatible(&kind.schema, planned, &state, Stage::Applied) {
                diagnostics.push(violation_found("Inconsistent result after apply", &violation));
            }
        }
    }
    Applied { state: Some(null_unknown(state)), private, diagnostics }
}
