//! `MoveResourceState`: a `moved` block from a resource of another type. OpenTofu asks without looking at the capability.

use tf_value::{Diagnostic, Diagnostics, Value, codec};

use crate::plan::null_write_only;
use crate::wire::Wire;
use crate::{MoveSource, Moved, Server, bug, identity};

pub(crate) struct Request {
    pub(crate) source_provider_address: String,
    pub(crate) source_type_name: String,
    pub(crate) source_schema_version: i64,
    pub(crate) source_json: Vec<u8>,
    pub(crate) source_private: Vec<u8>,
    /// with its schema version
    pub(crate) source_identity: Option<(i64, Vec<u8>)>,
    pub(crate) target_type_name: String,
}

#[derive(Default)]
pub(crate) struct Response {
    pub(crate) state: Wire,
    pub(crate) private: Vec<u8>,
    pub(crate) identity: Wire,
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) async fn call(server: &Server, request: Request) -> Response {
    match take_over(server, request).await {
        Ok(response) if !response.diagnostics.has_errors() => response,
        Ok(Response { diagnostics, .. }) | Err(diagnostics) => Response { diagnostics, ..Response::default() },
    }
}

async fn take_over(server: &Server, request: Request) -> Result<Response, Diagnostics> {
    let Request {
        source_provider_address: provider_address,
        source_type_name: type_name,
        source_schema_version,
        source_json,
        source_private: private,
        source_identity,
        target_type_name: target,
    } = request;
    let kind = server.resource(&target)?;
    // a flat map, from before Terraform 0.12, comes without JSON and is no state that anybody could take over
    let state = codec::json::parse(&source_json).map_err(|error| unreadable(&type_name, &error.to_string()))?;
    let version =
        |number: i64| u64::try_from(number).map_err(|_| unreadable(&type_name, &format!("its schema version is {number}")));
    let schema_version = version(source_schema_version)?;
    let identity = match source_identity {
        Some((number, json)) => {
            let identity =
                codec::json::parse(&json).map_err(|error| unreadable(&type_name, &format!("its identity: {error}")))?;
            Some((version(number)?, identity))
        }
        None => None,
    };
    let refusal = refusal(&provider_address, &type_name, &target);
    let source = MoveSource { provider_address, type_name, schema_version, state, private, identity };

    let resource = kind.implementation.clone();
    let moved = server.guarded("MoveResourceState", &target, async move { resource.move_state(&source) }).await?;
    let Moved { state, private } = moved.ok_or(refusal)??;
    let state = null_write_only(&kind.schema, completed(&kind.schema, state));
    if !state.is_wholly_known() {
        return Err(bug(format!("The state that was moved to {target} has something unknown in it.")).into());
    }
    let mut diagnostics = Diagnostics::new();
    let call = ("MoveResourceState", target.as_str());
    let identity = identity::settled(server, call, &kind, &state, None, &mut diagnostics).await;
    Ok(Response { state: Wire::encode(&kind.ty, &state)?, private, identity, diagnostics })
}

/// The state with null for every top-level attribute that it lacks.
fn completed(schema: &tf_value::schema::Schema, state: Value) -> Value {
    let Value::Map(mut members) = state else { return state };
    for attribute in &schema.attributes {
        members.entry(attribute.name.clone()).or_insert(Value::Null);
    }
    Value::Map(members)
}

fn refusal(provider_address: &str, source: &str, target: &str) -> Diagnostic {
    Diagnostic::error(
        "Resource cannot be moved",
        format!(
            "The state of {source} (provider {provider_address}) cannot become the state of {target}. Forget the one with a \
             removed block and take the other over with an import block:\n\n  removed {{\n    from = {source}.example\n    \
             lifecycle {{\n      destroy = false\n    }}\n  }}\n\n  import {{\n    to = {target}.example\n    id = \"…\"\n  }}"
        ),
    )
}

fn unreadable(source: &str, why: &str) -> Diagnostic {
    Diagnostic::error(
        "State cannot be read",
        format!(
            "The stored state of {source} cannot be moved, for it cannot be read: {why}. Run an apply with the provider that \
             wrote it, so that it is written anew, and repeat; or restore the state from a backup."
        ),
    )
}

#[cfg(test)]
mod tests {
    use tf_value::Type;
    use tf_value::schema::{Attribute, Schema};

    use super::*;

    #[test]
    fn attributes_that_are_left_out_are_null() {
        let attributes = vec![Attribute::optional("a", Type::String, ""), Attribute::optional("b", Type::String, "")];
        let schema = Schema { version: 0, description: String::new(), attributes };
        let wanted = Value::map([("a", Value::string("x")), ("b", Value::Null)]);
        assert_eq!(completed(&schema, Value::map([("a", Value::string("x"))])), wanted);
        assert_eq!(completed(&schema, wanted.clone()), wanted);
    }
}
