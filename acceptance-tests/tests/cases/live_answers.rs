//! Wrong, late and missing answers of real API servers: what was written is found out, what was not is said, and at most two
//! more applies reach the goal. And a cluster that is known only during the apply.

use std::time::Duration;

use acceptance_tests::{Action, Case, Live, Rig, World, case};
use rig::{Effect, Injection, Proxy, Seen};
use serde_json::json;
use xtask::cli::Kind;

use super::live::resources;
use super::{APPLY, DESTINATION, MESH};

pub fn cases() -> Vec<Case> {
    vec![
        case!(a_write_that_is_answered_wrongly_ends_with_the_truth),
        case!(a_create_and_a_destroy_survive_a_lost_answer),
        case!(a_list_whose_continuation_is_too_old_begins_anew),
        case!(answers_that_break_off_are_asked_for_again),
        case!(a_slow_server_is_waited_for),
        case!(a_server_that_hangs_at_destroy_keeps_the_rest_in_the_state),
        case!(a_server_that_restarts_under_load_needs_two_applies_at_most),
        case!(a_cluster_of_the_same_apply_is_planned_whole_and_written_in_one_go),
    ]
}

/// A provider block in which `west` is behind a proxy, and these lines.
fn behind(live: &Live, lines: &str) -> (Proxy, String) {
    let proxy = live.cluster("west").proxy().expect("a proxy");
    let entries = live.entry("east") + &Live::entry_of("west", &proxy.kubeconfig().display().to_string());
    let provider = live.provider_with(&live.owner(), &entries, lines);
    (proxy, provider)
}

/// Applies until nothing is left to do, twice at most.
fn recover(world: &World, what: &str) {
    for applies in 0.. {
        let plan = world.plan();
        if !plan.has_changes {
            return;
        }
        assert!(applies < 2, "{what}: two applies did not reach the goal: {:?}", plan.changed());
        world.apply(&plan);
    }
}

/// A wrong answer to a write, and whether the apply finds out that it was written, or may write it again.
fn answers() -> Vec<(&'static str, Effect, bool)> {
    vec![
        ("500 instead of the write", Effect::answer(500), false),
        ("500 after the write", Effect::AnswerAfter(500), true),
        ("503 instead of the write", Effect::answer(503), false),
        ("503 after the write", Effect::AnswerAfter(503), true),
        ("504 after the write", Effect::AnswerAfter(504), true),
        ("429 without a time", Effect::answer(429), true),
        ("409 although nothing has changed", Effect::answer(409), true),
        ("409 after the write", Effect::AnswerAfter(409), true),
        ("a reset before the write", Effect::Reset, false),
        ("a reset after the write", Effect::ResetAfter, true),
        ("half an answer", Effect::Truncate(40), true),
    ]
}

fn a_write_that_is_answered_wrongly_ends_with_the_truth(rig: &Rig) {
    let live = Live::new(rig, "answers");
    let (proxy, provider) = behind(&live, "");
    let world = live.world(rig, &(provider.clone() + &resources(&live, "")));
    world.apply(&world.plan());
    // the provider is the same with both CLIs
    let every = if rig.cli.kind == Kind::Terraform { 1 } else { 4 };
    for (index, (what, effect, is_found_out)) in answers().into_iter().enumerate().step_by(every) {
        world.config(&(provider.clone() + &resources(&live, &format!("  timeout = \"{}s\"", index + 2))));
        let plan = world.plan();
        proxy.forget();
        proxy.inject(Injection::new(effect).on(Seen::is_write).nth(1, 1));
        let outcome = world.run(&["apply", "-input=false", "-json", &plan.file.display().to_string()]);
        assert!(proxy.records().iter().any(|record| record.effect.is_some()), "{what}: it was met");
        proxy.heal();
        assert_eq!(outcome.is_success(), is_found_out, "{what}: {}{}", outcome.diagnostics(), outcome.stderr);
        if !is_found_out {
            outcome.diagnostics().error_with(&["west"]);
            // what the state says landed is what is there
            let repair = world.plan();
            assert_eq!(repair.action(DESTINATION), Action::Update, "{what}");
            assert!(
                repair.drift(DESTINATION).keys().all(|object| object.starts_with("west/")),
                "{what}: {:?}",
                repair.drift(DESTINATION)
            );
        }
        recover(&world, what);
        live.assert_holds(&plan.manifests(DESTINATION), &[]);
    }
    world.destroy();
    assert!(live.is_empty());
}

