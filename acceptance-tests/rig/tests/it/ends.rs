//! However a test ends, nothing of its clusters stays.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rig::Rig;
use rig::dev::WAITING;
use rig::supervisor::Supervisor;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::until;

/// Set for the process that plays the test that dies.
const VICTIM: &str = "RIG_TEST_VICTIM";

/// Held by each of these tests: clusters cost memory, and theirs come on top of the shared ones.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Another run of this very test, in which it starts a cluster, says what there is, and waits for its end.
struct Victim {
    process: Child,
    servers: Vec<u64>,
    supervisor: u64,
    room: PathBuf,
}

impl Victim {
    fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this test is a program"))
            .args(["--exact", "ends::the_victim", "--nocapture", "--quiet"])
            .env(VICTIM, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test can be run once more");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let found = output.lines().map_while(Result::ok).find_map(|line| serde_json::from_str::<Value>(&line).ok());
        let found = found.expect("it says what there is");
        let servers = found["servers"].as_array().expect("a list").iter().filter_map(Value::as_u64).collect();
        let room = found["room"].as_str().expect("a path").into();
        let victim = Self { process, servers, supervisor: found["supervisor"].as_u64().expect("a number"), room };
        let mode = victim.room.metadata().expect("the room is there").permissions().mode();
        assert_eq!((victim.servers.len(), mode & 0o077), (2, 0), "two servers in a private room");
        assert!(victim.servers.iter().chain([&victim.supervisor]).all(|pid| runs(*pid)), "everything runs before");
        victim
    }
}

/// Whether there is such a process; one that is dead and not yet collected does not run.
fn runs(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with('Z')))
}

fn kill(pid: u64, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, signal).expect("it runs");
}

/// Plays the test that dies; without being asked to it does nothing.
#[test]
fn the_victim() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let rig = Rig::start(&["east"]).unwrap_or_else(|problem| panic!("{problem}"));
    let cluster = rig.cluster("east");
    let room = cluster.folder().parent().expect("a room");
    println!("{}", json!({ "servers": cluster.pids().expect("pids"), "supervisor": rig.supervisor(), "room": room }));
    // until killed
    let _ = std::io::stdin().read_line(&mut String::new());
}

#[test]
fn a_killed_test_leaves_nothing() {
    let _alone = alone();
    let mut victim = Victim::start();
    victim.process.kill().expect("it runs");
    victim.process.wait().expect("collected");
    until("servers and supervisor are gone", || !victim.servers.iter().chain([&victim.supervisor]).any(|pid| runs(*pid)));
    assert!(!victim.room.exists(), "the room is removed before the supervisor ends");
}

#[test]
fn a_killed_supervisor_takes_the_servers_along_and_the_next_one_sweeps() {
    let _alone = alone();
    let mut victim = Victim::start();
    kill(victim.supervisor, Signal::KILL);
    until("the servers are gone", || !victim.servers.iter().any(|pid| runs(*pid)));
    let rooms = victim.room.parent().expect("the folder of rooms");
    let next = Supervisor::start(Path::new(env!("CARGO_BIN_EXE_rig")), rooms).expect("started");
    assert!(!victim.room.exists() && next.room().is_dir());
    let room = next.room().to_path_buf();
    drop(next);
    assert!(!room.exists());
    victim.process.kill().expect("it runs");
    victim.process.wait().expect("collected");
}

#[test]
fn ctrl_c_ends_the_clusters_of_a_person() {
    let _alone = alone();
    let folder = std::env::temp_dir().join(format!("rig-dev-test-{}", std::process::id()));
    let mut dev = Command::new(env!("CARGO_BIN_EXE_rig"))
        .arg("dev")
        .arg(&folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program was built with this test");
    let mut lines = BufReader::new(dev.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let said: Vec<String> = lines.by_ref().take_while(|line| line != WAITING).collect();
    let kubeconfig = std::fs::read_to_string(folder.join("kubeconfig")).expect("two clusters run");
    let kubeconfig: Value = serde_json::from_str(&kubeconfig).expect("JSON");
    let servers: Vec<&str> =
        kubeconfig["clusters"].as_array().into_iter().flatten().filter_map(|one| one["cluster"]["server"].as_str()).collect();
    assert!(servers.len() == 2 && servers.iter().all(|url| said.iter().any(|line| line.contains(url))), "{said:?}");
    let is_served = |url: &str| std::net::TcpStream::connect(url.trim_start_matches("https://")).is_ok();
    assert!(servers.iter().all(|url| is_served(url)));
    assert!(said.iter().any(|line| line.contains("TF_CLI_CONFIG_FILE=")), "{said:?}");
    assert!(folder.join("work/main.tf").is_file() && folder.join("cli.tfrc").is_file());

    kill(dev.id().into(), Signal::INT);
    let rest: Vec<String> = lines.collect();
    assert!(dev.wait().expect("collected").success(), "{rest:?}");
    assert!(!servers.iter().any(|url| is_served(url)), "no server is left when it ends");
    assert!(!folder.join("kubeconfig").exists());
    std::fs::remove_dir_all(folder).expect("its own folder");
}
