//! Complaints about whose an object is: conflicts, two states, objects that were there before, names that change, and what
//! remains when a create fails.

use std::collections::BTreeMap;

use acceptance_tests::{Action, Case, Live, Rig, World, case};
use rig::{Effect, Injection, Seen};
use serde_json::{Value, json};
use xtask::cli::SOURCE;

use super::super::live::{applied, config, resources};
use super::super::{CLUSTERS, DESTINATION, MESH, built_example, knows_identity};
use super::{HTTP, address, route, routes, theirs, through_proxies};

pub fn cases() -> Vec<Case> {
    vec![
        case!(complaint_10_a_conflict_says_what_with_whom_and_since_when),
        case!(complaint_11_two_states_meet_loudly),
        case!(complaint_12_what_is_there_is_adopted),
        case!(complaint_13_a_rename_deletes_nothing_that_lives),
        case!(complaint_16_a_create_that_fails_taints_nothing),
        case!(complaint_19_an_import_plans_without_a_change),
        case!(complaint_20_one_resource_is_in_all_clusters),
        case!(complaint_24_objects_of_another_provider_come_over),
        case!(complaint_also_a_new_name_leaves_nothing_behind),
    ]
}

/// The uid of every object, by cluster and key.
fn uids(live: &Live) -> BTreeMap<String, Value> {
    let of = |name: &&'static str| {
        let name = *name;
        live.raw(name).into_iter().map(move |(key, object)| (format!("{name}/{key}"), object["metadata"]["uid"].clone()))
    };
    CLUSTERS.iter().flat_map(of).collect()
}

