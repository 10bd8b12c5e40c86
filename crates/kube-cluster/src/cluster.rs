//! The port, on an API server.

#[cfg(feature = "testing")]
mod noise;
mod places;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use istio_objects::{Change, Claim, Kind, Manifest, ObjectKey, Operation, reserved};
use kube_apply::authors::path_of;
use kube_apply::port::{Answer, Cluster, Kinds, LiveObject, Packed, Precondition, Remark, Seen, Write};
use kube_apply::{Class, ClusterError};
use mesh_model::names::{ClusterName, Namespace, OwnerId};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::kinds::{KINDS, Known, Purpose};
use crate::nearby::Nearby;
use crate::object::{self, Raw};
use crate::status::{self, NotFound};
use crate::transport::{Call, Limits, Reply, Transport};

pub use places::outside;

/// How often a write is tried when something that does not matter to it changes meanwhile.
const TRIES: usize = 6;
/// How long a write waits for a namespace, a kind or the end of a deletion.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);
/// A resource version that no object has. An object that is applied with it is created; one that is there is a conflict.
const NO_VERSION: &str = "1";

/// A cluster of kind `kubernetes`.
#[derive(Clone)]
pub struct KubeCluster(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) transport: Transport,
    manager: String,
    /// `None`: all
    pub(crate) namespaces: Option<Vec<Namespace>>,
    /// the version in which a kind was found to be served
    pub(crate) served: Mutex<BTreeMap<String, &'static str>>,
    /// kinds that a list found absent, until something of them is written
    pub(crate) absent: Mutex<BTreeSet<String>>,
    /// kinds that may not be listed
    pub(crate) unlisted: Mutex<BTreeSet<String>>,
    /// what the cluster has
    pub(crate) nearby: Nearby,
    /// objects as they were last read or written, until they are written
    handles: Mutex<BTreeMap<ObjectKey, Handle>>,
}

/// What a write has to know of an object that is there.
#[derive(Clone)]
struct Handle {
    seen: Seen,
    uid: String,
    version: String,
    accepted: Option<String>,
}

impl KubeCluster {
    /// A cluster; opens nothing. `user_agent` names the program and the owner.
    #[must_use]
    pub fn new(name: ClusterName, access: Access, owner: &OwnerId, user_agent: &str, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            transport: Transport::new(name, access, user_agent, limits),
            manager: object::manager(owner),
            namespaces: None,
            served: Mutex::default(),
            absent: Mutex::default(),
            unlisted: Mutex::default(),
            nearby: Nearby::default(),
            handles: Mutex::default(),
        }))
    }

    /// The same, looking for objects in these namespaces only.
    ///
    /// # Panics
    /// When the cluster is in use already.
    #[must_use]
    pub fn in_namespaces(mut self, namespaces: Option<Vec<Namespace>>) -> Self {
        Arc::get_mut(&mut self.0).expect("a cluster is configured before it is shared").namespaces = namespaces;
        self
    }
}

impl std::fmt::Debug for KubeCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KubeCluster").field(self.0.transport.cluster()).finish()
    }
}

impl Cluster for KubeCluster {
    fn is_followed(&self) -> bool {
        true
    }

