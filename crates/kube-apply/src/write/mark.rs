//! The last writes of a create: one object of each cluster gets the mark that says that all are there.
//!
//! Contract: nothing is marked before everything is written, so whatever interrupts a create leaves an instance that is not
//! complete. The last cluster by name is marked alone, after all others: its mark is the one that counts. What is marked
//! already is not written again.

use std::collections::BTreeMap;
use std::sync::Arc;

use istio_objects::{Claim, Manifest, reserved};
use mesh_model::names::ClusterName;
use tokio_util::sync::CancellationToken;

use super::{Outcome, run};
use crate::fleet::Fleet;
use crate::instance::is_of_another;
use crate::port::{Precondition, Write};
use crate::preflight::{Action, Mark, Step};
use crate::{Class, ClusterError, ownership, parallel, refresh};

/// Marks the anchors; returns how many writes did not start.
pub(super) async fn mark(
    fleet: &Fleet,
    outcome: &mut Outcome,
    mut marks: BTreeMap<ClusterName, Mark>,
    cancel: &CancellationToken,
) -> usize {
    let last = marks.pop_last();
    let not_started = mark_all(fleet, outcome, marks, cancel).await;
    if !outcome.is_complete {
        return not_started + usize::from(last.is_some());
    }
    mark_all(fleet, outcome, last.into_iter().collect(), cancel).await
}

/// Marks beside each other.
async fn mark_all(fleet: &Fleet, outcome: &mut Outcome, marks: BTreeMap<ClusterName, Mark>, cancel: &CancellationToken) -> usize {
    let asked: Vec<(Mark, Manifest)> = marks
        .into_iter()
        .filter_map(|(cluster, mark)| {
            let manifest = outcome.landed.get(&cluster)?.get(&mark.key)?.clone();
            Some((mark, manifest))
        })
        .collect();
    let clusters: Vec<ClusterName> = asked.iter().map(|(mark, _)| mark.slot.cluster.name().clone()).collect();
    let answers = parallel::for_each(fleet.limit(), asked, |(mark, manifest)| {
        let claim = outcome.claim.clone();
        async move { step(mark, manifest, &claim).await }
    });
    let mut steps = Vec::new();
    for (cluster, answer) in clusters.iter().zip(answers.await) {
        match answer.unwrap_or_else(|crash| Err(refresh::crashed(cluster, &crash.to_string()))) {
            Ok(step) => steps.extend(step),
            Err(error) => {
                outcome.is_complete = false;
                outcome.findings.push(error.finding());
            }
        }
    }
    if !outcome.is_complete {
        return 0;
    }
    let not_started = run(fleet, outcome, &mut Vec::new(), steps, &Arc::default(), cancel).await;
    outcome.is_complete &= not_started == 0;
    not_started
}

/// The write of one mark; `None`: it is there.
async fn step(mark: Mark, manifest: Manifest, claim: &Claim) -> Result<Option<Step>, ClusterError> {
    let Mark { slot, key, annotations } = mark;
    let cluster = slot.cluster.name().clone();
    let own = annotations.get(reserved::INSTANCE_ANNOTATION).map(String::as_str);
    let live = match slot.ask(slot.cluster.get(&key)).await? {
        Some(live) if live.claimed_by() == Some(claim) && !is_of_another(&live.json, own) => live,
        _ => {
            let what = format!("{key} is gone or somebody else's, right after it was written");
            let error = ClusterError::new(
                Class::Conflict,
                &cluster,
                what,
                "Something else changes the objects while this apply is running.",
                "Find out what it is, then plan and apply again.",
            );
            return Err(error.at(&key));
        }
    };
    let write = Write {
        previous: Some(manifest.clone()),
        state_annotations: annotations,
        precondition: Precondition::Unchanged(live.seen()),
        manifest: manifest.clone(),
    };
    if ownership::is_as_written(&write, &live.json) {
        return Ok(None);
    }
    Ok(Some(Step { cluster, slot: Arc::clone(&slot), action: Action::Apply { write, old: Some(manifest), live: Some(live) } }))
}
