//! kill −9 of the provider, Ctrl-C, a failure, and two runs at once, at the n-th write: at most two applies reach the goal, and
//! nothing is orphaned. Every n with terraform; with tofu, which runs the same provider in the same way, three of them.

use std::collections::BTreeMap;

use acceptance_tests::server::PERSON;
use acceptance_tests::{Case, Checkpoint, Rig, World, case};
use serde_json::Value;
use xtask::cli::Kind;

use super::{APPLY, CLUSTERS, DESTINATION, PROVIDER, applied, beside, is_empty, renamed, snapshot, texts, with};

pub fn cases() -> Vec<Case> {
    vec![
        case!(the_shipped_binary_has_no_breakage).on_folders_for("no cluster at all"),
        case!(a_kill_at_every_write_of_a_create),
        case!(a_kill_at_every_write_of_an_update),
        case!(a_kill_at_every_write_of_a_takeover),
        case!(a_kill_at_every_write_of_a_destroy),
        case!(a_failure_at_every_write_of_a_create).on_servers_for(FAILURES),
        case!(a_failure_at_every_write_of_an_update).on_servers_for(FAILURES),
        case!(a_failure_at_every_write_of_a_destroy).on_servers_for(FAILURES),
        case!(ctrl_c_at_every_write_of_a_create),
        case!(ctrl_c_at_every_write_of_an_update),
        case!(ctrl_c_at_every_write_of_a_takeover),
        case!(ctrl_c_at_every_write_of_a_destroy),
        case!(a_file_size_limit_fails_a_write_and_nothing_is_left).on_folders_for("a file that grows too large"),
        case!(two_runs_at_once_with_two_owners),
        case!(two_runs_at_once_with_one_owner),
        case!(two_aliases_share_the_clusters),
        case!(a_stale_plan_is_refused_by_the_cli),
        case!(a_saved_destroy_plan_stops_at_a_foreign_change),
    ]
}

const FAILURES: &str = "failing writes to servers: those to folders are all tried inside of the process";

/// What differs from run to run.
const NONCES: [&str; 2] = ["state.gloo-terraform/instance", "state.gloo-terraform/complete"];

/// Everything that is there, as text, without nonces: a file's line or a member of an object.
fn held(world: &World) -> BTreeMap<String, String> {
    let without_nonces = |text: String| match serde_json::from_str::<Value>(&text) {
        Ok(mut object) => {
            let annotations = object["metadata"]["annotations"].as_object_mut();
            annotations.into_iter().for_each(|all| all.retain(|name, _| !NONCES.contains(&name.as_str())));
            object.to_string()
        }
        Err(_) => {
            let is_nonce = |line: &str| NONCES.iter().any(|name| line.trim_start().starts_with(&format!("{name}:")));
            text.lines().filter(|line| !is_nonce(line)).collect::<Vec<_>>().join("\n")
        }
    };
    texts(world).into_iter().map(|(key, text)| (key, without_nonces(text))).collect()
}

/// A journey: a beginning, and the command that leads to its goal.
struct Journey {
    start: Checkpoint,
    command: &'static [&'static str],
    end: BTreeMap<String, String>,
}

/// Every journey here has at least as many writes.
const LEAST_WRITES: usize = 10;

const DESTROY: &[&str] = &["destroy", "-input=false", "-auto-approve", "-json"];

