//! The JSON form of types: `"string"`, `["list", T]`, `["object", {…}]`, `["tuple", […]]`.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{CodecError, MAX_DEPTH, json, normalised};
use crate::Type;

impl Type {
    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let pair = |name: &str, inner: Json| Json::Array(vec![name.into(), inner]);
        match self {
            Self::Bool => "bool".into(),
            Self::Number => "number".into(),
            Self::String => "string".into(),
            Self::Dynamic => "dynamic".into(),
            Self::List(element) => pair("list", element.to_json()),
            Self::Set(element) => pair("set", element.to_json()),
            Self::Map(element) => pair("map", element.to_json()),
            Self::Object(attributes) => {
                pair("object", attributes.iter().map(|(name, ty)| (name.clone(), ty.to_json())).collect())
            }
            Self::Tuple(elements) => pair("tuple", elements.iter().map(Self::to_json).collect()),
        }
    }

    /// The bytes of the JSON form, as schemas and dynamic values carry them.
    #[must_use]
    pub fn to_json_bytes(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// When it names no type, or is nested too deeply.
    pub fn from_json(json: &Json) -> Result<Self, CodecError> {
        from_json(json, MAX_DEPTH)
    }

    /// Reads the bytes of the JSON form.
    ///
    /// # Errors
    /// When they are no JSON, repeat a key, name no type, or are nested too deeply.
    pub fn from_json_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        Self::from_json(&json::parse(bytes)?)
    }
}

fn from_json(json: &Json, depth: usize) -> Result<Type, CodecError> {
    let depth = depth.checked_sub(1).ok_or_else(|| CodecError::new("the type is nested too deeply"))?;
    let unknown = || CodecError::new(format!("{} is not the JSON form of a type", excerpt(json)));
    match json {
        Json::String(name) => match name.as_str() {
            "bool" => Ok(Type::Bool),
            "number" => Ok(Type::Number),
            "string" => Ok(Type::String),
            "dynamic" => Ok(Type::Dynamic),
            _ => Err(unknown()),
        },
        Json::Array(parts) => match parts.as_slice() {
            [Json::String(name), inner] => match (name.as_str(), inner) {
                ("list", inner) => Ok(Type::list(from_json(inner, depth)?)),
                ("set", inner) => Ok(Type::set(from_json(inner, depth)?)),
                ("map", inner) => Ok(Type::map(from_json(inner, depth)?)),
                ("tuple", Json::Array(elements)) => {
                    elements.iter().map(|element| from_json(element, depth)).collect::<Result<_, _>>().map(Type::Tuple)
                }
                ("object", Json::Object(members)) => {
                    let mut attributes = BTreeMap::new();
                    for (name, ty) in members {
                        let name = normalised(name).into_owned();
                        if attributes.contains_key(&name) {
                            return Err(CodecError::new(format!("the object type has the attribute {name:?} twice")));
                        }
                        attributes.insert(name, from_json(ty, depth)?);
                    }
                    Ok(Type::Object(attributes))
                }
                _ => Err(unknown()),
            },
            _ => Err(unknown()),
        },
        _ => Err(unknown()),
    }
}

fn excerpt(json: &Json) -> String {
    match json {
        Json::Array(parts) => match parts.first() {
            Some(Json::String(name)) => format!("[{name:?}, …]"),
            _ => "[…]".to_owned(),
        },
        Json::Object(_) => "{…}".to_owned(),
        scalar => scalar.to_string().chars().take(40).collect(),
    }
}
