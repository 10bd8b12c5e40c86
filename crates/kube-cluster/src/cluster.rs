//! The port, on an API server.

#[cfg(feature = "testing")]
mod noise;
mod places;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use istio_objects::{Change, Claim, Kind, Manifest, ObjectKey, Operation, reserved};
use kube_apply::authors::path_of;
use kube_apply::port::{Answer, Cluster, Kinds, LiveObject, Precondition, Remark, Seen, Write};
use kube_apply::{Class, ClusterError};
use mesh_model::names::{ClusterName, Namespace, OwnerId};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::kinds::{KINDS, Known, Purpose};
use crate::object::{self, Raw};
use crate::status::{self, NotFound};
use crate::transport::{Call, Limits, Reply, Transport};

pub use places::outside;

/// Objects of one page of a list.
const PAGE: usize = 500;
/// How often a list begins anew because its continuation got too old.
const RESTARTS: usize = 3;
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

struct Inner {
    transport: Transport,
    manager: String,
    /// `None`: all
    namespaces: Option<Vec<Namespace>>,
    /// the version in which a kind was found to be served
    served: Mutex<BTreeMap<String, &'static str>>,
    /// kinds that a list found absent, until something of them is written
    absent: Mutex<BTreeSet<String>>,
    /// kinds that may not be listed
    unlisted: Mutex<BTreeSet<String>>,
    /// what the cluster has, until something is written; counted by the number of writes
    inventory: tokio::sync::Mutex<Option<Arc<Inventory>>>,
}

type Inventory = BTreeMap<String, Vec<Value>>;

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
            inventory: tokio::sync::Mutex::default(),
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
    fn name(&self) -> &ClusterName {
        self.0.transport.cluster()
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Option<LiveObject>> {
        Box::pin(async move {
            let known = self.0.known(key)?;
            let raw = self.0.read(known, None, key).await?;
            Ok(raw.and_then(|raw| raw.live()))
        })
    }

    fn list_owned<'a>(&'a self, owner: &'a OwnerId) -> Answer<'a, Vec<LiveObject>> {
        Box::pin(async move {
            let selector = format!("{}={}", reserved::OWNER_LABEL, Claim::owner_label(owner));
            let kinds = KINDS.iter().filter(|known| known.purpose == Purpose::Written);
            let lists = self.0.lists(kinds, Some(selector), |_| true).await?;
            let objects = lists.into_iter().flat_map(|(_, items)| items);
            Ok(objects.filter_map(|json| Raw::new(json, &self.0.manager).live()).collect())
        })
    }

    fn unlisted(&self) -> BTreeSet<String> {
        let unlisted = self.0.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        KINDS.iter().filter(|known| unlisted.contains(&known.resource())).map(Known::key_name).collect()
    }

    fn inventory<'a>(&'a self, kinds: &'a Kinds) -> Answer<'a, Vec<Value>> {
        Box::pin(async move {
            let all = self.0.inventory().await?;
            let asked = all.iter().filter(|(kind, _)| kinds.contains(kind));
            Ok(asked.flat_map(|(_, objects)| objects.iter().cloned()).collect())
        })
    }

    fn dry_run<'a>(&'a self, change: &'a Change) -> Answer<'a, Vec<Remark>> {
        Box::pin(self.0.dry_run(change))
    }

    fn apply<'a>(&'a self, write: &'a Write, cancel: &'a CancellationToken) -> Answer<'a, LiveObject> {
        Box::pin(async move {
            let result = self.0.apply(write, cancel).await;
            self.0.forget().await;
            result
        })
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey, seen: &'a Seen, cancel: &'a CancellationToken) -> Answer<'a, ()> {
        Box::pin(async move {
            let result = self.0.delete(key, seen, cancel).await;
            self.0.forget().await;
            result
        })
    }
}

