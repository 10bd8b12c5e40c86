//! What data sources list: what is ours without a state that knows it, Services that become destinations, and workloads.

use acceptance_tests::{Action, Case, Rig, World, case};
use serde_json::Value;

use super::{APPLY, DESTINATION, PROVIDER, applied, keys, with};

pub fn cases() -> Vec<Case> {
    vec![
        case!(what_a_lost_state_left_is_listed_and_imported),
        case!(services_with_a_label_become_destinations),
        case!(files_of_a_plan_are_what_the_apply_writes).on_folders_for("files"),
    ]
}

fn output(world: &World, name: &str) -> Value {
    let all: Value = serde_json::from_str(&world.run(&["output", "-json"]).stdout).expect("JSON");
    all[name]["value"].clone()
}

const OBJECTS: &str = r#"
data "gloo_objects" "all" {}

output "objects" {
  value = data.gloo_objects.all.objects
}

output "claims" {
  value = [for object in data.gloo_objects.all.objects : provider::gloo::parse_id(object.claim)]
}
"#;

fn what_a_lost_state_left_is_listed_and_imported(rig: &Rig) {
    let world = applied(rig, &with(""));
    world.lose_state();
    world.config(&format!("{PROVIDER}{OBJECTS}"));
    world.apply(&world.plan());

    let objects = output(&world, "objects");
    let objects = objects.as_array().expect("a list");
    let mut listed: Vec<&str> = objects.iter().filter_map(|object| object["key"].as_str()).collect();
    listed.sort_unstable();
    let mut there = keys(&world);
    there.sort_unstable();
    assert_eq!(listed, there, "everything that is there is listed");
    assert!(objects.iter().all(|object| object["resource_type"] == "gloo_virtual_destination"), "{objects:?}");
    let claims = output(&world, "claims");
    assert!(claims.as_array().is_some_and(|claims| claims.iter().all(|claim| claim["owner"] == "tests/acceptance")), "{claims}");

    let id = objects.first().and_then(|object| object["resource_id"].as_str()).expect("there is one");
    world.config(&format!("{PROVIDER}{}", with("")));
    world.import(DESTINATION, id);
    assert_eq!(world.plan().action(DESTINATION), Action::NoOp, "the id of the list imports the resource");
}

const SERVICES: &str = r#"
data "gloo_cluster" "all" {
  for_each = toset(["east", "west"])
  name     = each.key
}

data "gloo_services" "all" {
  namespaces = ["bookinfo"]
  selector   = { app = "reviews" }
}

data "gloo_workloads" "all" {
  namespaces = ["bookinfo"]
  selector   = { app = "reviews" }
}

resource "gloo_virtual_destination" "shared" {
  for_each     = data.gloo_services.all.services
  virtual_mesh = { name = "prod", clusters = { for name, cluster in data.gloo_cluster.all : name => cluster.facts } }
  namespace    = each.value.namespace
  name         = each.value.name
  ports        = [{ number = 9080 }]
  backends     = each.value.backends
}

output "unusable" {
  value = data.gloo_services.all.unusable
}

output "accounts" {
  value = distinct([for workload in data.gloo_workloads.all.workloads : workload.service_account])
}
"#;

fn services_with_a_label_become_destinations(rig: &Rig) {
    let world = World::clusters(rig);
    world.config(&format!("{PROVIDER}{SERVICES}"));
    world.apply(&world.plan());
    let mut addresses = world.state().addresses();
    addresses.retain(|address| !address.starts_with("data."));
    assert_eq!(addresses, [r#"gloo_virtual_destination.shared["bookinfo/reviews"]"#]);
    assert_eq!(output(&world, "unusable"), serde_json::json!([]));
    let accounts = output(&world, "accounts");
    assert_eq!(accounts, serde_json::json!(["bookinfo-reviews"]), "templates name it");
    // what was read anew says the same
    world.assert_clean();
}

fn files_of_a_plan_are_what_the_apply_writes(rig: &Rig) {
    let world = World::clusters(rig);
    let outputs = format!("output \"files\" {{\n  value = provider::gloo::files({DESTINATION})\n}}\n");
    world.config(&format!("{PROVIDER}{}{outputs}", with("")));
    assert!(world.run(APPLY).is_success());
    let files = output(&world, "files");
    let files = files.as_object().expect("a map");
    assert_eq!(files.len(), keys(&world).len());
    for (path, content) in files {
        let written = std::fs::read_to_string(world.folder().join("clusters").join(path)).expect("the file is there");
        let noted = |line: &&str| line.trim_start().starts_with("state.gloo-terraform/");
        let written: Vec<&str> = written.lines().filter(|line| !noted(line)).collect();
        assert_eq!(content.as_str().expect("a text").lines().collect::<Vec<_>>(), written, "{path}");
    }
}
