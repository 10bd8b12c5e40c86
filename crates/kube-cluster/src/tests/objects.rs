//! Writes: what is sent, what stays, and what counts as the same.

use istio_objects::{Change, Manifest, ObjectKey, Operation};
use kube_apply::port::{Answer, Cluster as _, Remark};
use kube_apply::testing::{Others, contract};
use kube_apply::{Class, drift_lines};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::fake::Fake;
use super::support::{cluster, key, manifest, manifest_in, path, write};

impl Others for Fake {
    fn edit<'a>(&'a self, key: &'a ObjectKey, edit: &'a (dyn Fn(&mut Value) + Sync)) -> Answer<'a, ()> {
        Box::pin(async move {
            self.edit(&path(key.name.as_str()), edit);
            Ok(())
        })
    }
}

#[tokio::test]
async fn an_api_server_keeps_the_contract() {
    let fake = Fake::start().await;
    contract(&cluster(&fake), &fake, "x-").await;
}

#[tokio::test]
async fn what_is_sent_is_the_manifest_and_the_state_annotations() {
    let fake = Fake::start().await;
    let manifest = manifest("a", &json!({"hosts": ["a"]}));
    cluster(&fake).apply(&write(&manifest, None), &CancellationToken::new()).await.unwrap();
    let sent = fake.state().seen.last().cloned().unwrap();
    let mut expected = manifest.value();
    expected["metadata"]["annotations"]["state.gloo-terraform/instance"] = json!("one");
    // a version that no object has: the object is created or refused
    expected["metadata"]["resourceVersion"] = json!("1");
    assert_eq!(sent.body, expected);
    assert!(sent.path.contains("?fieldManager=gloo-terraform%3Acontract%2Ftest&force=true"), "{}", sent.path);
    assert!(sent.user_agent.contains("terraform-provider-gloo/"), "{}", sent.user_agent);
}

#[tokio::test]
async fn a_status_that_comes_first_is_no_conflict() {
    let fake = Fake::start().await;
    let (cluster, cancel) = (cluster(&fake), CancellationToken::new());
    let first = cluster.apply(&write(&manifest("a", &json!({"hosts": ["a"]})), None), &cancel).await.unwrap();
    fake.state().status_writes = 2;
    let new = manifest("a", &json!({"hosts": ["b"]}));
    let live = cluster.apply(&write(&new, Some(first.seen())), &cancel).await.unwrap();
    assert_eq!(live.json.pointer("/spec/hosts/0"), Some(&json!("b")));
    assert_eq!(fake.state().status_writes, 0, "it did come first, twice");
    fake.edit(&path("a"), &|object| object["status"] = json!({"seen": "again"}));
    cluster.delete(&key("a"), &live.seen(), &cancel).await.unwrap();
    let deleted = fake.state().seen.iter().rfind(|seen| seen.method == "DELETE").cloned().unwrap();
    assert!(deleted.body.pointer("/preconditions/uid").is_some(), "{deleted:?}");
    assert!(deleted.body.pointer("/preconditions/resourceVersion").is_some(), "{deleted:?}");
}

#[tokio::test]
async fn what_admission_made_of_an_object_is_no_drift_until_it_changes() {
    let fake = Fake::start().await;
    fake.state().admission = Some(|object| {
        object["spec"]["http"][0]["retries"] = json!({"attempts": 2});
        object["spec"]["defaulted"] = json!(true);
    });
    let (cluster, cancel) = (cluster(&fake), CancellationToken::new());
    let manifest = manifest("a", &json!({"hosts": ["a"], "http": [{"name": "x"}]}));
    let live = cluster.apply(&write(&manifest, None), &cancel).await.unwrap();
    assert_eq!(drift_lines(&manifest, Some(&live.json)), Vec::<String>::new());
    let read = cluster.get(&key("a")).await.unwrap().unwrap();
    assert_eq!(read.seen(), live.seen());
    assert_eq!(drift_lines(&manifest, Some(&read.json)), Vec::<String>::new());

    let requests = fake.requests().len();
    let again = cluster.apply(&write(&manifest, Some(read.seen())), &cancel).await.unwrap();
    assert_eq!(fake.requests().len() - requests, 1, "what is recorded already takes one write");
    assert_eq!(drift_lines(&manifest, Some(&again.json)), Vec::<String>::new());

    fake.edit(&path("a"), &|object| object["spec"]["http"][0]["retries"]["attempts"] = json!(3));
    let read = cluster.get(&key("a")).await.unwrap().unwrap();
    assert!(!drift_lines(&manifest, Some(&read.json)).is_empty(), "another value than the recorded one is drift");
}

