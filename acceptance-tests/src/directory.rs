//! A cluster that is a folder: its files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

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

    /// [`Self::files`] with the times of their last changes.
    ///
    /// # Panics
    /// When a file cannot be read as text.
    pub fn files_and_times(&self) -> BTreeMap<String, (String, SystemTime)> {
        let with_time = |(path, text): (String, String)| {
            let changed = self.manifests().join(&path).metadata().and_then(|data| data.modified());
            let changed = changed.unwrap_or_else(|error| panic!("{path}: {error}"));
            (path, (text, changed))
        };
        self.files().into_iter().map(with_time).collect()
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

    #[test]
    fn notes_are_files_and_no_objects() {
        let room = tempfile::tempdir().expect("a temporary folder");
        let cluster = Directory::at(room.path().to_path_buf());
        cluster.write("ns/Gateway-a.yaml", "kind: Gateway\nspec:\n  n: 1\n");
        cluster.write("ns/.notes", "not: [yaml");
        assert_eq!((cluster.objects().len(), cluster.files().len()), (1, 2));
        assert_eq!(cluster.objects()["ns/Gateway-a.yaml"]["spec"]["n"], 1);
    }
}
