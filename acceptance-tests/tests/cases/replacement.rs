//! A resource that is replaced: what the plan says of it, and how a host is handed over to a new name.

use acceptance_tests::{Action, Case, Rig, case};

use super::{
    APPLY, DESTINATION, PROVIDER, applied, assert_claimed, instances, keys, one_write_too_many, renamed, snapshot, with,
};

pub fn cases() -> Vec<Case> {
    vec![
        case!(a_new_name_warns_of_the_interruption),
        case!(a_new_name_takes_the_host_over_before_the_old_one_goes),
        case!(a_replacement_that_was_asked_for_destroys_first),
        case!(a_replacement_that_was_asked_for_with_create_before_destroy_keeps_the_host),
        case!(an_object_with_a_new_name_is_there_before_the_old_one_goes),
    ]
}

const CREATE_FIRST: &str = "  lifecycle {\n    create_before_destroy = true\n  }";

const ENTRY: &str = "takeover_from = [\"tests/acceptance//gloo_virtual_destination/bookinfo/reviews\"]";

fn a_new_name_warns_of_the_interruption(rig: &Rig) {
    let world = applied(rig, &with(""));
    world.config(&format!("{PROVIDER}{}", renamed("reviews", "comments", "")));
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Replace);
    plan.diagnostics.warning_with(&["GM4016", "bookinfo/reviews", "bookinfo/comments", ENTRY, "create_before_destroy = true"]);
    // create_before_destroy alone is refused: the new one may not take the old one's objects
    let before = snapshot(&world);
    world.config(&format!("{PROVIDER}{}", renamed("reviews", "comments", CREATE_FIRST)));
    world.refused().error_with(&["reviews"]);
    assert_eq!(snapshot(&world), before, "a refusal writes nothing");
}

fn a_new_name_takes_the_host_over_before_the_old_one_goes(rig: &Rig) {
    let world = applied(&rig.breakable(), &with(""));
    let before = instances(&world);
    world.config(&format!("{PROVIDER}{}", renamed("reviews", "comments", &format!("  {ENTRY}\n{CREATE_FIRST}"))));
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::CreateThenDelete);
    assert!(plan.diagnostics.warnings().iter().all(|one| !one.text().contains("GM4016")), "{}", plan.diagnostics);
    let file = plan.file.display().to_string();
    let (outcome, is_reached) = world.run_broken(&one_write_too_many(&world), &["apply", "-input=false", "-json", &file]);
    assert!(outcome.is_success() && !is_reached, "{}{}", outcome.diagnostics(), outcome.stderr);
    assert_eq!(instances(&world), before, "no object came or went");
    assert_claimed(&world, "tests/acceptance//gloo_virtual_destination/bookinfo/comments");
    world.assert_clean();
}

fn a_replacement_that_was_asked_for_destroys_first(rig: &Rig) {
    let world = applied(rig, &with(""));
    let before = keys(&world);
    let plan = world.plan_with(&[&format!("-replace={DESTINATION}")]);
    assert_eq!(plan.action(DESTINATION), Action::Replace);
    world.apply(&plan);
    assert_eq!(keys(&world), before);
    world.plan().assert_empty("after the replacement");
}

/// The new instance comes under the claim of the old one, whose delete waits for it: that is refused, unless `adopt` lets it
/// take the objects.
fn a_replacement_that_was_asked_for_with_create_before_destroy_keeps_the_host(rig: &Rig) {
    let world = applied(&rig.breakable(), &with(CREATE_FIRST));
    let before = snapshot(&world);
    let replace = format!("-replace={DESTINATION}");
    let plan = world.plan_with(&[&replace]);
    assert_eq!(plan.action(DESTINATION), Action::CreateThenDelete);
    world.apply_refused(&plan).error_with(&["GM4014", "create_before_destroy", "adopt = true"]);
    assert_eq!(snapshot(&world), before, "a refusal writes nothing");

    world.config(&format!("{PROVIDER}{}", with(&format!("  adopt = true\n{CREATE_FIRST}"))));
    let before = instances(&world);
    let arguments = [APPLY, &[replace.as_str()]].concat();
    let (outcome, is_reached) = world.run_broken(&one_write_too_many(&world), &arguments);
    assert!(outcome.is_success() && !is_reached, "{}{}", outcome.diagnostics(), outcome.stderr);
    assert_eq!(instances(&world), before, "no object came or went");
    world.plan().assert_empty("after the replacement");
}

fn an_object_with_a_new_name_is_there_before_the_old_one_goes(rig: &Rig) {
    let object = |name: &str| {
        format!(
            r#"{PROVIDER}
resource "gloo_istio_object" "strict" {{
  clusters = ["east", "west"]
  manifest = {{
    apiVersion = "security.istio.io/v1"
    kind       = "PeerAuthentication"
    metadata   = {{ name = "{name}", namespace = "bookinfo" }}
    spec       = {{ mtls = {{ mode = "STRICT" }} }}
  }}
{CREATE_FIRST}
}}
"#
        )
    };
    let world = applied(&rig.breakable(), &object("strict").replace(PROVIDER, ""));
    world.config(&object("stricter"));
    let plan = world.plan();
    assert_eq!(plan.action("gloo_istio_object.strict"), Action::CreateThenDelete);
    // two writes, then two deletions: the first deletion finds the new ones
    let file = plan.file.display().to_string();
    let mut running = world.start_broken("pause:before:3", &["apply", "-input=false", "-json", &file]);
    assert!(running.wait(), "there is a third write");
    let both = keys(&world);
    running.go_on();
    let outcome = running.end();
    assert!(outcome.is_success(), "{}{}", outcome.diagnostics(), outcome.stderr);
    assert_eq!(both.len(), 4, "{both:?}");
    assert_eq!(keys(&world).len(), 2);
    world.plan().assert_empty("after the replacement");
}
