//! How requests are sent: pages, repetitions, credentials, silence.

use std::time::Duration;

use kube_apply::port::Cluster as _;
use kube_apply::testing::{Log, owner};
use kube_apply::{Class, ClusterError};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::fake::{Break, Fake};
use super::support::{PATIENT, Plugin, cluster, cluster_of, credential, host, key, manifest, with_auth, write};
use crate::{Access, Auth, ExecPlugin, KubeCluster, Secret};

async fn fill(cluster: &KubeCluster, count: usize) {
    for index in 0..count {
        let write = write(&manifest(&format!("o{index}"), &json!({"hosts": ["a"]})), None);
        cluster.apply(&write, &CancellationToken::new()).await.unwrap();
    }
}

async fn listed(cluster: &KubeCluster) -> Vec<String> {
    let objects = cluster.list_owned(&owner()).await.unwrap();
    objects.into_iter().map(|object| object.key.name.to_string()).collect()
}

#[tokio::test]
async fn a_list_has_all_pages_also_when_it_begins_anew() {
    let fake = Fake::start().await;
    let cluster = cluster(&fake);
    fill(&cluster, 5).await;
    fake.state().page = 2;
    fake.state().seen.clear();
    assert_eq!(listed(&cluster).await, ["o0", "o1", "o2", "o3", "o4"]);
    let requests = fake.requests();
    let pages: Vec<&String> = requests.iter().filter(|request| request.contains("v1/virtualservices")).collect();
    assert_eq!(pages.len(), 3, "{requests:?}");
    assert!(
        pages.iter().all(|page| page.contains("limit=500") && page.contains("labelSelector=gloo-terraform%2Fowner%3D")),
        "{pages:?}"
    );

    // a continuation is too old: the list begins anew, and nothing is there twice
    fake.state().is_expired = true;
    assert_eq!(listed(&cluster).await, ["o0", "o1", "o2", "o3", "o4"]);
    assert!(!fake.state().is_expired, "it was");
}

#[tokio::test]
async fn a_list_that_never_ends_and_a_page_that_is_no_answer_are_errors() {
    let fake = Fake::start().await;
    let cluster = cluster(&fake);
    fill(&cluster, 3).await;
    fake.state().page = 1;
    fake.state().never_ends = true;
    let error = cluster.list_owned(&owner()).await.unwrap_err();
    assert_eq!(error.class, Class::Unreachable, "{error:?}");
    assert!(error.words.what.contains("no whole list") && error.words.why.contains("too old"), "{error:?}");

    // what something in between says in the server's place is not taken for a missing object
    fake.then(Break::Answer(200, None, json!("<html>Welcome</html>")));
    let error = cluster.get(&key("o0")).await.unwrap_err();
    assert_eq!((error.class, error.object.as_deref()), (Class::Damaged, Some(&key("o0"))));
}

