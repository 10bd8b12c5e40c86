//! Trust: who is accepted by whom.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::names::{ClusterName, ServiceAccount, TrustDomain};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use super::ranks::Ranked;
use super::{Scope, Serving};

/// SPIFFE ids of everything that serves: sorted, each once, unknown ones last.
pub(super) fn identities(scope: &Scope<'_>) -> Vec<Leaf<String>> {
    let all: BTreeSet<Leaf<String>> = scope.serving.iter().flat_map(|(cluster, serving)| ids(scope, cluster, serving)).collect();
    all.into_iter().collect()
}

fn ids(scope: &Scope<'_>, cluster: &ClusterName, serving: &Serving<'_>) -> Vec<Leaf<String>> {
    let domain = &scope.facts(cluster).trust_domain;
    let id = |account: &&Leaf<ServiceAccount>| {
        account.map(|account| format!("spiffe://{domain}/ns/{}/sa/{account}", serving.namespace()))
    };
    serving.accounts().iter().map(id).collect()
}

/// Servers refuse clients of a trust domain that their mesh does not accept. Clients accept servers by their ids, whatever
/// domain these have.
pub(super) fn check(scope: &Scope<'_>, ranked: &Ranked<'_>, findings: &mut Findings) {
    let accepts = |server: &ClusterName, domain: &TrustDomain| {
        let accepted = scope.intent.mesh.accepted_trust_domains.get(server);
        scope.facts(server).trust_domain == *domain || accepted.is_some_and(|accepted| accepted.contains(domain))
    };
    let domains: BTreeSet<&TrustDomain> = scope.clients.values().map(|facts| &facts.trust_domain).collect();
    for (server, serving) in &scope.serving {
        let strange: BTreeSet<&TrustDomain> = domains.iter().copied().filter(|domain| !accepts(server, domain)).collect();
        if strange.is_empty() {
            continue;
        }
        let mut clients: BTreeMap<&TrustDomain, Vec<&ClusterName>> = BTreeMap::new();
        for client in ranked.targets.iter().filter(|(_, targets)| targets.contains_key(server)).map(|(client, _)| client) {
            let domain = &scope.clients[client].trust_domain;
            if strange.contains(domain) {
                clients.entry(domain).or_default().push(client);
            }
        }
        if !clients.is_empty() {
            findings.push(refuses(scope, server, serving, &clients));
        }
    }
}

fn refuses(
    scope: &Scope<'_>,
    server: &ClusterName,
    serving: &Serving<'_>,
    refused: &BTreeMap<&TrustDomain, Vec<&ClusterName>>,
) -> Finding {
    let clients: Vec<String> = refused
        .iter()
        .map(|(domain, clusters)| {
            let names: Vec<&str> = clusters.iter().map(|cluster| cluster.as_str()).collect();
            format!("spiffe://{domain}/ns/<namespace>/sa/<account> ({})", names.join(", "))
        })
        .collect();
    let servers: Vec<String> = ids(scope, server, serving)
        .into_iter()
        .map(|id| match id {
            Leaf::Known(id) => id,
            Leaf::Unknown(path) => {
                format!("spiffe://{}/ns/{}/sa/(known after apply: {path})", scope.facts(server).trust_domain, serving.namespace())
            }
        })
        .collect();
    let domains: Vec<String> = refused.keys().map(|domain| format!("{:?}", domain.as_str())).collect();
    let domains = domains.join(", ");
    Finding::new(
        Code::TrustDomainsDiffer,
        AttributePath::of("virtual_mesh").attribute("accepted_trust_domains").key(server.as_str()),
        format!("Cluster {server} serves as {}, and would be called by {}.", servers.join(", "), clients.join(", ")),
        "A server refuses clients of another trust domain, unless its mesh accepts that domain; nothing says that it does.",
        format!(
            "Let it accept them, by meshConfig.caCertificates: [{{ trustDomains: [{domains}] }}], and say so on the gloo_virtual_mesh: accepted_trust_domains = {{ {server} = [{domains}] }}, where data.gloo_cluster.{server}.accepted_trust_domains is what it accepts now. Or give the meshes one `trustDomain`."
        ),
    )
    .in_cluster(server)
}
