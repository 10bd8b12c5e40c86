//! Drift of every kind is shown per line, counts as a change, and is repaired byte for byte;
//! what is not ours is no drift.

use acceptance_tests::server::PERSON;
use acceptance_tests::{Action, Case, Cluster, Rig, World, case};
use serde_json::{Value, json};

use super::{CLUSTERS, DESTINATION};

pub fn cases() -> Vec<Case> {
    vec![
        case!(a_changed_field_is_shown_and_repaired),
        case!(an_added_list_item_is_shown_and_repaired),
        case!(a_reordered_list_is_shown_and_repaired),
        case!(a_deleted_object_is_shown_and_repaired),
        case!(a_foreign_field_in_the_spec_is_shown_and_repaired),
        case!(a_stripped_label_is_shown_and_repaired),
        case!(foreign_metadata_and_status_are_no_drift),
        case!(drift_on_two_clusters_is_shown_for_both),
    ]
}

/// Applies the quick start, lets `tamper` damage east, and expects: the plan updates the destination, its drift names every
/// word (on a server also who made it so and when, where something is left that can have an author), a refresh alone shows the
/// same, apply restores every byte and writes nothing else.
fn is_shown_and_repaired(rig: &Rig, is_told_who: bool, words: &[&str], tamper: impl FnOnce(&Cluster)) {
    let world = World::quickstart(rig);
    // two namespaces, so that there is a list to reorder
    let two = "resource \"gloo_virtual_destination\" \"reviews\" {\n  export_to = [\"bookinfo\", \"default\"]\n}\n";
    world.write("namespaces_override.tf", two);
    world.step();
    let [east, west] = CLUSTERS.map(|name| world.cluster(name));
    let (before, written, untouched) = (east.texts(), east.snapshot(), west.snapshot());
    tamper(&east);
    let damaged = written.differing(&east.snapshot());
    assert_eq!(damaged.len(), 1, "{damaged:?}");

    let refreshed = world.plan_with(&["-refresh-only"]);
    assert!(refreshed.has_changes, "a refresh alone shows drift");
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Update);
    let told = Value::Object(plan.drift(DESTINATION).into_iter().collect()).to_string();
    for word in words {
        assert!(told.contains(word), "the drift should mention {word}: {told}");
    }
    assert!(!told.contains("west/"), "west has no drift: {told}");
    if is_told_who && world.is_on_servers() {
        let since = format!("; by {PERSON} at 20");
        assert!(told.contains(&since) && told.contains("Z (Update)"), "the drift should say who and when: {told}");
    }

    world.apply(&plan);
    assert_eq!(east.texts(), before, "every byte is restored");
    assert_eq!(written.differing(&east.snapshot()), damaged, "nothing is written besides");
    assert_eq!(west.snapshot(), untouched, "nothing is written where there is no drift");
    world.assert_clean();
}

fn a_changed_field_is_shown_and_repaired(rig: &Rig) {
    is_shown_and_repaired(rig, true, &["east/DestinationRule/", "maxEjectionPercent", "100", "10"], |east| {
        let percent = "/spec/trafficPolicy/outlierDetection/maxEjectionPercent";
        east.change(&east.key_of("DestinationRule"), |object| *object.pointer_mut(percent).expect("it was written") = json!(10));
    });
}

fn an_added_list_item_is_shown_and_repaired(rig: &Rig) {
    is_shown_and_repaired(rig, true, &["east/ServiceEntry/", "hosts", "added.example.com"], |east| {
        east.change(&east.key_of("ServiceEntry"), |object| list(object, "hosts").push(json!("added.example.com")));
    });
}

fn a_reordered_list_is_shown_and_repaired(rig: &Rig) {
    is_shown_and_repaired(rig, true, &["east/ServiceEntry/", "exportTo"], |east| {
        east.change(&east.key_of("ServiceEntry"), |object| list(object, "exportTo").reverse());
    });
}

fn a_deleted_object_is_shown_and_repaired(rig: &Rig) {
    is_shown_and_repaired(rig, false, &["east/VirtualService/"], |east| east.remove(&east.key_of("VirtualService")));
}

fn a_foreign_field_in_the_spec_is_shown_and_repaired(rig: &Rig) {
    is_shown_and_repaired(rig, true, &["east/VirtualService/", "gateways"], |east| {
        east.change(&east.key_of("VirtualService"), |object| object["spec"]["gateways"] = json!(["theirs"]));
    });
}

fn a_stripped_label_is_shown_and_repaired(rig: &Rig) {
    is_shown_and_repaired(rig, false, &["east/DestinationRule/", "gloo-terraform/owner"], |east| {
        east.change(&east.key_of("DestinationRule"), |object| {
            let labels = object["metadata"]["labels"].as_object_mut().expect("our objects carry labels");
            labels.remove("gloo-terraform/owner").expect("our objects name their owner");
        });
    });
}

fn foreign_metadata_and_status_are_no_drift(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let east = world.cluster("east");
    let key = east.key_of("DestinationRule");
    east.change(&key, |object| {
        object["metadata"]["labels"]["team"] = json!("theirs");
        object["metadata"]["annotations"]["example.com/note"] = json!("theirs");
    });
    if world.is_on_servers() {
        let status = json!({ "conditions": [{ "type": "Reconciled", "status": "True" }], "observedGeneration": 1 });
        for kind in ["DestinationRule", "ServiceEntry", "VirtualService"] {
            east.write_status(&east.key_of(kind), &status);
        }
        assert!(east.object(&key)["status"]["conditions"].is_array(), "the status took");
    }
    let noisy = (east.snapshot(), east.object(&key));
    world.assert_clean();
    assert_eq!(east.snapshot(), noisy.0, "nothing is written for it");

    // and a change of ours leaves them where they are
    world.write("change_override.tf", "resource \"gloo_virtual_destination\" \"reviews\" {\n  connect_timeout = \"2s\"\n}\n");
    world.step();
    let after = east.object(&key);
    assert_eq!(after["metadata"]["labels"]["team"], "theirs");
    assert_eq!(after["metadata"]["annotations"]["example.com/note"], "theirs");
    assert_eq!(after["status"], noisy.1["status"]);
    assert_ne!(after["spec"], noisy.1["spec"], "the change is one of this object");
}

fn drift_on_two_clusters_is_shown_for_both(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    for name in CLUSTERS {
        let cluster = world.cluster(name);
        cluster.remove(&cluster.key_of("DestinationRule"));
    }
    let told: Vec<String> = world.plan().drift(DESTINATION).into_keys().collect();
    for name in CLUSTERS {
        assert!(told.iter().any(|key| key.starts_with(&format!("{name}/DestinationRule/"))), "{told:?}");
    }
    world.step();
}

fn list<'a>(object: &'a mut Value, name: &str) -> &'a mut Vec<Value> {
    object["spec"][name].as_array_mut().unwrap_or_else(|| panic!("spec.{name} is a list"))
}
