//! Reading: what the clusters hold of what was written.
//!
//! Contract: changes nothing. One list per cluster, shared by all resources, and a get for what the list does not show (an
//! object whose label was stripped, or that is gone).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Claim, Manifest, ManifestKey, ObjectKey, Scope};
use mesh_model::names::{ClusterName, OwnerId};
use mesh_model::{AttributePath, Code, Finding, Findings};

use crate::drift::{self, drift_lines};
use crate::fleet::{Fleet, Slot, Standing};
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
    for ((cluster, slot, manifests), answer) in asked.iter().zip(answers.await) {
        let answer = answer.unwrap_or_else(|crash| vec![Err(crashed(cluster, &crash.to_string()))]);
        for result in answer {
            match result {
                Ok(found) => {
                    refreshed.present += found.present;
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
    let mut found = Found::default();
    let mut results = Vec::new();
    for manifest in manifests {
        let live = match listed.objects.get(manifest.key()) {
            Some(live) => Some(live.clone()),
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
            (_, Some(other)) => vec![taken_line(other)],
            (live, None) => {
                found.present += usize::from(live.is_some());
                drift_lines(manifest, live.as_ref().map(|live| &live.json))
            }
        };
        if !lines.is_empty() {
            found.drift.insert(entry(cluster, manifest.key()), lines);
        }
    }
    let known: BTreeSet<&ObjectKey> = manifests.iter().map(Manifest::key).collect();
    for key in listed.by_claim.get(claim).into_iter().flatten().filter(|key| !known.contains(key)) {
        found.drift.insert(entry(cluster, key), vec![LEFTOVER.to_owned()]);
    }
    results.push(Ok(found));
    results
}

/// The drift line of an object that another resource claims by now.
fn taken_line(other: &Claim) -> String {
    format!("taken: claimed by {other}; it is not touched")
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

pub(crate) fn unconfigured<'a>(cluster: &ClusterName, keys: impl Iterator<Item = &'a ObjectKey>) -> Finding {
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

pub(crate) fn crashed(cluster: &ClusterName, why: &str) -> ClusterError {
    ClusterError::new(
        Class::Io,
        cluster,
        "a request crashed inside the provider",
        why,
        "This is a defect of the provider: please report it with the log.",
    )
}
