//! `rig`: the supervisor of real clusters, and two clusters for a person.

use std::path::Path;
use std::process::ExitCode;

use xtask::Problem;
use xtask::term::{Ink, note};

const USAGE: &str = "\
rig dev [FOLDER]      two running clusters and a wired CLI, until Ctrl-C (as `cargo xt dev`)
rig supervise ROOMS   starts and stops programs as its input says; for the tests
rig exec PID PROGRAM  becomes the program, which ends with the supervisor PID; for the supervisor
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["dev"] => rig::dev::run(None),
        ["dev", folder] => rig::dev::run(Some(Path::new(folder))),
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
