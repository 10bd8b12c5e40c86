//! Real API servers as the cases share them, and what they hold.
//!
//! Invariants: `east` and `west` are never broken, so cases use them side by side; `edge` is what may be stopped and killed, by
//! one case at a time. A case sees and writes only what is in its own namespace or claimed by its own owner.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rig::content::Content;
use rig::wait::is_so_by;
use rig::{Api, Cluster};
use serde_json::{Value, json};
use xtask::workspace::Workspace;
use xtask::{Problem, Result};

use crate::suite::Rig;
use crate::world::World;

/// Every kind that the provider writes: its name and where it is listed.
const KINDS: [(&str, &str); 10] = [
    ("AuthorizationPolicy", "/apis/security.istio.io/v1/authorizationpolicies"),
    ("DestinationRule", "/apis/networking.istio.io/v1/destinationrules"),
    ("EnvoyFilter", "/apis/networking.istio.io/v1alpha3/envoyfilters"),
    ("Gateway", "/apis/networking.istio.io/v1/gateways"),
    ("PeerAuthentication", "/apis/security.istio.io/v1/peerauthentications"),
    ("RequestAuthentication", "/apis/security.istio.io/v1/requestauthentications"),
    ("ServiceEntry", "/apis/networking.istio.io/v1/serviceentries"),
    ("Sidecar", "/apis/networking.istio.io/v1/sidecars"),
    ("VirtualService", "/apis/networking.istio.io/v1/virtualservices"),
    ("WorkloadEntry", "/apis/networking.istio.io/v1/workloadentries"),
];

/// Prefix of the annotations in which the engine keeps notes of its own.
const NOTES: &str = "state.gloo-terraform/";

/// The annotation that says whose an object is.
const CLAIM: &str = "gloo-terraform/claim";

/// The running servers. Never dropped: the end of this process is what ends them.
fn servers() -> &'static rig::Rig {
    static SERVERS: OnceLock<rig::Rig> = OnceLock::new();
    let start = || {
        let workspace = Workspace::find()?;
        let of = |cluster: &str| Content::of(&workspace, cluster);
        let rig = rig::Rig::start_with(&workspace, &[("east", of("east")?), ("west", of("west")?), ("edge", of("west")?)])?;
        rig.clusters().try_for_each(wait)?;
        Ok::<_, Problem>(rig)
    };
    SERVERS.get_or_init(|| start().unwrap_or_else(|problem| panic!("{problem}")))
}

/// Waits until every kind can be listed: after a start each of them takes its own time.
fn wait(cluster: &Cluster) -> Result<()> {
    let (api, end) = (cluster.api(), Instant::now() + Duration::from_secs(60));
    for (_, path) in KINDS {
        if !is_so_by(end, || Ok(api.get(path)?.is_success()))? {
            return Err(Problem::new(format!("{path} of {} cannot be listed within a minute", cluster.name())));
        }
    }
    Ok(())
}

/// The real clusters of one case: a namespace and an owner of its own in them.
pub struct Live {
    namespace: String,
    /// What the provider calls a cluster, and which one it is.
    clusters: [(&'static str, &'static Cluster); 2],
    edge: Option<Edge>,
}

/// The right to break `edge`; it runs again when this is dropped.
struct Edge {
    cluster: &'static Cluster,
    _alone: MutexGuard<'static, ()>,
}

impl Drop for Edge {
    fn drop(&mut self) {
        // a hanging server answers again, a dead one is started; nobody is there to be told of a failure
        let _ = self.cluster.cont();
        if !self.cluster.api().get("/readyz").is_ok_and(|answer| answer.is_success()) {
            let _ = self.cluster.restart().and_then(|()| wait(self.cluster));
        }
    }
}

impl Live {
    /// `east` and `west`, with a namespace for this case and CLI in both.
    ///
    /// # Panics
    /// When the servers do not start.
    pub fn new(rig: &Rig, case: &str) -> Self {
        Self::of(rig, case, servers().cluster("west"), None)
    }

