//! Localities, from the labels of nodes.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::Code;
use mesh_model::names::Region;

use crate::inventory::{Inventory, Kind, Object};
use crate::verdict::{Verdicts, kubectl_get};

/// The region of a node, its label of today or of old.
pub(crate) fn region(node: Object<'_>) -> Option<&str> {
    node.label("topology.kubernetes.io/region").or_else(|| node.label("failure-domain.beta.kubernetes.io/region"))
}

/// `region/zone` of a node; `unknown` where it has no label.
pub(crate) fn locality(node: Option<Object<'_>>) -> String {
    let zone = |node: Object<'_>| {
        node.label("topology.kubernetes.io/zone")
            .or_else(|| node.label("failure-domain.beta.kubernetes.io/zone"))
            .map(str::to_owned)
    };
    let region = node.and_then(region);
    match (region, node.and_then(zone)) {
        (Some(region), Some(zone)) => format!("{region}/{zone}"),
        (Some(region), None) => region.to_owned(),
        (None, _) => "unknown".to_owned(),
    }
}

/// How many nodes there are in each locality.
pub(crate) fn localities(inventory: &Inventory<'_>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for node in inventory.all(Kind::Node) {
        *counts.entry(locality(Some(node))).or_default() += 1;
    }
    counts
}

/// The region on which all labelled nodes agree.
pub(crate) fn cluster_region(inventory: &Inventory<'_>, verdicts: &mut Verdicts<'_>) -> Option<Region> {
    const WHY: &str = "Failover by locality compares regions; without one the cluster counts as far from every other.";
    let fix = |cluster| {
        format!(
            "Write it where the facts are used:\n\n  {cluster} = merge(data.gloo_cluster.all[\"{cluster}\"].facts, {{ region = \"us-east-1\" }})"
        )
    };
    let cluster = verdicts.cluster;
    if !inventory.has(Kind::Node) {
        let fix = format!("{}\n\n{}", kubectl_get(cluster, "nodes"), fix(cluster).replacen("Write", "Or write", 1));
        verdicts.cluster(Code::RegionUnknown, "The inventory has no Node.", WHY, fix);
        return None;
    }
    let regions: BTreeSet<&str> = inventory.all(Kind::Node).filter_map(region).collect();
    let mut agreed = regions.iter();
    match (agreed.next(), agreed.next()) {
        (Some(region), None) => match region.parse() {
            Ok(region) => return Some(region),
            Err(error) => verdicts.cluster(Code::RegionUnknown, format!("A node's region label: {error}."), WHY, fix(cluster)),
        },
        (None, _) => {
            verdicts.cluster(Code::RegionUnknown, "No node has the label topology.kubernetes.io/region.", WHY, fix(cluster));
        }
        (Some(_), Some(_)) => {
            let regions = regions.into_iter().collect::<Vec<_>>().join(", ");
            verdicts.cluster(Code::RegionUnknown, format!("The nodes are in several regions: {regions}."), WHY, fix(cluster));
        }
    }
    None
}
