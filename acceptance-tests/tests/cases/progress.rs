//! What a person finds in the log while an apply takes long.

use std::process::Stdio;
use std::time::{Duration, Instant};

use acceptance_tests::{Case, Live, Rig, case};
use rig::wait::is_so_by;
use serde_json::json;

use super::live::resources;
use super::{APPLY, CLUSTERS};

pub fn cases() -> Vec<Case> {
    vec![case!(a_long_apply_says_what_it_does_and_what_it_waits_for)]
}

/// The namespace that the objects need is created when the log has said that it is waited for.
fn a_long_apply_says_what_it_does_and_what_it_waits_for(rig: &Rig) {
    let live = Live::new(rig, "told");
    let later = format!("{}-later", live.namespace());
    let objects = resources(&live, "").replace(&format!("\"{}\"", live.namespace()), &format!("\"{later}\""));
    let world = live.world(rig, &(live.provider() + &objects));
    let log = world.folder().join("log");
    let mut command = world.command(APPLY);
    command.env("TF_LOG_PROVIDER", "INFO").env("TF_LOG_PATH", &log).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = command.spawn().expect("the CLI can be started");
    let text = || std::fs::read_to_string(&log).unwrap_or_default();
    let wanted = CLUSTERS.map(|name| format!("waiting for namespace {later} in cluster {name}: "));
    let end = Instant::now() + Duration::from_secs(60);
    let is_told = is_so_by(end, || Ok(wanted.iter().all(|line| text().contains(line.as_str())))).expect("a file can be read");
    for name in CLUSTERS.iter().filter(|_| is_told) {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": later } });
        live.cluster(name).api().apply(&namespace).expect("a namespace");
    }
    let status = running.wait().expect("the CLI ends");
    let text = text();
    world.note(&text);
    assert!(is_told && status.success(), "it says what it waits for, and goes on");
    for line in wanted {
        assert_eq!(text.matches(&line).count(), 1, "once for all objects: {line}");
    }
    let claim = format!("{}//gloo_virtual_destination/{later}/reviews", live.owner());
    for line in [
        format!("checking 10 changes of {claim} in east, west"),
        format!("of {claim} begins: "),
        format!("of {claim} has ended: "),
    ] {
        assert!(text.contains(&line), "the log should have: {line}");
    }
    assert!(CLUSTERS.iter().all(|name| !text.contains(live.cluster(name).admin_token())), "a credential is in the log");
    world.destroy();
    assert!(live.is_empty());
}
