//! Ejection: whether an endpoint that fails can be taken out at all, without which nothing fails over.

use std::collections::BTreeMap;

use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings};

use super::Scope;
use super::ranks::Ranked;
use crate::link::gateways;

/// Judges the ejection limit. Envoy keeps to it exactly and never ejects "at least one": with 10 % of two endpoints nothing
/// is ever ejected.
pub(super) fn check(scope: &Scope<'_>, ranked: &Ranked<'_>, findings: &mut Findings) {
    let Some(&percent) = scope.intent.outlier_detection.max_ejection_percent.known() else { return };
    let path = AttributePath::of("outlier_detection").attribute("max_ejection_percent");
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
    let never: Vec<String> = scope
        .clients
        .iter()
        .filter_map(|client| {
            let remote: u32 =
                ranked.targets.get(client).into_iter().flat_map(BTreeMap::keys).map(|target| endpoints(scope, target)).sum();
            // counts of pods are no facts: one pod is the fewest that serves
            let total = remote + u32::from(scope.serving.contains_key(client));
            (total > 1 && u32::from(percent) * total < 100)
                .then(|| format!("{client} ({total} endpoints with one pod of its own)"))
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

fn endpoints(scope: &Scope<'_>, target: &ClusterName) -> u32 {
    u32::try_from(gateways::addresses(scope.facts(target)).count()).unwrap_or(u32::MAX)
}
