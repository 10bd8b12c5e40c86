//! Encoded values.

use tf_proto::tfplugin6::{ClientCapabilities, DynamicValue};

use crate::wire::Wire;

/// No message, or an empty one, is null.
pub(super) fn from_proto(value: Option<DynamicValue>) -> Wire {
    match value {
        Some(DynamicValue { msgpack, json: _ }) if !msgpack.is_empty() => Wire::Msgpack(msgpack),
        Some(DynamicValue { msgpack: _, json }) if !json.is_empty() => Wire::Json(json),
        Some(DynamicValue { .. }) | None => Wire::Absent,
    }
}

pub(super) fn to_proto(value: Wire) -> Option<DynamicValue> {
    match value {
        Wire::Absent => None,
        Wire::Msgpack(msgpack) => Some(DynamicValue { msgpack, json: Vec::new() }),
        Wire::Json(json) => Some(DynamicValue { msgpack: Vec::new(), json }),
    }
}

pub(super) fn write_only_attributes_allowed(capabilities: Option<ClientCapabilities>) -> bool {
    capabilities
        .is_some_and(|ClientCapabilities { deferral_allowed: _, write_only_attributes_allowed }| write_only_attributes_allowed)
}
