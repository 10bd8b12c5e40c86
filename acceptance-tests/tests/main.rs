//! The one acceptance binary: `cargo test -p acceptance-tests --test main -- [text] [--list]`.

mod cases;

use std::process::ExitCode;

fn main() -> ExitCode {
    acceptance_tests::suite::main(cases::all())
}
