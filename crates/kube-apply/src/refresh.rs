//! Reading: what the clusters hold of what was written.
//!
//! Contract: changes nothing. One list per cluster, shared by all resources, and a get for what the list does not show (an
//! object whose label was stripped, or that is gone).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Claim, Manifest, ManifestKey, ObjectKey, Scope};
use mesh_model::names::{ClusterName, OwnerId};
use mesh_model::{AttributePath, Code, Finding, Findings};

use crate::drift::{self, signed_drift_lines};
use crate::fleet::{Fleet, Slot, Standing};
use crate::instance::{Census, nonce_of};
use crate::port::{LiveObject, Packed};
use crate::{Class, ClusterError, parallel};

/// The drift line of an object that carries the resource's claim and is not in its state.
pub const LEFTOVER: &str = "leftover: written for this resource, and not in its state";

/// What a refresh found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// lines per object, keyed `<cluster>/<Kind>/<namespace>/<name>`; objects without drift are not in it
    pub drift: BTreeMap<String, Vec<String>>,
    /// how many objects of the state exist and are still this resource's
    pub present: usize,
    /// how many objects of the state exist and belong to somebody else by now
    pub taken: usize,
    /// clusters of the state that could not be asked because their connection is unknown
    pub skipped: Vec<ClusterName>,
    /// clusters of the state that gave no usable answer: nothing new is known about their objects
    pub unread: Vec<ClusterName>,
    /// decommissioned clusters of the state
    pub forgotten: Vec<ClusterName>,
    /// errors, at most one per cause; the silence of a cluster only for the first resource that meets it
    pub findings: Findings,
}

/// Compares what a resource has written (`prior`) with what is there, and looks for its leftovers in every cluster.
pub async fn refresh(fleet: &Fleet, claim: &Claim, prior: &BTreeMap<ClusterName, Vec<Manifest>>) -> Refreshed {
    refresh_instance(fleet, claim, None, prior).await
}

/// The same for the instance with this nonce: objects that a complete other instance wrote are taken.
pub async fn refresh_instance(
    fleet: &Fleet,
    claim: &Claim,
    instance: Option<&str>,
    prior: &BTreeMap<ClusterName, Vec<Manifest>>,
) -> Refreshed {
    let mut refreshed = Refreshed::default();
    let mut asked = Vec::new();
    let clusters: BTreeSet<&ClusterName> = prior.keys().chain(fleet.clusters()).collect();
    for cluster in clusters {
        let manifests = prior.get(cluster);
        match (fleet.standing(cluster), fleet.slot(cluster)) {
            (Standing::Ready, Some(slot)) => asked.push((cluster.clone(), Arc::clone(slot), manifests.cloned())),
            (Standing::Unknown | Standing::Ready, _) => refreshed.skipped.extend(manifests.map(|_| cluster.clone())),
            (Standing::Decommissioned, _) => refreshed.forgotten.extend(manifests.map(|_| cluster.clone())),
            (Standing::Unconfigured, _) => {
                if let Some(manifests) = manifests.filter(|manifests| !manifests.is_empty()) {
                    refreshed.unread.push(cluster.clone());
                    refreshed.findings.push(unconfigured(cluster, manifests.iter().map(Manifest::key)));
                }
            }
        }
    }
    let answers = parallel::for_each(fleet.limit(), asked.clone(), |(cluster, slot, manifests)| {
        let (claim, owner) = (claim.clone(), fleet.owner().clone());
        async move { refresh_cluster(&cluster, &slot, &claim, &owner, &manifests.unwrap_or_default()).await }
    });
    let answers = answers.await;
    let mut census = Census::default();
    for (cluster, result) in asked.iter().zip(&answers).flat_map(|((cluster, ..), answer)| {
        answer.iter().flatten().filter_map(move |result| Some((cluster, result.as_ref().ok()?)))
    }) {
        result.ours.iter().for_each(|live| census.note(cluster, &live.json));
    }
    for ((cluster, slot, manifests), answer) in asked.iter().zip(answers) {
        let answer = answer.unwrap_or_else(|crash| vec![Err(crashed(cluster, &crash.to_string()))]);
        for result in answer {
            match result {
                Ok(mut found) => {
                    for live in found.ours.iter().filter(|live| is_of_other(&census, instance, &live.json)) {
                        let is_written = manifests.iter().flatten().any(|manifest| *manifest.key() == live.key);
                        // what the other instance has besides is no leftover of this one
                        found.drift.remove(&entry(cluster, &live.key));
                        if is_written {
                            found.present -= 1;
                            found.taken += 1;
                            found.drift.insert(entry(cluster, &live.key), vec![TAKEN_BY_INSTANCE.to_owned()]);
                        }
                    }
                    refreshed.findings.extend((!found.unseen.is_empty()).then(|| unseen(cluster, &found.unseen)));
                    refreshed.present += found.present;
                    refreshed.taken += found.taken;
                    refreshed.drift.extend(found.drift);
                }
                // a cluster in which the resource has nothing is asked for leftovers only: its own resources report it
                Err(_) if manifests.is_none() => {}
                Err(error) => {
                    if refreshed.unread.last() != Some(cluster) {
                        refreshed.unread.push(cluster.clone());
                    }
                    if error.class != Class::Unreachable || slot.is_first_report() {
                        refreshed.findings.push(error.finding());
                    }
                }
            }
        }
    }
    refreshed.unread.sort();
    refreshed
}

