//! What a real API server, or the way to it, can do to a run: nothing is written half unseen, errors name the cluster, and the
//! next run goes on from the truth.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use acceptance_tests::{Action, Case, Live, Rig, case};
use rig::{Effect, Injection, Seen};

use super::live::{applied, config, resources};
use super::{APPLY, DESTINATION};

pub fn cases() -> Vec<Case> {
    vec![
        case!(a_dead_server_at_plan_is_named_and_nothing_is_written),
        case!(a_hanging_server_at_plan_costs_a_bounded_wait),
        case!(a_server_that_dies_after_the_plan_stops_the_apply_before_the_first_write),
        case!(a_busy_server_is_waited_for),
        case!(a_refused_credential_is_renewed_in_the_middle_of_an_apply),
        case!(an_identity_that_may_only_read_is_told_before_the_first_write),
        case!(a_server_that_restarts_in_the_middle_of_an_apply_needs_two_applies_at_most),
        case!(a_decommissioned_server_is_forgotten),
    ]
}

fn a_dead_server_at_plan_is_named_and_nothing_is_written(rig: &Rig) {
    let live = Live::new(rig, "dead");
    let world = applied(rig, &live);
    let before = live.raw("east");
    live.cluster("west").kill().expect("killed");
    let down = world.plan_refused();
    down.error_with(&["GM4001", "west"]);
    world.config(&config(&live, "  timeout = \"2s\""));
    world.plan_refused().error_with(&["GM4001", "west"]);

    let entries = live.entry("east") + &live.entry("west");
    let lenient = live.provider_with(&live.owner(), &entries, "  plan = { unreachable = \"warn\" }\n");
    world.config(&(lenient.clone() + &resources(&live, "")));
    let plan = world.plan();
    plan.diagnostics.warning_with(&["GM5008", "The last known state of cluster west is kept, and nothing about it was checked"]);
    plan.assert_empty("with the last known state");
    world.config(&(lenient + &resources(&live, "  timeout = \"2s\"")));
    world.refused().error_with(&["west"]);
    assert_eq!(live.raw("east"), before, "nothing is written elsewhere either");

    live.restart("west");
    world.config(&config(&live, ""));
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}

fn a_hanging_server_at_plan_costs_a_bounded_wait(rig: &Rig) {
    let live = Live::new(rig, "hanging");
    let world = applied(rig, &live);
    let before = live.raw("east");
    // impatience for this plan alone: a busy machine does not keep to a second
    let entries = live.entry("east") + &live.entry("west");
    let provider = live.provider_with(&live.owner(), &entries, "  limits = { request_timeout = \"1s\" }\n");
    world.config(&(provider + &resources(&live, "")));
    live.cluster("west").stop().expect("stopped");
    // that it ends at all is the bound: nobody lets the server go on
    world.plan_refused().error_with(&["GM4001", "west"]);
    assert_eq!(live.raw("east"), before);
    live.cluster("west").cont().expect("goes on");
    world.config(&config(&live, ""));
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}

fn a_server_that_dies_after_the_plan_stops_the_apply_before_the_first_write(rig: &Rig) {
    let live = Live::new(rig, "dies");
    let world = live.world(rig, &config(&live, ""));
    let plan = world.plan();
    live.cluster("west").kill().expect("killed");
    world.apply_refused(&plan).error_with(&["GM4001", "west"]);
    assert!(live.raw("east").is_empty(), "nothing is written anywhere");
    assert!(!world.state().addresses().iter().any(|address| address == DESTINATION), "nothing is tainted");

    live.restart("west");
    world.step();
    let destroy = world.plan_with(&["-destroy"]);
    let before = live.raw("east");
    live.cluster("west").kill().expect("killed");
    world.apply_refused(&destroy).error_with(&["GM4001", "west"]);
    assert_eq!(live.raw("east"), before, "nothing is deleted anywhere");
    live.restart("west");
    world.destroy();
    assert!(live.is_empty());
}

fn a_busy_server_is_waited_for(rig: &Rig) {
    let live = Live::new(rig, "busy");
    let proxy = live.cluster("west").proxy().expect("a proxy");
    let entries = live.entry("east") + &Live::entry_of("west", &proxy.kubeconfig().display().to_string());
    let world = live.world(rig, &(live.provider_with(&live.owner(), &entries, "") + &resources(&live, "")));
    let plan = world.plan();
    let busy = Effect::answer(429).retry_after(1);
    proxy.inject(Injection::new(busy.clone()).on(Seen::is_write).nth(1, 1));
    proxy.inject(Injection::new(busy).on(Seen::is_write).nth(3, 3));
    proxy.inject(Injection::new(Effect::answer(503)).on(|seen| seen.method == "GET").nth(1, 2));
    proxy.inject(Injection::new(Effect::answer(500)).on(|seen| seen.method == "GET").nth(4, 4));
    proxy.forget();
    world.apply(&plan);
    let statuses: Vec<u16> =
        proxy.records().iter().filter(|record| record.effect.is_some()).filter_map(|one| one.status).collect();
    for status in [429, 500, 503] {
        assert!(statuses.contains(&status), "{status} was met: {statuses:?}");
    }
    live.assert_holds(&plan.manifests(DESTINATION), &[]);
    proxy.heal();
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}

