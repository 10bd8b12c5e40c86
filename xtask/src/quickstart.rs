//! `cargo xt quickstart`: the whole life of two mesh resources in a minute, on folders.
//!
//! Everything happens below `<target>/quickstart/`: the example (or a person's own directory) is
//! copied there, planned, applied, damaged by hand, repaired and planned again.
//!
//! Invariant: nothing outside that folder is written, and it ends with an empty plan or an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use serde_json::Value;

use crate::cli::{Cli, Sandbox};
use crate::term::{Ink, say, spoken};
use crate::workspace::{Workspace, copy_folder, stage_provider};
use crate::{Problem, Result};

/// Runs the tour on the example, or on a copy of `own`.
///
/// # Errors
/// When a step of it does not end as described; the CLI's own words are part of the message.
pub fn run(workspace: &Workspace, own: Option<&str>) -> Result<()> {
    let start = Instant::now();
    let ink = Ink::stdout();
    let cli = match Cli::terraform()? {
        Some(cli) => cli,
        None => Cli::tofu(workspace)?,
    };
    say(&format!(
        "{} {}\n",
        ink.bold("gloo quick start"),
        ink.dim(&format!("with {cli}; clusters are folders, nothing leaves this machine"))
    ));

    let tour = Tour::prepare(workspace, cli, own, ink)?;
    tour.plan()?;
    tour.apply()?;
    tour.drift_and_repair()?;
    tour.end()?;
    say(&format!("\n{} in {}. Look around: {}", ink.good("Done"), spoken(start.elapsed()), tour.work.display()));
    Ok(())
}

/// The output that holds a table of failover, in the example and wherever a person has one.
const TABLE: &str = "failover";

struct Tour {
    cli: Cli,
    sandbox: Sandbox,
    /// The copy that is worked on.
    work: PathBuf,
    ink: Ink,
}

impl Tour {
    fn prepare(workspace: &Workspace, cli: Cli, own: Option<&str>, ink: Ink) -> Result<Self> {
        let room = workspace.target.join("quickstart");
        if room.exists() {
            std::fs::remove_dir_all(&room).map_err(Problem::file("clear", &room))?;
        }
        heading(ink, 1, "Build the provider", "");
        let start = Instant::now();
        stage_provider(&workspace.build_provider()?, &room.join("provider"))?;
        say(&format!("  {}", ink.dim(&spoken(start.elapsed()))));

        let source = match own {
            Some(folder) => PathBuf::from(folder),
            None => workspace.root.join("examples/quickstart"),
        };
        let source = source.canonicalize().map_err(Problem::file("find", &source))?;
        if room.starts_with(&source) {
            return Err(Problem::new(format!(
                "{} contains the build folder and cannot be copied into it: give the folder with your .tf files",
                source.display()
            )));
        }
        let work = room.join("work");
        copy_folder(&source, &work)?;
        if own.is_some() {
            say(&format!("  {}", ink.dim(&format!("your directory is only read; this works on a copy, {}", work.display()))));
        }
        let sandbox = Sandbox::create(&room, &room.join("provider"))?;
        Ok(Self { cli, sandbox, work, ink })
    }

    /// Plans and shows which objects each cluster would get.
    fn plan(&self) -> Result<()> {
        self.step(2, "Plan", "every Istio object is in the plan, before anything is written");
        self.run(&["plan", "-input=false", "-no-color", "-out=tour.tfplan"], &[0])?;
        let plan = self.json(&["show", "-json", "tour.tfplan"])?;
        for change in plan["resource_changes"].as_array().into_iter().flatten() {
            let Some(manifests) = change["change"]["after"]["manifests"].as_object() else { continue };
            let address = change["address"].as_str().unwrap_or_default();
            say(&format!("  {} {}", self.ink.good("+"), self.ink.bold(address)));
            if manifests.is_empty() {
                say(&format!("      {}", self.ink.dim("writes no object; its facts feed the others")));
            }
            for (key, manifest) in manifests {
                let manifest = manifest.as_str().and_then(|text| serde_json::from_str(text).ok());
                say(&format!("      {key:<62} {}", self.ink.dim(&summary(&manifest.unwrap_or_default()))));
            }
        }
        say(&format!("  {}", self.ink.dim("(* = the same object in every cluster)")));
        if let Some(table) = plan["planned_values"]["outputs"][TABLE]["value"].as_str() {
            say(&format!("\n  {}", self.ink.bold("Who serves when something dies, computed from these objects:")));
            table.lines().for_each(|line| say(format!("  {line}").trim_end()));
        }
        Ok(())
    }

