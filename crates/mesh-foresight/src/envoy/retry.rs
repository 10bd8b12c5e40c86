//! What retries make of a request that meets an endpoint which fails.
//!
//! Two tries go by the same priorities, then those that were tried are left out (`previous_priorities`, update frequency 2, which
//! is what `retryRemoteLocalities` asks for). A try avoids the endpoints of earlier ones (`previous_hosts`): Envoy asks six times for
//! another one, which may miss one with less than a tenth of the requests; that is not modelled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Assignment, loads};
use crate::read::{Limit, Protocol, Retries};
use crate::world::Fault;

/// Tries between which priorities are chosen anew.
const ROUND: u32 = 2;
/// More tries than this change nothing that can be foretold.
const MOST_TRIES: u32 = 8;

/// What becomes of requests; the later one is the worse.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tries {
    /// none meets an endpoint that fails
    Clean,
    /// those that do are answered by another one
    Repeated,
    /// some get no answer
    Lost(Loss),
}

/// Why a request gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// no endpoint serves
    Nobody,
    /// such a failure is not repeated
    NotRepeated(Fault),
    /// retries go to the endpoints that fail, and to no other priority
    Stays,
    /// others serve, and the tries end before they are reached
    TooFew,
    /// nothing came back; the limit after which the client is told, if there is one
    Hangs(Option<String>),
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody serves"),
            Self::NotRepeated(Fault::Application) => f.write_str("an answer 503 is not repeated"),
            Self::NotRepeated(_) => f.write_str("a broken connection is not repeated"),
            Self::Stays => f.write_str("retries stay where the failure is"),
            Self::TooFew => f.write_str("too few retries to reach who serves"),
            Self::Hangs(Some(limit)) => write!(f, "no answer for {limit}"),
            Self::Hangs(None) => f.write_str("no answer, and no limit to waiting"),
        }
    }
}

/// How requests are repeated.
pub(crate) struct Repeating<'a> {
    pub(crate) retries: &'a Retries,
    pub(crate) limit: &'a Limit,
    pub(crate) protocol: Protocol,
}

/// The worst that can become of a request, whichever endpoints its tries meet.
pub(crate) fn worst(assignment: &Assignment, out: &BTreeSet<usize>, repeating: &Repeating<'_>) -> Tries {
    let shares = loads(assignment, out, &BTreeSet::new());
    let met = |index: usize| !shares[index].is_none();
    let mut all = 0..assignment.endpoints.len();
    if !all.clone().any(met) {
        return Tries::Lost(Loss::Nobody);
    }
    if !all.any(|index| met(index) && assignment.endpoints[index].fault().is_some()) {
        return Tries::Clean;
    }
    let tries = repeating.retries.attempts.saturating_add(1).min(MOST_TRIES);
    match (Search { assignment, out, repeating }).lost(&BTreeSet::new(), &BTreeSet::new(), tries) {
        Some(loss) => Tries::Lost(loss),
        None => Tries::Repeated,
    }
}

struct Search<'a> {
    assignment: &'a Assignment,
    out: &'a BTreeSet<usize>,
    repeating: &'a Repeating<'a>,
}

impl Search<'_> {
    /// A way to lose a request with so many tries left, without these priorities.
    fn lost(&self, excluded: &BTreeSet<usize>, tried: &BTreeSet<usize>, left: u32) -> Option<Loss> {
        let loaded = |excluded: &BTreeSet<usize>| -> Vec<usize> {
            let shares = loads(self.assignment, self.out, excluded);
            (0..shares.len()).filter(|index| !shares[*index].is_none()).collect()
        };
        let mut met = loaded(excluded);
        if met.is_empty() {
            // when every priority was tried, all may be again
            met = loaded(&BTreeSet::new());
        }
        let (failing, serving): (Vec<usize>, Vec<usize>) = met.into_iter().partition(|index| self.fault(*index).is_some());
        if let Some(loss) = failing.iter().filter_map(|index| self.fault(*index)).find_map(|fault| self.unrepeated(fault)) {
            return Some(loss);
        }
        let round = if self.repeating.retries.leaves { left.min(ROUND) } else { left };
        let fresh: Vec<usize> = failing.iter().filter(|index| !tried.contains(index)).copied().collect();
        let failed = usize::try_from(round).unwrap_or(usize::MAX);
        if !serving.is_empty() && fresh.len() < failed {
            return None;
        }
        if left == round {
            return Some(self.out_of_tries());
        }
        let pool = if fresh.is_empty() { failing } else { fresh };
        self.choices(&pool, failed).into_iter().find_map(|chosen| {
            let priorities = chosen.iter().map(|index| self.assignment.priority(*index));
            let excluded = excluded.iter().copied().chain(priorities).collect();
            self.lost(&excluded, &tried.union(&chosen).copied().collect(), left - round)
        })
    }

    /// Which endpoints the tries of a round may meet, one choice for each set of priorities.
    fn choices(&self, pool: &[usize], tries: usize) -> Vec<BTreeSet<usize>> {
        let mut by_priority: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for index in pool {
            by_priority.entry(self.assignment.priority(*index)).or_default().push(*index);
        }
        let mut choices: Vec<BTreeSet<usize>> =
            by_priority.values().map(|members| members.iter().take(tries).copied().collect()).collect();
        if tries > 1 {
            let firsts: Vec<usize> = by_priority.values().filter_map(|members| members.first()).copied().collect();
            for (position, one) in firsts.iter().enumerate() {
                choices.extend(firsts[position + 1..].iter().map(|other| BTreeSet::from([*one, *other])));
            }
        }
        choices
    }

    fn fault(&self, index: usize) -> Option<Fault> {
        self.assignment.endpoints[index].fault()
    }

    /// Why a failure is not repeated, if it is not.
    fn unrepeated(&self, fault: Fault) -> Option<Loss> {
        let Repeating { retries, limit, protocol } = self.repeating;
        let on = |conditions: &[&str]| *protocol != Protocol::Bytes && retries.attempts > 0 && retries.repeat(conditions);
        let is_repeated = match fault {
            Fault::Connection => on(&["connect-failure", "reset", "reset-before-request", "5xx"]),
            Fault::Application if *protocol == Protocol::Grpc => on(&["unavailable", "503", "5xx", "gateway-error"]),
            Fault::Application => on(&["503", "5xx", "gateway-error"]),
            // only a try that ends can be repeated; what ends it is a reset
            Fault::Hang => limit.attempt.is_some() && on(&["reset", "5xx"]),
        };
        if is_repeated {
            return None;
        }
        Some(match fault {
            Fault::Hang => Loss::Hangs(limit.attempt.clone().or_else(|| limit.request.clone())),
            fault => Loss::NotRepeated(fault),
        })
    }

    fn out_of_tries(&self) -> Loss {
        let mut serving =
            (0..self.assignment.endpoints.len()).filter(|index| !self.out.contains(index) && self.fault(*index).is_none());
        match (serving.next(), self.repeating.retries.leaves) {
            (None, _) => Loss::Nobody,
            (Some(_), false) => Loss::Stays,
            (Some(_), true) => Loss::TooFew,
        }
    }
}
