//! Ranks: which cluster serves next when a client's own cluster cannot.
//!
//! The client's own cluster always comes first and has no rank. Rank 1 is next. Clusters of one rank share the traffic. A limit
//! keeps the best-ranked clusters of each client. Where the requests of a client are spread, the clusters that have a share serve
//! it, all at once.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::facts::ClusterFacts;
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

impl<'a> Ranked<'a> {
    /// Clusters that others call.
    pub(super) fn called(&self) -> BTreeSet<&'a ClusterName> {
        let mut called = BTreeSet::new();
        // one by one: they are few, and very many clients name them
        for target in self.targets.values().flat_map(BTreeMap::keys) {
            called.insert(*target);
        }
        called
    }
}

/// A serving cluster, and its region.
type Remote<'a> = (&'a ClusterName, Option<&'a Leaf<Region>>);

/// How one client ranks.
enum Rule<'a> {
    /// places in a list, and how many there are
    Listed(BTreeMap<&'a ClusterName, usize>, usize),
    Locality(&'a [LocalityRule]),
    Nearest,
}

/// Ranks the serving clusters for every client.
pub(crate) fn rank<'a>(scope: &Scope<'a>, findings: &mut Findings) -> Ranked<'a> {
    let failover = &scope.intent.failover;
    if matches!(failover.ranking, Ranking::Locality(_)) {
        check_regions(scope, findings);
    }
    let serving: Vec<Remote<'a>> = scope.serving.keys().map(|cluster| (*cluster, scope.facts(cluster).region.as_ref())).collect();
    let mut highest = 0;
    let rank = |(client, facts): (&&'a ClusterName, &&'a ClusterFacts)| {
        let remote: Vec<Remote<'a>> = serving.iter().copied().filter(|(cluster, _)| cluster != client).collect();
        if let Some(shares) = scope.shares(client) {
            let sharing = remote.into_iter().filter(|(cluster, _)| shares.of(cluster).is_some());
            return (*client, sharing.map(|(cluster, _)| (cluster, Leaf::Known(1))).collect());
        }
        let rule = match (failover.per_client.get(*client), &failover.ranking) {
            (Some(list), _) | (None, Ranking::Order(list)) => Rule::listed(list, client),
            (None, Ranking::Locality(rules)) => Rule::Locality(rules),
            (None, Ranking::Nearest) => Rule::Nearest,
        };
        let (targets, highest_of_client) = rank_client(facts.region.as_ref(), &remote, &rule, failover.only);
        highest = highest.max(highest_of_client);
        let most = failover.most_targets.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        (*client, nearest(targets, client, most).into_iter().collect())
    };
    let targets = scope.clients.iter().map(rank).collect();
    Ranked { highest, targets }
}

impl<'a> Rule<'a> {
    fn listed(list: &'a [ClusterName], client: &ClusterName) -> Self {
        let list: Vec<&ClusterName> = list.iter().filter(|cluster| *cluster != client).collect();
        // the first place of a cluster counts
        Self::Listed(list.iter().enumerate().rev().map(|(place, cluster)| (*cluster, place)).collect(), list.len())
    }
}

/// The best-ranked ones; of those that share a rank the nearest by [`derived::distance`].
fn nearest<'a>(targets: Targets<'a>, client: &ClusterName, most: usize) -> Targets<'a> {
    if targets.len() <= most {
        return targets;
    }
    let mut places: Vec<(Leaf<u32>, u64, &ClusterName)> =
        targets.into_iter().map(|(target, rank)| (rank, derived::distance(client, target), target)).collect();
    places.select_nth_unstable(most);
    places.truncate(most);
    places.into_iter().map(|(rank, _, target)| (target, rank)).collect()
}

/// Each once.
type Targets<'a> = Vec<(&'a ClusterName, Leaf<u32>)>;

/// The targets of a client in region `from`, and the highest rank that may occur.
fn rank_client<'a>(from: Option<&Leaf<Region>>, remote: &[Remote<'a>], rule: &Rule<'_>, only: bool) -> (Targets<'a>, u32) {
    match rule {
        Rule::Listed(places, length) => {
            let targets: Targets<'a> = remote
                .iter()
                .filter_map(|(cluster, _)| {
                    let rank = places.get(cluster).copied().or_else(|| (!only).then_some(*length))?;
                    Some((*cluster, Leaf::Known(number(rank + 1))))
                })
                .collect();
            let highest = targets.iter().filter_map(|(_, rank)| rank.known()).copied().max().unwrap_or(0);
            (targets, highest)
        }
        Rule::Nearest if only => (Vec::new(), 0),
        Rule::Nearest => by_region(from, remote, &[], false),
        Rule::Locality(rules) => by_region(from, remote, rules, only),
    }
}

/// The client's own region first, then the regions to which its rules point, then all others. "Nearest" is the same without
/// rules.
fn by_region<'a>(from: Option<&Leaf<Region>>, remote: &[Remote<'a>], rules: &[LocalityRule], only: bool) -> (Targets<'a>, u32) {
    // without regions to compare all others share; whether a region is set is never unknown, its value may be
    let Some(from) = from.filter(|_| remote.iter().any(|(_, region)| region.is_some())) else {
        let targets: Targets<'a> = remote.iter().filter(|_| !only).map(|(cluster, _)| (*cluster, Leaf::Known(1))).collect();
        let highest = u32::from(!targets.is_empty());
        return (targets, highest);
    };
    let preferred = match from {
        Leaf::Known(from) => Leaf::Known(preferred(from, rules)),
        Leaf::Unknown(path) => Leaf::Unknown(path.clone()),
    };
    let targets =
        remote.iter().filter_map(|(cluster, to)| Some((*cluster, region_rank(&preferred, *to, rules, only)?))).collect();
    let longest = rules.iter().map(|rule| self::preferred(&rule.from, rules).len()).max().unwrap_or(1);
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

/// The rank of a cluster in region `to` for a client that prefers these regions; `None`: it gets no traffic.
fn region_rank(
    preferred: &Leaf<Vec<&Region>>,
    to: Option<&Leaf<Region>>,
    rules: &[LocalityRule],
    only: bool,
) -> Option<Leaf<u32>> {
    let preferred = match preferred {
        Leaf::Known(preferred) => preferred,
        // behind the client's own region there is one rank only, and a cluster without a region has it
        Leaf::Unknown(_) if to.is_none() && rules.is_empty() => return (!only).then_some(Leaf::Known(2)),
        Leaf::Unknown(path) => return Some(Leaf::Unknown(path.clone())),
    };
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
    for (cluster, _) in scope.participants().into_iter().filter(|(_, facts)| facts.region.is_none()) {
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
