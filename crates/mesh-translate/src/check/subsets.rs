//! Whether a cluster has pods of the subsets for which others call it.

use std::collections::BTreeMap;

use istio_objects::{Object, Tree};
use mesh_model::{AttributePath, Code, Finding, Findings};

use super::live::{Inventory, selects};
use super::planned::{Planned, members};
use super::pods::Pods;

pub(super) fn check(planned: &Planned<'_>, pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let cluster = inventory.cluster;
    let labels: Vec<BTreeMap<&str, &str>> = pods.listed.iter().filter_map(|pod| pod.labels("/metadata/labels")).collect();
    for (name, wanted) in planned.of_gateways().into_iter().flat_map(subsets) {
        // one without calls may still be to come
        let is_called =
            planned.common.routed.contains(name) && planned.common.entries.contains(&(cluster.to_string(), name.to_owned()));
        if labels.is_empty() || !is_called || labels.iter().any(|labels| selects(&wanted, labels)) {
            continue;
        }
        let wanted: Vec<String> = wanted.iter().map(|(key, value)| format!("{key}={value}")).collect();
        findings.push(
            Finding::new(
                Code::SubsetWithoutPods,
                AttributePath::of("subsets").key(name),
                format!("None of the {} pods of {} in cluster {cluster} has {}, the labels of subset {name}.", labels.len(), pods.whose, wanted.join(",")),
                "Clients of other clusters take it for one that serves the subset: calls that they send there are refused, until its gateway is taken out.",
                format!("Deploy the subset there, or say which ones the backend has: merge(<the backend of {cluster}>, {{ subsets = [...] }})"),
            )
            .in_cluster(cluster),
        );
    }
}

/// Names and labels.
fn subsets(rule: &Object) -> Vec<(&str, BTreeMap<&str, &str>)> {
    let all = rule.at(&["spec"]).map_or(&[][..], |spec| members(spec, "subsets"));
    fn labels(subset: &Tree) -> BTreeMap<&str, &str> {
        let Some(Tree::Map(labels)) = subset.member("labels") else { return BTreeMap::new() };
        labels.iter().filter_map(|(key, value)| Some((key.as_str(), value.text()?))).collect()
    }
    all.iter().filter_map(|subset| Some((subset.member("name")?.text()?, labels(subset)))).collect()
}
