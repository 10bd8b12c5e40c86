//! One configured provider: its settings, the clusters behind them, and what the resources of this run tell each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use istio_objects::{Claim, Manifest, ObjectKey};
use kube_apply::{DirectoryCluster, Fleet, Member, Standing};
use kube_cluster::{KubeCluster, Limits};
use mesh_model::names::ClusterName;
use tf_value::Diagnostics;
use tokio::time::Instant;

use crate::connection::Connection;
use crate::lifecycle::{Goals, HandOvers};
use crate::provider::Decorate;
use crate::settings::Settings;

/// Settings and clusters of the configured provider; empty before `ConfigureProvider`.
#[derive(Default)]
pub(crate) struct Configured(RwLock<Option<Arc<Session>>>);

/// One configured provider: its settings and the clusters behind them.
pub(crate) struct Session {
    /// the provider block
    pub(crate) settings: Settings,
    /// the clusters
    pub(crate) fleet: Fleet,
    /// what the resources of this run want, by their plans
    pub(crate) goals: Goals,
    /// what the resources of this run are about to write
    announced: Announced,
    /// resources that go in this run
    pub(crate) leaving: Leaving,
    /// objects that change hands in this run
    pub(crate) hand_overs: HandOvers,
    applies_since: OnceLock<Instant>,
}

impl Configured {
    /// Takes the provider block; its clusters go through `decorate`.
    pub(crate) fn set(&self, settings: Settings, decorate: &Decorate) {
        let fleet = fleet(&settings, decorate);
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Arc::new(Session {
            settings,
            fleet,
            goals: Goals::default(),
            announced: Announced::default(),
            leaving: Leaving::default(),
            hand_overs: HandOvers::default(),
            applies_since: OnceLock::new(),
        }));
    }

    /// The session; core configures the provider before it asks for anything that needs one.
    pub(crate) fn session(&self) -> Result<Arc<Session>, Diagnostics> {
        let session = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        session.ok_or_else(|| {
            tf_value::Diagnostic::error(
                "Provider not configured",
                "The provider was asked to work before it was configured. This is a fault of the client or of the provider; run the command again with TF_LOG=debug and report its output.",
            )
            .into()
        })
    }
}

impl Session {
    /// An apply has begun. Core configures a provider anew for each walk over the configuration, so this is the walk of an
    /// apply: what is planned from now on is applied next. Gives the moment of the walk's first apply.
    pub(crate) fn begin_to_apply(&self) -> Instant {
        *self.applies_since.get_or_init(Instant::now)
    }

    /// Whether what is planned now is applied at once, so that its preflight asks the clusters before the first write.
    pub(crate) fn applies(&self) -> bool {
        self.applies_since.get().is_some()
    }

    /// Announces what `claim` is about to write, until the announcement is dropped; with it comes what others have announced:
    /// all of it, or what is `near`, under the same keys.
    pub(crate) fn announce(&self, claim: &Claim, goal: &PerCluster, near: bool) -> (Announcement<'_>, Inventories) {
        let others = self.announced.announce(claim, goal, near);
        (Announcement { session: self, claim: claim.clone(), is_kept: false }, others)
    }

    /// A resource is not there, and is not to be.
    pub(crate) fn withdraw(&self, claim: &Claim) {
        self.announced.withdraw(claim);
        self.goals.forget(claim);
    }

    /// What a cluster name means here. While the whole map of clusters is unknown, every cluster is.
    pub(crate) fn standing(&self, cluster: &ClusterName) -> Standing {
        match self.fleet.standing(cluster) {
            Standing::Unconfigured if self.settings.clusters.is_none() => Standing::Unknown,
            standing => standing,
        }
    }

