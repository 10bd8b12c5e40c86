//! Link: who serves, who calls, who is next; and everything that cannot work.

mod clusters;
pub(crate) mod gateways;
mod hostnames;
mod outlier;
mod ports;
pub(crate) mod ranks;
mod releases;
mod served;
mod services;
mod shares;
mod subsets;
mod timeouts;
mod trust;
mod visibility;

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::facts::{Backend, ClusterFacts};
use mesh_model::intent::{Port, Shares, VirtualDestination};
use mesh_model::names::{ClusterName, Namespace};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

pub(crate) use ports::{is_of_sidecars, port_of_sidecars};
pub(crate) use served::Served;
pub(crate) use services::Serving;

/// An intent whose references are resolved.
pub(crate) struct Linked<'a> {
    /// the intent
    pub(crate) intent: &'a VirtualDestination,
    /// its ports, by number
    pub(crate) ports: Vec<&'a Port>,
    /// the name by which gateways find what serves
    pub(crate) served: Served<'a>,
    /// SPIFFE ids of the pods of all serving clusters
    pub(crate) identities: Vec<Leaf<String>>,
    /// the highest rank of any client
    pub(crate) highest_rank: u32,
    /// clusters that take part
    pub(crate) members: BTreeMap<&'a ClusterName, Member<'a>>,
    /// what serves, by cluster
    pub(crate) serving: BTreeMap<&'a ClusterName, Serving<'a>>,
    /// serving clusters that other clusters call
    pub(crate) called: BTreeSet<&'a ClusterName>,
    /// serving clusters that are reached by a hostname
    pub(crate) named: BTreeSet<&'a ClusterName>,
}

/// A cluster that takes part.
pub(crate) struct Member<'a> {
    /// what is known of it
    pub(crate) facts: &'a ClusterFacts,
    /// if its workloads call the destination
    pub(crate) client: Option<Client<'a>>,
}

/// A cluster whose workloads call the destination.
pub(crate) struct Client<'a> {
    /// namespace of its objects
    pub(crate) namespace: &'a Namespace,
    /// the other clusters that serve it, with their ranks
    pub(crate) targets: BTreeMap<&'a ClusterName, Leaf<u32>>,
    /// how its requests are spread; `None`: ranks count
    pub(crate) shares: Option<&'a Shares>,
}

/// What the steps of linking share.
pub(crate) struct Scope<'a> {
    /// the intent
    pub(crate) intent: &'a VirtualDestination,
    /// what serves in the mesh, by cluster
    pub(crate) serving: BTreeMap<&'a ClusterName, Serving<'a>>,
    /// clients that are members, with what is known of them
    pub(crate) clients: BTreeMap<&'a ClusterName, &'a ClusterFacts>,
}

impl<'a> Scope<'a> {
    /// Facts of a member.
    pub(crate) fn facts(&self, cluster: &ClusterName) -> &'a ClusterFacts {
        self.intent.mesh.clusters.get(cluster).expect("scopes hold members of the mesh only")
    }

    /// Where a client's objects are: beside the pods, if the cluster has some.
    pub(crate) fn client_namespace(&self, cluster: &ClusterName) -> &'a Namespace {
        match self.serving.get(cluster) {
            Some(serving) => serving.namespace(),
            None => self.intent.client_namespace.get(cluster).unwrap_or(&self.intent.namespace),
        }
    }

    /// How the requests of a client are spread, if they are.
    pub(crate) fn shares(&self, client: &ClusterName) -> Option<&'a Shares> {
        self.intent.failover.spread.get(client)
    }

    /// All clusters that take part.
    pub(crate) fn participants(&self) -> BTreeMap<&'a ClusterName, &'a ClusterFacts> {
        let mut participants = self.clients.clone();
        participants.extend(self.serving.keys().map(|cluster| (*cluster, self.facts(cluster))));
        participants
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
    if scope.serving.is_empty() {
        findings.push(services::none(&scope));
        return (None, findings);
    }
    services::check(&scope, &mut findings);
    let served = Served::of(&scope, &ports);
    let ranked = ranks::rank(&scope, &mut findings);
    let called = ranked.called();
    let named = gateways::named(&scope);
    releases::check(&scope, &mut findings);
    clusters::check(&scope, &ranked, &mut findings);
    gateways::check(&scope, &called, &served.host(), &mut findings);
    hostnames::check(&scope, &ranked, &named, &mut findings);
    outlier::check(&scope, &ports, &ranked, &mut findings);
    ports::check(&scope, &ports, &mut findings);
    shares::check(&scope, &mut findings);
    subsets::check(&scope, &ranked, &mut findings);
    timeouts::check(&scope, &ports, &ranked, &mut findings);
    trust::check(&scope, &ranked, &mut findings);
    visibility::check(&scope, &mut findings);
    let identities = trust::identities(&scope);
    let mut targets = ranked.targets;
    let members = scope
        .participants()
        .into_iter()
        .map(|(cluster, facts)| {
            let client = targets.remove(cluster).map(|targets| Client {
                namespace: scope.client_namespace(cluster),
                targets,
                shares: scope.shares(cluster),
            });
            (cluster, Member { facts, client })
        })
        .collect();
    let (highest_rank, serving) = (ranked.highest, scope.serving);
    (Some(Linked { intent, ports, served, identities, highest_rank, members, serving, called, named }), findings)
}

fn scope<'a>(intent: &'a VirtualDestination, ports: &[&'a Port], findings: &mut Findings) -> Scope<'a> {
    let mut backends: BTreeMap<&ClusterName, Vec<(usize, &Backend)>> = BTreeMap::new();
    for (index, backend) in intent.backends.iter().enumerate() {
        if intent.mesh.clusters.contains_key(&backend.cluster) {
            backends.entry(&backend.cluster).or_default().push((index, backend));
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
    let serving = backends.into_iter().map(|(cluster, backends)| (cluster, Serving::of(backends, ports, findings))).collect();
    let clients = intent.clients.iter().filter_map(|cluster| Some((cluster, intent.mesh.clusters.get(cluster)?))).collect();
    Scope { intent, serving, clients }
}
