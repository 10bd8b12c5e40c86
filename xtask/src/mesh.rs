//! `cargo xt replay`, `live` and `record`: what the objects do in a mesh. The work is in a test binary of the acceptance tests.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::tools::on_path;
use crate::workspace::{Workspace, cargo};
use crate::{Problem, Result};

/// The variable that names istiod's program.
pub const VARIABLE: &str = "GLOO_TEST_PILOT_DISCOVERY";

/// Printed where there is none.
pub const NO_ISTIOD: &str = "NOT RUN: the live mesh. It needs istiod's program pilot-discovery, which no registry has: \
     put it on PATH or name it in GLOO_TEST_PILOT_DISCOVERY. Recordings of it are played without it: cargo xt replay";

/// istiod's program: the one that the variable names, else `pilot-discovery` from PATH.
pub fn pilot_discovery() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    named.or_else(|| on_path("pilot-discovery"))
}

/// Runs the mesh cases in this mode, those whose names contain a filter.
///
/// # Errors
/// When cargo cannot be run; a failing case is an exit code.
pub fn run(workspace: &Workspace, mode: &str, filters: &[&str]) -> Result<ExitCode> {
    let mut command = cargo(&workspace.root);
    command.args(["test", "--quiet", "--package", "acceptance-tests", "--test", "mesh", "--", mode]).args(filters);
    let status = command.status().map_err(|error| Problem::new(format!("cannot run cargo: {error}")))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