    fn apply(&self) -> Result<()> {
        self.step(3, "Apply", "the planned bytes, in an order that is safe for traffic");
        let start = Instant::now();
        self.run(&["apply", "-input=false", "-no-color", "tour.tfplan"], &[0])?;
        let mut counts: BTreeMap<PathBuf, usize> = BTreeMap::new();
        for file in written_files(&self.work)? {
            *counts.entry(manifests_folder(&file)).or_default() += 1;
        }
        for (folder, count) in &counts {
            say(&format!("  {count} files in {}", self.relative(folder)));
        }
        say(&format!("  {}", self.ink.dim(&spoken(start.elapsed()))));
        Ok(())
    }

    /// Somebody edits a written file; the plan says so per line; apply repairs it.
    fn drift_and_repair(&self) -> Result<()> {
        let files = written_files(&self.work)?;
        let Some((file, edit)) = files.iter().find_map(|file| {
            let text = std::fs::read_to_string(file).ok()?;
            edit_of(&text).map(|edit| (file, edit))
        }) else {
            say("\nNo written file with a number in it below this folder: drift is not shown.");
            return Ok(());
        };
        let before = std::fs::read_to_string(file).map_err(Problem::file("read", file))?;
        std::fs::write(file, &edit.text).map_err(Problem::file("edit", file))?;
        self.step(4, "Drift", "somebody edits a file by hand");
        say(&format!("  {}", self.relative(file)));
        say(&format!("  {} {}", self.ink.bad("-"), edit.old));
        say(&format!("  {} {}", self.ink.good("+"), edit.new));
        let command = format!("{} plan", self.cli.kind);
        say(&format!("\n  {} {}", self.ink.dim("$"), self.ink.bold(&command)));
        let colour: &[&str] = if self.ink.is_on() { &[] } else { &["-no-color"] };
        let arguments = [&["plan", "-input=false", "-detailed-exitcode"], colour].concat();
        let output = self.run(&arguments, &[2])?;
        for line in body_of_plan(&String::from_utf8_lossy(&output.stdout)) {
            say(&format!("  {line}"));
        }

        self.step(5, "Repair", "apply writes what the plan showed");
        self.run(&["apply", "-input=false", "-no-color", "-auto-approve"], &[0])?;
        let after = std::fs::read_to_string(file).map_err(Problem::file("read", file))?;
        if after != before {
            return Err(Problem::new(format!("{} was not repaired byte for byte", file.display())));
        }
        say(&format!("  {} is as it was, byte for byte", self.relative(file)));
        Ok(())
    }

    fn end(&self) -> Result<()> {
        self.step(6, "Plan again", "");
        let output = self.run(&["plan", "-input=false", "-no-color", "-detailed-exitcode"], &[0])?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text
            .lines()
            .find(|line| line.starts_with("No changes"))
            .ok_or_else(|| Problem::new(format!("the last plan is not empty:\n{text}")))?;
        say(&format!("  {}", self.ink.good(line)));
        Ok(())
    }

    fn run(&self, arguments: &[&str], expected: &[i32]) -> Result<Output> {
        let output = self.command(arguments).output().map_err(Problem::file("run", &self.cli.path))?;
        if output.status.code().is_some_and(|code| expected.contains(&code)) {
            return Ok(output);
        }
        Err(Problem::new(format!(
            "`{} {}` in {} ended with {}:\n{}{}",
            self.cli.kind,
            arguments.join(" "),
            self.work.display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )))
    }

    fn json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.run(arguments, &[0])?;
        serde_json::from_slice(&output.stdout)
            .map_err(|error| Problem::new(format!("`{} {}` prints no JSON: {error}", self.cli.kind, arguments.join(" "))))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(&self.cli, &self.work);
        command.args(arguments);
        command
    }

    fn step(&self, number: usize, title: &str, remark: &str) {
        heading(self.ink, number, title, remark);
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.work).unwrap_or(path).display().to_string()
    }
}

fn heading(ink: Ink, number: usize, title: &str, remark: &str) {
    let space = if number == 1 { "" } else { "\n" };
    let dash = if remark.is_empty() { "" } else { " – " };
    say(&format!("{space}{}{}", ink.bold(&format!("{number} {title}")), ink.dim(&format!("{dash}{remark}"))));
}

