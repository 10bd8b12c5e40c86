//! A configuration, its clusters and its state, in a folder of their own, and the commands a
//! person would run there.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use xtask::cli::{SOURCE, Sandbox};
use xtask::workspace::copy_folder;

use crate::cluster::Cluster;
use crate::diagnostics::Diagnostics;
use crate::directory::Directory;
use crate::plan::{Plan, State};
use crate::site::{Site, done};
use crate::suite::Rig;

/// The working directory of one case.
pub struct World {
    rig: Rig,
    sandbox: Sandbox,
    work: PathBuf,
    plans: Cell<u32>,
    // last: removed when the case is over
    room: Rc<TempDir>,
}

/// What a command printed and how it ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The exit code; a killed process has none.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Whether the command says that it succeeded.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// Diagnostics of a command that ran with `-json`.
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics::read(&self.stdout)
    }
}

/// A beginning, from which a case may set out more than once.
pub struct Checkpoint {
    world: World,
    saved: Option<[rig::Saved; 2]>,
}

impl Checkpoint {
    /// A working directory as that one was, with its state. Clusters hold what they held: folders are copies, servers are put
    /// back, so that what set out before is over.
    ///
    /// # Panics
    /// When it cannot be copied or put back.
    pub fn world(&self) -> World {
        let world = World::empty(&self.world.rig);
        done(copy_folder(&self.world.work, &world.work));
        if let Some(saved) = &self.saved {
            done(self.world.rig.site.servers().load(saved));
        }
        world
    }
}

impl World {
    /// A working directory without any file.
    ///
    /// # Panics
    /// When the temporary folder cannot be made.
    pub fn empty(rig: &Rig) -> Self {
        let room = tempfile::tempdir().expect("a temporary folder can be made");
        let work = room.path().join("work");
        std::fs::create_dir(&work).expect("a new folder is writable");
        let sandbox = Sandbox::create(room.path(), &rig.provider).unwrap_or_else(|problem| panic!("{problem}"));
        Self { rig: rig.clone(), sandbox, work, plans: Cell::new(0), room: Rc::new(room) }
    }

