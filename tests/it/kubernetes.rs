//! Clusters of kind `kubernetes`: the provider block, and a whole life on a real API server.
//!
//! `GLOO_TEST_KUBECONFIG` names the kubeconfig of one with Istio's definitions and a namespace `bookinfo`. Without it one
//! line says what was not tested.

use std::sync::Arc;
use std::time::Duration;

use istio_objects::{Manifest, ObjectKey};
use kube_apply::port::{Cluster as _, Precondition, Write};
use kube_cluster::{Access, KubeCluster, KubeconfigSource, Limits};
use mesh_model::names::OwnerId;
use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Core, unknown};
use tokio_util::sync::CancellationToken;

use crate::support::{real_api_server, set};

fn block(east: &Json) -> Json {
    json!({ "owner": "a/b", "clusters": { "east": east } })
}

#[tokio::test]
async fn a_cluster_is_reached_in_one_way() {
    for accepted in [
        json!({ "kubeconfig": { "path": "~/.kube/config", "context": "east" } }),
        json!({ "kubeconfig": { "context": "east" } }),
        json!({ "kubeconfig": { "inline": "no kubeconfig: nothing is opened" }, "namespaces": ["bookinfo"] }),
        json!({ "host": "https://203.0.113.10:6443", "ca_certificate": "x", "auth": { "token": "x" } }),
        json!({ "host": "https://203.0.113.10:6443", "insecure": true, "auth": { "exec": { "command": "aws", "args": ["x"], "env": { "A": "b" } } } }),
        json!({ "host": "https://203.0.113.10:6443", "proxy_url": "http://proxy:3128", "tls_server_name": "x", "auth": { "client_certificate": "x", "client_key": "y" } }),
        json!({ "auth": { "in_cluster": true } }),
    ] {
        let core = Core::new(Arc::new(Gloo::new())).await;
        core.configure(block(&accepted)).await.unwrap_or_else(|failure| panic!("{accepted}: {failure}"));
    }
    for (refused, summary) in [
        (json!({ "directory": "x", "host": "https://a" }), "Cluster with two connections"),
        (json!({ "host": "https://a", "auth": { "in_cluster": true } }), "Cluster with two connections"),
        (json!({ "kubeconfig": { "context": "a" }, "auth": { "token": "x" } }), "Arguments of another connection"),
        (json!({ "kubeconfig": {} }), "Object without a known member"),
        (json!({ "kubeconfig": { "path": "a", "inline": "b" } }), "Two kubeconfigs"),
        (json!({ "host": "203.0.113.10" }), "Invalid host"),
        (json!({ "host": "https://user:hunter2@203.0.113.10" }), "Credential in `host`"),
        (json!({ "host": "https://a", "auth": {} }), "Object without a known member"),
        (json!({ "host": "https://a", "auth": { "token": "x", "token_file": "y" } }), "Two ways to authenticate"),
        (json!({ "host": "https://a", "auth": { "client_key": "x" } }), "Certificate without key"),
        (json!({ "host": "https://a", "auth": { "exec": { "args": ["x"] } } }), "Plugin without a command"),
        (json!({ "host": "https://a", "insecure": true, "ca_certificate": "x" }), "Conflicting arguments"),
        (json!({ "host": "https://a", "namespaces": [] }), "Empty collection"),
        (json!({ "host": "https://a", "namespaces": ["A b"] }), "Invalid namespace"),
        (json!({ "auth": { "token": "x" } }), "Cluster without a connection"),
    ] {
        let core = Core::new(Arc::new(Gloo::new())).await;
        let failure = core.configure(block(&refused)).await.unwrap_err();
        assert!(failure.says(summary), "{refused}: {failure}");
        assert!(!failure.to_string().contains("hunter"), "{failure}");
    }
    let core = Core::new(Arc::new(Gloo::new())).await;
    let twice = json!({ "owner": "a/b", "clusters": { "east": { "host": "https://a/" }, "west": { "host": "https://a" } } });
    assert!(core.configure(twice).await.unwrap_err().says("Two names for one cluster"));
}

