//! What a command costs, and what of it the provider does: read from /proc while it runs.
//!
//! The core ends a provider process after each walk, so there are several in one command: their times are added up, and the
//! largest memory counts. A process is looked at every few milliseconds; the time of all of them together is what the kernel
//! gives for the command as a whole, once it has ended.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use xtask::{Problem, Result};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(4);
/// Looks between two searches for new processes.
const SEARCH: u32 = 5;
/// Of a second; the same on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// What a command has cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// From the start to the end.
    pub(crate) wall: Duration,
    /// CPU time of the core.
    pub(crate) core: Duration,
    /// Peak memory of the core, KiB.
    pub(crate) core_memory: u64,
    /// CPU time of its providers.
    pub(crate) provider: Duration,
    /// Peak memory of the largest of them, KiB.
    pub(crate) provider_memory: u64,
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started.
pub(crate) fn watch(command: &mut Command) -> Result<(ExitStatus, Usage)> {
    let before = reaped()?;
    let begun = Instant::now();
    let mut core = command.spawn().map_err(|error| Problem::new(format!("cannot run the CLI: {error}")))?;
    let mut usage = Usage::default();
    let mut providers: BTreeMap<u32, (Duration, u64)> = BTreeMap::new();
    let mut looks = 0;
    let status = loop {
        if let Some(status) = core.try_wait().map_err(|error| Problem::new(format!("cannot wait for the CLI: {error}")))? {
            break status;
        }
        if looks % SEARCH == 0 {
            for pid in children_of(core.id()) {
                providers.entry(pid).or_default();
            }
        }
        looks += 1;
        usage.core_memory = usage.core_memory.max(peak_memory(core.id()).unwrap_or_default());
        for (pid, (time, memory)) in &mut providers {
            if let Some(stat) = Stat::of(*pid).filter(|stat| stat.parent == core.id()) {
                *time = stat.time;
                // the last one: until it becomes the provider, a process has the memory of the core
                *memory = peak_memory(*pid).unwrap_or(*memory);
            }
        }
        // the kernel tells nobody how much memory a process takes
        std::thread::sleep(PAUSE);
    };
    usage.wall = begun.elapsed();
    usage.provider = providers.values().map(|(time, _)| time).sum();
    usage.provider_memory = providers.values().map(|(_, memory)| *memory).max().unwrap_or_default();
    usage.core = (reaped()? - before).saturating_sub(usage.provider);
    Ok((status, usage))
}

/// Runs a command of the CLI to its end; what it prints is in `output.log` of the folder.
///
/// # Errors
/// When it ends with another code.
pub(crate) fn run(command: &mut Command, folder: &Path, code: i32) -> Result<Usage> {
    let log = folder.join("output.log");
    let output = std::fs::File::create(&log).map_err(Problem::file("write", &log))?;
    let errors = output.try_clone().map_err(Problem::file("write", &log))?;
    let (status, usage) = watch(command.stdout(output).stderr(errors))?;
    if status.code() == Some(code) {
        return Ok(usage);
    }
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(40)..].join("\n");
    let words: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
    Err(Problem::new(format!("{} in {}: {status}\n{tail}", words.join(" "), folder.display())))
}

struct Stat {
    parent: u32,
    /// in user and system mode
    time: Duration,
    /// the same of its children that have ended
    reaped: Duration,
}

impl Stat {
    fn of(pid: impl std::fmt::Display) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `pid (name) state ppid …`, see proc_pid_stat(5); the name may hold anything.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |index: usize| Some(TICK * fields.get(index)?.parse::<u32>().ok()?);
        Some(Self { parent: fields.get(1)?.parse().ok()?, time: ticks(11)? + ticks(12)?, reaped: ticks(13)? + ticks(14)? })
    }
}

/// CPU time of all commands that have ended.
fn reaped() -> Result<Duration> {
    Stat::of("self").map(|stat| stat.reaped).ok_or_else(|| Problem::new("/proc tells no times: the benchmark needs Linux"))
}

fn children_of(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| Stat::of(*pid).is_some_and(|stat| stat.parent == parent)).collect()
}

/// `VmHWM`, KiB.
fn peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let stat = Stat::parse("7 (a) b (c) S 3 0 0 0 0 0 0 0 0 0 150 50 20 5 0 0").expect("readable");
        assert_eq!((stat.parent, stat.time, stat.reaped), (3, Duration::from_secs(2), Duration::from_millis(250)));
    }

    #[test]
    fn a_command_that_works_has_its_time_and_memory() {
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]);
        let (status, usage) = watch(&mut command).expect("a shell");
        assert!(status.success());
        assert!(usage.core > Duration::ZERO && usage.core_memory > 0, "{usage:?}");
        assert_eq!((usage.provider, usage.provider_memory), (Duration::ZERO, 0));
    }
}
