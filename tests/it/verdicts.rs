//! What clusters say at plan to the objects that change.

use std::sync::{Arc, Mutex};

use istio_objects::{Change, ObjectKey};
use kube_apply::port::{Answer, Cluster, Kinds, LiveObject, Remark, Seen, Write};
use kube_apply::testing::{Breakages, FakeCluster};
use kube_apply::{Class, ClusterError};
use mesh_model::names::{ClusterName, OwnerId};
use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Action, Core, Instance, unknown};
use tf_value::Severity;
use tokio_util::sync::CancellationToken;

use crate::support::{DESTINATION, World, destination, object, real_api_server, set};

const OBJECT: &str = "gloo_istio_object";

/// What a dry-run answers.
type Say = dyn Fn(&ClusterName, &Change) -> Result<Vec<Remark>, ClusterError> + Send + Sync;

/// A cluster with an opinion on changes; everything else is as in the cluster behind it.
struct Opinion {
    inner: Arc<FakeCluster>,
    say: Arc<Say>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Cluster for Opinion {
    fn name(&self) -> &ClusterName {
        self.inner.name()
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Option<LiveObject>> {
        self.inner.get(key)
    }

    fn list_owned<'a>(&'a self, owner: &'a OwnerId) -> Answer<'a, Vec<LiveObject>> {
        self.inner.list_owned(owner)
    }

    fn inventory<'a>(&'a self, kinds: &'a Kinds) -> Answer<'a, Vec<Arc<Json>>> {
        self.inner.inventory(kinds)
    }

    fn dry_run<'a>(&'a self, change: &'a Change) -> Answer<'a, Vec<Remark>> {
        self.heard.lock().unwrap().push(format!("{}/{}", self.inner.name(), change.key()));
        let said = (self.say)(self.inner.name(), change);
        Box::pin(async move { said })
    }

    fn apply<'a>(&'a self, write: &'a Write, cancel: &'a CancellationToken) -> Answer<'a, LiveObject> {
        self.inner.apply(write, cancel)
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey, seen: &'a Seen, cancel: &'a CancellationToken) -> Answer<'a, ()> {
        self.inner.delete(key, seen, cancel)
    }
}

