//! One change against what is there: claims and staleness. Pure.

use istio_objects::{Change, Claim, Manifest, Operation};
use mesh_model::{AttributePath, Code, Finding};

use super::{Action, Request};
use crate::drift::drift_lines;
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
pub(super) fn judge(request: &Request, change: &Change, known: Option<&Manifest>, live: Option<LiveObject>) -> Verdict {
    let shown = request.shown_drift.get(&entry(&change.cluster, change.key())).map_or(&[][..], Vec::as_slice);
    match (&change.operation, live) {
        (Operation::Create(manifest), None) => apply(request, manifest, None, None),
        (Operation::Create(manifest), Some(live)) => match &live.claim {
            Some(Ok(claim)) if may_write(request, claim) => apply(request, manifest, None, Some(live)),
            Some(Ok(other)) => Verdict::Refuse(claimed(change, other)),
            Some(Err(why)) => Verdict::Refuse(unclaimed(change, &format!("its claim cannot be read ({why})"))),
            None => Verdict::Refuse(unclaimed(change, "nobody claims it")),
        },
        (Operation::Update { old, new }, None) => {
            if is_missing(shown) {
                apply(request, new, Some(old), None)
            } else {
                Verdict::Refuse(stale(change, &["the object is gone".to_owned()]))
            }
        }
        (Operation::Update { old, new }, Some(live)) => {
            if let Some(other) = live.claimed_by().filter(|claim| !may_write(request, claim)) {
                return Verdict::Refuse(claimed(change, other));
            }
            let lines = drift_lines(old, Some(&live.json));
            if lines.is_empty() || lines == shown || drift_lines(new, Some(&live.json)).is_empty() {
                apply(request, new, Some(old), Some(live))
            } else {
                Verdict::Refuse(stale(change, &lines))
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
            let lines = known.map(|known| drift_lines(known, Some(&live.json))).unwrap_or_default();
            if lines.is_empty() || lines == shown {
                Verdict::Do(Action::Delete { key: key.clone(), live })
            } else {
                Verdict::Refuse(stale(change, &lines))
            }
        }
    }
}

fn may_write(request: &Request, claim: &Claim) -> bool {
    *claim == request.claim || request.takeover.contains(claim)
}

fn apply(request: &Request, manifest: &Manifest, old: Option<&Manifest>, live: Option<LiveObject>) -> Verdict {
    let write = Write {
        manifest: manifest.clone(),
        previous: old.cloned(),
        state_annotations: request.state_annotations.get(manifest.key()).cloned().unwrap_or_default(),
        precondition: live.as_ref().map_or(Precondition::Absent, |live| Precondition::Unchanged(live.seen())),
    };
    match live {
        Some(live) if ownership::is_as_written(&write, &live.json) => Verdict::IsThere(manifest.clone()),
        live => Verdict::Do(Action::Apply { write, old: old.cloned(), live }),
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
        "Give this resource another hostname, or remove the other resource first. A resource that was only renamed keeps its \
         objects with a block:\n  moved {\n    from = <old address>\n    to   = <new address>\n  }"
            .to_owned(),
    )
}

fn unclaimed(change: &Change, which: &str) -> Finding {
    finding(
        Code::UnclaimedObject,
        change,
        format!("{} exists in cluster {} and was not written by this resource: {which}", change.key(), change.cluster),
        "What somebody wrote by hand or with another tool is not overwritten. Nothing was written in any cluster.",
        "If it is a resource of this configuration, import it with terraform import; if nobody needs the object, delete it."
            .to_owned(),
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