fn a_create_and_a_destroy_survive_a_lost_answer(rig: &Rig) {
    let live = Live::new(rig, "lost");
    let (proxy, provider) = behind(&live, "");
    let world = live.world(rig, &(provider + &resources(&live, "")));
    for (what, effect) in [("503 after the write", Effect::AnswerAfter(503)), ("500 instead of it", Effect::answer(500))] {
        let is_lost = matches!(effect, Effect::AnswerAfter(_));
        let plan = world.plan();
        proxy.inject(Injection::new(effect.clone()).on(Seen::is_write).nth(2, 2));
        let outcome = world.run(APPLY);
        proxy.heal();
        assert_eq!(outcome.is_success(), is_lost, "create, {what}: {}{}", outcome.diagnostics(), outcome.stderr);
        if !is_lost {
            outcome.diagnostics().error_with(&["west"]);
            assert!(live.is_empty(), "what was written is taken back: {:?}", live.raw("east").keys());
            assert!(!world.state().addresses().iter().any(|address| address == DESTINATION), "nothing is tainted");
        }
        recover(&world, what);
        live.assert_holds(&plan.manifests(DESTINATION), &[]);

        proxy.inject(Injection::new(effect).on(|seen| seen.method == "DELETE" && seen.is_write()).nth(2, 2));
        let outcome = world.run(&["destroy", "-input=false", "-auto-approve", "-json"]);
        proxy.heal();
        assert_eq!(outcome.is_success(), is_lost, "destroy, {what}: {}{}", outcome.diagnostics(), outcome.stderr);
        if !is_lost {
            outcome.diagnostics().error_with(&["west"]);
            assert!(world.state().addresses().iter().any(|address| address == DESTINATION), "what is left stays in the state");
            world.destroy();
        }
        assert!(live.is_empty(), "{what}");
    }
}

fn a_list_whose_continuation_is_too_old_begins_anew(rig: &Rig) {
    let live = Live::new(rig, "pages");
    let (proxy, provider) = behind(&live, "");
    let world = live.world(rig, &(provider + &resources(&live, "")));
    world.apply(&world.plan());
    let key = live.key_of("west", "VirtualService");
    live.edit("west", &key, &json!({ "spec": { "hosts": ["changed.example.com"] } }));
    let is_next = |seen: &Seen| seen.query.contains("continue=");
    let pages = || Injection::new(Effect::Pages(1)).on(|seen| seen.query.contains("limit="));
    proxy.forget();
    proxy.inject(Injection::new(Effect::answer(410)).on(is_next).nth(2, 2));
    proxy.inject(pages());
    let plan = world.plan();
    assert_eq!(plan.drift(DESTINATION).keys().collect::<Vec<_>>(), [&format!("west/{key}")], "nothing is missing, nothing twice");
    let expired = |proxy: &Proxy| proxy.records().iter().filter(|record| record.status == Some(410)).count();
    assert_eq!(expired(&proxy), 1, "it was met");
    let whole = proxy.records().iter().filter(|record| is_next(&record.seen) && record.status == Some(200)).count();
    assert!(whole > 1, "the server's own continuations were followed");

    // it never gets to the end
    proxy.heal();
    proxy.forget();
    proxy.inject(Injection::new(Effect::answer(410)).on(is_next));
    proxy.inject(pages());
    let refused = world.plan_refused();
    refused.error_with(&["GM4001", "west", "list", "continue parameter is too old"]);
    proxy.heal();
    world.step();
    world.destroy();
    assert!(live.is_empty());
}

fn answers_that_break_off_are_asked_for_again(rig: &Rig) {
    let live = Live::new(rig, "broken");
    let (proxy, provider) = behind(&live, "");
    let world = live.world(rig, &(provider + &resources(&live, "")));
    world.step();
    let before = live.everything();
    proxy.inject(Injection::new(Effect::Truncate(30)).nth(1, 2));
    proxy.inject(Injection::new(Effect::Reset).nth(3, 3));
    proxy.inject(Injection::new(Effect::ResetAfter).nth(5, 5));
    proxy.forget();
    world.plan().assert_empty("although answers broke off");
    assert_eq!(proxy.records().iter().filter(|record| record.effect.is_some()).count(), 4, "they were met");
    // something else answers, in whole answers: that is said, and nothing is taken for missing
    proxy.heal();
    proxy.inject(Injection::new(Effect::Garble(30)));
    world.plan_refused().error_with(&["west", "Something else than an API server answers"]);
    proxy.heal();
    assert_eq!(live.everything(), before);
    world.destroy();
    assert!(live.is_empty());
}

fn a_slow_server_is_waited_for(rig: &Rig) {
    let live = Live::new(rig, "slow");
    let (proxy, provider) = behind(&live, "");
    let world = live.world(rig, &(provider + &resources(&live, "")));
    proxy.inject(Injection::new(Effect::Delay(Duration::from_millis(150))));
    let plan = world.step();
    live.assert_holds(&plan.manifests(DESTINATION), &[]);
    world.destroy();
    assert!(live.is_empty());
    assert!(proxy.records().iter().all(|record| record.effect.is_some()), "every answer was late");
}

