//! All clusters of one configured provider.
//!
//! Contract: lives as long as the configured provider instance and is shared by all its resources. So are the list of what
//! the owner has in a cluster, until something is written there, and the verdict that a cluster is silent.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use istio_objects::{Claim, ObjectKey};
use mesh_model::names::{ClusterName, Namespace, OwnerId};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::port::{Cluster, Kinds, LiveObject, Packed};
use crate::{Class, ClusterError};

/// How many requests run at once, unless told otherwise.
const MAX_IN_FLIGHT: usize = 16;

/// The clusters of a provider block, seen by one owner.
pub struct Fleet {
    owner: OwnerId,
    /// `None`: its connection is not known yet
    slots: BTreeMap<ClusterName, Option<Arc<Slot>>>,
    decommissioned: BTreeSet<ClusterName>,
    limit: Arc<Semaphore>,
}

/// A configured cluster.
#[derive(Clone)]
pub enum Member {
    /// its connection is known
    Ready(Arc<dyn Cluster>),
    /// a part of its connection is known only after apply
    Unknown,
}

/// What a cluster name means to a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// it can be asked
    Ready,
    /// its connection is not known yet
    Unknown,
    /// its objects may be forgotten
    Decommissioned,
    /// the provider block does not have it
    Unconfigured,
}

/// A ready cluster and what was learnt about it.
pub(crate) struct Slot {
    pub(crate) cluster: Arc<dyn Cluster>,
    silent: Mutex<Option<ClusterError>>,
    is_reported: AtomicBool,
    listed: tokio::sync::Mutex<Option<Arc<Listed>>>,
    /// where changes may not be tried
    untried: Mutex<BTreeSet<Place>>,
    is_untried_reported: AtomicBool,
    /// kinds of which it was told that they may not be listed
    unlisted: Mutex<BTreeSet<String>>,
}

/// A kind in a namespace: what a role allows or not.
pub(crate) type Place = (String, Option<Namespace>);

/// What the owner has in a cluster.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) objects: BTreeMap<ObjectKey, Packed>,
    pub(crate) by_claim: BTreeMap<Claim, Vec<ObjectKey>>,
}

/// Everything that an owner has in one cluster.
#[derive(Clone, Debug)]
pub struct Owned {
    /// what carries its label, in the order of keys
    pub objects: Vec<LiveObject>,
    /// kinds ([`istio_objects::Kind::key_name`]) that may not be listed: objects of them may be there, too
    pub unlisted: BTreeSet<String>,
}

impl Fleet {
    /// A fleet; opens nothing. A decommissioned cluster is never asked, even if it is a member too.
    #[must_use]
    pub fn new(owner: OwnerId, members: BTreeMap<ClusterName, Member>, decommissioned: BTreeSet<ClusterName>) -> Self {
        let slots = members.into_iter().filter(|(name, _)| !decommissioned.contains(name)).map(|(name, member)| {
            let slot = match member {
                Member::Ready(cluster) => Some(Arc::new(Slot::new(cluster))),
                Member::Unknown => None,
            };
            (name, slot)
        });
        Self { owner, slots: slots.collect(), decommissioned, limit: Arc::new(Semaphore::new(MAX_IN_FLIGHT)) }
    }

    /// The same, with another bound on the requests that run at once, over all clusters and resources; at least 1.
    #[must_use]
    pub fn with_max_in_flight(mut self, requests: usize) -> Self {
        self.limit = Arc::new(Semaphore::new(requests.clamp(1, Semaphore::MAX_PERMITS)));
        self
    }

    /// Who it acts for.
    #[must_use]
    pub fn owner(&self) -> &OwnerId {
        &self.owner
    }

    /// What a cluster name means here.
    #[must_use]
    pub fn standing(&self, cluster: &ClusterName) -> Standing {
        match self.slots.get(cluster) {
            _ if self.decommissioned.contains(cluster) => Standing::Decommissioned,
            Some(Some(_)) => Standing::Ready,
            Some(None) => Standing::Unknown,
            None => Standing::Unconfigured,
        }
    }

    /// The configured clusters that are not decommissioned.
    pub fn clusters(&self) -> impl Iterator<Item = &ClusterName> {
        self.slots.keys()
    }

    /// Every object of these kinds in a cluster: what discovery and the checks against others look at. `None` when the
    /// cluster is not [`Standing::Ready`].
    ///
    /// # Errors
    /// What the cluster answers; a silent cluster is asked once.
    pub async fn inventory(&self, cluster: &ClusterName, kinds: &Kinds) -> Option<Result<Vec<Arc<Value>>, ClusterError>> {
        let slot = self.slot(cluster)?;
        Some(slot.ask(slot.cluster.inventory(kinds)).await)
    }

