//! The runner: which cases, with which CLI, side by side, and what is told about failures.

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

/// One acceptance test; it runs once with every CLI.
pub struct Case {
    /// `<module>::<function>`.
    pub name: String,
    /// Panics when the provider does not behave.
    pub run: Box<dyn Fn(&Rig) + Send + Sync>,
}

/// The case for a function of this name in the current module.
#[macro_export]
macro_rules! case {
    ($function:ident) => {
        $crate::Case {
            name: {
                let module = module_path!();
                format!("{}::{}", module.rsplit("::").next().unwrap_or(module), stringify!($function))
            },
            run: Box::new($function),
        }
    };
}

/// What a case is given.
#[derive(Debug, Clone)]
pub struct Rig {
    /// The CLI to use.
    pub cli: Cli,
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

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Choice {
    filters: Vec<String>,
    except: Vec<String>,
    is_list: bool,
    threads: Option<usize>,
}

impl Choice {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut choice = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--list" => choice.is_list = true,
                "--except" => choice.except.extend(arguments.next()),
                "--test-threads" => choice.threads = arguments.next().and_then(|number| number.parse().ok()),
                // what cargo itself may pass on
                "--quiet" | "-q" | "--nocapture" | "--no-capture" => {}
                other if other.starts_with('-') => {
                    return Err(Problem::new(format!(
                        "{other}: known are --list, --except TEXT, --test-threads N and texts to look for"
                    )));
                }
                _ => choice.filters.push(argument),
            }
        }
        Ok(choice)
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
        cases.iter().filter(|case| choice.takes(&case.name)).for_each(|case| say(&case.name));
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

    let jobs: Vec<(&Case, Rig)> = clis
        .iter()
        .flat_map(|cli| cases.iter().map(move |case| (cli, case)))
        .filter(|(cli, case)| choice.takes(&label(case, cli)))
        .map(|(cli, case)| {
            let transcript = Transcript::default();
            let (provider, breakage) = (provider.clone(), breakage.clone());
            let rig = Rig { cli: cli.clone(), provider, breakage, root: workspace.root.clone(), transcript };
            (case, rig)
        })
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

fn label(case: &Case, cli: &Cli) -> String {
    format!("{} [{}]", case.name, cli.kind)
}

/// Runs all jobs on a few threads, prints one line each as it ends; returns how many failed.
fn run_side_by_side(jobs: &[(&Case, Rig)], threads: Option<usize>) -> usize {
    let ink = Ink::stdout();
    let threads = threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let next = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((case, rig)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let start = Instant::now();
                    let result = catch_unwind(AssertUnwindSafe(|| (case.run)(rig)));
                    let time = ink.dim(&spoken(start.elapsed()));
                    let label = label(case, &rig.cli);
                    match result {
                        Ok(()) => say(&format!("{} {label}  {time}", ink.good("ok    "))),
                        Err(panic) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            say(&format!(
                                "{} {label}  {time}\n{}\n{}\n{}",
                                ink.bad("FAILED"),
                                rig.transcript.text(),
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
    use super::Choice;

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
    fn an_unknown_switch_is_refused() {
        assert!(Choice::parse(["--ignored".to_owned()].into_iter()).is_err());
    }
}
