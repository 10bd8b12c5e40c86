//! A cluster in memory, with breakages.
//!
//! Contract: keeps the promises of the port, except where a [`Breakage`] says otherwise.

mod contract;
mod log;

pub use contract::{Others, contract, owner};
pub use log::Log;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use istio_objects::{Change, ObjectKey, object_key};
use mesh_model::names::{ClusterName, OwnerId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::port::{Answer, Cluster, Kinds, LiveObject, Precondition, Remark, Revision, Seen, Write};
use crate::{Class, ClusterError, ownership};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breakage {
    /// it fails with this class and has no effect
    Before(Class),
    /// it has its effect, and the answer is lost in this way
    After(Class),
    /// it answers only when the run is cancelled, and then has no effect; a read never answers
    HangUntilCancelled,
}

/// Which calls fail, counted over all clusters that share the plan.
#[derive(Debug, Default)]
pub struct Breakages {
    state: Mutex<BreakageState>,
}

#[derive(Debug, Default)]
struct BreakageState {
    calls: usize,
    planned: BTreeMap<usize, Breakage>,
}

impl Breakages {
    /// Nothing fails.
    #[must_use]
    pub fn none() -> Arc<Self> {
        Arc::default()
    }

    /// The call with this number fails; the first is 0.
    #[must_use]
    pub fn at(call: usize, breakage: Breakage) -> Arc<Self> {
        let breakages = Self::default();
        breakages.lock().planned.insert(call, breakage);
        Arc::new(breakages)
    }

    /// Plans one more, `ahead` calls from now; 0 is the next one.
    pub fn plan(&self, ahead: usize, breakage: Breakage) {
        let mut state = self.lock();
        let call = state.calls + ahead;
        state.planned.insert(call, breakage);
    }

    /// How many calls there were.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    fn next(&self) -> Option<Breakage> {
        let mut state = self.lock();
        let call = state.calls;
        state.calls += 1;
        state.planned.get(&call).copied()
    }

    fn lock(&self) -> MutexGuard<'_, BreakageState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cluster in memory.
#[derive(Debug)]
pub struct FakeCluster {
    name: ClusterName,
    breakages: Arc<Breakages>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<ObjectKey, (Value, u64)>,
    revision: u64,
    calls: Vec<String>,
    is_silent: bool,
    is_followed: bool,
    unlisted: BTreeSet<String>,
}

impl FakeCluster {
    /// An empty cluster.
    #[must_use]
    pub fn new(name: ClusterName, breakages: Arc<Breakages>) -> Self {
        Self { name, breakages, state: Mutex::default() }
    }

    /// From now on objects of this kind may not be listed.
    pub fn unlist(&self, kind: &str) {
        self.lock().unlisted.insert(kind.to_owned());
    }

    /// From now on proxies follow what is written there.
    pub fn follow(&self) {
        self.lock().is_followed = true;
    }

    /// From now on it gives no answer, after the wait that this costs.
    pub fn silence(&self) {
        self.lock().is_silent = true;
    }

    /// Puts an object there, as somebody else would.
    ///
    /// # Panics
    /// When it is no Kubernetes object.
    pub fn put(&self, object: Value) {
        let key = object_key(&object).expect("a Kubernetes object");
        let mut state = self.lock();
        state.revision += 1;
        let revision = state.revision;
        state.objects.insert(key, (object, revision));
    }

    /// Removes an object, as somebody else would.
    pub fn take(&self, key: &ObjectKey) -> Option<Value> {
        self.lock().objects.remove(key).map(|(object, _)| object)
    }

    /// All objects.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<ObjectKey, Value> {
        self.lock().objects.iter().map(|(key, (object, _))| (key.clone(), object.clone())).collect()
    }

    /// Every call so far: `get VirtualService/bookinfo/reviews`, `list`, `inventory`, `dry-run …`, `apply …`, `delete …`.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.lock().calls.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: counted, broken where planned, otherwise `effect`.
    async fn call<T>(
        &self,
        what: String,
        key: Option<&ObjectKey>,
        cancel: Option<&CancellationToken>,
        effect: impl FnOnce(&mut State) -> Result<T, ClusterError> + Send,
    ) -> Result<T, ClusterError> {
        self.lock().calls.push(what.clone());
        if self.lock().is_silent {
            return Err(self.error(Class::Unreachable, None, "silence").lasting());
        }
        match self.breakages.next() {
            None => effect(&mut self.lock()),
            Some(Breakage::Before(class)) => Err(self.error(class, key, &what)),
            Some(Breakage::After(class)) => {
                let result = effect(&mut self.lock());
                result.and_then(|_| Err(self.error(class, key, &what)))
            }
            Some(Breakage::HangUntilCancelled) => {
                match cancel {
                    Some(cancel) => cancel.cancelled().await,
                    None => std::future::pending().await,
                }
                Err(self.error(Class::Cancelled, key, &what))
            }
        }
    }

    fn error(&self, class: Class, key: Option<&ObjectKey>, what: &str) -> ClusterError {
        let error =
            ClusterError::new(class, &self.name, format!("{what}: broken as planned"), "A test wants it.", "Fix the test.");
        match key {
            Some(key) if class != Class::Unreachable => error.at(key),
            _ => error,
        }
    }

    fn conflict(&self, key: &ObjectKey) -> ClusterError {
        self.error(Class::Conflict, Some(key), "the object changed")
    }
}

