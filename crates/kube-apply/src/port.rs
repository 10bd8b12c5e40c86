//! The port: what the engine asks of a cluster, whatever its kind.
//!
//! Contract: reads change nothing; a write either has happened, has not, or the error says that it cannot tell
//! ([`Class::Unreachable`](crate::Class)), in which case the engine looks. Object-safe: the engine holds `Arc<dyn Cluster>`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use istio_objects::{Change, Claim, Manifest, ObjectKey, Operation, object_key, reserved};
use mesh_model::names::{ClusterName, OwnerId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::ClusterError;
use crate::authors::Authors;

/// What a port returns: a future that may be sent between threads.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ClusterError>> + Send + 'a>>;

/// One cluster, acted on for one owner.
///
/// Reads may be dropped at any time. The future of a write must be awaited to its end; it ends early, without an effect,
/// only when `cancel` fires before the effect began.
pub trait Cluster: Send + Sync {
    /// Its name in the provider block.
    fn name(&self) -> &ClusterName;

    /// Whether proxies follow what is written there at once. What is in a folder is delivered by somebody else, later.
    fn is_followed(&self) -> bool {
        false
    }

    /// The live object under a key, whoever's it is.
    fn get<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Option<LiveObject>>;

    /// Every object with the owner's label ([`Claim::owner_label`]); one that has the claim alone may be among them.
    fn list_owned<'a>(&'a self, owner: &'a OwnerId) -> Answer<'a, Vec<LiveObject>>;

    /// Kinds ([`istio_objects::Kind::key_name`]) that the last [`Self::list_owned`] left out, as this identity may not list
    /// them.
    fn unlisted(&self) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// The same objects, packed: what a list shows is kept for the life of a provider, and a tree takes ten times the memory
    /// of its text.
    fn list_packed<'a>(&'a self, owner: &'a OwnerId) -> Answer<'a, Vec<Packed>> {
        Box::pin(async move { Ok(self.list_owned(owner).await?.iter().map(Packed::new).collect()) })
    }

    /// Every object of these kinds, of others and of ours, in the order of their keys. Who asks twice gets the same trees, as long
    /// as they are true: many resources look at one cluster.
    fn inventory<'a>(&'a self, kinds: &'a Kinds) -> Answer<'a, Vec<Arc<Value>>>;

    /// The objects under these keys, and those of the same kinds with this claim, as [`Self::inventory`] has them: what was
    /// written here is among them, what others write may be seen only after [`Self::forget_inventory`].
    fn near<'a>(&'a self, keys: &'a BTreeSet<ObjectKey>, claim: &'a Claim) -> Answer<'a, Vec<Arc<Value>>> {
        Box::pin(async move {
            let kinds = Kinds::Only(keys.iter().map(|key| key.kind.clone()).collect());
            let mut objects = self.inventory(&kinds).await?;
            objects.retain(|object| {
                object_key(object).is_some_and(|key| keys.contains(&key)) || Claim::on(object).as_ref() == Some(claim)
            });
            Ok(objects)
        })
    }

    /// The next inventory is read anew, unless the last one was read a moment ago.
    fn forget_inventory(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::ready(()))
    }

    /// What is there under the key of a change, and what is to be said with a yes to it: [`Self::get`] and
    /// [`Self::dry_run`]. That something which is not there may be deleted is not asked.
    fn look<'a>(&'a self, change: &'a Change) -> Answer<'a, (Option<LiveObject>, Vec<Remark>)> {
        Box::pin(async move {
            let live = self.get(change.key()).await?;
            let is_nothing_to_do = live.is_none() && matches!(change.operation, Operation::Delete(_));
            let warnings = if is_nothing_to_do { Vec::new() } else { self.dry_run(change).await? };
            Ok((live, warnings))
        })
    }

    /// Whether the change would be accepted; changes nothing. Returns what is to be said with a yes.
    fn dry_run<'a>(&'a self, change: &'a Change) -> Answer<'a, Vec<Remark>>;

    /// Writes one object and returns it as it is now. See [`Write`] for what stays of others.
    fn apply<'a>(&'a self, write: &'a Write, cancel: &'a CancellationToken) -> Answer<'a, LiveObject>;

    /// Removes one object. One that is gone already is a success.
    fn delete<'a>(&'a self, key: &'a ObjectKey, seen: &'a Seen, cancel: &'a CancellationToken) -> Answer<'a, ()>;
}

/// What comes with the yes of a cluster to a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// a warning in the cluster's own words
    Warning(String),
    /// a namespace or a kind is not there yet; the write waits for it
    Awaits {
        /// what is missing
        what: String,
        /// how to make it be there in time
        fix: String,
        /// how long the write waits at most
        at_most: Duration,
    },
    /// something that could not be judged
    Unchecked {
        /// what
        what: String,
        /// why not
        why: String,
    },
}

