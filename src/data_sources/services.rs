//! `gloo_services`: Services of the clusters, as backends of destinations, and those that cannot be any.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_discovery::{ListedService, Selected, ServiceFacts, ServiceObserved};
use mesh_model::names::ClusterName;
use mesh_model::{Finding, Input, Severity};
use tf_server::{Applied, BoxFuture, Cx, DataSource};
use tf_value::schema::{Attribute, Kind, Schema};
use tf_value::{Diagnostic, Diagnostics, Type, Value};

use super::cluster::{count, counts};
use super::read::{BACKENDS_BY_HAND, applied, inventory, value};
use super::scope::Scope;
use crate::schema::{Side, backend};
use crate::session::Configured;

/// The data source.
pub(crate) struct ServicesData {
    configured: Arc<Configured>,
}

/// A Service in all clusters that have it.
struct Everywhere {
    namespace: String,
    name: String,
    backends: Vec<Input>,
    unusable: Vec<(ClusterName, Finding)>,
}

impl ServicesData {
    /// The data source of a provider.
    pub(crate) fn new(configured: &Arc<Configured>) -> Self {
        Self { configured: Arc::clone(configured) }
    }

    async fn find(&self, config: &Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let session = self.configured.session()?;
        let scope = Scope::read(config)?;
        let ty = self.schema().ty();
        let mut diagnostics = Diagnostics::new();
        let mut found: BTreeMap<String, Everywhere> = BTreeMap::new();
        let mut observed = BTreeMap::new();
        for cluster in scope.asked(&session, BACKENDS_BY_HAND)? {
            let objects = match inventory(&session, &cluster, &scope.path(), BACKENDS_BY_HAND).await {
                Ok(objects) => objects,
                Err(errors) => {
                    diagnostics.extend(errors);
                    continue;
                }
            };
            let selected = Selected { namespaces: scope.namespaces.as_ref(), labels: &scope.selector };
            let listed = mesh_discovery::services(&objects, &cluster, selected, Some(&session.settings.owner));
            diagnostics.extend(listed.findings.iter().map(|finding| crate::cook::cook(finding, &ty)));
            for ListedService { namespace, name, found: judged } in listed.value.into_iter().flatten() {
                let key = format!("{namespace}/{name}");
                let everywhere = found.entry(key.clone()).or_insert_with(|| Everywhere {
                    namespace,
                    name,
                    backends: Vec::new(),
                    unusable: Vec::new(),
                });
                match judged.value {
                    Some(ServiceFacts { backend, subsets: _, observed: seen }) => {
                        diagnostics.extend(judged.findings.iter().map(|finding| crate::cook::cook(finding, &ty)));
                        everywhere.backends.push(mesh_model::encode::backend(&backend));
                        observed.insert(format!("{cluster}/{key}"), counted(seen));
                    }
                    None => {
                        let errors = judged.findings.into_iter().filter(|finding| finding.code.severity() == Severity::Error);
                        everywhere.unusable.extend(errors.map(|finding| (cluster.clone(), finding)));
                    }
                }
            }
        }
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        diagnostics.extend(found.values().filter_map(Everywhere::lost));
        let usable = found.iter().filter(|(_, service)| !service.backends.is_empty());
        let services: BTreeMap<String, Value> = usable.map(|(key, service)| (key.clone(), service.value())).collect();
        let unusable = found.values().flat_map(Everywhere::reasons).collect();
        let computed =
            [("services", Value::Map(services)), ("unusable", Value::List(unusable)), ("observed", Value::Map(observed))];
        Ok((Value::map(Scope::given(config, &session.settings.owner).chain(computed)), diagnostics))
    }
}

impl Everywhere {
    fn value(&self) -> Value {
        Value::map([
            ("namespace", Value::string(self.namespace.clone())),
            ("name", Value::string(self.name.clone())),
            (
                "backends",
                crate::input::conform(value(&Input::List(self.backends.clone())), &Kind::list(backend(Side::Result)).ty()),
            ),
        ])
    }

