//! Objects change hands without being deleted: takeover by another state, adoption, a copied root, a new address.

use acceptance_tests::{Action, Case, Rig, World, case};
use serde_json::{Value, json};

use super::{
    APPLY, DESTINATION, PROVIDER, applied, assert_claimed, beside, instances, is_empty, keys, one_write_too_many, renamed,
    snapshot, with,
};

pub fn cases() -> Vec<Case> {
    vec![
        case!(another_state_takes_over_in_place),
        case!(a_wrong_entry_of_takeover_from_is_refused_at_plan),
        case!(what_nobody_claims_is_adopted_and_the_plan_says_what_it_overwrites),
        case!(a_copied_root_is_told_from_the_state_it_was_copied_from),
        case!(a_new_address_without_moved_reaches_its_goal_in_one_run),
        case!(a_new_address_with_moved_writes_nothing),
        case!(a_takeover_within_one_run_never_deletes_the_host),
        case!(two_aliases_hand_over_within_two_runs),
    ]
}

/// The claim of the destination.
const CLAIM: &str = "tests/acceptance//gloo_virtual_destination/bookinfo/reviews";

fn another_state_takes_over_in_place(rig: &Rig) {
    let world = applied(rig, &with(""));
    let before = instances(&world);

    let second = world.beside("second");
    second.config(&(beside("team/other") + &with("")));
    second.plan_refused().error_with(&["GM3004", &format!("takeover_from = [\"{CLAIM}\"]")]);
    second.config(&(beside("team/other") + &with("  takeover_from = [\"tests/acceptance\"]")));
    let plan = second.plan();
    assert_eq!(plan.action(DESTINATION), Action::Create);
    plan.diagnostics.warning_with(&["GM3012", "become this resource's", CLAIM, "east/VirtualService/"]);
    assert_eq!(plan.diagnostics.warnings().len(), 1, "{}", plan.diagnostics);
    second.apply(&plan);
    assert_eq!(instances(&world), before, "no object came or went");
    assert_claimed(&world, "team/other//gloo_virtual_destination/bookinfo/reviews");
    second.assert_clean();

    // the old state sees it, proposes nothing, and its destroy leaves the objects
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::NoOp, "it does not fight");
    let drift = plan.drift(DESTINATION);
    assert_eq!(drift.len(), keys(&world).len(), "{drift:?}");
    assert!(drift.values().all(|lines| lines[0].as_str().is_some_and(|line| line.starts_with("taken: claimed by team/other//"))));
    plan.diagnostics.warning_with(&["GM5007"]);
    let taken = snapshot(&world);
    world.config(PROVIDER);
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Delete);
    world.apply(&plan).warning_with(&["GM5007"]);
    assert_eq!(world.state().addresses(), Vec::<String>::new());
    assert_eq!(snapshot(&world), taken, "nothing is written");
    second.plan().assert_empty("after the other state let go");
}

fn a_wrong_entry_of_takeover_from_is_refused_at_plan(rig: &Rig) {
    let world = World::clusters(rig);
    for entry in ["Team A", "a//b", "a/b//gloo_cluster/-/prod", "tests/acceptance", CLAIM] {
        world.config(&format!("{PROVIDER}{}", with(&format!("  takeover_from = [\"{entry}\"]"))));
        world.plan_refused().error_with(&["takeover_from", entry]);
    }
    world.config(&format!("{PROVIDER}{}", with("  takeover_from = [\"team/nobody\"]")));
    let plan = world.plan();
    assert!(plan.diagnostics.warnings().is_empty(), "an entry that matches nothing does no harm: {}", plan.diagnostics);
}

/// A VirtualService as a person writes one.
fn by_a_person() -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": { "name": "reviews", "namespace": "bookinfo", "labels": { "team": "blue" } },
        "spec": { "hosts": ["reviews"], "http": [{ "timeout": "9s", "route": [{ "destination": { "host": "reviews" } }] }] },
    })
}

const OBJECT: &str = "gloo_istio_object.reviews";

fn object(lines: &str) -> String {
    format!(
        r#"{PROVIDER}
resource "gloo_istio_object" "reviews" {{
  clusters = ["east", "west"]
  manifest = {{
    apiVersion = "networking.istio.io/v1"
    kind       = "VirtualService"
    metadata   = {{ name = "reviews", namespace = "bookinfo" }}
    spec       = {{ hosts = ["reviews"], http = [{{ route = [{{ destination = {{ host = "reviews" }} }}] }}] }}
  }}
{lines}
}}
"#
    )
}

fn what_nobody_claims_is_adopted_and_the_plan_says_what_it_overwrites(rig: &Rig) {
    let key = "VirtualService/bookinfo/reviews";
    let world = World::clusters(rig);
    let east = world.cluster("east");
    east.create(&by_a_person());
    let (before, theirs) = (snapshot(&world), east.instances());
    world.config(&object(""));
    world.plan_refused().error_with(&["GM3004", key, "east", "adopt = true", "import"]);

    world.config(&object("  adopt = true"));
    let plan = world.plan();
    assert_eq!(plan.action(OBJECT), Action::Create);
    plan.diagnostics.warning_with(&["GM3011", key, "east", "timeout: live \"9s\", intent nothing"]);
    assert_eq!(plan.diagnostics.warnings().len(), 1, "west has nothing to adopt: {}", plan.diagnostics);
    assert_eq!(snapshot(&world), before, "a plan writes nothing");
    world.apply(&plan);
    let adopted = east.object(key);
    assert_eq!(adopted["metadata"]["labels"]["team"], "blue", "what we do not write stays");
    assert_eq!(adopted["spec"], world.cluster("west").object(key)["spec"]);
    assert_eq!(east.instances(), theirs, "it did not go for a moment");
    world.plan().assert_empty("after the adoption");

    let before = snapshot(&world);
    world.config(&object(""));
    let plan = world.step();
    assert!(plan.diagnostics.warnings().is_empty(), "{}", plan.diagnostics);
    assert_eq!(snapshot(&world), before, "the argument went, the object stays");
    world.destroy();
    assert!(is_empty(&world), "what was adopted is destroyed like everything else");
}

