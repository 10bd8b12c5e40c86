//! Values of no declared type, typed as HCL literals are.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{insert, number_to_json, parse_number};
use crate::codec::{CodecError, attribute, index, key, normalised};
use crate::{Type, Value};

impl Value {
    /// The value that a JSON document has as an HCL literal, and its type: an object for `{…}`, a tuple for `[…]`,
    /// `dynamic` for null. [`Value::dynamic`] makes it a value for a place of type `dynamic`.
    ///
    /// # Errors
    /// When a number is larger than core can hold, or two keys are one after Unicode normalisation.
    pub fn from_json_untyped(json: &Json) -> Result<(Type, Self), CodecError> {
        Ok(match json {
            Json::Null => (Type::Dynamic, Self::Null),
            Json::Bool(value) => (Type::Bool, Self::Bool(*value)),
            Json::Number(number) => (Type::Number, Self::Number(parse_number(&number.to_string())?)),
            Json::String(text) => (Type::String, Self::string(text.as_str())),
            Json::Array(elements) => {
                let read =
                    |(position, json)| Self::from_json_untyped(json).map_err(|error: CodecError| error.inside(index(position)));
                let typed: Vec<(Type, Self)> = elements.iter().enumerate().map(read).collect::<Result<_, _>>()?;
                let (types, values) = typed.into_iter().unzip();
                (Type::Tuple(types), Self::List(values))
            }
            Json::Object(members) => {
                let mut types = BTreeMap::new();
                let mut entries = BTreeMap::new();
                for (name, json) in members {
                    let (ty, value) = Self::from_json_untyped(json).map_err(|error| error.inside(attribute(name)))?;
                    insert(&mut entries, name, value)?;
                    types.insert(normalised(name).into_owned(), ty);
                }
                (Type::Object(types), Self::Map(entries))
            }
        })
    }

    /// The JSON document that this value is, types forgotten.
    ///
    /// # Errors
    /// When a part of it is unknown; the path says which.
    pub fn to_json_untyped(&self) -> Result<Json, CodecError> {
        to_json(None, self)
    }
}

fn to_json(ty: Option<&Type>, value: &Value) -> Result<Json, CodecError> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Unknown(_) => return Err(CodecError::new("the value is not known yet")),
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => Json::Number(number_to_json(number)),
        Value::String(text) => Json::String(text.clone()),
        Value::List(elements) => {
            let write = |(position, element)| {
                let ty = ty.and_then(|ty| ty.element(position));
                to_json(ty, element).map_err(|error| error.inside(index(position)))
            };
            elements.iter().enumerate().map(write).collect::<Result<_, _>>()?
        }
        Value::Set(elements) => {
            let ty = ty.and_then(|ty| ty.element(0));
            let write = |element| to_json(ty, element).map_err(CodecError::inside_set);
            elements.iter().map(write).collect::<Result<_, _>>()?
        }
        Value::Map(entries) => {
            let write = |(name, value): (&String, &Value)| {
                let (ty, step) = match ty {
                    Some(Type::Map(element)) => (Some(element.as_ref()), key(name)),
                    Some(Type::Object(attributes)) => (attributes.get(name), attribute(name)),
                    _ => (None, attribute(name)),
                };
                Ok((name.clone(), to_json(ty, value).map_err(|error| error.inside(step))?))
            };
            entries.iter().map(write).collect::<Result<_, CodecError>>()?
        }
        Value::Dynamic(inner) => to_json(Some(&inner.0), &inner.1)?,
    })
}
