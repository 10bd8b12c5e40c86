//! Services: one Service, in the same form, behind the destination in every serving cluster.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::facts::Backend;
use mesh_model::names::{CanonicalName, ClusterName};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use super::{Scope, Service, Serving};

/// The Service that all serving clusters have in common: one server name must fit everywhere.
pub(super) fn agree<'a>(scope: &Scope<'a>, findings: &mut Findings) -> Option<Service<'a>> {
    let service = |serving: &Serving<'a>| Service {
        namespace: &serving.backend.namespace,
        name: &serving.backend.service,
        domain: &scope.facts(&serving.backend.cluster).cluster_domain,
    };
    let mut all = scope.backends.iter().map(|(cluster, several)| (*cluster, several));
    let Some((first_cluster, several)) = all.next() else {
        findings.push(no_backend(scope));
        return None;
    };
    let first = service(&several[0]);
    for (cluster, several) in &scope.backends {
        if several.len() > 1 {
            findings.push(several_services(cluster, several));
        }
    }
    for (cluster, several) in all {
        let other = service(&several[0]);
        if other != first {
            findings.push(
                Finding::new(
                    Code::ServicesDiffer,
                    AttributePath::of("backends").index(several[0].index),
                    format!("{first_cluster} serves with {}, {cluster} with {}.", first.host(), other.host()),
                    "One server name must lead to the Service in every serving cluster, and it holds the Service's namespace, name and cluster domain.",
                    "Give the Services one name and namespace, and the clusters one domain, or write one destination for each.".to_owned(),
                )
                .in_cluster(cluster),
            );
        }
    }
    check_namespace(scope, &first, findings);
    check_accounts(scope, findings);
    check_trust(scope, findings);
    Some(first)
}

fn no_backend(scope: &Scope<'_>) -> Finding {
    let members: Vec<&str> = scope.intent.mesh.clusters.keys().map(ClusterName::as_str).collect();
    Finding::new(
        Code::EmptyCollection,
        AttributePath::of("backends"),
        format!("No cluster of mesh {} serves {}; its members: {}.", scope.intent.mesh.name, scope.intent.hostname, members.join(", ")),
        "A hostname without a backend answers 503 to every request.",
        "Deploy the Service in one of these clusters, or correct the namespace and name: backends = data.gloo_service.reviews.backends."
            .to_owned(),
    )
}

