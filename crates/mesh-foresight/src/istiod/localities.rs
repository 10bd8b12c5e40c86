//! Priorities and weights of localities.

use std::collections::{BTreeMap, BTreeSet};

use super::{Candidate, NETWORK, REGION, ZONE, locality, place_labels};
use crate::envoy::{Assignment, Endpoint, Group};
use crate::fleet::Member;
use crate::read::{Distribution, Failover, Locality, PortPolicy};

/// Endpoints of one locality and priority.
struct Part<'f> {
    place: Vec<String>,
    priority: usize,
    weight: u64,
    members: Vec<Candidate<'f>>,
}

/// Gives endpoints their priorities and localities their weights. The candidates are those that are left, in the order of the
/// endpoints.
pub(crate) fn assign<'f>(
    member: &Member,
    policy: &PortPolicy,
    prefers_close: bool,
    found: Vec<Candidate<'f>>,
) -> (Assignment, Vec<Candidate<'f>>) {
    let setting = setting(policy, prefers_close);
    let ignores_weights = policy.balancer.as_ref().is_some_and(|balancer| balancer.ignores_weights);
    let mut parts = parts(member, &setting, found);
    let is_weighted = match &setting {
        Locality::Distribute(rules) => {
            distribute(member, rules, &mut parts);
            true
        }
        Locality::Failover(Failover { labels, regions }) => !labels.is_empty() || !regions.is_empty(),
        Locality::Unset | Locality::Off => false,
    };
    // priorities without endpoints are left out
    let distinct: BTreeSet<usize> = parts.iter().map(|part| part.priority).collect();
    let mut assignment = Assignment::default();
    let mut candidates: Vec<Candidate<'f>> = Vec::new();
    for Part { place: _, priority, weight, members } in parts {
        let priority = distinct.range(..priority).count();
        // without weights Envoy tells no localities apart
        let known = assignment.groups.iter().position(|group| !is_weighted && group.priority == priority);
        let group = known.unwrap_or(assignment.groups.len());
        if known.is_none() {
            assignment.groups.push(Group { priority, weight });
        }
        for candidate in members {
            // Envoy keeps the first of several endpoints with one address
            if candidates.iter().any(|other| other.is_same_host(&candidate)) {
                continue;
            }
            let weight = if ignores_weights { 1 } else { candidate.weight };
            assignment.endpoints.push(Endpoint { group, weight, answer: candidate.answer.clone() });
            candidates.push(candidate);
        }
    }
    (assignment, candidates)
}

/// What holds: what the policy says, or the host, or the mesh, whose default is nearness.
fn setting(policy: &PortPolicy, prefers_close: bool) -> Locality {
    let said = policy.balancer.as_ref().map_or(Locality::Unset, |balancer| balancer.locality.clone());
    match (said, prefers_close) {
        (Locality::Unset, true) => {
            Locality::Failover(Failover { labels: [NETWORK, REGION, ZONE].map(str::to_owned).into(), regions: Vec::new() })
        }
        // istiod computes no priorities without outlier detection, unless the host asks for near endpoints itself
        (Locality::Unset | Locality::Failover(_), _) if policy.outlier.is_none() => Locality::Off,
        (Locality::Unset, false) => Locality::Failover(Failover::default()),
        (said, _) => said,
    }
}

/// Endpoints by locality and priority.
fn parts<'f>(member: &Member, setting: &Locality, found: Vec<Candidate<'f>>) -> Vec<Part<'f>> {
    let mut parts: BTreeMap<(Vec<String>, usize), Vec<Candidate<'f>>> = BTreeMap::new();
    for candidate in found {
        let priority = match setting {
            Locality::Failover(failover) => priority(member, failover, &candidate),
            Locality::Unset | Locality::Off | Locality::Distribute(_) => 0,
        };
        parts.entry((candidate.locality.clone(), priority)).or_default().push(candidate);
    }
    let part = |((place, priority), members): (_, Vec<Candidate<'f>>)| {
        let weight = members.iter().map(|candidate| candidate.weight).sum();
        Part { place, priority, weight, members }
    };
    parts.into_iter().map(part).collect()
}

/// How many of the labels are left, from the first in which an endpoint differs from the client; among endpoints that are alike
/// in this, by nearness.
fn priority(member: &Member, Failover { labels, regions }: &Failover, candidate: &Candidate<'_>) -> usize {
    let place = locality(member);
    if labels.is_empty() {
        return distance(&place, &candidate.locality, regions);
    }
    // client workloads carry none of the destination's labels
    let client: BTreeMap<String, String> = place_labels(&place, member.network.as_ref()).collect();
    let differs = |text: &String| match text.split_once('=') {
        Some((key, value)) => candidate.labels.get(key).map_or("", String::as_str) != value,
        None => candidate.labels.get(text) != client.get(text),
    };
    let by_labels = labels.iter().position(differs).map_or(0, |position| labels.len() - position);
    if regions.is_empty() { by_labels } else { by_labels * FARTHEST + distance(&place, &candidate.locality, regions) }
}

/// More than any distance.
const FARTHEST: usize = 5;

/// 0 to 2 in the client's region, 3 in others; 4 in those that the rule of the client's region does not name, if it has one.
fn distance(client: &[String], other: &[String], regions: &[(String, String)]) -> usize {
    let common = (0..3).take_while(|part| client.get(*part) == other.get(*part)).count();
    let region = |place: &[String]| place.first().cloned().unwrap_or_default();
    // only the first rule counts
    let rule = regions.iter().find(|(from, _)| *from == region(client));
    match (common, rule) {
        (0, Some((_, to))) if *to != region(other) => 4,
        _ => 3 - common,
    }
}

/// Gives localities the weights of the first rule for clients of the region, and drops those that it does not name. Without
/// such a rule everything stays as it is.
fn distribute(member: &Member, rules: &[Distribution], parts: &mut Vec<Part<'_>>) {
    let is_in = |place: &[String], region: &Option<String>| match region {
        Some(region) => place.first().map_or("", String::as_str) == region,
        None => true,
    };
    let client = locality(member);
    let Some(rule) = rules.iter().find(|rule| is_in(&client, &rule.from)) else { return };
    let mut rest = std::mem::take(parts);
    for (region, percent) in &rule.to {
        let (mut named, others) = rest.into_iter().partition::<Vec<_>, _>(|part| is_in(&part.place, region));
        rest = others;
        let all: u64 = named.iter().map(|part| part.weight).sum();
        for part in &mut named {
            part.weight = (part.weight * u64::from(*percent)).div_ceil(all.max(1));
        }
        parts.append(&mut named);
    }
}
