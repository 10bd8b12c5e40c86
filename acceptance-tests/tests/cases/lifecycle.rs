//! Create, read, update, delete, import: what the plan shows is what the clusters hold.

use acceptance_tests::{Action, Case, Rig, World, case};
use serde_json::json;

use super::{CLUSTERS, DESTINATION, MESH, is_empty, keys, snapshot};

pub fn cases() -> Vec<Case> {
    vec![
        case!(create_writes_what_the_plan_showed),
        case!(a_change_writes_what_the_plan_showed),
        case!(destroy_leaves_no_object_and_no_foreign_one_touched),
        case!(import_restores_the_configuration_without_a_change),
        case!(a_new_name_replaces),
        case!(an_object_given_by_hand_lives_and_dies_like_any_other),
    ]
}

fn create_writes_what_the_plan_showed(rig: &Rig) {
    let world = World::quickstart(rig);
    let plan = world.plan();
    assert_eq!(plan.action(MESH), Action::Create);
    assert_eq!(plan.action(DESTINATION), Action::Create);
    assert!(!plan.is_unknown(DESTINATION, "/manifests"), "everything is known at plan");
    assert!(plan.diagnostics.warnings().is_empty(), "the base configuration plans without warnings: {}", plan.diagnostics);
    for name in CLUSTERS {
        assert!(world.cluster(name).is_empty(), "a plan writes nothing");
    }
    let planned = plan.manifests(DESTINATION);
    assert!(planned.len() > 3, "{:?}", planned.keys());

    world.apply(&plan);
    let state = world.state();
    assert_eq!(state.manifests(DESTINATION), planned);
    assert_eq!(state.applied(DESTINATION), CLUSTERS);
    for name in CLUSTERS {
        world.cluster(name).assert_holds(&planned, &[]);
    }
    world.assert_clean();
}

fn a_change_writes_what_the_plan_showed(rig: &Rig) {
    let world = World::quickstart(rig);
    let before = world.step().manifests(DESTINATION);
    world.write("change_override.tf", "resource \"gloo_virtual_destination\" \"reviews\" {\n  timeout = \"2s\"\n}\n");
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Update);
    assert_eq!(plan.action(MESH), Action::NoOp);
    let planned = plan.manifests(DESTINATION);
    let changed: Vec<&String> = planned.keys().filter(|key| planned.get(*key) != before.get(*key)).collect();
    assert!(!changed.is_empty() && changed.iter().all(|key| key.contains("/VirtualService/")), "{changed:?}");

    world.apply(&plan);
    for name in CLUSTERS {
        world.cluster(name).assert_holds(&planned, &[]);
    }
    world.assert_clean();
}

fn destroy_leaves_no_object_and_no_foreign_one_touched(rig: &Rig) {
    let world = World::quickstart(rig);
    world.cluster("east").create(&json!({
        "apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "spec": { "egress": [{ "hosts": ["./*"] }] },
        "metadata": { "name": "theirs", "namespace": "bookinfo" },
    }));
    let before = snapshot(&world);
    world.step();
    world.destroy();
    assert_eq!(world.state().addresses(), Vec::<String>::new());
    assert_eq!(keys(&world), ["east/Sidecar/bookinfo/theirs"]);
    assert_eq!(snapshot(&world), before, "not written, not even as it was");
}

fn import_restores_the_configuration_without_a_change(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    let before = world.state();
    let written = snapshot(&world);
    world.lose_state();
    world.import(MESH, "prod");
    world.import(DESTINATION, "bookinfo/reviews");
    let imported = world.state();
    for attribute in ["id", "hostname", "manifests", "applied", "ports", "backends"] {
        assert_eq!(imported.values(DESTINATION)[attribute], before.values(DESTINATION)[attribute], "{attribute} after import");
    }
    world.plan().assert_empty("after import");
    assert_eq!(snapshot(&world), written, "import writes nothing");
}

fn a_new_name_replaces(rig: &Rig) {
    let world = World::quickstart(rig);
    world.step();
    world.write("change_override.tf", "resource \"gloo_virtual_destination\" \"reviews\" {\n  name = \"critics\"\n}\n");
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Replace);
    world.apply(&plan);
    for name in CLUSTERS {
        world.cluster(name).assert_holds(&plan.manifests(DESTINATION), &[]);
    }
    world.assert_clean();
}

fn an_object_given_by_hand_lives_and_dies_like_any_other(rig: &Rig) {
    const OBJECT: &str = "gloo_istio_object.strict";
    let config = |mode: &str| {
        format!(
            r#"{}
resource "gloo_istio_object" "strict" {{
  clusters = ["east", "west"]
  manifest = {{
    apiVersion = "security.istio.io/v1"
    kind       = "PeerAuthentication"
    metadata   = {{ name = "strict", namespace = "bookinfo" }}
    spec       = {{ mtls = {{ mode = "{mode}" }} }}
  }}
}}
"#,
            super::PROVIDER
        )
    };
    let world = World::clusters(rig);
    world.config(&config("STRICT"));
    let plan = world.step();
    assert_eq!(plan.manifests(OBJECT).into_keys().collect::<Vec<_>>(), ["*/PeerAuthentication/bookinfo/strict"]);
    for name in CLUSTERS {
        world.cluster(name).assert_holds(&plan.manifests(OBJECT), &[]);
    }

    world.config(&config("PERMISSIVE"));
    assert_eq!(world.step().action(OBJECT), Action::Update);
    let east = world.cluster("east");
    assert_eq!(east.object(&east.key_of("PeerAuthentication"))["spec"]["mtls"]["mode"], "PERMISSIVE");

    world.lose_state();
    world.import(OBJECT, "PeerAuthentication/bookinfo/strict");
    world.plan().assert_empty("after import");
    world.destroy();
    assert!(is_empty(&world));
}
