//! One change against what is there: claims and staleness. Pure.

use std::collections::BTreeMap;

use istio_objects::{Change, Claim, Manifest, ObjectKey, Operation, reserved};
use mesh_model::{AttributePath, Code, Finding};

use super::{Action, Adopt, Request};
use crate::authors::unsigned;
use crate::drift::{drift_lines, signed_drift_lines};
use crate::instance::{Census, Instance, mark_of, nonce_of};
use crate::ownership;
use crate::port::{LiveObject, Precondition, Write};
use crate::refresh::{entry, is_missing};

/// What becomes of a change.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "consumed at once, and nearly all are of the large variant")]
pub(super) enum Verdict {
    /// it is to be done
    Do(Action),
    /// it is done already
    IsThere(Manifest),
    /// the object is gone, or somebody else's: nothing to delete
    IsGone(Option<Finding>),
    /// it must not be done
    Refuse(Finding),
}

/// Judges one change. `known` is the manifest that the state has of the object.
pub(super) fn judge(
    request: &Request,
    census: &Census,
    change: &Change,
    known: Option<&Manifest>,
    live: Option<LiveObject>,
) -> Verdict {
    let is_others = live.as_ref().is_some_and(|live| is_of_other_instance(request, census, live));
    let shown = request.shown_drift.get(&entry(&change.cluster, change.key())).map_or(&[][..], Vec::as_slice);
    // who made it so may write again without changing it
    let shown: Vec<String> = shown.iter().map(|line| unsigned(line).to_owned()).collect();
    let shown = shown.as_slice();
    match (&change.operation, live) {
        (Operation::Create(manifest), None) => apply(request, change, manifest, None, None),
        (Operation::Create(_) | Operation::Update { .. }, Some(_)) if is_others && request.adopt < Adopt::Instances => {
            Verdict::Refuse(other_instance(change))
        }
        (Operation::Create(manifest), Some(live)) => match &live.claim {
            Some(Ok(claim)) if may_write(request, claim) => apply(request, change, manifest, None, Some(live)),
            Some(Ok(other)) => Verdict::Refuse(claimed(change, other)),
            Some(Err(why)) => Verdict::Refuse(unclaimed(change, &format!("its claim cannot be read ({why})"))),
            None if request.adopt >= Adopt::Unclaimed => apply(request, change, manifest, None, Some(live)),
            None => Verdict::Refuse(unclaimed(change, "nobody claims it")),
        },
        (Operation::Update { old, new }, None) => {
            if is_missing(shown) {
                apply(request, change, new, Some(old), None)
            } else {
                Verdict::Refuse(stale(change, &["the object is gone".to_owned()]))
            }
        }
        (Operation::Update { old, new }, Some(live)) => {
            if let Some(other) = live.claimed_by().filter(|claim| !may_write(request, claim)) {
                return Verdict::Refuse(claimed(change, other));
            }
            // what is taken over, or back, is as others made it
            let is_taken = is_others || live.claimed_by().is_some_and(|claim| *claim != request.claim);
            let lines = drift_lines(old, Some(&live.json));
            if is_taken || lines.is_empty() || lines == shown || drift_lines(new, Some(&live.json)).is_empty() {
                apply(request, change, new, Some(old), Some(live))
            } else {
                Verdict::Refuse(stale(change, &signed_drift_lines(old, Some(&live))))
            }
        }
        (Operation::Delete(_), None) => Verdict::IsGone(None),
        (Operation::Delete(key), Some(live)) => {
            let is_ours = match live.claimed_by() {
                Some(claim) => *claim == request.claim,
                // the claim was taken off; the label still says whose it is
                None => live.has_label_of(&request.claim.owner),
            };
            if !is_ours {
                return Verdict::IsGone(Some(moved(change, live.claimed_by())));
            }
            if is_others && request.adopt < Adopt::Instances {
                return Verdict::IsGone(Some(replaced(change)));
            }
            let lines = known.map(|known| drift_lines(known, Some(&live.json))).unwrap_or_default();
            if lines.is_empty() || lines == shown {
                Verdict::Do(Action::Delete { key: key.clone(), live })
            } else {
                let told = known.map(|known| signed_drift_lines(known, Some(&live))).unwrap_or_default();
                Verdict::Refuse(stale(change, &told))
            }
        }
    }
}

fn may_write(request: &Request, claim: &Claim) -> bool {
    *claim == request.claim || request.takeover.contains(claim)
}

/// Whether another instance, whose create has finished, wrote the object with this resource's claim.
fn is_of_other_instance(request: &Request, census: &Census, live: &LiveObject) -> bool {
    let Some(own) = &request.instance else { return false };
    live.claimed_by() == Some(&request.claim)
        && nonce_of(&live.json)
            .is_some_and(|nonce| nonce != own.nonce && !request.handed_over.contains(nonce) && census.is_complete(nonce))
}

/// The annotations under the state prefix that an object gets, but for the mark.
pub(super) fn annotations(request: &Request, key: &ObjectKey) -> BTreeMap<String, String> {
    let mut annotations = request.state_annotations.get(key).cloned().unwrap_or_default();
    if let Some(own) = &request.instance {
        annotations.insert(reserved::INSTANCE_ANNOTATION.to_owned(), own.nonce.clone());
    }
    annotations
}

