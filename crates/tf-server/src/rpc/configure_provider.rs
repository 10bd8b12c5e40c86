//! `ConfigureProvider`: hands the provider block over, defaults filled in; parts of it may be unknown during plan.

use std::sync::Arc;

use tf_value::{Diagnostic, Diagnostics};

use super::located;
use crate::Server;
use crate::plan::fill_config;
use crate::wire::Wire;

pub(crate) struct Request {
    pub(crate) terraform_version: String,
    pub(crate) config: Wire,
    pub(crate) write_only_attributes_allowed: bool,
}

pub(crate) struct Response {
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    let diagnostics = configure(server, request).await.unwrap_or_else(Diagnostics::from);
    Response { diagnostics }
}

async fn configure(server: &Server, request: Request) -> Result<Diagnostics, Diagnostic> {
    let Request { terraform_version, config, write_only_attributes_allowed } = request;
    let config = config.decode(&server.shared.ty)?;
    let mut diagnostics = Diagnostics::new();
    let config = fill_config(&server.shared.schema, &config, &mut diagnostics);
    if diagnostics.has_errors() {
        return Ok(diagnostics);
    }
    let provider = Arc::clone(&server.shared.provider);
    let cx = server.cx(write_only_attributes_allowed);
    let configure = async move { provider.configure(&cx, &terraform_version, config).await };
    let diagnostics = server.guarded("ConfigureProvider", "the provider", configure).await?;
    Ok(located(&server.shared.ty, diagnostics))
}
