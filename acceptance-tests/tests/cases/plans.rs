//! Ways to plan: saved plans, targets, refresh only, many resources at once.

use std::collections::BTreeMap;

use acceptance_tests::server::PERSON;
use acceptance_tests::{Action, Case, Rig, World, case};

use super::{CLUSTERS, DESTINATION, MESH, PROVIDER, is_empty, snapshot};

pub fn cases() -> Vec<Case> {
    vec![
        case!(a_target_is_planned_alone),
        case!(refresh_only_records_drift_and_writes_nothing),
        case!(a_saved_plan_does_not_overwrite_what_changed_since),
        case!(an_empty_plan_writes_nothing),
        case!(many_resources_land_side_by_side),
        case!(a_saved_destroy_plan_is_applied),
    ]
}

fn a_target_is_planned_alone(rig: &Rig) {
    let world = World::quickstart(rig);
    let target = format!("-target={MESH}");
    let plan = world.plan_with(&[&target]);
    assert_eq!(plan.action(MESH), Action::Create);
    assert_eq!(plan.action(DESTINATION), Action::NoOp);
    world.apply(&plan);
    assert_eq!(world.step().changed(), BTreeMap::from([(DESTINATION.to_owned(), Action::Create)]));
}

fn refresh_only_records_drift_and_writes_nothing(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let east = world.cluster("east");
    east.remove(&east.key_of("DestinationRule"));
    let damaged = snapshot(&world);

    let plan = world.plan_with(&["-refresh-only"]);
    assert!(plan.has_changes);
    world.apply(&plan);
    assert_eq!(snapshot(&world), damaged, "refresh only writes no cluster");
    let drift = world.state().values(DESTINATION)["drift"].to_string();
    assert!(drift.contains("east/DestinationRule/"), "{drift}");
    assert!(!world.plan_with(&["-refresh-only"]).has_changes, "the same drift is recorded once");
    assert_eq!(world.step().action(DESTINATION), Action::Update);
}

fn a_saved_plan_does_not_overwrite_what_changed_since(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    world.write("change_override.tf", "resource \"gloo_virtual_destination\" \"reviews\" {\n  timeout = \"2s\"\n}\n");
    let plan = world.plan();
    let east = world.cluster("east");
    east.change(&east.key_of("VirtualService"), |object| object["spec"]["hosts"] = serde_json::json!(["changed.example.com"]));
    let changed = snapshot(&world);

    let refused = world.apply_refused(&plan);
    refused.error_with(&["east", "VirtualService"]);
    if world.is_on_servers() {
        refused.error_with(&["spec.hosts", "changed.example.com", PERSON]);
    }
    assert_eq!(snapshot(&world), changed, "nothing is written anywhere");
    world.step();
}

fn an_empty_plan_writes_nothing(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let before = snapshot(&world);
    let plan = world.plan();
    plan.assert_empty("nothing changed");
    world.apply(&plan);
    assert_eq!(snapshot(&world), before);
}

fn many_resources_land_side_by_side(rig: &Rig) {
    let world = World::clusters(rig);
    world.config(&format!(
        r#"{PROVIDER}
resource "gloo_istio_object" "many" {{
  count    = 40
  clusters = ["east", "west"]
  manifest = {{
    apiVersion = "security.istio.io/v1"
    kind       = "PeerAuthentication"
    metadata   = {{ name = "many-${{count.index}}", namespace = "bookinfo" }}
    spec       = {{ mtls = {{ mode = "STRICT" }} }}
  }}
}}
"#
    ));
    let plan = world.step();
    assert_eq!(plan.changed().len(), 40);
    for name in CLUSTERS {
        assert_eq!(world.cluster(name).keys().len(), 40);
    }
    world.destroy();
    assert!(is_empty(&world));
}

fn a_saved_destroy_plan_is_applied(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let plan = world.plan_with(&["-destroy"]);
    assert_eq!(plan.action(DESTINATION), Action::Delete);
    world.apply(&plan);
    assert!(is_empty(&world));
}
