//! `cargo xt golden`: rewrite the expected files of golden cases, then show what changed.

use std::process::Command;

use crate::term::{Ink, say};
use crate::workspace::{Workspace, cargo};
use crate::{Problem, Result};

/// The switch that golden tests look at.
const UPDATE: &str = "UPDATE_GOLDEN";

/// A test binary that compares with expected files.
struct Runner {
    package: &'static str,
    test: &'static str,
    /// Which of its tests do; empty where all do and words choose cases.
    only: &'static str,
}

const RUNNERS: [Runner; 3] = [
    Runner { package: "mesh-translate", test: "golden", only: "" },
    Runner { package: "mesh-discovery", test: "it", only: "golden::" },
    // the guide of findings
    Runner { package: "mesh-model", test: "it", only: "catalogue::the_guide" },
];

/// Runs the golden tests with the rewrite switch set. `filter` holds parts of case names, for the
/// runners that know their cases by name; the others run whole.
///
/// # Errors
/// When a test fails although it may rewrite, or git cannot be asked.
pub fn run(workspace: &Workspace, filter: &[&str]) -> Result<()> {
    for Runner { package, test, only } in RUNNERS {
        let words = if only.is_empty() { filter } else { &[only][..] };
        let status = cargo(&workspace.root)
            .args(["test", "--quiet", "--package", package, "--test", test, "--"])
            .args(words)
            .env(UPDATE, "1")
            .status()
            .map_err(|error| Problem::new(format!("cannot run cargo: {error}")))?;
        if !status.success() {
            return Err(Problem::new(format!("a golden test of {package} failed while rewriting, see above")));
        }
    }
    let changed = Command::new("git")
        .current_dir(&workspace.root)
        .args(["status", "--short", "--untracked-files=all", "--", "*/testdata/*", "templates/guides"])
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
