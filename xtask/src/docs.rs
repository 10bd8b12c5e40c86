//! `cargo xt docs`: the registry's pages, from the schema that the built provider serves.
//!
//! ```text
//! provider ──providers schema -json──► schema.json ──tfplugindocs──► docs/{index,resources,…}
//! ```
//!
//! `docs/adr` and `docs/dev` are written by hand; neither generator nor validator looks at them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::cli::{Cli, SOURCE, Sandbox};
use crate::term::{Ink, say};
use crate::tools::TFPLUGINDOCS;
use crate::workspace::{Workspace, copy_folder, stage_provider};
use crate::{Problem, Result};

/// Folders and files below `docs/` that the generator owns.
const GENERATED: [&str; 6] = ["index.md", "resources", "data-sources", "functions", "ephemeral-resources", "guides"];

/// What the generator reads besides the schema.
const INPUTS: [&str; 2] = ["examples", "templates"];

/// Writes the generated part of `docs/`.
///
/// # Errors
/// When the provider does not build or serve a schema, or the generator or validator complains.
pub fn generate(workspace: &Workspace) -> Result<()> {
    let fresh = render(workspace)?;
    let target = workspace.root.join("docs");
    for name in GENERATED {
        remove(&target.join(name))?;
        let from = fresh.join(name);
        if from.exists() {
            copy_folder(&from, &target.join(name))?;
        }
    }
    say(&format!("{} {}", Ink::stdout().good("written:"), target.display()));
    Ok(())
}

/// Compares the generated part of `docs/` with what the schema gives now.
///
/// # Errors
/// As [`generate`], and when a page differs, is missing or has no source.
pub fn check(workspace: &Workspace) -> Result<()> {
    let fresh = pages(&render(workspace)?)?;
    let committed = pages(&workspace.root.join("docs"))?;
    let mut differences = Vec::new();
    for (page, text) in &fresh {
        match committed.get(page) {
            None => differences.push(format!("docs/{page} is missing")),
            Some(old) if old != text => differences.push(format!("docs/{page} {}", first_difference(old, text))),
            Some(_) => {}
        }
    }
    let orphans = committed.keys().filter(|page| !fresh.contains_key(*page));
    differences.extend(orphans.map(|page| format!("docs/{page} has no source any more")));
    if differences.is_empty() {
        say(&format!("{} pages are fresh and valid", fresh.len()));
        return Ok(());
    }
    Err(Problem::new(format!(
        "the registry docs are not what the schema says:\n  {}\nrewrite them with: cargo xt docs",
        differences.join("\n  ")
    )))
}

/// Generates and validates in a folder of its own; returns its `docs/`.
fn render(workspace: &Workspace) -> Result<PathBuf> {
    let generator = TFPLUGINDOCS.find_or_build(workspace)?;
    let room = workspace.target.join("xt-docs");
    remove(&room)?;
    let project = room.join(crate::workspace::PROVIDER_BINARY);
    std::fs::create_dir_all(&project).map_err(Problem::file("create", &project))?;
    for input in INPUTS {
        let from = workspace.root.join(input);
        if from.is_dir() {
            copy_folder(&from, &project.join(input))?;
        }
    }
    let schema = write_schema(workspace, &room)?;
    for action in ["generate", "validate"] {
        let output = Command::new(&generator)
            .current_dir(&project)
            .args([action, "--provider-name", "gloo", "--providers-schema"])
            .arg(&schema)
            .args(["--provider-dir", "."])
            .output()
            .map_err(Problem::file("run", &generator))?;
        if !output.status.success() {
            return Err(Problem::new(format!(
                "tfplugindocs {action} failed:\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )));
        }
    }
    Ok(project.join("docs"))
}

/// Asks the built provider for its schema through OpenTofu (always the same CLI, so that pages
/// do not depend on what is installed), under the key that the generator looks for.
fn write_schema(workspace: &Workspace, room: &Path) -> Result<PathBuf> {
    let provider = room.join("provider");
    stage_provider(&workspace.build_provider()?, &provider)?;
    let sandbox = Sandbox::create(room, &provider)?;
    let config = room.join("config");
    std::fs::create_dir_all(&config).map_err(Problem::file("create", &config))?;
    let main = config.join("main.tf");
    let text = format!("terraform {{\n  required_providers {{\n    gloo = {{ source = \"{SOURCE}\" }}\n  }}\n}}\n");
    std::fs::write(&main, text).map_err(Problem::file("write", &main))?;

    let cli = Cli::tofu(workspace)?;
    let output = sandbox
        .command(&cli, &config)
        .args(["providers", "schema", "-json"])
        .output()
        .map_err(Problem::file("run", &cli.path))?;
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let schema = answer["provider_schemas"]
        .as_object()
        .and_then(|schemas| schemas.iter().find(|(address, _)| address.ends_with(SOURCE)))
        .map(|(_, schema)| schema.clone())
        .ok_or_else(|| Problem::new(format!("the provider serves no schema:\n{}", String::from_utf8_lossy(&output.stderr))))?;
    let path = room.join("schema.json");
    let text = json!({ "format_version": "1.0", "provider_schemas": { "gloo": schema } }).to_string();
    std::fs::write(&path, text).map_err(Problem::file("write", &path))?;
    Ok(path)
}

/// Every generated page by its path below `folder`.
fn pages(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for name in GENERATED {
        let start = folder.join(name);
        if !start.exists() {
            continue;
        }
        for entry in walkdir::WalkDir::new(&start) {
            let entry = entry.map_err(|error| Problem::new(format!("cannot read {}: {error}", start.display())))?;
            if entry.file_type().is_file() {
                let path = entry.path();
                let text = std::fs::read_to_string(path).map_err(Problem::file("read", path))?;
                let relative = path.strip_prefix(folder).expect("walkdir stays below its root");
                found.insert(relative.display().to_string(), text);
            }
        }
    }
    Ok(found)
}

fn first_difference(old: &str, new: &str) -> String {
    let line = old.lines().zip(new.lines()).take_while(|(a, b)| a == b).count();
    let show = |text: &str| text.lines().nth(line).unwrap_or("(end of page)").to_owned();
    format!("differs from line {}: it has `{}`, the schema gives `{}`", line + 1, show(old), show(new))
}

fn remove(path: &Path) -> Result<()> {
    let result = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else if path.exists() {
        std::fs::remove_file(path)
    } else {
        Ok(())
    };
    result.map_err(Problem::file("remove", path))
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_differing_line_is_named() {
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), "differs from line 2: it has `b`, the schema gives `c`");
        assert_eq!(first_difference("a\n", "a\nb\n"), "differs from line 2: it has `(end of page)`, the schema gives `b`");
    }
}
