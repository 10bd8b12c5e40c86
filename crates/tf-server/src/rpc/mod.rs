//! One file per call of the protocol, each a function from a neutral request to a neutral response.
//!
//! They decode, run the provider's code guarded, and encode; nothing here sees a message of the wire. A failure is a
//! diagnostic, never a status of gRPC.

pub(crate) mod apply_resource_change;
pub(crate) mod call_function;
pub(crate) mod configure_provider;
pub(crate) mod get_functions;
pub(crate) mod get_metadata;
pub(crate) mod get_provider_schema;
pub(crate) mod get_resource_identity_schemas;
pub(crate) mod import_resource_state;
pub(crate) mod move_resource_state;
pub(crate) mod plan_resource_change;
pub(crate) mod read_data_source;
pub(crate) mod read_resource;
pub(crate) mod stop_provider;
pub(crate) mod upgrade_resource_identity;
pub(crate) mod upgrade_resource_state;
pub(crate) mod validate_data_resource_config;
pub(crate) mod validate_provider_config;
pub(crate) mod validate_resource_config;

use tf_value::{Diagnostics, Path, Step, Type, Value};

/// A null object stands for absence.
fn present(value: Value) -> Option<Value> {
    (!value.is_null()).then_some(value)
}

/// The same messages, each path cut where the wire cannot follow it: at a set, or where the schema has no such thing.
fn located(ty: &Type, diagnostics: Diagnostics) -> Diagnostics {
    let mut located = Diagnostics::new();
    located.extend(diagnostics.into_iter().map(|mut diagnostic| {
        diagnostic.path = diagnostic.path.map(|path| reachable(ty, &path));
        diagnostic
    }));
    located
}

/// The longest start of `path` that leads from a value of type `ty` to a part that has a path.
fn reachable(ty: &Type, path: &Path) -> Path {
    let mut place = Some(ty);
    let steps = path.steps().iter().take_while(|step| {
        place = match (step, place) {
            // what is inside is known to the value alone
            (_, Some(Type::Dynamic)) => return true,
            (Step::Attribute(name), Some(Type::Object(attributes))) => attributes.get(name),
            (Step::Key(_), Some(Type::Map(element))) => Some(element),
            (Step::Index(index), Some(ty @ (Type::List(_) | Type::Tuple(_)))) => {
                usize::try_from(*index).ok().and_then(|index| ty.element(index))
            }
            _ => None,
        };
        place.is_some()
    });
    steps.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty() -> Type {
        let element = Type::object([("name", Type::String)]);
        Type::object([
            ("set", Type::set(element.clone())),
            ("list", Type::list(element.clone())),
            ("map", Type::map(element)),
            ("any", Type::Dynamic),
        ])
    }

    #[test]
    fn a_path_ends_at_the_set() {
        assert_eq!(reachable(&ty(), &Path::of("set").attribute("name")), Path::of("set"));
        assert_eq!(reachable(&ty(), &Path::of("set").index(0).attribute("name")), Path::of("set"));
    }

    #[test]
    fn a_path_that_the_wire_can_follow_is_kept() {
        for path in [
            Path::of("list").index(3).attribute("name"),
            Path::of("map").key("k").attribute("name"),
            Path::of("any").attribute("whatever").index(1),
            Path::root(),
        ] {
            assert_eq!(reachable(&ty(), &path), path);
        }
    }

    #[test]
    fn a_path_to_nowhere_ends_at_the_last_place_that_exists() {
        assert_eq!(reachable(&ty(), &Path::of("list").index(0).attribute("nam")), Path::of("list").index(0));
        assert_eq!(reachable(&ty(), &Path::of("list").key("k")), Path::of("list"));
        assert_eq!(reachable(&ty(), &Path::of("nowhere")), Path::root());
    }
}
