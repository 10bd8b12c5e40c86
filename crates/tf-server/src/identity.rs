//! The identities that answers carry. A resource derives them from states; here is what core holds against one: it is
//! wholly known, and stays the same from create to delete.
//!
//! A client that knows no identities sends none and does not look at those that it gets.

use tf_value::schema::{ForImport, IdentitySchema};
use tf_value::{Diagnostic, Diagnostics, Type, Value};

use crate::server::Kind;
use crate::wire::Wire;
use crate::{Resource, Server, bug};

/// The identity schema of a resource, with its type at hand.
pub(crate) struct Identity {
    pub(crate) schema: IdentitySchema,
    pub(crate) ty: Type,
}

impl Identity {
    pub(crate) fn new(schema: IdentitySchema) -> Self {
        let ty = schema.ty();
        Self { schema, ty }
    }

    /// Whether the identity names a resource: known throughout, and set where an import needs it.
    pub(crate) fn is_whole(&self, identity: &Value) -> bool {
        let is_set = |name: &str| !identity.get(name).is_null();
        let mut required = self.schema.attributes.iter().filter(|attribute| attribute.for_import == ForImport::Required);
        identity.as_map().is_some() && identity.is_wholly_known() && required.all(|attribute| is_set(&attribute.name))
    }

    fn whole(&self, identity: Option<Value>) -> Option<Value> {
        identity.filter(|identity| self.is_whole(identity))
    }
}

/// What core holds. `None` also when it is none of this schema: then there is nothing to compare with.
pub(crate) fn held(kind: &Kind<dyn Resource>, identity: &Wire) -> Option<Value> {
    let schema = kind.identity.as_ref()?;
    let identity = identity.decode(&schema.ty).inspect_err(|_| tracing::warn!("an identity does not match its schema")).ok();
    schema.whole(identity)
}

pub(crate) fn encode(kind: &Kind<dyn Resource>, identity: Option<&Value>) -> Result<Wire, Diagnostic> {
    match (&kind.identity, identity) {
        (Some(schema), Some(identity)) => Wire::encode(&schema.ty, identity),
        _ => Ok(Wire::Absent),
    }
}

/// What the resource says about `state`; parts may be unknown.
async fn derive(
    server: &Server,
    (rpc, type_name): (&'static str, &str),
    kind: &Kind<dyn Resource>,
    state: &Value,
) -> Result<Option<Value>, Diagnostic> {
    let Some(schema) = &kind.identity else { return Ok(None) };
    let (resource, state) = (kind.implementation.clone(), state.clone());
    let derived = server.guarded(rpc, type_name, async move { resource.identity(&state) }).await?;
    if let Some(Err(error)) = derived.as_ref().map(|identity| identity.conform(&schema.ty)) {
        return Err(bug(format!("The identity of a {type_name} does not match its own schema: {error}.")));
    }
    Ok(derived)
}

/// The identity of an existing `state`, given the one that core holds. What core holds stays where the state does not
/// tell, and where it says something else, which is a bug.
pub(crate) async fn settled(
    server: &Server,
    call: (&'static str, &str),
    kind: &Kind<dyn Resource>,
    state: &Value,
    held: Option<Value>,
    diagnostics: &mut Diagnostics,
) -> Wire {
    let Some(schema) = &kind.identity else { return Wire::Absent };
    let derived = derive(server, call, kind, state).await.unwrap_or_else(|error| {
        diagnostics.push(error);
        None
    });
    let identity = match (schema.whole(derived), held) {
        (None, held) => held,
        (Some(derived), Some(held)) if !continues(&held, &derived) => {
            if cfg!(any(debug_assertions, feature = "testing")) {
                diagnostics.push(changed(call.1));
            }
            Some(held)
        }
        (derived, _) => derived,
    };
    encode(kind, identity.as_ref()).unwrap_or_else(|error| {
        diagnostics.push(error);
        Wire::Absent
    })
}

/// The identity of a planned state. A create shows it as soon as all of it is known; an update, and the first half of a
/// replacement, keep the one that core holds. For a create nothing is `held`.
pub(crate) async fn planned(
    server: &Server,
    call: (&'static str, &str),
    kind: &Kind<dyn Resource>,
    planned: &Value,
    held: Option<Value>,
    is_update: bool,
) -> Result<Wire, Diagnostic> {
    let Some(schema) = &kind.identity else { return Ok(Wire::Absent) };
    if !is_update && held.is_some() {
        return encode(kind, held.as_ref());
    }
    let derived = derive(server, call, kind, planned).await?;
    let identity = match (derived, held) {
        (None, held) => held,
        (Some(derived), Some(held)) => {
            let derived = known_from(derived, &held);
            if !continues(&held, &derived) {
                return Err(changed(call.1));
            }
            Some(derived)
        }
        (derived, None) => derived,
    };
    encode(kind, schema.whole(identity).as_ref())
}

/// `identity` with what `held` knows in place of what is unknown: an identity cannot change.
fn known_from(identity: Value, held: &Value) -> Value {
    match identity {
        Value::Unknown(_) => held.clone(),
        Value::Map(entries) => Value::Map(
            entries
                .into_iter()
                .map(|(name, part)| {
                    let known = known_from(part, held.get(&name));
                    (name, known)
                })
                .collect(),
        ),
        part if part.is_wholly_known() => part,
        _ => held.clone(),
    }
}

/// Whether `later` is the identity `earlier`; what was left out of an import may have been completed since.
pub(crate) fn continues(earlier: &Value, later: &Value) -> bool {
    let Some(entries) = earlier.as_map() else { return true };
    entries.iter().all(|(name, part)| part.is_null() || part == later.get(name))
}

fn changed(type_name: &str) -> Diagnostic {
    bug(format!(
        "The identity of a {type_name} would change, but an identity is for good: what it is made of replaces the resource \
         or stays."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: Value, tags: Value) -> Value {
        Value::map([("name", name), ("tags", tags)])
    }

    #[test]
    fn what_is_unknown_in_an_update_is_what_it_was() {
        let text = Value::string;
        let held = identity(text("a"), Value::List(vec![text("x")]));
        let partly = identity(Value::unknown(), Value::List(vec![Value::unknown()]));
        assert_eq!(known_from(partly, &held), held);
        assert_eq!(known_from(Value::unknown(), &held), held);
        let other = identity(text("b"), Value::unknown());
        assert_eq!(known_from(other, &held), identity(text("b"), Value::List(vec![text("x")])), "what is known stays");
    }

    #[test]
    fn an_identity_may_be_completed_but_not_changed() {
        let of = |name: &str| identity(Value::string(name), Value::Null);
        let complete = identity(Value::string("a"), Value::List(Vec::new()));
        assert!(continues(&of("a"), &of("a")) && continues(&of("a"), &complete));
        assert!(!continues(&of("a"), &of("b")) && !continues(&complete, &of("a")));
    }
}