fn complaint_10_a_conflict_says_what_with_whom_and_since_when(rig: &Rig) {
    let live = Live::new(rig, "c10");
    let http = |timeout: &str| format!("{{ timeout = \"{timeout}\", route = [{{ destination = {{ host = \"reviews\" }} }}] }}");
    let config = |timeout: &str| live.provider() + &route(live.namespace(), "reviews", &http(timeout), "");
    let world = live.world(rig, &config("2s"));
    world.step();
    // somebody applies the same, and would set it back after every change of ours
    let spec = json!({ "http": [{ "timeout": "2s", "route": [{ "destination": { "host": "reviews" } }] }] });
    let mut also = theirs(&live, "reviews", &spec);
    also["metadata"]["labels"] = json!({ "team": "blue" });
    live.write("west", &also);
    world.config(&config("3s"));
    let before = live.everything();
    let told = world.plan_refused();
    let error = told.error_with(&["GM4017", "west", "spec.http", "kubectl", "since 20", "server-side"]);
    assert!(!error.text().contains("force_conflicts"), "force is not the way out: {told}");
    assert_eq!(live.everything(), before, "nothing is written anywhere");
    // who lets go of it gives way
    live.write(
        "west",
        &json!({ "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {
        "name": "reviews", "namespace": live.namespace(), "labels": { "team": "blue" },
    } }),
    );
    world.step();
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_11_two_states_meet_loudly(rig: &Rig) {
    let live = Live::new(rig, "c11");
    let world = applied(rig, &live);
    let before = live.everything();
    let manager = format!("gloo-terraform:{}", live.owner());
    for object in before.iter().flat_map(BTreeMap::values) {
        let metadata = &object["metadata"];
        let managers: Vec<&str> =
            metadata["managedFields"].as_array().into_iter().flatten().filter_map(|field| field["manager"].as_str()).collect();
        assert_eq!(managers, [manager.as_str()], "the owner is in the name of the manager");
        let claim = metadata["annotations"]["gloo-terraform/claim"].as_str().unwrap_or_default();
        assert!(claim.starts_with(&format!("{}//", live.owner())), "{claim}");
    }
    let entries = live.entry("east") + &live.entry("west");
    // another owner, and a copy with the same one
    let other = world.beside("other");
    other.config(&(live.provider_with(&format!("{}-two", live.owner()), &entries, "") + &resources(&live, "")));
    other.refused().error_with(&["GM3004", &live.owner(), "takeover_from"]);
    let copy = world.beside("copy");
    copy.config(&config(&live, ""));
    copy.refused().error_with(&["another instance", "adopt = true"]);
    assert_eq!(live.everything(), before, "byte for byte");
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_12_what_is_there_is_adopted(rig: &Rig) {
    let live = Live::new(rig, "c12");
    let spec = json!({ "hosts": ["reviews"], "http": [{ "route": [{ "destination": { "host": "reviews" } }] }] });
    CLUSTERS.iter().for_each(|name| live.write(name, &theirs(&live, "reviews", &spec)));
    let before = uids(&live);
    let world = live.world(rig, &(live.provider() + &route(live.namespace(), "reviews", HTTP, "")));
    world.plan_refused().error_with(&["GM3004", "adopt = true"]);
    world.config(&(live.provider() + &route(live.namespace(), "reviews", HTTP, "  adopt = true")));
    let plan = world.plan();
    assert_eq!(plan.changed(), BTreeMap::from([(address("reviews"), Action::Create)]));
    world.apply(&plan);
    assert_eq!(uids(&live), before, "the same objects");
    live.assert_holds(&plan.manifests(&address("reviews")), &[]);
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_13_a_rename_deletes_nothing_that_lives(rig: &Rig) {
    let live = Live::new(rig, "c13");
    let world = applied(rig, &live);
    let before = uids(&live);
    // another address: one run creates and destroys what is the same
    let renamed =
        config(&live, "").replace("\"gloo_virtual_destination\" \"reviews\"", "\"gloo_virtual_destination\" \"ratings\"");
    world.config(&renamed);
    let plan = world.plan();
    let other = "gloo_virtual_destination.ratings";
    assert_eq!((plan.action(other), plan.action(DESTINATION)), (Action::Create, Action::Delete));
    world.apply(&plan);
    assert_eq!(uids(&live), before, "no object came or went");
    world.assert_clean();
    // and who has put another object in the place of ours keeps it
    let destroy = world.plan_with(&["-destroy"]);
    let key = live.key_of("east", "VirtualService");
    let name = key.rsplit('/').next().expect("a name").to_owned();
    live.delete("east", &key);
    let spec = json!({ "hosts": ["theirs"], "http": [{ "route": [{ "destination": { "host": "theirs" } }] }] });
    live.write("east", &theirs(&live, &name, &spec));
    let theirs = live.raw("east")[&key].clone();
    world.apply(&destroy).warning_with(&["GM5007", "east", &key]);
    assert_eq!(live.raw("east")[&key], theirs, "not touched");
    assert!(live.raw("west").is_empty());
    live.delete("east", &key);
}

fn complaint_16_a_create_that_fails_taints_nothing(rig: &Rig) {
    let live = Live::new(rig, "c16");
    let (proxies, provider) = through_proxies(&live, "  limits = { request_timeout = \"2s\" }\n");
    let world = live.world(rig, &(provider + &resources(&live, "")));
    let plan = world.plan();
    // one cluster hears of no write from the third one on, nor of what would take back the first two
    proxies[1].inject(Injection::new(Effect::Hang).on(Seen::is_write).nth(3, usize::MAX));
    let told = world.apply_refused(&plan);
    told.error_with(&["west"]);
    assert!(!world.state().addresses().contains(&DESTINATION.to_owned()), "nothing is tainted: {told}");
    proxies[1].heal();
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::Create, "and nothing is replaced");
    world.apply(&plan);
    live.assert_holds(&plan.manifests(DESTINATION), &[]);
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_19_an_import_plans_without_a_change(rig: &Rig) {
    let live = Live::new(rig, "c19");
    let provider = live.provider();
    let world = live
        .world(rig, &(provider.clone() + &resources(&live, "  timeout = \"5s\"") + &route(live.namespace(), "plain", HTTP, "")));
    world.apply(&world.plan());
    let (before, state) = (live.everything(), world.state());
    world.lose_state();
    let ids = [
        (MESH.to_owned(), "prod".to_owned()),
        (DESTINATION.to_owned(), format!("{}/reviews", live.namespace())),
        (address("plain"), format!("VirtualService/{}/plain", live.namespace())),
    ];
    let block = |(to, id): &(String, String)| format!("import {{\n  to = {to}\n  id = \"{id}\"\n}}\n");
    world.config(&(provider.clone() + &ids.iter().map(block).collect::<String>()));
    let plan = world.plan_with(&["-generate-config-out=generated.tf"]);
    assert_eq!(plan.changed(), BTreeMap::new(), "what is imported is not changed");
    world.apply(&plan);
    assert_eq!(live.everything(), before, "an import writes nothing");
    world.config(&provider);
    for (address, _) in &ids {
        assert_eq!(world.state().values(address), state.values(address), "{address}");
    }
    world.assert_clean();
    world.destroy();
    assert!(live.is_empty());
}

/// The same object in two clusters is one resource, with one identity that names no cluster.
fn complaint_20_one_resource_is_in_all_clusters(rig: &Rig) {
    let live = Live::new(rig, "c20");
    let world = applied(rig, &live);
    if knows_identity(rig) {
        let text = std::fs::read_to_string(world.folder().join("terraform.tfstate")).expect("a state");
        let state: Value = serde_json::from_str(&text).expect("JSON");
        let of = |one: &&Value| one["type"] == "gloo_virtual_destination";
        let resource = state["resources"].as_array().into_iter().flatten().find(of).expect("the destination");
        let wanted = json!({ "owner": live.owner(), "namespace": live.namespace(), "name": "reviews" });
        assert_eq!(resource["instances"][0]["identity"], wanted);
    }
    let state = world.state();
    assert_eq!(state.applied(DESTINATION), CLUSTERS);
    world.lose_state();
    let block = format!("import {{\n  to = {DESTINATION}\n  id = \"{}/reviews\"\n}}\n", live.namespace());
    world.config(&(config(&live, "") + &block));
    let plan = world.plan();
    assert_eq!(plan.action(DESTINATION), Action::NoOp);
    world.apply(&plan);
    assert_eq!(world.state().values(DESTINATION), state.values(DESTINATION), "from both clusters");
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_24_objects_of_another_provider_come_over(rig: &Rig) {
    let live = Live::new(rig, "c24");
    let room = live.world(rig, "");
    let folder = room.folder().join("theirs");
    std::fs::create_dir(&folder).expect("a new folder is writable");
    let staged = folder.join(format!("terraform-provider-kubernetes{}", std::env::consts::EXE_SUFFIX));
    std::fs::copy(built_example("stand_in"), staged).expect("a new folder is writable");
    let source = "hashicorp/kubernetes";
    let providers = |more: &str| {
        let required = format!("    gloo = {{ source = \"{SOURCE}\" }}\n{more}");
        format!("terraform {{\n  required_providers {{\n{required}  }}\n}}\n\n{}", live.provider())
    };
    let spec = json!({ "hosts": ["reviews"], "http": [{ "route": [{ "destination": { "host": "reviews" } }] }] });
    live.write("east", &theirs(&live, "reviews", &spec));
    let before = uids(&live);
    let world = World::empty(rig);
    world.add_provider(source, &folder);
    let (_, manifest) = route(live.namespace(), "reviews", HTTP, "")
        .split_once("  manifest")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("a manifest");
    let block = format!("resource \"kubernetes_manifest\" \"reviews\" {{\n  manifest{manifest}");
    world.write("main.tf", &format!("{}{block}", providers(&format!("    kubernetes = {{ source = \"{source}\" }}\n"))));
    world.apply(&world.plan());

    let ours = route(live.namespace(), "reviews", HTTP, "").replace("[\"east\", \"west\"]", "[\"east\"]");
    let moved = format!("moved {{\n  from = kubernetes_manifest.reviews\n  to   = {}\n}}\n", address("reviews"));
    world.write("main.tf", &format!("{}{ours}{moved}", providers("")));
    let plan = world.plan();
    assert_eq!(plan.changed(), BTreeMap::from([(address("reviews"), Action::Update)]), "nothing is deleted");
    world.apply(&plan);
    assert_eq!(uids(&live), before, "the same object");
    assert!(!world.folder().join("deleted").exists(), "the other provider deleted nothing");
    world.assert_clean();
    // and the way out: what is managed is at hand as whole objects, which any other tool takes
    let manifests = world.state().manifests(&address("reviews"));
    let (_, manifest) = manifests.first_key_value().expect("one object");
    let query = format!("{}/reviews?fieldManager=other&dryRun=All&fieldValidation=Strict", routes(live.namespace()));
    let call =
        rig::Call { method: "PATCH", path: query, content_type: "application/apply-patch+yaml", body: manifest.to_string() };
    let answer = live.cluster("west").api().call(call).expect("an answer");
    assert!(answer.is_success(), "{}", answer.message());
    world.destroy();
    assert!(live.is_empty());
}

fn complaint_also_a_new_name_leaves_nothing_behind(rig: &Rig) {
    let live = Live::new(rig, "c28");
    let world = live.world(rig, &(live.provider() + &route(live.namespace(), "reviews", HTTP, "")));
    world.step();
    let renamed = |name: &str, namespace: &str| {
        let text = live.provider() + &route(live.namespace(), "reviews", HTTP, "");
        let metadata = format!("{{ name = \"reviews\", namespace = \"{}\" }}", live.namespace());
        text.replace(&metadata, &format!("{{ name = \"{name}\", namespace = \"{namespace}\" }}"))
    };
    let other = format!("{}-other", live.namespace());
    for name in CLUSTERS {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": other } });
        live.cluster(name).api().apply(&namespace).expect("a namespace");
    }
    for (name, namespace) in [("ratings", live.namespace()), ("ratings", &other)] {
        world.config(&renamed(name, namespace));
        let plan = world.step();
        assert_eq!(plan.action(&address("reviews")), Action::Replace);
        for cluster in CLUSTERS {
            let keys: Vec<String> = live.raw(cluster).into_keys().collect();
            assert_eq!(keys, [format!("VirtualService/{namespace}/{name}")], "one object, under its new name");
        }
    }
    world.destroy();
    assert!(live.is_empty());
}
