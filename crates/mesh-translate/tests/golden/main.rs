//! Golden cases: `testdata/<feature>/<case>/in.yaml` becomes `out.yaml` (manifests by key) and `findings.txt`, byte for byte.
//!
//! `in.yaml` holds the attributes of a `gloo_virtual_destination` (`intent`) or of a `gloo_virtual_mesh` (`mesh`) as they are
//! written in HCL. `base: <name>` starts from `testdata/base/<name>.yaml`, over which they are laid as a JSON merge patch (a map adds or replaces members, `null`
//! removes one, a list replaces the list). The string `(unknown)` is a value that is known only after apply; in `out.yaml` such
//! a leaf reads `(known after apply: <attribute>)`. `inventories` holds what is live in clusters, as lists of objects.
//!
//! Every code of translation and of the judgement of inventories has a case that shows it and a case that just misses it: one
//! step from the former, with `near: GM2014` (or a list of codes) and without `out.yaml`. A near miss fails when the finding
//! appears, or anything is refused; all cases together fail when a code lacks one of the two (`proof.rs`).
//!
//! `UPDATE_GOLDEN=1 cargo test -p mesh-translate --test golden` rewrites both outputs and removes what belongs to no case. Any
//! argument that is no option filters cases by a part of their name.

#![allow(clippy::print_stdout, reason = "a test harness reports on standard output")]

mod case;
mod inventory;
mod proof;
mod yaml;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let cases = cases(&root);
    let mut failed = Vec::new();
    let mut ran = 0;
    let (mut shown, mut near) = (BTreeSet::new(), BTreeSet::new());
    for (name, folder) in &cases {
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        if arguments.iter().any(|argument| argument == "--list") {
            println!("{name}: test");
            continue;
        }
        ran += 1;
        let checked = case::run(&root, folder).and_then(|outcome| {
            shown.extend(&outcome.shown);
            near.extend(&outcome.near);
            check(folder, outcome, update)
        });
        match checked {
            Ok(()) => println!("test {name} ... ok"),
            Err(difference) => {
                println!("test {name} ... FAILED");
                failed.push((name, difference));
            }
        }
    }
    let mut missing = Vec::new();
    if filters.is_empty() && ran > 0 {
        missing.extend(features_without_case(&cases));
        missing.extend(proof::missing(&shown, &near));
    }
    for (name, difference) in &failed {
        println!("\n---- {name} ----\n{difference}");
    }
    for lack in &missing {
        println!("\n{lack}");
    }
    let nothing = cases.is_empty();
    if nothing {
        println!("no golden case found in {}", root.display());
    }
    println!("\ngolden: {} ran, {} failed", ran, failed.len());
    if failed.is_empty() && missing.is_empty() && !nothing { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every case with its name, sorted.
fn cases(root: &Path) -> Vec<(String, PathBuf)> {
    let mut cases = Vec::new();
    for feature in folders(root).into_iter().filter(|folder| !folder.ends_with("base")) {
        for case in folders(&feature) {
            let name = case.strip_prefix(root).expect("cases are below the root").display().to_string();
            cases.push((name, case));
        }
    }
    cases.sort();
    cases
}

fn folders(of: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(of)
        .expect("testdata is readable")
        .map(|entry| entry.expect("testdata is readable").path())
        .filter(|path| path.is_dir())
        .collect()
}

fn features_without_case(cases: &[(String, PathBuf)]) -> impl Iterator<Item = String> {
    mesh_translate::features::FEATURES
        .iter()
        .map(|feature| feature.name)
        .filter(|feature| !cases.iter().any(|(name, _)| name.starts_with(&format!("{feature}/"))))
        .map(|feature| format!("feature {feature} has no golden case: add testdata/{feature}/<case>/in.yaml"))
}

/// Compares both outputs of a case, and holds it to what it is the near miss of.
fn check(folder: &Path, outcome: case::Outcome, update: bool) -> Result<(), String> {
    let case::Outcome { outputs, shown, near } = outcome;
    proof::check(&shown, &near)?;
    let expected: Vec<&str> = outputs.iter().map(|(name, _)| *name).collect();
    let stray: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|error| error.to_string())?
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.file_name().is_none_or(|name| name != "in.yaml" && !expected.iter().any(|known| name == *known)))
        .collect();
    let mut differences = Vec::new();
    for (name, text) in outputs {
        let path = folder.join(name);
        let old = std::fs::read_to_string(&path).unwrap_or_default();
        if old == text {
            continue;
        }
        if update {
            std::fs::write(&path, text).map_err(|error| error.to_string())?;
        } else {
            let diff = similar::TextDiff::from_lines(&old, &text).unified_diff().header(name, "now").to_string();
            differences.push(diff);
        }
    }
    for path in stray {
        if update {
            std::fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        } else {
            differences.push(format!("{} belongs to no case", path.display()));
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n")) }
}
