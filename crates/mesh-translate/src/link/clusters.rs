//! Clusters: whether their workloads find the hostname, and whether anybody serves them.
//!
//! Networks are not judged. Entries carry none, so equal networks only mean a detour through a gateway, different ones change
//! nothing, and whether all workloads of one cluster agree on having one is no fact that a cluster has.

use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use super::ranks::Ranked;
use super::{Scope, facts_path};

/// Judges the clusters that call.
pub(super) fn check(scope: &Scope<'_>, ranked: &Ranked<'_>, findings: &mut Findings) {
    for (cluster, _) in scope.clients.iter().filter(|(_, facts)| facts.dns_capture == Some(Leaf::Known(false))) {
        findings.push(
            Finding::new(
                Code::DnsCaptureOff,
                facts_path(cluster).attribute("dns_capture"),
                format!("Sidecars in cluster {cluster} do not answer DNS, and no DNS server knows {}.", scope.intent.hostname),
                "Workloads there cannot resolve the hostname.",
                "Turn it on in the mesh configuration and restart the workloads: meshConfig.defaultConfig.proxyMetadata.ISTIO_META_DNS_CAPTURE = \"true\"".to_owned(),
            )
            .in_cluster(cluster),
        );
    }
    for (cluster, targets) in &ranked.targets {
        if targets.is_empty() && !scope.serving.contains_key(*cluster) {
            findings.push(
                Finding::new(
                    Code::ClientWithoutBackend,
                    AttributePath::of("failover"),
                    format!("Cluster {cluster} has no backend of its own, and `failover` lets no other cluster serve it."),
                    "Every request there would be answered 503.",
                    format!("Name a cluster for it: failover = {{ per_client = {{ {cluster} = [...] }} }}, or leave it out with `clients`."),
                )
                .in_cluster(cluster),
            );
        }
    }
}
