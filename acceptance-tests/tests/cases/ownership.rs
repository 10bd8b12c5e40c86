//! One owner per object: a second one is refused and told who holds it; nothing foreign is
//! touched.

use std::collections::BTreeMap;

use acceptance_tests::{Case, Rig, World, case};

use super::{CLUSTERS, DESTINATION};

pub fn cases() -> Vec<Case> {
    vec![
        case!(a_second_owner_is_refused_and_told_who_owns),
        case!(a_foreign_object_at_our_path_is_refused_by_name),
        case!(a_damaged_file_at_our_path_is_refused_by_name),
        case!(other_files_are_never_touched),
    ]
}

/// The path of the destination's first object in east, found by planning.
fn a_path_of_ours(rig: &Rig) -> String {
    let world = World::quickstart(rig);
    world.apply(&world.plan());
    world.cluster("east").path_of("VirtualService")
}

fn a_second_owner_is_refused_and_told_who_owns(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let before = CLUSTERS.map(|name| world.cluster(name).objects());

    let second = world.beside("second");
    let config = super::PROVIDER.replace("tests/acceptance", "team/other").replace("clusters/", "../work/clusters/");
    second.config(&(config + &super::by_hand("\"203.0.113.10\"", "\"reviews.mesh.internal\"")));
    let refused = second.refused();
    refused.error_with(&["demo/quickstart", "reviews"]);
    assert_eq!(CLUSTERS.map(|name| world.cluster(name).objects()), before, "a refusal writes nothing");
    world.assert_clean();
}

fn a_foreign_object_at_our_path_is_refused_by_name(rig: &Rig) {
    let path = a_path_of_ours(rig);
    let world = World::quickstart(rig);
    let (namespace, file) = path.split_once('/').expect("a folder and a file");
    let name = file.trim_start_matches("VirtualService-").trim_end_matches(".yaml");
    let foreign = format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: {name}\n  namespace: {namespace}\nspec:\n  hosts:\n  - theirs.example.com\n"
    );
    world.cluster("east").write(&path, &foreign);
    let refused = world.refused();
    refused.error_with(&[name, "east"]);
    assert_eq!(world.cluster("east").files(), BTreeMap::from([(path, foreign)]), "a refusal writes nothing");
    assert!(world.cluster("west").objects().is_empty(), "in no cluster");
}

fn a_damaged_file_at_our_path_is_refused_by_name(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let east = world.cluster("east");
    let path = east.path_of("VirtualService");
    east.write(&path, "kind: [never closed\n");
    let refused = world.plan_refused();
    refused.error_with(&[path.as_str()]);
    assert_eq!(east.files()[&path], "kind: [never closed\n", "a damaged file is left for a person to look at");
}

fn other_files_are_never_touched(rig: &Rig) {
    let world = World::quickstart(rig);
    let east = world.cluster("east");
    east.write("README", "not yaml at all: [\n");
    east.write("bookinfo/notes.yaml", "- just\n- a list\n");
    world.step();
    world.write("change_override.tf", "resource \"gloo_virtual_destination\" \"reviews\" {\n  timeout = \"3s\"\n}\n");
    world.step();
    assert_eq!(world.state().applied(DESTINATION), CLUSTERS);
    world.destroy();
    let left = east.files();
    assert_eq!(left.get("README").map(String::as_str), Some("not yaml at all: [\n"));
    assert_eq!(left.get("bookinfo/notes.yaml").map(String::as_str), Some("- just\n- a list\n"));
}
