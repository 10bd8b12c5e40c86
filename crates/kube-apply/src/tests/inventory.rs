//! Inventories: what kubectl printed.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use mesh_model::Code;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::{
    Sets, apply, claim, cluster, create, folder_fleet, manifest, object_json, others_claim, refresh, run, runtime, sets,
};
use crate::port::Kinds;
use crate::{Adopt, Class, ClusterError, LEFTOVER, Request, preflight, yaml};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("inventory")).unwrap();
    for (name, text) in files {
        put(root.path(), name, text);
    }
    root
}

fn put(root: &Path, name: &str, text: &str) {
    let path = root.join("inventory").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn read(root: &Path, kinds: &Kinds) -> Result<Vec<Arc<Value>>, ClusterError> {
    runtime().block_on(async { folder_fleet(root).inventory(&cluster("east"), kinds).await.unwrap() })
}

fn names(objects: &[Arc<Value>]) -> Vec<String> {
    let name =
        |object: &Arc<Value>| format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
    objects.iter().map(name).collect()
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: reviews\n  namespace: bookinfo\n";

#[test]
fn every_form_that_kubectl_prints_is_read_in_any_order() {
    let list = r#"apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: b, namespace: n}}
- {apiVersion: v1, kind: PodList, items: [{metadata: {name: c, namespace: n}}]}
metadata:
  resourceVersion: ""
"#;
    let json_text = r#"{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"d","namespace":"n"}}]}
        {"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"system:node"}}"#;
    let documents = format!("---\n{SERVICE}---\n# nothing\n---\n{SERVICE}");
    let files = [
        ("list.yaml", list),
        ("deep/er/docs.yml", &documents),
        ("raw.json", json_text),
        ("empty.yaml", ""),
        ("readme.txt", ": no yaml ["),
        (".hidden.yaml", ": ["),
        (".git/x.yaml", ": ["),
    ];
    let root = folder(&files);
    let objects = read(root.path(), &Kinds::All).unwrap();
    let expected = ["ClusterRole/system:node", "Pod/b", "Pod/c", "Pod/d", "Service/reviews"];
    assert_eq!(names(&objects), expected);
    assert_eq!(objects[3]["apiVersion"], "v1");
    let renamed = folder(&[("a/list.yaml", list), ("z.yml", &documents), ("0.json", json_text)]);
    assert_eq!(read(renamed.path(), &Kinds::All).unwrap(), objects);
    let pods = Kinds::Only(["Pod".to_owned()].into());
    assert_eq!(names(&read(root.path(), &pods).unwrap()), ["Pod/b", "Pod/c", "Pod/d"]);
    assert_eq!(read(tempfile::tempdir().unwrap().path(), &Kinds::All).unwrap(), Vec::new());
}

#[test]
fn a_file_that_cannot_be_read_as_a_whole_is_named() {
    let differing = SERVICE.replace("bookinfo\n", "bookinfo\n  uid: x\n");
    for (text, word) in [
        ("a: [\n", "line 1"),
        ("kind: Service\n", "no kind and apiVersion"),
        ("apiVersion: v1\nkind: Service\nmetadata: {}\n", "no name"),
        ("apiVersion: v1\nkind: List\nitems: [1]\n", "item 1"),
        ("apiVersion: v1\nkind: List\nitems: {}\n", "no list"),
        ("just a text\n", "no Kubernetes object"),
        (&differing, "differ in the object Service/bookinfo/reviews"),
    ] {
        let root = folder(&[("good.yaml", SERVICE), ("sub/wrong.yaml", text)]);
        let error = read(root.path(), &Kinds::All).unwrap_err();
        assert_eq!(error.class, Class::Inventory);
        let said = &error.words.what;
        assert!(said.contains("inventory/sub/wrong.yaml") && said.contains(word), "{said}");
    }
    let root = folder(&[("good.yaml", SERVICE)]);
    fs::write(root.path().join("inventory/latin1.yaml"), b"a: \xe4\n").unwrap();
    assert!(read(root.path(), &Kinds::All).unwrap_err().words.what.contains("not UTF-8"));
    let root = folder(&[("x.json", "{\"a\": ")]);
    assert!(read(root.path(), &Kinds::All).unwrap_err().words.what.contains("x.json"));
}

#[test]
fn links_are_followed_and_loops_are_named() {
    let root = folder(&[]);
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("service.yaml"), SERVICE).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), root.path().join("inventory/linked")).unwrap();
    assert_eq!(names(&read(root.path(), &Kinds::All).unwrap()), ["Service/reviews"]);
    std::os::unix::fs::symlink("..", root.path().join("inventory/loop")).unwrap();
    let error = read(root.path(), &Kinds::All).unwrap_err();
    assert!(error.words.what.contains("loop") && error.words.what.contains("leads back"), "{}", error.words.what);
    let root = folder(&[]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.path().join("inventory/pipe.yaml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(read(root.path(), &Kinds::All).unwrap_err().words.what.contains("pipe.yaml"));
}

#[test]
fn a_changed_file_is_read_again_by_the_same_fleet() {
    runtime().block_on(async {
        let root = folder(&[("a.yaml", SERVICE)]);
        let fleet = folder_fleet(root.path());
        let count = async || fleet.inventory(&cluster("east"), &Kinds::All).await.unwrap().unwrap().len();
        assert_eq!(count().await, 1);
        put(root.path(), "b.yaml", &SERVICE.replace("name: reviews", "name: ratings"));
        assert_eq!(count().await, 2);
        put(root.path(), "b.yaml", &format!("{}---\n{}", SERVICE.replace("reviews", "x"), SERVICE.replace("reviews", "y")));
        assert_eq!(count().await, 3);
        fs::remove_file(root.path().join("inventory/b.yaml")).unwrap();
        assert_eq!(count().await, 1);
    });
}

#[test]
fn an_object_that_appears_in_the_inventory_after_the_checks_is_respected() {
    runtime().block_on(async {
        let goal = manifest("vd", &json!({}));
        let root = folder(&[]);
        let fleet = folder_fleet(root.path());
        let cleared = preflight(&fleet, Request::new(claim(), vec![vec![create("east", &goal)]])).await.unwrap();
        put(root.path(), "live.yaml", &yaml::emit(&object_json("vd", &json!({}), &others_claim())));
        let outcome = crate::write(&fleet, cleared, &CancellationToken::new()).await;
        assert_eq!(outcome.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::ChangedDuringApply]);
        assert!(!root.path().join("manifests/bookinfo").exists());
    });
}

#[test]
fn objects_of_others_in_the_inventory_are_met_and_our_own_are_not() {
    runtime().block_on(async {
        let goal = manifest("vd", &json!({}));
        let mut unclaimed = goal.value();
        unclaimed["metadata"] = json!({"name": "vd", "namespace": "bookinfo"});
        let theirs = object_json("vd", &json!({}), &others_claim());
        for (object, code) in [(unclaimed, Code::UnclaimedObject), (theirs, Code::ClaimedByAnother)] {
            let root = folder(&[("live.yaml", &yaml::emit(&object))]);
            let wave = vec![vec![create("east", &goal)]];
            let findings = preflight(&folder_fleet(root.path()), Request::new(claim(), wave)).await.unwrap_err();
            assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [code]);
            assert!(!root.path().join("manifests").exists());
        }
        // what we wrote, was delivered to the cluster, and printed from there: with it, a deleted file is still missing
        let mut delivered = goal.value();
        delivered["metadata"]["uid"] = json!("x");
        let root = folder(&[("live.yaml", &yaml::emit(&delivered))]);
        let fleet = folder_fleet(root.path());
        let goal = sets("east", [&goal]);
        assert_eq!(refresh(&fleet, &goal).await.drift["east/VirtualService/bookinfo/vd"], ["missing"]);
        assert!(run(&fleet, &Sets::new(), &goal).await.unwrap().is_complete);
        // the manifest is newer than the print
        let objects = fleet.inventory(&cluster("east"), &Kinds::All).await.unwrap().unwrap();
        assert_eq!(objects, [Arc::new(goal[&cluster("east")].values().next().unwrap().value())]);
    });
}

