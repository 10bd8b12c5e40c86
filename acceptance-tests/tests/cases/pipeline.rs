//! The pipeline in `examples/ci`: its steps are run by the shell as they stand, with the CLI under test as `terraform`. `Init` is
//! left to the case that installs.

use std::process::Command;

use acceptance_tests::{Case, Outcome, Rig, World, case};
use serde_json::Value;

pub fn cases() -> Vec<Case> {
    let cases = [case!(the_pipeline_plans_judges_applies_and_raises_the_alarm)];
    cases.into_iter().map(|case| case.on_folders_for("the folders that the pipeline names")).collect()
}

const FILE: &str = "github-actions.yml";

fn the_pipeline_plans_judges_applies_and_raises_the_alarm(rig: &Rig) {
    let world = World::clusters(rig);
    world.add_copy_of("examples/ci");
    let text = std::fs::read_to_string(world.folder().join(FILE)).expect("the pipeline is in the example");
    let pipeline: Value = serde_saphyr::from_str(&text).expect("the pipeline is YAML");
    let run = |job: &str, step: &str| shell(&world, script(&pipeline, job, step));

    for step in ["Plan", "Policy", "Apply"] {
        ends_with(&run("change", step), 0);
    }
    ends_with(&run("drift", "Drift"), 0);
    world.assert_clean();

    // somebody edits an object
    let file = "clusters/east/manifests/bookinfo/DestinationRule-vd-reviews.mesh.internal.yaml";
    world.replace(file, "maxEjectionPercent: 100", "maxEjectionPercent: 10");
    let alarm = run("drift", "Drift");
    ends_with(&alarm, 2);
    assert!(alarm.stdout.contains("maxEjectionPercent"), "{}", alarm.stdout);
    // the guide's other alarm hears of objects alone
    let of_objects = ["plan", "-input=false", "-detailed-exitcode", "-refresh-only"];
    ends_with(&world.run(&of_objects), 2);
    ends_with(&run("change", "Plan"), 0);
    ends_with(&run("change", "Apply"), 0);
    ends_with(&run("drift", "Drift"), 0);

    world.write("filter.tf", FILTER);
    ends_with(&world.run(&of_objects), 0);

    // a change that breaks the rules is planned, judged and goes no further
    ends_with(&run("change", "Plan"), 0);
    let refused = run("change", "Policy");
    ends_with(&refused, 1);
    let words = "/EnvoyFilter/bookinfo/filter: EnvoyFilters need an exception";
    assert!(refused.stdout.contains(words), "{}", refused.stdout);

    // what nobody can judge is not let through
    world.write(
        "filter.tf",
        &FILTER.replace("name = \"filter\"", "name = terraform_data.name.output").replace("EnvoyFilter", "VirtualService"),
    );
    world.write("name.tf", "resource \"terraform_data\" \"name\" {\n  input = \"filter\"\n}\n");
    ends_with(&run("change", "Plan"), 0);
    let refused = run("change", "Policy");
    ends_with(&refused, 1);
    assert!(refused.stdout.contains("known after apply only"), "{}", refused.stdout);
}

const FILTER: &str = r#"resource "gloo_istio_object" "filter" {
  clusters = ["east"]
  manifest = {
    apiVersion = "networking.istio.io/v1alpha3"
    kind       = "EnvoyFilter"
    metadata   = { name = "filter", namespace = "bookinfo" }
    spec       = { priority = 1 }
  }
}
"#;

/// What a step of this name runs.
fn script<'a>(pipeline: &'a Value, job: &str, step: &str) -> &'a str {
    let steps = pipeline["jobs"][job]["steps"].as_array().into_iter().flatten();
    let found = steps.filter(|one| one["name"] == step).find_map(|one| one["run"].as_str());
    found.unwrap_or_else(|| panic!("the job {job} has no step {step} that runs something"))
}

/// Runs a script as the runners of the pipeline do.
fn shell(world: &World, script: &str) -> Outcome {
    let cli = world.command(&[]);
    let programs = world.folder().with_file_name("programs");
    let name = programs.join("terraform");
    if !name.exists() {
        let made = std::fs::create_dir_all(&programs).and_then(|()| std::os::unix::fs::symlink(cli.get_program(), &name));
        made.unwrap_or_else(|error| panic!("{}: {error}", name.display()));
    }
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(programs).chain(std::env::split_paths(&inherited));
    let mut command = Command::new("bash");
    command.args(["-e", "-c", script]).current_dir(world.folder()).env_clear();
    command.envs(cli.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::join_paths(path).expect("the parts came from such a list"));
    let output = command.output().expect("bash runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let outcome = Outcome { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) };
    world.note(&format!("$ {script}\n{}{}(exit code {:?})", outcome.stdout, outcome.stderr, outcome.code));
    outcome
}

fn ends_with(outcome: &Outcome, code: i32) {
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
}
