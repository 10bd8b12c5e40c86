//! The configuration of a resource, kept on an object in the clusters so that import can restore it.
//!
//! Form: base64 of gzip of the JSON of its arguments, nulls left out. It holds no credential: resources have none.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value as Json;
use tf_value::{Type, Value};

/// The largest stored intent that is read back, in bytes of JSON.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The JSON of wholly known arguments, nulls left out; `None` while something is unknown.
pub(crate) fn to_json(arguments: &Value) -> Option<Json> {
    Some(match arguments {
        Value::Unknown(_) => return None,
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => serde_json::from_str(number.as_str()).ok()?,
        Value::String(text) => Json::String(text.clone()),
        Value::List(elements) | Value::Set(elements) => Json::Array(elements.iter().map(to_json).collect::<Option<_>>()?),
        Value::Map(entries) => Json::Object(
            entries
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(key, value)| Some((key.clone(), to_json(value)?)))
                .collect::<Option<_>>()?,
        ),
        Value::Dynamic(inner) => to_json(&inner.1)?,
    })
}

/// The text to store; `None` while something is unknown.
pub(crate) fn encode(arguments: &Value) -> Option<String> {
    let json = to_json(arguments)?.to_string();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let bytes = gzip.write_all(json.as_bytes()).and_then(|()| gzip.finish()).expect("writing to memory does not fail");
    Some(STANDARD_NO_PAD.encode(bytes))
}

/// The configuration that `text` stores, of the current schema's type.
///
/// # Errors
/// When the text is damaged, or was stored by a version with another schema.
pub(crate) fn decode(text: &str, ty: &Type) -> Result<Value, String> {
    tf_value::codec::json::decode_state(ty, &read(text)?).map_err(|error| damaged(&error))
}

/// The JSON that `text` stores, by whatever version.
///
/// # Errors
/// When the text is damaged.
pub(crate) fn read(text: &str) -> Result<Json, String> {
    let bytes = STANDARD_NO_PAD.decode(text).map_err(|error| damaged(&error))?;
    let mut json = String::new();
    GzDecoder::new(bytes.as_slice()).take(LARGEST).read_to_string(&mut json).map_err(|error| damaged(&error))?;
    serde_json::from_str(&json).map_err(|error| damaged(&error))
}

fn damaged(problem: &dyn std::fmt::Display) -> String {
    format!("The stored intent is damaged: {problem}.")
}
