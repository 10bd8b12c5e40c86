//! `expand`, `to_yaml` and `files`: what is planned, in the forms in which others take it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Core, Input, unknown};
use tf_value::Value;

use crate::support::{DESTINATION, World, destination, mesh, object, set};

/// What is wrong with an argument.
type Refused = (Option<i64>, String);

async fn call(function: &str, arguments: Vec<Input>) -> Result<Value, Refused> {
    let core = Core::new(Arc::new(Gloo::new())).await;
    core.call(function, arguments).await.map_err(|error| (error.argument, error.text))
}

async fn expand(type_name: &str, intent: Json) -> Result<Value, Refused> {
    call("expand", vec![json!(type_name).into(), json!("test/it").into(), intent.into()]).await
}

async fn to_yaml(objects: Json, cluster: &str) -> Result<Value, Refused> {
    call("to_yaml", vec![objects.into(), json!(cluster).into()]).await
}

async fn files(objects: &[Json]) -> Result<Value, Refused> {
    call("files", objects.iter().map(Input::from).collect()).await
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_map().expect("a known map").iter();
    entries.map(|(key, text)| (key.clone(), text.as_str().expect("a known text").to_owned())).collect()
}

fn stored(manifests: &Json) -> BTreeMap<String, String> {
    let entries = manifests.as_object().unwrap().iter();
    entries.map(|(key, text)| (key.clone(), text.as_str().unwrap().to_owned())).collect()
}

/// A resource, as far as these functions look at it.
fn resource(manifests: Json, applied: &[&str]) -> Json {
    let applied: BTreeMap<&str, &str> = applied.iter().map(|name| (*name, "sha256:00")).collect();
    json!({ "id": "bookinfo/reviews", "manifests": manifests, "applied": applied })
}

/// The manifests of a resource with `*/…` written out.
fn unfolded(instance: &Json) -> BTreeMap<String, String> {
    let clusters: Vec<&String> = instance["applied"].as_object().unwrap().keys().collect();
    let entries = stored(&instance["manifests"]);
    let of = |(key, json): (String, String)| -> Vec<(String, String)> {
        match key.strip_prefix("*/") {
            Some(object) => clusters.iter().map(|cluster| (format!("{cluster}/{object}"), json.clone())).collect(),
            None => vec![(key, json)],
        }
    };
    entries.into_iter().flat_map(of).collect()
}

#[tokio::test]
async fn an_intent_expands_to_what_its_resource_plans() {
    let exporting = json!({
        "name": "prod",
        "clusters": mesh()["clusters"],
        "mtls": { "mode": "strict" },
    });
    for (type_name, config) in [(DESTINATION, destination()), ("gloo_istio_object", object()), ("gloo_virtual_mesh", exporting)] {
        let world = World::with(|block| block["default_labels"] = json!({ "team": "a" })).await;
        let created = world.create(type_name, config.clone()).await;
        let labels = json!({ "team": "a" });
        let arguments = vec![json!(type_name).into(), json!("test/it").into(), config.into(), labels.into()];
        let expanded = call("expand", arguments).await.unwrap();
        assert_eq!(texts(&expanded), unfolded(&created.state), "{type_name}");
        assert!(!texts(&expanded).is_empty());
        // the whole resource says the same as its arguments
        let whole = if type_name == "gloo_istio_object" {
            set(created.state, "/manifest", object()["manifest"].clone())
        } else {
            created.state
        };
        let bare = expand(type_name, whole).await.unwrap();
        assert_eq!(texts(&bare).len(), texts(&expanded).len(), "{type_name}");
    }
}