impl Journey {
    fn new(start: World, command: &'static [&'static str]) -> Self {
        let start = start.checkpoint();
        // the undisturbed run: a breakage at a write that never comes
        let world = start.world();
        let (outcome, is_reached) = world.run_broken("kill:before:1000", command);
        assert!(outcome.is_success() && !is_reached, "the undisturbed run failed:\n{}{}", outcome.diagnostics(), outcome.stderr);
        Self { start, command, end: held(&world) }
    }

    fn create(rig: &Rig) -> Self {
        Self::new(World::quickstart(&rig.breakable()), APPLY)
    }

    fn update(rig: &Rig) -> Self {
        let world = World::quickstart(&rig.breakable());
        world.apply(&world.plan());
        let change = "resource \"gloo_virtual_destination\" \"reviews\" {\n  hostname = \"critics.mesh.internal\"\n  timeout = \"2s\"\n}\n";
        world.write("change_override.tf", change);
        Self::new(world, APPLY)
    }

    /// Another resource takes the host over while the one that has it goes.
    fn takeover(rig: &Rig) -> Self {
        let world = applied(&rig.breakable(), &with(""));
        let entry = "takeover_from = [\"tests/acceptance//gloo_virtual_destination/bookinfo/reviews\"]";
        world.config(&format!("{PROVIDER}{}", renamed("critics", "comments", &format!("  {entry}"))));
        Self::new(world, APPLY)
    }

    fn destroy(rig: &Rig) -> Self {
        let world = World::quickstart(&rig.breakable());
        world.apply(&world.plan());
        Self::new(world, DESTROY)
    }

    /// Does it for every write of the journey; `at` says whether there is such a write.
    fn at_every_write(&self, rig: &Rig, at: impl Fn(usize) -> bool) {
        match rig.cli.kind {
            Kind::Terraform => {
                let writes = (1..).take_while(|write| at(*write)).count();
                assert!(writes >= LEAST_WRITES, "only {writes} writes");
            }
            Kind::Tofu => assert!([1, LEAST_WRITES / 2, LEAST_WRITES].into_iter().all(at), "a write is missing"),
        }
    }

    /// At most so many applies reach the goal.
    fn check_recovery(&self, world: &World, most: usize, label: &str) {
        let destroy: &[&str] = if self.command == DESTROY { &["-destroy"] } else { &[] };
        let plan = [&["plan", "-input=false", "-json", "-detailed-exitcode", "-out=recovery.tfplan"], destroy].concat();
        for applies in 0.. {
            match world.run(&plan).code {
                Some(0) => break,
                Some(2) if applies < most => {}
                code => panic!("{label}: after {applies} applies the plan ends with {code:?}"),
            }
            let outcome = world.run(&["apply", "-input=false", "-json", "recovery.tfplan"]);
            assert!(outcome.is_success(), "{label}: {}{}", outcome.diagnostics(), outcome.stderr);
        }
        let (found, wanted) = (held(world), &self.end);
        let differing = found.keys().chain(wanted.keys()).find(|key| found.get(*key) != wanted.get(*key));
        assert_eq!(differing, None, "{label}");
        if self.command == DESTROY {
            assert!(!world.state().addresses().iter().any(|address| address == DESTINATION), "{label}");
        }
    }

    fn kill_everywhere(&self, rig: &Rig) {
        self.at_every_write(rig, |write| {
            // a write to a server has no middle
            let moment = if write % 2 == 0 && !rig.site.is_servers() { "between" } else { "before" };
            let world = self.start.world();
            let (outcome, is_reached) = world.run_broken(&format!("kill:{moment}:{write}"), self.command);
            assert_eq!(outcome.is_success(), !is_reached, "write {write}: {}{}", outcome.diagnostics(), outcome.stderr);
            if is_reached {
                self.check_recovery(&world, 2, &format!("killed {moment} write {write}"));
            }
            is_reached
        });
    }

    /// A refusal is told and needs one more apply; an answer that is lost is found out.
    fn fail_everywhere(&self, rig: &Rig) {
        self.at_every_write(rig, |write| {
            let (breakage, applies) = if write % 2 == 0 { ("silence:after", 0) } else { ("refuse:before", 1) };
            let world = self.start.world();
            let (outcome, is_reached) = world.run_broken(&format!("{breakage}:{write}"), self.command);
            let told = || format!("{}{}", outcome.diagnostics(), outcome.stderr);
            assert_eq!(outcome.is_success(), !is_reached || applies == 0, "{breakage}:{write}: {}", told());
            if is_reached {
                self.check_recovery(&world, applies, &format!("{breakage}:{write}"));
            }
            is_reached
        });
    }

    fn interrupt_everywhere(&self, rig: &Rig) {
        self.at_every_write(rig, |write| {
            let moment = if write % 2 == 0 { "after" } else { "before" };
            let world = self.start.world();
            let mut running = world.start_broken(&format!("hang:{moment}:{write}"), self.command);
            let is_reached = running.wait();
            if is_reached {
                running.interrupt();
            }
            let outcome = running.end();
            assert!(outcome.code.is_some(), "the CLI itself ends in order");
            if is_reached {
                self.check_recovery(&world, 2, &format!("Ctrl-C {moment} write {write}"));
            }
            is_reached
        });
    }
}

