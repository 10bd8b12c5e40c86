//! Inventories: what kubectl printed about a cluster, read only.
//!
//! Contract: every object of every file, or an error that names the file; the order of files and of items in them does not
//! matter. Kept parsed until a file changes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use istio_objects::{Kind, ObjectKey};
use mesh_model::names::OwnerId;
use rustix::fs::OFlags;
use serde_json::Value;

use super::files::{Folder, Unread, read_open};
use super::schemas::Found;
use super::stamp::Stamp;
use crate::port::{Kinds, LiveObject, Revision};
use crate::{Class, ClusterError, hex_digest, yaml};

/// Larger than what kubectl prints about ten thousand pods.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Folders within folders.
const MAX_DEPTH: usize = 32;

/// The kind of definitions, as in keys.
const DEFINITION: &str = "CustomResourceDefinition.apiextensions.k8s.io";

/// Group, kind, namespace and name: also of objects whose names we would not write.
type Identity = (String, String, String);

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Option<Arc<Parsed>>>);

#[derive(Debug)]
struct Parsed {
    files: Vec<(PathBuf, Stamp)>,
    objects: BTreeMap<Identity, (Arc<Value>, PathBuf)>,
    /// what was asked for so far, by kind
    definitions: Mutex<BTreeMap<String, Option<Arc<Found>>>>,
}

impl Cache {
    /// An object of the inventory that somebody else owns, or nobody. What this owner has written shows up in inventories
    /// too, once the folder was delivered to the cluster: that is no object of others.
    pub(super) fn object_of_others(
        &self,
        folder: &Folder,
        key: &ObjectKey,
        owner: &OwnerId,
    ) -> Result<Option<LiveObject>, ClusterError> {
        let namespace = key.namespace.as_ref().map_or("", |namespace| namespace.as_str());
        let identity = (key.kind.clone(), namespace.to_owned(), key.name.to_string());
        let parsed = self.parsed(folder)?;
        let Some((json, _)) = parsed.objects.get(&identity) else { return Ok(None) };
        let revision = Revision(format!("inventory:{}", hex_digest(json.to_string().as_bytes())));
        let object = LiveObject::new(Value::clone(json), revision);
        Ok(object.filter(|object| object.claimed_by().is_none_or(|claim| claim.owner != *owner)))
    }

    /// The objects of these kinds; where a manifest is the same object, the manifest.
    pub(super) fn with_manifests(
        &self,
        folder: &Folder,
        manifests: &[Arc<LiveObject>],
        kinds: &Kinds,
    ) -> Result<Vec<Arc<Value>>, ClusterError> {
        let parsed = self.parsed(folder)?;
        let printed = parsed.objects.iter().map(|((kind, namespace, name), (json, _))| {
            let identity = (kind.as_str(), namespace.as_str(), name.as_str());
            (identity, json)
        });
        let written = manifests.iter().map(|object| {
            let ObjectKey { kind, namespace, name } = &object.key;
            let namespace = namespace.as_ref().map_or("", |namespace| namespace.as_str());
            ((kind.as_str(), namespace, name.as_str()), &object.json)
        });
        let asked = printed.chain(written).filter(|((kind, ..), _)| kinds.contains(kind));
        let objects: BTreeMap<(&str, &str, &str), &Arc<Value>> = asked.collect();
        Ok(objects.into_values().map(Arc::clone).collect())
    }

    /// The definition of a kind ([`Kind::key_name`]), if the inventory has it.
    pub(super) fn definition(&self, folder: &Folder, kind: &str) -> Result<Option<Arc<Found>>, ClusterError> {
        let parsed = self.parsed(folder)?;
        let mut known = parsed.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(kind) {
            return Ok(found.clone());
        }
        let definitions = parsed.objects.iter().filter(|((kind, ..), _)| kind == DEFINITION);
        let found =
            definitions.map(|(_, (json, _))| json).find(|json| defines(json, kind)).map(|json| Arc::new(Found::read(json)));
        known.insert(kind.to_owned(), found.clone());
        Ok(found)
    }

    fn parsed(&self, folder: &Folder) -> Result<Arc<Parsed>, ClusterError> {
        let files = stamps(folder)?;
        // a poisoned cache is only one that was not filled
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parsed) = cached.as_ref().filter(|parsed| parsed.files == files) {
            return Ok(Arc::clone(parsed));
        }
        let parsed = Arc::new(Parsed { objects: parse_all(folder, &files)?, files, definitions: Mutex::default() });
        *cached = Some(Arc::clone(&parsed));
        Ok(parsed)
    }
}

/// Whether a definition is that of a kind with this name in keys.
fn defines(definition: &Value, kind: &str) -> bool {
    let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    Kind { group: text("/spec/group").to_owned(), version: String::new(), kind: text("/spec/names/kind").to_owned() }.key_name()
        == kind
}

