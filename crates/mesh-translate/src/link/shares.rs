//! Shares: whether every cluster that has one can serve it, and whether anybody takes over.

use std::collections::BTreeMap;

use mesh_model::intent::Shares;
use mesh_model::names::{ClusterName, SubsetName};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf, derived};

use super::{Scope, facts_path, subsets};

/// Judges the clients whose requests are spread.
pub(super) fn check(scope: &Scope<'_>, findings: &mut Findings) {
    for client in scope.clients.keys() {
        let Some(shares) = scope.shares(client) else { continue };
        let path = AttributePath::of("failover").attribute("spread").key(client.as_str());
        for (cluster, percent) in shares.iter() {
            let what = format!("{percent} % of the requests of cluster {client} are for cluster {cluster}, which has no ");
            let path = path.clone().key(cluster.as_str());
            if !scope.serving.contains_key(cluster) {
                findings.push(share_of_nobody(client, cluster, path, &what));
            } else if let missing @ [_, ..] = missing(scope, cluster).as_slice() {
                findings.push(without_subset(client, cluster, path, &what, missing));
            }
        }
        if subsets::serves_itself(scope, client, None) {
            check_region(scope, client, findings);
        }
        if shares.iter().all(|(cluster, _)| scope.serving.contains_key(cluster)) {
            findings.extend(only_shares(scope, client, shares, &path));
        }
    }
}

/// Parts that get calls.
fn called<'a>(scope: &Scope<'a>) -> Vec<Option<&'a SubsetName>> {
    let is_called = |part: &Option<&SubsetName>| part.is_none_or(|name| scope.intent.subsets[name].weight > 0);
    subsets::parts(scope).into_iter().filter(is_called).collect()
}

/// Subsets that get calls, and of which a cluster has no pods.
fn missing<'a>(scope: &Scope<'a>, cluster: &ClusterName) -> Vec<&'a str> {
    let missing = called(scope).into_iter().filter(|part| !subsets::serves(scope, cluster, *part));
    missing.flatten().map(SubsetName::as_str).collect()
}

fn share_of_nobody(client: &ClusterName, cluster: &ClusterName, path: AttributePath, what: &str) -> Finding {
    Finding::new(
        Code::ShareOfNobody,
        path,
        format!("{what}backend."),
        "The others would get them, and no share would be the one that you wrote.",
        format!("Give them to a cluster that serves, or add a backend of {cluster}."),
    )
    .in_cluster(client)
}

fn without_subset(client: &ClusterName, cluster: &ClusterName, path: AttributePath, what: &str, missing: &[&str]) -> Finding {
    let missing = missing.join(", ");
    Finding::new(
        Code::ShareWithoutSubset,
        path,
        format!("{what}pods of subset {missing}."),
        "Of the calls of a subset only clusters that have it get their share: the others that have a share get these too, in proportion.",
        format!("Deploy {missing} in {cluster} and add it to `subsets` of its backend, or ignore this if that is what you mean."),
    )
    .in_cluster(client)
}

/// Pods of the client's own cluster are told by the region of their nodes.
fn check_region(scope: &Scope<'_>, client: &ClusterName, findings: &mut Findings) {
    let what = match &scope.facts(client).region {
        None => format!("Cluster {client} has a share of its own requests, and its facts name no region."),
        Some(Leaf::Known(region)) if derived::is_share_region(region.as_str()) => {
            format!("Cluster {client} has a share of its own requests, and its region {region} is one that stands for a cluster.")
        }
        Some(_) => return,
    };
    findings.push(
        Finding::new(
            Code::ShareWithoutRegion,
            facts_path(client).attribute("region"),
            what,
            "Istio gives shares to regions: its pods have that of their nodes, and without one they would get no request.",
            format!("Set the region that its nodes have: {client} = merge(data.gloo_cluster.{client}.facts, {{ region = \"us-east-1\" }})"),
        )
        .in_cluster(client),
    );
}

/// Clusters to which all calls of some parts go, though others have these parts too.
fn only_shares(scope: &Scope<'_>, client: &ClusterName, shares: &Shares, path: &AttributePath) -> Findings {
    let called = called(scope);
    let mut parts_of: BTreeMap<&ClusterName, Vec<Option<&SubsetName>>> = BTreeMap::new();
    for part in &called {
        let serving = scope.serving.keys().copied().filter(|cluster| subsets::serves(scope, cluster, *part));
        let (sharing, others): (Vec<&ClusterName>, Vec<&ClusterName>) = serving.partition(|cluster| shares.of(cluster).is_some());
        if let ([only], false) = (sharing.as_slice(), others.is_empty()) {
            parts_of.entry(only).or_default().push(*part);
        }
    }
    let finding = |(only, parts): (&ClusterName, Vec<Option<&SubsetName>>)| {
        let names: Vec<&str> = parts.iter().filter(|_| parts.len() < called.len()).flatten().map(|name| name.as_str()).collect();
        let of = if names.is_empty() { String::new() } else { format!(" for subset {}", names.join(", ")) };
        only_share(client, only, path.clone(), &of)
    };
    parts_of.into_iter().map(finding).collect()
}

fn only_share(client: &ClusterName, only: &ClusterName, path: AttributePath, of_subsets: &str) -> Finding {
    let fix = if only == client {
        format!(
            "Leave {client} out of spread, so that others take over in the order of ranks, or give another cluster 10 percent."
        )
    } else {
        "Give another cluster 10 percent: it takes over all when the first one fails.".to_owned()
    };
    Finding::new(
        Code::OnlyShare,
        path,
        format!("All requests of cluster {client}{of_subsets} go to cluster {only}."),
        "Clusters without a share serve never: when it fails nobody takes over, though others could.",
        fix,
    )
    .in_cluster(client)
}
