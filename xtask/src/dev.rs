//! `cargo xt dev`: two running clusters for a person. The work is the rig's, in a crate with more dependencies than this one
//! may have, so that it is compiled only when somebody asks for it.

use crate::workspace::{Workspace, cargo};
use crate::{Problem, Result};

/// Runs until Ctrl-C, which the terminal sends to all of us: the rig ends its clusters, then cargo and we end.
///
/// # Errors
/// When the clusters cannot be started.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut command = cargo(&workspace.root);
    command.args(["run", "--quiet", "--package", "rig", "--", "dev"]);
    become_it(command)
}

/// On Unix nothing of us stays between the terminal and the rig: who waits would end at Ctrl-C before the rig has.
#[cfg(unix)]
fn become_it(mut command: std::process::Command) -> Result<()> {
    use std::os::unix::process::CommandExt as _;
    Err(Problem::new(format!("cannot run cargo: {}", command.exec())))
}

#[cfg(not(unix))]
fn become_it(_command: std::process::Command) -> Result<()> {
    Err(Problem::new("real clusters need a Unix system: their servers are plain processes with signals and process groups"))
}