#[test]
fn objects_that_are_only_in_the_inventory_can_be_adopted_and_taken_over() {
    runtime().block_on(async {
        let goal = manifest("vd", &json!({"hosts": ["a"]}));
        let mut unclaimed = goal.value();
        unclaimed["metadata"] = json!({"name": "vd", "namespace": "bookinfo", "labels": {"team": "blue"}});
        let theirs = object_json("vd", &json!({}), &others_claim());
        let request = || Request::new(claim(), vec![vec![create("east", &goal)]]);
        let adopting = Request { adopt: Adopt::Unclaimed, ..request() };
        let taking = Request { takeover: [others_claim()].into(), ..request() };
        for (object, request) in [(unclaimed, adopting), (theirs, taking)] {
            let root = folder(&[("live.yaml", &yaml::emit(&object))]);
            let fleet = folder_fleet(root.path());
            let outcome = apply(&fleet, request.clone(), &CancellationToken::new()).await.unwrap();
            assert!(outcome.is_complete, "{:?}", outcome.findings);
            let text = fs::read_to_string(root.path().join("manifests/bookinfo/VirtualService-vd.yaml")).unwrap();
            assert_eq!(text, yaml::emit(&goal.value()), "what others have is theirs to deliver");
            assert!(refresh(&fleet, &sets("east", [&goal])).await.drift.is_empty());

            // another print than the one that was judged
            let root = folder(&[("live.yaml", &yaml::emit(&object))]);
            let fleet = folder_fleet(root.path());
            let cleared = preflight(&fleet, request).await.unwrap();
            let mut other = object.clone();
            other["spec"] = json!({"hosts": ["b"]});
            put(root.path(), "live.yaml", &yaml::emit(&other));
            let outcome = crate::write(&fleet, cleared, &CancellationToken::new()).await;
            assert_eq!(outcome.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::ChangedDuringApply]);
            assert!(!root.path().join("manifests/bookinfo").exists());
        }
    });
}

#[test]
fn a_leftover_without_the_owner_label_is_still_found_by_its_claim() {
    runtime().block_on(async {
        let root = folder(&[]);
        let (kept, left) = (manifest("kept", &json!({})), manifest("left", &json!({})));
        let fleet = folder_fleet(root.path());
        assert!(run(&fleet, &Sets::new(), &sets("east", [&kept, &left])).await.unwrap().is_complete);
        let file = root.path().join("manifests/bookinfo/VirtualService-left.yaml");
        let mut object = left.value();
        object["metadata"]["labels"] = json!({});
        fs::write(&file, yaml::emit(&object)).unwrap();
        let refreshed = refresh(&folder_fleet(root.path()), &sets("east", [&kept])).await;
        assert_eq!(refreshed.drift["east/VirtualService/bookinfo/left"], [LEFTOVER]);
    });
}
