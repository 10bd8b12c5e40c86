//! `UpgradeResourceIdentity`: brings a stored identity to the current identity schema.

use tf_value::{Diagnostic, Diagnostics, codec};

use crate::wire::Wire;
use crate::{Server, identity};

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) version: i64,
    pub(crate) json: Vec<u8>,
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
    let Request { type_name, version, json } = request;
    let kind = server.resource(&type_name)?;
    let Some(schema) = kind.identity.clone() else {
        return Err(unreadable(&type_name, "this provider version knows no identity of it").into());
    };
    let current = schema.schema.version;
    let from = u64::try_from(version).map_err(|_| unreadable(&type_name, &format!("its schema version is {version}")))?;
    if from > current {
        return Err(Diagnostics::from(Diagnostic::error(
            "Identity is newer than the provider",
            format!(
                "The identity of {type_name} has schema version {from}, but this provider knows versions up to {current}. \
                 Use the provider version that wrote it, or a newer one."
            ),
        )));
    }
    if json.is_empty() {
        // Terraform asks for states without identity too, when the version is not 0: the next read has one
        return Ok(Wire::Absent);
    }
    let mut json = codec::json::parse(&json).map_err(|error| unreadable(&type_name, &error.to_string()))?;
    if from < current {
        let resource = kind.implementation.clone();
        let upgrade = async move { resource.upgrade_identity(from, json) };
        json = server.guarded("UpgradeResourceIdentity", &type_name, upgrade).await??;
    }
    let identity = codec::json::decode_state(&schema.ty, &json)
        .map_err(|error| unreadable(&type_name, &format!("it does not match the schema: {error}")))?;
    if identity.is_null() {
        return Err(unreadable(&type_name, "it is null").into());
    }
    Ok(identity::encode(&kind, Some(&identity))?)
}

fn unreadable(type_name: &str, why: &str) -> Diagnostic {
    Diagnostic::error(
        "Identity cannot be read",
        format!(
            "The stored identity of {type_name} cannot be read: {why}. Restore the state from a backup, or remove the \
             resource from the state (terraform state rm) and import it again."
        ),
    )
}
