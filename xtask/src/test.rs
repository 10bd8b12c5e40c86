//! `cargo xt test`: every check there is, cheapest first, one line each.
//!
//! Invariant: the run stops at the first failure and prints the one command that repeats it.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::cli::Cli;
use crate::mesh::{NO_ISTIOD, pilot_discovery};
use crate::term::{Ink, say, say_part, spoken};
use crate::workspace::{Workspace, cargo};
use crate::{Problem, Result, tools};

struct Step {
    name: &'static str,
    /// Arguments of cargo; also the command to repeat.
    cargo: &'static [&'static str],
}

const STEPS: [Step; 16] = [
    Step { name: "format", cargo: &["fmt", "--all", "--check"] },
    Step { name: "tidy", cargo: &["xt", "tidy"] },
    Step { name: "wire code is fresh", cargo: &["xt", "codegen", "--check"] },
    Step {
        name: "clippy",
        cargo: &["clippy", "--quiet", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"],
    },
    Step {
        name: "unit, golden and property tests",
        cargo: &["test", "--quiet", "--workspace", "--exclude", "acceptance-tests", "--exclude", "rig"],
    },
    Step {
        name: "public documentation",
        cargo: &["doc", "--quiet", "--workspace", "--all-features", "--no-deps", "--document-private-items"],
    },
    Step { name: "provider builds", cargo: &["build", "--quiet", "--package", "terraform-provider-gloo"] },
    Step { name: "test tools", cargo: &["xt", "tools"] },
    Step { name: "rig of real API servers", cargo: &["test", "--quiet", "--package", "rig"] },
    Step { name: "provider on a real API server", cargo: ON_A_SERVER },
    Step { name: "lifecycle on real API servers", cargo: ON_SERVERS },
    Step { name: "registry docs are fresh and valid", cargo: &["xt", "docs", "--check"] },
    Step { name: "acceptance harness", cargo: &["test", "--quiet", "--package", "acceptance-tests", "--lib"] },
    Step {
        name: "examples are planned",
        cargo: &["test", "--quiet", "--package", "acceptance-tests", "--test", "main", "--", "--site", "folders", EXAMPLES],
    },
    Step { name: "recordings on a real Envoy", cargo: RECORDINGS },
    Step { name: "acceptance with the real CLIs", cargo: ON_FOLDERS },
];

/// Seed of random tests: one commit has one verdict, wherever it is tested. `cargo test` takes a new one each time.
const SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "1");

/// What istiod told proxies, told again; as `cargo xt replay`.
const RECORDINGS: &[&str] = &["test", "--quiet", "--package", "acceptance-tests", "--test", "mesh", "--", "replay"];

/// Acceptance cases whose clusters are API servers.
const ON_SERVERS: &[&str] = &["test", "--quiet", "--package", "acceptance-tests", "--test", "main", "--", "--site", "servers"];

/// The others, without those that ran before.
const ON_FOLDERS: &[&str] =
    &["test", "--quiet", "--package", "acceptance-tests", "--test", "main", "--", "--site", "folders", "--except", EXAMPLES];

/// The first part of the names of cases that plan an example.
const EXAMPLES: &str = "examples::";

/// Tests that say `NOT TESTED` without a real API server.
const ON_A_SERVER: &[&str] = &[
    "run",
    "--quiet",
    "--package",
    "rig",
    "--",
    "run",
    "east,west",
    "cargo",
    "test",
    "--quiet",
    "--package",
    "kube-cluster",
    "--package",
    "terraform-provider-gloo",
    "--",
    "real_api_server",
];