    /// The registered clusters, for messages.
    pub(crate) fn cluster_list(&self) -> String {
        let names: Vec<&str> = self.fleet.clusters().map(ClusterName::as_str).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

/// What each cluster holds or shall hold.
pub(crate) type PerCluster = BTreeMap<ClusterName, Vec<Manifest>>;

/// Live objects by cluster.
pub(crate) type Inventories = BTreeMap<ClusterName, Vec<Arc<serde_json::Value>>>;

/// What the resources of one apply are about to write. Two new resources that aim at one host are not in any cluster yet
/// when both are checked; here the second one meets the first.
#[derive(Default)]
struct Announced(Mutex<BTreeMap<Claim, Coming>>);

/// Objects that are about to be written, by cluster.
type Coming = BTreeMap<ClusterName, Vec<(ObjectKey, Arc<serde_json::Value>)>>;

impl Announced {
    fn announce(&self, claim: &Claim, goal: &PerCluster, near: bool) -> Inventories {
        let mut announced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = Inventories::new();
        for (cluster, ours) in goal {
            let keys: BTreeSet<&ObjectKey> = ours.iter().map(Manifest::key).collect();
            let theirs = announced.iter().filter(|(other, _)| *other != claim).filter_map(|(_, theirs)| theirs.get(cluster));
            let told = theirs.flatten().filter(|(key, _)| !near || keys.contains(key));
            others.insert(cluster.clone(), told.map(|(_, object)| Arc::clone(object)).collect());
        }
        announced.insert(claim.clone(), parsed(goal));
        others
    }

    fn withdraw(&self, claim: &Claim) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(claim);
    }
}

/// The objects of manifests. What several clusters shall hold alike is one object.
fn parsed(goal: &PerCluster) -> Coming {
    let mut objects: BTreeMap<&str, Arc<serde_json::Value>> = BTreeMap::new();
    let mut object = |manifest| {
        let object = objects.entry(Manifest::json(manifest)).or_insert_with(|| Arc::new(manifest.value()));
        (manifest.key().clone(), Arc::clone(object))
    };
    goal.iter().map(|(cluster, manifests)| (cluster.clone(), manifests.iter().map(&mut object).collect())).collect()
}

/// What was announced, and is taken back when this is dropped: nobody shall meet what a refused resource did not write.
#[must_use]
pub(crate) struct Announcement<'a> {
    session: &'a Session,
    claim: Claim,
    is_kept: bool,
}

impl Announcement<'_> {
    /// It was written, or part of it was: it stays for the rest of the run.
    pub(crate) fn keep(mut self) {
        self.session.goals.land(&self.claim);
        self.is_kept = true;
    }
}

impl Drop for Announcement<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            self.session.withdraw(&self.claim);
        }
    }
}

/// The clusters that the settings name, not contacted yet.
fn fleet(settings: &Settings, decorate: &Decorate) -> Fleet {
    let limits = Limits::new(settings.max_in_flight, settings.request_timeout);
    let user_agent = format!("terraform-provider-gloo/{} (owner {})", env!("CARGO_PKG_VERSION"), settings.owner);
    let members = settings.clusters.iter().flatten().map(|(name, connection)| {
        let member = match connection {
            Connection::Directory(folder) => {
                let cluster = DirectoryCluster::new(name.clone(), folder, settings.owner.clone());
                Member::Ready(decorate(Arc::new(cluster.with_lock_wait(settings.request_timeout))))
            }
            Connection::Kubernetes { access, namespaces } => {
                let cluster = KubeCluster::new(name.clone(), access.clone(), &settings.owner, &user_agent, limits.clone());
                Member::Ready(decorate(Arc::new(cluster.in_namespaces(namespaces.clone()))))
            }
            Connection::Unknown => Member::Unknown,
        };
        (name.clone(), member)
    });
    Fleet::new(settings.owner.clone(), members.collect(), settings.decommissioned.clone())
        .with_max_in_flight(settings.max_in_flight)
}

/// Claims of resources that this run replaces or destroys: their objects are gone before others are written, so a plan does
/// not count them as taken. The apply looks at what is there.
#[derive(Default)]
pub(crate) struct Leaving(Mutex<BTreeSet<Claim>>);

impl Leaving {
    /// Notes that these resources go.
    pub(crate) fn note_all(&self, claims: impl IntoIterator<Item = Claim>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(claims);
    }

    /// The resources that go, as far as this plan has come.
    pub(crate) fn claims(&self) -> BTreeSet<Claim> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