#[tokio::test]
async fn what_is_unknown_hides_what_depends_on_it() {
    let leaf = set(destination(), "/connect_timeout", unknown());
    let expanded = expand(DESTINATION, leaf).await.unwrap();
    let manifests = expanded.as_map().unwrap();
    let hidden = manifests.values().filter(|json| json.is_unknown()).count();
    assert!(0 < hidden && hidden < manifests.len(), "{hidden} of {}", manifests.len());
    assert!(expand(DESTINATION, set(destination(), "/name", unknown())).await.unwrap().is_unknown());
    assert!(expand(DESTINATION, unknown()).await.unwrap().is_unknown());

    let one = json!({ "east/VirtualService/a/b": unknown(), "west/VirtualService/a/b": manifest("a", "b", &json!({})) });
    assert!(to_yaml(one.clone(), "east").await.unwrap().is_unknown());
    assert!(to_yaml(one.clone(), "west").await.unwrap().as_str().is_some());
    let found = files(&[one]).await.unwrap();
    assert!(found.get("east/manifests/a/VirtualService-b.yaml").is_unknown());
    assert!(found.get("west/manifests/a/VirtualService-b.yaml").as_str().is_some());
    for nothing in [unknown(), resource(unknown(), &["east"]), set(resource(json!({}), &[]), "/applied", unknown())] {
        assert!(to_yaml(nothing.clone(), "east").await.unwrap().is_unknown());
        assert!(files(&[json!({}), nothing]).await.unwrap().is_unknown());
    }
}