    /// [`Self::clusters`] of somebody without network, whose CLI finds providers in the folder `mirror` beside the working
    /// directory and nowhere else; `fill` makes what is there.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn offline(rig: &Rig, fill: impl FnOnce(&Path)) -> Self {
        let world = Self::clusters(rig);
        let mirror = world.room.path().join("mirror");
        fill(&mirror);
        let sandbox = Sandbox::with_mirror(world.room.path(), &mirror).unwrap_or_else(|problem| panic!("{problem}"));
        Self { sandbox, ..world }
    }

    /// Another working directory with a state of its own beside this one; this one's clusters are
    /// at `../work/clusters/<name>` for it.
    ///
    /// # Panics
    /// When it cannot be made, or exists.
    pub fn beside(&self, name: &str) -> Self {
        let work = self.room.path().join(name);
        std::fs::create_dir(&work).unwrap_or_else(|error| panic!("{}: {error}", work.display()));
        Self { rig: self.rig.clone(), sandbox: self.sandbox.clone(), work, plans: Cell::new(0), room: Rc::clone(&self.room) }
    }

    /// A copy of a folder of the clone.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn copy_of(rig: &Rig, folder: &str) -> Self {
        let world = Self::empty(rig);
        world.add_copy_of(folder);
        world
    }

    /// A copy of the quick start: `clusters/east`, `clusters/west`, `gloo_virtual_mesh.prod` and
    /// `gloo_virtual_destination.reviews`.
    pub fn quickstart(rig: &Rig) -> Self {
        Self::copy_of(rig, "examples/quickstart")
    }

    /// The clusters of the quick start without its configuration; add one with [`Self::config`].
    ///
    /// # Panics
    /// When they cannot be copied.
    pub fn clusters(rig: &Rig) -> Self {
        let world = Self::empty(rig);
        if !rig.site.is_servers() {
            let from = rig.root.join("examples/quickstart/clusters");
            done(copy_folder(&from, &world.work.join("clusters")));
        }
        world
    }

    /// This working directory with its state, and what the clusters hold.
    ///
    /// # Panics
    /// When it cannot be kept.
    pub fn checkpoint(self) -> Checkpoint {
        let saved = self.rig.site.is_servers().then(|| self.rig.site.servers().save());
        Checkpoint { world: self, saved }
    }

    /// Lets the CLI find the provider of another source (`hashicorp/kubernetes`) in this folder.
    ///
    /// # Panics
    /// When the CLI's configuration cannot be written.
    pub fn add_provider(&self, source: &str, folder: &Path) {
        self.sandbox.add_provider(source, folder).unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// The working directory.
    pub fn folder(&self) -> &Path {
        &self.work
    }

    /// Copies a folder of the clone into this one; returns the text of its `.tf` files.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn add_copy_of(&self, folder: &str) -> String {
        let from = self.rig.root.join(folder);
        done(copy_folder(&from, &self.work));
        let entries = std::fs::read_dir(&from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
        let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()));
        let configurations = names.filter(|name| name.ends_with(".tf"));
        let read = |name: String| Some((std::fs::read_to_string(from.join(&name)).ok()?, name));
        let all: Vec<(String, String)> = configurations.filter_map(read).collect();
        if self.rig.site.is_servers() {
            // folders that nobody looks at would only look as if they were the clusters
            let _ = std::fs::remove_dir_all(self.work.join("clusters"));
            all.iter().for_each(|(text, name)| self.write(name, text));
        }
        all.into_iter().map(|(text, _)| text).collect()
    }

    /// The block that names the provider's source.
    pub fn required_providers() -> String {
        format!("terraform {{\n  required_providers {{\n    gloo = {{ source = \"{SOURCE}\" }}\n  }}\n}}\n\n")
    }

    /// Writes `main.tf`: the provider's source, then this text.
    pub fn config(&self, text: &str) {
        self.write("main.tf", &(Self::required_providers() + text));
    }

    /// Writes a file of the working directory; folders of clusters become servers where the clusters are servers.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        let file = self.work.join(path);
        let folder = file.parent().expect("a path below the working directory has a parent");
        let text = &self.rig.site.fit(text);
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, text));
        written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.rig.transcript.note(&format!("── {path}\n{text}"));
    }

    /// Replaces a text of a file that occurs there exactly once.
    ///
    /// # Panics
    /// When it does not.
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let file = self.work.join(path);
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let old = self.rig.site.fit(old);
        assert_eq!(text.matches(&old).count(), 1, "{path} should hold `{old}` once");
        self.write(path, &text.replacen(&old, new, 1));
    }

    /// The cluster of this name.
    pub fn cluster(&self, name: &str) -> Cluster {
        match &self.rig.site {
            Site::Folders => Cluster::folder(name, Directory::at(self.work.join("clusters").join(name))),
            Site::Servers(pair) => Cluster::server_of(name, Arc::clone(pair)),
        }
    }

    /// Whether the clusters are API servers.
    pub fn is_on_servers(&self) -> bool {
        self.rig.site.is_servers()
    }

    /// Notes a command that a test ran itself.
    pub fn note(&self, text: &str) {
        self.rig.transcript.note(text);
    }

    /// Runs the CLI and waits for it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().expect("the CLI was found and can be started");
        let outcome = Outcome {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        let words = format!("$ {} {}", self.rig.cli.kind, arguments.join(" "));
        // a plan as JSON is long and its text is elsewhere in the report
        let shown = if arguments.starts_with(&["show"]) { "" } else { &outcome.stdout };
        self.rig.transcript.note(&format!("{words}\n{shown}{}(exit code {:?})", outcome.stderr, outcome.code));
        outcome
    }

    /// The CLI as a command, for tests that need the running process.
    pub fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.sandbox.command(&self.rig.cli, &self.work);
        command.args(arguments);
        command
    }

    /// `plan`, saved.
    ///
    /// # Panics
    /// When it fails.
    pub fn plan(&self) -> Plan {
        self.plan_with(&[])
    }

    /// `plan` with more arguments, saved.
    ///
    /// # Panics
    /// When it fails.
    pub fn plan_with(&self, more: &[&str]) -> Plan {
        let number = self.plans.get() + 1;
        self.plans.set(number);
        let name = format!("{number}.tfplan");
        let out = format!("-out={name}");
        let outcome = self.run(&[&["plan", "-input=false", "-json", "-detailed-exitcode", &out], more].concat());
        let diagnostics = outcome.diagnostics();
        let has_changes = match outcome.code {
            Some(0) => false,
            Some(2) => true,
            code => panic!("the plan failed with {code:?}:\n{diagnostics}{}", outcome.stderr),
        };
        let json = self.json(&["show", "-json", &name]);
        Plan { file: self.work.join(name), has_changes, diagnostics, json }
    }

    /// `plan` that must fail.
    ///
    /// # Panics
    /// When it succeeds.
    pub fn plan_refused(&self) -> Diagnostics {
        self.plan_refused_with(&[])
    }

    /// `plan` with more arguments that must fail.
    ///
    /// # Panics
    /// When it succeeds.
    pub fn plan_refused_with(&self, more: &[&str]) -> Diagnostics {
        let outcome = self.run(&[&["plan", "-input=false", "-json"], more].concat());
        assert!(!outcome.is_success(), "the plan should have been refused");
        outcome.diagnostics()
    }

    /// What the plan refuses or, at the latest, its apply before the first write.
    ///
    /// # Panics
    /// When neither refuses.
    pub fn refused(&self) -> Diagnostics {
        let outcome = self.run(&["plan", "-input=false", "-json", "-out=refused.tfplan"]);
        if !outcome.is_success() {
            return outcome.diagnostics();
        }
        let outcome = self.run(&["apply", "-input=false", "-json", "refused.tfplan"]);
        assert!(!outcome.is_success(), "neither the plan nor the apply was refused");
        outcome.diagnostics()
    }

    /// `apply` of a saved plan.
    ///
    /// # Panics
    /// When it fails.
    pub fn apply(&self, plan: &Plan) -> Diagnostics {
        let outcome = self.apply_outcome(plan);
        let diagnostics = outcome.diagnostics();
        assert!(outcome.is_success(), "the apply failed:\n{diagnostics}{}", outcome.stderr);
        diagnostics
    }

    /// `apply` of a saved plan that must fail.
    ///
    /// # Panics
    /// When it succeeds.
    pub fn apply_refused(&self, plan: &Plan) -> Diagnostics {
        let outcome = self.apply_outcome(plan);
        assert!(!outcome.is_success(), "the apply should have been refused");
        outcome.diagnostics()
    }

    fn apply_outcome(&self, plan: &Plan) -> Outcome {
        let file = plan.file.display().to_string();
        self.run(&["apply", "-input=false", "-json", &file])
    }

    /// One step as a careful person takes it: plan, apply that plan, then a plan without and one
    /// with refresh, both of which must be empty. Returns the first plan.
    ///
    /// # Panics
    /// When a command fails, or there is still something to do afterwards.
    pub fn step(&self) -> Plan {
        let plan = self.plan();
        self.apply(&plan);
        self.assert_clean();
        plan
    }

    /// Two empty plans: without refresh, then with.
    ///
    /// # Panics
    /// When there is something to do.
    pub fn assert_clean(&self) {
        self.plan_with(&["-refresh=false"]).assert_empty("without refresh");
        self.plan().assert_empty("with refresh");
    }

    /// The state.
    ///
    /// # Panics
    /// When it cannot be shown.
    pub fn state(&self) -> State {
        State { json: self.json(&["show", "-json"]) }
    }

    /// `destroy`.
    ///
    /// # Panics
    /// When it fails.
    pub fn destroy(&self) {
        let outcome = self.run(&["destroy", "-input=false", "-auto-approve", "-json"]);
        assert!(outcome.is_success(), "the destroy failed:\n{}{}", outcome.diagnostics(), outcome.stderr);
    }

    /// Forgets the state, as if it were lost.
    ///
    /// # Panics
    /// When there was none.
    pub fn lose_state(&self) {
        std::fs::remove_file(self.work.join("terraform.tfstate")).expect("there is a state to lose");
        let _ = std::fs::remove_file(self.work.join("terraform.tfstate.backup"));
    }

    /// `import` by id, on the command line.
    ///
    /// # Panics
    /// When it fails.
    pub fn import(&self, address: &str, id: &str) {
        let outcome = self.run(&["import", "-input=false", "-no-color", address, id]);
        assert!(outcome.is_success(), "the import failed:\n{}{}", outcome.stdout, outcome.stderr);
    }

    /// The plan as a person reads it, without colour.
    ///
    /// # Panics
    /// When it fails.
    pub fn plan_text(&self) -> String {
        let outcome = self.run(&["plan", "-input=false", "-no-color"]);
        assert!(outcome.is_success(), "the plan failed:\n{}", outcome.stderr);
        outcome.stdout
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let outcome = self.run(arguments);
        assert!(outcome.is_success(), "`{}` failed:\n{}", arguments.join(" "), outcome.stderr);
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("`{}` is no JSON: {error}", arguments.join(" ")))
    }
}
