//! Commands whose provider breaks at its n-th write ([`Rig::breakable`](crate::Rig::breakable)).
//!
//! Invariant: a test waits for the write itself, through a pipe, and never for a time.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;

use crate::World;
use crate::world::Outcome;

/// A command that runs, and says when its provider reaches the breakage.
pub struct Running {
    words: String,
    group: u32,
    told: BufReader<File>,
    go: PathBuf,
    ended: JoinHandle<Outcome>,
}

/// Makes a pipe; opened for both directions it neither blocks nor ends.
fn pipe(path: &PathBuf) -> File {
    let _ = std::fs::remove_file(path);
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo is there");
    assert!(made.success(), "{} could not be made", path.display());
    OpenOptions::new().read(true).write(true).open(path).expect("a new pipe can be opened")
}

impl World {
    /// Runs a command with this breakage (`kill:before:3`) to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run_broken(&self, breakage: &str, arguments: &[&str]) -> (Outcome, bool) {
        let mut running = self.start_broken(breakage, arguments);
        let is_reached = running.wait();
        (running.end(), is_reached)
    }

    /// Starts a command that nothing breaks from inside.
    ///
    /// # Panics
    /// As [`Self::start_broken`].
    pub fn start(&self, arguments: &[&str]) -> Running {
        self.start_broken("kill:before:1000", arguments)
    }

    /// Starts a command with this breakage.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_broken(&self, breakage: &str, arguments: &[&str]) -> Running {
        let (told, go) = (self.folder().with_file_name("told"), self.folder().with_file_name("go"));
        let (pipe_told, _go) = (pipe(&told), pipe(&go));
        let mut command = self.command(arguments);
        command.env("GLOO_BREAK", breakage).env("GLOO_BREAK_TOLD", &told).env("GLOO_BREAK_GO", &go);
        // a group of its own: a signal to it is what Ctrl-C sends, and does not reach the tests
        command.process_group(0).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = command.spawn().expect("the CLI was found and can be started");
        let group = child.id();
        let mut closing = pipe_told.try_clone().expect("an open file can be shared");
        let ended = std::thread::spawn(move || {
            let output = child.wait_with_output().expect("the process can be waited for");
            closing.write_all(b"ended\n").expect("the pipe is open");
            Outcome {
                code: output.status.code(),
                stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            }
        });
        let words = format!("$ GLOO_BREAK={breakage} … {}", arguments.join(" "));
        self.note(&words);
        Running { words, group, told: BufReader::new(pipe_told), go, ended }
    }
}

impl Running {
    /// Waits until the breakage is reached (true), or the command ends without it.
    ///
    /// # Panics
    /// When the pipe cannot be read.
    pub fn wait(&mut self) -> bool {
        let mut line = String::new();
        self.told.read_line(&mut line).expect("the pipe can be read");
        line == "reached\n"
    }

    /// What Ctrl-C does.
    ///
    /// # Panics
    /// When the signal cannot be sent.
    pub fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", "--", &format!("-{}", self.group)]).status().expect("kill is there");
        assert!(sent.success(), "{}: no process takes the interrupt", self.words);
    }

    /// Ends a pause.
    ///
    /// # Panics
    /// When the pipe cannot be written.
    pub fn go_on(&self) {
        // the paused provider is reading, so this does not block
        OpenOptions::new().write(true).open(&self.go).and_then(|mut go| go.write_all(b"!")).expect("the pipe can be written");
    }

    /// How the command ended.
    ///
    /// # Panics
    /// When the thread that waits for it did.
    pub fn end(self) -> Outcome {
        self.ended.join().expect("the waiting thread does not panic")
    }
}
