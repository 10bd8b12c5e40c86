//! `cargo xt golden`: rewrite the expected files of golden cases, then show what changed.

use std::process::Command;

use crate::term::{Ink, say};
use crate::workspace::{Workspace, cargo};
use crate::{Problem, Result};

/// The switch that golden tests look at.
pub const UPDATE: &str = "UPDATE_GOLDEN";

/// Runs the tests whose names contain `golden` (and `filter`) with the rewrite switch set.
///
/// # Errors
/// When a test fails although it may rewrite, or git cannot be asked.
pub fn run(workspace: &Workspace, filter: &[&str]) -> Result<()> {
    let status = cargo(&workspace.root)
        .args(["test", "--quiet", "--workspace", "--exclude", "acceptance-tests", "--"])
        .args(if filter.is_empty() { &["golden"][..] } else { filter })
        .env(UPDATE, "1")
        .status()
        .map_err(|error| Problem::new(format!("cannot run cargo: {error}")))?;
    if !status.success() {
        return Err(Problem::new("a golden test failed while rewriting, see above"));
    }
    let changed = Command::new("git")
        .current_dir(&workspace.root)
        .args(["status", "--short", "--", "*testdata*"])
        .output()
        .map_err(|error| Problem::new(format!("cannot run git: {error}")))?;
    let text = String::from_utf8_lossy(&changed.stdout);
    let ink = Ink::stdout();
    if text.trim().is_empty() {
        say(&ink.good("no expected file changed"));
    } else {
        say(&format!("{}\n{}", ink.bold("review each of these with git diff:"), text.trim_end()));
    }
    Ok(())
}
