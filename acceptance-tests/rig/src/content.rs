//! What a cluster holds at its start: definitions, and the objects of an inventory made live.
//!
//! The inventories are those of the quick start, so that the folder cluster `east` and the real cluster `east` are the same
//! cluster, and discovery must say the same of both.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use xtask::tools::{Definitions, digest};
use xtask::workspace::Workspace;
use xtask::{Problem, Result};

use crate::api::{Api, MANAGER};
use crate::http::Call;
use crate::wait::is_so_by;

/// Changes when what is made of the same input changes: golden directories of before are then left alone.
const RECIPE: &str = "1";

/// What a cluster holds at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    definitions: Definitions,
    /// Text of each inventory file, in the order of their names.
    inventory: Vec<String>,
    /// Addresses of services, as the inventory has them.
    pub service_range: String,
}

impl Content {
    /// The definitions, and the quick start's inventory of that cluster name where there is one.
    ///
    /// # Errors
    /// When the definitions cannot be had or a file is unreadable.
    pub fn of(workspace: &Workspace, cluster: &str) -> Result<Self> {
        Self::from_folder(workspace, &workspace.root.join("examples/quickstart/clusters").join(cluster).join("inventory"))
    }

    /// The definitions, and the inventory in that folder where there is one.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn from_folder(workspace: &Workspace, folder: &Path) -> Result<Self> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|one| one.path()).collect();
        files.sort();
        let read = |file: &PathBuf| std::fs::read_to_string(file).map_err(Problem::file("read", file));
        let inventory: Vec<String> = files.iter().map(read).collect::<Result<_>>()?;
        let range = inventory.iter().find_map(|text| {
            let (_, rest) = text.split_once("clusterIP: ")?;
            let mut parts = rest.lines().next()?.split('.');
            Some(format!("{}.{}.0.0/16", parts.next()?, parts.next()?))
        });
        let service_range = range.unwrap_or_else(|| "10.96.0.0/16".to_owned());
        Ok(Self { definitions: Definitions::find(workspace)?, inventory, service_range })
    }

    /// The definitions and these objects; services get addresses of this range.
    ///
    /// # Errors
    /// When the definitions cannot be had.
    pub fn of_objects(workspace: &Workspace, objects: &[Value], service_range: String) -> Result<Self> {
        // JSON is YAML
        let inventory = vec![json!({ "items": objects }).to_string()];
        Ok(Self { definitions: Definitions::find(workspace)?, inventory, service_range })
    }

    /// Decides what a cluster holds once this was written to it.
    pub fn key(&self) -> String {
        let mut parts = vec![RECIPE, &self.definitions.key];
        parts.extend(self.inventory.iter().map(String::as_str));
        digest(&parts)
    }

    /// Writes everything and waits until every defined kind can be listed.
    ///
    /// # Errors
    /// When something is refused, or a kind does not appear.
    pub fn write(&self, api: &Api) -> Result<()> {
        for file in &self.definitions.files {
            let text = std::fs::read_to_string(file).map_err(Problem::file("read", file))?;
            for definition in text.split("\n---") {
                write_definition(api, definition)?;
            }
        }
        readers(api)?;
        // namespaces before what is in them, everything else as the files have it
        let (namespaces, others): (Vec<Value>, Vec<Value>) =
            self.objects()?.into_iter().partition(|object| object["kind"] == "Namespace");
        for object in namespaces.iter().chain(&others) {
            api.apply(object)?;
        }
        self.wait(api)
    }

    /// The objects of the inventory without what a server decides.
    ///
    /// # Errors
    /// When a file is no YAML.
    pub fn objects(&self) -> Result<Vec<Value>> {
        let mut objects = Vec::new();
        for text in &self.inventory {
            let documents: Vec<Value> = serde_saphyr::from_multiple(text)
                .map_err(|error| Problem::new(format!("an inventory of the quick start is no YAML: {error}")))?;
            for mut document in documents {
                match document.get_mut("items").map(Value::take) {
                    Some(Value::Array(items)) => objects.extend(items),
                    _ => objects.push(document),
                }
            }
        }
        objects.iter_mut().for_each(strip);
        Ok(objects)
    }

    /// A definition that was just accepted may answer 404 for a second.
    fn wait(&self, api: &Api) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        for definition in api.list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")? {
            let spec = &definition["spec"];
            let served = spec["versions"].as_array().into_iter().flatten().filter(|version| version["served"] == true);
            for version in served {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let (group, version) = (text(&spec["group"]), text(&version["name"]));
                let path = format!("/apis/{group}/{version}/{}?limit=1", text(&spec["names"]["plural"]));
                if !is_so_by(end, || Ok(api.get(&path)?.status == 200))? {
                    return Err(Problem::new(format!("{path} does not appear within a minute")));
                }
            }
        }
        Ok(())
    }
}

/// Server-side apply takes YAML as it is; only the name has to be known.
fn write_definition(api: &Api, text: &str) -> Result<()> {
    let Some(name) = name_of(text) else { return Ok(()) };
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}?fieldManager={MANAGER}");
    let content_type = "application/apply-patch+yaml";
    let answer = api.call(Call { method: "PATCH", path, content_type, body: text.trim_start_matches('-').to_owned() })?;
    if answer.is_success() { Ok(()) } else { Err(Problem::new(format!("{name}: {} {}", answer.status, answer.message()))) }
}

/// `metadata.name` of a definition; `None` for a document without one, such as a comment.
fn name_of(definition: &str) -> Option<&str> {
    let mut lines = definition.lines().skip_while(|line| line.trim_end() != "metadata:").skip(1);
    lines.find_map(|line| line.strip_prefix("  name: ")).map(str::trim)
}

/// What the read-only token may do: see everything.
fn readers(api: &Api) -> Result<()> {
    api.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": "rig-readonly" },
        "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"] }],
    }))?;
    api.apply(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "rig-readonly" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "rig-readonly" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "rig:readonly" }],
    }))?;
    Ok(())
}

/// Removes what only a server may say.
fn strip(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for key in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
            metadata.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_named_by_its_metadata() {
        let text =
            "# x\napiVersion: v1\nkind: X\nmetadata:\n  annotations:\n    name: no\n  name: a.b.c\nspec:\n  name: not-this\n";
        assert_eq!(name_of(text), Some("a.b.c"));
        assert_eq!(name_of("# only a comment\n"), None);
    }
}