/// Runs the steps.
///
/// # Errors
/// When no step could be tried; a failing step is an exit code.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    let ink = Ink::stdout();
    let logs = workspace.target.join("xt-test");
    std::fs::create_dir_all(&logs).map_err(Problem::file("create", &logs))?;
    let has_terraform = announce_terraform(ink)?;
    // asked for now: later steps build this binary anew, and its old file has no name then
    let this = std::env::current_exe().map_err(|error| Problem::new(format!("cannot find myself: {error}")))?;

    let width = STEPS.iter().map(|step| step.name.len()).max().unwrap_or_default();
    let start = Instant::now();
    for (index, step) in STEPS.iter().enumerate() {
        say_part(&format!("{:width$}  ", step.name));
        let log = logs.join(format!("{:02}-{}.log", index + 1, step.name.replace([' ', ','], "-")));
        let begun = Instant::now();
        let passed = run_step(workspace, &this, step, &log)?;
        report(ink, passed, begun.elapsed());
        if !passed {
            say(&std::fs::read_to_string(&log).unwrap_or_default());
            let seed = if step.cargo[0] == "test" { format!("{}={} ", SEED.0, SEED.1) } else { String::new() };
            say(&format!("{} {seed}cargo {}", ink.bold("repeat with:"), shell_words(step.cargo)));
            say(&format!("{} {}", ink.dim("all output: "), log.display()));
            let left = STEPS.len() - index - 1;
            if left > 0 {
                say(&ink.loud(&format!("{left} steps after it were not run")));
            }
            say(&format!("{index} passed, 1 failed"));
            return Ok(ExitCode::FAILURE);
        }
    }
    say(&format!("{} {}", ink.dim("all steps:"), spoken(start.elapsed())));
    if !has_terraform {
        say(&ink.loud(tools::NO_TERRAFORM));
    }
    announce_mesh(ink);
    say(&format!("{} passed, 0 failed", STEPS.len()));
    Ok(ExitCode::SUCCESS)
}

/// Says before the long wait what will not be tested; in CI that is a failure at once.
fn announce_terraform(ink: Ink) -> Result<bool> {
    if let Some(cli) = Cli::terraform()? {
        say(&format!("{} {cli} from PATH, OpenTofu as built", ink.dim("CLIs:")));
        return Ok(true);
    }
    if tools::is_ci() {
        return Err(Problem::new(tools::NO_TERRAFORM));
    }
    say(&ink.loud(tools::NO_TERRAFORM));
    Ok(false)
}

/// The live mesh is no step: where istiod is missing it would look as if it had passed.
fn announce_mesh(ink: Ink) {
    match pilot_discovery() {
        Some(_) => say(&ink.dim("live mesh: not in this run, there is istiod for it: cargo xt live")),
        None => say(&ink.loud(NO_ISTIOD)),
    }
}

fn run_step(workspace: &Workspace, this: &Path, step: &Step, log: &Path) -> Result<bool> {
    let output = std::fs::File::create(log).map_err(Problem::file("write", log))?;
    let errors = output.try_clone().map_err(Problem::file("write", log))?;
    let mut command = match step.cargo {
        // ourselves, without another cargo in between
        ["xt", rest @ ..] => {
            let mut command = Command::new(this);
            command.current_dir(&workspace.root).args(rest);
            command
        }
        arguments => {
            let mut command = cargo(&workspace.root);
            command.args(arguments).env("RUSTDOCFLAGS", "-D warnings").env(SEED.0, SEED.1);
            command
        }
    };
    let status = command
        .stdout(output)
        .stderr(errors)
        .status()
        .map_err(|error| Problem::new(format!("cannot run the step `{}`: {error}", step.name)))?;
    Ok(status.success())
}

fn report(ink: Ink, passed: bool, time: Duration) {
    let verdict = if passed { ink.good("ok    ") } else { ink.bad("FAILED") };
    say(&format!("{verdict}  {}", ink.dim(&spoken(time))));
}

fn shell_words(words: &[&str]) -> String {
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_own_name_and_command() {
        for (index, step) in STEPS.iter().enumerate() {
            for other in &STEPS[index + 1..] {
                assert_ne!(step.name, other.name);
                assert_ne!(step.cargo, other.cargo);
            }
        }
    }

    #[test]
    fn no_word_needs_quoting_to_be_repeated_in_a_shell() {
        let safe = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-:_=./,".contains(c));
        for step in STEPS {
            assert!(step.cargo.iter().all(safe), "{}", step.name);
        }
    }
}
