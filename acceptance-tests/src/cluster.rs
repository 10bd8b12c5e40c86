//! A cluster as a case looks at it and tampers with it: the same words for a folder and for an API server.
//!
//! Objects are named `<Kind>/<namespace>/<name>`, as in `manifests` and `drift`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use rig::Written;
use serde_json::Value;

use crate::directory::Directory;
use crate::server;
use crate::site::{Pair, done};

/// Prefix of the annotations in which the engine keeps notes of its own.
const NOTES: &str = "state.gloo-terraform/";

/// One cluster of a case.
#[derive(Debug, Clone)]
pub struct Cluster {
    name: String,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(Directory),
    Server(Arc<Pair>),
}

/// What a cluster holds and when that was written: equal ones mean that nothing was written in between, not even the same again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Snapshot {
    /// Every file with its bytes and the time of its last change.
    Folder(BTreeMap<String, (String, SystemTime)>),
    /// The store's own count of writes.
    Server(BTreeMap<String, Written>),
}

impl Snapshot {
    /// The names of what was written, came or went in between.
    ///
    /// # Panics
    /// When one is of a folder and the other of a server.
    pub fn differing(&self, other: &Self) -> Vec<String> {
        match (self, other) {
            (Self::Folder(one), Self::Folder(other)) => differing(one, other),
            (Self::Server(one), Self::Server(other)) => differing(one, other),
            _ => panic!("a folder is no server"),
        }
    }
}

fn differing<T: PartialEq>(one: &BTreeMap<String, T>, other: &BTreeMap<String, T>) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

impl Cluster {
    pub(crate) fn folder(name: &str, directory: Directory) -> Self {
        Self { name: name.to_owned(), place: Place::Folder(directory) }
    }

    pub(crate) fn server_of(name: &str, pair: Arc<Pair>) -> Self {
        Self { name: name.to_owned(), place: Place::Server(pair) }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder that it is, for cases about files.
    ///
    /// # Panics
    /// When it is a server.
    pub fn directory(&self) -> &Directory {
        match &self.place {
            Place::Folder(directory) => directory,
            Place::Server(_) => panic!("{} is a server, no folder", self.name),
        }
    }

    /// The server that it is, for cases that break it.
    ///
    /// # Panics
    /// When it is a folder.
    pub fn server(&self) -> &rig::Cluster {
        match &self.place {
            Place::Folder(_) => panic!("{} is a folder, no server", self.name),
            Place::Server(pair) => pair.cluster(&self.name),
        }
    }

    /// Every object as a manifest would show it: without what a server adds, and without the engine's notes.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        self.raw().into_iter().map(|(key, object)| (key, without_notes(server::without_servers_part(object)))).collect()
    }

    /// Every object as text: a file byte for byte, or what a server has without what it adds; the engine's notes too.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn texts(&self) -> BTreeMap<String, String> {
        match &self.place {
            Place::Folder(directory) => directory.files().into_iter().map(|(path, text)| (key_of_path(&path), text)).collect(),
            Place::Server(_) => {
                let text = |(key, object)| (key, server::without_servers_part(object).to_string());
                self.raw().into_iter().map(text).collect()
            }
        }
    }

    /// Which objects there are; on a server also which one of that name: one that was deleted and created again is another one.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn instances(&self) -> BTreeSet<String> {
        match &self.place {
            Place::Folder(directory) => directory.objects().into_keys().map(|path| key_of_path(&path)).collect(),
            Place::Server(_) => {
                let there = server::written(self.server()).into_iter();
                there.map(|(key, written)| format!("{key} of {}", written.created)).collect()
            }
        }
    }

    /// What it holds and when that was written.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn snapshot(&self) -> Snapshot {
        match &self.place {
            Place::Folder(directory) => Snapshot::Folder(directory.files_and_times()),
            Place::Server(_) => Snapshot::Server(server::written(self.server())),
        }
    }

    /// The names of all objects.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn keys(&self) -> Vec<String> {
        match &self.place {
            Place::Folder(directory) => directory.objects().into_keys().map(|path| key_of_path(&path)).collect(),
            Place::Server(_) => server::written(self.server()).into_keys().collect(),
        }
    }

    /// Whether there is no object.
    ///
    /// # Panics
    /// When they cannot be read.
    pub fn is_empty(&self) -> bool {
        self.keys().is_empty()
    }

    /// The only object of this kind (several: the first).
    ///
    /// # Panics
    /// When there is none.
    pub fn key_of(&self, kind: &str) -> String {
        let keys = self.keys();
        let found = keys.iter().find(|key| key.starts_with(&format!("{kind}/")));
        found.unwrap_or_else(|| panic!("no {kind} in {}; there are {keys:?}", self.name)).clone()
    }

    /// One object, with all that is there.
    ///
    /// # Panics
    /// When there is none.
    pub fn object(&self, key: &str) -> Value {
        let found = match &self.place {
            Place::Folder(directory) => directory.objects().remove(&path_of_key(key)),
            Place::Server(_) => server::read(self.server(), key),
        };
        found.unwrap_or_else(|| panic!("no {key} in {}", self.name))
    }

    /// Changes one object the way a person would: rewrites its file (as JSON, which is YAML), or `kubectl edit`.
    ///
    /// # Panics
    /// When the change changes nothing, or is refused.
    pub fn change(&self, key: &str, change: impl FnOnce(&mut Value)) {
        let before = self.object(key);
        let mut after = before.clone();
        change(&mut after);
        assert_ne!(before, after, "the test meant to change {key}");
        match &self.place {
            Place::Folder(directory) => directory.write(&path_of_key(key), &after.to_string()),
            Place::Server(_) => server::replace(self.server(), key, &after),
        }
    }

    /// Writes an object that is nobody's of ours.
    ///
    /// # Panics
    /// When it has no kind, namespace or name, or is refused.
    pub fn create(&self, object: &Value) {
        match &self.place {
            Place::Folder(directory) => {
                let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{object} lacks a name")).to_owned();
                let metadata = &object["metadata"];
                let path = format!("{}/{}-{}.yaml", text(&metadata["namespace"]), text(&object["kind"]), text(&metadata["name"]));
                directory.write(&path, &object.to_string());
            }
            Place::Server(_) => drop(done(self.server().api().apply_as(object, "kubectl"))),
        }
    }

    /// Deletes one object.
    ///
    /// # Panics
    /// When it is not there.
    pub fn remove(&self, key: &str) {
        match &self.place {
            Place::Folder(directory) => directory.remove(&path_of_key(key)),
            Place::Server(_) => server::remove(self.server(), key),
        }
    }

    /// Writes the status of an object as a controller does, on a server.
    ///
    /// # Panics
    /// When it is a folder, or refused.
    pub fn write_status(&self, key: &str, status: &Value) {
        server::write_status(self.server(), key, status);
    }

    /// Fails unless there are exactly the objects that a resource's `manifests` show for this cluster, alone or among `other`
    /// ones, byte for byte in canonical form; annotations under the engine's own prefix are the only thing that they may have in
    /// addition.
    ///
    /// # Panics
    /// When an object is missing, differs, or is one too many.
    pub fn assert_holds(&self, manifests: &BTreeMap<String, Value>, other: &[&str]) {
        let mut live = self.objects();
        for (key, planned) in manifests {
            let Some((scope, object)) = key.split_once('/') else { panic!("{key} is no manifest key") };
            if scope != "*" && scope != self.name {
                continue;
            }
            let written = live.remove(object).unwrap_or_else(|| panic!("{key} was not written in {}", self.name));
            assert_eq!(written.to_string(), planned.to_string(), "{object} in {} is not what {key} showed", self.name);
        }
        live.retain(|key, _| !other.contains(&key.as_str()));
        assert!(live.is_empty(), "{} holds objects that no plan showed: {:?}", self.name, live.keys());
    }

    fn raw(&self) -> BTreeMap<String, Value> {
        match &self.place {
            Place::Folder(directory) => {
                directory.objects().into_iter().map(|(path, object)| (key_of_path(&path), object)).collect()
            }
            Place::Server(_) => server::raw(self.server()),
        }
    }
}