    /// The same with a `west` that may be broken: no other case has it meanwhile.
    ///
    /// # Panics
    /// As [`Self::new`].
    pub fn breakable(rig: &Rig, case: &str) -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let cluster = servers().cluster("edge");
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Self::of(rig, case, cluster, Some(Edge { cluster, _alone: alone }))
    }

    fn of(rig: &Rig, case: &str, west: &'static Cluster, edge: Option<Edge>) -> Self {
        let live = Self {
            namespace: format!("{case}-{}", rig.cli.kind),
            clusters: [("east", servers().cluster("east")), ("west", west)],
            edge,
        };
        for (_, cluster) in live.clusters {
            let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": live.namespace } });
            cluster.api().apply(&namespace).unwrap_or_else(|problem| panic!("{problem}"));
        }
        live
    }

    /// The namespace; the owner is `live/<namespace>`, the host `<namespace>.mesh.internal`.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The owner.
    pub fn owner(&self) -> String {
        format!("live/{}", self.namespace)
    }

    /// The server that the provider knows under this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn cluster(&self, name: &str) -> &'static Cluster {
        let found = self.clusters.iter().find(|(own, _)| *own == name);
        found.unwrap_or_else(|| panic!("no cluster {name}")).1
    }

    /// The cluster that may be broken.
    ///
    /// # Panics
    /// When this case has not asked for it.
    pub fn edge(&self) -> &'static Cluster {
        self.edge.as_ref().expect("the case asked for a cluster that it may break").cluster
    }

    /// Starts the cluster that may be broken anew, if it does not run, and waits until it answers everything.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn restart_edge(&self) {
        let edge = self.edge();
        edge.restart().and_then(|()| wait(edge)).unwrap_or_else(|problem| panic!("{problem}"));
    }

    fn api(&self, name: &str) -> Api {
        self.cluster(name).api()
    }

    /// The line of the provider block that reaches a cluster with all rights.
    pub fn entry(&self, name: &str) -> String {
        Self::entry_of(name, &self.cluster(name).kubeconfig().display().to_string())
    }

    /// The line of the provider block for a kubeconfig.
    pub fn entry_of(name: &str, kubeconfig: &str) -> String {
        format!("    {name} = {{ kubeconfig = {{ path = \"{kubeconfig}\" }} }}\n")
    }

    /// The provider block with both clusters.
    pub fn provider(&self) -> String {
        self.provider_with(&self.owner(), &(self.entry("east") + &self.entry("west")), "")
    }

    /// A provider block with this owner, these entries of `clusters`, and these lines besides.
    pub fn provider_with(&self, owner: &str, clusters: &str, lines: &str) -> String {
        format!("provider \"gloo\" {{\n  owner = \"{owner}\"\n{lines}  clusters = {{\n{clusters}  }}\n}}\n")
    }

    /// Copies the workloads of `bookinfo` into the namespace, so that they are discovered there.
    ///
    /// # Panics
    /// When a server refuses one.
    pub fn seed(&self) {
        let workspace = Workspace::find().unwrap_or_else(|problem| panic!("{problem}"));
        for (name, cluster) in self.clusters {
            let content = Content::of(&workspace, name).and_then(|content| content.objects());
            for mut object in content.unwrap_or_else(|problem| panic!("{problem}")) {
                if object["metadata"]["namespace"] != "bookinfo" {
                    continue;
                }
                object["metadata"]["namespace"] = self.namespace.clone().into();
                if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
                    // the server gives addresses of its own
                    spec.remove("clusterIP");
                    spec.remove("clusterIPs");
                }
                cluster.api().apply(&object).unwrap_or_else(|problem| panic!("{problem}"));
            }
        }
    }

    /// Every Istio object in the namespace or claimed by the owner (or one whose name begins so), by `<Kind>/<namespace>/<name>`, as the server has it.
    ///
    /// # Panics
    /// When it cannot be listed.
    pub fn raw(&self, cluster: &str) -> BTreeMap<String, Value> {
        let (api, claim) = (self.api(cluster), self.owner());
        let mut found = BTreeMap::new();
        for (kind, path) in KINDS {
            for mut object in api.list(path).unwrap_or_else(|problem| panic!("{problem}")) {
                let claimed = object["metadata"]["annotations"][CLAIM].as_str().is_some_and(|text| text.starts_with(&claim));
                if !claimed && object["metadata"]["namespace"] != self.namespace.as_str() {
                    continue;
                }
                // items of a list do not repeat it
                object["kind"] = kind.into();
                let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
                found.insert(format!("{kind}/{}/{}", text("namespace"), text("name")), object);
            }
        }
        found
    }

    /// [`Self::raw`] of both clusters: equal ones mean that nothing was written in between, not even the same again.
    pub fn everything(&self) -> [BTreeMap<String, Value>; 2] {
        self.clusters.map(|(name, _)| self.raw(name))
    }

    /// The objects as a manifest would show them: without what a server adds, and without the engine's notes.
    pub fn objects(&self, cluster: &str) -> BTreeMap<String, Value> {
        self.raw(cluster).into_iter().map(|(key, object)| (key, canonical(object))).collect()
    }

    /// Whether both clusters hold nothing of this case.
    pub fn is_empty(&self) -> bool {
        self.everything().iter().all(BTreeMap::is_empty)
    }

    /// Fails unless both clusters hold exactly what a resource's `manifests` show, byte for byte in canonical form, and `other`.
    ///
    /// # Panics
    /// When an object is missing, differs, or is one too many.
    pub fn assert_holds(&self, manifests: &BTreeMap<String, Value>, other: &[&str]) {
        for (name, _) in self.clusters {
            let mut live = self.objects(name);
            let scoped = manifests.iter().filter_map(|(key, planned)| Some((key.split_once('/')?, planned)));
            for ((_, key), planned) in scoped.filter(|((scope, _), _)| ["*", name].contains(scope)) {
                let written = live.remove(key).unwrap_or_else(|| panic!("{key} was not written in {name}"));
                assert_eq!(written.to_string(), planned.to_string(), "{key} in {name} is not what the plan showed");
            }
            live.retain(|key, _| !other.contains(&key.as_str()));
            assert!(live.is_empty(), "{name} holds objects that no plan showed: {:?}", live.keys());
        }
    }

    /// The key of the only object of this kind in a cluster (several: the first).
    ///
    /// # Panics
    /// When there is none.
    pub fn key_of(&self, cluster: &str, kind: &str) -> String {
        let keys: Vec<String> = self.raw(cluster).into_keys().collect();
        let found = keys.iter().find(|key| key.starts_with(&format!("{kind}/")));
        found.unwrap_or_else(|| panic!("no {kind} in {cluster}; there are {keys:?}")).clone()
    }

    /// Changes an object as a person does with `kubectl edit`.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn edit(&self, cluster: &str, key: &str, patch: &Value) {
        let patched = self.api(cluster).merge(&path_of(key), patch, "kubectl-edit");
        patched.unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Writes the status as a controller does.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn write_status(&self, cluster: &str, key: &str, status: &Value) {
        let patched = self.api(cluster).merge(&format!("{}/status", path_of(key)), status, "pilot-discovery");
        patched.unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Writes an object that is nobody's of ours.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn write(&self, cluster: &str, object: &Value) {
        self.api(cluster).apply_as(object, "kubectl").unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Deletes an object.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn delete(&self, cluster: &str, key: &str) {
        self.api(cluster).delete(&path_of(key)).unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// A working directory with this configuration.
    pub fn world(&self, rig: &Rig, config: &str) -> World {
        let world = World::empty(rig);
        world.config(config);
        world
    }
}

/// The path of `<Kind>/<namespace>/<name>`.
fn path_of(key: &str) -> String {
    let parts: Vec<&str> = key.splitn(3, '/').collect();
    let [kind, namespace, name] = parts.as_slice() else { panic!("{key} has no kind, namespace and name") };
    let found = KINDS.iter().find(|(known, _)| known == kind);
    let (group, plural) = found.and_then(|(_, path)| path.rsplit_once('/')).unwrap_or_else(|| panic!("{kind} is not known"));
    format!("{group}/namespaces/{namespace}/{plural}/{name}")
}

/// Without what a server adds, and without the engine's notes.
fn canonical(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for name in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
            metadata.remove(name);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.retain(|name, _| !name.starts_with(NOTES));
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_to_paths() {
        assert_eq!(path_of("Gateway/a/b"), "/apis/networking.istio.io/v1/namespaces/a/gateways/b");
    }

    #[test]
    fn what_a_server_adds_is_no_difference() {
        let object = json!({
            "kind": "X", "status": {}, "spec": { "a": 1 },
            "metadata": { "name": "n", "uid": "u", "annotations": { "state.gloo-terraform/instance": "x", "y": "z" } },
        });
        let wanted = json!({ "kind": "X", "spec": { "a": 1 }, "metadata": { "name": "n", "annotations": { "y": "z" } } });
        assert_eq!(canonical(object), wanted);
    }
}
