//! [`Input`] as JSON: stored intents and golden cases. Numbers keep their digits; an unknown value has no JSON form.

use serde_json::{Map, Number, Value};

use crate::{AttributePath, Input};

/// Why an [`Input`] has no JSON form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoJson {
    /// a value that is known only after apply
    #[error("{0} is known only after apply; it has no JSON form")]
    Unknown(AttributePath),
    /// a number whose text is none
    #[error("{0} holds a text that is no JSON number")]
    Number(AttributePath),
}

impl Input {
    /// The value that a JSON document holds. Objects and maps are the same here.
    #[must_use]
    pub fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::Number(number.to_string()),
            Value::String(text) => Self::String(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Value::Object(members) => {
                Self::Map(members.iter().map(|(name, member)| (name.clone(), Self::from_json(member))).collect())
            }
        }
    }

    /// The JSON document that holds this value.
    ///
    /// # Errors
    ///
    /// Where a value is unknown, or a number is no JSON number.
    pub fn to_json(&self) -> Result<Value, NoJson> {
        self.to_json_at(&AttributePath::default())
    }

    fn to_json_at(&self, path: &AttributePath) -> Result<Value, NoJson> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Unknown => return Err(NoJson::Unknown(path.clone())),
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(text) => Value::Number(text.parse::<Number>().map_err(|_| NoJson::Number(path.clone()))?),
            Self::String(text) => Value::String(text.clone()),
            Self::List(items) => Value::Array(
                items.iter().enumerate().map(|(index, item)| item.to_json_at(&path.index(index))).collect::<Result<_, _>>()?,
            ),
            Self::Map(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, member)| Ok((name.clone(), member.to_json_at(&path.attribute(name))?)))
                    .collect::<Result<Map<_, _>, _>>()?,
            ),
        })
    }
}
