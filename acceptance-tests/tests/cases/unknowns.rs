//! Values known only after apply, in resources and in the provider block.

use acceptance_tests::{Action, Case, Rig, World, case};

use super::{CLUSTERS, DESTINATION, PROVIDER, by_hand};

pub fn cases() -> Vec<Case> {
    vec![
        case!(an_unknown_address_hides_only_its_own_objects),
        case!(an_unknown_hostname_hides_all_objects_with_one_warning),
        case!(a_cluster_known_after_apply_is_planned),
        case!(an_unknown_owner_is_refused),
        case!(a_data_source_of_an_unknown_cluster_is_refused_with_the_fix),
    ]
}

/// A value that core knows only after apply.
const LATER: &str = "resource \"terraform_data\" \"later\" {\n  input = \"VALUE\"\n}\n";

fn later(value: &str) -> String {
    LATER.replace("VALUE", value)
}

fn an_unknown_address_hides_only_its_own_objects(rig: &Rig) {
    let world = World::clusters(rig);
    let resources = by_hand("terraform_data.later.output", "\"reviews.mesh.internal\"");
    world.config(&(PROVIDER.to_owned() + &later("203.0.113.10") + &resources));
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Create);
    assert!(plan.is_unknown(DESTINATION, "/manifests"), "the entries that hold the address are unknown");
    let known = plan.manifests(DESTINATION);
    for kind in ["ServiceEntry", "DestinationRule", "VirtualService"] {
        assert!(known.keys().any(|key| key.contains(&format!("/{kind}/"))), "{kind} is known: {:?}", known.keys());
    }
    assert!(
        !known.keys().any(|key| key.starts_with("west/WorkloadEntry/")),
        "west's entry for east's gateway holds the unknown address: {:?}",
        known.keys()
    );
    assert!(
        known.keys().any(|key| key.starts_with("east/WorkloadEntry/")),
        "east's entry for west's gateway is known: {:?}",
        known.keys()
    );

    world.apply(&plan);
    let applied = world.state().manifests(DESTINATION);
    for (key, manifest) in &known {
        assert_eq!(applied.get(key), Some(manifest), "what was known at plan is what was written: {key}");
    }
    for name in CLUSTERS {
        world.cluster(name).assert_holds(&applied, &[]);
    }
    world.assert_clean();
}

fn an_unknown_hostname_hides_all_objects_with_one_warning(rig: &Rig) {
    let world = World::clusters(rig);
    let resources = by_hand("\"203.0.113.10\"", "terraform_data.later.output");
    world.config(&(PROVIDER.to_owned() + &later("reviews.mesh.internal") + &resources));
    let plan = world.plan();
    assert!(plan.is_unknown(DESTINATION, "/manifests"));
    assert!(plan.manifests(DESTINATION).is_empty());
    plan.diagnostics.warning_with(&["hostname"]);
    assert_eq!(plan.diagnostics.warnings().len(), 1, "{}", plan.diagnostics);

    world.apply(&plan);
    world.assert_clean();
}

fn a_cluster_known_after_apply_is_planned(rig: &Rig) {
    let world = World::clusters(rig);
    let provider = PROVIDER.replace("\"clusters/west\"", "terraform_data.later.output");
    world.config(&(provider + &later("clusters/west") + &by_hand("\"203.0.113.10\"", "\"reviews.mesh.internal\"")));
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Create);
    let planned = plan.manifests(DESTINATION);
    assert!(!planned.is_empty() && !plan.is_unknown(DESTINATION, "/manifests"), "translation needs no cluster");

    world.apply(&plan);
    for name in CLUSTERS {
        world.cluster(name).assert_holds(&planned, &[]);
    }
    world.assert_clean();
}

fn an_unknown_owner_is_refused(rig: &Rig) {
    let world = World::clusters(rig);
    let provider = PROVIDER.replace("\"tests/acceptance\"", "terraform_data.later.output");
    world.config(&(provider + &later("tests/later") + &by_hand("\"203.0.113.10\"", "\"reviews.mesh.internal\"")));
    world.plan_refused().error_with(&["owner"]);
}

fn a_data_source_of_an_unknown_cluster_is_refused_with_the_fix(rig: &Rig) {
    let world = World::clusters(rig);
    let provider = PROVIDER.replace("\"clusters/west\"", "terraform_data.later.output");
    let data = "data \"gloo_cluster\" \"west\" {\n  name = \"west\"\n}\n\noutput \"facts\" {\n  value = data.gloo_cluster.west.facts\n}\n";
    world.config(&(provider + &later("clusters/west") + data));
    world.plan_refused().error_with(&["west", "depends_on"]);
}
