//! What the environment of istiod turns off, of what the objects rely on. All of it is on by default.

use mesh_model::Code;
use serde_json::Value;

use crate::mesh_config::MeshConfig;
use crate::verdict::Verdicts;
use crate::workload::{Member, environment};

/// Says what these istiods, which are one control plane, lack.
pub(crate) fn check(istiods: &[(&Member<'_>, &Value)], config: Option<&MeshConfig>, verdicts: &mut Verdicts<'_>) {
    let mut lacks = |variable: &str, why: &str| {
        let is_off = |container: &Value| environment(container, variable).is_some_and(is_false);
        let Some((istiod, _)) = istiods.iter().find(|(_, container)| is_off(container)) else { return };
        verdicts.cluster(
            Code::FeatureOff,
            format!("{variable} is off in istiod of cluster {}.", verdicts.cluster),
            why,
            format!(
                "Take it out of the environment of istiod in namespace {} (`env` in the values of its chart).",
                istiod.namespace
            ),
        );
    };
    lacks(
        "PILOT_ENABLE_SERVICEENTRY_SELECT_PODS",
        "Without it a hostname finds no pods: other clusters, or nobody, would serve what is to be served by the cluster's own.",
    );
    let is_resolved_by_address = config.is_none_or(|config| config.dns_capture() && !config.dns_auto_allocate());
    if is_resolved_by_address {
        lacks(
            "PILOT_ENABLE_IP_AUTOALLOCATE",
            "Without it a hostname has no address: sidecars that answer DNS do not know it, nor whose connections those of a port of TCP are.",
        );
    }
}

/// As Go reads it.
fn is_false(text: &str) -> bool {
    matches!(text, "0" | "f" | "F" | "false" | "FALSE" | "False")
}
