//! `ImportResourceState`: finds what an id or an identity names; core reads it next.

use std::fmt::Write as _;

use tf_value::schema::ForImport;
use tf_value::{Diagnostic, Diagnostics, Value, codec};

use crate::identity::{self, Identity};
use crate::plan::{null_unknown, null_write_only};
use crate::server::Kind;
use crate::wire::Wire;
use crate::{ImportBy, Imported, Resource, Server};

pub(crate) struct Request {
    pub(crate) type_name: String,
    pub(crate) id: String,
    /// `None` when the import goes by id
    pub(crate) identity: Option<Wire>,
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
    pub(crate) identity: Wire,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    let mut diagnostics = Diagnostics::new();
    match import(server, request, &mut diagnostics).await {
        Ok(imported) if !diagnostics.has_errors() => Response { imported, diagnostics },
        Ok(_) => Response { imported: Vec::new(), diagnostics },
        Err(diagnostics) => Response { imported: Vec::new(), diagnostics },
    }
}

async fn import(server: &Server, request: Request, diagnostics: &mut Diagnostics) -> Result<Vec<Found>, Diagnostics> {
    let Request { type_name, id, identity, write_only_attributes_allowed } = request;
    let kind = server.resource(&type_name)?;
    let by = wanted(&type_name, &kind, id, identity)?;
    let cx = server.cx(write_only_attributes_allowed);
    let (resource, asked) = (kind.implementation.clone(), by.clone());
    let found = server.guarded("ImportResourceState", &type_name, async move { resource.import(&cx, &asked).await }).await??;
    if found.is_empty() {
        return Err(nothing_found(&type_name, &kind, &by).into());
    }
    let call = ("ImportResourceState", type_name.as_str());
    let asked = match by {
        ImportBy::Identity(identity) => Some(identity),
        ImportBy::Id(_) => None,
    };
    let mut imported = Vec::new();
    for Imported { state, private } in found {
        let state = null_unknown(null_write_only(&kind.schema, state));
        let identity = identity::settled(server, call, &kind, &state, asked.clone(), diagnostics).await;
        imported.push(Found { type_name: type_name.clone(), state: Wire::encode(&kind.ty, &state)?, private, identity });
    }
    Ok(imported)
}

/// What is asked for, checked: a resource sees only what it can find.
fn wanted(type_name: &str, kind: &Kind<dyn Resource>, id: String, identity: Option<Wire>) -> Result<ImportBy, Diagnostic> {
    match (&kind.identity, identity) {
        (_, None) if !id.is_empty() => Ok(ImportBy::Id(id)),
        (None, _) => Err(Diagnostic::error(
            "Import by identity is not supported",
            format!(
                "{type_name} is imported by its id. Write it in the import block:\n\n  import {{\n    to = {type_name}.example\n    \
                 id = \"…\"\n  }}"
            ),
        )),
        (Some(schema), identity) => {
            let identity = identity.unwrap_or_default().decode(&schema.ty)?;
            if schema.is_whole(&identity) {
                return Ok(ImportBy::Identity(identity));
            }
            Err(Diagnostic::error(
                "Incomplete import identity",
                format!(
                    "An import of {type_name} needs an id, or an identity with these attributes, known before apply:\n\n  \
                     import {{\n    to = {type_name}.example\n    identity = {{\n{}    }}\n  }}",
                    pattern(schema)
                ),
            ))
        }
    }
}

/// The attributes of an identity, to be filled in.
fn pattern(schema: &Identity) -> String {
    let mut text = String::new();
    for attribute in &schema.schema.attributes {
        let remark = if attribute.for_import == ForImport::Optional { "  # optional" } else { "" };
        let _ = writeln!(text, "      {} = …{remark}", attribute.name);
    }
    text
}

fn nothing_found(type_name: &str, kind: &Kind<dyn Resource>, by: &ImportBy) -> Diagnostic {
    let named = match by {
        ImportBy::Id(id) => format!("id \"{id}\""),
        ImportBy::Identity(identity) => format!("identity {}", shown(kind, identity)),
    };
    Diagnostic::error(
        "Nothing found to import",
        format!("No {type_name} has the {named}. Check it and the clusters of the provider block."),
    )
}

fn shown(kind: &Kind<dyn Resource>, identity: &Value) -> String {
    let json = kind.identity.as_ref().and_then(|schema| codec::json::encode(&schema.ty, identity).ok());
    json.map(|json| json.to_string()).unwrap_or_default()
}
