//! The test's side of the supervisor: a pipe, and the promise that its end is the end of everything.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use xtask::{Problem, Result};

/// A running supervisor with a room of its own. Dropped, it ends its programs and removes the room.
#[derive(Debug)]
pub struct Supervisor {
    room: PathBuf,
    pipe: Mutex<Pipe>,
    process: Mutex<Child>,
}

#[derive(Debug)]
struct Pipe {
    /// Gone when the supervisor was told to end.
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// How a program is started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Name for later requests, unique in the room.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Working folder.
    pub folder: PathBuf,
    /// Receives what it prints, appended.
    pub log: PathBuf,
    /// Lower ones are ended first.
    pub rank: u64,
}

impl Supervisor {
    /// Starts one; `binary` is the program `rig`, `rooms` the folder in which it makes its room.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(binary: &Path, rooms: &Path) -> Result<Self> {
        let mut process = Command::new(binary)
            .arg("supervise")
            .arg(rooms)
            // Ctrl-C ends the test; this process then sees the end of its input and cleans up
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Problem::file("run", binary))?;
        let requests = process.stdin.take();
        let answers = process.stdout.take().ok_or_else(|| Problem::new("the supervisor has no output"))?;
        let mut pipe = Pipe { requests, answers: BufReader::new(answers) };
        let hello = pipe.answer()?;
        let room = hello["room"].as_str().ok_or_else(|| Problem::new(format!("the supervisor says {hello}")))?.into();
        Ok(Self { room, pipe: Mutex::new(pipe), process: Mutex::new(process) })
    }

    /// The folder that is removed at the end.
    pub fn room(&self) -> &Path {
        &self.room
    }

    /// The supervisor's process id.
    pub fn pid(&self) -> u32 {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).id()
    }

    /// Starts a program; returns its process id.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(&self, launch: &Launch) -> Result<u32> {
        let Launch { name, command, folder, log, rank } = launch;
        let answer =
            self.ask(&json!({ "do": "start", "name": name, "command": command, "folder": folder, "log": log, "rank": rank }))?;
        let pid = answer["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        pid.ok_or_else(|| Problem::new(format!("{name} has no process id: {answer}")))
    }

    /// How the program ended; `None` while it runs.
    ///
    /// # Errors
    /// When it was never started.
    pub fn ended(&self, name: &str) -> Result<Option<String>> {
        Ok(self.ask(&json!({ "do": "status", "name": name }))?["ended"].as_str().map(str::to_owned))
    }

    /// Does something to a program: `stop` and `cont` (it hangs and goes on), `kill` and `term` (and waits for its end).
    ///
    /// # Errors
    /// When it was never started.
    pub fn signal(&self, name: &str, what: &str) -> Result<()> {
        self.ask(&json!({ "do": what, "name": name })).map(drop)
    }

    fn ask(&self, request: &Value) -> Result<Value> {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = pipe.requests.as_mut().ok_or_else(|| Problem::new("the supervisor was told to end"))?;
        writeln!(requests, "{request}").map_err(|error| Problem::new(format!("the supervisor is gone: {error}")))?;
        let answer = pipe.answer()?;
        match answer["error"].as_str() {
            Some(error) => Err(Problem::new(format!("supervisor: {error}"))),
            None => Ok(answer),
        }
    }
}

impl Pipe {
    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        read.map_err(|error| Problem::new(format!("the supervisor is gone: {error}")))?;
        serde_json::from_str(&line)
            .map_err(|_| Problem::new(format!("the supervisor is gone; its last words: `{}`", line.trim())))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.requests = None;
        // it kills and waits; nothing in it waits for anybody else
        let _ = self.process.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
}
