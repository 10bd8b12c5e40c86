//! Taking back a failed create.
//!
//! Contract: removes what the write created, and nothing else: objects that it adopted were there before and stay, and so do
//! those that another instance has taken since. What
//! cannot be removed keeps its claim, so the next create adopts it; it is reported by name.

use istio_objects::{Claim, Wave};
use mesh_model::{AttributePath, Code, Finding};
use tokio_util::sync::CancellationToken;

use super::{Created, Outcome};
use crate::fleet::Fleet;
use crate::instance::is_of_another;
use crate::parallel;

/// Deletes what `outcome`'s write created, in the order of `deletions`; what they do not name goes last, latest written
/// first. Stops after the first wave in which something stayed: the order keeps traffic safe. Returns what is left.
pub async fn rollback(fleet: &Fleet, mut outcome: Outcome, deletions: &[Wave], cancel: &CancellationToken) -> Outcome {
    let groups = in_order(std::mem::take(&mut outcome.created), deletions);
    let count: usize = groups.iter().map(Vec::len).sum();
    tracing::info!("the create of {} failed: {count} objects that it wrote are taken back", outcome.claim);
    let mut is_stopped = false;
    for group in groups {
        let answers = parallel::for_each(fleet.limit(), group.iter().cloned(), |created| {
            let (claim, cancel) = (outcome.claim.clone(), cancel.clone());
            async move {
                if is_stopped { Err("an earlier deletion failed".to_owned()) } else { remove(&created, &claim, &cancel).await }
            }
        });
        for (created, answer) in group.iter().zip(answers.await) {
            match answer.unwrap_or_else(|crash| Err(crash.to_string())) {
                Ok(()) => {
                    if let Some(there) = outcome.landed.get_mut(&created.cluster) {
                        there.remove(&created.key);
                    }
                }
                Err(why) => {
                    is_stopped = true;
                    outcome.findings.push(left_behind(created, &why));
                }
            }
        }
    }
    outcome
}

fn in_order(created: Vec<Vec<Created>>, deletions: &[Wave]) -> Vec<Vec<Created>> {
    let mut rest: Vec<Vec<Created>> = created;
    let mut groups = Vec::new();
    for wave in deletions {
        let named = |created: &Created| wave.iter().any(|c| c.cluster == created.cluster && *c.key() == created.key);
        groups.push(rest.iter_mut().flat_map(|wave| wave.extract_if(.., |created| named(created))).collect());
    }
    groups.extend(rest.into_iter().rev());
    groups
}

async fn remove(created: &Created, claim: &Claim, cancel: &CancellationToken) -> Result<(), String> {
    let cluster = &created.slot.cluster;
    let mut seen = created.seen.clone();
    let mut failure = None;
    // the second round is for an object that changed since it was written, or whose writing is not known to have happened
    for _ in 0..2 {
        if let Some(seen) = &seen {
            let result = cluster.delete(&created.key, seen, cancel).await;
            created.slot.forget_list().await;
            match result {
                Ok(()) => return Ok(()),
                Err(error) => failure = Some(error.words.what),
            }
        }
        match cluster.get(&created.key).await {
            Ok(None) => return Ok(()),
            // it is that one's by now, and not left behind
            Ok(Some(now)) if now.claimed_by() == Some(claim) && is_of_another(&now.json, created.nonce.as_deref()) => {
                return Ok(());
            }
            Ok(Some(now)) if now.claimed_by() == Some(claim) => seen = Some(now.seen()),
            Ok(Some(_)) => return Err("it does not carry this resource's claim any more".to_owned()),
            Err(error) => return Err(failure.unwrap_or(error.words.what)),
        }
    }
    match seen.zip(failure) {
        Some((_, failure)) => Err(failure),
        None => Err("its deletion was not tried".to_owned()),
    }
}

fn left_behind(created: &Created, why: &str) -> Finding {
    Finding::new(
        Code::LeftBehind,
        AttributePath::default(),
        format!("{} in cluster {} was created and could not be removed again: {why}", created.key, created.cluster),
        "The create failed, so the state does not have the resource, but the cluster still has this object.",
        "Apply again: the create adopts the object by its claim.",
    )
    .in_cluster(&created.cluster)
    .on_object(&created.key)
}
