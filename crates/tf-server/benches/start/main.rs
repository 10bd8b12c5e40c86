//! `cargo bench -p tf-server -- <provider>`: what a core waits for before it can ask a provider for anything, and what the
//! provider takes while it is at rest. Each figure is the median of some starts.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

#[cfg(unix)]
#[expect(dead_code, reason = "the tests look closer")]
#[path = "../../tests/transport/core.rs"]
mod core;
#[cfg(unix)]
#[path = "../../tests/transport/identity.rs"]
mod identity;
#[cfg(unix)]
mod measure;

/// What is started, in the place of the small provider of the tests.
#[cfg(unix)]
mod plugin {
    use std::path::PathBuf;

    /// A variable that means nothing to it.
    pub(crate) const SWITCH: &str = "BENCHMARK";

    pub(crate) fn program() -> PathBuf {
        std::env::args().skip(1).find(|argument| argument.starts_with('/')).expect("the path of a provider, from /").into()
    }
}

fn main() {
    #[cfg(unix)]
    measure::run();
}
