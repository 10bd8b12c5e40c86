//! The checks before the first write.
//!
//! Contract: reads only, all clusters, and every reason against the plan at once. What passes is a [`Cleared`], which
//! nothing else makes and which a write consumes.

mod judge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use istio_objects::{Change, Claim, Manifest, ObjectKey, Wave, reserved};
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings, Severity};
use serde_json::Value;

use crate::drift::drift_lines;
use crate::fleet::{Fleet, Slot, Standing};
use crate::instance::{Census, Instance, is_of_another, mark_of};
use crate::ownership::Residue;
use crate::port::{LiveObject, Remark, Write};
use crate::verdict::remarked;
use crate::{Class, parallel, refresh};
use judge::{Verdict, judge};

/// What is to be written, and what the plan was based on.
#[derive(Clone, Debug)]
pub struct Request {
    /// which resource writes
    pub claim: Claim,
    /// whose objects it may take over
    pub takeover: BTreeSet<Claim>,
    /// what else it may take
    pub adopt: Adopt,
    /// which instance writes; `None`: instances are not told apart, and nothing is marked
    pub instance: Option<Instance>,
    /// other instances whose objects were handed over to this one
    pub handed_over: BTreeSet<String>,
    /// what the resource has written, as its state says; all of it, also what does not change
    pub prior: BTreeMap<ClusterName, Vec<Manifest>>,
    /// the changes; one object at most once. Repair of drift is an update from a manifest to itself.
    pub waves: Vec<Wave>,
    /// waves that rely on other clusters' proxies having followed what was written before
    pub pauses: BTreeSet<usize>,
    /// how long these are given
    pub settle: Duration,
    /// `drift` as the plan showed it ([`crate::Refreshed::drift`])
    pub shown_drift: BTreeMap<String, Vec<String>>,
    /// what earlier writes failed to take off, keyed like `shown_drift`
    pub residues: BTreeMap<String, Residue>,
    /// annotations under [`istio_objects::reserved::STATE_PREFIX`] that an object gets, in every cluster
    pub state_annotations: BTreeMap<ObjectKey, BTreeMap<String, String>>,
    /// clusters that are written first within a wave, one after the other
    pub clusters_order: Vec<ClusterName>,
    /// what to do about a cluster that gives no answer
    pub on_unreachable: OnUnreachable,
}

/// Which existing objects a resource may take besides its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Adopt {
    /// none
    #[default]
    Nothing,
    /// those that nobody claims
    Unclaimed,
    /// these, and those that another instance wrote with the same claim
    Instances,
}

/// What to do about a cluster that gives no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnreachable {
    /// write nothing anywhere
    #[default]
    Fail,
    /// write everywhere else, and warn
    Skip,
}

impl Request {
    /// A request without prior state, drift or options: fill in what there is.
    #[must_use]
    pub fn new(claim: Claim, waves: Vec<Wave>) -> Self {
        Self {
            claim,
            takeover: BTreeSet::new(),
            adopt: Adopt::Nothing,
            instance: None,
            handed_over: BTreeSet::new(),
            prior: BTreeMap::new(),
            waves,
            pauses: BTreeSet::new(),
            settle: Duration::ZERO,
            shown_drift: BTreeMap::new(),
            residues: BTreeMap::new(),
            state_annotations: BTreeMap::new(),
            clusters_order: Vec::new(),
            on_unreachable: OnUnreachable::Fail,
        }
    }
}

/// Writes that every check has passed. Only [`preflight`] makes one:
///
/// ```compile_fail
/// let cleared = kube_apply::Cleared { waves: Vec::new() };
/// ```
///
/// and it is good for one [`write`](fn@crate::write):
///
/// ```compile_fail,E0382
/// # async fn twice(fleet: &kube_apply::Fleet, cleared: kube_apply::Cleared) {
/// let cancel = tokio_util::sync::CancellationToken::new();
/// kube_apply::write(fleet, cleared, &cancel).await;
/// kube_apply::write(fleet, cleared, &cancel).await;
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is written before `write` gets it"]
pub struct Cleared {
    pub(crate) claim: Claim,
    pub(crate) waves: Vec<Due>,
    pub(crate) settle: Duration,
    pub(crate) landed: BTreeMap<ClusterName, BTreeMap<ObjectKey, Manifest>>,
    pub(crate) skipped: Vec<ClusterName>,
    pub(crate) warnings: Findings,
    /// clusters whose anchor is to be marked when all is written, with the annotations that it keeps
    pub(crate) marks: BTreeMap<ClusterName, Mark>,
}

/// A wave of writes.
#[derive(Debug)]
pub(crate) struct Due {
    /// whether proxies are to have followed the waves before
    pub(crate) waits: bool,
    /// groups of clusters one after the other, in them steps in any order
    pub(crate) groups: Vec<Vec<Step>>,
}

/// The mark that an anchor gets.
#[derive(Clone)]
pub(crate) struct Mark {
    pub(crate) slot: Arc<Slot>,
    pub(crate) key: ObjectKey,
    /// every annotation under the state prefix, the mark too
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Cleared {
    /// How many objects will be written or deleted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.waves.iter().flat_map(|wave| &wave.groups).map(Vec::len).sum()
    }
}

