//! What is in a cluster, who may do what there, and what can happen to its servers.

use std::time::Duration;

use rig::Call;
use serde_json::json;

use crate::{WEST, shared, until};

const SERVICES: &str = "/api/v1/namespaces/bookinfo/services";

#[test]
fn a_cluster_holds_the_definitions_and_what_the_quick_start_says_of_it() {
    let _unbroken = WEST.read();
    for cluster in shared().clusters() {
        let api = cluster.api();
        let definitions = api.list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").expect("a list");
        let names: Vec<&str> = definitions.iter().filter_map(|one| one["metadata"]["name"].as_str()).collect();
        for name in ["virtualservices.networking.istio.io", "httproutes.gateway.networking.k8s.io"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert_eq!(api.list(SERVICES).expect("a list").len(), 4);

        let gateway = api.read("/api/v1/namespaces/istio-system/services/istio-eastwestgateway").expect("readable");
        let gateway = gateway.expect("the gateway is seeded");
        assert_eq!(gateway["metadata"]["labels"]["topology.istio.io/network"], cluster.name());
        assert!(gateway["status"]["loadBalancer"]["ingress"][0]["ip"].is_string(), "the status is seeded too: {gateway}");
        let pods = api.list("/api/v1/namespaces/bookinfo/pods").expect("a list");
        assert!(pods.iter().all(|pod| pod["status"]["phase"] == "Running") && pods.len() == 6);
    }
}

#[test]
fn the_definitions_judge_objects() {
    let bad = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": { "name": "bad", "namespace": "bookinfo" },
        "spec": { "hosts": ["a.b"], "endpoints": [{ "address": "1.2.3.4" }], "workloadSelector": { "labels": { "a": "b" } } },
    });
    let problem = shared().cluster("east").api().apply(&bad).expect_err("the rule of the definition");
    assert!(problem.to_string().contains("only one of WorkloadSelector or Endpoints can be set"), "{problem}");
}

#[test]
fn every_credential_has_its_own_rights() {
    let cluster = shared().cluster("east");
    let status = |token: &str, method: &'static str, path: &str| {
        let call = Call { method, path: path.to_owned(), ..Call::default() };
        cluster.api().with_token(token).call(call).expect("an answer").status
    };
    let gone = format!("{SERVICES}/never-was");
    assert_eq!(status(cluster.admin_token(), "DELETE", &gone), 404);
    assert_eq!(
        (status(cluster.readonly_token(), "GET", SERVICES), status(cluster.readonly_token(), "DELETE", &gone)),
        (200, 403)
    );
    assert_eq!(status(cluster.stranger_token(), "GET", SERVICES), 403);
    assert_eq!(status("made-up", "GET", SERVICES), 401);

    let token = cluster.token_of("reader").expect("a token");
    assert_eq!(status(&token, "GET", SERVICES), 403);
    let rules = json!([{ "apiGroups": [""], "resources": ["services"], "verbs": ["list"] }]);
    cluster.allow("reader", Some("bookinfo"), &rules).expect("allowed");
    until("the authorizer has seen the role", || status(&token, "GET", SERVICES) == 200);
    assert_eq!(status(&token, "GET", "/api/v1/namespaces/istio-system/services"), 403, "one namespace only");

    let master = cluster.client_certificate("somebody", Some("system:masters")).expect("signed");
    assert_eq!(cluster.api_as(&master).expect("an identity").list(SERVICES).expect("a list").len(), 4);
    let nobody = cluster.client_certificate("nobody", None).expect("signed");
    assert_eq!(cluster.api_as(&nobody).expect("an identity").get(SERVICES).expect("an answer").status, 403);
}

#[test]
fn a_server_hangs_dies_and_comes_back_with_its_data() {
    let _mine = WEST.write();
    let cluster = shared().cluster("west");
    let api = cluster.api();
    let note = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "note", "namespace": "bookinfo" }, "data": { "a": "b" }
    });
    api.apply(&note).expect("written");

    cluster.stop().expect("stopped");
    let call = Call { method: "GET", path: SERVICES.to_owned(), ..Call::default() };
    let problem = api.call_within(call, Duration::from_millis(300)).expect_err("a stopped server answers nothing");
    assert!(problem.to_string().contains("no answer"), "{problem}");
    cluster.cont().expect("goes on");
    assert_eq!(api.get(SERVICES).expect("an answer").status, 200);

    let proxy = cluster.proxy().expect("a proxy");
    cluster.kill().expect("killed");
    let problem = api.get(SERVICES).expect_err("nobody listens");
    assert!(problem.to_string().contains("refused"), "{problem}");
    assert!(proxy.api().get(SERVICES).is_err(), "a proxy before a dead server answers nothing either");
    cluster.restart().expect("ready again");
    let path = "/api/v1/namespaces/bookinfo/configmaps/note";
    assert_eq!(api.read(path).expect("readable").expect("kept")["data"]["a"], "b");
    assert_eq!(proxy.api().get(path).expect("an answer").status, 200);

    // without the controller a deleted namespace would stay for ever
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "short-lived" } });
    api.apply(&namespace).expect("written");
    api.delete("/api/v1/namespaces/short-lived").expect("deleted");
    let left = api.read("/api/v1/namespaces/short-lived").expect("readable").expect("still there");
    assert_eq!(left["status"]["phase"], "Terminating");
    cluster.start_namespace_controller().expect("started");
    until("the namespace is gone", || api.read("/api/v1/namespaces/short-lived").expect("readable").is_none());
}

#[test]
fn what_a_store_held_is_there_again_and_nothing_else() {
    let _alone = WEST.write();
    let west = shared().cluster("west");
    let api = west.api();
    let object = |name: &str, host: &str| {
        json!({
            "apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "spec": { "hosts": [host] },
            "metadata": { "name": name, "namespace": "bookinfo" },
        })
    };
    let path = |name: &str| format!("/apis/networking.istio.io/v1/namespaces/bookinfo/serviceentries/{name}");
    let read = |name: &str| api.read(&path(name)).expect("readable");
    let start = west.save().expect("saved");
    for name in ["changed", "deleted", "left"] {
        api.apply(&object(name, "a.example.com")).expect("applied");
    }
    let (saved, written) = (west.save().expect("saved"), west.written().expect("told"));
    assert_eq!(west.written().expect("told"), written, "nothing was written in between");
    let before = ["changed", "deleted", "left"].map(read);

    api.apply(&object("changed", "b.example.com")).expect("applied");
    assert_ne!(west.written().expect("told"), written);
    api.delete(&path("deleted")).expect("deleted");
    api.apply(&object("added", "a.example.com")).expect("applied");
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "added" } });
    api.apply(&namespace).expect("applied");
    west.load(&saved).expect("loaded");
    for (before, name) in before.into_iter().zip(["changed", "deleted", "left"]) {
        let (before, after) = (before.expect("it was there"), read(name).expect("it is there again"));
        assert_eq!(after["spec"], before["spec"], "{name}");
        assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "{name}");
    }
    assert_eq!(read("added"), None);
    assert_eq!(api.read("/api/v1/namespaces/added").expect("readable"), None);
    assert_eq!(api.list("/apis/networking.istio.io/v1/serviceentries").expect("a list").len(), 3);

    west.load(&start).expect("loaded");
    assert_eq!(api.list("/apis/networking.istio.io/v1/serviceentries").expect("a list").len(), 0);
    assert_eq!(api.list(SERVICES).expect("a list").len(), 4);
}