/// Which kinds to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kinds {
    /// all that the cluster has
    All,
    /// those with one of these names ([`istio_objects::Kind::key_name`])
    Only(BTreeSet<String>),
}

impl Kinds {
    /// Whether a kind is among them.
    #[must_use]
    pub fn contains(&self, kind: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(kinds) => kinds.contains(kind),
        }
    }
}

/// One object to write.
///
/// `spec` and every other member is replaced as a whole. Of `metadata.labels` and `metadata.annotations`, those stay that
/// neither `previous` nor `manifest` names and whose prefix is not reserved; those that `previous` had and `manifest` has
/// not are removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// as it shall be
    pub manifest: Manifest,
    /// as this owner last wrote it
    pub previous: Option<Manifest>,
    /// annotations under [`reserved::STATE_PREFIX`], which are not part of the manifest; they replace all such annotations
    pub state_annotations: BTreeMap<String, String>,
    /// what must be true when the write happens; otherwise [`Class::Conflict`](crate::Class)
    pub precondition: Precondition,
}

/// What a write relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Precondition {
    /// there is no such object
    Absent,
    /// the object is as it was seen
    Unchanged(Seen),
}

/// An object as it was seen: writes and deletions refuse any other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// whose it was, if a readable claim was on it
    pub claim: Option<Claim>,
    /// in which state it was
    pub revision: Revision,
}

/// A state of one object: opaque, compared for equality only. A digest of the content, or uid and resource version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision(pub String);

/// An object as read from a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveObject {
    /// which one
    pub key: ObjectKey,
    /// the whole object
    pub json: Arc<Value>,
    /// whose it is: `None` without a claim, `Some(Err)` when the claim is unreadable (the text says why)
    pub claim: Option<Result<Claim, String>>,
    /// its state
    pub revision: Revision,
    /// who wrote which part of it; `None` where the cluster does not know
    pub authors: Option<Arc<Authors>>,
}

/// A live object as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// which one
    pub key: ObjectKey,
    /// whose it is, if a readable claim is on it
    pub claim: Option<Claim>,
    json: Box<str>,
    revision: Revision,
    authors: Option<Box<str>>,
}

impl Packed {
    /// Packs an object.
    #[must_use]
    pub fn new(live: &LiveObject) -> Self {
        Self {
            key: live.key.clone(),
            claim: live.claimed_by().cloned(),
            json: live.json.to_string().into(),
            revision: live.revision.clone(),
            authors: live.authors.as_ref().map(|authors| authors.pack()),
        }
    }

    /// The object, as it was packed.
    ///
    /// # Panics
    /// Never: only objects are packed.
    #[must_use]
    pub fn unpack(&self) -> LiveObject {
        let json = serde_json::from_str(&self.json).expect("a packed object is JSON");
        let live = LiveObject::new(json, self.revision.clone()).expect("a packed object is an object");
        match &self.authors {
            Some(authors) => live.written_by(Authors::unpack(authors)),
            None => live,
        }
    }
}

impl LiveObject {
    /// The live object of a JSON object; `None` when that is no Kubernetes object.
    #[must_use]
    pub fn new(json: Value, revision: Revision) -> Option<Self> {
        let key = object_key(&json)?;
        let claim = json.pointer("/metadata/annotations").and_then(|annotations| annotations.get(reserved::CLAIM_ANNOTATION));
        let claim = claim.map(|text| text.as_str().ok_or_else(|| format!("{text} is no claim"))?.parse());
        Some(Self { key, json: Arc::new(json), claim, revision, authors: None })
    }

    /// The same, with the record of who wrote what.
    #[must_use]
    pub fn written_by(mut self, authors: Authors) -> Self {
        self.authors = Some(Arc::new(authors));
        self
    }

    /// The claim, if a readable one is there.
    #[must_use]
    pub fn claimed_by(&self) -> Option<&Claim> {
        self.claim.as_ref().and_then(|claim| claim.as_ref().ok())
    }

    /// Whether the label of this owner is on it.
    #[must_use]
    pub fn has_label_of(&self, owner: &OwnerId) -> bool {
        let label = self.json.pointer("/metadata/labels").and_then(|labels| labels.get(reserved::OWNER_LABEL));
        label.and_then(Value::as_str) == Some(&Claim::owner_label(owner))
    }

    /// As a precondition.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen { claim: self.claimed_by().cloned(), revision: self.revision.clone() }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for dyn Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(self.name()).finish()
    }
}
