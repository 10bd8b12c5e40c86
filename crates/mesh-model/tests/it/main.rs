//! Decoding and encoding, seen from outside.

mod accepted;
mod catalogue;
mod errors;
mod example;
mod properties;
mod unknown;
