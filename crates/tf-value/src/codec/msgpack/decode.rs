//! msgpack → value.

use std::collections::BTreeMap;

use rmp::Marker;
use rmp::decode::{self, ValueReadError};

use crate::codec::{CodecError, MAX_DEPTH, attribute, index, key, normalised, refinement};
use crate::{Number, Refinement, Type, Value};

/// Elements for which room is made before they are read: a claimed length is not to be trusted.
const RESERVED: usize = 1024;

/// Reads a value of type `ty`. No bytes at all are null.
///
/// # Errors
/// When the bytes are no msgpack, do not conform to `ty`, or go on behind the value.
pub fn decode(ty: &Type, bytes: &[u8]) -> Result<Value, CodecError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let mut input = Input { rest: bytes };
    let value = input.value(ty, MAX_DEPTH)?;
    if input.rest.is_empty() { Ok(value) } else { Err(CodecError::new(format!("{} bytes follow the value", input.rest.len()))) }
}

struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn value(&mut self, ty: &Type, depth: usize) -> Result<Value, CodecError> {
        let depth = depth.checked_sub(1).ok_or_else(|| CodecError::new("the value is nested too deeply"))?;
        let marker = self.marker()?;
        if let Some(length) = self.extension(marker)? {
            return self.unknown(length, ty);
        }
        if marker == Marker::Null {
            self.rest = &self.rest[1..];
            return Ok(Value::Null);
        }
        match ty {
            Type::Dynamic => self.dynamic(depth),
            Type::Bool => self.bool(marker).map(Value::Bool),
            Type::Number => self.number(marker).map(Value::Number),
            Type::String => self.string("a string").map(|text| Value::String(normalised(text).into_owned())),
            Type::List(element) => {
                let length = self.array_len("a list")?;
                self.elements(length, |_| element, depth).map(Value::List)
            }
            Type::Tuple(elements) => {
                let length = self.array_len("a tuple")?;
                if length != elements.len() {
                    return Err(CodecError::expected(format_args!("a tuple of {} elements", elements.len()), length));
                }
                self.elements(length, |position| &elements[position], depth).map(Value::List)
            }
            Type::Set(element) => {
                let length = self.array_len("a set")?;
                self.elements(length, |_| element, depth).map(Value::set).map_err(CodecError::inside_set)
            }
            Type::Map(element) => self.map(element, depth),
            Type::Object(attributes) => self.object(attributes, depth),
        }
    }

    fn marker(&self) -> Result<Marker, CodecError> {
        self.rest.first().map(|byte| Marker::from_u8(*byte)).ok_or_else(ended)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(ended)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The length of an extension's payload; `None` when no extension follows.
    fn extension(&self, marker: Marker) -> Result<Option<usize>, CodecError> {
        let size_at = |width: usize| {
            let bytes = self.rest.get(1..=width).ok_or_else(ended)?;
            Ok(bytes.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)))
        };
        Ok(Some(match marker {
            Marker::FixExt1 => 1,
            Marker::FixExt2 => 2,
            Marker::FixExt4 => 4,
            Marker::FixExt8 => 8,
            Marker::FixExt16 => 16,
            Marker::Ext8 => size_at(1)?,
            Marker::Ext16 => size_at(2)?,
            Marker::Ext32 => size_at(4)?,
            _ => return Ok(None),
        }))
    }

    /// Any extension is an unknown value.
    fn unknown(&mut self, length: usize, ty: &Type) -> Result<Value, CodecError> {
        let meta = decode::read_ext_meta(&mut self.rest).map_err(|_| ended())?;
        let payload = self.take(length)?;
        let is_kept = meta.typeid == refinement::EXTENSION && refinement::is_sendable(payload, ty);
        Ok(Value::Unknown(Refinement(if is_kept { payload.to_vec() } else { Vec::new() })))
    }

    fn bool(&mut self, marker: Marker) -> Result<bool, CodecError> {
        let value = match marker {
            Marker::True => true,
            Marker::False => false,
            other => return Err(CodecError::expected("a bool", name(other))),
        };
        self.rest = &self.rest[1..];
        Ok(value)
    }

    fn number(&mut self, marker: Marker) -> Result<Number, CodecError> {
        let no_number = |error| CodecError::new(format!("expected a number: {error}"));
        match marker {
            Marker::F32 => {
                let float = decode::read_f32(&mut self.rest).map_err(|_| ended())?;
                Number::from_wire_f64(f64::from(float)).map_err(no_number)
            }
            Marker::F64 => {
                let float = decode::read_f64(&mut self.rest).map_err(|_| ended())?;
                Number::from_wire_f64(float).map_err(no_number)
            }
            Marker::U64 => decode::read_u64(&mut self.rest).map(Number::from).map_err(|_| ended()),
            Marker::FixPos(_) | Marker::FixNeg(_) | Marker::U8 | Marker::U16 | Marker::U32 => self.integer(),
            Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => self.integer(),
            _ => Number::parse(self.string("a number")?).map_err(no_number),
        }
    }

    fn integer(&mut self) -> Result<Number, CodecError> {
        decode::read_int::<i64, _>(&mut self.rest).map(Number::from).map_err(|_| ended())
    }

    fn string(&mut self, expected: &str) -> Result<&'a str, CodecError> {
        let marker = self.marker()?;
        let length = decode::read_str_len(&mut self.rest).map_err(|error| no_length(expected, marker, &error))?;
        let bytes = self.take(usize::try_from(length).map_err(|_| ended())?)?;
        std::str::from_utf8(bytes).map_err(|_| CodecError::new(format!("expected {expected}, found invalid UTF-8")))
    }

    fn array_len(&mut self, expected: &str) -> Result<usize, CodecError> {
        let marker = self.marker()?;
        let claimed = decode::read_array_len(&mut self.rest).map_err(|error| no_length(expected, marker, &error))?;
        usize::try_from(claimed).map_err(|_| ended())
    }

    fn map_len(&mut self, expected: &str) -> Result<usize, CodecError> {
        let marker = self.marker()?;
        let claimed = decode::read_map_len(&mut self.rest).map_err(|error| no_length(expected, marker, &error))?;
        usize::try_from(claimed).map_err(|_| ended())
    }

    fn elements<'t>(&mut self, length: usize, ty: impl Fn(usize) -> &'t Type, depth: usize) -> Result<Vec<Value>, CodecError> {
        let mut elements = Vec::with_capacity(length.min(RESERVED));
        for position in 0..length {
            elements.push(self.value(ty(position), depth).map_err(|error| error.inside(index(position)))?);
        }
        Ok(elements)
    }

    fn map(&mut self, element: &Type, depth: usize) -> Result<Value, CodecError> {
        let mut entries = BTreeMap::new();
        for _ in 0..self.map_len("a map")? {
            let name = normalised(self.string("a string as map key")?);
            let value = self.value(element, depth).map_err(|error| error.inside(key(&name)))?;
            if entries.contains_key(name.as_ref()) {
                return Err(CodecError::new(format!("the map has the key {name:?} twice")));
            }
            entries.insert(name.into_owned(), value);
        }
        Ok(Value::Map(entries))
    }

    fn object(&mut self, attributes: &BTreeMap<String, Type>, depth: usize) -> Result<Value, CodecError> {
        let mut entries = BTreeMap::new();
        for _ in 0..self.map_len("an object")? {
            let name = normalised(self.string("a string as attribute name")?);
            let ty = attributes
                .get(name.as_ref())
                .ok_or_else(|| CodecError::new(format!("the object has an attribute {name:?}, which its type lacks")))?;
            let value = self.value(ty, depth).map_err(|error| error.inside(attribute(&name)))?;
            if entries.insert(name.to_string(), value).is_some() {
                return Err(CodecError::new(format!("the object has the attribute {name:?} twice")));
            }
        }
        match attributes.keys().find(|name| !entries.contains_key(*name)) {
            Some(missing) => Err(CodecError::new("the object lacks this attribute").inside(attribute(missing))),
            None => Ok(Value::Map(entries)),
        }
    }

    fn dynamic(&mut self, depth: usize) -> Result<Value, CodecError> {
        let marker = self.marker()?;
        let length = self.array_len("a type and a value of that type")?;
        if length != 2 {
            return Err(mismatch("a type and a value of that type", marker));
        }
        let json = match self.marker()? {
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let length = decode::read_bin_len(&mut self.rest).map_err(|_| ended())?;
                self.take(usize::try_from(length).map_err(|_| ended())?)?
            }
            _ => self.string("the JSON form of a type")?.as_bytes(),
        };
        let ty = Type::from_json_bytes(json)?;
        let value = self.value(&ty, depth)?;
        Ok(Value::dynamic(ty, value))
    }
}

fn ended() -> CodecError {
    CodecError::new("the input ends inside a value")
}

fn no_length(expected: &str, found: Marker, error: &ValueReadError) -> CodecError {
    match error {
        ValueReadError::TypeMismatch(_) => mismatch(expected, found),
        ValueReadError::InvalidMarkerRead(_) | ValueReadError::InvalidDataRead(_) => ended(),
    }
}

fn mismatch(expected: &str, found: Marker) -> CodecError {
    CodecError::expected(expected, name(found))
}

fn name(marker: Marker) -> &'static str {
    match marker {
        Marker::Null => "null",
        Marker::True | Marker::False => "a bool",
        Marker::FixPos(_) | Marker::FixNeg(_) | Marker::U8 | Marker::U16 | Marker::U32 | Marker::U64 => "an integer",
        Marker::I8 | Marker::I16 | Marker::I32 | Marker::I64 => "an integer",
        Marker::F32 | Marker::F64 => "a float",
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => "a string",
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => "binary data",
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "an array",
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "a map",
        Marker::FixExt1 | Marker::FixExt2 | Marker::FixExt4 | Marker::FixExt8 | Marker::FixExt16 => "an extension",
        Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => "an extension",
        Marker::Reserved => "a reserved byte",
    }
}
