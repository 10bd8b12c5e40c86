//! Several control planes in one cluster, as while one release follows another.
//!
//! Objects carry no revision, so that each of them reads all. What it makes of them depends on its settings: where these differ,
//! facts hold for workloads of one revision only.

use mesh_model::Code;
use mesh_model::names::ClusterName;

use crate::istio::ControlPlane;
use crate::verdict::Verdicts;

/// Says in which settings control planes differ from the one whose facts are taken.
pub(crate) fn check(plane: &ControlPlane<'_>, others: &[ControlPlane<'_>], verdicts: &mut Verdicts<'_>) {
    let own = settings(plane);
    let differing: Vec<String> = others
        .iter()
        .flat_map(|other| {
            let pairs = own.iter().zip(settings(other));
            let differ = pairs.filter(|((_, one), (_, two))| one.is_some() && two.is_some() && *one != *two);
            differ
                .map(|((name, one), (_, two))| {
                    let [one, two] = [one.as_deref(), two.as_deref()].map(Option::unwrap_or_default);
                    format!("{name}: {one} in {}, {two} in {}", plane.revision, other.revision)
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let Some(other) = others.first().filter(|_| !differing.is_empty()) else { return };
    verdicts.cluster(
        Code::RevisionsDiffer,
        format!("Control planes of cluster {} differ. {}.", verdicts.cluster, differing.join(". ")),
        format!(
            "Objects are of no revision, so that every control plane reads them, and the facts are those of {}: workloads of others may not be reached, or not resolve hostnames.",
            plane.revision
        ),
        format!(
            "Let their mesh configurations agree, or choose the one whose workloads take part:\n\n{}",
            chosen(verdicts.cluster, &other.revision)
        ),
    );
}

/// What facts say of a control plane, with names; `None`: not known.
fn settings(plane: &ControlPlane<'_>) -> [(&'static str, Option<String>); 7] {
    let list = |texts: &[String]| if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
    let selectors: Vec<String> = plane.discovery_selectors.iter().map(ToString::to_string).collect();
    [
        ("trust domain", Some(plane.trust_domain.clone())),
        ("accepted trust domains", Some(list(&plane.accepted_trust_domains))),
        ("cluster domain", Some(plane.cluster_domain.clone().unwrap_or_else(|| "cluster.local".to_owned()))),
        ("root namespace", Some(plane.root_namespace.clone())),
        ("network", Some(plane.network.unwrap_or("none").to_owned())),
        ("discovery selectors", Some(list(&selectors))),
        ("DNS capture", plane.dns_capture.map(|is_on| if is_on { "on" } else { "off" }.to_owned())),
    ]
}

/// How a control plane is chosen.
pub(crate) fn chosen(cluster: &ClusterName, revision: &str) -> String {
    format!("data \"gloo_cluster\" \"{cluster}\" {{\n  name     = \"{cluster}\"\n  revision = \"{revision}\"\n}}")
}