/// The files of the inventory, sorted by path.
fn stamps(folder: &Folder) -> Result<Vec<(PathBuf, Stamp)>, ClusterError> {
    let inventory = folder.root().join("inventory");
    if std::fs::symlink_metadata(&inventory).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(Vec::new());
    }
    if !inventory.is_dir() {
        return Err(invalid(folder, &inventory, "it is not a folder"));
    }
    let walk = walkdir::WalkDir::new(&inventory).follow_links(true).max_depth(MAX_DEPTH + 1).into_iter();
    let mut files = Vec::new();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(&inventory).to_owned();
            let why = match error.loop_ancestor() {
                Some(ancestor) => format!("a symbolic link that leads back to {}", ancestor.display()),
                None => error.io_error().map_or_else(|| error.to_string(), ToString::to_string),
            };
            invalid(folder, &path, &why)
        })?;
        if entry.depth() > MAX_DEPTH {
            return Err(invalid(folder, entry.path(), &format!("more than {MAX_DEPTH} folders deep")));
        }
        let is_inventory_file =
            ["yaml", "yml", "json"].iter().any(|extension| entry.path().extension() == Some(OsStr::new(extension)));
        if entry.file_type().is_dir() || !is_inventory_file {
            continue;
        }
        let metadata = entry.metadata().map_err(|error| invalid(folder, entry.path(), &error.to_string()))?;
        files.push((entry.into_path(), Stamp::of(&metadata)));
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(files)
}

fn parse_all(folder: &Folder, files: &[(PathBuf, Stamp)]) -> Result<BTreeMap<Identity, (Arc<Value>, PathBuf)>, ClusterError> {
    let mut objects: BTreeMap<Identity, (Arc<Value>, PathBuf)> = BTreeMap::new();
    for (path, _) in files {
        let text = read(path).map_err(|why| invalid(folder, path, &why))?;
        let documents = documents(path, &text).map_err(|why| invalid(folder, path, &why))?;
        for (position, document) in documents.into_iter().enumerate().filter(|(_, document)| !document.is_null()) {
            for object in flatten(document).map_err(|why| invalid(folder, path, &format!("document {}: {why}", position + 1)))? {
                let identity = identity(&object).expect("flatten returns objects with an identity");
                match objects.get(&identity) {
                    Some((there, _)) if **there == object => {}
                    Some((_, other)) => {
                        let (kind, namespace, name) = &identity;
                        let namespace = if namespace.is_empty() { "-" } else { namespace };
                        let both = format!("it and {} differ in the object {kind}/{namespace}/{name}", other.display());
                        return Err(invalid(folder, path, &both));
                    }
                    None => {
                        objects.insert(identity, (Arc::new(object), path.clone()));
                    }
                }
            }
        }
    }
    Ok(objects)
}

fn read(path: &Path) -> Result<String, String> {
    let open = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
    open.map_err(Unread::Io).and_then(|file| read_open(file, MAX_FILE_BYTES)).map_err(|unread| match unread {
        Unread::Absent => "it is gone".to_owned(),
        Unread::NoFile(what) => format!("it {what}"),
        Unread::Damaged(why) => why,
        Unread::Io(error) => error.to_string(),
    })
}

fn documents(path: &Path, text: &str) -> Result<Vec<Value>, String> {
    if path.extension() == Some(OsStr::new("json")) {
        let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
        return documents.map_err(|error| error.to_string());
    }
    yaml::load(text).map_err(|error| error.to_string())
}

/// The objects of a document: itself, or the items of a list. Items of a raw API answer (`PodList`) lack kind and version,
/// which are those of the list.
fn flatten(document: Value) -> Result<Vec<Value>, String> {
    let text = |value: &Value, member: &str| value.get(member).and_then(Value::as_str).map(str::to_owned);
    let (Some(kind), Some(version)) = (text(&document, "kind"), text(&document, "apiVersion")) else {
        return Err("it is no Kubernetes object: it has no kind and apiVersion".to_owned());
    };
    let items = match document {
        Value::Object(mut members) if kind.ends_with("List") && members.contains_key("items") => match members.remove("items") {
            Some(Value::Array(items)) => items,
            Some(Value::Null) | None => Vec::new(),
            Some(_) => return Err(format!("the items of the {kind} are no list")),
        },
        object if identity(&object).is_some() => return Ok(vec![object]),
        _ => return Err(format!("the {kind} has no name")),
    };
    let mut objects = Vec::new();
    for (position, mut item) in items.into_iter().enumerate() {
        let element_kind = kind.trim_end_matches("List");
        if let Some(members) = item.as_object_mut()
            && !element_kind.is_empty()
        {
            members.entry("kind").or_insert_with(|| element_kind.into());
            members.entry("apiVersion").or_insert_with(|| version.as_str().into());
        }
        if text(&item, "kind").is_some_and(|kind| kind.ends_with("List")) && item.get("items").is_some() {
            objects.extend(flatten(item)?);
        } else if identity(&item).is_some() {
            objects.push(item);
        } else {
            return Err(format!("item {} of the {kind} is no Kubernetes object with a name", position + 1));
        }
    }
    Ok(objects)
}

fn identity(object: &Value) -> Option<Identity> {
    let kind = Kind::parse(object.get("apiVersion")?.as_str()?, object.get("kind")?.as_str()?)?;
    let metadata = object.get("metadata")?;
    let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or_default();
    Some((kind.key_name(), namespace.to_owned(), metadata.get("name")?.as_str()?.to_owned()))
}

fn invalid(folder: &Folder, path: &Path, why: &str) -> ClusterError {
    ClusterError::new(
        Class::Inventory,
        folder.cluster(),
        format!("{}: {why}", path.display()),
        "Facts that are read from a part of an inventory would be wrong facts.",
        "Write the file again (kubectl get … -o yaml > file), or remove it from the inventory.",
    )
}
