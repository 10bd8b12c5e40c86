//! `deletion_protection`: what is protected is neither destroyed nor replaced.

use mesh_model::{AttributePath, Code, Finding};
use tf_value::Value;

/// Whether the state says that the resource is protected.
pub(super) fn is_on(state: &Value) -> bool {
    *state.get("deletion_protection") == Value::Bool(true)
}

/// Why a destroy is refused.
pub(super) fn destruction(resource_type: &str, state: &Value) -> Finding {
    Finding::new(
        Code::Protected,
        AttributePath::of("deletion_protection"),
        format!("{resource_type} {} is protected and would be destroyed.", id(state)),
        "Clients would lose what it provides.",
        "To destroy it, put it back into the configuration if it is not there, switch the protection off and apply that \
         first:\n\n  deletion_protection = false\n\nThen destroy it. To forget it and keep its objects, use a `removed` block \
         with `lifecycle { destroy = false }`.",
    )
}

/// Why a replacement is refused.
pub(super) fn replacement(state: &Value, identity: &[&str]) -> Finding {
    let what = identity.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
    Finding::new(
        Code::Protected,
        AttributePath::of(identity.last().copied().unwrap_or("deletion_protection")),
        format!("{} is protected, and a change of {what} would replace it.", id(state)),
        "A replacement destroys what is there.",
        "Take the change back, or switch the protection off and apply that first:\n\n  deletion_protection = false",
    )
}

fn id(state: &Value) -> &str {
    state.get("id").as_str().unwrap_or("the resource")
}
