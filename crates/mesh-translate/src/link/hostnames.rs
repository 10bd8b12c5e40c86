//! Gateways that are reached by a hostname, which takes more than an address: a network to stand for, a client that sees other
//! networks, and a region to rank by.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::names::{ClusterName, IstioMinor};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use super::ranks::Ranked;
use super::{Scope, facts_path, gateways};
use crate::features::RANKS_BY_LOCALITY;

/// Oldest release that leads proxies without a network of their own to gateways of others.
const WITHOUT_NETWORK: IstioMinor = IstioMinor { major: 1, minor: 30 };

pub(super) fn check(scope: &Scope<'_>, ranked: &Ranked<'_>, named: &BTreeSet<&ClusterName>, findings: &mut Findings) {
    if named.is_empty() {
        return;
    }
    let mut clients_of: BTreeMap<&ClusterName, Vec<&ClusterName>> = BTreeMap::new();
    let mut shared = Vec::new();
    for (client, targets) in &ranked.targets {
        let named = targets.keys().filter(|target| named.contains(*target));
        named.clone().for_each(|target| clients_of.entry(target).or_default().push(client));
        let beyond = targets.values().filter_map(Leaf::known).filter(|rank| **rank >= RANKS_BY_LOCALITY).collect::<BTreeSet<_>>();
        if beyond.len() > 1 && named.count() > 0 {
            shared.push(client.as_str());
        }
    }
    for (target, clients) in &clients_of {
        check_network(scope, target, clients, findings);
    }
    let clients: BTreeSet<&ClusterName> = clients_of.values().flatten().copied().collect();
    for client in clients {
        check_client(scope, client, findings);
    }
    if !shared.is_empty() {
        findings.push(Finding::new(
            Code::RanksShared,
            AttributePath::of("failover"),
            format!("Clients in {} reach a cluster by a hostname, and rank more than {RANKS_BY_LOCALITY} others.", shared.join(", ")),
            "Endpoints behind a hostname are ranked by localities, which tell rank 1 from all others: later ones share the calls that rank 1 does not serve.",
            "Give the gateways addresses that stay (an NLB takes elastic IPs), or rank fewer: failover = { order = [...], only = true }",
        ));
    }
}

fn check_network(scope: &Scope<'_>, target: &ClusterName, clients: &[&ClusterName], findings: &mut Findings) {
    let path = facts_path(target).attribute("network");
    let fix = format!(
        "Label the namespace of its control plane and restart the workloads: kubectl label namespace {} topology.istio.io/network={target}. Or write addresses to which the hostname resolves, if they stay.",
        scope.facts(target).root_namespace
    );
    let refuse =
        |what: String, why: &str| Finding::new(Code::GatewayHostname, path.clone(), what, why, fix.clone()).in_cluster(target);
    let network = match &scope.facts(target).network {
        Some(Leaf::Known(network)) => network,
        Some(Leaf::Unknown(_)) => {
            let what =
                format!("A gateway of cluster {target} is reached by a hostname, and its network is known only after apply.");
            findings.push(refuse(
                what,
                "The network is in a label of the Gateway that stands for the hostname, and labels are planned.",
            ));
            return;
        }
        None => {
            let what = format!("A gateway of cluster {target} is reached by a hostname, and the cluster has no network.");
            findings
                .push(refuse(what, "istiod resolves hostnames of gateways that stand for a network, and of no other endpoint."));
            return;
        }
    };
    // whoever it is that calls it: Gateways of another destination would lead there, too
    let is_beside = |other: &&ClusterName| {
        *other != target
            && gateways::is_named(scope.facts(other))
            && scope.facts(other).network == Some(Leaf::Known(network.clone()))
    };
    let beside: Vec<&str> = scope.intent.mesh.clusters.keys().filter(is_beside).map(ClusterName::as_str).collect();
    if !beside.is_empty() {
        let what = format!(
            "Cluster {target} is reached by a hostname, and so are others of its network {network}: {}.",
            beside.join(", ")
        );
        findings.push(refuse(
            what,
            "istiod takes all gateways of a network for one another, so calls for one cluster would reach the others.",
        ));
    }
    let same: Vec<&str> = clients
        .iter()
        .filter(|client| scope.facts(client).network.as_ref().and_then(Leaf::known) == Some(network))
        .map(|client| client.as_str())
        .collect();
    if !same.is_empty() {
        let what = format!(
            "Cluster {target} is reached by a hostname, and is in the network {network} of its clients: {}.",
            same.join(", ")
        );
        findings.push(refuse(what, "Within a network istiod sends calls to endpoints themselves, and this one has no address."));
    }
}

fn check_client(scope: &Scope<'_>, client: &ClusterName, findings: &mut Findings) {
    let facts = scope.facts(client);
    if facts.network.is_none() && facts.istio_version < WITHOUT_NETWORK {
        findings.push(
            Finding::new(
                Code::GatewayHostname,
                facts_path(client).attribute("network"),
                format!("Workloads in cluster {client} have no network, and reach another cluster by a hostname."),
                format!("Before Istio {WITHOUT_NETWORK} proxies without a network are not led to the gateways of others."),
                format!(
                    "Label the namespace of its control plane and restart the workloads: kubectl label namespace {} topology.istio.io/network={client}",
                    facts.root_namespace
                ),
            )
            .in_cluster(client),
        );
    }
    // shares are told by regions of entries, which need none of the client
    if facts.region.is_none() && scope.shares(client).is_none() {
        findings.push(
            Finding::new(
                Code::GatewayHostname,
                facts_path(client).attribute("region"),
                format!("The facts of cluster {client} name no region, and it reaches another cluster by a hostname."),
                "Endpoints behind a hostname are ranked by localities: without a region of its own, calls would be spread over all clusters.",
                format!("Set it: {client} = merge(data.gloo_cluster.{client}.facts, {{ region = \"us-east-1\" }})"),
            )
            .in_cluster(client),
        );
    }
}