#[derive(Default)]
struct Found {
    drift: BTreeMap<String, Vec<String>>,
    present: usize,
    taken: usize,
    /// objects with the claim
    ours: Vec<LiveObject>,
    /// kinds of the state of which leftovers are not seen
    unseen: BTreeSet<String>,
}

fn is_of_other(census: &Census, own: Option<&str>, live: &serde_json::Value) -> bool {
    let other = nonce_of(live).filter(|nonce| own.is_some_and(|own| own != *nonce));
    other.is_some_and(|nonce| census.is_complete(nonce))
}

async fn refresh_cluster(
    cluster: &ClusterName,
    slot: &Slot,
    claim: &Claim,
    owner: &OwnerId,
    manifests: &[Manifest],
) -> Vec<Result<Found, ClusterError>> {
    let listed = match slot.listed(owner).await {
        Ok(listed) => listed,
        Err(error) => return vec![Err(error)],
    };
    let unseen = slot.untold_unlisted(manifests.iter().map(|manifest| manifest.key().kind.as_str()));
    let mut found = Found { unseen, ..Found::default() };
    let mut results = Vec::new();
    for manifest in manifests {
        let live = match listed.objects.get(manifest.key()) {
            Some(live) => Some(live.unpack()),
            None => match slot.ask(slot.cluster.get(manifest.key())).await {
                Ok(live) => live,
                Err(error) => {
                    let is_whole_cluster = error.object.is_none();
                    results.push(Err(error));
                    if is_whole_cluster {
                        break;
                    }
                    continue;
                }
            },
        };
        let taken_by = live.as_ref().and_then(|live| live.claimed_by()).filter(|other| *other != claim);
        let lines = match (&live, taken_by) {
            (_, Some(other)) => {
                found.taken += 1;
                vec![taken_line(other)]
            }
            (live, None) => {
                found.present += usize::from(live.is_some());
                found.ours.extend(live.as_ref().filter(|live| live.claimed_by() == Some(claim)).cloned());
                signed_drift_lines(manifest, live.as_ref())
            }
        };
        if !lines.is_empty() {
            found.drift.insert(entry(cluster, manifest.key()), lines);
        }
    }
    let known: BTreeSet<&ObjectKey> = manifests.iter().map(Manifest::key).collect();
    for key in listed.by_claim.get(claim).into_iter().flatten().filter(|key| !known.contains(key)) {
        found.drift.insert(entry(cluster, key), vec![LEFTOVER.to_owned()]);
        found.ours.extend(listed.objects.get(key).map(Packed::unpack));
    }
    results.push(Ok(found));
    results
}

