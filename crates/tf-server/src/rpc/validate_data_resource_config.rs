//! `ValidateDataResourceConfig`: checks a data block as it is written.

use tf_value::{Diagnostic, Diagnostics};

use super::located;
use crate::Server;
use crate::wire::Wire;

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) config: Wire,
}

pub(crate) struct Response {
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    let diagnostics = validate(server, request).await.unwrap_or_else(Diagnostics::from);
    Response { diagnostics }
}

async fn validate(server: &Server, request: Request) -> Result<Diagnostics, Diagnostic> {
    let Request { type_name, config } = request;
    let kind = server.data_source(&type_name)?;
    let config = config.decode(&kind.ty)?;
    let source = kind.implementation;
    let check = async move { source.validate(&config) };
    let diagnostics = server.guarded("ValidateDataResourceConfig", &type_name, check).await?;
    Ok(located(&kind.ty, diagnostics))
}
