//! Tests of the wire contract.

mod facts;
mod wire;