fn a_kill_at_every_write_of_a_create(rig: &Rig) {
    Journey::create(rig).kill_everywhere(rig);
}

fn a_kill_at_every_write_of_an_update(rig: &Rig) {
    Journey::update(rig).kill_everywhere(rig);
}

fn a_kill_at_every_write_of_a_destroy(rig: &Rig) {
    Journey::destroy(rig).kill_everywhere(rig);
}

fn a_kill_at_every_write_of_a_takeover(rig: &Rig) {
    Journey::takeover(rig).kill_everywhere(rig);
}

fn a_failure_at_every_write_of_a_create(rig: &Rig) {
    Journey::create(rig).fail_everywhere(rig);
}

fn a_failure_at_every_write_of_an_update(rig: &Rig) {
    Journey::update(rig).fail_everywhere(rig);
}

fn a_failure_at_every_write_of_a_destroy(rig: &Rig) {
    Journey::destroy(rig).fail_everywhere(rig);
}

fn ctrl_c_at_every_write_of_a_create(rig: &Rig) {
    Journey::create(rig).interrupt_everywhere(rig);
}

fn ctrl_c_at_every_write_of_an_update(rig: &Rig) {
    Journey::update(rig).interrupt_everywhere(rig);
}

fn ctrl_c_at_every_write_of_a_destroy(rig: &Rig) {
    Journey::destroy(rig).interrupt_everywhere(rig);
}

fn ctrl_c_at_every_write_of_a_takeover(rig: &Rig) {
    Journey::takeover(rig).interrupt_everywhere(rig);
}

fn the_shipped_binary_has_no_breakage(rig: &Rig) {
    let holds = |folder: &std::path::Path| {
        let binary = folder.join("terraform-provider-gloo");
        ["GLOO_BREAK", "is no breakage"].map(|text| {
            let found = std::process::Command::new("grep").args(["-aqF", text]).arg(&binary).status().expect("grep is there");
            found.success()
        })
    };
    assert_eq!(holds(&rig.breakage), [true, true]);
    assert_eq!(holds(&rig.provider), [false, false]);
}

/// A provider under a file-size limit: what a full disk does in the middle of a file.
fn a_file_size_limit_fails_a_write_and_nothing_is_left(rig: &Rig) {
    use std::os::unix::fs::PermissionsExt as _;

    let room = tempfile::tempdir().expect("a temporary folder can be made");
    let real = rig.provider.join("terraform-provider-gloo");
    // the limit is in blocks of 512 or 1024 bytes; the signal that comes with it would end the process
    let script = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 1\nexec '{}' \"$@\"\n", real.display());
    let limited = room.path().join("terraform-provider-gloo");
    std::fs::write(&limited, script)
        .and_then(|()| std::fs::set_permissions(&limited, std::fs::Permissions::from_mode(0o755)))
        .expect("a new folder is writable");
    let world = World::quickstart(&Rig { provider: room.path().to_path_buf(), ..rig.clone() });
    let plan = world.plan();
    world.apply_refused(&plan).error_with(&["too large", "manifests", "a full disk"]);
    assert_eq!(texts(&world), BTreeMap::new(), "no part of a file is left");
    assert!(!world.state().addresses().iter().any(|address| address == DESTINATION), "nothing is tainted");
}

