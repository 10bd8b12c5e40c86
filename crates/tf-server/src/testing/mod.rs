//! Core, played in process: plans, applies, refreshes and imports with a real [`Server`](crate::Server), through the real
//! messages and codecs, and judges every answer as core does. No socket, no HCL, thousands of runs per second.
//!
//! ```text
//! JSON or Value → config → Core (ProposedNew, two plans, AssertPlanValid, AssertObjectCompatible) ⇄ messages ⇄ Server
//! ```
//!
//! What core would call a bug of the provider is a *violation*, apart from the provider's own diagnostics, so that a
//! property test can say: whatever happens, never a violation. The whole configuration of a resource is one JSON object;
//! [`unknown`] marks a value that is known only during apply.

mod arrive;
mod client;
mod config;
mod core;
pub mod hostile;
mod life;
mod outcome;
mod proposed;
#[cfg(test)]
mod proposed_tests;
mod schema;

pub use self::core::Core;
pub use config::{Input, unknown};
pub use outcome::{Action, Failure, Instance, Outcome, Plan};
pub use proposed::proposed_new;
