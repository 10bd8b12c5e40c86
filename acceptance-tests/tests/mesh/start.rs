//! How long a mesh takes to start, and that nothing is left of one whose process was killed.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rig::mesh::fleet::seats;
use rig::mesh::istiod::Program;
use rig::mesh::{Member, Mesh};
use rig::wait::is_so_by;
use xtask::mesh::NO_ISTIOD;
use xtask::term::{say, spoken};
use xtask::{Problem, Result};

use crate::report::Figures;

/// Name of the case.
pub const NAME: &str = "start-and-kill";

const MEMBERS: [&str; 2] = ["east", "west"];

/// A mesh of two clusters in a process of its own is killed: a moment later its addresses are free.
///
/// # Panics
/// When they are not, or the mesh does not start.
pub fn start_and_kill(figures: &Figures) {
    let program = std::env::current_exe().expect("it runs");
    let mut child = Command::new(program).arg("hold").stdout(Stdio::piped()).spawn().expect("it runs already");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it writes text");
    figures.note("start", line.trim());
    assert!(line.contains("clusters"), "the mesh does not start: {line}");
    assert!(addresses().any(|address| TcpListener::bind(address).is_err()), "a running mesh holds its addresses");
    child.kill().expect("it runs");
    child.wait().expect("it was started here");
    let start = Instant::now();
    let mut taken = Vec::new();
    let is_free = is_so_by(start + Duration::from_secs(20), || {
        taken = addresses().filter(|address| TcpListener::bind(address).is_err()).collect();
        Ok(taken.is_empty())
    });
    assert_eq!(is_free, Ok(true), "still taken: {taken:?}");
    figures.note("after a kill everything is gone within", spoken(start.elapsed()));
}

/// Starts a mesh of two clusters, tells how long that took, and waits to be killed.
///
/// # Errors
/// When there is no istiod, or it does not start.
pub fn hold() -> Result<ExitCode> {
    let program = Program::find()?.ok_or_else(|| Problem::new(NO_ISTIOD))?;
    let start = Instant::now();
    let mesh = Mesh::start(&program, &MEMBERS.map(Member::serving))?;
    say(&started(&mesh, start));
    loop {
        std::thread::park();
    }
}

/// In how much time a mesh was started.
pub fn started(mesh: &Mesh, start: Instant) -> String {
    format!("{} clusters with istiod {} in {}", mesh.rig().clusters().count(), mesh.program().version, spoken(start.elapsed()))
}

/// One of each process.
fn addresses() -> impl Iterator<Item = SocketAddr> {
    MEMBERS.map(|name| Member::serving(name).spot()).into_iter().flat_map(|spot| {
        seats(spot, true).map(rig::mesh::layout::Seat::admin).chain([spot.relay(), spot.istiod(15010), spot.istiod(8080)])
    })
}
