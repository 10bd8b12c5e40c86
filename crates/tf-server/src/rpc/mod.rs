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
pub(crate) mod upgrade_resource_state;
pub(crate) mod validate_data_resource_config;
pub(crate) mod validate_provider_config;
pub(crate) mod validate_resource_config;

use tf_value::Value;

/// A null object stands for absence.
fn present(value: Value) -> Option<Value> {
    (!value.is_null()).then_some(value)
}