impl std::fmt::Debug for Mark {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.slot.cluster.name(), self.key)
    }
}

/// One write.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) cluster: ClusterName,
    pub(crate) slot: Arc<Slot>,
    pub(crate) action: Action,
}

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one per object, and nearly all are of the large variant")]
pub(crate) enum Action {
    Apply { write: Write, old: Option<Manifest>, live: Option<LiveObject> },
    Delete { key: ObjectKey, live: LiveObject },
}

impl Action {
    pub(crate) fn key(&self) -> &ObjectKey {
        match self {
            Self::Apply { write, .. } => write.manifest.key(),
            Self::Delete { key, .. } => key,
        }
    }

    /// The nonce that the object gets.
    pub(crate) fn nonce(&self) -> Option<&str> {
        match self {
            Self::Apply { write, .. } => write.state_annotations.get(reserved::INSTANCE_ANNOTATION).map(String::as_str),
            Self::Delete { .. } => None,
        }
    }
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step").field("cluster", &self.cluster).field("action", &self.action).finish_non_exhaustive()
    }
}

/// Checks every change against every cluster. Nothing is written.
///
/// # Errors
/// All findings, when one of them is an error.
pub async fn preflight(fleet: &Fleet, request: Request) -> Result<Cleared, Findings> {
    let mut findings = repeated(&request.waves);
    let mut landed: BTreeMap<ClusterName, BTreeMap<ObjectKey, Manifest>> = request
        .prior
        .iter()
        .map(|(cluster, manifests)| (cluster.clone(), manifests.iter().map(|m| (m.key().clone(), m.clone())).collect()))
        .collect();
    let mut asked = Vec::new();
    for (wave, change) in request.waves.iter().enumerate().flat_map(|(wave, changes)| changes.iter().map(move |c| (wave, c))) {
        match fleet.slot(&change.cluster) {
            Some(slot) => asked.push((wave, change, Arc::clone(slot))),
            None => findings.push(unasked(fleet.standing(&change.cluster), change, &request.waves)),
        }
        if fleet.standing(&change.cluster) == Standing::Decommissioned {
            landed.remove(&change.cluster);
        }
    }
    let clusters: BTreeSet<&str> = asked.iter().map(|(_, change, _)| change.cluster.as_str()).collect();
    let clusters = clusters.into_iter().collect::<Vec<_>>().join(", ");
    tracing::info!("checking {} changes of {} in {clusters}", asked.len(), request.claim);
    let answers = parallel::for_each(fleet.limit(), asked.iter(), |(_, change, slot)| look((*change).clone(), Arc::clone(slot)));
    let answers = answers.await;
    let census = match &request.instance {
        Some(own) if answers.iter().any(|answer| is_of_another_instance(answer, &request.claim, own)) => {
            Census::take(fleet, &request.claim).await
        }
        _ => Census::default(),
    };

    let mut marked = BTreeSet::new();
    let mut skipped = BTreeSet::new();
    let mut steps: BTreeMap<usize, Vec<Step>> = BTreeMap::new();
    for ((wave, change, slot), answer) in asked.iter().zip(answers) {
        let answer = answer.unwrap_or_else(|crash| Err(refresh::crashed(&change.cluster, &crash.to_string())));
        let (live, remarks) = match answer {
            Ok(seen) => seen,
            Err(error) if error.class == Class::Unreachable && request.on_unreachable == OnUnreachable::Skip => {
                if skipped.insert(change.cluster.clone()) {
                    findings.push(left_out(&change.cluster, &error.words.what));
                }
                continue;
            }
            Err(error) => {
                findings.push(error.finding());
                continue;
            }
        };
        findings.extend(remarks.into_iter().map(|remark| remarked(&[*change], remark)));
        if let Some(own) = &request.instance
            && own.anchors.get(&change.cluster) == Some(change.key())
            && (judge::marks_at_once(&request, own, change)
                || live.as_ref().and_then(|live| mark_of(&live.json)) == Some(&own.nonce))
        {
            marked.insert(change.cluster.clone());
        }
        let there = landed.entry(change.cluster.clone()).or_default();
        let seen = live.as_ref().map(|live| Arc::clone(&live.json));
        match judge(&request, &census, change, there.get(change.key()), live) {
            Verdict::Do(action) => {
                // until the write has happened, what is there counts, also where the state says something else
                there_is(there, &action, seen);
                let step = Step { cluster: change.cluster.clone(), slot: Arc::clone(slot), action };
                steps.entry(*wave).or_default().push(step);
            }
            Verdict::IsThere(manifest) => drop(there.insert(manifest.key().clone(), manifest)),
            Verdict::IsGone(warning) => {
                there.remove(change.key());
                findings.extend(warning);
            }
            Verdict::Refuse(finding) => findings.push(finding),
        }
    }
    let mut told = BTreeSet::new();
    findings.retain(|finding| told.insert(finding.clone()));
    if findings.iter().any(|finding| finding.code.severity() == Severity::Error) {
        return Err(findings);
    }
    // a silent cluster is left out as a whole, also where an earlier question to it was answered
    let mut last = 0;
    let waves = steps.into_iter().map(|(number, mut steps)| {
        steps.retain(|step| !skipped.contains(&step.cluster));
        let waits = request.pauses.range(last..=number).next().is_some();
        last = number + 1;
        Due { waits, groups: in_order(steps, &request.clusters_order) }
    });
    let waves = waves.collect();
    let anchors = request.instance.iter().flat_map(|own| &own.anchors);
    let marks = anchors
        .filter(|(cluster, _)| !marked.contains(cluster) && !skipped.contains(cluster))
        .filter_map(|(cluster, key)| {
            let mut annotations = judge::annotations(&request, key);
            annotations.insert(reserved::COMPLETE_ANNOTATION.to_owned(), request.instance.as_ref()?.nonce.clone());
            Some((cluster.clone(), Mark { slot: Arc::clone(fleet.slot(cluster)?), key: key.clone(), annotations }))
        })
        .collect();
    let (claim, settle) = (request.claim, request.settle);
    Ok(Cleared { marks, claim, waves, settle, landed, skipped: skipped.into_iter().collect(), warnings: findings })
}

