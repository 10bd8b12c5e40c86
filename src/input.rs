//! Terraform values as inputs of the model, and back.

use mesh_model::Input;
use tf_value::{Type, Value};

/// What a value says, whatever its type.
pub(crate) fn from_value(value: &Value) -> Input {
    match value {
        Value::Null => Input::Null,
        Value::Unknown(_) => Input::Unknown,
        Value::Bool(value) => Input::Bool(*value),
        Value::Number(number) => Input::Number(number.as_str().to_owned()),
        Value::String(text) => Input::String(text.clone()),
        Value::List(elements) | Value::Set(elements) => Input::List(elements.iter().map(from_value).collect()),
        Value::Map(entries) => Input::Map(entries.iter().map(|(key, value)| (key.clone(), from_value(value))).collect()),
        Value::Dynamic(inner) => from_value(&inner.1),
    }
}

/// The attributes of a configuration as one input, without those named in `without`.
pub(crate) fn attributes(config: &Value, without: &[&str]) -> Input {
    match from_value(config) {
        Input::Map(mut attributes) => {
            attributes.retain(|name, _| !without.contains(&name.as_str()));
            Input::Map(attributes)
        }
        other => other,
    }
}

/// The value with every attribute that its type has: those that are missing are null.
pub(crate) fn conform(value: Value, ty: &Type) -> Value {
    match (value, ty) {
        (Value::Map(mut entries), Type::Object(attributes)) => Value::Map(
            attributes
                .iter()
                .map(|(name, ty)| (name.clone(), conform(entries.remove(name).unwrap_or(Value::Null), ty)))
                .collect(),
        ),
        (Value::Map(entries), Type::Map(element)) => {
            Value::Map(entries.into_iter().map(|(key, value)| (key, conform(value, element))).collect())
        }
        (Value::List(elements), Type::List(element)) => {
            Value::List(elements.into_iter().map(|value| conform(value, element)).collect())
        }
        (value, _) => value,
    }
}
