//! Ejection: whether an endpoint that fails can be taken out at all, without which nothing fails over, and what it costs.

use std::collections::BTreeMap;

use mesh_model::intent::{OutlierDetection, Port};
use mesh_model::names::{ClusterName, SubsetName};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use super::Scope;
use super::ranks::Ranked;
use super::subsets;
use crate::link::gateways;

pub(super) fn check(scope: &Scope<'_>, ports: &[&Port], ranked: &Ranked<'_>, findings: &mut Findings) {
    check_limit(scope, ranked, findings);
    check_only_targets(scope, ports, ranked, findings);
    check_connections(scope, ports, ranked, findings);
}

fn path(attribute: &str) -> AttributePath {
    AttributePath::of("outlier_detection").attribute(attribute)
}

/// Judges the ejection limit. Envoy keeps to it exactly and never ejects "at least one": with 10 % of two endpoints nothing
/// is ever ejected.
fn check_limit(scope: &Scope<'_>, ranked: &Ranked<'_>, findings: &mut Findings) {
    let Some(&percent) = scope.intent.outlier_detection.max_ejection_percent.known() else { return };
    let path = path("max_ejection_percent");
    let fix = "max_ejection_percent = 100";
    if percent == 0 {
        findings.push(Finding::new(
            Code::EjectionOff,
            path,
            "`max_ejection_percent` is 0.",
            "No endpoint is ever ejected, so no other cluster ever takes over.",
            fix,
        ));
        return;
    }
    let endpoints = endpoints(scope);
    let never: Vec<String> = of_parts(scope)
        .filter_map(|(client, part)| {
            let remote: u32 = targets(scope, ranked, client, part).map(|target| endpoints[target]).sum();
            // counts of pods are no facts: one pod is the fewest that serves
            let total = remote + u32::from(subsets::serves_itself(scope, client, part));
            (total > 1 && u32::from(percent) * total < 100)
                .then(|| format!("{client} ({total} endpoints{} with one pod of its own)", of_subset(part)))
        })
        .collect();
    if !never.is_empty() {
        findings.push(Finding::new(
            Code::EjectionUnlikely,
            path,
            format!("{percent} % is less than one endpoint for clients in {}.", never.join(", ")),
            "Envoy rounds down: with so few endpoints none is ever ejected, and no other cluster takes over.",
            fix,
        ));
    }
}

/// Clients whose one serving cluster is ejected because its application answers 503.
fn check_only_targets(scope: &Scope<'_>, ports: &[&Port], ranked: &Ranked<'_>, findings: &mut Findings) {
    if !ports.iter().any(|port| port.protocol.has_requests()) {
        return;
    }
    let detection = &scope.intent.outlier_detection;
    let (Leaf::Known(errors @ 1..), Leaf::Known(percent)) =
        (&detection.consecutive_gateway_errors, &detection.max_ejection_percent)
    else {
        return;
    };
    let endpoints = endpoints(scope);
    let lonely: Vec<String> = of_parts(scope)
        .filter(|(client, part)| !subsets::serves_itself(scope, client, *part))
        .filter_map(|(client, part)| {
            let mut targets = targets(scope, ranked, client, part);
            let only = targets.next().filter(|only| u32::from(*percent) * endpoints[*only] >= 100)?;
            targets.next().is_none().then(|| format!("{client} ({only}{})", of_subset(part)))
        })
        .collect();
    if !lonely.is_empty() {
        findings.push(Finding::new(
            Code::OnlyTarget,
            path("consecutive_gateway_errors"),
            format!("Clients in these clusters know one serving cluster: {}.", lonely.join(", ")),
            format!(
                "{errors} answers 502, 503 or 504 in a row, the application's own too, take it out as a whole, and nobody else serves."
            ),
            "Count failed connections alone: outlier_detection = { consecutive_gateway_errors = 0 }",
        ));
    }
}

/// Says what ports that carry connections cost while an endpoint fails: Envoy counts failures within a second of an ejection's
/// end late, and nothing repeats a connection.
fn check_connections(scope: &Scope<'_>, ports: &[&Port], ranked: &Ranked<'_>, findings: &mut Findings) {
    let OutlierDetection { consecutive_local_origin_failures: failures, base_ejection_time, .. } =
        &scope.intent.outlier_detection;
    let names: Vec<&str> = ports.iter().filter(|port| !port.protocol.has_requests()).map(|port| port.name.as_str()).collect();
    let is_alone = ranked.targets.values().all(BTreeMap::is_empty);
    let (Leaf::Known(time), Leaf::Known(usual)) = (base_ejection_time, OutlierDetection::default().base_ejection_time) else {
        return;
    };
    if names.is_empty() || is_alone || *time >= usual {
        return;
    }
    let first = failures.known().map_or_else(String::new, |failures| format!("{failures} connections break first. Then "));
    let share = 100.0 / (1.0 + time.as_secs_f64());
    findings.push(Finding::new(
        Code::ShortEjection,
        path("base_ejection_time"),
        format!("An endpoint of {} that fails is tried again after {time:?}.", names.join(", ")),
        format!(
            "{first}each time that it is tried again every connection to it breaks, for up to 1 s: at first {share:.0} % of the time, then less, as each ejection lasts {time:?} longer. Nothing repeats a connection."
        ),
        format!("Eject for longer: outlier_detection = {{ base_ejection_time = \"{usual:?}\" }}"),
    ));
}

/// How many endpoints stand for each serving cluster.
fn endpoints<'a>(scope: &Scope<'a>) -> BTreeMap<&'a ClusterName, u32> {
    let count = |cluster| u32::try_from(gateways::count(scope.facts(cluster))).unwrap_or(u32::MAX);
    scope.serving.keys().map(|cluster| (*cluster, count(cluster))).collect()
}

/// Every client, with every part of what serves.
fn of_parts<'s>(scope: &'s Scope<'_>) -> impl Iterator<Item = (&'s ClusterName, Option<&'s SubsetName>)> {
    let parts = subsets::parts(scope);
    scope.clients.keys().flat_map(move |client| parts.clone().into_iter().map(move |part| (*client, part)))
}

/// What is meant, where it is not all.
fn of_subset(part: Option<&SubsetName>) -> String {
    part.map_or_else(String::new, |name| format!(" of subset {name}"))
}

/// The other clusters where a part serves a client.
fn targets<'r>(
    scope: &'r Scope<'_>,
    ranked: &'r Ranked<'_>,
    client: &ClusterName,
    part: Option<&'r SubsetName>,
) -> impl Iterator<Item = &'r ClusterName> {
    let targets = ranked.targets.get(client).into_iter().flat_map(BTreeMap::keys).copied();
    targets.filter(move |target| subsets::serves(scope, target, part))
}
