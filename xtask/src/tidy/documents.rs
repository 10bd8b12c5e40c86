//! Documents: invariants name existing tests, decisions are numbered and short, links lead
//! somewhere.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{Clone, Complaints, quoted};
use crate::Result;

/// Longest decision record.
const DECISION_LINES: usize = 120;

/// The sections every decision record has.
const DECISION_SECTIONS: [&str; 4] = ["## Context", "## Decision", "## Consequences", "## Rejected"];

/// Documents that promise to stay short.
const SHORT_DOCUMENTS: [(&str, usize); 2] = [("ARCHITECTURE.md", 250), ("CONTRIBUTING.md", 150)];

/// Every row of the table `invariants` names tests that exist, as `folder::test_name`.
///
/// # Errors
/// When the table or a file cannot be read.
pub fn invariants(clone: &Clone) -> Result<Complaints> {
    tests_exist(clone, "ARCHITECTURE.md", &clone.table("invariants")?)
}

/// The failure matrix.
const FAILURES: &str = "docs/dev/failure-matrix.md";

/// Every row of the failure matrix names tests that exist.
///
/// # Errors
/// When the table or a file cannot be read.
pub fn failures(clone: &Clone) -> Result<Complaints> {
    let text = clone.text(Path::new(FAILURES))?;
    match super::table_of(&text, "failures") {
        Some(rows) if !rows.is_empty() => tests_exist(clone, FAILURES, &rows),
        _ => Ok(vec![format!("{FAILURES}: there is no table between `<!-- failures:begin -->` and its end")]),
    }
}

/// The complaints about other providers.
const COMPLAINTS: &str = "docs/dev/complaints.md";

/// How many of them have a number.
const NUMBERED: usize = 25;

/// Every complaint has a row, in the order of the numbers, and every row names tests that exist.
///
/// # Errors
/// When the table or a file cannot be read.
pub fn complaints(clone: &Clone) -> Result<Complaints> {
    let text = clone.text(Path::new(COMPLAINTS))?;
    let (Some(rows), Some(also)) = (super::table_of(&text, "complaints"), super::table_of(&text, "also")) else {
        return Ok(vec![format!(
            "{COMPLAINTS}: there are no tables between `<!-- complaints:begin -->` and `<!-- also:end -->`"
        )]);
    };
    let numbers: Vec<&str> = rows.iter().filter_map(|row| row.first().map(String::as_str)).collect();
    let wanted: Vec<String> = (1..=NUMBERED).map(|number| number.to_string()).collect();
    let mut complaints = tests_exist(clone, COMPLAINTS, &[rows.as_slice(), also.as_slice()].concat())?;
    if numbers != wanted {
        complaints.push(format!("{COMPLAINTS}: the numbers are {numbers:?}, not 1 to {NUMBERED}"));
    }
    Ok(complaints)
}

/// The last cell of every row names tests that exist.
fn tests_exist(clone: &Clone, document: &str, rows: &[Vec<String>]) -> Result<Complaints> {
    let mut complaints = Complaints::new();
    let mut sources = Vec::new();
    for file in clone.with_extension("rs") {
        sources.push((file, clone.text(file)?));
    }
    for row in rows {
        let [sentence, .., tests] = row.as_slice() else { continue };
        let named = quoted(tests);
        if named.is_empty() {
            complaints.push(format!("{document}: \"{sentence}\" names no test"));
        }
        for test in named {
            let exists = test.split_once("::").is_some_and(|(folder, name)| {
                sources.iter().any(|(file, text)| file.starts_with(folder) && has_test(text, name))
            });
            if !exists {
                complaints.push(format!("{document}: the test `{test}` of \"{sentence}\" does not exist"));
            }
        }
    }
    Ok(complaints)
}

