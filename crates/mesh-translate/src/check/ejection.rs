//! Whether the pods that are there can all be ejected, so that another cluster serves alone.

use istio_objects::Tree;
use mesh_model::{AttributePath, Code, Finding, Findings, derived};

use super::live::Inventory;
use super::planned::{self, Planned};
use super::pods::Pods;

pub(super) fn check(planned: &Planned<'_>, pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let Some(percent) = limit(planned).filter(|_| planned.serves() && !are_left_out(planned)) else { return };
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
    let limit = policies(planned).find_map(|policy| policy.member("outlierDetection")?.member("maxEjectionPercent"));
    match limit {
        Some(Tree::Number(text)) => text.parse().ok(),
        _ => None,
    }
}

/// Whether requests are spread, and the cluster's own pods have no share.
fn are_left_out(planned: &Planned<'_>) -> bool {
    let shares = policies(planned).find_map(|policy| {
        let distribute = policy.member("loadBalancer")?.member("localityLbSetting")?.member("distribute")?;
        distribute.elements().first()?.member("to")
    });
    matches!(shares, Some(Tree::Map(regions)) if regions.keys().all(|region| derived::is_share_region(region)))
}

/// The policy of the host, and those of its ports.
fn policies<'p>(planned: &Planned<'p>) -> impl Iterator<Item = &'p Tree> {
    let policy = planned.of_kind("DestinationRule").find_map(|rule| rule.at(&["spec", "trafficPolicy"]));
    policy.into_iter().flat_map(|policy| std::iter::once(policy).chain(planned::members(policy, "portLevelSettings")))
}

/// Endpoints that stand for other clusters; a hostname is one, as long as nobody resolves it.
fn gateways(planned: &Planned<'_>) -> usize {
    let entries = planned.of_kind("WorkloadEntry").filter(|entry| entry.at(&["spec", "address"]).is_some());
    let remote = planned.objects.iter().filter_map(|object| object.at(&["spec", "addresses"]));
    entries.count() + remote.map(|addresses| addresses.elements().len()).sum::<usize>()
}
