//! `ImportResourceState`: finds what an id names; core reads it next.

use tf_value::{Diagnostic, Diagnostics};

use crate::plan::{null_unknown, null_write_only};
use crate::wire::Wire;
use crate::{ImportBy, Imported, Server};

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) id: String,
    pub(crate) has_identity: bool,
    pub(crate) write_only_attributes_allowed: bool,
}

#[derive(Default)]
pub(crate) struct Response {
    pub(crate) imported: Vec<Found>,
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) struct Found {
    pub(crate) type_name: String,
    pub(crate) state: Wire,
    pub(crate) private: Vec<u8>,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    match import(server, request).await {
        Ok(imported) => Response { imported, diagnostics: Diagnostics::new() },
        Err(diagnostics) => Response { imported: Vec::new(), diagnostics },
    }
}

async fn import(server: &Server, request: Request) -> Result<Vec<Found>, Diagnostics> {
    let Request { type_name, id, has_identity, write_only_attributes_allowed } = request;
    let kind = server.resource(&type_name)?;
    if has_identity || id.is_empty() {
        return Err(Diagnostics::from(Diagnostic::error(
            "Import by identity is not supported",
            format!(
                "{type_name} is imported by its id. Write it in the import block:\n\n  import {{\n    to = {type_name}.example\n    \
                 id = \"…\"\n  }}"
            ),
        )));
    }
    let cx = server.cx(write_only_attributes_allowed);
    let (resource, wanted) = (kind.implementation, ImportBy::Id(id.clone()));
    let found = server.guarded("ImportResourceState", &type_name, async move { resource.import(&cx, &wanted).await }).await??;
    if found.is_empty() {
        return Err(Diagnostics::from(Diagnostic::error(
            "Nothing found to import",
            format!("No {type_name} has the id \"{id}\". Check the id and the clusters of the provider block."),
        )));
    }
    let found = found.into_iter().map(|Imported { state, private }| {
        let state = null_unknown(null_write_only(&kind.schema, state));
        Ok(Found { type_name: type_name.clone(), state: Wire::encode(&kind.ty, &state)?, private })
    });
    found.collect()
}
