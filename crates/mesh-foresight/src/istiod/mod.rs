//! What istiod tells a client's proxy of the endpoints of a host.

mod endpoints;
mod localities;

use std::collections::BTreeMap;

use mesh_model::names::ClusterName;

use crate::fleet::Member;
use crate::forecast::Via;
use crate::reach::Answer;

pub(crate) use endpoints::{Chosen, Served, endpoints};
pub(crate) use localities::assign;

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const SUBZONE: &str = "topology.istio.io/subzone";
const NETWORK: &str = "topology.istio.io/network";

/// Clients and the pods of their cluster are in one zone; no label says which, so its name is one that no object has.
const SAME_ZONE: &str = "(the client's zone)";

/// An endpoint before it has a priority.
#[derive(Debug)]
pub(crate) struct Candidate<'f> {
    /// where it leads
    pub(crate) cluster: Option<&'f ClusterName>,
    /// how
    pub(crate) via: Via,
    /// the port there; of pods it tells nothing apart
    port: u16,
    labels: BTreeMap<String, String>,
    /// region, zone, subzone
    locality: Vec<String>,
    weight: u64,
    answer: Answer,
}

impl Candidate<'_> {
    /// Whether both have one address and port.
    fn is_same_host(&self, other: &Self) -> bool {
        self.port == other.port && self.via.address().is_some_and(|address| other.via.address() == Some(address))
    }
}

/// Region and zone of the workloads of a cluster.
fn locality(member: &Member) -> Vec<String> {
    member.region.iter().flat_map(|region| [region.clone(), SAME_ZONE.to_owned()]).collect()
}

/// Labels that istiod gives a workload of a locality and a network, beside its own.
fn place_labels<'l>(locality: &'l [String], network: Option<&'l String>) -> impl Iterator<Item = (String, String)> + 'l {
    let places = [REGION, ZONE, SUBZONE].into_iter().zip(locality);
    places.chain(network.map(|network| (NETWORK, network))).map(|(key, value)| (key.to_owned(), value.clone()))
}
