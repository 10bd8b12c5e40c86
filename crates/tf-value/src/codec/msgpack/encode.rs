//! Value → msgpack.

use rmp::encode;

use crate::codec::{CodecError, attribute, index, key, normalised, refinement};
use crate::number::Wire;
use crate::{Refinement, Type, Value};

/// Writing to memory cannot fail.
const IN_MEMORY: &str = "writing to memory does not fail";

/// Writes a value of type `ty`, as core itself would, but numbers as text: see `Number::wire`.
///
/// # Errors
/// When the value does not conform to `ty`.
pub fn encode(ty: &Type, value: &Value) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    write(ty, value, &mut out)?;
    Ok(out)
}

fn write(ty: &Type, value: &Value, out: &mut Vec<u8>) -> Result<(), CodecError> {
    match (ty, value) {
        (_, Value::Null) => encode::write_nil(out).expect(IN_MEMORY),
        (_, Value::Unknown(refinement)) => write_unknown(ty, refinement, out),
        (Type::Bool, Value::Bool(value)) => encode::write_bool(out, *value).expect(IN_MEMORY),
        (Type::Number, Value::Number(number)) => match number.wire() {
            Wire::Float(float) => encode::write_f64(out, float).expect(IN_MEMORY),
            Wire::Text(text) => encode::write_str(out, text).expect(IN_MEMORY),
        },
        (Type::String, Value::String(text)) => encode::write_str(out, &normalised(text)).expect(IN_MEMORY),
        (Type::List(element), Value::List(elements)) => write_elements(elements, |_| element, out)?,
        (Type::Set(element), Value::Set(elements)) => {
            write_elements(elements, |_| element, out).map_err(CodecError::inside_set)?;
        }
        (Type::Tuple(types), Value::List(elements)) if types.len() == elements.len() => {
            write_elements(elements, |position| &types[position], out)?;
        }
        (Type::Map(element), Value::Map(entries)) => {
            encode::write_map_len(out, length(entries.len())?).expect(IN_MEMORY);
            for (name, value) in entries {
                encode::write_str(out, &normalised(name)).expect(IN_MEMORY);
                write(element, value, out).map_err(|error| error.inside(key(name)))?;
            }
        }
        (Type::Object(attributes), Value::Map(entries)) => {
            value.check_attributes(attributes)?;
            encode::write_map_len(out, length(entries.len())?).expect(IN_MEMORY);
            for ((name, value), ty) in entries.iter().zip(attributes.values()) {
                encode::write_str(out, &normalised(name)).expect(IN_MEMORY);
                write(ty, value, out).map_err(|error| error.inside(attribute(name)))?;
            }
        }
        (Type::Dynamic, Value::Dynamic(inner)) => {
            let (ty, value) = inner.as_ref();
            encode::write_array_len(out, 2).expect(IN_MEMORY);
            encode::write_bin(out, &ty.to_json_bytes()).expect(IN_MEMORY);
            write(ty, value, out)?;
        }
        _ => return Err(value.mismatch(ty)),
    }
    Ok(())
}

fn write_unknown(ty: &Type, Refinement(payload): &Refinement, out: &mut Vec<u8>) {
    if refinement::is_sendable(payload, ty) {
        let length = u32::try_from(payload.len()).expect("a sendable payload is short");
        encode::write_ext_meta(out, length, refinement::EXTENSION).expect(IN_MEMORY);
        out.extend_from_slice(payload);
    } else {
        out.extend_from_slice(&[0xd4, 0x00, 0x00]);
    }
}

fn write_elements<'t>(elements: &[Value], ty: impl Fn(usize) -> &'t Type, out: &mut Vec<u8>) -> Result<(), CodecError> {
    encode::write_array_len(out, length(elements.len())?).expect(IN_MEMORY);
    for (position, element) in elements.iter().enumerate() {
        write(ty(position), element, out).map_err(|error| error.inside(index(position)))?;
    }
    Ok(())
}

fn length(length: usize) -> Result<u32, CodecError> {
    u32::try_from(length).map_err(|_| CodecError::new("msgpack holds at most 2^32-1 elements"))
}
