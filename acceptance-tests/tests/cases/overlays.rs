//! `overlays`, and what an interrupted update leaves over.

use acceptance_tests::{Action, Case, Rig, World, case};

use super::{APPLY, CLUSTERS, DESTINATION, PROVIDER, applied, keys, with};

pub fn cases() -> Vec<Case> {
    vec![case!(an_overlay_is_shown_written_and_watched), case!(what_a_killed_update_left_over_is_shown_and_deleted)]
}

const OVERLAY: &str = r#"  overlays = [{
    kind        = "DestinationRule"
    cluster     = "east"
    merge_patch = jsonencode({ spec = { trafficPolicy = { connectionPool = { tcp = { maxConnections = 7 } } } } })
  }]"#;

fn an_overlay_is_shown_written_and_watched(rig: &Rig) {
    let world = applied(rig, &with(""));
    world.config(&format!("{PROVIDER}{}", with(OVERLAY)));
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Update);
    let planned = plan.manifests(DESTINATION);
    let overlaid: Vec<&String> = planned
        .iter()
        .filter(|(_, object)| object["spec"]["trafficPolicy"]["connectionPool"]["tcp"]["maxConnections"] == 7)
        .map(|(key, _)| key)
        .collect();
    assert!(overlaid.len() == 1 && overlaid[0].starts_with("east/DestinationRule/"), "{overlaid:?} of {:?}", planned.keys());
    world.apply(&plan);
    for name in CLUSTERS {
        world.cluster(name).assert_holds(&planned, &[]);
    }
    world.assert_clean();

    let east = world.cluster("east");
    let before = east.texts();
    let pool = "/spec/trafficPolicy/connectionPool/tcp/maxConnections";
    east.change(&east.key_of("DestinationRule"), |object| *object.pointer_mut(pool).expect("it was written") = 8.into());
    let plan = world.plan();
    let drift = serde_json::Value::Object(plan.drift(DESTINATION).into_iter().collect()).to_string();
    assert!(drift.contains("maxConnections: live 8, intent 7"), "{drift}");
    world.apply(&plan);
    assert_eq!(east.texts(), before, "every byte is restored");
    world.config(&format!("{PROVIDER}{}", with("")));
    world.apply(&world.plan());
    world.plan().assert_empty("without the overlay");
}

fn what_a_killed_update_left_over_is_shown_and_deleted(rig: &Rig) {
    let base = format!("{PROVIDER}{}", with(""));
    let world = World::clusters(&rig.breakable());
    world.config(&base);
    world.apply(&world.plan());
    let before = keys(&world);
    world.config(&base.replace("reviews.mesh.internal", "critics.mesh.internal"));
    let (outcome, is_reached) = world.run_broken("kill:before:4", APPLY);
    assert!(is_reached && !outcome.is_success(), "{}{}", outcome.diagnostics(), outcome.stderr);
    let after = keys(&world);
    let new: Vec<&String> = after.iter().filter(|key| !before.contains(key)).collect();
    assert!(!new.is_empty(), "objects of the new host were written");

    // the change is given up: what it wrote is found by its claim alone
    world.config(&base);
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Update);
    let drift = plan.drift(DESTINATION);
    let left = drift.values().filter(|lines| lines[0].as_str().is_some_and(|line| line.starts_with("leftover: ")));
    assert_eq!(left.count(), new.len(), "{drift:?}");
    world.apply(&plan);
    assert_eq!(keys(&world), before);
    world.plan().assert_empty("after the cleaning up");
}
