//! A fleet of folders and configurations for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Core, Instance, Plan};

pub(crate) const DESTINATION: &str = "gloo_virtual_destination";

/// Temporary cluster folders and a configured provider.
pub(crate) struct World {
    pub(crate) core: Core,
    folder: tempfile::TempDir,
}

impl World {
    /// A provider with the clusters east, west and north.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with a changed provider block.
    pub(crate) async fn with(change: impl FnOnce(&mut Json)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for cluster in ["east", "west", "north"] {
            fs::create_dir_all(folder.path().join(cluster).join("inventory")).unwrap();
        }
        let core = Core::new(Arc::new(Gloo::new())).await;
        let world = Self { core, folder };
        let mut block = world.provider_block();
        change(&mut block);
        world.core.configure(block).await.unwrap();
        world
    }

    /// A second provider on the same folders, with a changed provider block.
    pub(crate) async fn beside(&self, change: impl FnOnce(&mut Json)) -> Core {
        let core = Core::new(Arc::new(Gloo::new())).await;
        let mut block = self.provider_block();
        change(&mut block);
        core.configure(block).await.unwrap();
        core
    }

    pub(crate) fn provider_block(&self) -> Json {
        let directory = |cluster: &str| json!({ "directory": self.folder.path().join(cluster).to_str().unwrap() });
        json!({
            "owner": "test/it",
            "clusters": { "east": directory("east"), "west": directory("west"), "north": directory("north") },
        })
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// The file of an object, `<cluster>/<namespace>/<Kind>-<name>`.
    pub(crate) fn file(&self, cluster: &str, rest: &str) -> PathBuf {
        self.folder.path().join(cluster).join("manifests").join(format!("{rest}.yaml"))
    }

    /// Names of all written files, relative to the world.
    pub(crate) fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        collect(self.folder.path(), self.folder.path(), &mut files);
        files.sort();
        files
    }

    /// Replaces text in a written file; it must be there.
    pub(crate) fn edit(&self, cluster: &str, rest: &str, from: &str, to: &str) {
        let path = self.file(cluster, rest);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }

    pub(crate) async fn create(&self, type_name: &str, config: Json) -> Instance {
        self.core.converge(type_name, None, config).await.unwrap_or_else(|failure| panic!("{failure}"))
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            files.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

fn facts(region: &str, address: &str) -> Json {
    json!({
        "istio_version": "1.28",
        "trust_domain": "cluster.local",
        "region": region,
        "gateways": [{ "addresses": [address] }],
    })
}

/// The three clusters as a mesh.
pub(crate) fn mesh() -> Json {
    json!({
        "name": "prod",
        "clusters": {
            "east": facts("us-east-1", "203.0.113.10"),
            "west": facts("us-west-2", "203.0.113.20"),
            "north": facts("eu-north-1", "203.0.113.30"),
        },
    })
}

/// `reviews` in one cluster.
pub(crate) fn backend(cluster: &str) -> Json {
    json!({
        "cluster": cluster,
        "namespace": "bookinfo",
        "service": "reviews",
        "ports": [{ "number": 9080, "name": "http", "target_port": 9080, "protocol": "http" }],
        "selector": { "app": "reviews" },
        "canonical_name": "reviews",
        "service_accounts": ["bookinfo-reviews"],
    })
}

/// `reviews`, served by east and west, called from all three.
pub(crate) fn destination() -> Json {
    json!({
        "virtual_mesh": mesh(),
        "namespace": "bookinfo",
        "name": "reviews",
        "hostname": "reviews.mesh.internal",
        "ports": [{ "number": 9080 }],
        "backends": [backend("east"), backend("west")],
    })
}

/// `base` with the value at a JSON pointer replaced.
pub(crate) fn set(mut base: Json, pointer: &str, value: Json) -> Json {
    match base.pointer_mut(pointer) {
        Some(place) => *place = value,
        None => {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            base.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
        }
    }
    base
}

/// The keys of the planned `manifests`.
pub(crate) fn keys(plan: &Plan) -> Vec<String> {
    plan.planned.get("manifests").as_map().expect("manifests are known").keys().cloned().collect()
}

/// A VirtualService in two clusters, as `gloo_istio_object` takes it.
pub(crate) fn object() -> Json {
    json!({
        "clusters": ["east", "west"],
        "manifest": {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": { "name": "reviews", "namespace": "bookinfo" },
            "spec": { "hosts": ["reviews"] },
        },
    })
}

/// The kubeconfig of a real API server. Without one, a line says what was not tested.
pub(crate) fn real_api_server(what: &str) -> Option<String> {
    let file = std::env::var("GLOO_TEST_KUBECONFIG").ok();
    if file.is_none() {
        #[expect(clippy::print_stderr, reason = "nothing is silently left out")]
        {
            eprintln!("NOT TESTED: {what}; GLOO_TEST_KUBECONFIG is not set");
        }
    }
    file
}
