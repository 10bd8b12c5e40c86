//! The product as users type it: provider block, resources, data sources, functions.
//!
//! ```text
//! Value → input → mesh-model (decode) → mesh-translate → istio-objects (seal, fold) → planned state
//!                                                        planned state → kube-apply (preflight, waves) → state
//! ```
//!
//! This room joins the others per Terraform lifecycle; it alone sees both Terraform values and mesh terms.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use tf_server::transport::{Mode, Options};
use tokio_util::sync::CancellationToken;

mod catalog;
mod connection;
mod cook;
mod data_sources;
mod foresight;
mod functions;
mod input;
mod lifecycle;
mod provider;
mod resources;
mod schema;
mod session;
mod settings;
mod stored_intent;

pub use provider::{Decorate, Gloo};

/// Runs the binary with its arguments: none (a core started it), `--debug` (a person did, and wants to attach), or
/// `--version`.
#[must_use]
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    run_with(Gloo::new(), arguments)
}

/// [`run`] with a provider of the caller's making.
#[must_use]
pub fn run_with(provider: Gloo, mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let mode = match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Mode::Plugin,
        (Some("--debug" | "-debug"), None) => Mode::Debug,
        (Some("--version"), None) => {
            let said = writeln!(std::io::stdout(), "terraform-provider-gloo {}", env!("CARGO_PKG_VERSION"));
            return if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        (Some(argument), _) => {
            // nobody to tell when stderr is gone
            let _ = writeln!(
                std::io::stderr(),
                "{argument:?} is no argument of this provider. Terraform and OpenTofu start it without any; `--debug` lets them attach to it, `--version` says which one it is."
            );
            return ExitCode::FAILURE;
        }
    };
    let options = Options { name: "gloo", source: "example/gloo", mode, leaving: CancellationToken::new() };
    tf_server::serve(Arc::new(provider), options)
}
