//! One write: done, seen, or reported.

use istio_objects::{Claim, Manifest, ObjectKey};
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding};
use tokio_util::sync::CancellationToken;

use super::{Done, Effect};
use crate::drift::{self, drift_lines};
use crate::instance::is_same_instance;
use crate::port::{LiveObject, Precondition, Write};
use crate::preflight::{Action, Step};
use crate::{Class, ClusterError, ownership};

/// Does one step, and says what is there afterwards.
pub(super) async fn perform(step: &Step, claim: &Claim, cancel: &CancellationToken) -> Done {
    let done = match &step.action {
        Action::Apply { write, old, live } => apply(step, write, old.as_ref(), live.as_ref(), cancel).await,
        Action::Delete { key, live } => delete(step, key, live, claim, cancel).await,
    };
    step.slot.forget_list().await;
    tracing::debug!(cluster = %step.cluster, object = %step.action.key(), effect = done.effect.name(), "wrote");
    done
}

async fn apply(
    step: &Step,
    write: &Write,
    old: Option<&Manifest>,
    live: Option<&LiveObject>,
    cancel: &CancellationToken,
) -> Done {
    let cluster = &step.slot.cluster;
    let error = match cluster.apply(write, cancel).await {
        Ok(written) => return landed(write, &written, live.is_none()),
        Err(error) => error,
    };
    let now = match cluster.get(write.manifest.key()).await {
        Ok(now) => now,
        Err(_) => return not_known(step, &error, matches!(error.class, Class::Conflict | Class::Cancelled), live.is_none()),
    };
    if error.class == Class::Conflict && is_same_for_us(write, live, now.as_ref()) {
        // something changed that is not ours, as a status: once more, on what is there now
        let precondition = now.as_ref().map_or(Precondition::Absent, |now| Precondition::Unchanged(now.seen()));
        let again = Write { precondition, ..write.clone() };
        return match cluster.apply(&again, cancel).await {
            Ok(written) => landed(write, &written, live.is_none()),
            Err(error) => match cluster.get(write.manifest.key()).await {
                Ok(now) => settle(write, old, live, now.as_ref(), &error),
                Err(_) => not_known(step, &error, matches!(error.class, Class::Conflict | Class::Cancelled), live.is_none()),
            },
        };
    }
    settle(write, old, live, now.as_ref(), &error)
}

fn landed(write: &Write, written: &LiveObject, is_new: bool) -> Done {
    Done { effect: Effect::Landed(write.manifest.clone()), finding: None, created: is_new.then(|| Some(written.seen())) }
}

/// What a failed write left, judged by what is there.
fn settle(
    write: &Write,
    old: Option<&Manifest>,
    before: Option<&LiveObject>,
    now: Option<&LiveObject>,
    error: &ClusterError,
) -> Done {
    let is_written = now.is_some_and(|now| ownership::is_as_written(write, &now.json));
    // a write whose answer was lost has happened when it is seen; a disk that failed may still lose it
    let finding = (!is_written || error.class == Class::Io).then(|| error.clone().at(write.manifest.key()).finding());
    let effect = match now {
        Some(_) if is_written => Effect::Landed(write.manifest.clone()),
        Some(now) => match old.filter(|old| drift_lines(old, Some(&now.json)).is_empty()) {
            Some(old) => Effect::Landed(old.clone()),
            None => Effect::AsBefore,
        },
        None => Effect::Gone,
    };
    let is_created = before.is_none() && is_written;
    Done { effect, finding, created: is_created.then(|| now.map(LiveObject::seen)) }
}

/// Whether nothing that matters to the write differs between what preflight saw and what is there.
fn is_same_for_us(write: &Write, before: Option<&LiveObject>, now: Option<&LiveObject>) -> bool {
    match (before, now) {
        (None, None) => true,
        (Some(before), Some(now)) => {
            let lines = |live: &LiveObject| drift_lines(&write.manifest, Some(&live.json));
            before.claim == now.claim && is_same_instance(&before.json, &now.json) && lines(before) == lines(now)
        }
        _ => false,
    }
}

async fn delete(step: &Step, key: &ObjectKey, live: &LiveObject, claim: &Claim, cancel: &CancellationToken) -> Done {
    let cluster = &step.slot.cluster;
    let mut seen = live.seen();
    let mut error = match cluster.delete(key, &seen, cancel).await {
        Ok(()) => return gone(None),
        Err(error) => error,
    };
    let mut is_repeated = false;
    loop {
        let now = match cluster.get(key).await {
            // a disk that failed may still bring it back
            Ok(None) => return gone((error.class == Class::Io).then(|| error.at(key).finding())),
            Ok(Some(now)) => now,
            Err(_) => return not_known(step, &error, matches!(error.class, Class::Conflict | Class::Cancelled), false),
        };
        if now.claimed_by().is_some_and(|other| other != claim) {
            return gone(Some(moved(&step.cluster, key, &now)));
        }
        let is_unchanged =
            now.claim == live.claim && is_same_instance(&live.json, &now.json) && drift::is_same_body(&live.json, &now.json);
        if error.class != Class::Conflict || !is_unchanged || is_repeated {
            return Done { finding: Some(error.at(key).finding()), ..Done::default() };
        }
        is_repeated = true;
        seen = now.seen();
        error = match cluster.delete(key, &seen, cancel).await {
            Ok(()) => return gone(None),
            Err(error) => error,
        };
    }
}

fn gone(finding: Option<Finding>) -> Done {
    Done { effect: Effect::Gone, finding, created: None }
}

/// What to say when neither the write nor a look told what is there.
fn not_known(step: &Step, error: &ClusterError, is_surely_unwritten: bool, is_new: bool) -> Done {
    let key = step.action.key();
    if is_surely_unwritten {
        return Done { finding: Some(error.clone().at(key).finding()), ..Done::default() };
    }
    let finding = Finding::new(
        Code::OutcomeUnknown,
        AttributePath::default(),
        format!("whether {key} in cluster {} was written is not known: {}", step.cluster, error.words.what),
        format!("The cluster gave no answer, and could not be asked afterwards. {}", error.words.why),
        "Plan again when the cluster answers: the plan shows what is there, and applying it puts it right.",
    );
    let finding = finding.in_cluster(&step.cluster).on_object(key);
    Done { effect: Effect::AsBefore, finding: Some(finding), created: is_new.then_some(None) }
}

fn moved(cluster: &ClusterName, key: &ObjectKey, now: &LiveObject) -> Finding {
    let other = now.claimed_by().map_or_else(|| "somebody else".to_owned(), ToString::to_string);
    Finding::new(
        Code::ClaimMoved,
        AttributePath::default(),
        format!("{key} in cluster {cluster} was not deleted: it belongs to {other} now"),
        "Somebody else's object is never touched.",
        "Nothing is to be done if that is intended; otherwise delete the object by hand.",
    )
    .in_cluster(cluster)
    .on_object(key)
}
