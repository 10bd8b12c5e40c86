//! `PlanResourceChange`: what an apply would do. Asked twice, in two processes, and once more for the second half of a
//! replacement; also for a destroy.

use tf_value::{Diagnostic, Diagnostics, Path, Value};

use super::{located, present, reachable};
use crate::plan::{self, Proposal};
use crate::wire::Wire;
use crate::{Server, bug, identity};

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) prior: Wire,
    pub(crate) proposed: Wire,
    pub(crate) config: Wire,
    pub(crate) private: Vec<u8>,
    pub(crate) identity: Wire,
    pub(crate) write_only_attributes_allowed: bool,
}

#[derive(Default)]
pub(crate) struct Response {
    pub(crate) planned: Wire,
    pub(crate) requires_replace: Vec<Path>,
    pub(crate) private: Vec<u8>,
    pub(crate) identity: Wire,
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    plan(server, request).await.unwrap_or_else(|error| Response { diagnostics: error.into(), ..Response::default() })
}

async fn plan(server: &Server, request: Request) -> Result<Response, Diagnostic> {
    let Request { type_name, prior, proposed, config, private, identity: before, write_only_attributes_allowed } = request;
    let kind = server.resource(&type_name)?;
    let prior = present(prior.decode(&kind.ty)?);
    let proposed = present(proposed.decode(&kind.ty)?);
    let config = config.decode(&kind.ty)?;
    let cx = server.cx(write_only_attributes_allowed);
    let (resource, schema) = (kind.implementation.clone(), kind.schema.clone());

    match (prior, proposed) {
        (Some(prior), None) => {
            let kept = private.clone();
            let check = async move { resource.plan_destroy(&cx, &prior, &private).await };
            let diagnostics = server.guarded("PlanResourceChange", &type_name, check).await?;
            let planned = Wire::encode(&kind.ty, &Value::Null)?;
            let diagnostics = located(&kind.ty, diagnostics);
            Ok(Response { planned, requires_replace: Vec::new(), private: kept, identity: before, diagnostics })
        }
        (prior, Some(proposed)) => {
            // for the second half of a replacement Terraform sends the identity of the first: it is the old one's
            let held = prior.as_ref().and_then(|_| identity::held(&kind, &before));
            let proposal = Proposal { config, prior, proposed, private };
            let engine = async move { plan::plan(resource.as_ref(), &schema, &cx, proposal).await };
            let outcome = server.guarded("PlanResourceChange", &type_name, engine).await?;
            let plan::Outcome { planned, requires_replace, private, mut diagnostics } = outcome;
            let mut identity = Wire::Absent;
            if !diagnostics.has_errors() {
                let call = ("PlanResourceChange", type_name.as_str());
                match identity::planned(server, call, &kind, &planned, held, requires_replace.is_empty()).await {
                    Ok(planned) => identity = planned,
                    Err(error) => diagnostics.push(error),
                }
            }
            // an error is an answer too: core shows it and drops the plan
            let planned = Wire::encode(&kind.ty, &planned).unwrap_or_else(|error| {
                diagnostics.push(error);
                Wire::Absent
            });
            let diagnostics = located(&kind.ty, diagnostics);
            let mut requires_replace: Vec<Path> = requires_replace.iter().map(|path| reachable(&kind.ty, path)).collect();
            requires_replace.dedup();
            Ok(Response { planned, requires_replace, private, identity, diagnostics })
        }
        (None, None) => Err(bug(format!("Terraform asked for a plan of {type_name} from nothing to nothing."))),
    }
}
