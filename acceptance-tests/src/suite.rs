//! The runner: which cases, with which CLI, on which site, side by side, and what is told about failures.

use std::any::Any;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use xtask::cli::Cli;
use xtask::term::{Ink, say, spoken};
use xtask::workspace::{Workspace, stage_provider};
use xtask::{Problem, Result, tools};

use crate::site::{Site, SiteKind};

/// One acceptance test; it runs once with every CLI on every site.
pub struct Case {
    /// `<module>::<function>`.
    pub name: String,
    /// Panics when the provider does not behave.
    pub run: Box<dyn Fn(&Rig) + Send + Sync>,
    /// The only kind of site that has what the case is about, and why; `None` means both.
    pub only: Option<(SiteKind, &'static str)>,
}

impl Case {
    /// The case runs on folders alone, because its subject has this in it that servers have not.
    pub fn on_folders_for(self, subject: &'static str) -> Self {
        Self { only: Some((SiteKind::Folders, subject)), ..self }
    }

    /// The case runs on API servers alone, because its subject has this in it that folders have not.
    pub fn on_servers_for(self, subject: &'static str) -> Self {
        Self { only: Some((SiteKind::Servers, subject)), ..self }
    }

    fn is_for(&self, site: SiteKind) -> bool {
        self.only.is_none_or(|(only, _)| only == site)
    }
}

/// The case for a function of this name in the current module, on both sites.
#[macro_export]
macro_rules! case {
    ($function:ident) => {
        $crate::Case {
            name: {
                let module = module_path!();
                format!("{}::{}", module.rsplit("::").next().unwrap_or(module), stringify!($function))
            },
            run: Box::new($function),
            only: None,
        }
    };
}

/// What a case is given.
#[derive(Debug, Clone)]
pub struct Rig {
    /// The CLI to use.
    pub cli: Cli,
    /// Where the clusters are.
    pub site: Site,
    /// The folder with the provider's binary.
    pub provider: PathBuf,
    /// The folder with the provider whose writes can be broken, under the provider's name.
    pub breakage: PathBuf,
    /// The clone, for examples.
    pub root: PathBuf,
    /// Everything that was run, for the report of a failure.
    pub transcript: Transcript,
}

impl Rig {
    /// The same with the provider whose writes can be broken.
    pub fn breakable(&self) -> Self {
        Self { provider: self.breakage.clone(), ..self.clone() }
    }
}

/// A text that survives the panic of the case that wrote it.
#[derive(Debug, Clone, Default)]
pub struct Transcript(Arc<Mutex<String>>);

impl Transcript {
    /// Adds a line.
    pub fn note(&self, text: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(all, "{text}");
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Choice {
    filters: Vec<String>,
    except: Vec<String>,
    is_list: bool,
    threads: Option<usize>,
    site: Option<SiteKind>,
}

impl Choice {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut choice = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => choice.is_list = true,
                "--except" => choice.except.extend(arguments.next()),
                "--site" => {
                    let name = arguments.next().unwrap_or_default();
                    let found = SiteKind::ALL.into_iter().find(|site| site.name() == name);
                    choice.site = Some(found.ok_or_else(|| Problem::new(format!("--site {name}: folders or servers")))?);
                }
                "--test-threads" => choice.threads = arguments.next().and_then(|number| number.parse().ok()),
                // what cargo itself may pass on
                "--quiet" | "-q" | "--nocapture" | "--no-capture" => {}
                other if other.starts_with('-') => {
                    return Err(Problem::new(format!(
                        "{other}: known are --list, --site folders|servers, --except TEXT, --test-threads N and texts to look for"
                    )));
                }
                _ => choice.filters.push(argument),
            }
        }
        Ok(choice)
    }

    /// The sites on which it is run.
    fn sites(&self, case: &Case) -> impl Iterator<Item = SiteKind> {
        SiteKind::ALL.into_iter().filter(|site| case.is_for(*site) && self.site.is_none_or(|only| only == *site))
    }

    fn takes(&self, name: &str) -> bool {
        let matches = |text: &String| name.contains(text.as_str());
        (self.filters.is_empty() || self.filters.iter().any(matches)) && !self.except.iter().any(matches)
    }
}

/// Runs the cases that the command line asks for; the closing line is `N passed, N failed`.
pub fn main(cases: Vec<Case>) -> ExitCode {
    match run(cases) {
        Ok(code) => code,
        Err(problem) => {
            say(&format!("{} {problem}", Ink::stdout().bad("error:")));
            ExitCode::FAILURE
        }
    }
}