fn several_services(cluster: &ClusterName, several: &[Serving<'_>]) -> Finding {
    let names: Vec<String> =
        several.iter().map(|serving| format!("{}/{}", serving.backend.namespace, serving.backend.service)).collect();
    Finding::new(
        Code::SeveralServices,
        AttributePath::of("backends").index(several[1].index),
        format!("Cluster {cluster} serves with {} Services: {}.", several.len(), names.join(", ")),
        "One destination has one Service in each cluster for now.",
        format!(
            "Keep one of them: backends = [for b in data.gloo_service.reviews.backends : b if b.cluster != \"{cluster}\" || b.service == \"{}\"]",
            several[0].backend.service
        ),
    )
    .in_cluster(cluster)
}

/// A ServiceEntry selects pods of its own namespace only.
fn check_namespace(scope: &Scope<'_>, service: &Service<'_>, findings: &mut Findings) {
    let intent = scope.intent;
    let both: Vec<&str> =
        scope.backends.keys().filter(|cluster| scope.clients.contains(*cluster)).map(|cluster| cluster.as_str()).collect();
    if *service.namespace != intent.namespace && !both.is_empty() {
        findings.push(Finding::new(
            Code::NamespaceNotOfService,
            AttributePath::of("namespace"),
            format!("The destination is in namespace {}, the Service behind it in {}.", intent.namespace, service.namespace),
            format!(
                "In {} the pods themselves serve, and a ServiceEntry selects pods of its own namespace only.",
                both.join(", ")
            ),
            format!("namespace = {:?}", service.namespace.as_str()),
        ));
    }
    for (cluster, namespace) in intent.client_namespace.iter().filter(|(cluster, namespace)| {
        scope.backends.contains_key(*cluster) && scope.clients.contains(*cluster) && **namespace != intent.namespace
    }) {
        findings.push(
            Finding::new(
                Code::NamespaceNotOfService,
                AttributePath::of("client_namespace").key(cluster.as_str()),
                format!(
                    "Cluster {cluster} serves {} itself, so its objects cannot be in namespace {namespace}.",
                    intent.hostname
                ),
                "A ServiceEntry selects pods of its own namespace only.",
                format!("Remove {cluster} from `client_namespace`; it is for clusters that only call."),
            )
            .in_cluster(cluster),
        );
    }
}

fn check_accounts(scope: &Scope<'_>, findings: &mut Findings) {
    for serving in scope.backends.values().flatten().filter(|serving| serving.backend.service_accounts.is_empty()) {
        let Backend { cluster, namespace, service, .. } = serving.backend;
        findings.push(
            Finding::new(
                Code::EmptyCollection,
                AttributePath::of("backends").index(serving.index).attribute("service_accounts"),
                format!("No service account of {namespace}/{service} in cluster {cluster} is known."),
                "Clients accept a server by its account: without one, every call to it ends with a TLS error.",
                format!(
                    "Write it: backends = [for b in data.gloo_service.{service}.backends : b.cluster != {:?} ? b : merge(b, {{ service_accounts = [\"{service}\"] }})]",
                    cluster.as_str()
                ),
            )
            .in_cluster(cluster),
        );
    }
}

/// Servers refuse clients of a foreign trust domain unless their mesh accepts it, which facts do not say.
fn check_trust(scope: &Scope<'_>, findings: &mut Findings) {
    let mut domains: BTreeMap<&str, Vec<&ClusterName>> = BTreeMap::new();
    for cluster in scope.participants() {
        domains.entry(scope.facts(cluster).trust_domain.as_str()).or_default().push(cluster);
    }
    if domains.len() < 2 {
        return;
    }
    let lines: Vec<String> = domains
        .iter()
        .map(|(domain, clusters)| {
            let names: Vec<&str> = clusters.iter().map(|cluster| cluster.as_str()).collect();
            let ids: BTreeSet<String> = clusters
                .iter()
                .flat_map(|cluster| scope.backends.get(cluster).into_iter().flatten())
                .flat_map(|serving| {
                    serving.backend.service_accounts.iter().map(|account| match spiffe_id(scope, serving, account) {
                        Leaf::Known(id) => id,
                        Leaf::Unknown(path) => {
                            format!("spiffe://{domain}/ns/{}/sa/(known after apply: {path})", serving.backend.namespace)
                        }
                    })
                })
                .collect();
            let ids = if ids.is_empty() {
                format!("clients spiffe://{domain}/ns/<namespace>/sa/<account>")
            } else {
                ids.into_iter().collect::<Vec<_>>().join(", ")
            };
            format!("{domain} ({}): {ids}", names.join(", "))
        })
        .collect();
    findings.push(Finding::new(
        Code::TrustDomainsDiffer,
        AttributePath::of("virtual_mesh").attribute("clusters"),
        format!("The clusters have {} trust domains: {}.", domains.len(), lines.join("; ")),
        "A server refuses clients of another trust domain, and nothing in the facts says that it accepts them.",
        "Give the meshes one `trustDomain` (meshConfig.trustDomain), or leave clusters out with `clients` and `backends`."
            .to_owned(),
    ));
}

fn spiffe_id(scope: &Scope<'_>, serving: &Serving<'_>, account: &Leaf<mesh_model::names::ServiceAccount>) -> Leaf<String> {
    let domain = &scope.facts(&serving.backend.cluster).trust_domain;
    account.map(|account| format!("spiffe://{domain}/ns/{}/sa/{account}", serving.backend.namespace))
}

/// SPIFFE ids of everything that serves: sorted, each once, unknown ones last.
pub(super) fn identities(scope: &Scope<'_>) -> Vec<Leaf<String>> {
    let all: BTreeSet<Leaf<String>> = scope
        .backends
        .values()
        .flatten()
        .flat_map(|serving| serving.backend.service_accounts.iter().map(|account| spiffe_id(scope, serving, account)))
        .collect();
    all.into_iter().collect()
}

/// The canonical name of all pods. Where one is known it stands for the unknown ones too: if they turn out to differ, the
/// destination is refused.
pub(super) fn canonical_name(scope: &Scope<'_>, findings: &mut Findings) -> Leaf<CanonicalName> {
    let mut known: BTreeMap<&CanonicalName, Vec<&Serving<'_>>> = BTreeMap::new();
    let mut unknown: BTreeSet<&Leaf<CanonicalName>> = BTreeSet::new();
    for serving in scope.backends.values().flatten() {
        match &serving.backend.canonical_name {
            Leaf::Known(name) => known.entry(name).or_default().push(serving),
            leaf @ Leaf::Unknown(_) => {
                unknown.insert(leaf);
            }
        }
    }
    if known.len() > 1 {
        let lines: Vec<String> = known
            .iter()
            .map(|(name, serving)| {
                let clusters: Vec<&str> = serving.iter().map(|serving| serving.backend.cluster.as_str()).collect();
                format!("{name} in {}", clusters.join(", "))
            })
            .collect();
        let odd = known.values().flatten().map(|serving| serving.index).max().unwrap_or(0);
        findings.push(Finding::new(
            Code::CanonicalNamesDiffer,
            AttributePath::of("backends").index(odd).attribute("canonical_name"),
            format!("The pods have {} canonical names: {}.", known.len(), lines.join("; ")),
            "The hostname selects what serves it by canonical name, in every cluster by the same one.",
            "Give the pods one name with the label `service.istio.io/canonical-name` in their template.".to_owned(),
        ));
    }
    let first = known.keys().next().map(|name| Leaf::Known((*name).clone()));
    first.or_else(|| unknown.first().map(|leaf| (*leaf).clone())).expect("there is a backend, and it has a canonical name")
}
