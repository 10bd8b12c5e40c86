//! `UpgradeResourceState`: brings a stored state to the current schema. Core asks for every instance that it loads, also
//! when nothing has changed.

use tf_value::{Diagnostic, Diagnostics, codec};

use crate::Server;
use crate::plan::null_write_only;
use crate::wire::Wire;

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) version: i64,
    pub(crate) json: Vec<u8>,
    pub(crate) has_flatmap: bool,
}

#[derive(Default)]
pub(crate) struct Response {
    pub(crate) upgraded: Wire,
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    match upgrade(server, request).await {
        Ok(upgraded) => Response { upgraded, diagnostics: Diagnostics::new() },
        Err(diagnostics) => Response { upgraded: Wire::Absent, diagnostics },
    }
}

async fn upgrade(server: &Server, request: Request) -> Result<Wire, Diagnostics> {
    let Request { type_name, version, json, has_flatmap } = request;
    let kind = server.resource(&type_name)?;
    let current = kind.schema.version;
    if has_flatmap {
        return Err(Diagnostics::from(Diagnostic::error(
            "State of an unsupported format",
            format!(
                "The state of {type_name} is a flat map, as Terraform wrote it before 0.12. This provider never wrote such a \
                 state. Remove the resource from the state (terraform state rm) and import it again."
            ),
        )));
    }
    let from = u64::try_from(version).map_err(|_| unreadable(&type_name, &format!("its schema version is {version}")))?;
    if from > current {
        return Err(Diagnostics::from(Diagnostic::error(
            "State is newer than the provider",
            format!(
                "The state of {type_name} has schema version {from}, but this provider knows versions up to {current}. \
                 Use the provider version that wrote the state, or a newer one."
            ),
        )));
    }
    let json: serde_json::Value =
        serde_json::from_slice(&json).map_err(|error| unreadable(&type_name, &format!("it is not JSON: {error}")))?;
    let json = if from < current {
        let resource = kind.implementation;
        server.guarded("UpgradeResourceState", &type_name, async move { resource.upgrade(from, json) }).await??
    } else {
        json
    };
    let state = codec::json::decode_state(&kind.ty, &json)
        .map_err(|error| unreadable(&type_name, &format!("it does not match the schema: {error}")))?;
    // an attribute may have become write-only since
    Ok(Wire::encode(&kind.ty, &null_write_only(&kind.schema, state))?)
}

fn unreadable(type_name: &str, why: &str) -> Diagnostic {
    Diagnostic::error(
        "State cannot be read",
        format!(
            "The stored state of {type_name} cannot be read: {why}. Restore the state from a backup, or remove the \
             resource from the state (terraform state rm) and import it again."
        ),
    )
}
