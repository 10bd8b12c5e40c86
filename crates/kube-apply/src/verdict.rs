//! What the clusters would say to changes, tried at plan.
//!
//! Contract: changes nothing and shapes nothing: a verdict vetoes or warns. A cluster that does not let this identity try is
//! told once for the life of the configured provider, and is not asked again where it said so: what it would say is then
//! found by [`preflight`](fn@crate::preflight), before the first write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::Change;
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings};

use crate::fleet::{Fleet, Slot};
use crate::port::Remark;
use crate::{Class, ClusterError, parallel, refresh};

/// Tries every change in its cluster. Changes for clusters that are not [`Standing::Ready`](crate::Standing) are left out.
pub async fn verdicts(fleet: &Fleet, changes: Vec<Change>) -> Findings {
    let mut asked = Vec::new();
    for change in changes {
        if let Some(slot) = fleet.slot(&change.cluster) {
            asked.push((change, Arc::clone(slot)));
        }
    }
    let answers = parallel::for_each(fleet.limit(), asked.clone(), |(change, slot)| attempt(change, slot)).await;
    let mut findings = Findings::new();
    let mut silent = BTreeSet::new();
    let mut remarks: BTreeMap<(ClusterName, Remark), Vec<&Change>> = BTreeMap::new();
    for ((change, slot), answer) in asked.iter().zip(answers) {
        match answer.unwrap_or_else(|crash| Err(refresh::crashed(&change.cluster, &crash.to_string()))) {
            Ok(said) => {
                for remark in said {
                    remarks.entry((change.cluster.clone(), remark)).or_default().push(change);
                }
            }
            Err(error) if error.class == Class::Forbidden => {
                if slot.is_first_refused_trial() {
                    findings.push(not_tried(&error));
                }
            }
            // it concerns the cluster, not the object
            Err(error) if error.class == Class::Unreachable && !silent.insert(change.cluster.clone()) => {}
            Err(error) => findings.push(error.finding()),
        }
    }
    findings.extend(remarks.into_iter().map(|((_, remark), changes)| remarked(&changes, remark)));
    findings
}

async fn attempt(change: Change, slot: Arc<Slot>) -> Result<Vec<Remark>, ClusterError> {
    let key = change.key();
    let place = (key.kind.clone(), key.namespace.clone());
    if slot.may_not_try(&place) {
        return Ok(Vec::new());
    }
    let answer = slot.ask(slot.cluster.dry_run(&change)).await;
    if answer.as_ref().is_err_and(|error| error.class == Class::Forbidden) {
        slot.note_refused_trial(place);
    }
    answer
}

fn not_tried(error: &ClusterError) -> Finding {
    let words = &error.words;
    Finding::new(
        Code::NotTried,
        AttributePath::default(),
        format!("The planned changes are not tried: {}.", words.what),
        format!(
            "{}\n\nWhat schema, rules and webhooks of the cluster say against the objects is found by the apply, before its \
             first write.",
            words.why
        ),
        format!(
            "Nothing is to be done where this identity only plans. Kubernetes does not tell trying a change from making it: an \
             identity that may try may write.\n\n{}",
            words.fix
        ),
    )
    .in_cluster(&error.cluster)
}

/// What a cluster remarks on changes to several objects.
pub(crate) fn remarked(changes: &[&Change], remark: Remark) -> Finding {
    let (first, more) = (changes[0], changes.len() - 1);
    let text = match remark {
        Remark::Warning(text) => text,
        Remark::Unchecked { what, why } => {
            let fix = "Nothing is to be done for now: the API server judges it when the object gets there.";
            let finding = Finding::new(Code::RuleUnchecked, AttributePath::default(), what, why, fix);
            return finding.in_cluster(&first.cluster).on_object(first.key());
        }
        Remark::Awaits { what, fix, at_most } => {
            let why = format!(
                "What the cluster says to the object is not known before. The apply waits for {} s before the write, for what \
                 the same apply creates; then it fails.",
                at_most.as_secs()
            );
            let finding = Finding::new(Code::AwaitedByWrite, AttributePath::default(), what, why, fix);
            return finding.in_cluster(&first.cluster).on_object(first.key());
        }
    };
    let why = match more {
        0 => "The cluster accepts the object all the same.".to_owned(),
        1 => "The cluster says it of one more object of this resource, and accepts both all the same.".to_owned(),
        more => format!("The cluster says it of {more} more objects of this resource, and accepts them all the same."),
    };
    Finding::new(Code::WarnedByCluster, AttributePath::default(), text, why, "See the documentation of the kind.")
        .in_cluster(&first.cluster)
        .on_object(first.key())
}