fn a_copied_root_is_told_from_the_state_it_was_copied_from(rig: &Rig) {
    let world = applied(rig, &with(""));
    let (before, there) = (snapshot(&world), instances(&world));
    // the files of the root without its state: the same owner
    let copy = world.beside("copy");
    copy.config(&(beside("tests/acceptance") + &with("")));
    let plan = copy.plan();
    plan.diagnostics.warning_with(&["GM3013", "another instance", CLAIM, "adopt = true"]);
    copy.apply_refused(&plan).error_with(&["GM4014", "reviews"]);
    assert_eq!(snapshot(&world), before, "a refusal writes nothing");
    assert_eq!(copy.state().addresses().into_iter().filter(|address| address == DESTINATION).count(), 0);
    world.plan().assert_empty("the original is as it was");

    copy.config(&(beside("tests/acceptance") + &with("  adopt = true")));
    let plan = copy.plan();
    plan.diagnostics.warning_with(&["GM3012", "of another instance with this owner"]);
    copy.apply(&plan);
    copy.plan().assert_empty("after the copy took them");
    assert_eq!(instances(&world), there, "no object came or went");
    let taken = snapshot(&world);

    // the original sees it, and neither writes nor deletes
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::NoOp);
    let drift = plan.drift(DESTINATION);
    assert!(!drift.is_empty());
    let is_taken = |line: &str| line.starts_with("taken: managed by another instance");
    assert!(drift.values().all(|lines| lines[0].as_str().is_some_and(is_taken)), "{drift:?}");
    world.config(&format!("{PROVIDER}{}", with("  timeout = \"2s\"")));
    world.plan_refused().error_with(&["GM4014"]);
    world.config(&format!("{PROVIDER}{}", with("")));
    world.destroy();
    assert_eq!(snapshot(&world), taken);
    copy.plan().assert_empty("after the original was destroyed");
}

fn a_new_address_without_moved_reaches_its_goal_in_one_run(rig: &Rig) {
    let world = applied(rig, &with(""));
    let before = instances(&world);
    world.config(&format!("{PROVIDER}{}", renamed("critics", "reviews", "")));
    let plan = world.plan();
    let new = "gloo_virtual_destination.critics";
    assert_eq!((plan.action(DESTINATION), plan.action(new)), (Action::Delete, Action::Create));
    plan.diagnostics.warning_with(&["GM3013", "moved {"]);
    world.apply(&plan);
    assert_eq!(instances(&world), before);
    let addresses = world.state().addresses();
    assert!(!addresses.iter().any(|address| address == DESTINATION) && addresses.iter().any(|address| address == new));
    world.plan().assert_empty("after the new address");
}

fn a_new_address_with_moved_writes_nothing(rig: &Rig) {
    let world = applied(rig, &with(""));
    let before = snapshot(&world);
    let moved = "moved {\n  from = gloo_virtual_destination.reviews\n  to   = gloo_virtual_destination.critics\n}\n";
    world.config(&format!("{PROVIDER}{}{moved}", renamed("critics", "reviews", "")));
    let plan = world.plan();
    assert!(plan.changed().is_empty(), "{:?}", plan.changed());
    assert!(plan.diagnostics.warnings().is_empty(), "{}", plan.diagnostics);
    world.apply(&plan);
    assert_eq!(snapshot(&world), before, "nothing is written");
    assert!(!world.state().addresses().iter().any(|address| address == DESTINATION));
    world.assert_clean();
}

fn a_takeover_within_one_run_never_deletes_the_host(rig: &Rig) {
    let world = applied(&rig.breakable(), &with(""));
    let before = instances(&world);
    // one block is removed, another one with the same host is added: the calls come in any order
    let resources = renamed("critics", "comments", &format!("  takeover_from = [\"{CLAIM}\"]"));
    world.config(&format!("{PROVIDER}{resources}"));
    let (outcome, is_reached) = world.run_broken(&one_write_too_many(&world), APPLY);
    assert!(outcome.is_success() && !is_reached, "{}{}", outcome.diagnostics(), outcome.stderr);
    assert_eq!(instances(&world), before, "no object came or went");
    assert_claimed(&world, "tests/acceptance//gloo_virtual_destination/bookinfo/comments");
    world.plan().assert_empty("after the takeover");
}

/// Aliases are processes of their own, so that the two calls cannot wait for each other: an object may be deleted and
/// created again, and the create may meet what changes under its hands; the next apply reaches the goal.
fn two_aliases_hand_over_within_two_runs(rig: &Rig) {
    let world = applied(rig, &with(""));
    let before = keys(&world);
    let alias = PROVIDER.replace("provider \"gloo\" {\n", "provider \"gloo\" {\n  alias = \"second\"\n");
    let alias = alias.replace("tests/acceptance", "team/other");
    let resources = renamed("critics", "reviews", "  provider = gloo.second\n  takeover_from = [\"tests/acceptance\"]");
    world.config(&format!("{PROVIDER}{alias}{resources}"));
    if !world.run(APPLY).is_success() {
        world.apply(&world.plan());
    }
    assert_eq!(keys(&world), before);
    assert_claimed(&world, "team/other//gloo_virtual_destination/bookinfo/reviews");
    world.plan().assert_empty("after the takeover");
}
