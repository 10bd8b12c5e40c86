//! Configurations, as core would have them after HCL: every attribute there, null where nothing is written, each value of
//! its type.

use serde_json::Value as Json;
use tf_value::schema::{Attribute, Kind, Mode, Nesting, Schema};
use tf_value::{Diagnostics, Number, Path, Type, Value};

/// The key of the object that stands for an unknown value.
const UNKNOWN: &str = "$unknown";

/// A value that is known only during apply, inside a JSON configuration.
#[must_use]
pub fn unknown() -> Json {
    serde_json::json!({ UNKNOWN: true })
}

/// A configuration or an argument.
#[derive(Clone, Debug)]
pub enum Input {
    /// JSON, converted by type as core converts HCL
    Json(Json),
    /// a value; only missing attributes are filled in and lists become sets where the type says so
    Value(Value),
}

impl From<Json> for Input {
    fn from(json: Json) -> Self {
        Self::Json(json)
    }
}

impl From<Value> for Input {
    fn from(value: Value) -> Self {
        Self::Value(value)
    }
}

impl From<&Json> for Input {
    fn from(json: &Json) -> Self {
        Self::Json(json.clone())
    }
}

impl From<&Value> for Input {
    fn from(value: &Value) -> Self {
        Self::Value(value.clone())
    }
}

impl Input {
    /// The configuration of a whole block, checked by its schema as core does before it asks the provider.
    pub(super) fn configuration(self, schema: &Schema) -> Result<Value, Diagnostics> {
        let mut diagnostics = Diagnostics::new();
        if let Self::Json(Json::Object(members)) = &self {
            for name in members.keys().filter(|name| !schema.attributes.iter().any(|attribute| attribute.name == **name)) {
                let path = Path::of(name);
                diagnostics.error(&path, "Unsupported argument", format!("An argument named \"{name}\" is not expected here."));
            }
        }
        match self.argument(&schema.ty()) {
            Ok(config) => {
                check_modes(&schema.attributes, &config, &Path::root(), &mut diagnostics);
                if diagnostics.has_errors() { Err(diagnostics) } else { Ok(config) }
            }
            Err((path, problem)) => {
                diagnostics.error(&path, "Incorrect attribute value type", problem);
                Err(diagnostics)
            }
        }
    }

    /// A value of type `ty`, or where and why it is none.
    pub(super) fn argument(self, ty: &Type) -> Result<Value, (Path, String)> {
        match self {
            Self::Json(json) => from_json(ty, json, &Path::root()),
            Self::Value(value) => Ok(complete(ty, value)),
        }
    }
}

fn from_json(ty: &Type, json: Json, path: &Path) -> Result<Value, (Path, String)> {
    if json.as_object().is_some_and(|members| members.contains_key(UNKNOWN)) {
        return Ok(Value::unknown());
    }
    let number = |text: &str| Number::parse(text).map_err(|error| (path.clone(), error.to_string()));
    Ok(match (ty, json) {
        (_, Json::Null) => Value::Null,
        (Type::Dynamic, json) => {
            let ty = type_of(&json);
            let value = from_json(&ty, json, path)?;
            Value::dynamic(ty, value)
        }
        (Type::Bool, Json::Bool(value)) => Value::Bool(value),
        (Type::Bool, Json::String(text)) if text == "true" || text == "false" => Value::Bool(text == "true"),
        (Type::Number, Json::Number(value)) => Value::Number(number(&value.to_string())?),
        (Type::Number, Json::String(text)) => Value::Number(number(&text)?),
        (Type::String, Json::String(text)) => Value::string(text),
        (Type::String, Json::Number(value)) => Value::string(number(&value.to_string())?.as_str()),
        (Type::String, Json::Bool(value)) => Value::string(value.to_string()),
        (Type::List(element), Json::Array(elements)) => {
            let elements = elements.into_iter().enumerate();
            Value::List(elements.map(|(index, json)| from_json(element, json, &path.index(index))).collect::<Result<_, _>>()?)
        }
        (Type::Set(element), Json::Array(elements)) => {
            Value::set(elements.into_iter().map(|json| from_json(element, json, path)).collect::<Result<Vec<_>, _>>()?)
        }
        (Type::Tuple(types), Json::Array(elements)) if types.len() == elements.len() => {
            let elements = types.iter().zip(elements).enumerate();
            let elements = elements.map(|(index, (ty, json))| from_json(ty, json, &path.index(index)));
            Value::List(elements.collect::<Result<_, _>>()?)
        }
        (Type::Map(element), Json::Object(members)) => {
            let entries = members.into_iter().map(|(key, json)| {
                let value = from_json(element, json, &path.key(&key))?;
                Ok((key, value))
            });
            Value::Map(entries.collect::<Result<_, _>>()?)
        }
        // members that the type lacks are lost, as in HCL
        (Type::Object(attributes), Json::Object(mut members)) => {
            let entries = attributes.iter().map(|(name, ty)| {
                let json = members.remove(name).unwrap_or(Json::Null);
                Ok((name.clone(), from_json(ty, json, &path.attribute(name))?))
            });
            Value::Map(entries.collect::<Result<_, _>>()?)
        }
        (ty, json) => return Err((path.clone(), format!("A {ty} is required, not {json}."))),
    })
}

