//! `rig`: the supervisor of real clusters, and two clusters for a person.

use std::path::Path;
use std::process::{Command, ExitCode};

use xtask::term::{Ink, note};
use xtask::{Problem, Result};

const USAGE: &str = "\
rig dev [FOLDER]      two running clusters and a wired CLI, until Ctrl-C (as `cargo xt dev`)
rig run CLUSTERS COMMAND ARGUMENTS
                      runs a command beside clusters (names with commas between); GLOO_TEST_KUBECONFIG names their kubeconfig
rig supervise ROOMS   starts and stops programs as its input says; for the tests
rig exec PID PROGRAM  becomes the program, which ends with the supervisor PID; for the supervisor
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["dev"] => rig::dev::run(None),
        ["dev", folder] => rig::dev::run(Some(Path::new(folder))),
        ["run", clusters, command @ ..] => match run(clusters, command) {
            Ok(status) => return status,
            Err(problem) => Err(problem),
        },
        ["supervise", rooms] => rig::supervise::supervise(Path::new(rooms)),
        ["exec", command @ ..] => rig::supervise::exec(command),
        _ => Err(Problem::new(format!("which command?\n\n{USAGE}"))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            note(&format!("{} {problem}", Ink::stderr().bad("error:")));
            ExitCode::FAILURE
        }
    }
}

/// Runs a command while clusters run; its verdict is the result.
fn run(clusters: &str, command: &[&str]) -> Result<ExitCode> {
    let [program, arguments @ ..] = command else { return Err(Problem::new(format!("which command?\n\n{USAGE}"))) };
    let rig = rig::Rig::start(&clusters.split(',').collect::<Vec<_>>())?;
    // a private folder, which goes with the cluster
    let folder = rig.clusters().next().ok_or_else(|| Problem::new("no cluster was named"))?.folder().to_path_buf();
    let kubeconfig = folder.join("kubeconfig-of-all");
    rig.write_kubeconfig(&kubeconfig)?;
    let status = Command::new(program).args(arguments).env("GLOO_TEST_KUBECONFIG", &kubeconfig).status();
    let status = status.map_err(|error| Problem::new(format!("cannot run {program}: {error}")))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
