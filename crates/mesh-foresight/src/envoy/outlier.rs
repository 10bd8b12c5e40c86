//! Which endpoints are ejected in the long run.
//!
//! Envoy ejects one more only if that many percent of all endpoints of the host, of every priority, stay within
//! `max_ejection_percent`. It never ejects "at least one".

use std::collections::BTreeSet;

use super::{Assignment, loads};
use crate::read::{Outlier, Protocol};
use crate::share::Share;
use crate::world::Fault;

/// What ejection does about failing endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejections {
    /// endpoints of the host
    pub endpoints: usize,
    /// how many of them may be ejected at a time
    pub most: usize,
}

impl Ejections {
    pub(crate) fn of(outlier: Option<&Outlier>, endpoints: usize) -> Self {
        let percent = outlier.map_or(0, |outlier| usize::from(outlier.max_percent.min(100)));
        Self { endpoints, most: endpoints * percent / 100 }
    }
}

/// The endpoints that are out once every failure has been noticed.
pub(crate) fn eject(assignment: &Assignment, outlier: Option<&Outlier>, protocol: Protocol) -> BTreeSet<usize> {
    let mut out = BTreeSet::new();
    let Some(outlier) = outlier else { return out };
    let most = Ejections::of(Some(outlier), assignment.endpoints.len()).most;
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
