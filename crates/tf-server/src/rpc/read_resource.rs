//! `ReadResource`: what is there now.

use tf_value::{Diagnostic, Diagnostics, Value};

use super::{located, present};
use crate::plan::{null_unknown, null_write_only};
use crate::wire::Wire;
use crate::{Applied, Server, bug, identity};

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) current: Wire,
    pub(crate) private: Vec<u8>,
    pub(crate) identity: Wire,
    pub(crate) write_only_attributes_allowed: bool,
}

pub(crate) struct Response {
    pub(crate) state: Wire,
    pub(crate) private: Vec<u8>,
    pub(crate) identity: Wire,
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    // whatever fails, what core has stays
    let (current, private, identity) = (request.current.clone(), request.private.clone(), request.identity.clone());
    let kept = |error: Diagnostic| Response { state: current, private, identity, diagnostics: error.into() };
    read(server, request).await.unwrap_or_else(kept)
}

async fn read(server: &Server, request: Request) -> Result<Response, Diagnostic> {
    let Request { type_name, current, private, identity: before_identity, write_only_attributes_allowed } = request;
    let kind = server.resource(&type_name)?;
    let Some(state) = present(current.decode(&kind.ty)?) else {
        let state = Wire::encode(&kind.ty, &Value::Null)?;
        return Ok(Response { state, private, identity: Wire::Absent, diagnostics: Diagnostics::new() });
    };
    let cx = server.cx(write_only_attributes_allowed);
    let resource = kind.implementation.clone();
    let before = private.clone();
    let applied = server.guarded("ReadResource", &type_name, async move { resource.read(&cx, state, private).await }).await?;
    let Applied { state, private, diagnostics } = applied;
    let mut diagnostics = located(&kind.ty, diagnostics);
    if diagnostics.has_errors() {
        return Ok(Response { state: current, private: before, identity: before_identity, diagnostics });
    }
    let state = match state {
        None => Value::Null,
        Some(state) if state.is_wholly_known() => null_write_only(&kind.schema, state),
        Some(state) => {
            diagnostics.push(bug(format!("The read of {type_name} left something unknown in the state.")));
            null_unknown(null_write_only(&kind.schema, state))
        }
    };
    let identity = if state.is_null() {
        Wire::Absent
    } else {
        let held = identity::held(&kind, &before_identity);
        identity::settled(server, ("ReadResource", &type_name), &kind, &state, held, &mut diagnostics).await
    };
    Ok(Response { state: Wire::encode(&kind.ty, &state)?, private, identity, diagnostics })
}
