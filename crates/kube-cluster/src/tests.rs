//! Tests against a server in this process, and against a real one where there is one.
#![allow(clippy::unwrap_used)]

mod connecting;
mod differential;
mod economy;
mod fake;
mod objects;
mod real;
mod requests;
mod role;
pub(crate) mod support;
mod ways;
