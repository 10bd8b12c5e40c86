//! The rules of the house that the compiler does not know.
//!
//! Each rule is a function from the clone to complaints; each complaint names a file and what to
//! do. The rules run behind `cargo xt tidy` and, one test each, under `cargo test`.
//!
//! | rules | say |
//! |---|---|
//! | [`arrows`] | crates depend only as the tables in ARCHITECTURE.md allow |
//! | [`files`] | file length, module tree, top level, machine paths, examples |
//! | [`documents`] | invariants, failures and complaints name tests, decisions are numbered, links lead somewhere |
//! | [`purity`] | pure crates use no clock, environment, file, network, thread |

pub mod arrows;
pub mod documents;
pub mod files;
pub mod purity;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::term::{Ink, say};
use crate::workspace::Workspace;
use crate::{Problem, Result};

/// What a rule found wrong: empty when all is well.
pub type Complaints = Vec<String>;

/// One rule.
pub type Rule = fn(&Clone) -> Result<Complaints>;

/// Every rule with its name.
pub const RULES: [(&str, Rule); 13] = [
    ("arrows between crates", arrows::internal),
    ("who may use which foreign crate", arrows::external),
    ("file length", files::length),
    ("every source file is in the module tree", files::orphans),
    ("top level", files::top_level),
    ("no machine paths", files::machine_paths),
    ("examples", files::examples),
    ("pure crates", purity::pure_crates),
    ("invariants name their tests", documents::invariants),
    ("the failure matrix names its tests", documents::failures),
    ("every complaint has its tests", documents::complaints),
    ("decisions", documents::decisions),
    ("links in documents", documents::links),
];

/// The clone as the rules see it.
#[derive(Debug)]
pub struct Clone {
    /// The workspace.
    pub workspace: Workspace,
    /// Every file that git tracks or would track, relative to the root, sorted.
    pub files: Vec<PathBuf>,
}

impl Clone {
    /// Reads the list of files.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn read(workspace: Workspace) -> Result<Self> {
        let output = Command::new("git")
            .current_dir(&workspace.root)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .map_err(|error| Problem::new(format!("cannot run git: {error}. Install git and repeat.")))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(Problem::new(format!("git does not list the files:\n{text}")));
        }
        let mut files: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout)
            .split('\0')
            .filter(|name| !name.is_empty())
            .map(PathBuf::from)
            // a file deleted but not yet staged is still listed
            .filter(|file| workspace.root.join(file).is_file())
            .collect();
        files.sort();
        files.dedup();
        Ok(Self { workspace, files })
    }

    /// The text of a tracked file; bytes that are no UTF-8 are replaced.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&self, file: &Path) -> Result<String> {
        let path = self.workspace.root.join(file);
        let bytes = std::fs::read(&path).map_err(Problem::file("read", &path))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The tracked files whose names end in `.extension`.
    pub fn with_extension<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = &'a Path> {
        self.files.iter().map(PathBuf::as_path).filter(move |file| file.extension().is_some_and(|found| found == extension))
    }

    /// A table of ARCHITECTURE.md: the rows between two markers, cells trimmed.
    ///
    /// # Errors
    /// When the file or the markers are missing.
    pub fn table(&self, name: &str) -> Result<Vec<Vec<String>>> {
        table_of(&self.text(Path::new("ARCHITECTURE.md"))?, name).ok_or_else(|| {
            Problem::new(format!("ARCHITECTURE.md has no table between `<!-- {name}:begin -->` and `<!-- {name}:end -->`"))
        })
    }
}

fn table_of(text: &str, name: &str) -> Option<Vec<Vec<String>>> {
    let (_, rest) = text.split_once(&format!("<!-- {name}:begin -->"))?;
    let (table, _) = rest.split_once(&format!("<!-- {name}:end -->"))?;
    let rows = table
        .lines()
        .filter(|line| line.starts_with('|'))
        // the header and the line below it
        .skip(2)
        .map(|line| line.trim().trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    Some(rows)
}

/// The words in back quotes of a table cell.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// Runs every rule and prints what is wrong.
///
/// # Errors
/// When a rule complains, or cannot run.
pub fn run(workspace: &Workspace) -> Result<()> {
    let clone = Clone::read(workspace.clone())?;
    let ink = Ink::stdout();
    let mut count = 0;
    for (name, rule) in RULES {
        let complaints = rule(&clone)?;
        let verdict = if complaints.is_empty() { ink.good("ok") } else { ink.bad("broken") };
        say(&format!("{name:<42} {verdict}"));
        for complaint in &complaints {
            say(&format!("  {complaint}"));
        }
        count += complaints.len();
    }
    if count == 0 { Ok(()) } else { Err(Problem::new(format!("{count} breaches of the rules of the house"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_between_their_markers() {
        let text = "x\n<!-- t:begin -->\n| a | b |\n|---|---|\n| `one` | `two`, `three` |\n<!-- t:end -->\n| no |\n";
        let rows = table_of(text, "t").expect("the markers are there");
        assert_eq!(rows, vec![vec!["`one`".to_owned(), "`two`, `three`".to_owned()]]);
        assert_eq!(quoted(&rows[0][1]), ["two", "three"]);
        assert_eq!(table_of(text, "u"), None);
    }
}
