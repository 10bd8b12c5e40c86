//! What is foretold, beside what was seen on running meshes, and beside what intents ask for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod divided;
mod experiments;
#[path = "../../../mesh-translate/tests/properties/failover.rs"]
mod failover;
#[path = "../../../mesh-translate/tests/properties/fleet.rs"]
#[allow(dead_code, reason = "the other properties use the rest of it")]
mod fleet;
mod localities;
mod minimality;
mod named;
mod passage;
mod ranks;
mod rig;
mod table;
