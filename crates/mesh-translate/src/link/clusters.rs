//! Clusters: what their Istio can do, and whether their workloads find the hostname.
//!
//! Networks are not judged. Entries carry none, so equal networks only mean a detour through a gateway, different ones change
//! nothing, and whether all workloads of one cluster agree on having one is no fact that a cluster has.

use std::collections::BTreeSet;

use mesh_model::names::{ClusterName, IstioMinor};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use super::ranks::Ranked;
use super::{Scope, facts_path};

/// Oldest release that serves `networking.istio.io/v1`.
const OLDEST: IstioMinor = IstioMinor { major: 1, minor: 22 };
/// Oldest release whose istiod gives hosts of ServiceEntries addresses by itself.
pub(super) const ADDRESSES: IstioMinor = IstioMinor { major: 1, minor: 25 };
/// Releases whose source was read or that were run.
const SUPPORTED: [IstioMinor; 2] = [IstioMinor { major: 1, minor: 26 }, IstioMinor { major: 1, minor: 31 }];

/// Judges the clusters that take part.
pub(super) fn check(scope: &Scope<'_>, ranked: &Ranked<'_>, findings: &mut Findings) {
    for cluster in scope.participants() {
        check_version(scope, cluster, findings);
    }
    let off: BTreeSet<&ClusterName> =
        scope.clients.iter().copied().filter(|cluster| scope.facts(cluster).dns_capture == Some(Leaf::Known(false))).collect();
    for cluster in off {
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
    for cluster in &scope.clients {
        if !scope.serving.contains_key(*cluster) && ranked.targets.get(cluster).is_none_or(std::collections::BTreeMap::is_empty) {
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

fn check_version(scope: &Scope<'_>, cluster: &ClusterName, findings: &mut Findings) {
    let version = scope.facts(cluster).istio_version;
    let [first, last] = SUPPORTED;
    let path = facts_path(cluster).attribute("istio_version");
    if version < OLDEST {
        findings.push(
            Finding::new(
                Code::IstioTooOld,
                path,
                format!("Cluster {cluster} runs Istio {version}."),
                format!("Its API server does not know networking.istio.io/v1, which Istio serves since {OLDEST}."),
                format!("Upgrade Istio there to {first} or later."),
            )
            .in_cluster(cluster),
        );
    } else if version < first || version > last {
        findings.push(
            Finding::new(
                Code::IstioNotTested,
                path,
                format!("Cluster {cluster} runs Istio {version}."),
                format!("The objects are proven on Istio {first} to {last}."),
                "Test failover there before you rely on it.".to_owned(),
            )
            .in_cluster(cluster),
        );
    }
}
