//! A cluster that is a folder, as a test looks at it and tampers with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Prefix of the annotations in which the engine keeps notes of its own.
const NOTES: &str = "state.gloo-terraform/";

/// One directory cluster: `inventory/` is given, `manifests/` is written by the provider.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The cluster whose folder this is.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Every object file below `manifests/` by its path there (`bookinfo/VirtualService-x.yaml`),
    /// parsed. Files that start with a dot are the provider's own notes.
    ///
    /// # Panics
    /// When a file is no YAML.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        let parse = |(path, text): (String, String)| {
            let value = parse_yaml(&text).unwrap_or_else(|error| panic!("{path} is no YAML: {error}"));
            (path, value)
        };
        self.files().into_iter().filter(|(path, _)| !is_note(path)).map(parse).collect()
    }

    /// Every file below `manifests/`, notes too, byte for byte.
    ///
    /// # Panics
    /// When a file cannot be read as text.
    pub fn files(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        collect(&self.manifests(), "", &mut found);
        found
    }

    /// The path of the only object of this kind (several: the first).
    ///
    /// # Panics
    /// When there is none.
    pub fn path_of(&self, kind: &str) -> String {
        let prefix = format!("{kind}-");
        let paths: Vec<String> = self.objects().into_keys().collect();
        let found = paths.iter().find(|path| path.rsplit('/').next().is_some_and(|name| name.starts_with(&prefix)));
        found.unwrap_or_else(|| panic!("no {kind} in {}; there are {paths:?}", self.root.display())).clone()
    }

    /// One object.
    ///
    /// # Panics
    /// When it is not there.
    pub fn object(&self, path: &str) -> Value {
        self.objects().remove(path).unwrap_or_else(|| panic!("no {path} in {}", self.root.display()))
    }

    /// Changes one object the way a person would, by rewriting its file (as JSON, which is YAML).
    ///
    /// # Panics
    /// When the change changes nothing, or the file cannot be read or written.
    pub fn change(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let before = self.object(path);
        let mut after = before.clone();
        change(&mut after);
        assert_ne!(before, after, "the test meant to change {path}");
        self.write(path, &after.to_string());
    }

    /// Fails unless `manifests/` holds exactly the objects that a resource's `manifests` show for
    /// this cluster, alone or among `other` paths; annotations under the engine's own prefix are
    /// the only thing that a file may have in addition.
    ///
    /// # Panics
    /// When an object is missing, differs, or is one too many.
    pub fn assert_holds(&self, cluster: &str, manifests: &BTreeMap<String, Value>, other: &[&str]) {
        let mut files = self.objects();
        for (key, planned) in manifests {
            let Some((scope, object)) = key.split_once('/') else { panic!("{key} is no manifest key") };
            if scope != "*" && scope != cluster {
                continue;
            }
            let path = path_of_key(object);
            let mut written = files.remove(&path).unwrap_or_else(|| panic!("{path} for {key} was not written in {cluster}"));
            strip_notes(&mut written);
            assert_eq!(&written, planned, "{path} in {cluster} is not what {key} showed");
        }
        files.retain(|path, _| !other.contains(&path.as_str()));
        assert!(files.is_empty(), "{cluster} holds objects that no plan showed: {:?}", files.keys());
    }

    /// Writes a file below `manifests/`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        let file = self.manifests().join(path);
        let folder = file.parent().expect("a path below manifests has a parent");
        std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&file, text))
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    /// Deletes a file below `manifests/`.
    ///
    /// # Panics
    /// When it is not there.
    pub fn remove(&self, path: &str) {
        let file = self.manifests().join(path);
        std::fs::remove_file(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    fn manifests(&self) -> PathBuf {
        self.root.join("manifests")
    }
}

/// The one document of a YAML text.
///
/// # Errors
/// The parser's words.
pub fn parse_yaml(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

/// `<Kind>/<namespace>/<name>` as a path below `manifests/`.
fn path_of_key(object: &str) -> String {
    let parts: Vec<&str> = object.splitn(3, '/').collect();
    let [kind, namespace, name] = parts.as_slice() else { panic!("{object} has no kind, namespace and name") };
    format!("{namespace}/{kind}-{name}.yaml")
}

/// Removes the annotations that are no part of `manifests`.
fn strip_notes(object: &mut Value) {
    let Some(metadata) = object["metadata"].as_object_mut() else { return };
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, _| !name.starts_with(NOTES));
    }
}

fn is_note(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

fn collect(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        let relative = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{relative}/"), found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.insert(relative, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, Directory) {
        let room = tempfile::tempdir().expect("a temporary folder");
        let cluster = Directory::at(room.path().to_path_buf());
        cluster.write("ns/Gateway-a.yaml", "kind: Gateway\nspec:\n  n: 1\n");
        cluster.write("ns/.notes", "not: [yaml");
        (room, cluster)
    }

    #[test]
    fn objects_are_found_and_changed() {
        let (_room, cluster) = directory();
        let path = cluster.path_of("Gateway");
        cluster.change(&path, |object| object["spec"]["n"] = 2.into());
        assert_eq!(cluster.object(&path)["spec"]["n"], 2);
        assert_eq!(cluster.files().len(), 2);
        cluster.remove(&path);
        assert!(cluster.objects().is_empty());
    }

    #[test]
    #[should_panic(expected = "meant to change")]
    fn a_change_that_changes_nothing_is_a_mistake() {
        let (_room, cluster) = directory();
        cluster.change("ns/Gateway-a.yaml", |_| {});
    }
}
