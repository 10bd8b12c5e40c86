//! The create of one object in each cluster: the last write is its own mark.
//!
//! The mark that counts is that of the last cluster by name, and it says that everything is there. Where each cluster gets a
//! single object, the object of that cluster is written after all others, with the mark on it: whatever stops the create
//! before leaves no mark, as if it were written on its own. The other clusters get theirs with the next update.

use istio_objects::reserved;

use super::{Action, Step};
use crate::instance::Instance;

/// Puts the write in the last cluster after all others, with the mark; `false`, and nothing is changed: a cluster gets several
/// objects, or none, or the order of clusters is another one.
pub(super) fn mark_with_the_last(waves: &mut [Vec<Vec<Step>>], own: &Instance) -> bool {
    let [groups] = waves else { return false };
    let clusters: Vec<_> = groups.iter().flatten().map(|step| (&step.cluster, step.action.key())).collect();
    let is_one_each = clusters.len() == own.anchors.len()
        && own.anchors.iter().all(|anchor| clusters.contains(&anchor))
        && groups.iter().flatten().all(|step| matches!(step.action, Action::Apply { .. }));
    let (Some((last, _)), Some(group)) = (own.anchors.last_key_value(), groups.last_mut()) else { return false };
    let Some(position) = group.iter().position(|step| step.cluster == *last).filter(|_| is_one_each) else { return false };
    let mut step = group.remove(position);
    if let Action::Apply { write, .. } = &mut step.action {
        write.state_annotations.insert(reserved::COMPLETE_ANNOTATION.to_owned(), own.nonce.clone());
    }
    groups.retain(|group| !group.is_empty());
    groups.push(vec![step]);
    true
}
