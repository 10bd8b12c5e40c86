//! What a cluster has, of ours and of others, as one run sees it.
//!
//! Contract: read once for all resources, and again after [`LIFE`] or when somebody asks for it. What this process writes or
//! deletes meanwhile is put right here; where it cannot tell what a write has left, everything is read anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use istio_objects::{Claim, ObjectKey, object_key};
use kube_apply::port::Kinds;
use kube_apply::{Class, ClusterError};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::cluster::Inner;
use crate::kinds::{KINDS, Known, Purpose};

/// How old it may be. A plan takes that long at most between its look and its words; what happens in between is found by the
/// checks of the apply, which asks for each object.
const LIFE: Duration = Duration::from_secs(15);

/// What was read so lately is not read again for a veto: many resources may be refused for one reason.
const FRESH: Duration = Duration::from_secs(1);

/// What is known of the cluster.
#[derive(Default)]
pub(crate) struct Nearby(Mutex<State>);

#[derive(Default)]
struct State {
    /// everything, by kind: what whole destinations are judged by
    whole: Option<(Instant, ByKind)>,
    /// kinds of single objects; as text, because they may be many
    kinds: BTreeMap<String, (Instant, BTreeMap<ObjectKey, Sight>)>,
}

type ByKind = BTreeMap<String, Vec<Arc<Value>>>;

/// One object.
struct Sight {
    claim: Option<Claim>,
    text: Box<str>,
}

impl Sight {
    /// Without what nobody asks: it is most of the text.
    fn new(mut object: Value) -> Option<(ObjectKey, Self)> {
        let key = object_key(&object)?;
        if let Some(members) = object.as_object_mut() {
            members.remove("status");
            if let Some(metadata) = members.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("managedFields");
            }
        }
        Some((key, Self { claim: Claim::on(&object), text: object.to_string().into() }))
    }
}

impl Nearby {
    /// Nothing is known any more but what was read just now.
    pub(crate) async fn forget(&self) {
        self.0.lock().await.keep(FRESH);
    }

    /// A write has ended: `None`: nobody knows how; `Some(None)`: the object is gone; else it is this.
    pub(crate) async fn note(&self, key: &ObjectKey, now: Option<Option<&Arc<Value>>>) {
        let mut state = self.0.lock().await;
        let Some(now) = now else {
            *state = State::default();
            return;
        };
        if let Some((_, objects)) = state.kinds.get_mut(&key.kind) {
            match now.map(|now| Value::clone(now)).and_then(Sight::new) {
                Some((key, sight)) => drop(objects.insert(key, sight)),
                None => drop(objects.remove(key)),
            }
        }
        if let Some((_, whole)) = &mut state.whole {
            let objects = whole.entry(key.kind.clone()).or_default();
            let position = objects.iter().position(|object| is_named(object, key));
            match (position, now) {
                (Some(position), Some(now)) => objects[position] = Arc::clone(now),
                (Some(position), None) => drop(objects.remove(position)),
                (None, Some(now)) => objects.push(Arc::clone(now)),
                (None, None) => {}
            }
        }
    }

    async fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().await;
        state.keep(LIFE);
        state
    }
}

impl State {
    /// Keeps what is not older than that.
    fn keep(&mut self, age: Duration) {
        self.whole.take_if(|(taken, _)| taken.elapsed() > age);
        self.kinds.retain(|_, (taken, _)| taken.elapsed() <= age);
    }
}

fn is_named(object: &Value, key: &ObjectKey) -> bool {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    text("/metadata/name") == Some(key.name.as_str())
        && text("/metadata/namespace") == key.namespace.as_ref().map(|namespace| namespace.as_str())
}

/// Whether discovery and checks go on without a kind that may not be listed.
fn may_miss(known: &Known) -> bool {
    match known.purpose {
        Purpose::ReadIfAllowed => true,
        Purpose::Read => false,
        Purpose::Written => !["networking.istio.io", "security.istio.io"].contains(&known.group),
    }
}

impl Inner {
    /// What discovery and the checks against others look at.
    pub(crate) async fn inventory(self: &Arc<Self>, kinds: &Kinds) -> Result<Vec<Arc<Value>>, ClusterError> {
        let mut state = self.nearby.state().await;
        if state.whole.is_none() {
            let lists = self.lists(KINDS.iter(), None, may_miss, Arc::new(Some)).await?;
            let all = lists.into_iter().map(|(known, mut items)| {
                let name =
                    |item: &Value, member: &str| item.pointer(member).and_then(Value::as_str).unwrap_or_default().to_owned();
                items.sort_by_key(|item| (name(item, "/metadata/namespace"), name(item, "/metadata/name")));
                if items.is_empty() {
                    // the kind is there and has no objects, which is not the same as not knowing
                    let version = known.api_version(known.versions[0]);
                    items.push(json!({"apiVersion": version, "kind": format!("{}List", known.kind), "items": []}));
                }
                (known.key_name(), items.into_iter().map(Arc::new).collect())
            });
            state.whole = Some((Instant::now(), all.collect()));
        }
        let whole = state.whole.iter().flat_map(|(_, whole)| whole);
        Ok(whole.filter(|(kind, _)| kinds.contains(kind)).flat_map(|(_, objects)| objects.iter().cloned()).collect())
    }

    /// What is under these keys, or has this claim.
    pub(crate) async fn near(
        self: &Arc<Self>,
        keys: &BTreeSet<ObjectKey>,
        claim: &Claim,
    ) -> Result<Vec<Arc<Value>>, ClusterError> {
        let mut state = self.nearby.state().await;
        let kinds: BTreeSet<&String> = keys.iter().map(|key| &key.kind).collect();
        let mut near = Vec::new();
        for kind in kinds {
            if !state.kinds.contains_key(kind) {
                let known = KINDS.iter().filter(|known| known.key_name() == *kind);
                let listed = match self.lists(known, None, may_miss, Arc::new(Sight::new)).await {
                    Err(error) if error.class == Class::Forbidden && Known::of_key(kind).is_some_and(may_miss) => Vec::new(),
                    listed => listed?,
                };
                let objects = listed.into_iter().flat_map(|(_, objects)| objects).collect();
                state.kinds.insert(kind.clone(), (Instant::now(), objects));
            }
            let Some((_, objects)) = state.kinds.get(kind) else { continue };
            let asked = keys.iter().filter(|key| key.kind == *kind).filter_map(|key| objects.get(key));
            let claimed = objects.iter().filter(|(key, sight)| sight.claim.as_ref() == Some(claim) && !keys.contains(key));
            let found = asked.chain(claimed.map(|(_, sight)| sight));
            near.extend(found.filter_map(|sight| serde_json::from_str::<Value>(&sight.text).ok().map(Arc::new)));
        }
        Ok(near)
    }
}
