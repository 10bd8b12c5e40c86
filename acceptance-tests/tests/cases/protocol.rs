//! What the CLIs do with identities, moves and write-only values, shown on a toy provider
//! (`crates/tf-server/examples/toy.rs`) that has little else.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use acceptance_tests::{Action, Case, Outcome, Rig, World, case};
use serde_json::Value;
use xtask::cli::{Kind, SOURCE};
use xtask::workspace::stage_provider;

use super::{built_example, knows_identity};

pub fn cases() -> Vec<Case> {
    let cases = [
        case!(a_write_only_value_is_sent_and_stored_nowhere),
        case!(the_version_of_a_write_only_value_is_the_word_to_write_it_again),
        case!(a_state_moves_to_another_type_without_a_change),
        case!(a_move_that_is_not_known_is_refused_with_both_types),
        case!(a_resource_has_an_identity_where_the_cli_knows_them),
        case!(a_resource_is_imported_by_what_the_cli_knows),
        case!(the_new_one_is_there_before_the_old_one_goes),
    ];
    cases.into_iter().map(|case| case.on_folders_for("no cluster at all")).collect()
}

/// The rig with the toy in place of the provider; built once, staged beside the provider.
fn toy(rig: &Rig) -> Rig {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = rig.provider.join("toy");
        stage_provider(&built_example("toy"), &folder).unwrap_or_else(|problem| panic!("{problem}"));
        folder
    });
    Rig { provider: folder.clone(), ..rig.clone() }
}

/// A world with the toy's provider block and these resources.
fn world(rig: &Rig, resources: &str) -> World {
    let world = World::empty(&toy(rig));
    std::fs::create_dir(world.folder().join("notes")).expect("a new folder is writable");
    write(&world, resources);
    world
}

fn write(world: &World, resources: &str) {
    let text = format!(
        "terraform {{\n  required_providers {{\n    toy = {{ source = \"{SOURCE}\" }}\n  }}\n}}\n\nprovider \"toy\" {{\n  \
         folder = \"notes\"\n}}\n\n{resources}"
    );
    world.write("main.tf", &text);
}

fn note(world: &World, name: &str) -> Value {
    let file = world.folder().join("notes").join(format!("{name}.json"));
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).expect("the toy writes JSON")
}

/// The only instance in the state file.
fn instance(world: &World) -> Value {
    let text = std::fs::read(world.folder().join("terraform.tfstate")).expect("there is a state");
    let state: Value = serde_json::from_slice(&text).expect("a state is JSON");
    state["resources"][0]["instances"][0].clone()
}

fn apply(world: &World, more: &[&str]) -> Outcome {
    let outcome = world.run(&[&["apply", "-input=false", "-auto-approve", "-json"], more].concat());
    assert!(outcome.is_success(), "the apply failed:\n{}", outcome.diagnostics());
    outcome
}

fn holds(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holds(&path, text));
        } else if std::fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text)) {
            found.push(path);
        }
    }
    found
}

const SECRETS: &str = r#"variable "key" {
  type      = string
  ephemeral = true
}

variable "pin" {
  type      = number
  ephemeral = true
}

resource "toy_note" "a" {
  name           = "a"
  key_wo         = var.key
  key_wo_version = VERSION
  locks          = [{ colour = "red" }, { pin_wo = var.pin, pin_wo_version = 1 }]
}
"#;

fn secrets(version: u32) -> String {
    SECRETS.replace("VERSION", &version.to_string())
}

fn a_write_only_value_is_sent_and_stored_nowhere(rig: &Rig) {
    let world = world(rig, &secrets(1));
    let given = ["-var=key=hush-hush", "-var=pin=47114711"];
    let mut command = world.command(&["apply", "-input=false", "-auto-approve", "-no-color"]);
    let log = world.folder().join("log");
    command.args(given).env("TF_LOG_PROVIDER", "TRACE").env("TF_LOG_PATH", &log);
    let output = command.output().expect("the CLI was found and can be started");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");

    let written = note(&world, "a");
    assert_eq!((written["key"].as_str(), written["pin 1"].as_str()), (Some("hush-hush"), Some("47114711")));
    let attributes = &instance(&world)["attributes"];
    assert!(attributes["key_wo"].is_null() && attributes["locks"][1]["pin_wo"].is_null(), "{attributes}");
    assert!(std::fs::metadata(&log).is_ok_and(|log| log.len() > 0), "the provider logs something");
    for secret in ["hush-hush", "47114711"] {
        assert_eq!(holds(world.folder(), secret), [world.folder().join("notes/a.json")], "only the toy knows it");
        assert!(!said.contains(secret), "{said}");
    }
    world.plan_with(&given).assert_empty("with the same values");
    world.plan_with(&["-var=key=other", "-var=pin=1"]).assert_empty("with other values of the same version");
}

