//! The life of resources on two real API servers: what the plan shows is what they hold, drift is told from everything that is
//! not ours, and nobody's object is taken.

use std::collections::BTreeMap;

use acceptance_tests::{Action, Case, Live, Rig, World, case};
use serde_json::{Value, json};

use super::{CLUSTERS, DESTINATION, MESH};

const SUBJECT: &str = "an API server";

pub fn cases() -> Vec<Case> {
    vec![
        case!(the_quick_start_lives_on_real_clusters).on_servers_for(SUBJECT),
        case!(a_field_changed_by_another_manager_is_named_and_repaired).on_servers_for(SUBJECT),
        case!(status_and_foreign_metadata_are_no_drift_on_a_server).on_servers_for(SUBJECT),
        case!(a_deleted_object_is_shown_and_created_again_on_a_server).on_servers_for(SUBJECT),
        case!(a_saved_plan_stops_at_a_foreign_change_on_a_server).on_servers_for(SUBJECT),
        case!(a_second_owner_is_refused_on_a_server_until_it_takes_over).on_servers_for(SUBJECT),
        case!(an_object_of_nobody_is_adopted_on_a_server).on_servers_for(SUBJECT),
    ]
}

/// [`super::with`] these lines, in this case's namespace and with its host.
pub(super) fn resources(live: &Live, lines: &str) -> String {
    let namespace = live.namespace();
    let text = super::with(lines).replace("\"bookinfo\"", &format!("\"{namespace}\""));
    text.replace("reviews.mesh.internal", &format!("{namespace}.mesh.internal"))
}

/// Both clusters and [`resources`].
pub(super) fn config(live: &Live, lines: &str) -> String {
    live.provider() + &resources(live, lines)
}

/// [`config`], applied.
pub(super) fn applied(rig: &Rig, live: &Live) -> World {
    let world = live.world(rig, &config(live, ""));
    world.apply(&world.plan());
    world
}

/// An object that nobody of ours wrote.
fn foreign(live: &Live, kind: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": kind, "spec": spec,
        "metadata": { "name": name, "namespace": live.namespace(), "labels": { "team": "blue" } },
    })
}

fn the_quick_start_lives_on_real_clusters(rig: &Rig) {
    let live = Live::new(rig, "quickstart");
    live.seed();
    let world = World::quickstart(rig);
    for name in CLUSTERS {
        world.replace("main.tf", &format!("    {name} = {{ directory = \"clusters/{name}\" }}\n"), &live.entry(name));
    }
    world.replace("main.tf", "demo/quickstart", &live.owner());
    world.replace("main.tf", "  namespace = \"bookinfo\"", &format!("  namespace = \"{}\"", live.namespace()));
    world.replace("main.tf", "  namespace    = \"bookinfo\"", &format!("  namespace    = \"{}\"", live.namespace()));
    world.replace("main.tf", "\"reviews.mesh.internal\"", &format!("\"{}.mesh.internal\"", live.namespace()));
    let theirs = foreign(&live, "Sidecar", "theirs", &json!({ "egress": [{ "hosts": ["./*"] }] }));
    live.write("east", &theirs);
    let sidecar = format!("Sidecar/{}/theirs", live.namespace());
    let untouched = live.everything();

    let plan = world.plan();
    assert_eq!((plan.action(MESH), plan.action(DESTINATION)), (Action::Create, Action::Create));
    assert!(!plan.is_unknown(DESTINATION, "/manifests"), "everything is known at plan");
    assert_eq!(live.everything(), untouched, "a plan writes nothing");
    let planned = plan.manifests(DESTINATION);
    assert!(planned.len() > 3, "{:?}", planned.keys());
    world.apply(&plan);
    assert_eq!(world.state().applied(DESTINATION), CLUSTERS);
    live.assert_holds(&planned, &[&sidecar]);
    let (written, before) = (live.everything(), CLUSTERS.map(|name| live.objects(name)));
    world.assert_clean();
    assert_eq!(live.everything(), written, "a plan without changes writes nothing");

    world.write("change_override.tf", "resource \"gloo_virtual_destination\" \"reviews\" {\n  timeout = \"2s\"\n}\n");
    let plan = world.plan();
    assert_eq!((plan.action(MESH), plan.action(DESTINATION)), (Action::NoOp, Action::Update));
    world.apply(&plan);
    live.assert_holds(&plan.manifests(DESTINATION), &[&sidecar]);
    for (before, after) in before.iter().zip(CLUSTERS.map(|name| live.objects(name))) {
        let changed: Vec<&String> = after.keys().filter(|key| before.get(*key) != after.get(*key)).collect();
        assert!(!changed.is_empty() && changed.iter().all(|key| key.starts_with("VirtualService/")), "{changed:?}");
    }
    world.assert_clean();

    world.destroy();
    assert_eq!(world.state().addresses(), Vec::<String>::new());
    assert_eq!(live.everything(), untouched, "nothing of ours is left, nothing foreign touched");
}