/// Nothing is there to be asked: it is refused before.
#[tokio::test]
async fn a_namespace_in_which_a_cluster_is_not_looked_at_is_refused() {
    let core = Core::new(Arc::new(Gloo::new())).await;
    core.configure(block(&json!({ "host": "https://203.0.113.10:6443", "namespaces": ["a", "bookinfo"] }))).await.unwrap();
    for (type_name, config) in [
        ("gloo_objects", json!({ "namespaces": ["bookinfo", "shop"] })),
        ("gloo_services", json!({ "namespaces": ["shop"] })),
        ("gloo_workloads", json!({ "clusters": ["east"], "namespaces": ["shop"] })),
        ("gloo_service", json!({ "namespace": "shop", "name": "cart" })),
    ] {
        let failure = core.read_data(type_name, config).await.unwrap_err();
        assert!(failure.says("Namespace is not looked in"), "{failure}");
        assert!(
            failure.to_string().contains("shop is asked for, and cluster east is looked at in a, bookinfo alone"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn a_part_that_is_not_known_makes_an_unknown_cluster() {
    let whole = json!({ "host": "https://203.0.113.10:6443", "ca_certificate": "x", "namespaces": ["a"],
        "auth": { "exec": { "command": "aws", "args": ["x"], "env": { "A": "b" } } } });
    for pointer in ["/host", "/ca_certificate", "/namespaces", "/auth", "/auth/exec/args/0", "/auth/exec/env/A"] {
        let core = Core::new(Arc::new(Gloo::new())).await;
        core.configure(block(&set(whole.clone(), pointer, unknown())))
            .await
            .unwrap_or_else(|failure| panic!("{pointer}: {failure}"));
        let failure = core.read_data("gloo_cluster", json!({ "name": "east" })).await.unwrap_err();
        assert!(failure.says("Cluster is not known yet"), "{pointer}: {failure}");
    }
}

const OBJECT: &str = "gloo_istio_object";

fn object(timeout: &str) -> Json {
    json!({
        "clusters": ["east"],
        "manifest": {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": { "name": "whole-life", "namespace": "bookinfo" },
            "spec": { "hosts": ["whole-life"], "http": [{ "name": "x", "timeout": timeout, "route": [{ "destination": { "host": "a" } }] }] },
        },
    })
}

#[tokio::test]
async fn an_object_lives_on_a_real_api_server() {
    let Some(file) = real_api_server("the provider on a real API server") else { return };
    let provider = json!({ "owner": "test/life", "clusters": { "east": { "kubeconfig": { "path": file } } } });
    let source = KubeconfigSource::Files(vec![file.clone().into()]);
    let owner: OwnerId = "test/life".parse().unwrap();
    let somebody: OwnerId = "somebody/else".parse().unwrap();
    let limits = Limits::new(4, Duration::from_secs(30));
    let access = Access::Kubeconfig { source, context: None };
    let theirs = KubeCluster::new("east".parse().unwrap(), access, &somebody, "test", limits);
    let key: ObjectKey = "VirtualService/bookinfo/whole-life".parse().unwrap();
    // what a failed run of this test left
    if let Some(left) = theirs.get(&key).await.unwrap() {
        theirs.delete(&key, &left.seen(), &CancellationToken::new()).await.unwrap();
    }
    let core = Core::new(Arc::new(Gloo::new())).await;
    core.configure(provider.clone()).await.unwrap();
    let instance = core.converge(OBJECT, None, object("2s")).await.unwrap();
    let instance = core.converge(OBJECT, Some(&instance), object("5s")).await.unwrap();

    // somebody else changes a field and puts one in
    let live = theirs.get(&key).await.unwrap().unwrap();
    let mut changed = Json::clone(&live.json);
    changed["spec"]["http"][0]["timeout"] = json!("9s");
    changed["spec"]["gateways"] = json!(["mesh"]);
    let is_state = |name: &str| name.starts_with("state.gloo-terraform/");
    let annotations = changed["metadata"]["annotations"].as_object_mut().unwrap();
    let state_annotations = annotations.iter().filter(|(name, _)| is_state(name));
    let state_annotations = state_annotations.map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned())).collect();
    annotations.retain(|name, _| !is_state(name));
    let write = Write {
        state_annotations,
        manifest: Manifest::from_stored(key.clone(), &changed.to_string()).unwrap(),
        previous: None,
        precondition: Precondition::Unchanged(live.seen()),
    };
    theirs.apply(&write, &CancellationToken::new()).await.unwrap();

    let core = Core::new(Arc::new(Gloo::new())).await;
    core.configure(provider.clone()).await.unwrap();
    let read = core.refresh(&instance).await.unwrap().unwrap();
    let drift = read.state["drift"]["east/VirtualService/bookinfo/whole-life"].to_string();
    for part in ["spec.http[x].timeout: live ", "spec.gateways", "by gloo-terraform:somebody/else at ", "(Apply)"] {
        assert!(drift.contains(part), "{part}: {drift}");
    }
    let repaired = core.converge(OBJECT, Some(&read), object("5s")).await.unwrap();
    let live = theirs.get(&key).await.unwrap().unwrap();
    assert_eq!(live.json["spec"], object("5s")["manifest"]["spec"]);
    assert_eq!(live.claimed_by().map(|claim| claim.owner.clone()), Some(owner));
    assert_eq!(core.destroy(&repaired).await.success().unwrap(), None);
    assert_eq!(theirs.get(&key).await.unwrap(), None);
}