#[tokio::test]
async fn an_intent_that_cannot_be_translated_is_refused_at_its_argument() {
    for (type_name, intent, position, part) in [
        ("gloo_traffic_policy", json!({}), 0, "gloo_virtual_mesh"),
        (DESTINATION, json!("reviews"), 2, "not an object"),
        (DESTINATION, set(destination(), "/hostnam", json!("a.b")), 2, "no argument \"hostnam\""),
        (DESTINATION, set(destination(), "/hostname", json!("reviews.cluster.local")), 2, "GM1"),
        (DESTINATION, set(destination(), "/namespace", json!("book\u{1b}[31m")), 2, "namespace"),
        ("gloo_istio_object", set(object(), "/manifest/kind", json!(7)), 2, "manifest.kind"),
        ("gloo_istio_object", json!({}), 2, "manifest"),
    ] {
        let (argument, text) = expand(type_name, intent).await.unwrap_err();
        assert_eq!(argument, Some(position), "{text}");
        assert!(text.contains(part), "{part:?} is not in {text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
    let arguments = |owner: &str, labels: &[Json]| -> Vec<Input> {
        let given = [json!(DESTINATION), json!(owner), destination()].into_iter().chain(labels.iter().cloned());
        given.map(Input::from).collect()
    };
    for (owner, labels, position) in
        [("Team A", &[][..], 1), ("a", &[json!({ "gloo-terraform/owner": "b" })], 3), ("a", &[json!({}), json!({})], 4)]
    {
        assert_eq!(call("expand", arguments(owner, labels)).await.unwrap_err().0, Some(position));
    }
}

fn manifest(namespace: &str, name: &str, spec: &Json) -> String {
    let metadata = json!({ "name": name, "namespace": namespace });
    json!({ "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata, "spec": spec }).to_string()
}

#[tokio::test]
async fn a_stream_holds_the_objects_of_one_cluster_in_the_order_of_a_create() {
    let world = World::new().await;
    let state = world.create(DESTINATION, destination()).await.state;
    let text = to_yaml(state.clone(), "north").await.unwrap();
    let text = text.as_str().unwrap();
    let kinds: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    assert_eq!(text.lines().filter(|line| *line == "---").count(), kinds.len());
    assert!(text.starts_with("---\n"), "{text}");
    // who serves is known before the name that calls it, and calls are told how before they begin
    let at = |kind: &str| kinds.iter().position(|found| *found == kind).unwrap_or_else(|| panic!("no {kind} in {kinds:?}"));
    assert!(at("WorkloadEntry") < at("ServiceEntry"), "{kinds:?}");

    let (argument, problem) = to_yaml(state, "moon").await.unwrap_err();
    assert!(argument == Some(1) && problem.contains("east, north, west"), "{problem}");
}

#[tokio::test]
async fn files_are_what_directory_clusters_hold() {
    let world = World::new().await;
    let created = world.create(DESTINATION, destination()).await;
    let found = files(std::slice::from_ref(&created.state)).await.unwrap();
    let written: Vec<String> = world.files().into_iter().filter(|file| !file.contains("/.")).collect();
    assert_eq!(texts(&found).keys().collect::<Vec<_>>(), written.iter().collect::<Vec<_>>());
    for (path, content) in texts(&found) {
        let there = fs::read_to_string(world.path(&path)).unwrap();
        // what the provider notes for itself is in no manifest
        let mut noted = there.lines().filter(|line| !line.trim_start().starts_with("state.gloo-terraform/"));
        assert!(content.lines().all(|line| noted.any(|there| there == line)), "{path}:\n{content}\nis not in\n{there}");
    }
    // others may put them there: the folder then holds what the resource wants
    for (path, content) in texts(&found) {
        fs::write(world.path(&path), content).unwrap();
    }
    let adopting = world
        .beside(|_| {})
        .await
        .plan(DESTINATION, None, set(destination(), "/adopt", json!(true)))
        .await
        .unwrap_or_else(|failure| panic!("{failure}"));
    assert_eq!(texts(adopting.planned.get("manifests")), stored(&created.state["manifests"]));
}

#[tokio::test]
async fn hostile_texts_stay_texts() {
    let hostile = "yes\n---\nkind: Secret\u{202e}\u{1b}[2J # \" ' {{ }} \\ \u{feff}";
    let json = manifest("a", "b", &json!({ "hosts": [hostile], hostile: "~" }));
    let objects = json!({ "east/VirtualService/a/b": json });
    let stream = to_yaml(objects.clone(), "east").await.unwrap();
    let stream = stream.as_str().unwrap();
    assert_eq!(stream.lines().filter(|line| line.starts_with("---") || line.starts_with("kind:")).count(), 2, "{stream}");
    assert!(!stream.contains('\u{1b}') && !stream.contains('\u{202e}') && !stream.contains('\u{feff}'), "{stream:?}");
    let documents = kube_apply::yaml::load(stream).unwrap();
    assert_eq!(documents.first().unwrap(), &serde_json::from_str::<Json>(&json).unwrap());

    let of = |key: &str| json!({ key: manifest("a", "b", &json!({})) });
    for objects in [
        of("east/VirtualService/a/../../b"),
        of("../VirtualService/a/b"),
        of("east/VirtualService/a"),
        of("east/virtualservice/a/b"),
        of("east/VirtualService/a/c"),
        json!({ "east/VirtualService/a/b": "{" }),
        json!({ "east/VirtualService/a/b": 7 }),
        json!({ "east/VirtualService/a/b": "{}\u{1b}" }),
        resource(json!([]), &["east"]),
        resource(json!({}), &["Not A Cluster"]),
        json!("reviews"),
        json!([1]),
    ] {
        for (argument, problem) in [to_yaml(objects.clone(), "east").await.unwrap_err(), files(&[objects]).await.unwrap_err()] {
            assert_eq!(argument, Some(0), "{problem}");
            assert!(problem.contains("gloo_virtual_destination.reviews") && !problem.contains('\u{1b}'), "{problem:?}");
        }
    }
}

#[tokio::test]
async fn what_stands_for_all_clusters_takes_the_whole_resource() {
    let folded = json!({ "*/VirtualService/a/b": manifest("a", "b", &json!({})) });
    let (argument, problem) = files(std::slice::from_ref(&folded)).await.unwrap_err();
    assert!(argument == Some(0) && problem.contains("does not say which"), "{problem}");
    let found = files(&[resource(folded.clone(), &["east", "west"])]).await.unwrap();
    let paths: Vec<String> = texts(&found).into_keys().collect();
    assert_eq!(paths, ["east/manifests/a/VirtualService-b.yaml", "west/manifests/a/VirtualService-b.yaml"]);

    let twice = resource(folded, &["east", "north"]);
    let (argument, problem) = files(&[twice.clone(), json!({}), twice]).await.unwrap_err();
    assert!(argument == Some(2) && problem.contains("east/VirtualService/a/b"), "{problem}");
    assert!(texts(&files(&[]).await.unwrap()).is_empty());
}