fn run(cases: Vec<Case>) -> Result<ExitCode> {
    let choice = Choice::parse(std::env::args().skip(1))?;
    if choice.is_list {
        let labels = cases.iter().flat_map(|case| choice.sites(case).map(|site| format!("{} [{}]", case.name, site.name())));
        labels.filter(|label| choice.takes(label)).for_each(|label| say(&label));
        return Ok(ExitCode::SUCCESS);
    }
    let workspace = Workspace::find()?;
    let room = tempfile::tempdir().map_err(|error| Problem::new(format!("no temporary folder: {error}")))?;
    let binary = match std::env::var_os("GLOO_TEST_PROVIDER") {
        Some(path) => PathBuf::from(path),
        None => workspace.build_provider()?,
    };
    let (provider, breakage) = (room.path().join("provider"), room.path().join("breakage"));
    stage_provider(&binary, &provider)?;
    stage_provider(&workspace.build_breakage()?, &breakage)?;
    let clis = Cli::all(&workspace)?;

    let job = |case, cli: &Cli, site| {
        let (provider, breakage, root) = (provider.clone(), breakage.clone(), workspace.root.clone());
        let rig = Rig { cli: cli.clone(), site: Site::Folders, provider, breakage, root, transcript: Transcript::default() };
        Job { case, site, rig }
    };
    let jobs: Vec<Job> = SiteKind::ALL
        .into_iter()
        .flat_map(|site| clis.iter().map(move |cli| (cli, site)))
        .flat_map(|(cli, site)| cases.iter().map(move |case| (case, cli, site)))
        .filter(|(case, _, site)| choice.sites(case).any(|one| one == *site))
        .map(|(case, cli, site)| job(case, cli, site))
        .filter(|job| choice.takes(&job.label()))
        .collect();
    if jobs.is_empty() {
        return Err(Problem::new("no case has such a name; --list shows them"));
    }
    // the message is part of the report; printed at once it would mix with other cases
    std::panic::set_hook(Box::new(|_| {}));
    let failed = run_side_by_side(&jobs, choice.threads);
    if clis.len() == 1 {
        say(&Ink::stdout().loud(tools::NO_TERRAFORM));
    }
    say(&format!("{} passed, {failed} failed", jobs.len() - failed));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A case with a CLI on a site, which it gets when its turn comes.
struct Job<'a> {
    case: &'a Case,
    site: SiteKind,
    rig: Rig,
}

impl Job<'_> {
    fn label(&self) -> String {
        format!("{} [{}, {}]", self.case.name, self.rig.cli.kind, self.site.name())
    }

    /// # Panics
    /// When the provider does not behave.
    fn run(&self) {
        (self.case.run)(&Rig { site: self.site.site(), ..self.rig.clone() });
    }
}

/// Runs all jobs on a few threads, prints one line each as it ends; returns how many failed.
fn run_side_by_side(jobs: &[Job], threads: Option<usize>) -> usize {
    let ink = Ink::stdout();
    let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let next = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let result = catch_unwind(AssertUnwindSafe(|| job.run()));
                    let time = ink.dim(&spoken(start.elapsed()));
                    let label = job.label();
                    match result {
                        Ok(()) => say(&format!("{} {label}  {time}", ink.good("ok    "))),
                        Err(panic) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            say(&format!(
                                "{} {label}  {time}\n{}\n{}\n{}",
                                ink.bad("FAILED"),
                                job.rig.transcript.text(),
                                ink.bold(&message(panic.as_ref())),
                                ink.dim(&format!("repeat with: cargo test -p acceptance-tests --test main -- \"{label}\""))
                            ));
                        }
                    }
                }
            });
        }
    });
    failed.into_inner()
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panicked without a message".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Choice {
        Choice::parse(words.iter().map(|word| (*word).to_owned())).expect("known words")
    }

    #[test]
    fn cases_are_chosen_by_parts_of_their_names() {
        let choice = parse(&["drift::", "--except", "[tofu]", "--quiet"]);
        assert!(choice.takes("drift::deleted [terraform]"));
        assert!(!choice.takes("drift::deleted [tofu]"));
        assert!(!choice.takes("plans::target [terraform]"));
        assert!(parse(&[]).takes("anything"));
    }

    #[test]
    fn a_case_is_chosen_by_its_site() {
        let case = |only| Case { name: String::new(), run: Box::new(|_| {}), only };
        let sites = |words: &[&str], case: &Case| parse(words).sites(case).map(SiteKind::name).collect::<Vec<_>>();
        assert_eq!(sites(&[], &case(None)), ["folders", "servers"]);
        assert_eq!(sites(&["--site", "servers"], &case(None)), ["servers"]);
        assert_eq!(sites(&["--site", "servers"], &case(None).on_folders_for("files")), [""; 0]);
        assert_eq!(sites(&[], &case(None).on_servers_for("a manager")), ["servers"]);
    }

    #[test]
    fn an_unknown_switch_is_refused() {
        assert!(Choice::parse(["--site".to_owned(), "moon".to_owned()].into_iter()).is_err());
        assert!(Choice::parse(["--ignored".to_owned()].into_iter()).is_err());
    }
}
