//! Just enough of the protobuf wire format to look into a message and to change one field of it: what is not understood stays
//! byte for byte as it was.

use xtask::{Problem, Result};

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// The value of a field with a length; `None` for numbers.
    pub bytes: Option<&'a [u8]>,
    /// The whole field as it was sent.
    pub raw: &'a [u8],
}

/// The fields in their order.
///
/// # Errors
/// When the bytes are no message.
pub fn fields(mut bytes: &[u8]) -> Result<Vec<Field<'_>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let start = bytes;
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => varint(&mut bytes).map(|_| None)?,
            1 => take(&mut bytes, 8).map(|_| None)?,
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).map_err(|_| damaged())?;
                Some(take(&mut bytes, length)?)
            }
            5 => take(&mut bytes, 4).map(|_| None)?,
            _ => return Err(damaged()),
        };
        let number = u32::try_from(tag >> 3).map_err(|_| damaged())?;
        found.push(Field { number, bytes: value, raw: &start[..start.len() - bytes.len()] });
    }
    Ok(found)
}

/// The values of a field with a length.
///
/// # Errors
/// As [`fields`].
pub fn values(bytes: &[u8], number: u32) -> Result<Vec<&[u8]>> {
    Ok(fields(bytes)?.into_iter().filter(|field| field.number == number).filter_map(|field| field.bytes).collect())
}

/// The last text of a field, as its owner would read it; empty when there is none.
///
/// # Errors
/// As [`fields`].
pub fn text(bytes: &[u8], number: u32) -> Result<String> {
    Ok(values(bytes, number)?.last().map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default())
}

/// Appends a field with a length.
pub fn put(message: &mut Vec<u8>, number: u32, value: &[u8]) {
    put_varint(message, u64::from(number) << 3 | 2);
    put_varint(message, value.len() as u64);
    message.extend_from_slice(value);
}

/// The message with every value at the end of a path of field numbers changed, where `change` gives another one.
///
/// # Errors
/// As [`fields`].
pub fn edit(bytes: &[u8], path: &[u32], change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Result<Vec<u8>> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(change(bytes).unwrap_or_else(|| bytes.to_vec()));
    };
    let mut edited = Vec::with_capacity(bytes.len());
    for field in fields(bytes)? {
        match field.bytes {
            Some(value) if field.number == *first => put(&mut edited, *first, &edit(value, rest, change)?),
            _ => edited.extend_from_slice(field.raw),
        }
    }
    Ok(edited)
}

fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(bytes, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(damaged())
}

fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push((value as u8 & 0x7f) | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count).ok_or_else(damaged)?;
    *bytes = rest;
    Ok(taken)
}

fn damaged() -> Problem {
    Problem::new("the bytes are no protobuf message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_field_is_changed_and_everything_else_stays() {
        let (mut inner, mut message) = (vec![0x08, 0x96, 0x01], Vec::new());
        put(&mut inner, 2, b"0.0.0.0");
        message.extend_from_slice(&[0x11, 1, 2, 3, 4, 5, 6, 7, 8]);
        put(&mut message, 300, &inner);
        message.extend_from_slice(&[0x25, 9, 9, 9, 9]);
        let edited = edit(&message, &[300, 2], &|old| (old == b"0.0.0.0").then(|| vec![b'x'; 200])).expect("a message");
        let again = edit(&edited, &[300, 2], &|_| Some(b"0.0.0.0".to_vec())).expect("a message");
        assert_eq!(again, message);
        let inner = values(&edited, 300).expect("a message")[0];
        assert_eq!(text(inner, 2).expect("a message"), "x".repeat(200));
        assert_eq!(edit(&message, &[1, 2, 3], &|_| None).expect("a message"), message);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        for bytes in [&[0x0a, 5, 1][..], &[0xff; 11], &[0x0b], &[0x09, 1]] {
            assert!(fields(bytes).is_err(), "{bytes:?}");
        }
    }
}