fn two_runs_at_once_with_two_owners(rig: &Rig) {
    let world = World::quickstart(&rig.breakable());
    let second = world.beside("second");
    second.config(&(beside("team/other") + &with("")));
    // the first one has written one object and is held; the second one meets it
    let mut first = world.start_broken("pause:before:2", APPLY);
    assert!(first.wait());
    second.refused().error_with(&["demo/quickstart"]);
    first.go_on();
    let outcome = first.end();
    assert!(outcome.is_success(), "{}{}", outcome.diagnostics(), outcome.stderr);
    world.assert_clean();
}

fn two_runs_at_once_with_one_owner(rig: &Rig) {
    let world = World::quickstart(&rig.breakable());
    world.step();
    // another copy of the same state, as a run that lost its lock has it
    let second = world.beside("second");
    let text = std::fs::read_to_string(world.folder().join("main.tf")).expect("the quick start has it");
    second.write("main.tf", &text.replace("\"clusters/", "\"../work/clusters/"));
    let state = std::fs::read_to_string(world.folder().join("terraform.tfstate")).expect("there is a state");
    second.write("terraform.tfstate", &state);
    world.write("change_override.tf", "resource \"gloo_virtual_destination\" \"reviews\" {\n  timeout = \"2s\"\n}\n");
    second.write("change_override.tf", "resource \"gloo_virtual_destination\" \"reviews\" {\n  timeout = \"9s\"\n}\n");
    let mut first = world.start_broken("pause:before:1", APPLY);
    assert!(first.wait());
    second.apply(&second.plan());
    first.go_on();
    let outcome = first.end();
    assert!(!outcome.is_success(), "the first one meets what the second one wrote");
    assert!(!outcome.diagnostics().errors().is_empty());
    // and its next apply sees it and puts it right
    world.step();
}

fn two_aliases_share_the_clusters(rig: &Rig) {
    let world = World::clusters(rig);
    let alias = PROVIDER.replace("provider \"gloo\" {\n", "provider \"gloo\" {\n  alias = \"second\"\n");
    let many = |name: &str, provider: &str| {
        format!(
            r#"
resource "gloo_istio_object" "{name}" {{
  provider = {provider}
  count    = 10
  clusters = ["east", "west"]
  manifest = {{
    apiVersion = "security.istio.io/v1"
    kind       = "PeerAuthentication"
    metadata   = {{ name = "{name}-${{count.index}}", namespace = "bookinfo" }}
    spec       = {{ mtls = {{ mode = "STRICT" }} }}
  }}
}}
"#
        )
    };
    world.config(&format!("{PROVIDER}{alias}{}{}", many("one", "gloo"), many("two", "gloo.second")));
    world.step();
    for name in CLUSTERS {
        assert_eq!(world.cluster(name).keys().len(), 20);
    }
    world.destroy();
    assert!(is_empty(&world));
}

fn a_stale_plan_is_refused_by_the_cli(rig: &Rig) {
    let world = World::quickstart(rig);
    let plan = world.plan();
    world.apply(&world.plan());
    let before = snapshot(&world);
    world.apply_refused(&plan).error_with(&["stale"]);
    assert_eq!(snapshot(&world), before);
    world.assert_clean();
}

fn a_saved_destroy_plan_stops_at_a_foreign_change(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let plan = world.plan_with(&["-destroy"]);
    let west = world.cluster("west");
    west.change(&west.key_of("VirtualService"), |object| object["spec"]["hosts"] = serde_json::json!(["changed.example.com"]));
    let changed = snapshot(&world);
    let refused = world.apply_refused(&plan);
    refused.error_with(&["west", "VirtualService"]);
    if world.is_on_servers() {
        refused.error_with(&["spec.hosts", "changed.example.com", PERSON]);
    }
    assert_eq!(snapshot(&world), changed, "nothing is deleted anywhere");
    world.destroy();
    assert!(is_empty(&world));
}
