//! The process that owns the servers: `rig supervise <folder of rooms>`.
//!
//! It makes a room (a private folder), starts and stops programs as standard input says, one JSON object a line, and
//! ends everything when that input ends, which it does however the test process dies. Should this process be killed itself,
//! the kernel kills the programs (`rig exec` asked for that), and the next rig removes the room.
//!
//! Invariant: a room whose `lock` file is not locked belongs to nobody.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{BufRead as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getppid, kill_process};
use serde_json::{Value, json};
use xtask::{Problem, Result};

/// A program that was asked to end gets this long.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until standard input ends.
///
/// # Errors
/// When there can be no room; everything later is answered on standard output.
pub fn supervise(rooms: &Path) -> Result<()> {
    let room = Room::make(rooms)?;
    let mut programs = Programs::default();
    let mut out = std::io::stdout();
    let mut tell = |answer: &Value| writeln!(out, "{answer}").and_then(|()| out.flush());
    let mut is_heard = tell(&json!({ "room": room.folder })).is_ok();
    for line in std::io::stdin().lock().lines() {
        let (true, Ok(line)) = (is_heard, line) else { break };
        let answer = match serde_json::from_str(&line).map_err(|error| error.to_string()) {
            Ok(request) => programs.serve(&request).unwrap_or_else(|error| json!({ "error": error })),
            Err(error) => json!({ "error": error }),
        };
        is_heard = tell(&answer).is_ok();
    }
    programs.end();
    room.remove();
    Ok(())
}

/// Becomes the program, after the kernel has promised to kill it together with its supervisor.
///
/// # Errors
/// Always: there is no return from success.
pub fn exec(arguments: &[&str]) -> Result<()> {
    let [supervisor, program, arguments @ ..] = arguments else {
        return Err(Problem::new("exec takes the supervisor's pid, a program and its arguments"));
    };
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Problem::new(format!("the kernel promises nothing: {error}")))?;
    // it may have died before the promise
    if getppid().map(Pid::as_raw_nonzero).map(|pid| pid.to_string()).as_deref() != Some(*supervisor) {
        return Err(Problem::new("the supervisor is gone"));
    }
    Err(Problem::file("run", Path::new(program))(Command::new(program).args(arguments).exec()))
}

/// A private folder, locked as long as this process lives.
struct Room {
    folder: PathBuf,
    _lock: File,
}

impl Room {
    fn make(rooms: &Path) -> Result<Self> {
        std::fs::create_dir_all(rooms).map_err(Problem::file("create", rooms))?;
        // between the making of a room and its lock nobody may sweep
        let door_path = rooms.join("door");
        let door = File::create(&door_path).map_err(Problem::file("create", &door_path))?;
        door.lock().map_err(Problem::file("lock", &door_path))?;
        sweep(rooms);
        let folder = rooms.join(std::process::id().to_string());
        // keys and tokens will lie in it
        std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(Problem::file("create", &folder))?;
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).map_err(Problem::file("create", &lock_path))?;
        lock.lock().map_err(Problem::file("lock", &lock_path))?;
        Ok(Self { folder, _lock: lock })
    }

    fn remove(self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Removes rooms whose supervisor was killed.
fn sweep(rooms: &Path) {
    for entry in std::fs::read_dir(rooms).into_iter().flatten().flatten() {
        let folder = entry.path();
        if !folder.is_dir() {
            continue;
        }
        let is_taken = File::open(folder.join("lock")).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        if !is_taken {
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}

struct Program {
    child: Child,
    /// Lower ones are stopped first: an API server that lost its store hangs for minutes.
    rank: u64,
}

#[derive(Default)]
struct Programs(BTreeMap<String, Program>);

impl Programs {
    fn serve(&mut self, request: &Value) -> std::result::Result<Value, String> {
        let name = request["name"].as_str().ok_or("the request has no name")?.to_owned();
        match request["do"].as_str() {
            Some("start") => self.start(name, request),
            Some("status") => {
                let child = &mut self.get(&name)?.child;
                let ended = child.try_wait().map_err(|error| error.to_string())?;
                Ok(json!({ "pid": child.id(), "ended": ended.map(|status| status.to_string()) }))
            }
            Some("stop") => self.signal(&name, Signal::STOP),
            Some("cont") => self.signal(&name, Signal::CONT),
            Some("kill") => self.end_one(&name, Signal::KILL),
            Some("term") => self.end_one(&name, Signal::TERM),
            _ => Err(format!("unknown request: {request}")),
        }
    }

    fn start(&mut self, name: String, request: &Value) -> std::result::Result<Value, String> {
        let text = |key: &str| request[key].as_str().ok_or(format!("the request has no {key}"));
        let mut command: Vec<&str> = Vec::new();
        for word in request["command"].as_array().into_iter().flatten() {
            command.push(word.as_str().ok_or("a word of the command is no text")?);
        }
        let log = File::options().create(true).append(true).open(text("log")?).map_err(|error| error.to_string())?;
        let errors = log.try_clone().map_err(|error| error.to_string())?;
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let child = Command::new(this)
            .args(["exec", &std::process::id().to_string()])
            .args(command)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .current_dir(text("folder")?)
            // what a terminal sends to our group is not for the servers
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(|error| error.to_string())?;
        let pid = child.id();
        self.0.insert(name, Program { child, rank: request["rank"].as_u64().unwrap_or_default() });
        Ok(json!({ "pid": pid }))
    }

    fn get(&mut self, name: &str) -> std::result::Result<&mut Program, String> {
        self.0.get_mut(name).ok_or_else(|| format!("{name} was never started"))
    }

    fn signal(&mut self, name: &str, signal: Signal) -> std::result::Result<Value, String> {
        let child = &mut self.get(name)?.child;
        // not reaped before, so that the number cannot be somebody else's
        if child.try_wait().map_err(|error| error.to_string())?.is_none() {
            let pid = Pid::from_child(child);
            kill_process(pid, signal).map_err(|error| error.to_string())?;
        }
        Ok(json!({}))
    }

    /// Waits until it is gone: its port and files are free then. Who does not end when asked is killed.
    fn end_one(&mut self, name: &str, signal: Signal) -> std::result::Result<Value, String> {
        self.signal(name, signal)?;
        let child = &mut self.get(name)?.child;
        let end = Instant::now() + GRACE;
        while child.try_wait().map_err(|error| error.to_string())?.is_none() {
            if Instant::now() > end {
                child.kill().map_err(|error| error.to_string())?;
            }
            // a child tells nobody but who asks that it has ended
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(json!({}))
    }

    fn end(&mut self) {
        let mut all: Vec<&mut Program> = self.0.values_mut().collect();
        all.sort_by_key(|program| program.rank);
        for program in &mut all {
            let _ = program.child.kill();
        }
        for program in all {
            let _ = program.child.wait();
        }
    }
}
