//! Sealed objects.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use mesh_model::LeafPath;
use sha2::{Digest as _, Sha256};

use crate::claim::reserved;
use crate::{Claim, Object, ObjectKey, Tree};

/// The canonical JSON of one object: keys sorted, no white space, wholly known. What it says is what is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    key: ObjectKey,
    json: Arc<str>,
}

/// What sealing made of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// all is known
    Known(Manifest),
    /// a leaf is unknown; the tree is kept to compare shapes
    Unknown {
        /// which object
        key: ObjectKey,
        /// which leaf
        leaf: LeafPath,
        /// the whole object
        tree: Tree,
    },
}

impl Object {
    /// Adds the owner's label, the claim and the default labels (labels of the object win) and fixes the bytes.
    #[must_use]
    pub fn seal(&self, claim: &Claim, default_labels: &BTreeMap<String, String>) -> Sealed {
        let mut labels = default_labels.clone();
        labels.extend(self.labels.clone());
        labels.insert(reserved::OWNER_LABEL.to_owned(), Claim::owner_label(&claim.owner));
        let mut annotations = self.annotations.clone();
        annotations.insert(reserved::CLAIM_ANNOTATION.to_owned(), claim.to_string());
        let strings = |map: BTreeMap<String, String>| Tree::map(map.into_iter().map(|(k, v)| (k, Tree::String(v))));
        let metadata = Tree::map([
            ("name", Tree::from(self.name.as_str())),
            ("namespace", self.namespace.as_ref().map_or(Tree::Null, |namespace| Tree::from(namespace.as_str()))),
            ("labels", strings(labels)),
            ("annotations", strings(annotations)),
        ]);
        let mut members = self.body.clone();
        members.insert("apiVersion".to_owned(), Tree::String(self.kind.api_version()));
        members.insert("kind".to_owned(), Tree::String(self.kind.kind.clone()));
        members.insert("metadata".to_owned(), metadata);
        let tree = Tree::Map(members);
        match tree.to_json() {
            Ok(json) => Sealed::Known(Manifest { key: self.key(), json: canonical(&json).into() }),
            Err(leaf) => Sealed::Unknown { key: self.key(), leaf: leaf.clone(), tree: tree.clone() },
        }
    }
}

/// JSON with sorted keys and no white space.
fn canonical(json: &serde_json::Value) -> String {
    // serde_json's map is a BTreeMap: `preserve_order` is off in this workspace, and a test holds it so
    json.to_string()
}

impl Manifest {
    /// The manifest of a stored entry of `manifests`.
    ///
    /// # Errors
    /// When the text is no canonical JSON of an object with this key.
    pub fn from_stored(key: ObjectKey, json: &str) -> Result<Self, String> {
        let value: serde_json::Value = serde_json::from_str(json).map_err(|error| format!("{key}: {error}"))?;
        let found = object_key(&value).ok_or_else(|| format!("{key}: the JSON is no Kubernetes object"))?;
        if found != key {
            return Err(format!("{key}: the JSON is the object {found}"));
        }
        Ok(Self { key, json: canonical(&value).into() })
    }

    /// Which object it is.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The canonical JSON.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The object, every leaf of which is known.
    #[must_use]
    pub fn object(&self) -> Object {
        let serde_json::Value::Object(mut members) = self.value() else { unreachable!("a manifest is an object") };
        let mut text =
            |member: &str| members.remove(member).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
        let kind = crate::Kind::parse(&text("apiVersion"), &text("kind")).expect("a manifest has a kind");
        let metadata = members.remove("metadata").unwrap_or_default();
        let strings = |member: &str| {
            let strings = metadata.get(member).and_then(serde_json::Value::as_object).into_iter().flatten();
            strings.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
        };
        Object {
            kind,
            namespace: self.key.namespace.clone(),
            name: self.key.name.clone(),
            labels: strings("labels"),
            annotations: strings("annotations"),
            body: members.iter().map(|(name, value)| (name.clone(), Tree::from_json(value))).collect(),
        }
    }

    /// The parsed JSON.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        serde_json::from_str(&self.json).expect("a manifest is canonical JSON")
    }
}

/// The key of a Kubernetes object in JSON form.
#[must_use]
pub fn object_key(object: &serde_json::Value) -> Option<ObjectKey> {
    let kind = crate::Kind::parse(object.get("apiVersion")?.as_str()?, object.get("kind")?.as_str()?)?;
    let metadata = object.get("metadata")?;
    let namespace = match metadata.get("namespace") {
        None | Some(serde_json::Value::Null) => None,
        Some(namespace) => Some(namespace.as_str()?.parse().ok()?),
    };
    Some(ObjectKey { kind: kind.key_name(), namespace, name: metadata.get("name")?.as_str()?.parse().ok()? })
}

/// Takes out of a live object what API servers and controllers write: its status, and metadata but for name, namespace, labels and
/// annotations.
pub fn keep_written(object: &mut serde_json::Value) {
    let Some(members) = object.as_object_mut() else { return };
    members.remove("status");
    if let Some(metadata) = members.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        metadata.retain(|name, _| ["name", "namespace", "labels", "annotations"].contains(&name.as_str()));
    }
}

/// Whether a Kubernetes object in JSON form is the one under a key; among many objects cheaper than to ask each for its own.
#[must_use]
pub fn is_under(object: &serde_json::Value, key: &ObjectKey) -> bool {
    let name = object.get("metadata").and_then(|metadata| metadata.get("name")?.as_str());
    name == Some(key.name.as_str()) && object_key(object).as_ref() == Some(key)
}

/// `sha256:<16 hex digits>` over the sorted manifests of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest(String);

impl Digest {
    /// The digest of what one cluster holds.
    #[must_use]
    pub fn of<'a>(manifests: impl IntoIterator<Item = &'a Manifest>) -> Self {
        let sorted: BTreeMap<&ObjectKey, &str> = manifests.into_iter().map(|m| (m.key(), m.json())).collect();
        let mut hash = Sha256::new();
        for (key, json) in sorted {
            // lengths in front: no two sets run into one another
            for part in [key.to_string().as_str(), json] {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
        }
        let hex: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256:{hex}"))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
