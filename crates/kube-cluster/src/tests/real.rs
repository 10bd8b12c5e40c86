//! The same contract on a real API server.
//!
//! `GLOO_TEST_KUBECONFIG` names the kubeconfig of one with Istio's definitions and a namespace `bookinfo`. Without it one
//! line says that nothing was tested here.

use http::{Method, Request};
use istio_objects::ObjectKey;
use kube_apply::port::{Answer, Cluster as _, Remark};
use kube_apply::testing::{Others, contract};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::{PATIENT, cluster_of, key, manifest, path, write};
use crate::{Access, KubeconfigSource};

pub(super) struct Real {
    pub(super) client: kube_client::Client,
    access: Access,
}

impl Real {
    pub(super) async fn find() -> Option<Self> {
        let Some(file) = std::env::var_os("GLOO_TEST_KUBECONFIG") else {
            #[expect(clippy::print_stderr, reason = "nothing is silently left out")]
            {
                eprintln!("NOT TESTED: the contract on a real API server; GLOO_TEST_KUBECONFIG is not set");
            }
            return None;
        };
        let access = Access::Kubeconfig { source: KubeconfigSource::Files(vec![file.clone().into()]), context: None };
        let kubeconfig = kube_client::config::Kubeconfig::read_from(file).unwrap();
        let config = kube_client::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await.unwrap();
        Some(Self { client: config.try_into().unwrap(), access })
    }

    pub(super) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        self.client.request(request.body(body).unwrap()).await.unwrap()
    }
}

impl Others for Real {
    fn edit<'a>(&'a self, key: &'a ObjectKey, edit: &'a (dyn Fn(&mut Value) + Sync)) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut object = self.send(Method::GET, &path(key.name.as_str()), None).await;
            edit(&mut object);
            self.send(Method::PUT, &format!("{}?fieldManager=kubectl-edit", path(key.name.as_str())), Some(&object)).await;
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_real_api_server_keeps_the_contract() {
    let Some(real) = Real::find().await else { return };
    contract(&cluster_of(real.access.clone(), PATIENT), &real, "real-").await;
}

#[tokio::test]
async fn a_real_api_server_tells_who_changed_what() {
    let Some(real) = Real::find().await else { return };
    let (cluster, cancel) = (cluster_of(real.access.clone(), PATIENT), CancellationToken::new());
    let intent = manifest(
        "who",
        &json!({"hosts": ["who.mesh.internal"], "http": [{"name": "x", "timeout": "2s", "route": [{"destination": {"host": "a"}}]}]}),
    );
    if let Some(left) = cluster.get(&key("who")).await.unwrap() {
        cluster.delete(&key("who"), &left.seen(), &cancel).await.unwrap();
    }
    let written = cluster.apply(&write(&intent, None), &cancel).await.unwrap();
    real.edit(&key("who"), &|object| object["spec"]["http"][0]["timeout"] = json!("9s")).await.unwrap();
    let live = cluster.get(&key("who")).await.unwrap().unwrap();
    let author = live
        .authors
        .as_ref()
        .unwrap()
        .other(&[kube_apply::authors::Step::Member("spec"), kube_apply::authors::Step::Member("http")]);
    assert_eq!(author.map(|author| author.manager.as_str()), Some("kubectl-edit"));
    assert!(live.authors.as_ref().unwrap().own().is_some());
    // a status alone changes nothing for us
    let repaired = cluster.apply(&write(&intent, Some(live.seen())), &cancel).await.unwrap();
    let status = |object: &mut Value| object["status"] = json!({"observedGeneration": 1, "conditions": []});
    let mut object = real.send(Method::GET, &path("who"), None).await;
    status(&mut object);
    real.send(Method::PUT, &format!("{}/status?fieldManager=istiod", path("who")), Some(&object)).await;
    let after = cluster.get(&key("who")).await.unwrap().unwrap();
    assert_eq!(after.seen(), repaired.seen());
    assert_ne!(written.seen(), live.seen());
    cluster.delete(&key("who"), &repaired.seen(), &cancel).await.unwrap();
    assert_eq!(cluster.get(&key("who")).await.unwrap(), None);
}

#[tokio::test]
async fn a_real_api_server_refuses_with_words_that_help() {
    let Some(real) = Real::find().await else { return };
    let cluster = cluster_of(real.access.clone(), PATIENT);
    let bad = manifest("bad", &json!({"hosts": ["a"], "http": [{"bogus": 1}]}));
    let change = istio_objects::Change { cluster: "east".parse().unwrap(), operation: istio_objects::Operation::Create(bad) };
    let error = cluster.dry_run(&change).await.unwrap_err();
    assert_eq!(error.class, kube_apply::Class::Invalid, "{error:?}");
    assert!(error.words.what.contains("bogus"), "{error:?}");
    let lost = super::support::manifest_in("nowhere", "a", &json!({"hosts": ["a"]}));
    let change = istio_objects::Change { cluster: "east".parse().unwrap(), operation: istio_objects::Operation::Create(lost) };
    let warnings = cluster.dry_run(&change).await.unwrap();
    assert!(matches!(&warnings[0], Remark::Awaits { what, .. } if what.contains("no namespace nowhere")), "{warnings:?}");
    let inventory = cluster.inventory(&kube_apply::port::Kinds::All).await.unwrap();
    assert!(inventory.iter().any(|object| object["kind"] == "Namespace" && object["metadata"]["name"] == "bookinfo"));
}
