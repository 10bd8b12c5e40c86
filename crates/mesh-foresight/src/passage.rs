//! What becomes of requests while objects change: between two states that answer there may be one that does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use istio_objects::{Change, Manifest, Object, Operation};
use mesh_model::facts::{Backend, ClusterFacts, GatewayAddress};
use mesh_model::intent::VirtualMesh;
use mesh_model::names::ClusterName;

use crate::envoy::Tries;
use crate::fleet::Fleet;
use crate::forecast::{Forecast, Request};
use crate::world::World;

/// What is live in each cluster, in the order of creation: of two hosts with one name proxies know the one that was there first.
#[derive(Clone, Debug)]
pub struct Live(BTreeMap<ClusterName, Vec<Arc<Object>>>);

impl Live {
    /// What was written.
    #[must_use]
    pub fn of(manifests: &BTreeMap<ClusterName, Vec<Manifest>>) -> Self {
        let objects = |all: &Vec<Manifest>| all.iter().map(object).collect();
        Self(manifests.iter().map(|(cluster, all)| (cluster.clone(), objects(all))).collect())
    }

    /// The same after one more write.
    pub fn apply(&mut self, change: &Change) {
        let there = self.0.entry(change.cluster.clone()).or_default();
        match &change.operation {
            Operation::Create(new) => there.push(object(new)),
            Operation::Update { new, .. } => {
                there.iter_mut().filter(|it| it.key() == *new.key()).for_each(|it| *it = object(new));
            }
            Operation::Delete(key) => there.retain(|it| it.key() != *key),
        }
    }

    /// The objects.
    #[must_use]
    pub fn objects(&self) -> &BTreeMap<ClusterName, Vec<Arc<Object>>> {
        &self.0
    }
}

fn object(manifest: &Manifest) -> Arc<Object> {
    Arc::new(manifest.object())
}

/// A request that is answered before a change and after it, and not in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// where its client runs
    pub cluster: ClusterName,
    /// the port of the host
    pub port: u16,
    /// the first of the states in which it is not; 0 is the one before the change
    pub state: usize,
    /// what becomes of it there
    pub forecast: Forecast,
}

/// The requests for a host that lasts which are lost in one of several states, the first of which is before a change and the last
/// after it. Clients call all the time, and nothing is ejected yet that only a state between them breaks.
#[must_use]
pub fn interruptions(states: &[Fleet], world: &World, host: &str, ports: &[u16]) -> Vec<Interruption> {
    let [before, between @ .., after] = states else { return Vec::new() };
    let mut found = Vec::new();
    for (cluster, namespace) in before.callers(host) {
        for port in ports {
            let request = Request { cluster, namespace, account: None, host, port: *port, method: "GET" };
            let is_lasting = [before, after].iter().all(|state| is_answered(&state.forecast(world, &request)));
            let lost = between.iter().zip(1..).map(|(state, number)| (number, state.forecast(world, &request)));
            let lost = lost.filter(|_| is_lasting).find(|(_, forecast)| !is_answered(forecast));
            found.extend(lost.map(|(state, forecast)| Interruption { cluster: cluster.clone(), port: *port, state, forecast }));
        }
    }
    found
}

/// Whether every request is, by the first endpoint or by a retry.
fn is_answered(forecast: &Forecast) -> bool {
    match forecast {
        Forecast::Routed(routed) => routed.denied.is_none() && !matches!(routed.first, Tries::Lost(_)),
        Forecast::NoClient | Forecast::NoRoute(_) => false,
    }
}

/// Clusters, gateways and Services of before a change and of after it, all of which are there while it happens. Where both know
/// something, what is known after it counts.
#[must_use]
pub fn both(before: (&VirtualMesh, &[Backend]), after: (&VirtualMesh, &[Backend])) -> (VirtualMesh, Vec<Backend>) {
    let (mut mesh, mut backends) = (after.0.clone(), after.1.to_vec());
    for (cluster, facts) in &before.0.clusters {
        match mesh.clusters.get_mut(cluster) {
            Some(known) => keep_gateways(known, facts),
            None => drop(mesh.clusters.insert(cluster.clone(), facts.clone())),
        }
        if let Some(accepted) = before.0.accepted_trust_domains.get(cluster) {
            mesh.accepted_trust_domains.entry(cluster.clone()).or_insert_with(|| accepted.clone());
        }
    }
    let place = |backend: &Backend| (backend.cluster.clone(), backend.namespace.clone(), backend.service.clone());
    let known: Vec<_> = backends.iter().map(place).collect();
    backends.extend(before.1.iter().filter(|backend| !known.contains(&place(backend))).cloned());
    (mesh, backends)
}

/// Adds the gateways of before whose addresses are no others' by now.
fn keep_gateways(facts: &mut ClusterFacts, before: &ClusterFacts) {
    let is_known = |address: &GatewayAddress| {
        facts.gateways.iter().any(|gateway| match (&gateway.address, address) {
            (GatewayAddress::Addresses(known), GatewayAddress::Addresses(all)) => all.iter().any(|one| known.contains(one)),
            (known, address) => known == address,
        })
    };
    let gone: Vec<_> = before.gateways.iter().filter(|gateway| !is_known(&gateway.address)).cloned().collect();
    facts.gateways.extend(gone);
}
