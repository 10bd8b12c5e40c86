//! The mesh binary: `cargo test -p acceptance-tests --test mesh -- [replay|live|record] [text] [--list]`.
//!
//! ```text
//! live     terraform apply ─► API servers ─► istiod ─► Envoy ◄─ traffic      needs pilot-discovery
//! record   the same, and what istiod told the proxies is kept in acceptance-tests/recordings, the timeline as a picture
//! replay   recordings ─► Envoy ◄─ the same traffic                           everywhere; without a word it is this
//! ```
//!
//! Replay also compares what the provider foretells with what happens, in random situations.
//!
//! A recording carries a digest of the objects that it was made with: replay plans the same configuration, and a recording of
//! other objects fails.

mod brownfield;
mod changes;
mod check;
mod config;
mod exports;
mod foreign;
mod foreseen;
mod hostnames;
mod live;
mod ports;
mod replay;
mod report;
mod scenarios;
mod services;
mod spread;
mod start;
mod subsets;
mod timeline;
mod traps;

use std::process::ExitCode;

use xtask::term::{Ink, say};

fn main() -> ExitCode {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !matches!(word.as_str(), "--quiet" | "-q" | "--nocapture")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["live", filters @ ..] => live::run(filters, false),
        ["record", filters @ ..] => live::run(filters, true),
        ["hold"] => start::hold(),
        ["replay", filters @ ..] | filters => replay::run(filters),
    };
    done.unwrap_or_else(|problem| {
        say(&format!("{} {problem}", Ink::stdout().bad("error:")));
        ExitCode::FAILURE
    })
}
