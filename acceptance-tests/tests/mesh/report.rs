//! One line a case, its figures below it, and how to repeat what failed.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;

use acceptance_tests::{Rig, Site, Transcript};
use rig::mesh::traffic::Calls;
use tempfile::TempDir;
use xtask::cli::Cli;
use xtask::term::{Ink, say, spoken};
use xtask::workspace::{Workspace, stage_provider};
use xtask::{Problem, Result};

/// Figures that a case measured, told also when it passes.
#[derive(Debug, Default)]
pub struct Figures(RefCell<Vec<String>>);

impl Figures {
    /// Adds one.
    pub fn note(&self, what: &str, figure: impl std::fmt::Display) {
        self.0.borrow_mut().push(format!("{what}: {figure}"));
    }

    /// Adds calls in which this backend took over, and when.
    pub fn takeover(&self, what: &str, calls: &Calls, backend: &str) {
        let times = calls.taken_over_by(backend);
        let times = times.map(|(first, alone)| {
            format!("; {backend} after {:.2} s, alone after {:.2} s", first.as_secs_f64(), alone.as_secs_f64())
        });
        self.note(what, format!("{calls}{}", times.unwrap_or_default()));
    }
}

/// Runs cases one after the other and counts.
pub struct Report {
    mode: &'static str,
    filters: Vec<String>,
    passed: usize,
    failed: usize,
}

impl Report {
    pub fn new(mode: &'static str, filters: &[&str]) -> Self {
        let filters = filters.iter().map(|text| (*text).to_owned()).collect();
        Self { mode, filters, passed: 0, failed: 0 }
    }

    pub fn takes(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|text| name.contains(text.as_str()))
    }

    /// One case; whether it passed.
    pub fn case(&mut self, name: &str, transcript: &Transcript, run: impl FnOnce(&Figures)) -> bool {
        let (ink, start, figures) = (Ink::stdout(), Instant::now(), Figures::default());
        let result = catch_unwind(AssertUnwindSafe(|| run(&figures)));
        let time = ink.dim(&spoken(start.elapsed()));
        match &result {
            Ok(()) => {
                self.passed += 1;
                say(&format!("{} {name}  {time}", ink.good("ok    ")));
            }
            Err(_) => {
                self.failed += 1;
                say(&format!("{} {name}  {time}\n{}", ink.bad("FAILED"), transcript.text()));
            }
        }
        figures.0.borrow().iter().for_each(|figure| say(&ink.dim(&format!("         {figure}"))));
        if let Err(panic) = &result {
            say(&ink.bold(&message(panic.as_ref())));
            let again = format!("repeat with: cargo test -p acceptance-tests --test mesh -- {} {name}", self.mode);
            say(&ink.dim(&again));
        }
        result.is_ok()
    }

    pub fn end(&self) -> Result<ExitCode> {
        if self.passed + self.failed == 0 {
            return Err(Problem::new("no case has such a name"));
        }
        say(&format!("{} passed, {} failed", self.passed, self.failed));
        Ok(if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked without a message".to_owned())
}

/// The provider, staged for a CLI, and the CLI; folders as site, because nothing here is decided by it.
pub struct Bench {
    pub rig: Rig,
    _room: TempDir,
}

impl Bench {
    pub fn new() -> Result<Self> {
        let workspace = Workspace::find()?;
        let room = tempfile::tempdir().map_err(|error| Problem::new(format!("no temporary folder: {error}")))?;
        let provider = room.path().join("provider");
        stage_provider(&workspace.build_provider()?, &provider)?;
        let cli = match Cli::terraform()? {
            Some(cli) => cli,
            None => Cli::tofu(&workspace)?,
        };
        let (breakage, root) = (provider.clone(), workspace.root);
        let rig = Rig { cli, site: Site::Folders, provider, breakage, root, transcript: Transcript::default() };
        Ok(Self { rig, _room: room })
    }

    /// The same with an empty transcript.
    pub fn fresh(&self) -> Rig {
        Rig { transcript: Transcript::default(), ..self.rig.clone() }
    }
}
