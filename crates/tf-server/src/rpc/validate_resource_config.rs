//! `ValidateResourceConfig`: checks a resource block as it is written.

use tf_value::{Diagnostic, Diagnostics};

use super::located;
use crate::Server;
use crate::plan::write_only_set;
use crate::wire::Wire;

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) config: Wire,
    pub(crate) write_only_attributes_allowed: bool,
}

pub(crate) struct Response {
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    let diagnostics = validate(server, request).await.unwrap_or_else(Diagnostics::from);
    Response { diagnostics }
}

async fn validate(server: &Server, request: Request) -> Result<Diagnostics, Diagnostic> {
    let Request { type_name, config, write_only_attributes_allowed } = request;
    let kind = server.resource(&type_name)?;
    let config = config.decode(&kind.ty)?;
    let mut diagnostics = Diagnostics::new();
    if !write_only_attributes_allowed {
        for path in write_only_set(&kind.schema.attributes, &config) {
            diagnostics.error(
                &path,
                "Write-only attribute not supported",
                format!(
                    "The attribute \"{path}\" is write-only, which this client does not know: it would store the value \
                     in the state. Use Terraform 1.11 or OpenTofu 1.11 or newer, or remove the attribute."
                ),
            );
        }
    }
    let cx = server.cx(write_only_attributes_allowed);
    let resource = kind.implementation;
    let found =
        server.guarded("ValidateResourceConfig", &type_name, async move { resource.validate(&cx, &config).await }).await?;
    diagnostics.extend(found);
    Ok(located(&kind.ty, diagnostics))
}