fn a_field_changed_by_another_manager_is_named_and_repaired(rig: &Rig) {
    let live = Live::new(rig, "edited");
    let world = applied(rig, &live);
    let key = live.key_of("east", "DestinationRule");
    let (before, wanted) = (live.everything(), live.objects("east"));
    let changed = json!({ "spec": { "trafficPolicy": { "outlierDetection": { "maxEjectionPercent": 10 } } } });
    live.edit("east", &key, &changed);
    assert_ne!(live.objects("east"), wanted, "the edit took");

    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Update);
    let drift = plan.drift(DESTINATION);
    assert_eq!(drift.keys().collect::<Vec<_>>(), [&format!("east/{key}")]);
    let told = drift[&format!("east/{key}")].to_string();
    for word in ["spec.trafficPolicy.outlierDetection.maxEjectionPercent: live 10, intent 100", "kubectl-edit", "Update"] {
        assert!(told.contains(word), "the drift should mention {word}: {told}");
    }
    world.apply(&plan);
    assert_eq!(live.objects("east"), wanted, "repaired byte for byte");
    let [east, west] = live.everything();
    assert_eq!(west, before[1], "nothing else was written");
    let others = |objects: &BTreeMap<String, Value>| {
        let mut objects = objects.clone();
        objects.remove(&key);
        objects
    };
    assert_eq!(others(&east), others(&before[0]), "nothing else was written");
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}

fn status_and_foreign_metadata_are_no_drift_on_a_server(rig: &Rig) {
    let live = Live::new(rig, "noise");
    let world = applied(rig, &live);
    let key = live.key_of("east", "DestinationRule");
    live.edit("east", &key, &json!({ "metadata": { "labels": { "team": "blue" }, "annotations": { "example.com/note": "x" } } }));
    let status = json!({ "status": { "conditions": [{ "type": "Reconciled", "status": "True" }], "observedGeneration": 1 } });
    for kind in ["DestinationRule", "ServiceEntry", "VirtualService"] {
        live.write_status("east", &live.key_of("east", kind), &status);
    }
    let noisy = live.everything();
    assert!(noisy[0][&key]["status"]["conditions"].is_array(), "the status took");
    world.assert_clean();
    assert_eq!(live.everything(), noisy);

    // and a change of ours leaves it where it is
    world.config(&config(&live, "  connect_timeout = \"2s\""));
    world.step();
    let after = &live.everything()[0][&key];
    assert_ne!(after, &noisy[0][&key], "the change is one of this object");
    assert_eq!(after["metadata"]["labels"]["team"], "blue");
    assert_eq!(after["metadata"]["annotations"]["example.com/note"], "x");
    assert_eq!(after["status"], noisy[0][&key]["status"]);
    world.destroy();
    assert!(live.is_empty());
}

fn a_deleted_object_is_shown_and_created_again_on_a_server(rig: &Rig) {
    let live = Live::new(rig, "deleted");
    let world = applied(rig, &live);
    let wanted = live.objects("west");
    let key = live.key_of("west", "VirtualService");
    live.delete("west", &key);
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Update);
    assert_eq!(plan.drift(DESTINATION).keys().collect::<Vec<_>>(), [&format!("west/{key}")]);
    world.apply(&plan);
    assert_eq!(live.objects("west"), wanted);
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}

