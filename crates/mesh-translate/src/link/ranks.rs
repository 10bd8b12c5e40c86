//! Ranks: which cluster serves next when a client's own cluster cannot.
//!
//! The client's own cluster always comes first and has no rank. Rank 1 is next. Clusters of one rank share the traffic. A limit
//! keeps the best-ranked clusters of each client.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::intent::{LocalityRule, Ranking};
use mesh_model::names::{ClusterName, Region};
use mesh_model::{Code, Finding, Findings, Leaf, derived};

use super::Scope;

/// Ranks of all clients.
pub(crate) struct Ranked<'a> {
    /// the highest one that may occur; follows from which arguments and regions are set, never from a region's value, because
    /// a value may be known only after apply
    pub(crate) highest: u32,
    /// by client, by serving cluster
    pub(crate) targets: BTreeMap<&'a ClusterName, BTreeMap<&'a ClusterName, Leaf<u32>>>,
}

/// How one client ranks.
enum Rule<'a> {
    Listed(Vec<&'a ClusterName>),
    Locality(&'a [LocalityRule]),
    Nearest,
}

/// Ranks the serving clusters for every client.
pub(crate) fn rank<'a>(scope: &Scope<'a>, findings: &mut Findings) -> Ranked<'a> {
    let failover = &scope.intent.failover;
    if matches!(failover.ranking, Ranking::Locality(_)) {
        check_regions(scope, findings);
    }
    let mut ranked = Ranked { highest: 0, targets: BTreeMap::new() };
    for client in &scope.clients {
        let remote: BTreeSet<&ClusterName> = scope.serving.keys().copied().filter(|cluster| cluster != client).collect();
        let rule = match (failover.per_client.get(*client), &failover.ranking) {
            (Some(list), _) | (None, Ranking::Order(list)) => {
                Rule::Listed(list.iter().filter(|cluster| cluster != client).collect())
            }
            (None, Ranking::Locality(rules)) => Rule::Locality(rules),
            (None, Ranking::Nearest) => Rule::Nearest,
        };
        let (mut targets, highest) = rank_client(scope, client, &remote, &rule);
        if let Some(most) = failover.most_targets {
            keep(&mut targets, client, most);
        }
        ranked.highest = ranked.highest.max(highest);
        ranked.targets.insert(client, targets);
    }
    ranked
}

/// Keeps the best-ranked ones; of those that share a rank the nearest by [`derived::distance`].
fn keep(targets: &mut Targets<'_>, client: &ClusterName, most: u32) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if targets.len() <= most {
        return;
    }
    let mut places: Vec<(Leaf<u32>, u64, &ClusterName)> =
        targets.iter().map(|(target, rank)| (rank.clone(), derived::distance(client, target), *target)).collect();
    places.sort();
    for (_, _, target) in places.into_iter().skip(most) {
        targets.remove(target);
    }
}

type Targets<'a> = BTreeMap<&'a ClusterName, Leaf<u32>>;

fn rank_client<'a>(
    scope: &Scope<'a>,
    client: &ClusterName,
    remote: &BTreeSet<&'a ClusterName>,
    rule: &Rule<'_>,
) -> (Targets<'a>, u32) {
    let only = scope.intent.failover.only;
    match rule {
        Rule::Listed(list) => {
            let targets: Targets<'a> = remote
                .iter()
                .filter_map(|cluster| {
                    let position = list.iter().position(|listed| listed == cluster);
                    let rank = position.map_or_else(|| (!only).then_some(list.len()), Some)?;
                    Some((*cluster, Leaf::Known(number(rank + 1))))
                })
                .collect();
            let highest = targets.values().filter_map(Leaf::known).copied().max().unwrap_or(0);
            (targets, highest)
        }
        Rule::Nearest if only => (BTreeMap::new(), 0),
        Rule::Nearest => by_region(scope, client, remote, &[], false),
        Rule::Locality(rules) => by_region(scope, client, remote, rules, only),
    }
}

/// The client's own region first, then the regions to which its rules point, then all others. "Nearest" is the same without
/// rules.
fn by_region<'a>(
    scope: &Scope<'a>,
    client: &ClusterName,
    remote: &BTreeSet<&'a ClusterName>,
    rules: &[LocalityRule],
    only: bool,
) -> (Targets<'a>, u32) {
    // without regions to compare all others share; whether a region is set is never unknown, its value may be
    let compared =
        scope.facts(client).region.as_ref().filter(|_| remote.iter().any(|cluster| scope.facts(cluster).region.is_some()));
    let Some(from) = compared else {
        let targets: Targets<'a> = remote.iter().filter(|_| !only).map(|cluster| (*cluster, Leaf::Known(1))).collect();
        let highest = u32::from(!targets.is_empty());
        return (targets, highest);
    };
    let targets = remote
        .iter()
        .filter_map(|cluster| Some((*cluster, region_rank(from, scope.facts(cluster).region.as_ref(), rules, only)?)))
        .collect();
    let longest = rules.iter().map(|rule| preferred(&rule.from, rules).len()).max().unwrap_or(1);
    (targets, number(longest) + u32::from(!only))
}

/// Regions in the order in which a client in `from` prefers them.
fn preferred<'r>(from: &'r Region, rules: &'r [LocalityRule]) -> Vec<&'r Region> {
    let mut regions: Vec<&Region> = Vec::new();
    for rule in rules.iter().filter(|rule| rule.from == *from) {
        if !regions.contains(&&rule.to) {
            regions.push(&rule.to);
        }
    }
    if !regions.contains(&from) {
        regions.insert(0, from);
    }
    regions
}

/// The rank of a cluster in region `to` for a client in region `from`; `None`: it gets no traffic.
fn region_rank(from: &Leaf<Region>, to: Option<&Leaf<Region>>, rules: &[LocalityRule], only: bool) -> Option<Leaf<u32>> {
    let from = match from {
        Leaf::Known(from) => from,
        // behind the client's own region there is one rank only, and a cluster without a region has it
        Leaf::Unknown(_) if to.is_none() && rules.is_empty() => return (!only).then_some(Leaf::Known(2)),
        Leaf::Unknown(path) => return Some(Leaf::Unknown(path.clone())),
    };
    let preferred = preferred(from, rules);
    let unlisted = (!only).then(|| Leaf::Known(number(preferred.len() + 1)));
    match to {
        None => unlisted,
        Some(Leaf::Unknown(path)) => Some(Leaf::Unknown(path.clone())),
        Some(Leaf::Known(to)) => match preferred.iter().position(|region| *region == to) {
            Some(position) => Some(Leaf::Known(number(position + 1))),
            None => unlisted,
        },
    }
}

fn number(rank: usize) -> u32 {
    u32::try_from(rank).expect("there are fewer clusters than that")
}

/// Clusters that no rule can match.
fn check_regions(scope: &Scope<'_>, findings: &mut Findings) {
    let without: BTreeSet<&ClusterName> =
        scope.participants().into_iter().filter(|cluster| scope.facts(cluster).region.is_none()).collect();
    for cluster in &without {
        findings.push(
            Finding::new(
                Code::RegionNotKnown,
                super::facts_path(cluster).attribute("region"),
                format!("The facts of cluster {cluster} name no region."),
                "`failover.locality` compares regions: no rule can match a cluster without one.",
                format!("Set it: {cluster} = merge(data.gloo_cluster.{cluster}.facts, {{ region = \"us-east-1\" }}), or rank clusters by name with failover = {{ order = [...] }}"),
            )
            .in_cluster(cluster),
        );
    }
}
