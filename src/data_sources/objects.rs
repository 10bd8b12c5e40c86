//! `gloo_objects`: what the owner has in the clusters, also what no state knows any more.
//!
//! Drift is not told here: what an object should be is in the state of its resource, whose `drift` tells it.

use std::collections::BTreeMap;
use std::sync::Arc;

use istio_objects::{Claim, Digest, Manifest, keep_written, reserved};
use kube_apply::port::LiveObject;
use kube_apply::{Census, nonce_of};
use mesh_model::names::{ClusterName, Namespace};
use tf_server::{Applied, BoxFuture, Cx, DataSource};
use tf_value::schema::{Attribute, Kind, Schema};
use tf_value::{Diagnostics, Reader, Tf, Type, Value};

use super::cluster::counts;
use super::read::{answered, applied};
use super::scope::Scope;
use crate::session::Configured;

/// The data source.
pub(crate) struct ObjectsData {
    configured: Arc<Configured>,
}

/// What stands in the place of an answer where a cluster cannot be asked.
const BY_HAND: &str = "  clusters = [\"east\"] # those that are known, for now";

impl ObjectsData {
    /// The data source of a provider.
    pub(crate) fn new(configured: &Arc<Configured>) -> Self {
        Self { configured: Arc::clone(configured) }
    }

    async fn find(&self, config: &Value) -> Result<Value, Diagnostics> {
        let session = self.configured.session()?;
        let scope = Scope::read(config)?;
        let shows_manifests = Reader::root(config).attribute("show_manifests").bool();
        let mut diagnostics = Diagnostics::new();
        let mut found: Vec<(ClusterName, LiveObject)> = Vec::new();
        let mut unlisted = BTreeMap::new();
        for cluster in scope.asked(&session, BY_HAND)? {
            match answered(&session, &cluster, session.fleet.owned(&cluster).await, &scope.path(), BY_HAND) {
                Ok(owned) => {
                    if !owned.unlisted.is_empty() {
                        unlisted.insert(cluster.to_string(), Value::strings(owned.unlisted));
                    }
                    found.extend(owned.objects.into_iter().map(|live| (cluster.clone(), live)));
                }
                Err(errors) => diagnostics.extend(errors),
            }
        }
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        let mut instances: BTreeMap<Claim, Census> = BTreeMap::new();
        for (cluster, live) in &found {
            if let Some(claim) = live.claimed_by() {
                instances.entry(claim.clone()).or_default().note(cluster, &live.json);
            }
        }
        let is_incomplete = |live: &LiveObject| {
            let census = live.claimed_by().and_then(|claim| instances.get(claim));
            nonce_of(&live.json).is_some_and(|nonce| census.is_some_and(|census| !census.is_complete(nonce)))
        };
        found.retain(|(_, live)| is_asked(&scope, live));
        let mut by_cluster: BTreeMap<String, usize> = BTreeMap::new();
        found.iter().for_each(|(cluster, _)| *by_cluster.entry(cluster.to_string()).or_default() += 1);
        let incomplete =
            found.iter().filter(|(_, live)| is_incomplete(live)).map(|(cluster, live)| format!("{cluster}/{}", live.key));
        let observed = Value::map([
            ("objects", counts(by_cluster)),
            ("incomplete", Value::strings(incomplete)),
            ("unlisted", Value::Map(unlisted)),
        ]);
        let objects =
            found.iter().map(|(cluster, live)| shown(cluster, live, matches!(shows_manifests, Tf::Known(true)))).collect();
        let computed =
            [("show_manifests", config.get("show_manifests").clone()), ("objects", Value::List(objects)), ("observed", observed)];
        Ok(Value::map(Scope::given(config, &session.settings.owner).chain(computed)))
    }
}

fn is_asked(scope: &Scope, live: &LiveObject) -> bool {
    let namespace = live.key.namespace.as_ref();
    let label = |name: &str| live.json.pointer("/metadata/labels")?.get(name)?.as_str();
    scope.namespaces.as_ref().is_none_or(|asked| namespace.is_some_and(|namespace| asked.contains(namespace)))
        && scope.selector.iter().all(|(name, value)| label(name) == Some(value))
}

