//! Numbers as an API server reads them from an applied object.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// Whole numbers beyond this are doubles there: `2^63`.
const WHOLE: f64 = 9_223_372_036_854_775_808.0;

/// A number of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Num {
    /// a whole one of 64 bits, however it is written: `1.0` and `1e3` are whole
    Int(i64),
    /// any other
    Float(f64),
}

impl Num {
    pub(crate) fn of(number: &Number) -> Self {
        if let Some(int) = number.as_i64() {
            return Self::Int(int);
        }
        // any text of a JSON number is one of Rust
        let float = number.to_string().parse::<f64>().unwrap_or(f64::NAN);
        if float.fract() == 0.0 && (-WHOLE..WHOLE).contains(&float) {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
            return Self::Int(float as i64);
        }
        Self::Float(float)
    }

    #[expect(clippy::cast_precision_loss, reason = "as a double, like there")]
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Int(int) => int as f64,
            Self::Float(float) => float,
        }
    }

    /// Compares by value; `None` with no number.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (a, b) => a.as_f64().partial_cmp(&b.as_f64()),
        }
    }
}

/// Whether two values are one: numbers by value, objects without an order.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Num::of(a).compare(Num::of(b)) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// What a value is, for people.
pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
