//! kill −9 and Ctrl-C at every write of a create on real API servers: at most two applies reach the goal, and nothing is
//! orphaned. Every write with terraform; with tofu, which runs the same provider in the same way, three of them.

use std::collections::BTreeMap;

use acceptance_tests::{Case, Live, Rig, World, case};
use serde_json::Value;
use xtask::cli::Kind;

use super::live::config;
use super::{APPLY, DESTINATION};

const SUBJECT: &str = "an API server";

pub fn cases() -> Vec<Case> {
    vec![
        case!(a_kill_at_every_write_of_a_create_on_servers).on_servers_for(SUBJECT),
        case!(ctrl_c_at_every_write_of_a_create_on_servers).on_servers_for(SUBJECT),
    ]
}

/// The journey has at least as many writes.
const LEAST_WRITES: usize = 10;

/// Does it for every write; `at` says whether there is such a write.
fn at_every_write(rig: &Rig, at: impl Fn(usize) -> bool) {
    match rig.cli.kind {
        Kind::Terraform => {
            let writes = (1..).take_while(|write| at(*write)).count();
            assert!(writes >= LEAST_WRITES, "only {writes} writes");
        }
        Kind::Tofu => assert!([1, LEAST_WRITES / 2, LEAST_WRITES].into_iter().all(at), "a write is missing"),
    }
}

/// At most two applies reach the goal; its end takes everything away.
fn check_recovery(live: &Live, world: &World, planned: &BTreeMap<String, Value>, label: &str) {
    for applies in 0.. {
        match world.run(&["plan", "-input=false", "-json", "-detailed-exitcode", "-out=recovery.tfplan"]).code {
            Some(0) => break,
            Some(2) if applies < 2 => {}
            code => panic!("{label}: after {applies} applies the plan ends with {code:?}"),
        }
        let outcome = world.run(&["apply", "-input=false", "-json", "recovery.tfplan"]);
        assert!(outcome.is_success(), "{label}: {}{}", outcome.diagnostics(), outcome.stderr);
    }
    live.assert_holds(planned, &[]);
    world.destroy();
    assert!(live.is_empty(), "{label}: something is orphaned");
}

/// What the undisturbed run leads to.
fn goal(rig: &Rig, live: &Live) -> BTreeMap<String, Value> {
    live.world(rig, &config(live, "")).plan().manifests(DESTINATION)
}

fn a_kill_at_every_write_of_a_create_on_servers(rig: &Rig) {
    let live = Live::new(rig, "kill");
    let planned = goal(rig, &live);
    at_every_write(rig, |write| {
        let world = live.world(&rig.breakable(), &config(&live, ""));
        let (outcome, is_reached) = world.run_broken(&format!("kill:before:{write}"), APPLY);
        assert_eq!(outcome.is_success(), !is_reached, "write {write}: {}{}", outcome.diagnostics(), outcome.stderr);
        check_recovery(&live, &world, &planned, &format!("killed before write {write}"));
        is_reached
    });
}

fn ctrl_c_at_every_write_of_a_create_on_servers(rig: &Rig) {
    let live = Live::new(rig, "interrupt");
    let planned = goal(rig, &live);
    at_every_write(rig, |write| {
        let moment = if write % 2 == 0 { "after" } else { "before" };
        let world = live.world(&rig.breakable(), &config(&live, ""));
        let mut running = world.start_broken(&format!("hang:{moment}:{write}"), APPLY);
        let is_reached = running.wait();
        if is_reached {
            running.interrupt();
        }
        assert!(running.end().code.is_some(), "the CLI itself ends in order");
        check_recovery(&live, &world, &planned, &format!("Ctrl-C {moment} write {write}"));
        is_reached
    });
}
