//! What travels with an unknown value: kept while it makes sense at its place, never interpreted.

use rmp::Marker;
use rmp::decode::{read_int, read_map_len};

use crate::Type;

/// msgpack extension code of an unknown value with refinements.
pub(super) const EXTENSION: i8 = 12;

/// Longest payload that core reads, in bytes.
const MAX_LEN: usize = 1024;

/// Whether `payload` can be sent for an unknown value of type `ty`: a non-empty map of refinements that exist for this
/// type. Anything else would make core refuse the whole value.
pub(super) fn is_sendable(payload: &[u8], ty: &Type) -> bool {
    payload.len() <= MAX_LEN && keys(payload).is_some_and(|keys| !keys.is_empty() && keys.iter().all(|key| exists(*key, ty)))
}

fn exists(key: i64, ty: &Type) -> bool {
    match (key, ty) {
        (_, Type::Dynamic) => false,
        (1, _) | (2, Type::String) | (3 | 4, Type::Number) => true,
        (5 | 6, Type::List(_) | Type::Set(_) | Type::Map(_)) => true,
        _ => false,
    }
}

/// The keys of the payload; `None` when it is no map from integers to values.
fn keys(payload: &[u8]) -> Option<Vec<i64>> {
    let mut rest = payload;
    let length = read_map_len(&mut rest).ok()?;
    let mut keys = Vec::new();
    for _ in 0..length {
        let key = read_int::<i64, _>(&mut rest).ok()?;
        if keys.contains(&key) {
            return None;
        }
        keys.push(key);
        rest = without_value(rest, 3)?;
    }
    rest.is_empty().then_some(keys)
}

/// What follows the first value of `bytes`, which is nested at most `depth` deep.
fn without_value(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    let depth = depth.checked_sub(1)?;
    let mut rest = bytes;
    let length = match Marker::from_u8(*bytes.first()?) {
        Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => 1,
        Marker::U8 | Marker::I8 => 2,
        Marker::U16 | Marker::I16 => 3,
        Marker::U32 | Marker::I32 | Marker::F32 => 5,
        Marker::U64 | Marker::I64 | Marker::F64 => 9,
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => {
            let length = usize::try_from(rmp::decode::read_str_len(&mut rest).ok()?).ok()?;
            return rest.get(length..);
        }
        Marker::FixArray(_) => {
            for _ in 0..rmp::decode::read_array_len(&mut rest).ok()? {
                rest = without_value(rest, depth)?;
            }
            return Some(rest);
        }
        _ => return None,
    };
    bytes.get(length..)
}
