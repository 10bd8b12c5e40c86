//! Gateways: where other clusters reach a serving cluster.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mesh_model::facts::{ClusterFacts, GatewayAddress, GatewayFacts};
use mesh_model::hosts::covers;
use mesh_model::names::{ClusterName, PortNumber};
use mesh_model::{Code, Finding, Findings, Leaf};

use super::{Scope, facts_path};

/// Every address of every gateway of a cluster, with the port where it is reached.
pub(crate) fn addresses(facts: &ClusterFacts) -> impl Iterator<Item = (&Leaf<IpAddr>, &Leaf<PortNumber>)> {
    facts.gateways.iter().flat_map(|gateway| {
        let addresses: &[Leaf<IpAddr>] = match &gateway.address {
            GatewayAddress::Addresses(addresses) => addresses,
            GatewayAddress::Hostname(_) => &[],
        };
        addresses.iter().map(|address| (address, &gateway.port))
    })
}

/// Whether a cluster is reached by a hostname. Then its network stands for all of its gateways.
pub(crate) fn is_named(facts: &ClusterFacts) -> bool {
    facts.gateways.iter().any(|gateway| matches!(gateway.address, GatewayAddress::Hostname(_)))
}

/// Serving clusters that are reached so.
pub(super) fn named<'a>(scope: &Scope<'a>) -> BTreeSet<&'a ClusterName> {
    scope.serving.keys().copied().filter(|cluster| is_named(scope.facts(cluster))).collect()
}

/// How many ways lead to a cluster, at least: a hostname has one address or more.
pub(crate) fn count(facts: &ClusterFacts) -> usize {
    let ways = facts.gateways.iter().map(|gateway| match &gateway.address {
        GatewayAddress::Addresses(addresses) => addresses.len(),
        GatewayAddress::Hostname(_) => 1,
    });
    ways.sum()
}

/// Whether somebody else's Gateway already lets calls to a host through.
pub(crate) fn exposes(gateway: &GatewayFacts, host: &str) -> bool {
    gateway.exposed_hosts.iter().any(|exposed| covers(GatewayFacts::passed_name(exposed), host))
}

/// Judges the gateways of serving clusters that other clusters call.
pub(super) fn check(scope: &Scope<'_>, called: &BTreeSet<&ClusterName>, served_host: &str, findings: &mut Findings) {
    for cluster in called {
        let facts = scope.facts(cluster);
        let path = facts_path(cluster).attribute("gateways");
        for (index, gateway) in facts.gateways.iter().enumerate() {
            let path = path.index(index);
            if gateway.selector.is_empty() && !exposes(gateway, served_host) {
                findings.push(
                    Finding::new(
                        Code::EmptyCollection,
                        path.attribute("selector"),
                        format!("The facts of a gateway of cluster {cluster} have an empty selector."),
                        "A Gateway without a selector applies to every workload of its namespace.",
                        "Name the labels of the gateway's pods: selector = { istio = \"eastwestgateway\" }",
                    )
                    .in_cluster(cluster),
                );
            }
            if gateway.exposed_hosts.iter().any(|host| GatewayFacts::passed_name(host) == "*") {
                findings.push(
                    Finding::new(
                        Code::GatewayPassesEverything,
                        path.attribute("exposed_hosts"),
                        format!("A Gateway in cluster {cluster} passes every host (`*`) through its east-west gateway."),
                        "Whatever istiod there knows, hosts of ServiceEntries too, can be reached from outside, and calls may be sent on to other clusters in a loop.",
                        "Narrow its hosts to `*.local`, or to the Services that other clusters call.",
                    )
                    .in_cluster(cluster),
                );
            }
        }
        if addresses(facts).next().is_none() && !is_named(facts) {
            findings.push(
                Finding::new(
                    Code::NoGateway,
                    path,
                    format!("Cluster {cluster} serves {} to other clusters, and no address of an east-west gateway is known there.", scope.intent.hostname),
                    "Other clusters reach its pods through that gateway only.",
                    format!(
                        "Install an east-west gateway, or write what is known: clusters = {{ {cluster} = merge(data.gloo_cluster.{cluster}.facts, {{ gateways = [{{ addresses = [\"203.0.113.20\"], port = 15443, namespace = \"istio-system\", selector = {{ istio = \"eastwestgateway\" }} }}] }}) }}"
                    ),
                )
                .in_cluster(cluster),
            );
        }
    }
}
