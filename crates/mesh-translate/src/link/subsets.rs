//! Subsets: whether every client finds the pods of each one.

use mesh_model::intent::Subset;
use mesh_model::names::{ClusterName, SubsetName};
use mesh_model::{AttributePath, Code, Finding, Findings};

use super::Scope;
use super::ranks::Ranked;

/// Parts among which calls are split: the subsets, or all pods as one.
pub(super) fn parts<'a>(scope: &Scope<'a>) -> Vec<Option<&'a SubsetName>> {
    let subsets = &scope.intent.subsets;
    if subsets.is_empty() { vec![None] } else { subsets.keys().map(Some).collect() }
}

/// Whether pods of a part serve in a cluster.
pub(super) fn serves(scope: &Scope<'_>, cluster: &ClusterName, part: Option<&SubsetName>) -> bool {
    scope.serving.get(cluster).is_some_and(|serving| part.is_none_or(|name| serving.has_subset(name)))
}

/// Whether pods of a part in a client's own cluster serve it.
pub(super) fn serves_itself(scope: &Scope<'_>, client: &ClusterName, part: Option<&SubsetName>) -> bool {
    scope.shares(client).is_none_or(|shares| shares.of(client).is_some()) && serves(scope, client, part)
}

pub(super) fn check(scope: &Scope<'_>, ranked: &Ranked<'_>, findings: &mut Findings) {
    for (name, Subset { labels: _, weight }) in &scope.intent.subsets {
        let path = AttributePath::of("subsets").key(name.as_str());
        let serving: Vec<&str> =
            scope.serving.keys().filter(|cluster| serves(scope, cluster, Some(name))).map(|cluster| cluster.as_str()).collect();
        let finds = |client: &ClusterName| {
            let mut targets = ranked.targets.get(client).into_iter().flatten().map(|(target, _)| *target);
            serves_itself(scope, client, Some(name)) || targets.any(|target| serves(scope, target, Some(name)))
        };
        let lost: Vec<&str> = scope.clients.keys().filter(|client| !finds(client)).map(|client| client.as_str()).collect();
        let (what, fix) = match (serving.as_slice(), lost.as_slice()) {
            ([], _) => (
                format!("No backend has subset {name}."),
                format!("Add {name} to `subsets` of a backend, or remove the subset, its weight with it."),
            ),
            (_, []) => continue,
            _ if *weight == 0 => continue,
            (serving, lost) => (
                format!("Clients in {} reach subset {name} nowhere: it is in {}.", lost.join(", "), serving.join(", ")),
                format!(
                    "Let {} serve these clusters, by rank or by share, give one that they reach the subset, or give it no calls yet: subsets = {{ {name} = {{ labels = {{ … }}, weight = 0 }} }}, with the others.",
                    serving.join(" or ")
                ),
            ),
        };
        let why = if *weight == 0 {
            "A subset is there to get calls, now or later, and nobody would answer them.".to_owned()
        } else {
            format!("{weight} % of the calls would be answered 503.")
        };
        findings.push(Finding::new(Code::SubsetWithoutBackend, path, what, why, fix));
    }
}
