//! The harness itself, on the CLI's built-in resource: what it says about plans is true.

use acceptance_tests::{Action, Case, Rig, World, case};

pub fn cases() -> Vec<Case> {
    let cases =
        [case!(a_change_is_seen_as_a_change), case!(a_refusal_is_seen_with_its_words), case!(the_users_settings_stay_outside)];
    cases.into_iter().map(|case| case.on_folders_for("no cluster at all")).collect()
}

const INPUT: &str = "resource \"terraform_data\" \"one\" {\n  input = \"a\"\n}\n";

fn a_change_is_seen_as_a_change(rig: &Rig) {
    let world = World::empty(rig);
    world.write("main.tf", INPUT);
    let created = world.step();
    assert_eq!(created.action("terraform_data.one"), Action::Create);
    assert!(created.is_unknown("terraform_data.one", "/id"));

    world.replace("main.tf", "\"a\"", "\"b\"");
    let changed = world.step();
    assert_eq!(changed.action("terraform_data.one"), Action::Update);
    assert_eq!(world.state().values("terraform_data.one")["input"], "b");

    world.destroy();
    assert_eq!(world.state().addresses(), Vec::<String>::new());
}

fn a_refusal_is_seen_with_its_words(rig: &Rig) {
    let world = World::empty(rig);
    let check = "  lifecycle {\n    precondition {\n      condition     = terraform.workspace == \"never\"\n      error_message = \"Never so.\"\n    }\n  }\n}\n";
    world.write("main.tf", &INPUT.replace("}\n", check));
    let refused = world.plan_refused();
    let code = refused.error_with(&["Never so."]).code.as_deref().expect("the CLI shows the line");
    assert!(code.contains("condition"), "{code}");
}

fn the_users_settings_stay_outside(rig: &Rig) {
    let world = World::empty(rig);
    let command = world.command(&["version"]);
    let names: Vec<String> = command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    let known = [
        "CHECKPOINT_DISABLE",
        "HOME",
        "LLVM_PROFILE_FILE",
        "PATH",
        "SYSTEMROOT",
        "TF_CLI_CONFIG_FILE",
        "TF_INPUT",
        "TF_IN_AUTOMATION",
        "TMPDIR",
    ];
    assert!(names.iter().all(|name| known.contains(&name.as_str())), "{names:?}");
    let home = command.get_envs().find(|(name, _)| *name == "HOME").and_then(|(_, value)| value).expect("HOME is set");
    assert_ne!(Some(home), std::env::var_os("HOME").as_deref());
}
