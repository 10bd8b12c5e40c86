//! Speaks go-plugin and Terraform's plugin protocol 6, so that a provider sees only values.
//!
//! ```text
//! core ── gRPC ── transport ── rpc (one file per call) ── plan engine ── dyn Provider / Resource / DataSource / Function
//! ```

mod provider;
pub mod transport;

pub use provider::*;
