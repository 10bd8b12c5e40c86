//! The project's tools: everything behind `cargo xt`, as a library, so that the acceptance
//! tests find the same CLIs in the same way.
//!
//! ```text
//! main.rs → test | bench | quickstart | dev | docs | golden | mesh | release | tidy | tools     one command each
//!              └──── tools (find or build) · cli (run terraform, tofu) · term (print)
//! ```
//!
//! Invariant: nothing here is linked into the provider, and nothing here knows Istio.

pub mod bench;
pub mod cli;
pub mod dev;
pub mod docs;
pub mod golden;
pub mod mesh;
pub mod problem;
pub mod quickstart;
pub mod release;
pub mod soak;
pub mod term;
pub mod test;
pub mod tidy;
pub mod tools;
pub mod wheel;
pub mod workspace;

pub use problem::{Problem, Result};
