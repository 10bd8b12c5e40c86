//! `cargo xt bench`: what applies and plans cost. The work is in a crate of its own, compiled only when somebody asks for it.

use crate::workspace::{Workspace, cargo};
use crate::{Problem, Result};

/// Measures with so many objects; with none given, with 10, 100 and 500.
///
/// # Errors
/// When a contestant fails; the benchmark has said which and how.
pub fn run(workspace: &Workspace, sizes: &[&str]) -> Result<()> {
    let mut command = cargo(&workspace.root);
    command.args(["run", "--quiet", "--package", "bench", "--"]).args(sizes);
    let status = command.status().map_err(|error| Problem::new(format!("cannot run cargo: {error}")))?;
    if status.success() { Ok(()) } else { Err(Problem::new("the benchmark failed, see above")) }
}