/// An object as an element of `objects`.
fn shown(cluster: &ClusterName, live: &LiveObject, shows_manifest: bool) -> Value {
    let key = &live.key;
    let text = |text: Option<String>| text.map_or(Value::Null, Value::string);
    let claim = live.claimed_by();
    let resource = claim.and_then(|claim| crate::functions::names::resource_of(claim).ok());
    let (resource_type, resource_id) = resource.unzip();
    let manifest = written(live);
    let digest = manifest.as_ref().map(|manifest| Digest::of([manifest]).to_string());
    let manifest = manifest.filter(|_| shows_manifest).map(|manifest| manifest.json().to_owned());
    Value::map([
        ("key", Value::string(format!("{cluster}/{key}"))),
        ("cluster", Value::string(cluster.as_str())),
        ("kind", Value::string(key.kind.clone())),
        ("namespace", text(key.namespace.as_ref().map(Namespace::to_string))),
        ("name", Value::string(key.name.as_str())),
        ("claim", text(claim.map(Claim::to_string))),
        ("resource_type", text(resource_type)),
        ("resource_id", text(resource_id)),
        ("digest", text(digest)),
        ("manifest", text(manifest)),
    ])
}

/// What resources write of an object: no status, no metadata of the server, and nothing that the provider notes for itself.
fn written(live: &LiveObject) -> Option<Manifest> {
    let mut json = serde_json::Value::clone(&live.json);
    keep_written(&mut json);
    if let Some(annotations) = json.pointer_mut("/metadata/annotations").and_then(serde_json::Value::as_object_mut) {
        annotations.retain(|name, _| !name.starts_with(reserved::STATE_PREFIX));
    }
    Manifest::from_stored(live.key.clone(), &json.to_string()).ok()
}

impl DataSource for ObjectsData {
    fn type_name(&self) -> &'static str {
        "gloo_objects"
    }

    fn schema(&self) -> Schema {
        let object = vec![
            Attribute::computed("key", Type::String, "`<cluster>/<Kind>/<namespace>/<name>`, as in `manifests` and `drift`."),
            Attribute::computed("cluster", Type::String, "Cluster that has it."),
            Attribute::computed("kind", Type::String, "Kind; with the group where that is not Istio's."),
            Attribute::computed("namespace", Type::String, "Namespace; null where its kind has none."),
            Attribute::computed("name", Type::String, "Name."),
            Attribute::computed("claim", Type::String, "The claim on it; null where it has none that can be read."),
            Attribute::computed("resource_type", Type::String, "Type of the resource that wrote it, by the claim."),
            Attribute::computed("resource_id", Type::String, "`id` of the resource that wrote it, by the claim."),
            Attribute::computed(
                "digest",
                Type::String,
                "Digest of what is there, without status and server's metadata: equal ones are equal objects.",
            ),
            Attribute::computed("manifest", Type::String, "What is there, as canonical JSON; null without `show_manifests`."),
        ];
        let observed = vec![
            Attribute::computed("objects", Type::map(Type::Number), "Number of the objects by cluster."),
            Attribute::computed(
                "incomplete",
                Type::list(Type::String),
                "Keys of objects whose create was interrupted, or still runs, as far as the asked clusters tell. The next apply of their resource adopts them.",
            ),
            Attribute::computed(
                "unlisted",
                Type::map(Type::list(Type::String)),
                "Kinds that this identity may not list, by cluster: objects of them may be there, too.",
            ),
        ];
        let mut attributes = Scope::attributes("the objects");
        attributes.extend([
            Attribute::optional(
                "show_manifests",
                Type::Bool,
                "Whether `manifest` is filled. It makes large plans of large fleets. Default `false`.",
            ),
            Attribute::computed("objects", Kind::list(object), "The objects, in a fixed order."),
            Attribute::computed(
                "observed",
                Kind::single(observed),
                "What changes by itself; never use it in an argument of a resource.",
            ),
        ]);
        Schema {
            version: 0,
            description: "Every object that this owner has in the clusters, told by the label `gloo-terraform/owner`: those of resources of this state, and leftovers whose state is lost. A cluster that does not answer is an error, never a shorter list.".to_owned(),
            attributes,
        }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        Scope::read(config).err().unwrap_or_default()
    }

    fn read<'a>(&'a self, _cx: &'a Cx, config: Value) -> BoxFuture<'a, Applied> {
        Box::pin(async move { applied(self.find(&config).await.map(|found| (found, Diagnostics::new()))) })
    }
}