impl Inner {
    fn cluster(&self) -> &ClusterName {
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
    fn versions(&self, known: &Known) -> Vec<&'static str> {
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

    /// Lists kinds beside each other; those that the cluster does not have are not in the result, and are not asked for
    /// again. A kind that may not be listed is left out when `may_miss` says so, unless none may be; nothing of it is written.
    async fn lists(
        self: &Arc<Self>,
        kinds: impl Iterator<Item = &'static Known>,
        selector: Option<String>,
        may_miss: impl Fn(&Known) -> bool,
    ) -> Result<Vec<(&'static Known, Vec<Value>)>, ClusterError> {
        let mut tasks = JoinSet::new();
        for known in kinds.filter(|known| known.is_namespaced || self.namespaces.is_none() || selector.is_none()) {
            let (inner, selector) = (Arc::clone(self), selector.clone());
            tasks.spawn(async move { (known, inner.list(known, selector.as_deref()).await) });
        }
        let mut lists = Vec::new();
        let mut forbidden = None;
        // an error ends the others: a silent cluster is waited for once
        while let Some(task) = tasks.join_next().await {
            match task {
                Ok((known, Ok(Some(items)))) => lists.push((known, items)),
                Ok((_, Ok(None))) => {}
                Ok((known, Err(error))) if error.class == Class::Forbidden && may_miss(known) => {
                    let mut unlisted = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
                    if unlisted.insert(known.resource()) {
                        tracing::warn!(cluster = %self.cluster(), kind = known.resource(), "may not be listed: nothing is known about its objects, and none is written");
                    }
                    forbidden = Some(error);
                }
                Ok((_, Err(error))) => return Err(error),
                Err(crash) => {
                    return Err(ClusterError::new(
                        Class::Io,
                        self.cluster(),
                        "a request crashed inside the provider",
                        crash.to_string(),
                        "This is a defect of the provider: please report it with the log.",
                    ));
                }
            }
        }
        match forbidden {
            Some(error) if lists.is_empty() => Err(error),
            _ => {
                lists.sort_by_key(|(known, _)| known.key_name());
                Ok(lists)
            }
        }
    }

    /// All objects of a kind, page by page; `None`: the cluster does not have the kind.
    async fn list(&self, known: &'static Known, selector: Option<&str>) -> Result<Option<Vec<Value>>, ClusterError> {
        if self.absent.lock().unwrap_or_else(PoisonError::into_inner).contains(&known.resource()) {
            return Ok(None);
        }
        if let Some(namespaces) = self.namespaces.as_ref().filter(|_| !known.is_namespaced) {
            return self.beside(known, namespaces).await;
        }
        for version in self.versions(known) {
            let places: Vec<Option<&str>> = match &self.namespaces {
                Some(namespaces) if known.is_namespaced => namespaces.iter().map(|namespace| Some(namespace.as_str())).collect(),
                _ => vec![None],
            };
            let mut objects = Vec::new();
            let mut is_served = true;
            for place in places {
                match self.pages(known, version, place, selector).await? {
                    Some(items) => objects.extend(items),
                    None => {
                        is_served = false;
                        break;
                    }
                }
            }
            if is_served {
                self.note_served(known, version);
                return Ok(Some(objects));
            }
        }
        self.absent.lock().unwrap_or_else(PoisonError::into_inner).insert(known.resource());
        Ok(None)
    }

    async fn pages(
        &self,
        known: &Known,
        version: &str,
        namespace: Option<&str>,
        selector: Option<&str>,
    ) -> Result<Option<Vec<Value>>, ClusterError> {
        let mut restarts = 0;
        let mut objects: Vec<Value> = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut path = format!("{}?limit={PAGE}", known.collection(version, namespace));
            if let Some(selector) = selector {
                path.push_str(&format!("&labelSelector={}", escape(selector)));
            }
            if let Some(token) = &token {
                path.push_str(&format!("&continue={}", escape(token)));
            }
            let reply = self.transport.send(Call::get(path)).await?;
            if reply.not_found(known) == Some(NotFound::Kind) {
                return Ok(None);
            }
            if reply.is_expired() && token.is_some() && restarts < RESTARTS {
                restarts += 1;
                (objects, token) = (Vec::new(), None);
                continue;
            }
            if !reply.is_success() {
                return Err(reply.error(self.cluster(), "list", known, None));
            }
            let mut body = reply.body;
            token =
                body.pointer("/metadata/continue").and_then(Value::as_str).filter(|token| !token.is_empty()).map(str::to_owned);
            let Some(items) = body.get_mut("items").map(Value::take) else {
                return Err(self.unreadable(known));
            };
            let items = if let Value::Array(items) = items { items } else { Vec::new() };
            objects.extend(items.into_iter().map(|mut item| {
                // items of built-in kinds do not say what they are
                item["apiVersion"] = Value::String(known.api_version(version));
                item["kind"] = Value::String(known.kind.to_owned());
                item
            }));
            if token.is_none() {
                return Ok(Some(objects));
            }
        }
    }

    fn unreadable(&self, known: &Known) -> ClusterError {
        ClusterError::new(
            Class::Damaged,
            self.cluster(),
            format!("what cluster {} answers about {} is nothing that an API server says", self.cluster(), known.resource()),
            "Something else than an API server answers at this address.",
            "Check `host` and `proxy_url` of the cluster.",
        )
    }

