//! Whether the names of our objects are free, or held by somebody from whom they may be taken: one finding for all that one
//! owner holds in a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::Object;
use mesh_model::{AttributePath, Code, Finding, Findings};

use super::Rights;
use super::live::{Inventory, Live};

/// Judges what exists under the keys of `objects` and is not ours; the result is those keys.
pub(super) fn check(
    objects: &[Arc<Object>],
    hostname: Option<&str>,
    rights: &Rights<'_>,
    inventory: &Inventory<'_>,
    findings: &mut Findings,
) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    let mut by_owner: BTreeMap<String, Vec<(String, Live<'_>)>> = BTreeMap::new();
    for object in objects {
        let key = object.key();
        let namespace = key.namespace.as_ref().map_or("", |namespace| namespace.as_str());
        let found = inventory.of_kind(&key.kind).find(|live| live.name == key.name.as_str() && live.namespace == namespace);
        let Some(live) = found else { continue };
        taken.insert(key.to_string());
        if !may_take(rights, &live) {
            by_owner.entry(inventory.owner(live)).or_default().push((key.to_string(), live));
        }
    }
    for (owner, mut held) in by_owner {
        held.sort_by(|(one, _), (other, _)| one.cmp(other));
        let Some((first, live)) = held.first() else { continue };
        let more = if held.len() == 1 { String::new() } else { format!(" and {} more objects", held.len() - 1) };
        let belong = if held.len() == 1 { "belongs" } else { "belong" };
        let why = match hostname {
            Some(hostname) => format!("Objects of {hostname} have this name, and an object has one owner."),
            None => "An object has one owner.".to_owned(),
        };
        findings.push(
            Finding::new(
                Code::ObjectTaken,
                AttributePath::of(if hostname.is_some() { "hostname" } else { "manifest" }),
                format!("{first}{more} in cluster {} {belong} to {owner}.", inventory.cluster),
                why,
                way_out(live, hostname.is_some()),
            )
            .in_cluster(inventory.cluster)
            .on_object(first),
        );
    }
    taken
}

/// Whether the resource says that it takes such an object; what is not known yet is no veto. Those of `takeover` count as
/// ours and do not come here.
fn may_take(rights: &Rights<'_>, live: &Live<'_>) -> bool {
    match live.claim_text() {
        None => rights.adopt != Some(false),
        Some(_) => rights.takeover.is_none(),
    }
}

fn way_out(live: &Live<'_>, has_hostname: bool) -> String {
    let other = if has_hostname { "Choose another hostname" } else { "Leave it as it is" };
    match live.claim_text() {
        Some(claim) => format!(
            "{other}, or take the objects over in place, in agreement with the other owner:\n\n  takeover_from = [{claim:?}]"
        ),
        None => format!(
            "{other}, or take the object and overwrite it; the plan then shows what of it changes:\n\n  adopt = true\n\nIf this \
             resource wrote it and its state was lost, import it instead."
        ),
    }
}