    fn name(&self) -> &ClusterName {
        self.0.transport.cluster()
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Option<LiveObject>> {
        Box::pin(async move {
            let known = self.0.known(key)?;
            self.0.read_live(known, key).await
        })
    }

    fn list_owned<'a>(&'a self, owner: &'a OwnerId) -> Answer<'a, Vec<LiveObject>> {
        Box::pin(async move { Ok(self.list_packed(owner).await?.iter().map(Packed::unpack).collect()) })
    }

    fn list_packed<'a>(&'a self, owner: &'a OwnerId) -> Answer<'a, Vec<Packed>> {
        Box::pin(async move {
            let selector = format!("{}={}", reserved::OWNER_LABEL, Claim::owner_label(owner));
            let kinds = KINDS.iter().filter(|known| known.purpose == Purpose::Written);
            let manager = self.0.manager.clone();
            let make = move |json| Some(Packed::new(&Raw::new(json, &manager).live()?));
            let lists = self.0.lists(kinds, Some(selector), |_| true, Arc::new(make)).await?;
            Ok(lists.into_iter().flat_map(|(_, items)| items).collect())
        })
    }

    fn unlisted(&self) -> BTreeSet<String> {
        let unlisted = self.0.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        KINDS.iter().filter(|known| unlisted.contains(&known.resource())).map(Known::key_name).collect()
    }

    fn inventory<'a>(&'a self, kinds: &'a Kinds) -> Answer<'a, Vec<Arc<Value>>> {
        Box::pin(async move { self.0.inventory(kinds).await })
    }

    fn near<'a>(&'a self, keys: &'a BTreeSet<ObjectKey>, claim: &'a Claim) -> Answer<'a, Vec<Arc<Value>>> {
        Box::pin(self.0.near(keys, claim))
    }

    fn forget_inventory(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.0.nearby.forget())
    }

    fn look<'a>(&'a self, change: &'a Change) -> Answer<'a, (Option<LiveObject>, Vec<Remark>)> {
        Box::pin(self.0.look(change))
    }

    fn dry_run<'a>(&'a self, change: &'a Change) -> Answer<'a, Vec<Remark>> {
        Box::pin(self.0.dry_run(change))
    }

    fn apply<'a>(&'a self, write: &'a Write, cancel: &'a CancellationToken) -> Answer<'a, LiveObject> {
        Box::pin(async move {
            let result = self.0.apply(write, cancel).await;
            self.0.nearby.note(write.manifest.key(), result.as_ref().ok().map(|live| Some(&live.json))).await;
            result
        })
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey, seen: &'a Seen, cancel: &'a CancellationToken) -> Answer<'a, ()> {
        Box::pin(async move {
            let result = self.0.delete(key, seen, cancel).await;
            self.0.nearby.note(key, result.as_ref().ok().map(|()| None)).await;
            result
        })
    }
}

impl Inner {
    pub(crate) fn cluster(&self) -> &ClusterName {
        self.transport.cluster()
    }

