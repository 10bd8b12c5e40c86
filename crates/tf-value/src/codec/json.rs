//! The JSON forms of values: of a dynamic value on the wire, of stored state, and of values without a type.

mod untyped;

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;

use super::{CodecError, MAX_DEPTH, attribute, index, key, normalised};
use crate::{Number, Type, Value};

/// How exactly objects must have the attributes of their type.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attributes {
    /// all of them, and no other
    Exact,
    /// others are ignored, missing ones are null: what an older or newer schema left behind
    Lenient,
}

/// Reads a value of type `ty`. No bytes at all are null.
///
/// # Errors
/// When the bytes are no JSON, repeat a key, or do not conform to `ty`.
pub fn decode(ty: &Type, bytes: &[u8]) -> Result<Value, CodecError> {
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    read(ty, &parse(bytes)?, Attributes::Exact, MAX_DEPTH)
}

/// Reads a value of type `ty` from a stored state, which may stem from another version of the schema: members that the
/// type lacks are ignored, attributes that the state lacks are null.
///
/// # Errors
/// When what is there does not fit `ty`.
pub fn decode_state(ty: &Type, state: &Json) -> Result<Value, CodecError> {
    read(ty, state, Attributes::Lenient, MAX_DEPTH)
}

/// Writes a wholly known value of type `ty`.
///
/// # Errors
/// When the value does not conform to `ty`, or a part of it is unknown.
pub fn encode(ty: &Type, value: &Value) -> Result<Json, CodecError> {
    Ok(match (ty, value) {
        (_, Value::Null) => Json::Null,
        (_, Value::Unknown(_)) => return Err(CodecError::new("the value is not known yet, JSON cannot say so")),
        (Type::Bool, Value::Bool(value)) => Json::Bool(*value),
        (Type::Number, Value::Number(number)) => Json::Number(number_to_json(number)),
        (Type::String, Value::String(text)) => Json::String(normalised(text).into_owned()),
        (Type::List(element), Value::List(elements)) => encode_elements(elements, |_| element)?,
        (Type::Set(element), Value::Set(elements)) => encode_elements(elements, |_| element).map_err(CodecError::inside_set)?,
        (Type::Tuple(types), Value::List(elements)) if types.len() == elements.len() => {
            encode_elements(elements, |position| &types[position])?
        }
        (Type::Map(element), Value::Map(entries)) => entries
            .iter()
            .map(|(name, value)| {
                let json = encode(element, value).map_err(|error| error.inside(key(name)))?;
                Ok((normalised(name).into_owned(), json))
            })
            .collect::<Result<_, _>>()?,
        (Type::Object(attributes), Value::Map(entries)) => {
            value.check_attributes(attributes)?;
            let pairs = entries.iter().zip(attributes.values());
            pairs
                .map(|((name, value), ty)| {
                    let json = encode(ty, value).map_err(|error| error.inside(attribute(name)))?;
                    Ok((normalised(name).into_owned(), json))
                })
                .collect::<Result<_, _>>()?
        }
        (Type::Dynamic, Value::Dynamic(inner)) => {
            let (ty, value) = inner.as_ref();
            [("type".to_owned(), ty.to_json()), ("value".to_owned(), encode(ty, value)?)].into_iter().collect()
        }
        _ => return Err(value.mismatch(ty)),
    })
}

fn encode_elements<'t>(elements: &[Value], ty: impl Fn(usize) -> &'t Type) -> Result<Json, CodecError> {
    let encode_one = |(position, element)| encode(ty(position), element).map_err(|error| error.inside(index(position)));
    elements.iter().enumerate().map(encode_one).collect()
}

fn number_to_json(number: &Number) -> serde_json::Number {
    number.as_str().parse().expect("the text of a number is a JSON number")
}