#[tokio::test]
async fn a_list_of_something_else_than_objects_is_an_error() {
    for item in [json!("a"), json!(7), json!(null)] {
        let fake = Fake::start().await;
        fake.then(Break::Answer(200, None, json!({"kind": "VirtualServiceList", "items": [item]})));
        let error = cluster(&fake).list_owned(&owner()).await.unwrap_err();
        assert_eq!(error.class, Class::Damaged, "{error:?}");
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says() {
    let fake = Fake::start().await;
    let cluster = cluster(&fake);
    fill(&cluster, 1).await;
    fake.state().seen.clear();
    fake.then(Break::Answer(429, Some(("retry-after", "1")), json!({"message": "too many"})));
    fake.then(Break::Answer(500, None, json!({"message": "etcd"})));
    fake.then(Break::Truncate);
    let live = cluster.get(&key("o0")).await.unwrap();
    assert!(live.is_some());
    assert_eq!(fake.requests().len(), 4, "{:?}", fake.requests());
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_not_sent_again() {
    let fake = Fake::start().await;
    let cluster = cluster(&fake);
    let write = write(&manifest("a", &json!({"hosts": ["a"]})), None);
    for (broken, writes) in [
        (Break::Answer(504, None, json!({"message": "timeout"})), 1),
        (Break::Truncate, 1),
        // this one says that nothing was done
        (Break::Answer(429, Some(("retry-after", "0")), json!({"message": "busy"})), 2),
    ] {
        fake.state().seen.clear();
        fake.then(broken);
        let result = cluster.apply(&write, &CancellationToken::new()).await;
        let sent = fake.requests().iter().filter(|request| request.starts_with("PATCH")).count();
        assert_eq!(sent, writes, "{result:?}");
        assert_eq!(result.err().map(|error| error.class), (writes == 1).then_some(Class::Unreachable));
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_read_again_once() {
    let fake = Fake::start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "first\n").unwrap();
    let cluster = with_auth(&fake, Auth::TokenFile(file.path().to_owned()));
    fake.state().tokens = vec!["first".to_owned()];
    assert_eq!(cluster.get(&key("a")).await.unwrap(), None);

    // in the middle of an apply: the write is refused with the old token
    std::fs::write(file.path(), "second\n").unwrap();
    fake.state().tokens = vec!["second".to_owned()];
    let write = write(&manifest("a", &json!({"hosts": ["a"]})), None);
    cluster.apply(&write, &CancellationToken::new()).await.unwrap();
    let sent: Vec<String> = fake.state().seen.iter().map(|seen| seen.authorization.clone()).collect();
    assert_eq!(sent.last().map(String::as_str), Some("Bearer second"));

    fake.state().tokens = vec!["third".to_owned()];
    fake.state().seen.clear();
    let error = cluster.get(&key("a")).await.unwrap_err();
    assert_eq!((error.class, fake.requests().len()), (Class::Forbidden, 2));
    harmless(&error, &["first", "second", "third"]);
}

#[tokio::test]
async fn a_fixed_token_is_not_tried_twice_and_not_shown() {
    let fake = Fake::start().await;
    fake.state().tokens = vec!["0ther-xyz".to_owned()];
    let cluster = with_auth(&fake, Auth::Token(Secret::new("t0ken-abc")));
    let error = cluster.get(&key("a")).await.unwrap_err();
    assert_eq!((error.class, fake.requests().len()), (Class::Forbidden, 1));
    harmless(&error, &["t0ken-abc", "0ther-xyz"]);
    assert!(!format!("{cluster:?}").contains("t0ken-abc"));
}

#[tokio::test]
async fn a_plugin_is_asked_once_and_again_when_its_token_is_refused() {
    let fake = Fake::start().await;
    let plugin = Plugin::new();
    plugin.answer(&credential("one", "2999-01-01T00:00:00Z"));
    fake.state().tokens = vec!["one".to_owned()];
    let cluster = with_auth(&fake, plugin.auth());
    for _ in 0..3 {
        assert_eq!(cluster.get(&key("a")).await.unwrap(), None);
    }
    assert_eq!(plugin.runs(), 1);
    let info = std::fs::read_to_string(plugin.folder.path().join("info")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&info).unwrap()["spec"]["interactive"], json!(false));
    plugin.answer(&credential("two", "2999-01-01T00:00:00Z"));
    fake.state().tokens = vec!["two".to_owned()];
    assert_eq!(cluster.get(&key("a")).await.unwrap(), None);
    assert_eq!(plugin.runs(), 2);
}

#[tokio::test]
async fn a_plugin_that_fails_is_told_without_what_it_prints() {
    let fake = Fake::start().await;
    let plugin = Plugin::new();
    std::fs::write(plugin.folder.path().join("errors"), "please log in again, eyJhbGciOiJSUzI1NiIsImtpZCI6ImFiYyJ9.x.y").unwrap();
    let error = with_auth(&fake, plugin.auth()).get(&key("a")).await.unwrap_err();
    assert!(error.words.why.contains("please log in again"), "{error:?}");
    harmless(&error, &["eyJhbGciOi", "hunter2"]);
    plugin.answer(&json!({"status": {"secret": "hunter3"}}));
    let error = with_auth(&fake, plugin.auth()).get(&key("a")).await.unwrap_err();
    assert_eq!(error.class, Class::Unreachable);
    harmless(&error, &["hunter"]);
    assert_eq!(fake.requests(), Vec::<String>::new(), "nothing is asked without a credential");
}

#[tokio::test]
async fn a_plugin_that_hangs_is_stopped() {
    let plugin = ExecPlugin {
        api_version: "client.authentication.k8s.io/v1".to_owned(),
        command: "sleep".to_owned(),
        args: vec!["1000".to_owned()],
        env: [].into(),
    };
    let refusal = crate::exec::run(&plugin, None, Duration::from_millis(50)).await.err().unwrap();
    assert!(refusal.why.contains("was stopped"), "{refusal:?}");
}

#[tokio::test]
async fn silence_is_waited_for_once() {
    let fake = Fake::start().await;
    let silent = Access::Host(Box::new(host(&fake.url, Auth::None)));
    let cluster = cluster_of(silent, Duration::from_millis(100));
    for _ in 0..200 {
        fake.then(Break::Hang);
    }
    let error = cluster.list_owned(&owner()).await.unwrap_err();
    assert_eq!((error.class, error.lasting), (Class::Unreachable, true), "{error:?}");
    // sixteen at once, each of them twice; those that were waiting for their turn were not sent
    assert!(fake.requests().len() <= 32, "{}", fake.requests().len());
}

#[tokio::test]
async fn silence_is_told_in_the_log() {
    let fake = Fake::start().await;
    let access = Access::Host(Box::new(host(&fake.url, Auth::None)));
    let cluster = cluster_of(access, Duration::from_secs(5));
    assert_eq!(cluster.get(&key("a")).await.unwrap(), None);
    for _ in 0..20 {
        fake.then(Break::Hang);
    }
    // the connection is there: nothing else is awaited from now on
    tokio::time::pause();
    let log = Log::new();
    assert_eq!(cluster.get(&key("a")).await.unwrap_err().class, Class::Unreachable);
    let lines = log.lines();
    assert!(
        lines.iter().any(|line| line == "waiting for an answer of the API server of cluster east: 2 s by now, 5 s at most"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn nobody_listening_is_told_with_the_address() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let access = Access::Host(Box::new(host(&format!("http://{address}"), Auth::None)));
    let error = cluster_of(access, PATIENT).get(&key("a")).await.unwrap_err();
    assert_eq!((error.class, error.lasting), (Class::Unreachable, true));
    assert!(error.words.what.contains(&address.to_string()) && error.words.why.contains("refused"), "{error:?}");
}

#[tokio::test]
async fn a_stop_before_the_request_leaves_it_out() {
    let fake = Fake::start().await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let write = write(&manifest("a", &json!({"hosts": ["a"]})), None);
    let error = cluster(&fake).apply(&write, &cancel).await.unwrap_err();
    assert_eq!(error.class, Class::Cancelled);
    assert!(fake.requests().iter().all(|request| request.starts_with("GET")), "{:?}", fake.requests());
}

#[tokio::test]
async fn what_the_server_refuses_is_told_in_its_words() {
    let fake = Fake::start().await;
    let cluster = cluster(&fake);
    for (status, reason, message, class, part) in [
        (403, "Forbidden", "User \"x\" cannot get resource", Class::Forbidden, "verbs: [\"get\"]"),
        (403, "Forbidden", "admission webhook \"a\" denied the request: no", Class::Invalid, "no"),
        (422, "Invalid", "spec: Invalid value: only one of them", Class::Invalid, "only one of them"),
        (400, "BadRequest", "admission webhook \"a\" denied the request: bad port", Class::Invalid, "bad port"),
    ] {
        fake.then(Break::Answer(status, None, json!({"kind": "Status", "reason": reason, "message": message, "code": status})));
        let error = cluster.get(&key("a")).await.unwrap_err();
        assert_eq!(error.class, class);
        assert_eq!(error.object.as_deref(), Some(&key("a")));
        let told = format!("{:?}", error.words);
        assert!(told.contains(&part.replace('"', "\\\"")) || told.contains(part), "{told}");
    }
}

fn harmless(error: &ClusterError, secrets: &[&str]) {
    let told = format!("{error} {error:?} {:?}", error.finding());
    for secret in secrets {
        assert!(!told.contains(secret), "{secret} is in {told}");
    }
}
