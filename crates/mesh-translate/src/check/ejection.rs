//! Whether the pods that are there can all be ejected, so that another cluster serves alone.

use istio_objects::Tree;
use mesh_model::{AttributePath, Code, Finding, Findings};

use super::live::Inventory;
use super::planned::{self, Planned};
use super::pods::Pods;

pub(super) fn check(planned: &Planned<'_>, pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let Some(percent) = limit(planned).filter(|_| planned.serves()) else { return };
    let (pods, gateways) = (pods.listed.len(), gateways(planned));
    let endpoints = pods + gateways;
    let most = endpoints * percent / 100;
    // where one pod is too few, the facts alone say so
    let is_told = percent * (1 + gateways) < 100;
    if gateways == 0 || most >= pods || is_told {
        return;
    }
    findings.push(
        Finding::new(
            Code::EjectionPartial,
            AttributePath::of("outlier_detection").attribute("max_ejection_percent"),
            format!(
                "Clients in cluster {} know {endpoints} endpoints, {pods} pods of its own among them, and {percent} % of these are {most}.",
                inventory.cluster
            ),
            format!("When the application fails in all of these pods, Envoy keeps {} of them in, and calls that meet them fail or are repeated.", pods - most),
            "max_ejection_percent = 100",
        )
        .in_cluster(inventory.cluster),
    );
}

/// The limit of ejection, which is the same for every port.
fn limit(planned: &Planned<'_>) -> Option<usize> {
    let policy = planned.of_kind("DestinationRule").find_map(|rule| rule.at(&["spec", "trafficPolicy"]))?;
    let mut policies = std::iter::once(policy).chain(planned::members(policy, "portLevelSettings"));
    let limit = policies.find_map(|policy| policy.member("outlierDetection")?.member("maxEjectionPercent"));
    match limit {
        Some(Tree::Number(text)) => text.parse().ok(),
        _ => None,
    }
}

/// Endpoints that stand for other clusters; a hostname is one, as long as nobody resolves it.
fn gateways(planned: &Planned<'_>) -> usize {
    let entries = planned.of_kind("WorkloadEntry").filter(|entry| entry.at(&["spec", "address"]).is_some());
    let remote = planned.objects.iter().filter_map(|object| object.at(&["spec", "addresses"]));
    entries.count() + remote.map(|addresses| addresses.elements().len()).sum::<usize>()
}
