//! Whether a value is one of a type.

use std::collections::BTreeMap;

use crate::codec::{CodecError, attribute, index, key};
use crate::{Type, Value};

impl Value {
    /// Checks that this is a value of type `ty`: right kinds, exactly the attributes of each object, sets as
    /// [`Value::set`] builds them.
    ///
    /// # Errors
    /// The first place that does not conform.
    pub fn conform(&self, ty: &Type) -> Result<(), CodecError> {
        match (ty, self) {
            (_, Self::Null | Self::Unknown(_))
            | (Type::Bool, Self::Bool(_))
            | (Type::Number, Self::Number(_))
            | (Type::String, Self::String(_)) => Ok(()),
            (Type::List(_), Self::List(elements)) => conform_elements(ty, elements),
            (Type::Tuple(types), Self::List(elements)) if types.len() == elements.len() => conform_elements(ty, elements),
            (Type::Set(_), Self::Set(elements)) => {
                let in_order = |pair: &[Self]| pair[0] < pair[1] || pair[0] == pair[1] && !pair[0].is_wholly_known();
                if !elements.windows(2).all(in_order) {
                    return Err(CodecError::new("the elements of the set are not in canonical order, or repeated"));
                }
                conform_elements(ty, elements).map_err(CodecError::inside_set)
            }
            (Type::Map(element), Self::Map(entries)) => {
                entries.iter().try_for_each(|(name, value)| value.conform(element).map_err(|error| error.inside(key(name))))
            }
            (Type::Object(attributes), Self::Map(entries)) => {
                self.check_attributes(attributes)?;
                entries
                    .iter()
                    .zip(attributes.values())
                    .try_for_each(|((name, value), ty)| value.conform(ty).map_err(|error| error.inside(attribute(name))))
            }
            (Type::Dynamic, Self::Dynamic(inner)) if inner.0 != Type::Dynamic => inner.1.conform(&inner.0),
            _ => Err(self.mismatch(ty)),
        }
    }

    /// That this known object has exactly `attributes`; then both iterate in step.
    pub(crate) fn check_attributes(&self, attributes: &BTreeMap<String, Type>) -> Result<(), CodecError> {
        let Self::Map(entries) = self else { return Err(self.mismatch(&Type::Object(attributes.clone()))) };
        if let Some(extra) = entries.keys().find(|name| !attributes.contains_key(*name)) {
            return Err(CodecError::new(format!("the object has an attribute {extra:?}, which its type lacks")));
        }
        match attributes.keys().find(|name| !entries.contains_key(*name)) {
            Some(missing) => Err(CodecError::new("the object lacks this attribute").inside(attribute(missing))),
            None => Ok(()),
        }
    }

    pub(crate) fn mismatch(&self, ty: &Type) -> CodecError {
        let found = match self {
            Self::Null => "null",
            Self::Unknown(_) => "an unknown value",
            Self::Bool(_) => "a bool",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(elements) => return CodecError::expected(ty, format_args!("{} elements in order", elements.len())),
            Self::Set(_) => "a set",
            Self::Map(_) => "a map or object",
            Self::Dynamic(_) => "a dynamic value",
        };
        CodecError::expected(ty, found)
    }
}

fn conform_elements(ty: &Type, elements: &[Value]) -> Result<(), CodecError> {
    elements.iter().enumerate().try_for_each(|(position, element)| match ty.element(position) {
        Some(ty) => element.conform(ty).map_err(|error| error.inside(index(position))),
        None => Err(element.mismatch(ty)),
    })
}
