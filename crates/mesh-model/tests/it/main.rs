//! Decoding and encoding, seen from outside.

mod accepted;
mod catalogue;
mod errors;
mod example;
mod mesh;
mod properties;
mod subsets;
mod unknown;
