//! `ReadDataSource`: looks facts up. Its configuration comes with defaults filled in.

use tf_value::{Diagnostic, Diagnostics};

use super::located;
use crate::plan::fill_config;
use crate::wire::Wire;
use crate::{Applied, Server, bug};

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) config: Wire,
    pub(crate) write_only_attributes_allowed: bool,
}

#[derive(Default)]
pub(crate) struct Response {
    pub(crate) state: Wire,
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    read(server, request).await.unwrap_or_else(|error| Response { state: Wire::Absent, diagnostics: error.into() })
}

async fn read(server: &Server, request: Request) -> Result<Response, Diagnostic> {
    let Request { type_name, config, write_only_attributes_allowed } = request;
    let kind = server.data_source(&type_name)?;
    let config = config.decode(&kind.ty)?;
    let mut diagnostics = Diagnostics::new();
    let config = fill_config(&kind.schema, &config, &mut diagnostics);
    if diagnostics.has_errors() {
        return Ok(Response { state: Wire::Absent, diagnostics });
    }
    let cx = server.cx(write_only_attributes_allowed);
    let source = kind.implementation;
    let applied = server.guarded("ReadDataSource", &type_name, async move { source.read(&cx, config).await }).await?;
    let Applied { state, private: _, diagnostics } = applied;
    let mut diagnostics = located(&kind.ty, diagnostics);
    if diagnostics.has_errors() {
        return Ok(Response { state: Wire::Absent, diagnostics });
    }
    let Some(state) = state else {
        diagnostics.push(bug(format!("The read of {type_name} gave neither data nor an error.")));
        return Ok(Response { state: Wire::Absent, diagnostics });
    };
    for path in state.unknown_paths(&kind.ty) {
        diagnostics.push(bug(format!("\"{path}\" is unknown after the read.")).at(path));
    }
    Ok(Response { state: Wire::encode(&kind.ty, &state)?, diagnostics })
}
