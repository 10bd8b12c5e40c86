//! Whether the clusters that take part trust a root certificate in common.

use std::collections::BTreeSet;

use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings};
use serde_json::Value;

use super::live::{Inventory, listed};

/// The ConfigMap in which Istio hands out its roots, in every namespace.
const ROOTS: &str = "istio-ca-root-cert";

/// Clusters that trust roots in common, directly or by way of others.
struct Group<'a> {
    clusters: Vec<&'a ClusterName>,
    roots: BTreeSet<String>,
}

pub(super) fn check(inventories: &[Inventory<'_>], findings: &mut Findings) {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for inventory in inventories {
        let roots = roots(inventory);
        if roots.is_empty() {
            continue;
        }
        let mut group = Group { clusters: vec![inventory.cluster], roots };
        let (joined, apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|other| !other.roots.is_disjoint(&group.roots));
        for other in joined {
            group.clusters.extend(other.clusters);
            group.roots.extend(other.roots);
        }
        groups = apart;
        groups.push(group);
    }
    if groups.len() < 2 {
        return;
    }
    groups.iter_mut().for_each(|group| group.clusters.sort());
    groups.sort_by_key(|group| group.clusters.first().copied());
    let lines: Vec<String> = groups.iter().map(|group| listed(group.clusters.iter().map(|cluster| cluster.as_str()))).collect();
    findings.push(Finding::new(
        Code::RootsDiffer,
        AttributePath::of("virtual_mesh").attribute("clusters"),
        format!("These clusters have no root certificate in common: {}.", lines.join(" | ")),
        "A proxy ends the connection of a peer whose certificate leads to no root that it trusts: no call between them arrives.",
        "Give them one root: Secret istio-system/cacerts in each cluster, with an intermediate of its own and one root-cert.pem; or leave clusters out with `clients` and `backends`.",
    ));
}

/// The certificates that a cluster's Istio hands out as roots.
fn roots(inventory: &Inventory<'_>) -> BTreeSet<String> {
    inventory
        .of_kind("ConfigMap")
        .filter(|map| map.name == ROOTS)
        .filter_map(|map| map.at("/data/root-cert.pem").and_then(Value::as_str))
        .flat_map(|bundle| bundle.split("-----BEGIN CERTIFICATE-----").skip(1))
        .filter_map(|rest| rest.split_once("-----END CERTIFICATE-----"))
        .map(|(body, _)| body.split_whitespace().collect())
        .collect()
}
