//! Which endpoints are ejected in the long run.
//!
//! Envoy ejects one more only if that many percent of all endpoints of the host, of every priority, stay within
//! `max_ejection_percent`. It never ejects "at least one".

use std::collections::BTreeSet;

use super::{Assignment, loads};
use crate::read::{Outlier, Protocol};
use crate::share::Share;
use crate::world::Fault;

/// What ejection can do about failing endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ejections {
    /// endpoints of the host
    pub endpoints: usize,
    /// how many of them may be ejected at a time
    pub most: usize,
    /// how many come before the last priority
    pub before_last: usize,
}

impl Ejections {
    pub(crate) fn of(outlier: Option<&Outlier>, assignment: &Assignment) -> Self {
        let (endpoints, priorities) = (assignment.endpoints.len(), 0..assignment.endpoints.len());
        let priorities: Vec<usize> = priorities.map(|endpoint| assignment.priority(endpoint)).collect();
        let last = priorities.iter().max().copied().unwrap_or(0);
        let percent = outlier.map_or(0, |outlier| usize::from(outlier.max_percent.min(100)));
        let before_last = priorities.iter().filter(|priority| **priority < last).count();
        Self { endpoints, most: endpoints * percent / 100, before_last }
    }

    /// Whether as many can be ejected as have to be, for the last priority to serve alone.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.most >= self.before_last
    }
}

/// The endpoints that are out once every failure has been noticed.
pub(crate) fn eject(assignment: &Assignment, outlier: Option<&Outlier>, protocol: Protocol) -> BTreeSet<usize> {
    let mut out = BTreeSet::new();
    let Some(outlier) = outlier else { return out };
    let most = Ejections::of(Some(outlier), assignment).most;
    let is_noticed = |fault: Fault| match fault {
        // a connection that a sidecar accepts is a success
        Fault::Application if protocol == Protocol::Bytes => false,
        Fault::Application => outlier.server_errors > 0 || outlier.gateway_errors > 0,
        Fault::Connection | Fault::Hang => outlier.is_split || outlier.server_errors > 0 || outlier.gateway_errors > 0,
    };
    loop {
        let before = out.len();
        let tried: Vec<Share> = loads(assignment, &out, &BTreeSet::new());
        for (index, share) in tried.iter().enumerate() {
            if out.len() < most && !share.is_none() && assignment.endpoints[index].fault().is_some_and(is_noticed) {
                out.insert(index);
            }
        }
        if out.len() == before {
            return out;
        }
    }
}