fn a_saved_plan_stops_at_a_foreign_change_on_a_server(rig: &Rig) {
    let live = Live::new(rig, "stale");
    let world = applied(rig, &live);
    world.config(&config(&live, "  timeout = \"2s\""));
    let (update, destroy) = (world.plan(), world.plan_with(&["-destroy"]));
    let key = live.key_of("west", "VirtualService");
    live.edit("west", &key, &json!({ "spec": { "hosts": ["changed.example.com"] } }));
    let changed = live.everything();
    for plan in [&update, &destroy] {
        world.apply_refused(plan).error_with(&["west", &key, "kubectl-edit"]);
        assert_eq!(live.everything(), changed, "nothing is written anywhere");
    }
    // shown, it is repaired together with the change
    world.step();
    world.destroy();
    assert!(live.is_empty());
}

fn a_second_owner_is_refused_on_a_server_until_it_takes_over(rig: &Rig) {
    let live = Live::new(rig, "claims");
    let world = applied(rig, &live);
    let before = live.everything();
    let claim = format!("{}//gloo_virtual_destination/{}/reviews", live.owner(), live.namespace());

    let second = world.beside("second");
    let other = format!("{}-two", live.owner());
    let provider = live.provider_with(&other, &(live.entry("east") + &live.entry("west")), "");
    second.config(&(provider.clone() + &resources(&live, "")));
    second.plan_refused().error_with(&["GM3004", &format!("takeover_from = [\"{claim}\"]")]);
    assert_eq!(live.everything(), before, "a refusal writes nothing");

    second.config(&(provider + &resources(&live, &format!("  takeover_from = [\"{}\"]", live.owner()))));
    let plan = second.plan();
    plan.diagnostics.warning_with(&["GM3012", &claim]);
    second.apply(&plan);
    second.assert_clean();
    let uids = |all: [BTreeMap<String, Value>; 2]| {
        all.map(|objects| objects.into_iter().map(|(key, object)| (key, object["metadata"]["uid"].clone())).collect::<Vec<_>>())
    };
    let taken = live.everything();
    assert_eq!(uids(taken.clone()), uids(before), "no object came or went");
    for object in taken.iter().flat_map(|objects| objects.values()) {
        let text = object["metadata"]["annotations"]["gloo-terraform/claim"].as_str().unwrap_or_default();
        assert!(text.starts_with(&format!("{other}//")), "{text}");
    }

    // the old state lets go, and its destroy touches nothing
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::NoOp);
    plan.diagnostics.warning_with(&["GM5007"]);
    world.destroy();
    assert_eq!(live.everything(), taken);
    second.assert_clean();
    second.destroy();
    assert!(live.is_empty());
}

fn an_object_of_nobody_is_adopted_on_a_server(rig: &Rig) {
    let live = Live::new(rig, "adopted");
    let spec =
        json!({ "hosts": ["reviews"], "http": [{ "timeout": "9s", "route": [{ "destination": { "host": "reviews" } }] }] });
    live.write("east", &foreign(&live, "VirtualService", "reviews", &spec));
    let config = |lines: &str| {
        format!(
            r#"{}
resource "gloo_istio_object" "reviews" {{
  clusters = ["east", "west"]
  manifest = {{
    apiVersion = "networking.istio.io/v1"
    kind       = "VirtualService"
    metadata   = {{ name = "reviews", namespace = "{}" }}
    spec       = {{ hosts = ["reviews"], http = [{{ route = [{{ destination = {{ host = "reviews" }} }}] }}] }}
  }}
{lines}
}}
"#,
            live.provider(),
            live.namespace()
        )
    };
    let before = live.everything();
    let world = live.world(rig, &config(""));
    let key = format!("VirtualService/{}/reviews", live.namespace());
    world.plan_refused().error_with(&["GM3004", &key, "east", "adopt = true", "import"]);
    world.config(&config("  adopt = true"));
    let plan = world.plan();
    plan.diagnostics.warning_with(&["GM3011", &key, "east", "timeout: live \"9s\", intent nothing"]);
    assert_eq!(live.everything(), before, "a plan writes nothing");
    world.apply(&plan);
    let adopted = &live.everything()[0][&key];
    assert_eq!(adopted["metadata"]["uid"], before[0][&key]["metadata"]["uid"]);
    assert_eq!(adopted["metadata"]["labels"]["team"], "blue");
    assert_eq!(adopted["spec"], live.everything()[1][&key]["spec"]);
    world.plan().assert_empty("after the adoption");
    world.destroy();
    assert!(live.is_empty());
}