fn read(ty: &Type, json: &Json, mode: Attributes, depth: usize) -> Result<Value, CodecError> {
    let depth = depth.checked_sub(1).ok_or_else(|| CodecError::new("the value is nested too deeply"))?;
    Ok(match (ty, json) {
        (_, Json::Null) => Value::Null,
        (Type::Bool, Json::Bool(value)) => Value::Bool(*value),
        (Type::Bool, Json::String(text)) if text == "true" || text == "false" => Value::Bool(text == "true"),
        (Type::Number, Json::Number(number)) => Value::Number(parse_number(&number.to_string())?),
        (Type::Number, Json::String(text)) => Value::Number(parse_number(text)?),
        (Type::String, Json::String(text)) => Value::string(text.as_str()),
        (Type::String, Json::Number(number)) => Value::string(parse_number(&number.to_string())?.as_str()),
        (Type::String, Json::Bool(value)) => Value::string(value.to_string()),
        (Type::List(element), Json::Array(elements)) => Value::List(read_elements(elements, |_| element, mode, depth)?),
        (Type::Set(element), Json::Array(elements)) => {
            Value::set(read_elements(elements, |_| element, mode, depth).map_err(CodecError::inside_set)?)
        }
        (Type::Tuple(types), Json::Array(elements)) if types.len() == elements.len() => {
            Value::List(read_elements(elements, |position| &types[position], mode, depth)?)
        }
        (Type::Map(element), Json::Object(members)) => {
            let mut entries = BTreeMap::new();
            for (name, json) in members {
                let value = read(element, json, mode, depth).map_err(|error| error.inside(key(name)))?;
                insert(&mut entries, name, value)?;
            }
            Value::Map(entries)
        }
        (Type::Object(attributes), Json::Object(members)) => {
            let mut entries = BTreeMap::new();
            for (name, json) in members {
                match attributes.get(normalised(name).as_ref()) {
                    Some(ty) => {
                        let value = read(ty, json, mode, depth).map_err(|error| error.inside(attribute(name)))?;
                        insert(&mut entries, name, value)?;
                    }
                    None if mode == Attributes::Lenient => {}
                    None => {
                        let problem = format!("the object has an attribute {name:?}, which its type lacks");
                        return Err(CodecError::new(problem));
                    }
                }
            }
            for name in attributes.keys() {
                if !entries.contains_key(name) {
                    if mode == Attributes::Exact {
                        return Err(CodecError::new("the object lacks this attribute").inside(attribute(name)));
                    }
                    entries.insert(name.clone(), Value::Null);
                }
            }
            Value::Map(entries)
        }
        (Type::Dynamic, Json::Object(members)) => {
            let (Some(ty), Some(json), 2) = (members.get("type"), members.get("value"), members.len()) else {
                return Err(CodecError::expected("an object with exactly `type` and `value`", "other members"));
            };
            let ty = Type::from_json(ty)?;
            // a chosen type is exact whatever the schema has become since
            let value = read(&ty, json, Attributes::Exact, depth)?;
            Value::dynamic(ty, value)
        }
        (Type::Dynamic, _) => return Err(CodecError::expected("an object with `type` and `value`", name(json))),
        _ => return Err(CodecError::expected(ty, name(json))),
    })
}

fn read_elements<'t>(
    elements: &[Json],
    ty: impl Fn(usize) -> &'t Type,
    mode: Attributes,
    depth: usize,
) -> Result<Vec<Value>, CodecError> {
    let read_one = |(position, json)| read(ty(position), json, mode, depth).map_err(|error| error.inside(index(position)));
    elements.iter().enumerate().map(read_one).collect()
}

fn insert(entries: &mut BTreeMap<String, Value>, name: &str, value: Value) -> Result<(), CodecError> {
    match entries.insert(normalised(name).into_owned(), value) {
        Some(_) => Err(CodecError::new(format!("{name:?} is there twice (in two Unicode forms)"))),
        None => Ok(()),
    }
}

fn parse_number(text: &str) -> Result<Number, CodecError> {
    Number::parse(text).map_err(|error| CodecError::new(format!("expected a number: {error}")))
}

fn name(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a bool",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

/// Parses JSON in which no object repeats a key; the first step on the way from stored state to [`decode_state`].
///
/// # Errors
/// When the bytes are no JSON, are nested more than 127 deep, or repeat a key.
pub fn parse(bytes: &[u8]) -> Result<Json, CodecError> {
    serde_json::from_slice::<Unique>(bytes)
        .map(|unique| unique.0)
        .map_err(|error| CodecError::new(format!("expected JSON: {error}")))
}

/// JSON without repeated keys. (`serde_json::Value` keeps the last one silently.)
struct Unique(Json);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut elements = Vec::new();
        while let Some(Unique(element)) = items.next_element()? {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut members = serde_json::Map::new();
        while let Some(name) = items.next_key::<String>()? {
            // numbers that are no 64-bit integers come as an object with this one member
            if name == NUMBER && members.is_empty() {
                let text: String = items.next_value()?;
                let number = text.parse().map_err(|_| de::Error::custom("a number is malformed"))?;
                return match items.next_key::<String>()? {
                    None => Ok(Json::Number(number)),
                    Some(_) => Err(de::Error::custom(format_args!("{NUMBER:?} is no key"))),
                };
            }
            if members.contains_key(&name) {
                return Err(de::Error::custom(format_args!("the key {name:?} is there twice")));
            }
            let Unique(value) = items.next_value()?;
            members.insert(name, value);
        }
        Ok(Json::Object(members))
    }
}

/// The key under which serde_json hands over the text of a number (feature `arbitrary_precision`).
const NUMBER: &str = "$serde_json::private::Number";