/// A few words on what an object is about: its hosts, else its address.
fn summary(manifest: &Value) -> String {
    let spec = &manifest["spec"];
    let servers = spec["servers"].as_array().into_iter().flatten();
    let hosts = [&spec["hosts"], &spec["host"], &spec["address"]].into_iter().chain(servers.map(|one| &one["hosts"]));
    let words: Vec<&str> = hosts
        .flat_map(|value| match value {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>(),
            other => other.as_str().into_iter().collect(),
        })
        .collect();
    words.join(", ")
}

/// Every object file below a `manifests` folder, sorted; files that start with a dot are the
/// provider's own notes.
fn written_files(work: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(work).sort_by_file_name() {
        let entry = entry.map_err(|error| Problem::new(format!("cannot read {}: {error}", work.display())))?;
        let path = entry.path();
        let is_object = path.extension().is_some_and(|extension| extension == "yaml")
            && path.components().any(|part| part.as_os_str() == "manifests")
            && !entry.file_name().to_string_lossy().starts_with('.');
        if entry.file_type().is_file() && is_object {
            files.push(path.to_path_buf());
        }
    }
    Ok(files)
}

fn manifests_folder(file: &Path) -> PathBuf {
    file.ancestors().find(|folder| folder.ends_with("manifests")).unwrap_or(file).to_path_buf()
}

/// One line of a file changed by hand.
#[derive(Debug, PartialEq, Eq)]
struct Edit {
    text: String,
    old: String,
    new: String,
}

/// Changes the percentage that people do change by hand, `maxEjectionPercent`; in files without
/// it, nothing.
fn edit_of(text: &str) -> Option<Edit> {
    let old = text.lines().find(|line| line.trim_start().starts_with("maxEjectionPercent:"))?;
    let (key, value) = old.split_once(':')?;
    let changed = if value.trim() == "10" { 20 } else { 10 };
    let new = format!("{key}: {changed}");
    Some(Edit { text: text.replacen(old, &new, 1), old: old.trim().to_owned(), new: new.trim().to_owned() })
}

/// The part of a printed plan that tells the changes, without legend and advice.
fn body_of_plan(printed: &str) -> Vec<&str> {
    let is_summary = |line: &str| plain(line).starts_with("Plan:");
    let mut body: Vec<&str> = printed.lines().skip_while(|line| !plain(line).trim_start().starts_with("# ")).collect();
    if let Some(end) = body.iter().position(|line| is_summary(line)) {
        body.truncate(end + 1);
    }
    body
}

/// A line without its colour codes.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        rest = after.split_once('m').map_or("", |(_, tail)| tail);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edit_changes_one_line_and_nothing_else() {
        let text = "spec:\n  outlierDetection:\n    maxEjectionPercent: 100\n    interval: 5s\n";
        let edit = edit_of(text).expect("the file has the line");
        assert_eq!(edit.text, text.replace("100", "10"));
        assert_eq!((edit.old.as_str(), edit.new.as_str()), ("maxEjectionPercent: 100", "maxEjectionPercent: 10"));
        assert_eq!(edit_of("spec: {}\n"), None);
    }

    #[test]
    fn the_edit_is_a_change_whatever_the_value_was() {
        assert_eq!(edit_of("maxEjectionPercent: 10").expect("has the line").new, "maxEjectionPercent: 20");
    }

    #[test]
    fn only_the_changes_of_a_plan_are_shown() {
        let printed =
            "legend\n\n\u{1b}[1m  # a.b\u{1b}[0m will be updated\n    }\n\n\u{1b}[1mPlan:\u{1b}[0m 0 to add\n\nNote: x\n";
        let body = body_of_plan(printed);
        assert_eq!(plain(body[0]), "  # a.b will be updated");
        assert_eq!(plain(body[body.len() - 1]), "Plan: 0 to add");
    }

    #[test]
    fn an_object_is_summed_up_by_its_hosts() {
        let gateway = serde_json::json!({"spec": {"servers": [{"hosts": ["a.svc"]}]}});
        assert_eq!(summary(&gateway), "a.svc");
        assert_eq!(summary(&serde_json::json!({"spec": {"host": "b.svc"}})), "b.svc");
        assert_eq!(summary(&Value::Null), "");
    }
}
