//! What the log says of a wave: when it begins, how far it is, and when it has ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::preflight::{Action, Step};
use crate::progress::{Teller, Wait};

/// One wave, or the rollback of one.
pub(super) struct Progress {
    name: String,
    count: usize,
    /// writes that have ended, well or not
    pub(super) done: Arc<AtomicUsize>,
    teller: Teller,
}

impl Progress {
    /// It begins.
    pub(super) fn begin(name: String, wave: &[Vec<Step>]) -> Self {
        let steps = || wave.iter().flatten();
        let deleted = steps().filter(|step| matches!(step.action, Action::Delete { .. })).count();
        let clusters: BTreeSet<&str> = steps().map(|step| step.cluster.as_str()).collect();
        let clusters = clusters.into_iter().collect::<Vec<_>>().join(", ");
        let count = steps().count();
        tracing::info!("{name} begins: {} to write, {deleted} to delete, in {clusters}", count - deleted);
        Self { name, count, done: Arc::default(), teller: Teller::default() }
    }

    /// Awaits a part of it.
    pub(super) async fn over<T>(&self, work: impl Future<Output = T>) -> T {
        let what = || format!("{}, {} of {} done", self.name, self.done.load(Ordering::Relaxed), self.count);
        self.teller.over_changing(&Wait::new("", None), what, work).await
    }

    /// It has ended.
    pub(super) fn end(self) {
        tracing::info!("{} has ended: {} of {} done", self.name, self.done.load(Ordering::Relaxed), self.count);
    }
}
