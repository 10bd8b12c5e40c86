//! Timeouts: whether a request lives long enough to reach another cluster.

use std::collections::BTreeMap;

use mesh_model::intent::{Port, Retries};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use super::Scope;
use super::ranks::Ranked;

/// Tries before Envoy turns to another priority, which is another cluster.
const TRIES: u32 = 2;

pub(super) fn check(scope: &Scope<'_>, ports: &[&Port], ranked: &Ranked<'_>, findings: &mut Findings) {
    let Retries { attempts, per_try_timeout, retry_unavailable: _, retry_on_reset: _ } = &scope.intent.retries;
    let (Some(Leaf::Known(timeout)), Leaf::Known(connect)) = (&scope.intent.timeout, &scope.intent.connect_timeout) else {
        return;
    };
    let (name, one_try) = match per_try_timeout {
        Some(Leaf::Unknown(_)) => return,
        Some(Leaf::Known(limit)) if limit < connect => ("per_try_timeout", limit),
        _ => ("connect_timeout", connect),
    };
    let needed = *one_try * TRIES;
    let stays = attempts.known().is_some_and(|attempts| *attempts < TRIES) || ranked.targets.values().all(BTreeMap::is_empty);
    if stays || needed <= *timeout || !ports.iter().any(|port| port.protocol.has_requests()) {
        return;
    }
    findings.push(Finding::new(
        Code::TimeoutBeforeFailover,
        AttributePath::of("timeout"),
        format!("A request ends after {timeout:?}, and two tries at a gateway that hangs take {needed:?}: `{name}` is {one_try:?}."),
        "Only the second retry leaves the cluster: until the gateway is ejected, callers get 504 though another cluster could serve.",
        format!("Leave time for both, timeout = \"{needed:?}\", or make `{name}` shorter."),
    ));
}
