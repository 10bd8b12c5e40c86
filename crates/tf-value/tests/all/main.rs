//! Tests of the public contract of this crate.

#![allow(clippy::unwrap_used)]

mod hostile;
mod json;
mod msgpack;
mod number;
mod properties;
mod schema;
mod value;