/// What a cluster answered to the questions about one change.
type Looked = Result<(Option<LiveObject>, Vec<Remark>), crate::ClusterError>;

fn is_of_another_instance(answer: &Result<Looked, tokio::task::JoinError>, claim: &Claim, own: &Instance) -> bool {
    let Ok(Ok((Some(live), _))) = answer else { return false };
    live.claimed_by() == Some(claim) && is_of_another(&live.json, Some(&own.nonce))
}

/// Puts what was seen of an object in the place of what the state says of it, if that differs.
fn there_is(there: &mut BTreeMap<ObjectKey, Manifest>, action: &Action, seen: Option<Arc<Value>>) {
    let key = action.key();
    let Some(seen) = seen else {
        there.remove(key);
        return;
    };
    // with what was to be taken off, it is not the manifest that the state has
    if let Action::Apply { old: Some(old), .. } = action
        && drift_lines(old, Some(&seen)).is_empty()
    {
        there.insert(key.clone(), old.clone());
        return;
    }
    if there.get(key).is_some_and(|known| drift_lines(known, Some(&seen)).is_empty()) {
        return;
    }
    if let Ok(seen) = Manifest::from_stored(key.clone(), &seen.to_string()) {
        there.insert(key.clone(), seen);
    }
}

/// What is there, and what the cluster would say to the change.
async fn look(change: Change, slot: Arc<Slot>) -> Looked {
    slot.ask(slot.cluster.look(&change)).await
}

/// The steps of a wave: first those of the clusters in `order`, cluster by cluster, then all others.
fn in_order(steps: Vec<Step>, order: &[ClusterName]) -> Vec<Vec<Step>> {
    let mut groups: BTreeMap<usize, Vec<Step>> = BTreeMap::new();
    for step in steps {
        let place = order.iter().position(|cluster| *cluster == step.cluster).unwrap_or(order.len());
        groups.entry(place).or_default().push(step);
    }
    groups.into_values().collect()
}

fn repeated(waves: &[Wave]) -> Findings {
    let mut met = BTreeSet::new();
    let twice = waves.iter().flatten().filter(|change| !met.insert((&change.cluster, change.key())));
    twice
        .map(|change| {
            Finding::new(
                Code::RepeatedObject,
                AttributePath::default(),
                format!("the plan names {} in cluster {} twice", change.key(), change.cluster),
                "The second change would meet what the first has made of the object. Nothing was written.",
                "This is a defect of the provider: please report it with the plan.",
            )
            .in_cluster(&change.cluster)
            .on_object(change.key())
        })
        .collect()
}

/// What a change means for a cluster that cannot be asked; `waves` are all changes.
fn unasked(standing: Standing, change: &Change, waves: &[Wave]) -> Finding {
    let cluster = &change.cluster;
    match standing {
        Standing::Decommissioned => {
            let objects = waves.iter().flatten().filter(|other| other.cluster == *cluster).count();
            refresh::forgotten(cluster, objects)
        }
        Standing::Unconfigured => refresh::unconfigured(cluster, std::iter::once(change.key())),
        Standing::Unknown | Standing::Ready => Finding::new(
            Code::UnknownConnection,
            AttributePath::default(),
            format!("a part of the connection of cluster {cluster} is still unknown"),
            "Objects cannot be written to it. Nothing was written anywhere.",
            format!("Create what clusters.{cluster} refers to in an apply before this one, or with -target."),
        )
        .in_cluster(cluster),
    }
}

fn left_out(cluster: &ClusterName, what: &str) -> Finding {
    Finding::new(
        Code::ClusterSkipped,
        AttributePath::default(),
        format!("nothing was written to cluster {cluster}: {what}"),
        "The cluster gave no answer, and unreachable clusters are left out as the provider block says.",
        "Apply again when the cluster answers: the plan shows what it lacks.",
    )
    .in_cluster(cluster)
}
