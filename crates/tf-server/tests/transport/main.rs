//! The transport as a core sees it: a process that is started with an environment, says
//! one line, and answers over a socket. The test binary is both sides: started with
//! [`plugin::SWITCH`] set it is a small provider, else it plays the core.

#[cfg(unix)]
mod cases;
#[cfg(unix)]
mod core;
#[cfg(unix)]
mod identity;
mod plugin;

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::var_os(plugin::SWITCH).is_some() {
        return plugin::run();
    }
    run_cases()
}

#[cfg(not(unix))]
fn run_cases() -> ExitCode {
    ExitCode::SUCCESS
}

/// A stand-in for the usual test harness, which would write to the stdout that the
/// handshake line needs.
#[cfg(unix)]
fn run_cases() -> ExitCode {
    use std::io::Write as _;

    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let chosen =
        cases::ALL.iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())));
    let mut failed = Vec::new();
    let mut ran = 0_usize;
    for (name, case) in chosen {
        ran += 1;
        let passed = std::panic::catch_unwind(case).is_ok();
        let word = if passed { "ok" } else { "FAILED" };
        writeln!(std::io::stdout(), "test {name} ... {word}").expect("stdout is open");
        if !passed {
            failed.push(*name);
        }
    }
    writeln!(std::io::stdout(), "{ran} run, failed: {failed:?}").expect("stdout is open");
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