/// The type that HCL gives to a literal.
fn type_of(json: &Json) -> Type {
    match json {
        Json::Null => Type::Dynamic,
        Json::Bool(_) => Type::Bool,
        Json::Number(_) => Type::Number,
        Json::String(_) => Type::String,
        Json::Array(elements) => Type::Tuple(elements.iter().map(type_of).collect()),
        Json::Object(members) if members.contains_key(UNKNOWN) => Type::Dynamic,
        Json::Object(members) => Type::object(members.iter().map(|(name, json)| (name.as_str(), type_of(json)))),
    }
}

fn complete(ty: &Type, value: Value) -> Value {
    match (ty, value) {
        (Type::Object(attributes), Value::Map(mut entries)) => Value::map(attributes.iter().map(|(name, ty)| {
            let value = entries.remove(name).unwrap_or(Value::Null);
            (name.as_str(), complete(ty, value))
        })),
        (Type::Map(element), Value::Map(entries)) => {
            Value::Map(entries.into_iter().map(|(key, value)| (key, complete(element, value))).collect())
        }
        (Type::List(element), Value::List(elements)) => {
            Value::List(elements.into_iter().map(|value| complete(element, value)).collect())
        }
        (Type::Set(element), Value::Set(elements) | Value::List(elements)) => {
            Value::set(elements.into_iter().map(|value| complete(element, value)).collect::<Vec<_>>())
        }
        (_, value) => value,
    }
}

/// Required attributes are set, computed ones are not.
fn check_modes(attributes: &[Attribute], config: &Value, path: &Path, diagnostics: &mut Diagnostics) {
    let Value::Map(_) = config else { return };
    for attribute in attributes {
        let name = attribute.name.as_str();
        let (value, path) = (config.get(name), path.attribute(name));
        match (attribute.mode, value.is_null()) {
            (Mode::Required, true) => {
                diagnostics.error(&path, "Missing required argument", format!("The argument \"{name}\" is required."));
            }
            (Mode::Computed, false) => {
                let detail = format!("The attribute \"{name}\" is decided by the provider and cannot be set.");
                diagnostics.error(&path, "Value for unconfigurable attribute", detail);
            }
            _ => {}
        }
        let Kind::Nested(nesting, attributes) = &attribute.kind else { continue };
        match (nesting, value) {
            (Nesting::Map, Value::Map(entries)) => {
                entries.iter().for_each(|(key, value)| check_modes(attributes, value, &path.key(key), diagnostics));
            }
            (Nesting::List, Value::List(elements)) => {
                let elements = elements.iter().enumerate();
                elements.for_each(|(index, value)| check_modes(attributes, value, &path.index(index), diagnostics));
            }
            (Nesting::Set, Value::Set(elements)) => {
                elements.iter().for_each(|value| check_modes(attributes, value, &path, diagnostics));
            }
            (_, value) => check_modes(attributes, value, &path, diagnostics),
        }
    }
}