fn the_version_of_a_write_only_value_is_the_word_to_write_it_again(rig: &Rig) {
    let world = world(rig, &secrets(1));
    apply(&world, &["-var=key=first", "-var=pin=1"]);
    write(&world, &secrets(2));
    let plan = world.plan_with(&["-var=key=second", "-var=pin=2"]);
    assert_eq!(plan.action("toy_note.a"), Action::Update);
    apply(&world, &["-var=key=second", "-var=pin=2"]);
    let written = note(&world, "a");
    assert_eq!((written["key"].as_str(), written["pin 1"].as_str()), (Some("second"), Some("1")), "the pin has version 1 still");
}

fn a_state_moves_to_another_type_without_a_change(rig: &Rig) {
    let world = world(rig, "resource \"toy_letter\" \"a\" {\n  title = \"a\"\n  text  = \"dear\"\n}\n");
    world.step();
    let note = "resource \"toy_note\" \"a\" {\n  name = \"a\"\n  text = \"dear\"\n}\n";
    write(&world, &format!("{note}\nmoved {{\n  from = toy_letter.a\n  to   = toy_note.a\n}}\n"));
    let plan = world.plan();
    assert_eq!(plan.action("toy_note.a"), Action::NoOp);
    world.apply(&plan);
    assert_eq!(world.state().addresses(), ["toy_note.a"]);
    assert_eq!(world.state().values("toy_note.a")["serial"], "serial-a");
    write(&world, note);
    world.assert_clean();
    let history = std::fs::read_to_string(world.folder().join("notes/history")).expect("the toy tells");
    assert_eq!(history, "create a\n");
}

fn a_move_that_is_not_known_is_refused_with_both_types(rig: &Rig) {
    let world = world(rig, "resource \"toy_note\" \"a\" {\n  name = \"a\"\n}\n");
    world.step();
    let moved = "moved {\n  from = toy_note.a\n  to   = toy_letter.a\n}\n";
    write(&world, &format!("resource \"toy_letter\" \"a\" {{\n  title = \"a\"\n}}\n\n{moved}"));
    let refused = world.plan_refused();
    refused.error_with(&["cannot become the state of toy_letter", "toy_note"]);
}

fn a_resource_has_an_identity_where_the_cli_knows_them(rig: &Rig) {
    let config = |text: &str| format!("resource \"toy_note\" \"a\" {{\n  name = \"a\"\n  text = \"{text}\"\n}}\n");
    let world = world(rig, &config("one"));
    world.step();
    let identity = |world: &World| instance(world)["identity"].clone();
    let wanted = if knows_identity(rig) { serde_json::json!({"name": "a", "serial": "serial-a"}) } else { Value::Null };
    assert_eq!(identity(&world), wanted, "after create");
    write(&world, &config("two"));
    assert_eq!(world.step().action("toy_note.a"), Action::Update);
    assert_eq!(identity(&world), wanted, "after update");
    world.destroy();
}

fn a_resource_is_imported_by_what_the_cli_knows(rig: &Rig) {
    let config = "resource \"toy_note\" \"a\" {\n  name = \"a\"\n  text = \"one\"\n}\n";
    let world = world(rig, config);
    world.step();
    let before = world.state();
    world.lose_state();
    // terraform learned it with 1.12
    let by = if knows_identity(rig) { "identity = { name = \"a\" }" } else { "id = \"a\"" };
    write(&world, &format!("{config}\nimport {{\n  to = toy_note.a\n  {by}\n}}\n"));
    let plan = world.plan();
    assert_eq!(plan.action("toy_note.a"), Action::NoOp, "an import alone changes nothing");
    world.apply(&plan);
    assert_eq!(world.state().values("toy_note.a"), before.values("toy_note.a"));
    if knows_identity(rig) {
        assert_eq!(instance(&world)["identity"]["serial"], "serial-a", "completed by the provider");
    }
    write(&world, config);
    world.assert_clean();

    world.lose_state();
    world.import("toy_note.a", "a");
    world.plan().assert_empty("after an import by id");

    if rig.cli.kind == Kind::Tofu {
        world.lose_state();
        let elsewhere = "identity = { name = \"b\" }";
        write(&world, &format!("{config}\nimport {{\n  to = toy_note.a\n  {elsewhere}\n}}\n"));
        world.plan_refused().error_with(&["No toy_note has the identity", "\"name\":\"b\""]);
    }
}

fn the_new_one_is_there_before_the_old_one_goes(rig: &Rig) {
    let config = |name: &str| {
        format!(
            "resource \"toy_note\" \"a\" {{\n  name = \"{name}\"\n  lifecycle {{\n    create_before_destroy = true\n  }}\n}}\n"
        )
    };
    let world = world(rig, &config("old"));
    world.step();
    write(&world, &config("new"));
    assert_eq!(world.step().action("toy_note.a"), Action::CreateThenDelete);
    let history = std::fs::read_to_string(world.folder().join("notes/history")).expect("the toy tells");
    assert_eq!(history, "create old\ncreate new\ndelete old\n");
}
