//! `gloo_service`: a Service in every cluster that has it, as backends of a destination.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use mesh_discovery::Asked;
use mesh_model::Input;
use mesh_model::names::{ClusterName, InvalidName, Namespace, ServiceName};
use tf_server::{Applied, BoxFuture, Cx, DataSource};
use tf_value::schema::{Attribute, Kind, Schema};
use tf_value::{Diagnostics, Path, Reader, Type, Value};

use super::read::{BACKENDS_BY_HAND, applied, asked_clusters, check_namespaces, inventory, value};
use super::scope::{CLUSTERS, names};
use super::services::{counted, counted_attributes};
use crate::schema::{Side, backend};
use crate::session::Configured;

/// The data source.
pub(crate) struct ServiceData {
    configured: Arc<Configured>,
}

/// What is asked for.
struct Query {
    namespace: Namespace,
    name: ServiceName,
    clusters: Option<BTreeSet<ClusterName>>,
    together_with: BTreeSet<ServiceName>,
}

impl ServiceData {
    /// The data source of a provider.
    pub(crate) fn new(configured: &Arc<Configured>) -> Self {
        Self { configured: Arc::clone(configured) }
    }

    async fn find(&self, config: &Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let session = self.configured.session()?;
        let query = query(config)?;
        let mut diagnostics = Diagnostics::new();
        let asked = asked_clusters(&session, query.clusters.as_ref(), BACKENDS_BY_HAND)?;
        check_namespaces(&session, &asked, &BTreeSet::from([query.namespace.clone()]), &Path::of("namespace"))?;
        let path = if query.clusters.is_some() { Path::of("clusters") } else { Path::root() };
        let ty = self.schema().ty();
        let mut backends = Vec::new();
        let mut subsets = BTreeMap::new();
        let mut observed = BTreeMap::new();
        for cluster in &asked {
            let objects = match inventory(&session, cluster, &path, BACKENDS_BY_HAND).await {
                Ok(objects) => objects,
                Err(errors) => {
                    diagnostics.extend(errors);
                    continue;
                }
            };
            let service = Asked { namespace: &query.namespace, name: &query.name, together_with: &query.together_with };
            let found = mesh_discovery::service(&objects, cluster, service, Some(&session.settings.owner));
            diagnostics.extend(found.findings.iter().map(|finding| crate::cook::cook(finding, &ty)));
            // a cluster without the Service is fine
            let Some(Some(service)) = found.value else { continue };
            backends.push(mesh_model::encode::backend(&service.backend));
            subsets.insert(
                cluster.to_string(),
                Value::map(service.subsets.into_iter().map(|(label, values)| (label, Value::strings(values)))),
            );
            observed.insert(cluster.to_string(), counted(service.observed));
        }
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        if backends.is_empty() {
            let asked: Vec<String> = asked.iter().map(ToString::to_string).collect();
            diagnostics.error(
                &Path::of("name"),
                "Service not found",
                format!("No cluster has a Service {}/{}; asked: {}.\n\nA destination without a backend serves nobody. Check `namespace` and `name`, or deploy the Service first.", query.namespace, query.name, asked.join(", ")),
            );
            return Err(diagnostics);
        }
        let state = Value::map([
            ("namespace", Value::string(query.namespace.as_str())),
            ("name", Value::string(query.name.as_str())),
            ("clusters", Reader::root(config).attribute("clusters").value.clone()),
            ("together_with", Reader::root(config).attribute("together_with").value.clone()),
            ("id", Value::string(format!("{}/{}", query.namespace, query.name))),
            ("backends", crate::input::conform(value(&Input::List(backends)), &Kind::list(backend(Side::Result)).ty())),
            ("subsets", Value::Map(subsets)),
            ("observed", Value::Map(observed)),
        ]);
        Ok((state, diagnostics))
    }
}

fn query(config: &Value) -> Result<Query, Diagnostics> {
    let mut diagnostics = Diagnostics::new();
    let root = Reader::root(config);
    let namespace = name(&root.attribute("namespace"), &mut diagnostics);
    let service = name(&root.attribute("name"), &mut diagnostics);
    let clusters = names(&root.attribute("clusters"), CLUSTERS, &mut diagnostics);
    let together_with = names(&root.attribute("together_with"), AS_THERE, &mut diagnostics).unwrap_or_default();
    match (namespace, service) {
        (Some(namespace), Some(name)) if !diagnostics.has_errors() => Ok(Query { namespace, name, clusters, together_with }),
        _ => Err(diagnostics),
    }
}

/// How names are written.
const AS_THERE: &str = "Write the name as the clusters have it:\n\n  namespace = \"bookinfo\"\n  name      = \"reviews\"";

fn name<T: FromStr<Err = InvalidName>>(reader: &Reader<'_>, diagnostics: &mut Diagnostics) -> Option<T> {
    let parsed = reader.string().known()?.parse::<T>();
    parsed.map_err(|error| diagnostics.error(&reader.path, "Invalid name", format!("{error}.\n\n{AS_THERE}"))).ok()
}

impl DataSource for ServiceData {
    fn type_name(&self) -> &'static str {
        "gloo_service"
    }

    fn schema(&self) -> Schema {
        Schema {
            version: 0,
            description: "A Service in every cluster that has it, as `backends` of a virtual destination. Read during plan and pinned in it; a cluster that does not answer is an error, never a shorter list.".to_owned(),
            attributes: vec![
                Attribute::required("namespace", Type::String, "Namespace of the Service."),
                Attribute::required("name", Type::String, "Name of the Service."),
                Attribute::optional("clusters", Type::set(Type::String), "Clusters to ask. Default: all of the provider block."),
                Attribute::optional(
                    "together_with",
                    Type::set(Type::String),
                    "Other Services of the namespace that are backends of the same destinations. Their pods may have the canonical name of its own; those of any others may not, because the hostname would take them in.",
                ),
                Attribute::computed("id", Type::String, "`<namespace>/<name>`."),
                Attribute::computed(
                    "backends",
                    Kind::list(backend(Side::Result)),
                    "The Service in each cluster, in the shape that `gloo_virtual_destination.backends` takes. It changes slowly: pods that come and go are not in it.",
                ),
                Attribute::computed(
                    "subsets",
                    Type::map(Type::map(Type::list(Type::String))),
                    "Labels in which its workloads differ, with their values, by cluster.",
                ),
                Attribute::computed("observed", Kind::map(counted_attributes()), "What changes by itself, by cluster; never use it in an argument of a resource."),
            ],
        }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        query(config).err().unwrap_or_default()
    }

    fn read<'a>(&'a self, _cx: &'a Cx, config: Value) -> BoxFuture<'a, Applied> {
        Box::pin(async move { applied(self.find(&config).await) })
    }
}
