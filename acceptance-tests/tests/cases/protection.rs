//! `deletion_protection`: whatever would take a destination from its clients is refused at plan.

use acceptance_tests::{Action, Case, Diagnostics, Rig, World, case};

use super::{DESTINATION, PROVIDER, applied, instances, is_empty, renamed, snapshot, with};

pub fn cases() -> Vec<Case> {
    vec![
        case!(a_protected_destination_is_not_destroyed),
        case!(a_protected_destination_is_not_replaced),
        case!(a_protected_destination_keeps_a_backend_for_every_client),
        case!(without_protection_it_is_destroyed),
    ]
}

const ON: &str = "  deletion_protection = true";

/// The four parts: what, where, why, and how to fix it.
fn is_told(refused: &Diagnostics) {
    refused.error_with(&["Deletion protection is on (GM4015)", "bookinfo/reviews", "deletion_protection = false"]);
}

fn protected(rig: &Rig) -> World {
    applied(rig, &with(ON))
}

fn a_protected_destination_is_not_destroyed(rig: &Rig) {
    let world = protected(rig);
    let before = snapshot(&world);
    is_told(&world.plan_refused_with(&["-destroy"]));
    is_told(&world.plan_refused_with(&["-destroy", &format!("-target={DESTINATION}")]));
    // no longer in the configuration
    world.config(PROVIDER);
    is_told(&world.plan_refused());
    assert_eq!(snapshot(&world), before);
}

fn a_protected_destination_is_not_replaced(rig: &Rig) {
    let world = protected(rig);
    let before = snapshot(&world);
    for lines in [ON.to_owned(), format!("{ON}\n  lifecycle {{\n    create_before_destroy = true\n  }}")] {
        world.config(&format!("{PROVIDER}{}", renamed("reviews", "comments", &lines)));
        is_told(&world.plan_refused());
    }
    // a provider is not told of `-replace` when it plans: the apply refuses, before anything is deleted
    world.config(&format!("{PROVIDER}{}", with(ON)));
    let plan = world.plan_with(&[&format!("-replace={DESTINATION}")]);
    assert_eq!(plan.action(DESTINATION), Action::Replace);
    is_told(&world.apply_refused(&plan));
    assert_eq!(snapshot(&world), before);
    world.plan().assert_empty("after the refusals");
}

fn a_protected_destination_keeps_a_backend_for_every_client(rig: &Rig) {
    let only =
        |cluster: &str| with(ON).replace("for cluster in [\"east\", \"west\"]", &format!("for cluster in [\"{cluster}\"]"));
    let world = applied(rig, &only("east"));
    let before = snapshot(&world);
    world.config(&format!("{PROVIDER}{}", only("west")));
    world.plan_refused().error_with(&[
        "Deletion protection is on (GM4015)",
        "would lose every backend that they have now",
        "add the new backends and apply, then remove the old ones",
        "deletion_protection = false",
    ]);
    assert_eq!(snapshot(&world), before);
    // in two steps it goes
    world.config(&format!("{PROVIDER}{}", with(ON)));
    world.apply(&world.plan());
    world.config(&format!("{PROVIDER}{}", only("west")));
    world.apply(&world.plan());
    world.plan().assert_empty("after both steps");
}

fn without_protection_it_is_destroyed(rig: &Rig) {
    let world = protected(rig);
    let before = instances(&world);
    world.config(&format!("{PROVIDER}{}", with("  deletion_protection = false")));
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Update);
    world.apply(&plan);
    assert_eq!(instances(&world), before);
    world.destroy();
    assert!(is_empty(&world));
}
