//! `ValidateProviderConfig`: checks the provider block as it is written.

use std::sync::Arc;

use tf_value::{Diagnostic, Diagnostics};

use super::located;
use crate::Server;
use crate::wire::Wire;

pub(crate) struct Request {
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
    let config = request.config.decode(&server.shared.ty)?;
    let provider = Arc::clone(&server.shared.provider);
    let check = async move { provider.validate(&config) };
    let diagnostics = server.guarded("ValidateProviderConfig", "the provider", check).await?;
    Ok(located(&server.shared.ty, diagnostics))
}
