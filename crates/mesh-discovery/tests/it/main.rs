//! Golden cases and properties of discovery.

// unwrap: a test that cannot go on has failed
#![allow(clippy::unwrap_used)]

mod cases;
mod golden;
mod hostile;
mod shape;
mod slow_facts;
