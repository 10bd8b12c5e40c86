//! Link: who serves, who calls, who is next; and everything that cannot work.

mod clusters;
pub(crate) mod gateways;
mod outlier;
mod ports;
pub(crate) mod ranks;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::facts::{Backend, ClusterFacts};
use mesh_model::intent::{Port, VirtualDestination};
use mesh_model::names::{CanonicalName, ClusterDomain, ClusterName, Namespace, PortNumber, ServiceName};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

/// An intent whose references are resolved.
pub(crate) struct Linked<'a> {
    /// the intent
    pub(crate) intent: &'a VirtualDestination,
    /// its ports, by number
    pub(crate) ports: Vec<&'a Port>,
    /// the Service behind it, the same in every serving cluster
    pub(crate) service: Service<'a>,
    /// canonical name of the pods, the same in every serving cluster
    pub(crate) canonical_name: Leaf<CanonicalName>,
    /// SPIFFE ids of the pods of all serving clusters
    pub(crate) identities: Vec<Leaf<String>>,
    /// the highest rank of any client
    pub(crate) highest_rank: u32,
    /// clusters that take part
    pub(crate) members: BTreeMap<&'a ClusterName, Member<'a>>,
}

/// A cluster that takes part.
pub(crate) struct Member<'a> {
    /// what is known of it
    pub(crate) facts: &'a ClusterFacts,
    /// if it serves: the backend
    pub(crate) serving: Option<Serving<'a>>,
    /// if its workloads call the destination
    pub(crate) client: Option<Client<'a>>,
}

/// A cluster that serves.
#[derive(Clone)]
pub(crate) struct Serving<'a> {
    /// where the backend is written
    pub(crate) index: usize,
    /// the backend
    pub(crate) backend: &'a Backend,
    /// ports of its pods, one for each port of the destination; `None` where the Service lacks it
    pub(crate) target_ports: Vec<Option<PortNumber>>,
}

/// A cluster whose workloads call the destination.
pub(crate) struct Client<'a> {
    /// namespace of its objects
    pub(crate) namespace: &'a Namespace,
    /// the other clusters that serve it, with their ranks
    pub(crate) targets: BTreeMap<&'a ClusterName, Leaf<u32>>,
}

/// The Service behind a destination.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Service<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) name: &'a ServiceName,
    pub(crate) domain: &'a ClusterDomain,
}

impl Service<'_> {
    /// `<service>.<namespace>.svc.<domain>`.
    pub(crate) fn host(&self) -> String {
        format!("{}.{}.svc.{}", self.name, self.namespace, self.domain)
    }

    /// The server name by which an `AUTO_PASSTHROUGH` gateway finds the Service: its own port, not the destination's, and no
    /// subset (`._.`).
    pub(crate) fn sni(&self, port: PortNumber) -> String {
        format!("outbound_.{port}_._.{}", self.host())
    }
}

/// What the steps of linking share.
pub(crate) struct Scope<'a> {
    /// the intent
    pub(crate) intent: &'a VirtualDestination,
    /// backends in the mesh, by cluster; every cluster at least one
    pub(crate) backends: BTreeMap<&'a ClusterName, Vec<Serving<'a>>>,
    /// clients that are members
    pub(crate) clients: BTreeSet<&'a ClusterName>,
}

impl<'a> Scope<'a> {
    /// Facts of a member.
    pub(crate) fn facts(&self, cluster: &ClusterName) -> &'a ClusterFacts {
        self.intent.mesh.clusters.get(cluster).expect("scopes hold members of the mesh only")
    }

    /// All clusters that take part.
    pub(crate) fn participants(&self) -> BTreeSet<&'a ClusterName> {
        self.backends.keys().copied().chain(self.clients.iter().copied()).collect()
    }
}

/// Where a cluster's facts are written.
pub(crate) fn facts_path(cluster: &ClusterName) -> AttributePath {
    AttributePath::of("virtual_mesh").attribute("clusters").key(cluster.as_str())
}

/// Links an intent. Without a port or a backend there is nothing to link.
pub(crate) fn link(intent: &VirtualDestination) -> (Option<Linked<'_>>, Findings) {
    let mut findings = Vec::new();
    let mut ports: Vec<&Port> = intent.ports.iter().collect();
    if ports.is_empty() {
        findings.push(ports::none(intent));
        return (None, findings);
    }
    ports.sort_by_key(|port| port.number);
    let scope = scope(intent, &ports, &mut findings);
    let Some(service) = services::agree(&scope, &mut findings) else { return (None, findings) };
    let ranked = ranks::rank(&scope, &mut findings);
    let called: BTreeSet<&ClusterName> = ranked.targets.values().flat_map(BTreeMap::keys).copied().collect();
    clusters::check(&scope, &ranked, &mut findings);
    gateways::check(&scope, &called, &service, &mut findings);
    outlier::check(&scope, &ranked, &mut findings);
    ports::check(&scope, &ports, &mut findings);
    let identities = services::identities(&scope);
    let canonical_name = services::canonical_name(&scope, &mut findings);
    let mut targets = ranked.targets;
    let members = scope
        .participants()
        .into_iter()
        .map(|cluster| {
            let serving = scope.backends.get(cluster).map(|backends| backends[0].clone());
            let client = scope.clients.contains(cluster).then(|| Client {
                namespace: match intent.client_namespace.get(cluster) {
                    Some(namespace) if serving.is_none() => namespace,
                    _ => &intent.namespace,
                },
                targets: targets.remove(cluster).unwrap_or_default(),
            });
            (cluster, Member { facts: scope.facts(cluster), serving, client })
        })
        .collect();
    let linked = Linked { intent, ports, service, canonical_name, identities, highest_rank: ranked.highest, members };
    (Some(linked), findings)
}

fn scope<'a>(intent: &'a VirtualDestination, ports: &[&Port], findings: &mut Findings) -> Scope<'a> {
    let mut backends: BTreeMap<&ClusterName, Vec<Serving<'_>>> = BTreeMap::new();
    for (index, backend) in intent.backends.iter().enumerate() {
        if intent.mesh.clusters.contains_key(&backend.cluster) {
            let target_ports = ports.iter().map(|port| ports::target_port(index, backend, port, findings)).collect();
            backends.entry(&backend.cluster).or_default().push(Serving { index, backend, target_ports });
        } else {
            let cluster = &backend.cluster;
            findings.push(
                Finding::new(
                    Code::UnknownCluster,
                    AttributePath::of("backends").index(index).attribute("cluster"),
                    format!("Backend {}/{} is in cluster {cluster}, which is no member of mesh {}.", backend.namespace, backend.service, intent.mesh.name),
                    "Facts of a cluster outside the mesh are not known, so nothing can be sent there.",
                    format!("Add {cluster} to `clusters` of the gloo_virtual_mesh, or leave the backend out: backends = [for b in data.gloo_service.x.backends : b if b.cluster != {:?}]", cluster.as_str()),
                )
                .in_cluster(cluster),
            );
        }
    }
    // one that serves in several ways is refused; until then the first by name stands for it, whatever the order of the list
    for several in backends.values_mut() {
        several.sort_by_key(|serving| (&serving.backend.namespace, &serving.backend.service, serving.index));
    }
    let clients = intent.clients.iter().filter(|cluster| intent.mesh.clusters.contains_key(*cluster)).collect();
    Scope { intent, backends, clients }
}
