//! What the resources of one run want to write. Two of them that want one object, or one hostname in one cluster, are refused at
//! plan: in no cluster is anything yet by which the second could tell.
//!
//! Contract: every plan of a resource announces its goal under its claim, in place of what the claim wanted before. Core plans in
//! any order and several at a time, so it is the second of two that is refused, and announces nothing. A goal is forgotten when
//! its plan or its apply is refused and when the resource is deleted: then it is in nobody's way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use istio_objects::{Claim, Object, ObjectKey, Tree, reserved};
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings, derived};
use mesh_translate::Objects;

use super::state::Drift;

/// What the resources of one run want.
#[derive(Debug, Default)]
pub(crate) struct Goals(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    claims: BTreeMap<Arc<Claim>, Claimant>,
    /// one claim each, unless one takes over from another
    wanted: BTreeMap<(ClusterName, Wanted), Vec<Arc<Claim>>>,
}

/// What only one resource can have in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Object(ObjectKey),
    /// of a ServiceEntry
    Host(String),
}

/// A resource that wants something.
#[derive(Debug)]
struct Claimant {
    /// whose objects it takes over; `None`: not known yet
    takeover: Option<BTreeSet<Claim>>,
    /// see [`Goal::exists`]
    exists: Option<bool>,
}

/// What one resource wants.
pub(super) struct Goal<'a> {
    pub(super) claim: &'a Claim,
    /// whose objects it takes over; `None`: not known yet
    pub(super) takeover: Option<&'a BTreeSet<Claim>>,
    /// whether the resource is in the state under this claim; `None`: it takes the place of one that is
    pub(super) exists: Option<bool>,
    pub(super) objects: &'a Objects,
    /// what of the objects it leaves to whoever took them
    pub(super) given_up: Option<&'a Drift>,
    /// resources that the run destroys or replaces
    pub(super) leaving: &'a BTreeSet<Claim>,
}

/// What one other resource wants too.
#[derive(Default)]
struct Overlap<'a> {
    objects: Vec<(&'a ClusterName, &'a Object)>,
    hosts: Vec<(&'a ClusterName, &'a Object, &'a str)>,
}

impl Goals {
    /// Announces what a resource wants.
    ///
    /// # Errors
    /// What others want too, one finding for each of them; then it is not announced.
    pub(super) fn announce(&self, goal: &Goal<'_>) -> Result<(), Findings> {
        let mut table = self.lock();
        let overlaps = table.overlaps(goal);
        if !overlaps.is_empty() {
            // what another resource with this claim wants stays
            if !overlaps.contains_key(goal.claim) {
                table.forget(goal.claim);
            }
            return Err(overlaps.iter().map(|(other, overlap)| overlap.finding(goal.claim, other)).collect());
        }
        table.forget(goal.claim);
        let claim = Arc::new(goal.claim.clone());
        for (cluster, object) in goal.objects() {
            let host = host(object).map(|host| Wanted::Host(host.to_owned()));
            for wanted in host.into_iter().chain([Wanted::Object(object.key())]) {
                table.wanted.entry((cluster.clone(), wanted)).or_default().push(Arc::clone(&claim));
            }
        }
        let claimant = Claimant { takeover: goal.takeover.cloned(), exists: goal.exists };
        table.claims.insert(claim, claimant);
        Ok(())
    }

    /// The resource is there from now on.
    pub(crate) fn land(&self, claim: &Claim) {
        if let Some(claimant) = self.lock().claims.get_mut(claim) {
            claimant.exists = Some(true);
        }
    }

