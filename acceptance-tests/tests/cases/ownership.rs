//! One owner per object: a second one is refused and told who holds it; nothing foreign is
//! touched.

use acceptance_tests::{Case, Rig, World, case};
use serde_json::json;

use super::{CLUSTERS, DESTINATION, PROVIDER, applied, beside, renamed, snapshot, with};

pub fn cases() -> Vec<Case> {
    vec![
        case!(a_second_owner_is_refused_and_told_who_owns),
        case!(two_resources_that_want_one_object_are_refused_at_plan),
        case!(a_foreign_object_in_our_place_is_refused_by_name),
        case!(a_damaged_file_at_our_path_is_refused_by_name).on_folders_for("a file that is no YAML"),
        case!(other_files_are_never_touched).on_folders_for("files that are no objects"),
    ]
}

fn a_second_owner_is_refused_and_told_who_owns(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let before = snapshot(&world);

    let second = world.beside("second");
    second.config(&(beside("team/other") + &with("")));
    let refused = second.refused();
    refused.error_with(&["demo/quickstart", "reviews"]);
    assert_eq!(snapshot(&world), before, "a refusal writes nothing");
    world.assert_clean();
}

/// The destination, once more, as it reads under another address.
fn once_more(name: &str) -> String {
    let text = renamed("critics", name, "");
    let start = text.find("resource \"gloo_virtual_destination\"").expect("there is one");
    text[start..].to_owned()
}

fn two_resources_that_want_one_object_are_refused_at_plan(rig: &Rig) {
    let claim = |name: &str| format!("tests/acceptance//gloo_virtual_destination/bookinfo/{name}");
    let world = World::clusters(rig);
    let before = snapshot(&world);
    let both = format!("{PROVIDER}{}{}", with(""), once_more("comments"));
    world.config(&both);
    let fix = "hostname = \"another.mesh.internal\"";
    let words = ["GM4022", &claim("reviews"), &claim("comments"), "vd-reviews.mesh.internal in cluster east", fix];
    world.plan_refused().error_with(&words);
    assert_eq!(snapshot(&world), before, "a refusal writes nothing");
    let (first, second) = both.rsplit_once("\"reviews.mesh.internal\"").expect("both have the hostname");
    world.config(&format!("{first}\"another.mesh.internal\"{second}"));
    world.plan();

    // a copy of what is there, under a second address
    let world = applied(rig, &with(""));
    world.config(&format!("{PROVIDER}{}{}", with(""), once_more("reviews")));
    world.plan_refused().error_with(&["GM4022", &claim("reviews"), "moved {"]);
}

fn a_foreign_object_in_our_place_is_refused_by_name(rig: &Rig) {
    let world = World::quickstart(rig);
    let planned = world.plan().manifests(DESTINATION);
    let ours = planned.keys().find_map(|key| key.strip_prefix("*/").filter(|key| key.starts_with("VirtualService/")));
    let name = ours.and_then(|key| key.rsplit('/').next()).expect("one is planned");
    world.cluster("east").create(&json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
        "metadata": { "name": name, "namespace": "bookinfo" },
        "spec": { "hosts": ["theirs.example.com"], "http": [{ "route": [{ "destination": { "host": "theirs" } }] }] },
    }));
    let before = snapshot(&world);
    let refused = world.refused();
    refused.error_with(&[name, "east"]);
    assert_eq!(snapshot(&world), before, "a refusal writes nothing, in no cluster");
}

fn a_damaged_file_at_our_path_is_refused_by_name(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let cluster = world.cluster("east");
    let east = cluster.directory();
    let path = east.objects().into_keys().find(|path| path.contains("/VirtualService-")).expect("it was written");
    east.write(&path, "kind: [never closed\n");
    let refused = world.plan_refused();
    refused.error_with(&[path.as_str()]);
    assert_eq!(east.files()[&path], "kind: [never closed\n", "a damaged file is left for a person to look at");
}

fn other_files_are_never_touched(rig: &Rig) {
    let world = World::quickstart(rig);
    let cluster = world.cluster("east");
    let east = cluster.directory();
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