    fn reasons(&self) -> impl Iterator<Item = Value> {
        self.unusable.iter().map(|(cluster, finding)| {
            let Finding { code, path: _, cluster: _, object: _, what, why, fix } = finding;
            Value::map([
                ("cluster", Value::string(cluster.as_str())),
                ("namespace", Value::string(self.namespace.clone())),
                ("name", Value::string(self.name.clone())),
                ("code", Value::string(code.as_str())),
                ("reason", Value::string(kube_apply::printable(&format!("{what} {why}")))),
                ("fix", Value::string(kube_apply::printable(fix))),
            ])
        })
    }

    /// A warning where it is a backend in some clusters, and another one has it in vain.
    fn lost(&self) -> Option<Diagnostic> {
        let (_, first) = self.unusable.first().filter(|_| !self.backends.is_empty())?;
        let clusters: BTreeSet<&str> = self.unusable.iter().map(|(cluster, _)| cluster.as_str()).collect();
        let clusters = clusters.into_iter().collect::<Vec<_>>().join(", ");
        Some(Diagnostic::warning(
            "Service is not a backend in every cluster that has it",
            kube_apply::printable(&format!(
                "{}/{} is no backend in {clusters}: {}\n\n{}\n\nA destination made of its `backends` is not served there. `unusable` has all reasons.",
                self.namespace, self.name, first.what, first.fix
            )),
        ))
    }
}

/// What is observed of a Service.
pub(super) fn counted(ServiceObserved { pods, ready, localities }: ServiceObserved) -> Value {
    Value::map([("pods", count(pods)), ("ready_pods", count(ready)), ("localities", counts(localities))])
}

/// Attributes of [`counted`].
pub(super) fn counted_attributes() -> Vec<Attribute> {
    vec![
        Attribute::computed("pods", Type::Number, "Number of its pods."),
        Attribute::computed("ready_pods", Type::Number, "Number of its pods that are ready."),
        Attribute::computed("localities", Type::map(Type::Number), "Number of its pods by `<region>/<zone>`."),
    ]
}

impl DataSource for ServicesData {
    fn type_name(&self) -> &'static str {
        "gloo_services"
    }

    fn schema(&self) -> Schema {
        let service = vec![
            Attribute::computed("namespace", Type::String, "Namespace of the Service."),
            Attribute::computed("name", Type::String, "Name of the Service."),
            Attribute::computed(
                "backends",
                Kind::list(backend(Side::Result)),
                "The Service in each cluster where it can be a backend, in the shape that `gloo_virtual_destination.backends` takes.",
            ),
        ];
        let reason = vec![
            Attribute::computed("cluster", Type::String, "Cluster where it is no backend."),
            Attribute::computed("namespace", Type::String, "Namespace of the Service."),
            Attribute::computed("name", Type::String, "Name of the Service."),
            Attribute::computed("code", Type::String, "Code of the finding, as the guide on findings has it."),
            Attribute::computed("reason", Type::String, "Why it is none."),
            Attribute::computed("fix", Type::String, "What makes it one."),
        ];
        let mut attributes = Scope::attributes("the Services");
        attributes.extend([
            Attribute::computed(
                "services",
                Kind::map(service),
                "Services that can be backends in some cluster at least, by `<namespace>/<name>`, as `for_each` takes them. They change slowly: pods that come and go are not in it.",
            ),
            Attribute::computed(
                "unusable",
                Kind::list(reason),
                "Services that cannot be backends, with the reasons: headless, without selector or sidecars, and the like. One that can be in other clusters is among `services`, too, with a warning.",
            ),
            Attribute::computed(
                "observed",
                Kind::map(counted_attributes()),
                "What changes by itself, by `<cluster>/<namespace>/<name>`; never use it in an argument of a resource.",
            ),
        ]);
        Schema {
            version: 0,
            description: "The Services of the clusters that have certain labels, each as `backends` of a virtual destination, and with the reasons those that cannot be. Read during plan and pinned in it; a cluster that does not answer is an error, never a shorter list.".to_owned(),
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