/// The drift line of an object that another resource claims by now.
fn taken_line(other: &Claim) -> String {
    format!("{TAKEN_BY_CLAIM}{other}{NOT_TOUCHED}")
}

const TAKEN_BY_CLAIM: &str = "taken: claimed by ";
const NOT_TOUCHED: &str = "; it is not touched";
const TAKEN_BY_INSTANCE: &str = "taken: managed by another instance with this owner; it is not touched";

/// Who has an object that this resource wrote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taker {
    /// the resource with this claim
    Claim(Claim),
    /// another instance with the same claim
    Instance,
}

/// Who has the object, if these lines say that it was taken.
#[must_use]
pub fn taker(lines: &[String]) -> Option<Taker> {
    let [line] = lines else { return None };
    if line == TAKEN_BY_INSTANCE {
        return Some(Taker::Instance);
    }
    line.strip_prefix(TAKEN_BY_CLAIM)?.strip_suffix(NOT_TOUCHED)?.parse().ok().map(Taker::Claim)
}

/// Whether these lines say that the object is not there.
#[must_use]
pub fn is_missing(lines: &[String]) -> bool {
    lines.iter().map(String::as_str).eq([drift::MISSING])
}

/// The key of an object in `drift`.
pub(crate) fn entry(cluster: &ClusterName, object: &ObjectKey) -> String {
    ManifestKey { scope: Scope::Cluster(cluster.clone()), object: object.clone() }.to_string()
}

/// What to say about objects in a cluster that the provider block does not have.
#[must_use]
pub fn unconfigured<'a>(cluster: &ClusterName, keys: impl Iterator<Item = &'a ObjectKey>) -> Finding {
    let keys: Vec<String> = keys.map(ToString::to_string).collect();
    let shown = keys.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let more = if keys.len() > 5 { format!(" and {} more", keys.len() - 5) } else { String::new() };
    Finding::new(
        Code::UnconfiguredCluster,
        AttributePath::default(),
        format!("the provider block has no cluster {cluster}, which holds objects of this resource: {shown}{more}"),
        "Without its connection the objects can be neither checked nor deleted.",
        format!(
            "Put the cluster back until its objects are deleted, or say that it is gone and they may be forgotten:\n  \
             decommissioned_clusters = [\"{cluster}\"]"
        ),
    )
    .in_cluster(cluster)
}

fn unseen(cluster: &ClusterName, kinds: &BTreeSet<String>) -> Finding {
    let kinds = kinds.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    Finding::new(
        Code::LeftoversUnseen,
        AttributePath::default(),
        format!("cluster {cluster} does not allow to list {kinds}: what an interrupted run left of that is not seen"),
        "Leftovers are found by their label, in a list. The objects of the state were read one by one, and are compared as ever.",
        "Give the identity the verb `list` on these kinds; the roles in the guide \"Permissions\" have it. Without it the apply \
         writes none of them.",
    )
    .in_cluster(cluster)
}

/// What to say about so many objects in a decommissioned cluster that leave the state.
#[must_use]
pub fn forgotten(cluster: &ClusterName, objects: usize) -> Finding {
    Finding::new(
        Code::ObjectsForgotten,
        AttributePath::default(),
        format!("The {objects} objects in cluster {cluster} leave the state and are not deleted."),
        "The cluster is in `decommissioned_clusters`, so it is never contacted.",
        format!("Nothing is to be done if the cluster is gone. If it is not, take {cluster} out of `decommissioned_clusters`."),
    )
    .in_cluster(cluster)
}

pub(crate) fn crashed(cluster: &ClusterName, why: &str) -> ClusterError {
    ClusterError::new(
        Class::Io,
        cluster,
        "a request crashed inside the provider",
        why,
        "This is a defect of the provider: please report it with the log.",
    )
}