/// `<Kind>/<namespace>/<name>` as a path below `manifests/`.
fn path_of_key(key: &str) -> String {
    let parts: Vec<&str> = key.splitn(3, '/').collect();
    let [kind, namespace, name] = parts.as_slice() else { panic!("{key} has no kind, namespace and name") };
    format!("{namespace}/{kind}-{name}.yaml")
}

/// The way back; a path of another form is its own name.
fn key_of_path(path: &str) -> String {
    let parts = path.strip_suffix(".yaml").and_then(|path| path.split_once('/'));
    match parts.and_then(|(namespace, file)| Some((namespace, file.split_once('-')?))) {
        Some((namespace, (kind, name))) if !kind.starts_with('.') => format!("{kind}/{namespace}/{name}"),
        _ => path.to_owned(),
    }
}

/// Without the annotations that are no part of `manifests`.
fn without_notes(mut object: Value) -> Value {
    let annotations = object["metadata"].as_object_mut().and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
        annotations.retain(|name, _| !name.starts_with(NOTES));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_paths_and_back() {
        assert_eq!(path_of_key("VirtualService/a/b-c"), "a/VirtualService-b-c.yaml");
        for key in ["VirtualService/a/b-c", "Gateway.gateway.networking.k8s.io/a/b"] {
            assert_eq!(key_of_path(&path_of_key(key)), key);
        }
        assert_eq!(key_of_path("a/.gloo~1-2.tmp"), "a/.gloo~1-2.tmp");
        assert_eq!(key_of_path("README"), "README");
    }

    #[test]
    fn notes_are_no_part_of_a_manifest() {
        let object = |annotations: Value| json!({ "metadata": { "annotations": annotations } });
        assert_eq!(without_notes(object(json!({ "state.gloo-terraform/x": "1", "y": "z" }))), object(json!({ "y": "z" })));
    }

    #[test]
    fn a_folder_is_looked_at_and_changed() {
        let room = tempfile::tempdir().expect("a temporary folder");
        let cluster = Cluster::folder("east", Directory::at(room.path().to_path_buf()));
        cluster.create(&json!({ "kind": "Gateway", "metadata": { "name": "a", "namespace": "ns" }, "spec": { "n": 1 } }));
        let (before, key) = (cluster.snapshot(), cluster.key_of("Gateway"));
        assert_eq!((key.as_str(), &cluster.snapshot()), ("Gateway/ns/a", &before));
        cluster.change(&key, |object| object["spec"]["n"] = 2.into());
        assert_eq!(cluster.object(&key)["spec"]["n"], 2);
        assert_eq!(before.differing(&cluster.snapshot()), ["ns/Gateway-a.yaml"]);
        cluster.remove(&key);
        assert!(cluster.is_empty());
    }

    #[test]
    #[should_panic(expected = "meant to change")]
    fn a_change_that_changes_nothing_is_a_mistake() {
        let room = tempfile::tempdir().expect("a temporary folder");
        let cluster = Cluster::folder("east", Directory::at(room.path().to_path_buf()));
        cluster.create(&json!({ "kind": "Gateway", "metadata": { "name": "a", "namespace": "ns" } }));
        cluster.change("Gateway/ns/a", |_| {});
    }
}