fn a_refused_credential_is_renewed_in_the_middle_of_an_apply(rig: &Rig) {
    let live = Live::new(rig, "renewed");
    let west = live.cluster("west");
    let proxy = west.proxy().expect("a proxy");
    let world = live.world(rig, "");
    let token = serde_json::json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": { "token": west.admin_token() },
    });
    let (plugin, asked) = (world.folder().join("plugin"), world.folder().join("asked"));
    std::fs::write(&plugin, format!("#!/bin/sh\necho x >> '{}'\ncat <<'END'\n{token}\nEND\n", asked.display()))
        .and_then(|()| std::fs::set_permissions(&plugin, std::fs::Permissions::from_mode(0o700)))
        .expect("a new folder is writable");
    let entry = format!(
        "    west = {{\n      host = \"{}\"\n      ca_certificate = <<-PEM\n{}\nPEM\n      auth = {{ exec = {{ command = \"{}\" }} }}\n    }}\n",
        proxy.url(),
        west.authority().trim_end(),
        plugin.display()
    );
    let provider = live.provider_with(&live.owner(), &(live.entry("east") + &entry), "");
    world.config(&(provider + &resources(&live, "")));
    let plan = world.plan();
    let count = || std::fs::read_to_string(&asked).map_or(0, |text| text.lines().count());
    let before = count();
    proxy.inject(Injection::new(Effect::answer(401)).on(Seen::is_write).nth(3, 3));
    world.apply(&plan);
    assert!(proxy.records().iter().any(|record| record.status == Some(401)), "it was refused");
    assert_eq!(count() - before, 2, "once for the run, once more when it was refused");
    live.assert_holds(&plan.manifests(DESTINATION), &[]);
    world.destroy();
    assert!(live.is_empty());
}

fn an_identity_that_may_only_read_is_told_before_the_first_write(rig: &Rig) {
    let live = Live::new(rig, "readonly");
    let east = live.cluster("east").proxy().expect("a proxy");
    let path = live.cluster("west").kubeconfig().display().to_string();
    let entry = format!("    west = {{ kubeconfig = {{ path = \"{path}\", context = \"west-readonly\" }} }}\n");
    let provider =
        live.provider_with(&live.owner(), &(Live::entry_of("east", &east.kubeconfig().display().to_string()) + &entry), "");
    let world = live.world(rig, &(provider + &resources(&live, "")));
    world.refused().error_with(&["west", "rig-readonly", "forbidden"]);
    assert!(!east.records().iter().any(|record| record.seen.is_write()), "nothing is written where it might be");
    assert!(live.is_empty(), "nothing is left anywhere: {:?}", live.raw("east").keys());
    assert!(!world.state().addresses().iter().any(|address| address == DESTINATION), "nothing is tainted");
}

fn a_server_that_restarts_in_the_middle_of_an_apply_needs_two_applies_at_most(rig: &Rig) {
    let live = Live::new(rig, "restart");
    let proxy = live.cluster("west").proxy().expect("a proxy");
    let entries = live.entry("east") + &Live::entry_of("west", &proxy.kubeconfig().display().to_string());
    let world = live.world(rig, &(live.provider_with(&live.owner(), &entries, "") + &resources(&live, "")));
    let planned = world.plan().manifests(DESTINATION);
    // the first write is sent on and its answer lost; the third never arrives
    for (effect, write) in [(Effect::HangAfter, 1), (Effect::Hang, 3)] {
        let (told, writes) = std::sync::mpsc::channel();
        let is_write = move |seen: &Seen| seen.is_write() && told.send(()).is_ok();
        proxy.inject(Injection::new(effect).on(is_write).nth(write, write));
        let running = world.start(APPLY);
        for _ in 0..write {
            writes.recv_timeout(Duration::from_secs(60)).expect("the write arrives");
        }
        live.cluster("west").kill().expect("killed");
        proxy.heal();
        live.restart("west");
        let outcome = running.end();
        assert!(outcome.code.is_some());
        for applies in 0.. {
            let plan = world.plan();
            if !plan.has_changes {
                break;
            }
            assert!(applies < 2, "two applies did not reach the goal: {:?}", plan.changed());
            world.apply(&plan);
        }
        live.assert_holds(&planned, &[]);
        world.destroy();
        assert!(live.is_empty(), "nothing is orphaned");
    }
}

fn a_decommissioned_server_is_forgotten(rig: &Rig) {
    let live = Live::new(rig, "gone");
    let world = applied(rig, &live);
    live.cluster("west").kill().expect("killed");
    let text = resources(&live, "").replace("[\"east\", \"west\"]", "[\"east\"]");
    let (head, rest) = text.split_once("    west = {\n").expect("the mesh has west");
    let (_, tail) = rest.split_once("    }\n").expect("its entry ends");
    let alone = format!("{head}{tail}");

    world.config(&(live.provider_with(&live.owner(), &live.entry("east"), "") + &alone));
    world.refused().error_with(&["west", "decommissioned_clusters"]);
    let gone = "  decommissioned_clusters = [\"west\"]\n";
    world.config(&(live.provider_with(&live.owner(), &live.entry("east"), gone) + &alone));
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Update);
    plan.diagnostics.warning_with(&["GM5009", "west"]);
    world.apply(&plan);
    assert_eq!(world.state().applied(DESTINATION), ["east"]);
    world.config(&(live.provider_with(&live.owner(), &live.entry("east"), "") + &alone));
    world.assert_clean();
    world.destroy();
    assert!(live.raw("east").is_empty());
}