/// Whether the text defines `fn name` as a test, or lists it as a case of a harness of its own
/// (`case!(name)` in the acceptance tests, a line of `cases![…]` elsewhere).
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let (case, line_of_cases) = (format!("case!({name})"), format!("{name},"));
    let is_listed = || {
        let mut list = lines.iter().skip_while(|line| **line != "cases![").take_while(|line| **line != "];");
        text.contains(&case) || list.any(|line| *line == line_of_cases)
    };
    lines.iter().enumerate().any(|(index, line)| {
        let bare = line.trim_start_matches("pub ").trim_start_matches("async ");
        let is_marked = || {
            let above = lines[..index].iter().rev().take_while(|above| above.starts_with("#["));
            above.into_iter().any(|mark| mark.starts_with("#[test]") || mark.starts_with("#[tokio::test"))
        };
        bare.starts_with(&format!("fn {name}(")) && (is_marked() || is_listed())
    })
}

/// Decision records: numbers in one row from 0001, four sections, short.
///
/// # Errors
/// When a file cannot be read.
pub fn decisions(clone: &Clone) -> Result<Complaints> {
    let mut complaints = Complaints::new();
    let records: Vec<&Path> = clone.with_extension("md").filter(|file| file.starts_with("docs/adr")).collect();
    for (index, file) in records.iter().enumerate() {
        let wanted = format!("{:04}-", index + 1);
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with(&wanted) {
            complaints.push(format!("{}: the next number is {wanted}", file.display()));
        }
        let text = clone.text(file)?;
        let missing = DECISION_SECTIONS.iter().filter(|section| !text.lines().any(|line| line == **section));
        complaints.extend(missing.map(|section| format!("{}: no section `{section}`", file.display())));
        if text.lines().count() > DECISION_LINES {
            complaints.push(format!("{}: longer than {DECISION_LINES} lines", file.display()));
        }
    }
    if records.is_empty() {
        complaints.push("docs/adr: no decision is recorded".to_owned());
    }
    for (name, limit) in SHORT_DOCUMENTS {
        let lines = clone.text(Path::new(name))?.lines().count();
        if lines > limit {
            complaints.push(format!("{name}: {lines} lines, it promises at most {limit}"));
        }
    }
    Ok(complaints)
}

/// Relative links of our own documents lead to files of the clone.
///
/// # Errors
/// When a file cannot be read.
pub fn links(clone: &Clone) -> Result<Complaints> {
    let known: BTreeSet<&Path> = clone.files.iter().flat_map(|file| file.ancestors()).collect();
    let mut complaints = Complaints::new();
    for file in clone.with_extension("md") {
        let text = clone.text(file)?;
        for target in relative_links(&text) {
            let path = normal(&file.parent().unwrap_or(Path::new("")).join(target));
            if !known.contains(path.as_path()) {
                complaints.push(format!("{}: the link to `{target}` leads nowhere", file.display()));
            }
        }
    }
    Ok(complaints)
}

/// Targets of `](…)` that are files: no scheme, no bare anchor.
fn relative_links(text: &str) -> Vec<&str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// The path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                result.pop();
            }
            Component::CurDir => {}
            other => result.push(other),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_a_test_only_when_marked() {
        let text = "#[test]\nfn one() {}\nfn two() {}\n#[test]\n#[allow(x)]\nfn three() {}\nfn five(x: &X) {}\nuse case!(five)\n";
        assert!(has_test(text, "one"));
        assert!(!has_test(text, "two"));
        assert!(has_test(text, "three"));
        assert!(!has_test(text, "four"));
        assert!(has_test(text, "five"));
        let text = "cases![\n    six,\n];\nfn six() {}\nfn seven() {}\n";
        assert!(has_test(text, "six"));
        assert!(!has_test(text, "seven"));
    }

    #[test]
    fn only_links_to_files_are_followed() {
        let text = "[a](x.md#y) [b](https://example.com) [c](#here) [d](../z)";
        assert_eq!(relative_links(text), ["x.md", "../z"]);
        assert_eq!(normal(Path::new("docs/adr/../x.md")), PathBuf::from("docs/x.md"));
    }
}
