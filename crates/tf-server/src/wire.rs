//! A value as bytes, and back.

use tf_value::codec::{json, msgpack};
use tf_value::{Diagnostic, Type, Value};

use crate::bug;

/// An encoded value. Core sends msgpack, sometimes JSON; answers are always msgpack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wire {
    /// nothing was sent: null
    #[default]
    Absent,
    /// cty's msgpack form
    Msgpack(Vec<u8>),
    /// cty's JSON form
    Json(Vec<u8>),
}

impl Wire {
    /// The value, read as a `ty`.
    pub(crate) fn decode(&self, ty: &Type) -> Result<Value, Diagnostic> {
        let decoded = match self {
            Self::Absent => return Ok(Value::Null),
            Self::Msgpack(bytes) => msgpack::decode(ty, bytes),
            Self::Json(bytes) => json::decode(ty, bytes),
        };
        decoded.map_err(|error| {
            bug(format!("A value sent by Terraform does not match the schema that this provider announced: {error}."))
        })
    }

    /// The bytes of `value`, which must be a `ty`.
    pub(crate) fn encode(ty: &Type, value: &Value) -> Result<Self, Diagnostic> {
        msgpack::encode(ty, value)
            .map(Self::Msgpack)
            .map_err(|error| bug(format!("The provider made a value that does not match its own schema: {error}.")))
    }
}