fn a_server_that_hangs_at_destroy_keeps_the_rest_in_the_state(rig: &Rig) {
    let live = Live::new(rig, "hangs");
    let (proxy, patient) = behind(&live, "");
    // long enough for a server that answers on a busy machine
    let hasty = patient.replace("  clusters = {", "  limits = { request_timeout = \"8s\" }\n  clusters = {");
    let (patient, hasty) = (patient + &resources(&live, ""), hasty + &resources(&live, ""));
    let world = live.world(rig, &patient);
    world.step();
    world.config(&hasty);
    // all of it: nothing is deleted anywhere
    let destroy = world.plan_with(&["-destroy"]);
    let before = live.everything();
    proxy.inject(Injection::new(Effect::Hang));
    world.apply_refused(&destroy).error_with(&["GM4001", "west", "did not answer within"]);
    proxy.heal();
    assert_eq!(live.everything(), before, "nothing is deleted anywhere");
    // the second delete: what is gone is said, the rest is kept
    for effect in [Effect::Hang, Effect::HangAfter] {
        world.config(&hasty);
        proxy.inject(Injection::new(effect.clone()).on(|seen| seen.method == "DELETE" && seen.is_write()).nth(2, 2));
        let outcome = world.run(&["destroy", "-input=false", "-auto-approve", "-json"]);
        proxy.heal();
        if effect == Effect::Hang {
            outcome.diagnostics().error_with(&["west"]);
            assert!(world.state().addresses().iter().any(|address| address == DESTINATION));
        }
        world.config(&patient);
        recover(&world, "put back after the hang");
    }
    world.destroy();
    assert!(live.is_empty());
}

/// So many objects in both clusters.
fn many(live: &Live, count: usize) -> String {
    format!(
        r#"
resource "gloo_istio_object" "many" {{
  for_each = toset([for number in range({count}) : tostring(number)])
  clusters = ["east", "west"]
  manifest = {{
    apiVersion = "networking.istio.io/v1"
    kind       = "VirtualService"
    metadata   = {{ name = "many-${{each.key}}", namespace = "{}" }}
    spec       = {{ hosts = ["many-${{each.key}}"], http = [{{ route = [{{ destination = {{ host = "a" }} }}] }}] }}
  }}
}}
"#,
        live.namespace()
    )
}

fn a_server_that_restarts_under_load_needs_two_applies_at_most(rig: &Rig) {
    let live = Live::new(rig, "load");
    let (proxy, provider) = behind(&live, "");
    let count = 12;
    let world = live.world(rig, &(provider + &many(&live, count)));
    let (told, writes) = std::sync::mpsc::channel();
    let is_write = move |seen: &Seen| seen.is_write() && told.send(()).is_ok();
    // sent on, and the answer withheld: the server dies with writes under way
    proxy.inject(Injection::new(Effect::HangAfter).on(is_write).nth(4, 7));
    let parallel = [APPLY, &["-parallelism=10"]].concat();
    let running = world.start(&parallel);
    for _ in 0..5 {
        writes.recv_timeout(Duration::from_secs(60)).expect("the writes arrive");
    }
    live.cluster("west").kill().expect("killed");
    proxy.heal();
    live.restart("west");
    assert!(running.end().code.is_some(), "the CLI ends in order");
    recover(&world, "after the restart");
    for cluster in ["east", "west"] {
        let there = live.raw(cluster).into_keys().filter(|key| key.starts_with("VirtualService/")).count();
        assert_eq!(there, count, "{cluster}");
    }
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty(), "nothing is orphaned");
}

fn a_cluster_of_the_same_apply_is_planned_whole_and_written_in_one_go(rig: &Rig) {
    let live = Live::new(rig, "young");
    let west = live.cluster("west");
    let proxy = west.proxy().expect("a proxy");
    // what makes the cluster tells where it is when it is made
    let maker = format!(
        "resource \"terraform_data\" \"west\" {{\n  input = {{ endpoint = \"{}\", ca = {:?} }}\n}}\n",
        proxy.url(),
        west.authority()
    );
    let entry = format!(
        "    west = {{\n      host = terraform_data.west.output.endpoint\n      ca_certificate = terraform_data.west.output.ca\n      \
         auth = {{ token = \"{}\" }}\n    }}\n",
        west.admin_token()
    );
    let provider = live.provider_with(&live.owner(), &(live.entry("east") + &entry), "");
    let world = live.world(rig, &(maker + &provider + &resources(&live, "")));
    let plan = world.plan();
    assert_eq!((plan.action(MESH), plan.action(DESTINATION)), (Action::Create, Action::Create));
    assert!(!plan.is_unknown(DESTINATION, "/manifests"), "every object is shown");
    let planned = plan.manifests(DESTINATION);
    assert!(planned.keys().any(|key| key.starts_with("west/") || key.starts_with("*/")), "{:?}", planned.keys());
    plan.diagnostics.warning_with(&["west", "known only after apply"]);
    assert_eq!(proxy.figures().requests, 0, "nobody was asked at a place that is not known");
    world.apply(&plan);
    live.assert_holds(&planned, &[]);
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}