    /// What discovery and the checks against others look at.
    async fn inventory(self: &Arc<Self>) -> Result<Arc<Inventory>, ClusterError> {
        let mut held = self.inventory.lock().await;
        if let Some(all) = held.as_ref() {
            return Ok(Arc::clone(all));
        }
        let may_miss = |known: &Known| match known.purpose {
            Purpose::ReadIfAllowed => true,
            Purpose::Read => false,
            Purpose::Written => !["networking.istio.io", "security.istio.io"].contains(&known.group),
        };
        let lists = self.lists(KINDS.iter(), None, may_miss).await?;
        let all: Inventory = lists
            .into_iter()
            .map(|(known, mut items)| {
                let name =
                    |item: &Value, member: &str| item.pointer(member).and_then(Value::as_str).unwrap_or_default().to_owned();
                items.sort_by_key(|item| (name(item, "/metadata/namespace"), name(item, "/metadata/name")));
                if items.is_empty() {
                    // the kind is there and has no objects, which is not the same as not knowing
                    let version = known.api_version(known.versions[0]);
                    items.push(json!({"apiVersion": version, "kind": format!("{}List", known.kind), "items": []}));
                }
                (known.key_name(), items)
            })
            .collect();
        let all = Arc::new(all);
        *held = Some(Arc::clone(&all));
        Ok(all)
    }

    async fn forget(&self) {
        *self.inventory.lock().await = None;
    }

    async fn dry_run(&self, change: &Change) -> Result<Vec<Remark>, ClusterError> {
        let (old, manifest) = match &change.operation {
            Operation::Create(manifest) => (None, manifest),
            Operation::Update { old, new } => (Some(old), new),
            Operation::Delete(key) => {
                let known = self.known(key)?;
                let reply = self.send_delete(known, key, "?dryRun=All", None).await?;
                let is_gone = reply.not_found(known).is_some();
                return if reply.is_success() || is_gone {
                    Ok(reply.warnings.into_iter().map(Remark::Warning).collect())
                } else {
                    Err(reply.error(self.cluster(), "delete", known, Some(key)))
                };
            }
        };
        let (known, version) = self.written_version(manifest)?;
        self.check_place(known, manifest.key())?;
        let write = Write {
            manifest: manifest.clone(),
            previous: old.cloned(),
            state_annotations: BTreeMap::new(),
            precondition: Precondition::Absent,
        };
        if let Some(old) = old
            && let Some(there) = self.read(known, None, manifest.key()).await?.and_then(|there| there.live())
        {
            self.check_held(old, manifest, &there)?;
        }
        let reply = self.patch(known, &version, &write, &object::applied(&write, None), "&dryRun=All", None).await?;
        match reply.not_found(known) {
            Some(what @ (NotFound::Namespace | NotFound::Kind)) => {
                let words = *status::not_there(self.cluster(), known, Some(manifest.key()), Some(what)).words;
                Ok(vec![Remark::Awaits { what: words.what, fix: words.fix, at_most: LONGEST_WAIT }])
            }
            _ if reply.is_success() => Ok(reply.warnings.into_iter().map(Remark::Warning).collect()),
            _ => Err(reply.error(self.cluster(), "patch", known, Some(manifest.key()))),
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
            let there = self.read(known, None, key).await?;
            let accepted = there.as_ref().and_then(|there| object::accepted_on(&there.json).map(str::to_owned));
            let mut body = object::applied(write, accepted.as_deref());
            self.check(key, &write.precondition, there.as_ref())?;
            condition(&mut body, there.as_ref());
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
            condition(&mut body, Some(&written));
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
                    None => Ok(live),
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
        for _ in 0..TRIES {
            let Some(there) = self.read(known, None, key).await? else { return Ok(()) };
            self.check(key, &Precondition::Unchanged(seen.clone()), Some(&there))?;
            let options = json!({
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "preconditions": {"uid": there.uid(), "resourceVersion": there.version()},
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
            return self.gone(known, key, there.uid()).await;
        }
        Err(self.conflict(key, "others keep changing it"))
    }
}

/// Makes an applied object conditional on what was read.
fn condition(body: &mut Value, there: Option<&Raw>) {
    let metadata = &mut body["metadata"];
    match there {
        None => metadata["resourceVersion"] = json!(NO_VERSION),
        Some(there) => {
            metadata["uid"] = json!(there.uid());
            metadata["resourceVersion"] = json!(there.version());
        }
    }
}

/// A text as a value of a query.
fn escape(text: &str) -> String {
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
