//! Speaks go-plugin and Terraform's plugin protocol 6, so that a provider sees only values.
//!
//! ```text
//! core ── gRPC ── transport ── rpc (one file per call) ── plan engine ── dyn Provider / Resource / DataSource / Function
//! ```
//!
//! [`Server`] is the service; `convert` alone sees messages of the wire, `oracle` knows core's rules about plans and
//! results, and `testing` (feature `testing`) plays core in process.

use std::process::ExitCode;
use std::sync::Arc;

mod convert;
mod identity;
pub mod oracle;
mod plan;
mod provider;
mod rpc;
mod server;
mod service;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod transport;
mod wire;
mod write_only;

pub use provider::*;
pub use server::Server;
pub use write_only::write_only_change;

/// Serves `provider` to the core that started this process; see [`transport::serve`]. Its calls are cancelled when core
/// asks for it, and when the process is about to leave.
#[must_use]
pub fn serve(provider: Arc<dyn Provider>, options: transport::Options) -> ExitCode {
    transport::serve(Server::until(provider, options.leaving.clone()), options)
}

/// A message about something that only a bug can cause.
fn bug(detail: impl std::fmt::Display) -> tf_value::Diagnostic {
    tf_value::Diagnostic::error("Bug in the provider", format!("{detail} Please report this to the provider's developers."))
}