    /// What the owner has in a cluster, from the list that refreshes share: asking costs nothing after one of them. `None` when
    /// the cluster is not [`Standing::Ready`].
    ///
    /// # Errors
    /// As [`Self::inventory`].
    pub async fn owned(&self, cluster: &ClusterName) -> Option<Result<Owned, ClusterError>> {
        let slot = self.slot(cluster)?;
        let listed = slot.listed(&self.owner).await;
        Some(listed.map(|listed| Owned {
            objects: listed.objects.values().map(Packed::unpack).collect(),
            unlisted: slot.cluster.unlisted(),
        }))
    }

    /// The objects under these keys in a cluster, and those of the same kinds with this claim. `None` when the cluster is not
    /// [`Standing::Ready`].
    ///
    /// # Errors
    /// As [`Self::inventory`].
    pub async fn near(
        &self,
        cluster: &ClusterName,
        keys: &BTreeSet<ObjectKey>,
        claim: &Claim,
    ) -> Option<Result<Vec<Arc<Value>>, ClusterError>> {
        let slot = self.slot(cluster)?;
        Some(slot.ask(slot.cluster.near(keys, claim)).await)
    }

    /// What [`Self::inventory`] and [`Self::near`] say next of a cluster is read anew.
    pub async fn forget_inventory(&self, cluster: &ClusterName) {
        if let Some(slot) = self.slot(cluster) {
            slot.cluster.forget_inventory().await;
        }
    }

    pub(crate) fn slot(&self, cluster: &ClusterName) -> Option<&Arc<Slot>> {
        self.slots.get(cluster)?.as_ref()
    }

    pub(crate) fn limit(&self) -> &Arc<Semaphore> {
        &self.limit
    }
}

impl Slot {
    fn new(cluster: Arc<dyn Cluster>) -> Self {
        Self {
            cluster,
            silent: Mutex::default(),
            is_reported: AtomicBool::new(false),
            listed: tokio::sync::Mutex::default(),
            untried: Mutex::default(),
            is_untried_reported: AtomicBool::new(false),
            unlisted: Mutex::default(),
        }
    }

    /// Waits for an answer of the cluster, unless it is known to be silent.
    pub(crate) async fn ask<T>(&self, answer: impl Future<Output = Result<T, ClusterError>>) -> Result<T, ClusterError> {
        // a poisoned verdict is only one that was not stored
        if let Some(error) = self.silent.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(error);
        }
        let result = answer.await;
        if let Err(error) = &result
            && error.class == Class::Unreachable
            && error.lasting
        {
            *self.silent.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
        }
        result
    }

    /// What the owner has here, from the list that all resources share.
    pub(crate) async fn listed(&self, owner: &OwnerId) -> Result<Arc<Listed>, ClusterError> {
        let mut listed = self.listed.lock().await;
        if let Some(listed) = listed.as_ref() {
            return Ok(Arc::clone(listed));
        }
        let mut fresh = Listed::default();
        for object in self.ask(self.cluster.list_packed(owner)).await? {
            if let Some(claim) = &object.claim {
                fresh.by_claim.entry(claim.clone()).or_default().push(object.key.clone());
            }
            fresh.objects.insert(object.key.clone(), object);
        }
        tracing::debug!(cluster = %self.cluster.name(), objects = fresh.objects.len(), "listed");
        let fresh = Arc::new(fresh);
        *listed = Some(Arc::clone(&fresh));
        Ok(fresh)
    }

    /// To be called after every write.
    pub(crate) async fn forget_list(&self) {
        *self.listed.lock().await = None;
    }

    /// Whether this is the first time that the cluster's silence is told.
    pub(crate) fn is_first_report(&self) -> bool {
        !self.is_reported.swap(true, Ordering::Relaxed)
    }

    /// Those of the kinds that may not be listed, and of which that was not told yet.
    pub(crate) fn untold_unlisted<'a>(&self, kinds: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
        let unlisted = self.cluster.unlisted();
        let mut told = self.unlisted.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.filter(|kind| unlisted.contains(*kind) && told.insert((*kind).to_owned())).map(str::to_owned).collect()
    }

    /// Whether the cluster has said that changes may not be tried there.
    pub(crate) fn may_not_try(&self, place: &Place) -> bool {
        self.untried.lock().unwrap_or_else(PoisonError::into_inner).contains(place)
    }

    /// Notes that changes may not be tried there.
    pub(crate) fn note_refused_trial(&self, place: Place) {
        self.untried.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
    }

    /// Whether this is the first time that it is told that changes may not be tried here.
    pub(crate) fn is_first_refused_trial(&self) -> bool {
        !self.is_untried_reported.swap(true, Ordering::Relaxed)
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clusters: BTreeMap<_, _> = self.slots.keys().map(|name| (name, self.standing(name))).collect();
        f.debug_struct("Fleet").field("owner", &self.owner).field("clusters", &clusters).finish_non_exhaustive()
    }
}