    /// The resource wants nothing any more.
    pub(crate) fn forget(&self, claim: &Claim) {
        self.lock().forget(claim);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn overlaps<'g>(&self, goal: &Goal<'g>) -> BTreeMap<Claim, Overlap<'g>> {
        let mut overlaps: BTreeMap<Claim, Overlap<'g>> = BTreeMap::new();
        for (cluster, object) in goal.objects() {
            for other in self.others(goal, cluster, Wanted::Object(object.key())) {
                overlaps.entry(other.clone()).or_default().objects.push((cluster, object));
            }
            let Some(host) = host(object) else { continue };
            for other in self.others(goal, cluster, Wanted::Host(host.to_owned())) {
                overlaps.entry(other.clone()).or_default().hosts.push((cluster, object, host));
            }
        }
        overlaps
    }

    /// Who else wants something, and neither gives it away nor takes it.
    fn others<'t>(&'t self, goal: &Goal<'_>, cluster: &ClusterName, wanted: Wanted) -> impl Iterator<Item = &'t Claim> {
        let claims = self.wanted.get(&(cluster.clone(), wanted)).into_iter().flatten().map(Arc::as_ref);
        let takes = |takeover: Option<&BTreeSet<Claim>>, from: &Claim| takeover.is_none_or(|claims| claims.contains(from));
        claims.filter(move |other| {
            let Some(claimant) = self.claims.get(*other) else { return false };
            if *other == goal.claim {
                // planned anew it is what it was; one that exists and one that is created are two
                return claimant.exists.zip(goal.exists).is_some_and(|(before, now)| before != now);
            }
            !goal.leaving.contains(other) && !takes(goal.takeover, other) && !takes(claimant.takeover.as_ref(), goal.claim)
        })
    }

    fn forget(&mut self, claim: &Claim) {
        if self.claims.remove(claim).is_some() {
            self.wanted.retain(|_, claims| {
                claims.retain(|other| **other != *claim);
                !claims.is_empty()
            });
        }
    }
}

impl<'a> Goal<'a> {
    /// What it writes, cluster by cluster.
    fn objects(&self) -> impl Iterator<Item = (&'a ClusterName, &'a Object)> + use<'a> {
        let given_up = self.given_up;
        let all = self.objects.iter().flat_map(|(cluster, objects)| objects.iter().map(move |object| (cluster, &**object)));
        all.filter(move |(cluster, object)| {
            given_up.is_none_or(|drift| drift.is_empty() || !drift.contains_key(&format!("{cluster}/{}", object.key())))
        })
    }
}

/// The hostname that a ServiceEntry is about.
fn host(object: &Object) -> Option<&str> {
    let hosts = object.at(&["spec", "hosts"]).filter(|_| object.kind.is_istio("ServiceEntry"))?;
    hosts.elements().first().and_then(Tree::text).filter(|host| !derived::is_serving_host(host))
}

impl Overlap<'_> {
    fn finding(&self, own: &Claim, other: &Claim) -> Finding {
        let Some((cluster, object)) = self.objects.first() else { return self.host_finding(own, other) };
        let more = match self.objects.len() - 1 {
            0 => String::new(),
            1 => " and 1 more object".to_owned(),
            more => format!(" and {more} more objects"),
        };
        let (key, is_of_host) = (object.key(), object.labels.contains_key(reserved::DESTINATION_LABEL));
        let (what, fix) = if own == other {
            let what = format!("Two resources of this configuration are {own}, and both want {key} in cluster {cluster}{more}.");
            let fix = "Give one of them another name, or remove it. A resource that got another address is moved:\n\n  moved {\n    from = <old address>\n    to   = <new address>\n  }";
            (what, fix)
        } else {
            let what = format!("{own} and {other}, both of this configuration, want {key} in cluster {cluster}{more}.");
            let fix = if is_of_host {
                "Remove one of them, or give one of them another name to be called by (`hostname`, or `hostname_suffix` of exports):\n\n  hostname = \"another.mesh.internal\""
            } else {
                "Remove one of them, or let only one of them write this object in the cluster."
            };
            (what, fix)
        };
        let path = AttributePath::of(if is_of_host { "hostname" } else { "manifest" });
        let why = "An object has one owner: the apply would write it for one of them and refuse the other.";
        Finding::new(Code::WantedTwice, path, what, why, fix).in_cluster(cluster).on_object(key)
    }

    /// Under other names of objects, as in another namespace.
    fn host_finding(&self, own: &Claim, other: &Claim) -> Finding {
        let (cluster, object, host) = self.hosts.first().expect("an overlap is one of objects or of hosts");
        let is_of_host = object.labels.contains_key(reserved::DESTINATION_LABEL);
        Finding::new(
            Code::HostTaken,
            AttributePath::of(if is_of_host { "hostname" } else { "manifest" }),
            format!("{own} and {other}, both of this configuration, want {host} in cluster {cluster}."),
            "istiod merges the endpoints of both, and loses some when one of them goes.",
            "Choose another hostname for one of them, or let each have clients in clusters of its own:\n\n  hostname = \"another.mesh.internal\"",
        )
        .in_cluster(cluster)
        .on_object(object.key())
    }
}
