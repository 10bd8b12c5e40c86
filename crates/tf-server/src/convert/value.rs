//! Encoded values.

use tf_proto::tfplugin6::{ClientCapabilities, DynamicValue, RawState, ResourceIdentityData};

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

/// No identity, or an empty message, is absent.
pub(super) fn identity_from_proto(identity: Option<ResourceIdentityData>) -> Wire {
    from_proto(identity.and_then(|ResourceIdentityData { identity_data }| identity_data))
}

pub(super) fn identity_to_proto(identity: Wire) -> Option<ResourceIdentityData> {
    to_proto(identity).map(|data| ResourceIdentityData { identity_data: Some(data) })
}

/// The JSON of something stored, and whether it is a flat map instead.
pub(super) fn raw_from_proto(raw: Option<RawState>) -> (Vec<u8>, bool) {
    let RawState { json, flatmap } = raw.unwrap_or_default();
    (json, !flatmap.is_empty())
}

pub(super) fn write_only_attributes_allowed(capabilities: Option<ClientCapabilities>) -> bool {
    capabilities
        .is_some_and(|ClientCapabilities { deferral_allowed: _, write_only_attributes_allowed }| write_only_attributes_allowed)
}
