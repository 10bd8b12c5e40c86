//! `gloo_cluster`: what translation needs to know of a cluster, found in it.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use mesh_model::names::{ClusterName, InvalidName, Revision};
use tf_server::{Applied, BoxFuture, Cx, DataSource};
use tf_value::schema::{Attribute, Kind, Schema};
use tf_value::{Diagnostics, Path, Reader, Tf, Type, Value};

use super::read::{FACTS_BY_HAND, applied, inventory, value};
use crate::schema::{Side, facts};
use crate::session::Configured;

/// The data source.
pub(crate) struct ClusterData {
    configured: Arc<Configured>,
}

impl ClusterData {
    /// The data source of a provider.
    pub(crate) fn new(configured: &Arc<Configured>) -> Self {
        Self { configured: Arc::clone(configured) }
    }

    async fn find(&self, config: &Value) -> Result<(Value, Diagnostics), Diagnostics> {
        let session = self.configured.session()?;
        let (name, revision) = asked(config)?;
        let objects = inventory(&session, &name, &Path::of("name"), FACTS_BY_HAND).await?;
        let found = mesh_discovery::cluster_facts(&objects, &name, Some(&session.settings.owner), revision.as_ref());
        let mut diagnostics = Diagnostics::new();
        diagnostics.extend(found.findings.iter().map(|finding| crate::cook::cook(finding, &self.schema().ty())));
        let Some(found) = found.value else { return Err(diagnostics) };
        let observed = Value::map([
            ("istio_release", Value::string(found.observed.istio_release)),
            ("istio_namespace", Value::string(found.observed.istio_namespace)),
            (
                "revision_tags",
                Value::map(found.observed.revision_tags.into_iter().map(|(tag, revision)| (tag, Value::string(revision)))),
            ),
            ("localities", counts(found.observed.localities)),
            ("other_owners", Value::strings(found.observed.other_owners)),
        ]);
        let state = Value::map([
            ("name", Value::string(name.as_str())),
            ("id", Value::string(name.as_str())),
            ("revision", revision.map_or(Value::Null, |revision| Value::string(revision.as_str()))),
            (
                "facts",
                crate::input::conform(
                    value(&mesh_model::encode::cluster_facts(&found.facts)),
                    &Kind::single(facts(Side::Result)).ty(),
                ),
            ),
            ("accepted_trust_domains", Value::strings(found.accepted_trust_domains.iter().map(ToString::to_string))),
            ("observed", observed),
        ]);
        Ok((state, diagnostics))
    }
}

/// Counts by what is counted.
pub(crate) fn counts(counts: BTreeMap<String, usize>) -> Value {
    Value::map(counts.into_iter().map(|(key, number)| (key, count(number))))
}

/// A count.
pub(crate) fn count(count: usize) -> Value {
    Value::int(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The cluster, and the revision of which facts are asked for.
fn asked(config: &Value) -> Result<(ClusterName, Option<Revision>), Diagnostics> {
    let root = Reader::root(config);
    let mut diagnostics = Diagnostics::new();
    let keys = "It takes a key of `clusters` in the provider block.";
    let name = parsed(&root.attribute("name"), "Invalid cluster name", keys, &mut diagnostics);
    let revisions = "It takes a revision of Istio, or a tag that stands for one.";
    let revision = parsed(&root.attribute("revision"), "Invalid revision", revisions, &mut diagnostics);
    match name {
        Some(name) if diagnostics.is_empty() => Ok((name, revision)),
        _ => Err(diagnostics),
    }
}

fn parsed<T: FromStr<Err = InvalidName>>(
    reader: &Reader<'_>,
    summary: &str,
    takes: &str,
    diagnostics: &mut Diagnostics,
) -> Option<T> {
    let Tf::Known(text) = reader.string() else { return None };
    let parsed = text.parse();
    parsed.map_err(|error| diagnostics.error(&reader.path, summary, format!("{error}.\n\n{takes}"))).ok()
}

impl DataSource for ClusterData {
    fn type_name(&self) -> &'static str {
        "gloo_cluster"
    }

    fn schema(&self) -> Schema {
        let observed = vec![
            Attribute::computed("istio_release", Type::String, "Release of Istio, as its image says it."),
            Attribute::computed("istio_namespace", Type::String, "Namespace of the control plane."),
            Attribute::computed("revision_tags", Type::map(Type::String), "Revision tags and the revisions that they stand for."),
            Attribute::computed("localities", Type::map(Type::Number), "Number of nodes by `<region>/<zone>`."),
            Attribute::computed("other_owners", Type::list(Type::String), "Other owners whose objects are in the cluster."),
        ];
        Schema {
            version: 0,
            description: "What there is to know of a cluster: its Istio, its network and region, and its east-west gateways. Read during plan and pinned in it.".to_owned(),
            attributes: vec![
                Attribute::required("name", Type::String, "A key of `clusters` in the provider block."),
                Attribute::optional(
                    "revision",
                    Type::String,
                    "Revision of the control plane whose facts are taken, or a tag that stands for it, where several run in the cluster. Default: what the tag `default` stands for, else `default`, else the only one; `istio_version` is then the oldest of all, since each of them reads every object.",
                ),
                Attribute::computed("id", Type::String, "The name."),
                Attribute::computed(
                    "facts",
                    Kind::single(facts(Side::Result)),
                    "The facts, in the shape that `gloo_virtual_mesh.clusters` takes. They change slowly: no pod, no count, no patch release is in them.",
                ),
                Attribute::computed(
                    "accepted_trust_domains",
                    Type::list(Type::String),
                    "Trust domains besides its own whose workloads its servers accept, as `caCertificates[].trustDomains` of the mesh configuration says. Aliases are not among them: they merge identities.",
                ),
                Attribute::computed("observed", Kind::single(observed), "What changes by itself; never use it in an argument of a resource."),
            ],
        }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        asked(config).err().unwrap_or_default()
    }

    fn read<'a>(&'a self, _cx: &'a Cx, config: Value) -> BoxFuture<'a, Applied> {
        Box::pin(async move { applied(self.find(&config).await) })
    }
}
