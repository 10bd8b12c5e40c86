//! YAML as Kubernetes uses it: documents that are JSON values.
//!
//! Contract: [`emit()`] then [`load()`] gives back the same JSON, numbers digit by digit. Both halves are our own because no
//! crate keeps that promise: serde front ends read numbers through `f64`, and `12345678901234567890123` would be drift
//! for ever. Parsing itself is granit-parser's (the parser below serde-saphyr): we only turn its events into values.

mod emit;
mod load;
mod scalar;

#[cfg(test)]
mod tests;

pub use emit::emit;
pub use load::{YamlError, load};
