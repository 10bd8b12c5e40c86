//! What a case about API servers says that folders do not know: connections in words of its own, servers that are broken.
//!
//! The servers are those of the case's site; a namespace and an owner of its own keep what it writes apart from their content.

use std::collections::BTreeMap;
use std::sync::Arc;

use rig::content::Content;
use serde_json::{Value, json};
use xtask::workspace::Workspace;

use crate::cluster::Cluster;
use crate::server;
use crate::site::{CLUSTERS, Pair, done};
use crate::suite::Rig;
use crate::world::World;

/// The servers of one case, with a namespace and an owner of its own.
pub struct Live {
    namespace: String,
    pair: Arc<Pair>,
}

impl Live {
    /// `east` and `west`, with a namespace for this case in both.
    ///
    /// # Panics
    /// When the case has folders: it is declared with `on_servers_for`.
    pub fn new(rig: &Rig, case: &str) -> Self {
        let live = Self { namespace: format!("{case}-{}", rig.cli.kind), pair: Arc::clone(rig.site.servers()) };
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": live.namespace } });
        CLUSTERS.iter().for_each(|name| drop(done(live.cluster(name).api().apply(&namespace))));
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

    /// The server that the provider knows under this name. No other case has it meanwhile: it may be broken.
    ///
    /// # Panics
    /// When there is none.
    pub fn cluster(&self, name: &str) -> &rig::Cluster {
        self.pair.cluster(name)
    }

    /// Starts a server anew, if it does not run, and waits until it answers everything.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn restart(&self, name: &str) {
        let cluster = self.cluster(name);
        done(cluster.restart().and_then(|()| server::wait(cluster)));
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
        let workspace = done(Workspace::find());
        for name in CLUSTERS {
            for mut object in done(Content::of(&workspace, name).and_then(|content| content.objects())) {
                if object["metadata"]["namespace"] != "bookinfo" {
                    continue;
                }
                object["metadata"]["namespace"] = self.namespace.clone().into();
                if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
                    // the server gives addresses of its own
                    spec.remove("clusterIP");
                    spec.remove("clusterIPs");
                }
                done(self.cluster(name).api().apply(&object));
            }
        }
    }

    /// Every object of a mesh, by `<Kind>/<namespace>/<name>`, as the server has it.
    ///
    /// # Panics
    /// When it cannot be listed.
    pub fn raw(&self, cluster: &str) -> BTreeMap<String, Value> {
        server::raw(self.cluster(cluster))
    }

    /// [`Self::raw`] of both servers: equal ones mean that nothing was written in between, not even the same again.
    ///
    /// # Panics
    /// When they cannot be listed.
    pub fn everything(&self) -> [BTreeMap<String, Value>; 2] {
        CLUSTERS.map(|name| self.raw(name))
    }

    /// Whether both servers hold nothing of a mesh.
    ///
    /// # Panics
    /// When they cannot be asked.
    pub fn is_empty(&self) -> bool {
        CLUSTERS.iter().all(|name| self.seen(name).is_empty())
    }

    /// Fails unless both servers hold exactly what a resource's `manifests` show, and `other`: [`Cluster::assert_holds`].
    ///
    /// # Panics
    /// When an object is missing, differs, or is one too many.
    pub fn assert_holds(&self, manifests: &BTreeMap<String, Value>, other: &[&str]) {
        CLUSTERS.iter().for_each(|name| self.seen(name).assert_holds(manifests, other));
    }

    /// The key of the only object of this kind in a cluster (several: the first).
    ///
    /// # Panics
    /// When there is none.
    pub fn key_of(&self, cluster: &str, kind: &str) -> String {
        self.seen(cluster).key_of(kind)
    }

    /// Changes an object as a person does with `kubectl edit`.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn edit(&self, cluster: &str, key: &str, patch: &Value) {
        done(self.cluster(cluster).api().merge(&server::path_of(key), patch, server::PERSON));
    }

    /// Writes an object that is nobody's of ours.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn write(&self, cluster: &str, object: &Value) {
        self.seen(cluster).create(object);
    }

    /// Deletes an object.
    ///
    /// # Panics
    /// When it is not there.
    pub fn delete(&self, cluster: &str, key: &str) {
        self.seen(cluster).remove(key);
    }

    /// A working directory with this configuration.
    pub fn world(&self, rig: &Rig, config: &str) -> World {
        let world = World::empty(rig);
        world.config(config);
        world
    }

    fn seen(&self, name: &str) -> Cluster {
        Cluster::server_of(name, Arc::clone(&self.pair))
    }
}
