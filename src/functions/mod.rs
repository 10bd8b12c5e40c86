//! Functions: pure texts and values for people and for other resources of a configuration.

use tf_server::FunctionError;
use tf_value::schema::Parameter;
use tf_value::{Type, Value};

pub(crate) mod expand;
pub(crate) mod foresight;
pub(crate) mod manifests;
pub(crate) mod names;
pub(crate) mod role;

/// A parameter that takes a known string.
fn text(name: &str, description: &str) -> Parameter {
    Parameter {
        name: name.to_owned(),
        description: description.to_owned(),
        ty: Type::String,
        allow_null: false,
        allow_unknown: false,
    }
}

/// A parameter that takes any value, parts of which may be unknown.
fn anything(name: &str, description: &str) -> Parameter {
    Parameter { ty: Type::Dynamic, allow_unknown: true, ..text(name, description) }
}

/// The string at a position; core has checked that it is there.
fn text_at(arguments: &[Value], position: usize) -> &str {
    arguments.get(position).and_then(Value::as_str).unwrap_or_default()
}

/// What is wrong with the argument at `position`, in paragraphs without the characters that a terminal obeys.
fn wrong(position: usize, text: impl AsRef<str>) -> FunctionError {
    FunctionError { text: kube_apply::printable(text.as_ref()), argument: i64::try_from(position).ok() }
}

/// A name, or what is wrong with the argument that gives it.
fn name_at<T: std::str::FromStr<Err: std::fmt::Display>>(arguments: &[Value], position: usize) -> Result<T, FunctionError> {
    text_at(arguments, position).parse().map_err(|problem| wrong(position, format!("{problem}.")))
}