    fn known(&self, key: &ObjectKey) -> Result<&'static Known, ClusterError> {
        let known = Known::of_key(&key.kind).filter(|known| known.is_namespaced == key.namespace.is_some());
        known.ok_or_else(|| {
            ClusterError::new(
                Class::Invalid,
                self.cluster(),
                format!("{key} is of no kind that is known"),
                "The kinds of Istio and of Gateway API are known, each with a namespace or without.",
                "Check `apiVersion`, `kind` and `metadata.namespace` of the manifest.",
            )
            .at(key)
        })
    }

    /// The version in which a manifest is written.
    fn written_version(&self, manifest: &Manifest) -> Result<(&'static Known, String), ClusterError> {
        let known = self.known(manifest.key())?;
        let value = manifest.value();
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = Kind::parse(&text("apiVersion"), &text("kind"));
        Ok((known, kind.map_or_else(|| known.versions[0].to_owned(), |kind| kind.version)))
    }

    /// The versions in which a kind may be served, the one first in which it was found before.
    pub(crate) fn versions(&self, known: &Known) -> Vec<&'static str> {
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner).get(&known.resource()).copied();
        let rest = known.versions.iter().copied().filter(|version| Some(*version) != served);
        served.into_iter().chain(rest).collect()
    }

    /// Reads one object, in this version or in any that is served.
    async fn read(&self, known: &Known, version: Option<&str>, key: &ObjectKey) -> Result<Option<Raw>, ClusterError> {
        let versions = version.map_or_else(|| self.versions(known), |_| Vec::new());
        for version in version.into_iter().chain(versions) {
            let reply = self.transport.send(Call::get(known.object(version, key))).await?;
            match reply.not_found(known) {
                Some(NotFound::Kind) => {}
                Some(NotFound::Object | NotFound::Namespace) => return Ok(None),
                None if reply.is_success() && reply.body["metadata"].is_object() => {
                    self.note_served(known, version);
                    return Ok(Some(Raw::new(reply.body, &self.manager)));
                }
                None if reply.is_success() => return Err(self.unreadable(known).at(key)),
                None => return Err(reply.error(self.cluster(), "get", known, Some(key))),
            }
        }
        Ok(None)
    }

    /// Reads one object as the engine sees it, and keeps what a write of it has to know.
    async fn read_live(&self, known: &Known, key: &ObjectKey) -> Result<Option<LiveObject>, ClusterError> {
        let Some(raw) = self.read(known, None, key).await? else { return Ok(None) };
        let Some(live) = raw.live() else { return Ok(None) };
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), Handle::new(&raw, &live));
        Ok(Some(live))
    }

    /// What is known of an object in this state; it is known once.
    fn handle(&self, key: &ObjectKey, seen: &Seen) -> Option<Handle> {
        let handle = self.handles.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        handle.filter(|handle| handle.seen == *seen)
    }

    /// What is there, and what the server says to the change. One that creates an object is tried on the condition that there
    /// is none: a yes says both.
    async fn look(&self, change: &Change) -> Result<(Option<LiveObject>, Vec<Remark>), ClusterError> {
        let (key, known) = (change.key(), self.known(change.key())?);
        if let Operation::Create(manifest) = &change.operation {
            self.check_place(known, key)?;
            let reply = self.try_write(manifest, None, true).await?;
            if !reply.is_conflict() {
                return Ok((None, self.verdict(&reply, known, key)?));
            }
        }
        let live = self.read_live(known, key).await?;
        let warnings = match (&change.operation, &live) {
            (Operation::Delete(_), None) => Vec::new(),
            _ => self.try_change(change, live.as_ref()).await?,
        };
        Ok((live, warnings))
    }

    async fn dry_run(&self, change: &Change) -> Result<Vec<Remark>, ClusterError> {
        let (key, known) = (change.key(), self.known(change.key())?);
        let there = match &change.operation {
            Operation::Update { .. } => {
                self.check_place(known, key)?;
                self.read(known, None, key).await?.and_then(|there| there.live())
            }
            _ => None,
        };
        self.try_change(change, there.as_ref()).await
    }

    /// Tries a change of what is there.
    async fn try_change(&self, change: &Change, there: Option<&LiveObject>) -> Result<Vec<Remark>, ClusterError> {
        let (key, known) = (change.key(), self.known(change.key())?);
        let (old, manifest) = match &change.operation {
            Operation::Create(manifest) => (None, manifest),
            Operation::Update { old, new } => (Some(old), new),
            Operation::Delete(key) => {
                let reply = self.send_delete(known, key, "?dryRun=All", None).await?;
                let is_gone = reply.not_found(known).is_some();
                return if reply.is_success() || is_gone {
                    Ok(reply.warnings.into_iter().map(Remark::Warning).collect())
                } else {
                    Err(reply.error(self.cluster(), "delete", known, Some(key)))
                };
            }
        };
        self.check_place(known, key)?;
        if let (Some(old), Some(there)) = (old, there) {
            self.check_held(old, manifest, there)?;
        }
        let reply = self.try_write(manifest, old, false).await?;
        self.verdict(&reply, known, key)
    }

    /// Applies a manifest without effect; on the condition that there is no such object, or on none.
    async fn try_write(&self, manifest: &Manifest, old: Option<&Manifest>, is_new: bool) -> Result<Reply, ClusterError> {
        let (known, version) = self.written_version(manifest)?;
        let write = Write {
            manifest: manifest.clone(),
            previous: old.cloned(),
            state_annotations: BTreeMap::new(),
            precondition: Precondition::Absent,
        };
        let mut body = object::applied(&write, None);
        if is_new {
            condition(&mut body, None);
        }
        self.patch(known, &version, &write, &body, "&dryRun=All", None).await
    }

    /// What an answer to a trial means.
    fn verdict(&self, reply: &Reply, known: &Known, key: &ObjectKey) -> Result<Vec<Remark>, ClusterError> {
        match reply.not_found(known) {
            Some(what @ (NotFound::Namespace | NotFound::Kind)) => {
                let words = *status::not_there(self.cluster(), known, Some(key), Some(what)).words;
                Ok(vec![Remark::Awaits { what: words.what, fix: words.fix, at_most: LONGEST_WAIT }])
            }
            _ if reply.is_success() => Ok(reply.warnings.iter().cloned().map(Remark::Warning).collect()),
            _ => Err(reply.error(self.cluster(), "patch", known, Some(key))),
        }
    }

    /// Refuses a change of what somebody else applies with the same value. Where the live value is another one, that is
    /// drift, which the plan shows and which is compared before the write; other states of this provider have claims.
    fn check_held(&self, old: &Manifest, new: &Manifest, there: &LiveObject) -> Result<(), ClusterError> {
        let Some(authors) = &there.authors else { return Ok(()) };
        let drifted = kube_apply::drift_lines(old, Some(&there.json));
        let drifted: Vec<&str> = drifted.iter().filter_map(|line| path_of(line)).collect();
        let changes = kube_apply::drift_lines(new, Some(&there.json));
        let held = changes.iter().find_map(|line| {
            let path = path_of(line).filter(|path| !drifted.contains(path))?;
            let author = authors.of_line(line, &there.json)?;
            (author.is_applier && !author.manager.starts_with("gloo-terraform:")).then_some((path, author))
        });
        let Some((path, author)) = held else { return Ok(()) };
        let manager: String = author.manager.chars().filter(|c| !c.is_control()).collect();
        // who applies what is there already leaves no time
        let since = if author.time.is_empty() { String::new() } else { format!(", since {}", author.time) };
        let error = ClusterError::new(
            Class::Held,
            self.cluster(),
            format!("{path} of {} in cluster {} is also applied by {manager}{since}", old.key(), self.cluster()),
            "It has the same value there until now, and would be set back after this change. Nothing was written in any cluster.",
            format!(
                "Take the object out of what {manager} applies, and its fields out of its name:\n\n  kubectl apply --server-side \
                 --field-manager={manager} …   # without this field\n\nOr leave the object to {manager}: remove it here. An \
                 object that another owner of this provider has is taken over with `takeover_from`, one that nobody claims \
                 with `adopt`."
            ),
        );
        Err(error.at(old.key()))
    }

    /// Server-side apply of an object. What others hold is taken from them: that the plan has shown it was checked before.
    async fn patch(
        &self,
        known: &Known,
        version: &str,
        write: &Write,
        body: &Value,
        query: &str,
        cancel: Option<&CancellationToken>,
    ) -> Result<Reply, ClusterError> {
        let path = known.object(version, write.manifest.key());
        let call = Call {
            method: Method::PATCH,
            path: format!("{path}?fieldManager={}&force=true&fieldValidation=Strict{query}", escape(&self.manager)),
            content: Some(("application/apply-patch+yaml", body.to_string().into_bytes())),
            cancel,
            is_list: false,
        };
        self.transport.send(call).await
    }

    async fn apply(&self, write: &Write, cancel: &CancellationToken) -> Result<LiveObject, ClusterError> {
        let key = write.manifest.key();
        let (known, version) = self.written_version(&write.manifest)?;
        self.check_place(known, key)?;
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            // the first time on what was seen before, which the server compares; after that on what is there
            let there = match &write.precondition {
                Precondition::Absent if tries == 1 => None,
                Precondition::Unchanged(seen) if let Some(handle) = self.handle(key, seen).filter(|_| tries == 1) => Some(handle),
                precondition => {
                    let there = self.read(known, None, key).await?;
                    self.check(key, precondition, there.as_ref())?;
                    there.as_ref().and_then(|raw| Some(Handle::new(raw, &raw.live()?)))
                }
            };
            let accepted = there.as_ref().and_then(|there| there.accepted.clone());
            let mut body = object::applied(write, accepted.as_deref());
            condition(&mut body, there.as_ref().map(|there| (there.uid.as_str(), there.version.as_str())));
            let reply = self.patch(known, &version, write, &body, "", Some(cancel)).await?;
            let written = match reply.not_found(known) {
                Some(what @ (NotFound::Namespace | NotFound::Kind)) if begun.elapsed() < LONGEST_WAIT => {
                    self.wait(key, what, begun, cancel).await?;
                    tries = 0;
                    continue;
                }
                // another request came first: look again, and go on if it changed nothing that matters
                _ if reply.is_conflict() && tries < TRIES => continue,
                _ if reply.is_success() => Raw::new(reply.body, &self.manager),
                _ => return Err(reply.error(self.cluster(), "patch", known, Some(key))),
            };
            // from here on the effect has begun
            self.absent.lock().unwrap_or_else(PoisonError::into_inner).remove(&known.resource());
            return self.settle(known, &version, write, written, accepted).await;
        }
    }

    /// Removes what others put in, and records what the server made of the object. `None`: it was changed meanwhile.
    async fn finish(
        &self,
        known: &Known,
        version: &str,
        write: &Write,
        mut written: Raw,
        accepted: Option<String>,
    ) -> Result<Option<Raw>, ClusterError> {
        let key = write.manifest.key();
        let go_on = CancellationToken::new();
        let mut rest = object::rest(write, &written);
        if !rest.patch.is_empty() {
            let call = Call {
                method: Method::PATCH,
                path: format!("{}?fieldManager={}", known.object(version, key), escape(&self.manager)),
                content: Some(("application/json-patch+json", Value::Array(rest.patch).to_string().into_bytes())),
                cancel: Some(&go_on),
                is_list: false,
            };
            let reply = self.transport.send(call).await?;
            // a test of the patch that fails is a 422
            if reply.is_conflict() || reply.status == http::StatusCode::UNPROCESSABLE_ENTITY {
                return Ok(None);
            }
            if !reply.is_success() {
                return Err(reply.error(self.cluster(), "patch", known, Some(key)));
            }
            written = Raw::new(reply.body, &self.manager);
            rest = object::rest(write, &written);
        }
        if rest.accepted != accepted {
            let mut body = object::applied(write, rest.accepted.as_deref());
            condition(&mut body, Some((written.uid(), written.version())));
            let reply = self.patch(known, version, write, &body, "", Some(&go_on)).await?;
            if reply.is_conflict() {
                return Ok(None);
            }
            if !reply.is_success() {
                return Err(reply.error(self.cluster(), "patch", known, Some(key)));
            }
            written = Raw::new(reply.body, &self.manager);
        }
        Ok(Some(written))
    }

    /// Finishes a write, once more where somebody changes the object between its requests.
    async fn settle(
        &self,
        known: &Known,
        version: &str,
        write: &Write,
        mut written: Raw,
        mut accepted: Option<String>,
    ) -> Result<LiveObject, ClusterError> {
        let key = write.manifest.key();
        for _ in 0..TRIES {
            if let Some(finished) = self.finish(known, version, write, written, accepted).await? {
                let live = finished.live().ok_or_else(|| self.unreadable(known).at(key))?;
                let lines = kube_apply::drift_lines(&write.manifest, Some(&live.json));
                return match lines.first() {
                    None => {
                        let handle = Handle::new(&finished, &live);
                        self.handles.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), handle);
                        Ok(live)
                    }
                    Some(line) => Err(self.conflict(key, &format!("right after it was written it is something else ({line})"))),
                };
            }
            let Some(there) = self.read(known, None, key).await? else { break };
            accepted = object::accepted_on(&there.json).map(str::to_owned);
            written = there;
        }
        Err(self.conflict(key, "others keep changing it"))
    }

    fn check(&self, key: &ObjectKey, precondition: &Precondition, there: Option<&Raw>) -> Result<(), ClusterError> {
        match (precondition, there.and_then(Raw::live)) {
            (Precondition::Absent, None) => Ok(()),
            (Precondition::Unchanged(seen), Some(live)) if *seen == live.seen() => Ok(()),
            (Precondition::Absent, Some(_)) => Err(self.conflict(key, "it exists by now")),
            (Precondition::Unchanged(_), None) => Err(self.conflict(key, "it is gone by now")),
            (Precondition::Unchanged(_), Some(_)) => Err(self.conflict(key, "it has changed")),
        }
    }

    fn conflict(&self, key: &ObjectKey, what: &str) -> ClusterError {
        ClusterError::new(
            Class::Conflict,
            self.cluster(),
            format!("{key} in cluster {}: {what}", self.cluster()),
            "The object was changed while the apply was running. The change was not overwritten.",
            "Plan and apply again, and see to it that nothing else writes this object at the same time.",
        )
        .at(key)
    }

    async fn delete(&self, key: &ObjectKey, seen: &Seen, cancel: &CancellationToken) -> Result<(), ClusterError> {
        let known = self.known(key)?;
        let mut known_before = self.handle(key, seen);
        for _ in 0..TRIES {
            let (uid, version) = match known_before.take() {
                Some(Handle { uid, version, .. }) => (uid, version),
                None => {
                    let Some(there) = self.read(known, None, key).await? else { return Ok(()) };
                    self.check(key, &Precondition::Unchanged(seen.clone()), Some(&there))?;
                    (there.uid().to_owned(), there.version().to_owned())
                }
            };
            let options = json!({
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "preconditions": {"uid": uid, "resourceVersion": version},
            });
            let reply = self.send_delete(known, key, "", Some((&options, cancel))).await?;
            if reply.not_found(known).is_some() {
                return Ok(());
            }
            if reply.is_conflict() {
                continue;
            }
            if !reply.is_success() {
                return Err(reply.error(self.cluster(), "delete", known, Some(key)));
            }
            // an object that is gone is answered with a status, one that something holds with itself
            if reply.body.get("kind").is_some_and(|kind| kind == "Status") {
                return Ok(());
            }
            return self.gone(known, key, &uid).await;
        }
        Err(self.conflict(key, "others keep changing it"))
    }
}

/// Makes an applied object conditional on what was read.
fn condition(body: &mut Value, there: Option<(&str, &str)>) {
    let metadata = &mut body["metadata"];
    match there {
        None => metadata["resourceVersion"] = json!(NO_VERSION),
        Some((uid, version)) => {
            metadata["uid"] = json!(uid);
            metadata["resourceVersion"] = json!(version);
        }
    }
}

impl Handle {
    fn new(raw: &Raw, live: &LiveObject) -> Self {
        Self {
            seen: live.seen(),
            uid: raw.uid().to_owned(),
            version: raw.version().to_owned(),
            accepted: object::accepted_on(&raw.json).map(str::to_owned),
        }
    }
}

/// A text as a value of a query.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