#[tokio::test]
async fn a_namespace_that_appears_is_waited_for() {
    let fake = Fake::start().await;
    let (cluster, cancel) = (cluster(&fake), CancellationToken::new());
    let manifest = manifest_in("late", "a", &json!({"hosts": ["a"]}));
    let change =
        istio_objects::Change { cluster: "east".parse().unwrap(), operation: istio_objects::Operation::Create(manifest.clone()) };
    let warnings = cluster.dry_run(&change).await.unwrap();
    assert!(matches!(&warnings[0], Remark::Awaits { what, .. } if what.contains("no namespace late")), "{warnings:?}");
    let write = write(&manifest, None);
    let create = async {
        // the namespace is created when the first write of the object was refused
        loop {
            if fake.requests().iter().filter(|request| request.starts_with("PATCH")).count() == 2 {
                fake.state().namespaces.push("late".to_owned());
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    let (written, ()) = tokio::join!(cluster.apply(&write, &cancel), create);
    assert_eq!(written.unwrap().key, *manifest.key());
}

#[tokio::test]
async fn a_wait_ends_when_the_run_is_stopped() {
    let fake = Fake::start().await;
    let (cluster, cancel) = (cluster(&fake), CancellationToken::new());
    let write = write(&manifest_in("never", "a", &json!({"hosts": ["a"]})), None);
    let stop = async {
        while !fake.requests().iter().any(|request| request.starts_with("PATCH")) {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (written, ()) = tokio::join!(cluster.apply(&write, &cancel), stop);
    assert_eq!(written.unwrap_err().class, Class::Cancelled);
}

#[tokio::test]
async fn what_somebody_else_applies_is_not_changed_unseen() {
    let fake = Fake::start().await;
    let (cluster, cancel) = (cluster(&fake), CancellationToken::new());
    let old = manifest("a", &json!({"hosts": ["a"], "http": [{"name": "x"}]}));
    cluster.apply(&write(&old, None), &cancel).await.unwrap();
    let new = manifest("a", &json!({"hosts": ["b"], "http": [{"name": "x"}]}));
    let update = |old: &istio_objects::Manifest, new: &istio_objects::Manifest| istio_objects::Change {
        cluster: "east".parse().unwrap(),
        operation: istio_objects::Operation::Update { old: old.clone(), new: new.clone() },
    };
    cluster.dry_run(&update(&old, &new)).await.unwrap();

    fake.join(&path("a"), &json!({"spec": {"hosts": ["a"]}}), "argocd");
    let error = cluster.dry_run(&update(&old, &new)).await.unwrap_err();
    assert_eq!(error.class, Class::Held);
    let told = format!("{:?}", error.words);
    for part in ["spec.hosts", "argocd", "2026-01-01T00:00:00Z", "takeover_from", "adopt"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let elsewhere = manifest("a", &json!({"hosts": ["a"], "http": [{"name": "y"}]}));
    cluster.dry_run(&update(&old, &elsewhere)).await.unwrap();
    // with another value it is drift, which the plan shows
    fake.join(&path("a"), &json!({"spec": {"hosts": ["c"]}}), "argocd");
    cluster.dry_run(&update(&old, &new)).await.unwrap();
}

#[tokio::test]
async fn an_object_that_appears_between_look_and_creation_is_not_overwritten() {
    let fake = Fake::start().await;
    let (cluster, cancel) = (cluster(&fake), CancellationToken::new());
    let theirs = manifest("a", &json!({"hosts": ["theirs"]}));
    cluster.apply(&write(&theirs, None), &cancel).await.unwrap();
    let absent = json!({"reason": "NotFound", "details": {"kind": "virtualservices", "name": "a"}});
    fake.then(super::fake::Break::Answer(404, None, absent));
    let error = cluster.apply(&write(&manifest("a", &json!({"hosts": ["ours"]})), None), &cancel).await.unwrap_err();
    assert_eq!(error.class, Class::Conflict);
    let live = cluster.get(&key("a")).await.unwrap().unwrap();
    assert_eq!(live.json["spec"]["hosts"], json!(["theirs"]));
}

/// The process that deletes has listed nothing: it does not know which version is served.
#[tokio::test]
async fn what_is_served_in_another_version_is_deleted_too() {
    let fake = Fake::start().await;
    fake.state().version_of_kinds = "v1beta1";
    let mut json = manifest("old", &json!({"hosts": ["a"]})).value();
    json["apiVersion"] = json!("networking.istio.io/v1beta1");
    let old = Manifest::from_stored(key("old"), &json.to_string()).unwrap();
    let cancel = CancellationToken::new();
    // what this server makes of the version does not matter here
    let _ = cluster(&fake).apply(&write(&old, None), &cancel).await;
    let written = cluster(&fake).get(&key("old")).await.unwrap().unwrap();
    let change = Change { cluster: "east".parse().unwrap(), operation: Operation::Delete(key("old")) };
    cluster(&fake).dry_run(&change).await.unwrap();
    let tried = fake.requests().into_iter().filter(|request| request.contains("v1beta1") && request.contains("dryRun=All"));
    assert_eq!(tried.count(), 1, "{:?}", fake.requests());
    cluster(&fake).delete(&key("old"), &written.seen(), &cancel).await.unwrap();
    assert_eq!(cluster(&fake).get(&key("old")).await.unwrap(), None);
}
