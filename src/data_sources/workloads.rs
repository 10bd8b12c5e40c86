//! `gloo_workloads`: what runs in the clusters, as a mesh tells it apart: by canonical name, revision and service account.
//!
//! Not by Deployment: policies and certificates know service accounts, and destinations canonical names; what makes the pods
//! (a Rollout, an operator) may be of a kind that nobody lists. So no right is needed beyond those of `gloo_service`.

use std::collections::BTreeMap;
use std::sync::Arc;

use mesh_discovery::{ListedWorkload, Selected, WorkloadFacts, WorkloadObserved};
use mesh_model::names::ClusterName;
use tf_server::{Applied, BoxFuture, Cx, DataSource};
use tf_value::schema::{Attribute, Kind, Schema};
use tf_value::{Diagnostics, Type, Value};

use super::cluster::{count, counts};
use super::read::{applied, inventory};
use super::scope::Scope;
use super::services::counted_attributes;
use crate::session::Configured;

/// The data source.
pub(crate) struct WorkloadsData {
    configured: Arc<Configured>,
}

/// What stands in the place of an answer where a cluster cannot be asked.
const BY_HAND: &str = "  service_accounts = [\"bookinfo-reviews\"] # in the place of what it would say";

impl WorkloadsData {
    /// The data source of a provider.
    pub(crate) fn new(configured: &Arc<Configured>) -> Self {
        Self { configured: Arc::clone(configured) }
    }

    async fn find(&self, config: &Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let session = self.configured.session()?;
        let scope = Scope::read(config)?;
        let ty = self.schema().ty();
        let mut diagnostics = Diagnostics::new();
        let mut workloads = Vec::new();
        let mut observed = BTreeMap::new();
        for cluster in scope.asked(&session, BY_HAND)? {
            let objects = match inventory(&session, &cluster, &scope.path(), BY_HAND).await {
                Ok(objects) => objects,
                Err(errors) => {
                    diagnostics.extend(errors);
                    continue;
                }
            };
            let selected = Selected { namespaces: scope.namespaces.as_ref(), labels: &scope.selector };
            let listed = mesh_discovery::workloads(&objects, &cluster, selected, Some(&session.settings.owner));
            diagnostics.extend(listed.findings.iter().map(|finding| crate::cook::cook(finding, &ty)));
            for ListedWorkload { facts, observed: seen } in listed.value.into_iter().flatten() {
                let key = key(&cluster, &facts);
                observed.extend(seen.map(|seen| (key.clone(), counted(seen))));
                workloads.push(shown(&cluster, key, facts));
            }
        }
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let computed = [("workloads", Value::List(workloads)), ("observed", Value::Map(observed))];
        Ok((Value::map(Scope::given(config, &session.settings.owner).chain(computed)), diagnostics))
    }
}

fn key(cluster: &ClusterName, facts: &WorkloadFacts) -> String {
    let WorkloadFacts { namespace, canonical_name, revision, service_account, labels: _, made_by: _ } = facts;
    format!("{cluster}/{namespace}/{canonical_name}/{revision}/{service_account}")
}

fn shown(cluster: &ClusterName, key: String, facts: WorkloadFacts) -> Value {
    let WorkloadFacts { namespace, canonical_name, revision, service_account, labels, made_by } = facts;
    Value::map([
        ("key", Value::string(key)),
        ("cluster", Value::string(cluster.as_str())),
        ("namespace", Value::string(namespace)),
        ("name", Value::string(canonical_name)),
        ("revision", Value::string(revision)),
        ("service_account", Value::string(service_account)),
        ("labels", Value::map(labels.into_iter().map(|(label, value)| (label, Value::string(value))))),
        ("made_by", Value::strings(made_by)),
    ])
}

fn counted(WorkloadObserved { pods, ready, sidecars, localities }: WorkloadObserved) -> Value {
    Value::map([
        ("pods", count(pods)),
        ("ready_pods", count(ready)),
        ("sidecars", count(sidecars)),
        ("localities", counts(localities)),
    ])
}

impl DataSource for WorkloadsData {
    fn type_name(&self) -> &'static str {
        "gloo_workloads"
    }

    fn schema(&self) -> Schema {
        let workload = vec![
            Attribute::computed(
                "key",
                Type::String,
                "`<cluster>/<namespace>/<name>/<revision>/<service account>`, as in `observed`.",
            ),
            Attribute::computed("cluster", Type::String, "Cluster where it runs."),
            Attribute::computed("namespace", Type::String, "Namespace of its pods."),
            Attribute::computed(
                "name",
                Type::String,
                "Canonical name: `service.istio.io/canonical-name`, `app.kubernetes.io/name`, `app`, or the name of what makes its pods.",
            ),
            Attribute::computed(
                "revision",
                Type::String,
                "Canonical revision: `service.istio.io/canonical-revision`, `app.kubernetes.io/version`, `version`, or `latest`.",
            ),
            Attribute::computed("service_account", Type::String, "Service account of its pods: who they are to others."),
            Attribute::computed(
                "labels",
                Type::map(Type::String),
                "Labels that all of it has, without those that name a rollout.",
            ),
            Attribute::computed(
                "made_by",
                Type::list(Type::String),
                "Deployments, StatefulSets and DaemonSets that make its pods: `Deployment/reviews-v1`.",
            ),
        ];
        let mut observed = counted_attributes();
        observed.push(Attribute::computed("sidecars", Type::Number, "Number of its pods that have a sidecar."));
        let mut attributes = Scope::attributes("the pods, as their template has them");
        attributes.extend([
            Attribute::computed(
                "workloads",
                Kind::list(workload),
                "The workloads, in a fixed order. They change slowly: pods that come and go are not in it.",
            ),
            Attribute::computed(
                "observed",
                Kind::map(observed),
                "What changes by itself, by `key`; never use it in an argument of a resource. Empty where pods are not known.",
            ),
        ]);
        Schema {
            version: 0,
            description: "What runs in the clusters, as a mesh tells it apart: pods of one canonical name, revision and service account. Read during plan and pinned in it; a cluster that does not answer is an error, never a shorter list.".to_owned(),
            attributes,
        }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        Scope::read(config).err().unwrap_or_default()
    }

    fn read<'a>(&'a self, _cx: &'a Cx, config: Value) -> BoxFuture<'a, Applied> {
        Box::pin(async move { applied(self.find(&config).await) })
    }
}
