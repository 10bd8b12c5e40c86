//! Writing what was cleared.
//!
//! Contract: a wave begins on any cluster only when the one before it has ended on all. A failure lets the writes that run
//! beside it finish and starts no later ones; so does cancellation. What the outcome says landed was seen, or was the
//! answer to a write; where neither is to be had, it says what was there before, and a finding says that this is not known.

mod mark;
mod progress;
mod rollback;
mod step;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use istio_objects::{Claim, Manifest, ObjectKey};
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings};
use tokio_util::sync::CancellationToken;

use crate::fleet::{Fleet, Slot};
use crate::parallel;
use crate::port::Seen;
use crate::preflight::{Action, Cleared, Due, Step};

use progress::Progress;
pub use rollback::rollback;

/// What a write led to.
#[derive(Debug)]
pub struct Outcome {
    /// what each cluster holds of this resource now
    pub landed: BTreeMap<ClusterName, BTreeMap<ObjectKey, Manifest>>,
    /// clusters that were left out because they gave no answer; their objects are as before
    pub skipped: Vec<ClusterName>,
    /// whether everything that was cleared has happened
    pub is_complete: bool,
    /// warnings, and an error for whatever keeps it from being complete
    pub findings: Findings,
    pub(crate) claim: Claim,
    /// what this write created, or may have created, wave by wave
    pub(crate) created: Vec<Vec<Created>>,
}

/// An object that did not exist before.
#[derive(Clone)]
pub(crate) struct Created {
    pub(crate) cluster: ClusterName,
    pub(crate) slot: Arc<Slot>,
    pub(crate) key: ObjectKey,
    /// as it was written; `None`: it is not known whether it was
    pub(crate) seen: Option<Seen>,
    /// nonce of the instance that wrote it
    pub(crate) nonce: Option<String>,
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.cluster, self.key)
    }
}

/// What one step led to.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) effect: Effect,
    pub(crate) finding: Option<Finding>,
    pub(crate) created: Option<Option<Seen>>,
}

/// What is at the place of an object after a step.
#[derive(Debug, Default)]
pub(crate) enum Effect {
    /// what was there before, as far as is known
    #[default]
    AsBefore,
    /// this
    Landed(Manifest),
    /// nothing of this resource
    Gone,
}

impl Effect {
    /// For the log.
    fn name(&self) -> &'static str {
        match self {
            Self::AsBefore => "as before",
            Self::Landed(_) => "landed",
            Self::Gone => "gone",
        }
    }
}

/// Does what was cleared. To be awaited to its end, also after cancellation.
pub async fn write(fleet: &Fleet, cleared: Cleared, cancel: &CancellationToken) -> Outcome {
    let Cleared { claim, waves, settle, landed, skipped, warnings, marks } = cleared;
    let mut outcome = Outcome { landed, skipped, is_complete: true, findings: warnings, claim, created: Vec::new() };
    let mut not_started = 0;
    let count = waves.len();
    let mut is_followed = false;
    for (number, Due { waits, groups }) in waves.into_iter().enumerate() {
        if waits && is_followed && outcome.is_complete {
            pause(settle, &outcome.claim, cancel).await;
        }
        is_followed |= groups.iter().flatten().any(|step| step.slot.cluster.is_followed());
        if !outcome.is_complete {
            not_started += groups.iter().map(Vec::len).sum::<usize>();
            continue;
        }
        let mut created = Vec::new();
        let progress = Progress::begin(format!("wave {} of {count} of {}", number + 1, outcome.claim), &groups);
        for group in groups {
            if !outcome.is_complete {
                not_started += group.len();
                continue;
            }
            let work = run(fleet, &mut outcome, &mut created, group, &progress.done, cancel);
            not_started += progress.over(work).await;
            outcome.is_complete &= not_started == 0;
        }
        progress.end();
        outcome.created.push(created);
    }
    if outcome.is_complete {
        not_started += mark::mark(fleet, &mut outcome, marks, cancel).await;
    }
    if not_started > 0 {
        outcome.is_complete = false;
        if cancel.is_cancelled() {
            outcome.findings.push(interrupted(not_started));
        }
    }
    outcome
}

/// Lets proxies follow: istiod tells them what was written within a moment, and no API server says when it has.
async fn pause(settle: Duration, claim: &Claim, cancel: &CancellationToken) {
    tracing::info!("{claim}: {settle:?} for proxies to follow");
    // an interrupt ends the apply before its next write
    let _ = cancel.run_until_cancelled(tokio::time::sleep(settle)).await;
}

/// Runs steps beside each other, and counts those that are done; returns how many did not start.
async fn run(
    fleet: &Fleet,
    outcome: &mut Outcome,
    created: &mut Vec<Created>,
    steps: Vec<Step>,
    counter: &Arc<AtomicUsize>,
    cancel: &CancellationToken,
) -> usize {
    let answers = parallel::for_each(fleet.limit(), steps.clone(), |step| {
        let (claim, cancel, counter) = (outcome.claim.clone(), cancel.clone(), Arc::clone(counter));
        async move {
            if cancel.is_cancelled() {
                return None;
            }
            let done = step::perform(&step, &claim, &cancel).await;
            counter.fetch_add(1, Ordering::Relaxed);
            Some(done)
        }
    });
    let mut not_started = 0;
    for (step, answer) in steps.into_iter().zip(answers.await) {
        let done = match answer {
            Ok(Some(done)) => done,
            Ok(None) => {
                not_started += 1;
                continue;
            }
            Err(crash) => Done {
                effect: Effect::AsBefore,
                finding: Some(crashed(&step, &crash.to_string())),
                created: matches!(&step.action, Action::Apply { live: None, .. }).then_some(None),
            },
        };
        let key = step.action.key().clone();
        if let Some(seen) = done.created {
            let nonce = step.action.nonce().map(str::to_owned);
            created.push(Created { cluster: step.cluster.clone(), slot: step.slot, key: key.clone(), seen, nonce });
        }
        let there = outcome.landed.entry(step.cluster).or_default();
        match done.effect {
            Effect::Landed(manifest) => drop(there.insert(key, manifest)),
            Effect::Gone => drop(there.remove(&key)),
            Effect::AsBefore => {}
        }
        if let Some(finding) = done.finding {
            outcome.is_complete &= finding.code.severity() != mesh_model::Severity::Error;
            outcome.findings.push(finding);
        }
    }
    not_started
}

fn interrupted(count: usize) -> Finding {
    Finding::new(
        Code::Interrupted,
        AttributePath::default(),
        format!("the run was interrupted: {count} objects were not written or deleted"),
        "What was written until then is in the state. Writes follow an order in which every stop is safe for traffic.",
        "Apply again: the plan shows what is left to do.",
    )
}

fn crashed(step: &Step, why: &str) -> Finding {
    Finding::new(
        Code::WriteCrashed,
        AttributePath::default(),
        format!("writing {} in cluster {} crashed: {why}", step.action.key(), step.cluster),
        "Whether it was written is not known; the next plan shows it.",
        "This is a defect of the provider: please report it with the log.",
    )
    .in_cluster(&step.cluster)
    .on_object(step.action.key())
}
