//! kill −9 of the provider, Ctrl-C, and two runs at once, at the n-th write: at most two applies
//! reach the goal, and nothing is orphaned. Every n with terraform; with tofu, which runs the same
//! provider in the same way, three of them.

use std::collections::BTreeMap;

use acceptance_tests::{Case, Rig, World, case};
use xtask::cli::Kind;

use super::{APPLY, CLUSTERS, DESTINATION, PROVIDER, by_hand};

pub fn cases() -> Vec<Case> {
    vec![
        case!(the_shipped_binary_has_no_breakage),
        case!(a_kill_at_every_write_of_a_create),
        case!(a_kill_at_every_write_of_an_update),
        case!(a_kill_at_every_write_of_a_destroy),
        case!(ctrl_c_at_every_write_of_a_create),
        case!(ctrl_c_at_every_write_of_an_update),
        case!(ctrl_c_at_every_write_of_a_destroy),
        case!(a_file_size_limit_fails_a_write_and_nothing_is_left),
        case!(two_runs_at_once_with_two_owners),
        case!(two_runs_at_once_with_one_owner),
        case!(two_aliases_share_a_folder),
        case!(a_stale_plan_is_refused_by_the_cli),
        case!(a_saved_destroy_plan_stops_at_a_foreign_change),
    ]
}

type Files = [BTreeMap<String, String>; 2];

/// What differs from run to run.
const NONCES: [&str; 2] = ["state.gloo-terraform/instance:", "state.gloo-terraform/complete:"];

fn files(world: &World) -> Files {
    let without_nonces = |text: String| {
        let lines = text.lines().filter(|line| !NONCES.iter().any(|name| line.trim_start().starts_with(name)));
        lines.collect::<Vec<_>>().join("\n")
    };
    CLUSTERS.map(|name| world.cluster(name).files().into_iter().map(|(path, text)| (path, without_nonces(text))).collect())
}

/// A journey: a beginning, and the command that leads to its goal.
struct Journey {
    start: World,
    command: &'static [&'static str],
    end: Files,
}

/// Every journey here has at least as many writes.
const LEAST_WRITES: usize = 10;

const DESTROY: &[&str] = &["destroy", "-input=false", "-auto-approve", "-json"];

impl Journey {
    fn new(start: World, command: &'static [&'static str]) -> Self {
        // the undisturbed run: a breakage at a write that never comes
        let world = start.twin();
        let (outcome, is_reached) = world.run_broken("kill:before:1000", command);
        assert!(outcome.is_success() && !is_reached, "the undisturbed run failed:\n{}{}", outcome.diagnostics(), outcome.stderr);
        Self { start, command, end: files(&world) }
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

    /// At most two applies reach the goal.
    fn check_recovery(&self, world: &World, label: &str) {
        let destroy: &[&str] = if self.command == DESTROY { &["-destroy"] } else { &[] };
        let plan = [&["plan", "-input=false", "-json", "-detailed-exitcode", "-out=recovery.tfplan"], destroy].concat();
        for applies in 0.. {
            match world.run(&plan).code {
                Some(0) => break,
                Some(2) if applies < 2 => {}
                code => panic!("{label}: after {applies} applies the plan ends with {code:?}"),
            }
            let outcome = world.run(&["apply", "-input=false", "-json", "recovery.tfplan"]);
            assert!(outcome.is_success(), "{label}: {}{}", outcome.diagnostics(), outcome.stderr);
        }
        for ((name, found), wanted) in CLUSTERS.iter().zip(files(world)).zip(&self.end) {
            let differing = found.keys().chain(wanted.keys()).find(|path| found.get(*path) != wanted.get(*path));
            assert_eq!(differing, None, "{label}: a file of {name}");
        }
        if self.command == DESTROY {
            assert!(!world.state().addresses().iter().any(|address| address == DESTINATION), "{label}");
        }
    }

    fn kill_everywhere(&self, rig: &Rig) {
        self.at_every_write(rig, |write| {
            let moment = if write % 2 == 0 { "between" } else { "before" };
            let world = self.start.twin();
            let (outcome, is_reached) = world.run_broken(&format!("kill:{moment}:{write}"), self.command);
            assert_eq!(outcome.is_success(), !is_reached, "write {write}: {}{}", outcome.diagnostics(), outcome.stderr);
            if is_reached {
                self.check_recovery(&world, &format!("killed {moment} write {write}"));
            }
            is_reached
        });
    }

    fn interrupt_everywhere(&self, rig: &Rig) {
        self.at_every_write(rig, |write| {
            let moment = if write % 2 == 0 { "after" } else { "before" };
            let world = self.start.twin();
            let mut running = world.start_broken(&format!("hang:{moment}:{write}"), self.command);
            let is_reached = running.wait();
            if is_reached {
                running.interrupt();
            }
            let outcome = running.end();
            assert!(outcome.code.is_some(), "the CLI itself ends in order");
            if is_reached {
                self.check_recovery(&world, &format!("Ctrl-C {moment} write {write}"));
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

fn ctrl_c_at_every_write_of_a_create(rig: &Rig) {
    Journey::create(rig).interrupt_everywhere(rig);
}

fn ctrl_c_at_every_write_of_an_update(rig: &Rig) {
    Journey::update(rig).interrupt_everywhere(rig);
}

fn ctrl_c_at_every_write_of_a_destroy(rig: &Rig) {
    Journey::destroy(rig).interrupt_everywhere(rig);
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
    assert_eq!(files(&world), Files::default(), "no part of a file is left");
    assert!(!world.state().addresses().iter().any(|address| address == DESTINATION), "nothing is tainted");
}

fn two_runs_at_once_with_two_owners(rig: &Rig) {
    let world = World::quickstart(&rig.breakable());
    let second = world.beside("second");
    let config = PROVIDER.replace("tests/acceptance", "team/other").replace("clusters/", "../work/clusters/");
    second.config(&(config + &by_hand("\"203.0.113.10\"", "\"reviews.mesh.internal\"")));
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

fn two_aliases_share_a_folder(rig: &Rig) {
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
        assert_eq!(world.cluster(name).objects().len(), 20);
    }
    world.destroy();
    assert_eq!(files(&world), Files::default());
}

fn a_stale_plan_is_refused_by_the_cli(rig: &Rig) {
    let world = World::quickstart(rig);
    let plan = world.plan();
    world.apply(&world.plan());
    let before = files(&world);
    world.apply_refused(&plan).error_with(&["stale"]);
    assert_eq!(files(&world), before);
    world.assert_clean();
}

fn a_saved_destroy_plan_stops_at_a_foreign_change(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let plan = world.plan_with(&["-destroy"]);
    let west = world.cluster("west");
    let path = west.path_of("VirtualService");
    west.change(&path, |object| object["spec"]["hosts"] = serde_json::json!(["changed.example.com"]));
    let changed = files(&world);
    world.apply_refused(&plan).error_with(&["west", "VirtualService"]);
    assert_eq!(files(&world), changed, "nothing is deleted anywhere");
    world.destroy();
    assert_eq!(files(&world), Files::default());
}