/// Whether an anchor gets its mark with the object itself: an instance that is in a state has been created.
pub(super) fn marks_at_once(request: &Request, own: &Instance, change: &Change) -> bool {
    !request.prior.is_empty() && own.anchors.get(&change.cluster) == Some(change.key())
}

fn apply(request: &Request, change: &Change, manifest: &Manifest, old: Option<&Manifest>, live: Option<LiveObject>) -> Verdict {
    let mut state_annotations = annotations(request, manifest.key());
    // a cluster that an instance in a state gains is no part of an interrupted create, not with its first object either
    let is_new = request.prior.get(&change.cluster).is_none_or(Vec::is_empty);
    let is_added = !request.prior.is_empty() && is_new && live.is_none();
    if let Some(own) = &request.instance
        && (is_added
            || marks_at_once(request, own, change)
            || live.as_ref().and_then(|live| mark_of(&live.json)) == Some(&own.nonce))
    {
        state_annotations.insert(reserved::COMPLETE_ANNOTATION.to_owned(), own.nonce.clone());
    }
    let residue = request.residues.get(&entry(&change.cluster, manifest.key()));
    let with_residue = residue.zip(live.as_ref()).and_then(|(residue, live)| residue.on(old.unwrap_or(manifest), &live.json));
    let old = with_residue.or_else(|| old.cloned());
    let write = Write {
        manifest: manifest.clone(),
        previous: old.clone(),
        state_annotations,
        precondition: live.as_ref().map_or(Precondition::Absent, |live| Precondition::Unchanged(live.seen())),
    };
    match live {
        Some(live) if ownership::is_as_written(&write, &live.json) => Verdict::IsThere(manifest.clone()),
        live => Verdict::Do(Action::Apply { write, old, live }),
    }
}

fn finding(code: Code, change: &Change, what: String, why: &str, fix: String) -> Finding {
    Finding::new(code, AttributePath::default(), what, why, fix).in_cluster(&change.cluster).on_object(change.key())
}

fn claimed(change: &Change, other: &Claim) -> Finding {
    let namespace = other.namespace.as_ref().map_or("-", |namespace| namespace.as_str());
    finding(
        Code::ClaimedByAnother,
        change,
        format!(
            "{} in cluster {} belongs to {} {namespace}/{} of the owner {}",
            change.key(),
            change.cluster,
            other.resource_type,
            other.name,
            other.owner
        ),
        "An object has one owner: two would overwrite each other. Nothing was written in any cluster.",
        format!(
            "Give this resource another hostname, or take the object over in place:\n\n  takeover_from = [\"{other}\"]\n\nA \
             resource that was only renamed keeps its objects with a block:\n\n  moved {{\n    from = <old address>\n    to   \
             = <new address>\n  }}"
        ),
    )
}

fn unclaimed(change: &Change, which: &str) -> Finding {
    finding(
        Code::UnclaimedObject,
        change,
        format!("{} exists in cluster {} and was not written by this resource: {which}", change.key(), change.cluster),
        "What somebody wrote by hand or with another tool is not overwritten. Nothing was written in any cluster.",
        "If a state was lost, import the resource with terraform import. To take the object as it is and overwrite it, which \
         the plan then shows, write:\n\n  adopt = true\n\nIf nobody needs the object, delete it."
            .to_owned(),
    )
}

fn other_instance(change: &Change) -> Finding {
    finding(
        Code::OtherInstance,
        change,
        format!(
            "{} in cluster {} is already managed by another instance with this owner, namespace and name",
            change.key(),
            change.cluster
        ),
        "Two states share one `owner` by mistake (a copied root, a second workspace), or the state of this resource was lost, \
         or create_before_destroy creates it while its old instance still has the objects. Nothing was written in any cluster.",
        "Give every state an `owner` of its own. If the state was lost, import the resource with terraform import. If it was \
         renamed, write a `moved` block. If it was tainted or named by `-replace`, leave that out: an apply repairs the \
         objects in place. If this state shall have the objects whatever else does, take them over in place:\n\n  adopt = true"
            .to_owned(),
    )
}

fn replaced(change: &Change) -> Finding {
    finding(
        Code::ClaimMoved,
        change,
        format!(
            "{} in cluster {} was not deleted: another instance with this owner manages it now",
            change.key(),
            change.cluster
        ),
        "What another state manages is never touched.",
        "Nothing is to be done if that is intended; otherwise delete the object by hand.".to_owned(),
    )
}

fn stale(change: &Change, lines: &[String]) -> Finding {
    let shown: Vec<&str> = lines.iter().take(5).map(String::as_str).collect();
    let more = if lines.len() > 5 { format!("\n  and {} more", lines.len() - 5) } else { String::new() };
    finding(
        Code::ChangedSincePlan,
        change,
        format!("{} in cluster {} is not as the plan showed it:\n  {}{more}", change.key(), change.cluster, shown.join("\n  ")),
        "Somebody changed it after the plan was made. Nothing was written in any cluster.",
        "Plan again: the new plan shows the change, and applying it puts the object right.".to_owned(),
    )
}

fn moved(change: &Change, other: Option<&Claim>) -> Finding {
    let now = other.map_or_else(|| "nothing on it says that it is ours".to_owned(), |other| format!("it belongs to {other} now"));
    finding(
        Code::ClaimMoved,
        change,
        format!("{} in cluster {} was not deleted: {now}", change.key(), change.cluster),
        "Somebody else's object is never touched.",
        "Nothing is to be done if that is intended; otherwise delete the object by hand.".to_owned(),
    )
}