/// Clusters in memory that outlive providers.
struct Court {
    fakes: Vec<Arc<FakeCluster>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Court {
    fn new() -> Self {
        let fakes = ["east", "west", "north"].map(|name| Arc::new(FakeCluster::new(name.parse().unwrap(), Breakages::none())));
        Self { fakes: fakes.into(), heard: Arc::default() }
    }

    async fn core(
        &self,
        say: impl Fn(&ClusterName, &Change) -> Result<Vec<Remark>, ClusterError> + Send + Sync + 'static,
    ) -> Core {
        let (fakes, heard, say) = (self.fakes.clone(), Arc::clone(&self.heard), Arc::new(say));
        let core = Core::new(Arc::new(Gloo::decorated(move |cluster| {
            let inner = fakes.iter().find(|fake| fake.name() == cluster.name()).unwrap();
            Arc::new(Opinion { inner: Arc::clone(inner), say: Arc::clone(&say) as Arc<Say>, heard: Arc::clone(&heard) })
        })));
        let core = core.await;
        let folder = |name: &str| json!({ "directory": format!("never/{name}") });
        let clusters = json!({ "east": folder("east"), "west": folder("west"), "north": folder("north") });
        core.configure(json!({ "owner": "test/it", "clusters": clusters })).await.unwrap();
        core
    }

    /// The dry-runs since the last question.
    fn heard(&self) -> Vec<String> {
        let mut heard = std::mem::take(&mut *self.heard.lock().unwrap());
        heard.sort();
        heard
    }
}

fn yes(_: &ClusterName, _: &Change) -> Result<Vec<Remark>, ClusterError> {
    Ok(Vec::new())
}

fn no(class: Class, cluster: &ClusterName, change: &Change) -> ClusterError {
    let (key, what) = (change.key(), "spec.hosts: Invalid value: no such host");
    ClusterError::new(class, cluster, format!("cluster {cluster} says of {key}: {what}"), "It says: no.", "Ask.").at(key)
}

#[tokio::test]
async fn a_refusal_is_an_error_of_the_plan_at_its_argument() {
    let court = Court::new();
    let core = court
        .core(
            |cluster, change| {
                if cluster.as_str() == "west" { Err(no(Class::Invalid, cluster, change)) } else { yes(cluster, change) }
            },
        )
        .await;
    let failure = core.plan(OBJECT, None, object()).await.unwrap_err();
    let errors: Vec<_> = failure.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    assert_eq!(errors.len(), 1, "{failure}");
    assert_eq!(errors[0].summary, "Refused by the cluster (GM4011)");
    for part in ["west", "VirtualService/bookinfo/reviews", "spec.hosts: Invalid value: no such host"] {
        assert!(errors[0].detail.contains(part), "{part}: {}", errors[0].detail);
    }
    assert_eq!(errors[0].path.as_ref().map(ToString::to_string).as_deref(), Some("manifest"));
    assert_eq!(court.heard(), ["east/VirtualService/bookinfo/reviews", "west/VirtualService/bookinfo/reviews"]);
}

#[tokio::test]
async fn somebody_who_applies_the_same_field_is_met_at_plan() {
    let court = Court::new();
    let core = court.core(|cluster, change| Err(no(Class::Held, cluster, change))).await;
    assert!(core.plan(OBJECT, None, object()).await.unwrap_err().says("Field is applied by somebody else (GM4017)"));
}

#[tokio::test]
async fn a_plan_tries_what_changes_and_nothing_else() {
    let court = Court::new();
    let instance = court.core(yes).await.converge(DESTINATION, None, destination()).await.unwrap();
    let tried = court.heard();
    assert!(tried.iter().any(|object| object.starts_with("east/WorkloadEntry/")), "{tried:?}");

    let core = court.core(yes).await;
    let seen = core.refresh(&instance).await.unwrap().unwrap();
    let plan = core.plan(DESTINATION, Some(&seen), destination()).await.unwrap();
    assert_eq!((plan.action, court.heard()), (Action::NoOp, Vec::new()));

    // what one change touches
    let other = set(destination(), "/outlier_detection", json!({ "consecutive_gateway_errors": 9 }));
    let plan = core.plan(DESTINATION, Some(&seen), other).await.unwrap();
    let tried = court.heard();
    assert_eq!(plan.action, Action::Update);
    assert!(!tried.is_empty() && tried.iter().all(|object| object.contains("/DestinationRule/")), "{tried:?}");

    // what drifted is written again, so it is tried again
    let key: ObjectKey = instance.state["manifests"]
        .as_object()
        .unwrap()
        .keys()
        .find_map(|key| key.split_once('/').map(|(_, key)| key).filter(|key| key.starts_with("ServiceEntry/")))
        .unwrap()
        .parse()
        .unwrap();
    let mut edited = court.fakes[0].objects()[&key].clone();
    edited["spec"]["location"] = json!("MESH_EXTERNAL");
    court.fakes[0].put(edited);
    let core = court.core(yes).await;
    let seen = core.refresh(&instance).await.unwrap().unwrap();
    core.plan(DESTINATION, Some(&seen), destination()).await.unwrap();
    assert_eq!(court.heard(), [format!("east/{key}")]);
}

#[tokio::test]
async fn what_is_not_known_is_not_tried() {
    let court = Court::new();
    let core = court.core(yes).await;
    core.plan(OBJECT, None, set(object(), "/manifest/spec/hosts", json!([unknown()]))).await.unwrap();
    assert_eq!(court.heard(), Vec::<String>::new());
}

#[tokio::test]
async fn who_may_not_write_gets_one_warning_for_each_cluster_and_his_plan() {
    let court = Court::new();
    let core = court.core(|cluster, change| Err(no(Class::Forbidden, cluster, change))).await;
    let plan = core.plan(OBJECT, None, object()).await.unwrap();
    let told: Vec<_> = plan.diagnostics.iter().map(|d| (d.severity, d.summary.clone())).collect();
    let warning = (Severity::Warning, "Changes are not tried at plan (GM4018)".to_owned());
    assert_eq!(told, [warning.clone(), warning]);
    assert_eq!(court.heard().len(), 2);
    // the other resources of the run say nothing more, and do not ask where the answer is known
    let second = set(object(), "/manifest/metadata/name", json!("ratings"));
    let plan = core.plan(OBJECT, None, second).await.unwrap();
    assert_eq!((plan.diagnostics.iter().count(), court.heard()), (0, Vec::new()));
    let elsewhere = set(object(), "/manifest/metadata/namespace", json!("other"));
    assert_eq!(core.plan(OBJECT, None, elsewhere).await.unwrap().diagnostics.iter().count(), 0);
    assert_eq!(court.heard().len(), 2);
}

#[tokio::test]
async fn warnings_of_a_cluster_are_shown_once_for_each_text() {
    let court = Court::new();
    let core = court.core(|_, _| Ok(vec![Remark::Warning("old field".to_owned())])).await;
    let plan = core.plan(DESTINATION, None, destination()).await.unwrap();
    let warnings: Vec<_> = plan.diagnostics.iter().filter(|d| d.summary.contains("GM4012")).collect();
    assert_eq!(warnings.len(), 3, "{:?}", plan.diagnostics);
    assert!(warnings[0].detail.contains("Old field") || warnings[0].detail.contains("old field"), "{}", warnings[0].detail);
    assert!(warnings.iter().all(|d| d.severity == Severity::Warning && d.detail.contains("more object")), "{warnings:?}");
}

#[tokio::test]
async fn a_folder_says_at_plan_that_a_place_is_taken() {
    let world = World::new().await;
    let file = world.file("east", "bookinfo/VirtualService-reviews");
    std::fs::create_dir_all(&file).unwrap();
    let failure = world.core.plan(OBJECT, None, object()).await.unwrap_err();
    assert!(failure.to_string().contains("VirtualService-reviews.yaml"), "{failure}");
}

/// The whole of an instance on a real API server is in `kubernetes.rs`; here it is refused.
#[tokio::test]
async fn a_real_api_server_refuses_at_plan() {
    let Some(file) = real_api_server("verdicts of a real API server at plan") else { return };
    let core = Core::new(Arc::new(Gloo::new())).await;
    let east = json!({ "kubeconfig": { "path": file } });
    core.configure(json!({ "owner": "test/verdicts", "clusters": { "east": east } })).await.unwrap();
    let object = set(set(object(), "/clusters", json!(["east"])), "/manifest/metadata/name", json!("verdict"));
    let none: Option<&Instance> = None;
    assert_eq!(core.plan(OBJECT, none, object.clone()).await.unwrap().action, Action::Create);
    // a field that the schema does not have, and a rule of it
    for (spec, part) in [
        (json!({ "hosts": ["a"], "http": [{ "bogus": 1 }] }), "bogus"),
        (json!({ "hosts": ["a"], "http": [{ "timeout": "0s" }] }), "spec.http[0].timeout"),
    ] {
        let failure = core.plan(OBJECT, none, set(object.clone(), "/manifest/spec", spec)).await.unwrap_err();
        let error = failure.diagnostics.iter().find(|d| d.severity == Severity::Error).unwrap();
        assert!(error.summary.contains("GM4011") && error.detail.contains(part), "{failure}");
        assert!(error.detail.contains("VirtualService/bookinfo/verdict") && error.detail.contains("east"), "{failure}");
        assert_eq!(error.path.as_ref().map(ToString::to_string).as_deref(), Some("manifest"));
    }
}

#[tokio::test]
async fn an_apply_tries_each_object_once_after_it_has_begun() {
    let court = Court::new();
    let core = court.core(yes).await;
    core.converge(OBJECT, None, object()).await.unwrap();
    let heard = court.heard();
    assert_eq!(heard.len(), 6, "by its plan, by the plan of its apply, and before its first write: {heard:?}");
    // the same walk goes on: what it plans it applies
    let second = set(object(), "/manifest/metadata/name", json!("ratings"));
    core.converge(OBJECT, None, second.clone()).await.unwrap();
    assert_eq!(court.heard(), ["east/VirtualService/bookinfo/ratings", "west/VirtualService/bookinfo/ratings"]);
    // another walk begins with a provider of its own
    let core = court.core(yes).await;
    core.plan(OBJECT, None, set(second, "/manifest/metadata/name", json!("details"))).await.unwrap();
    assert_eq!(court.heard().len(), 2);
}