impl State {
    fn live(&self, key: &ObjectKey) -> Option<LiveObject> {
        let (object, revision) = self.objects.get(key)?;
        LiveObject::new(object.clone(), Revision(revision.to_string()))
    }
}

impl Cluster for FakeCluster {
    fn name(&self) -> &ClusterName {
        &self.name
    }

    fn is_followed(&self) -> bool {
        self.lock().is_followed
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Option<LiveObject>> {
        Box::pin(self.call(format!("get {key}"), Some(key), None, |state| Ok(state.live(key))))
    }

    fn list_owned<'a>(&'a self, owner: &'a OwnerId) -> Answer<'a, Vec<LiveObject>> {
        Box::pin(self.call("list".to_owned(), None, None, |state| {
            let listed = state.objects.keys().filter(|key| !state.unlisted.contains(&key.kind));
            let live = listed.filter_map(|key| state.live(key));
            Ok(live.filter(|object| object.has_label_of(owner)).collect())
        }))
    }

    fn unlisted(&self) -> BTreeSet<String> {
        self.lock().unlisted.clone()
    }

    fn inventory<'a>(&'a self, kinds: &'a Kinds) -> Answer<'a, Vec<Arc<Value>>> {
        Box::pin(self.call("inventory".to_owned(), None, None, |state| {
            let objects = state.objects.iter().filter(|(key, _)| kinds.contains(&key.kind));
            Ok(objects.map(|(_, (object, _))| Arc::new(object.clone())).collect())
        }))
    }

    fn dry_run<'a>(&'a self, change: &'a Change) -> Answer<'a, Vec<Remark>> {
        let key = change.key();
        Box::pin(self.call(format!("dry-run {key}"), Some(key), None, |_| Ok(Vec::new())))
    }

    fn apply<'a>(&'a self, write: &'a Write, cancel: &'a CancellationToken) -> Answer<'a, LiveObject> {
        let key = write.manifest.key();
        Box::pin(self.call(format!("apply {key}"), Some(key), Some(cancel), |state| {
            let live = state.live(key);
            match (&write.precondition, &live) {
                (Precondition::Absent, None) => {}
                (Precondition::Unchanged(seen), Some(live)) if *seen == live.seen() => {}
                _ => return Err(self.conflict(key)),
            }
            let object = ownership::compose(write, live.as_ref().map(|live| &*live.json));
            state.revision += 1;
            state.objects.insert(key.clone(), (object, state.revision));
            Ok(state.live(key).expect("it was written"))
        }))
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey, seen: &'a Seen, cancel: &'a CancellationToken) -> Answer<'a, ()> {
        Box::pin(self.call(format!("delete {key}"), Some(key), Some(cancel), |state| match state.live(key) {
            None => Ok(()),
            Some(live) if live.seen() == *seen => {
                state.objects.remove(key);
                Ok(())
            }
            Some(_) => Err(self.conflict(key)),
        }))
    }
}
