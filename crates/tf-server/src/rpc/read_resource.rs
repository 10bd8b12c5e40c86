//! `ReadResource`: what is there now.

use tf_value::{Diagnostic, Diagnostics, Value};

use super::{located, present};
use crate::plan::{null_unknown, null_write_only};
use crate::wire::Wire;
use crate::{Applied, Server, bug};

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) current: Wire,
    pub(crate) private: Vec<u8>,
    pub(crate) write_only_attributes_allowed: bool,
}

pub(crate) struct Response {
    pub(crate) state: Wire,
    pub(crate) private: Vec<u8>,
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    // whatever fails, what core has stays
    let (current, private) = (request.current.clone(), request.private.clone());
    read(server, request).await.unwrap_or_else(|error| Response { state: current, private, diagnostics: error.into() })
}

async fn read(server: &Server, request: Request) -> Result<Response, Diagnostic> {
    let Request { type_name, current, private, write_only_attributes_allowed } = request;
    let kind = server.resource(&type_name)?;
    let Some(state) = present(current.decode(&kind.ty)?) else {
        return Ok(Response { state: Wire::encode(&kind.ty, &Value::Null)?, private, diagnostics: Diagnostics::new() });
    };
    let cx = server.cx(write_only_attributes_allowed);
    let resource = kind.implementation;
    let before = private.clone();
    let applied = server.guarded("ReadResource", &type_name, async move { resource.read(&cx, state, private).await }).await?;
    let Applied { state, private, diagnostics } = applied;
    let mut diagnostics = located(&kind.ty, diagnostics);
    if diagnostics.has_errors() {
        return Ok(Response { state: current, private: before, diagnostics });
    }
    let state = match state {
        None => Value::Null,
        Some(state) if state.is_wholly_known() => null_write_only(&kind.schema, state),
        Some(state) => {
            diagnostics.push(bug(format!("The read of {type_name} left something unknown in the state.")));
            null_unknown(null_write_only(&kind.schema, state))
        }
    };
    Ok(Response { state: Wire::encode(&kind.ty, &state)?, private, diagnostics })
}
