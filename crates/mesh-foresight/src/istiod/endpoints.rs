//! Who serves a host: pods of the client's own cluster, entries with an address, and gateways in the place of entries of other
//! networks.

use std::collections::BTreeMap;

use mesh_model::names::ClusterName;

use super::{Candidate, NETWORK, locality, place_labels};
use crate::Cause;
use crate::address::Address;
use crate::fleet::{Fleet, Member};
use crate::forecast::Via;
use crate::reach::{Answer, Caller};
use crate::read::{self, Entry, EntryAddress, HostPort, RemoteGateway};
use crate::world::World;

/// Who serves a host, whether it is one of a ServiceEntry or of a Service.
pub(crate) struct Served<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) port: HostPort,
    pub(crate) selector: Option<&'a BTreeMap<String, String>>,
    pub(crate) identities: &'a [String],
    pub(crate) prefers_close: bool,
}

/// Some of a host's endpoints: a name, and the labels that entries of it have.
pub(crate) type Chosen<'a> = Option<(&'a str, &'a BTreeMap<String, String>)>;

/// The endpoints of a host, as a client's proxy is told of them.
pub(crate) fn endpoints<'f>(
    fleet: &'f Fleet,
    world: &World,
    (cluster, member): (&'f ClusterName, &'f Member),
    (served, chosen): (&Served<'_>, Chosen<'_>),
    caller: &Caller<'_>,
) -> Vec<Candidate<'f>> {
    let view = View { fleet, world, cluster, member, served, chosen, caller };
    let mut found = view.pods();
    let is_chosen = |entry: &&Entry| chosen.is_none_or(|(_, labels)| read::has_labels(&entry.labels, labels));
    let entries = member.configuration.entries.iter().filter(is_chosen);
    for entry in entries.filter(|it| it.namespace == served.namespace && read::is_selected(served.selector, &it.labels)) {
        view.ways(entry).into_iter().for_each(|way| add(&mut found, way));
    }
    found
}

/// A client's view of a host.
struct View<'f, 'a> {
    fleet: &'f Fleet,
    world: &'a World,
    cluster: &'f ClusterName,
    member: &'f Member,
    served: &'a Served<'a>,
    chosen: Chosen<'a>,
    caller: &'a Caller<'a>,
}

impl<'f> View<'f, '_> {
    /// Pods of the client's own cluster.
    fn pods(&self) -> Vec<Candidate<'f>> {
        let Self { fleet: _, world, cluster, member, served, chosen, caller } = *self;
        let here = member.services.iter().filter(|service| service.namespace == served.namespace);
        let selected = here.enumerate().filter(|(_, service)| read::is_selected(served.selector, &service.labels));
        // which pods have the labels is no fact, but whether some do
        let selected = selected.filter(|(_, service)| service.has(chosen.map(|(name, _)| name)));
        let (pods, locality, port) = (world.pods_of(cluster), locality(member), served.port.target);
        let mut found = Vec::new();
        for (position, service) in selected {
            let mut labels = service.labels.clone();
            labels.extend(place_labels(&locality, member.network.as_ref()));
            for pod in 0..pods.all {
                let answer = match caller.answered_by(member, service, port) {
                    Answer::Served | Answer::Denied if pod < pods.failing => Answer::Failed(pods.fault, Cause::Pods),
                    well => well,
                };
                let via = Via::Pods { service: position };
                let (labels, locality) = (labels.clone(), locality.clone());
                found.push(Candidate { cluster: Some(cluster), via, port, labels, locality, weight: self.scale(), answer });
            }
        }
        found
    }

    /// The endpoints that an entry stands for: itself, or the gateways of its network.
    fn ways(&self, entry: &Entry) -> Vec<Candidate<'f>> {
        let network = entry.network.as_ref().or_else(|| entry.labels.get(NETWORK)).or(self.member.network.as_ref());
        let gateways = network.filter(|network| self.is_elsewhere(network)).map(|it| self.member.configuration.gateways_of(it));
        match (entry.address, network.zip(gateways.filter(|gateways| !gateways.is_empty()))) {
            // a ServiceEntry with addresses passes it over without a word
            (EntryAddress::Hostname, _) => Vec::new(),
            // gateways tell what they take by the server names of mutual TLS
            (_, Some(_)) if !entry.is_mutual => Vec::new(),
            (_, Some((network, gateways))) => {
                let weight = u64::from(entry.weight) * self.scale() / count(gateways.len());
                let way = |gateway: &RemoteGateway| {
                    let RemoteGateway { network: _, address, port } = gateway;
                    let via = Via::Network { network: network.clone(), address: address.clone() };
                    // of an entry's labels they have none
                    let labels = BTreeMap::from([(NETWORK.to_owned(), network.clone())]);
                    self.way(entry, via, address, *port, labels, weight)
                };
                gateways.into_iter().map(way).collect()
            }
            (EntryAddress::None, None) => Vec::new(),
            (EntryAddress::Ip(address), None) => {
                let port = entry.ports.get(&self.served.port.name).copied().unwrap_or(self.served.port.target);
                let via = Via::Entry { name: entry.name.clone(), address };
                let mut labels = entry.labels.clone();
                labels.extend(place_labels(&entry.locality, network));
                vec![self.way(entry, via, &address.into(), port, labels, u64::from(entry.weight) * self.scale())]
            }
        }
    }

    fn way(
        &self,
        entry: &Entry,
        via: Via,
        address: &Address,
        port: u16,
        labels: BTreeMap<String, String>,
        weight: u64,
    ) -> Candidate<'f> {
        let (cluster, answer) = self.caller.answered_at(self.fleet, self.world, address, port);
        Candidate { cluster, via, port, labels, locality: entry.locality.clone(), weight, answer }
    }

    /// Whether a network is another one than the client's. For older releases a client without one is in every network.
    fn is_elsewhere(&self, network: &String) -> bool {
        self.member.network.as_ref().map_or(self.member.leaves_without_network, |own| own != network)
    }

    /// What weights are multiplied by, so that they can be divided among the gateways of every network.
    fn scale(&self) -> u64 {
        let configuration = &self.member.configuration;
        scale(configuration.networks().into_iter().map(|network| count(configuration.gateways_of(network).len())))
    }
}

/// The least number that all of these divide, where it is small enough for sums of weights, which have 32 bits; divided by what does
/// not divide it they differ by less than a millionth otherwise.
fn scale(counts: impl Iterator<Item = u64>) -> u64 {
    const MOST: u64 = 1 << 24;
    counts.fold(1, |scale, count| least_common_multiple(scale, count).min(MOST))
}

/// Adds an endpoint; a gateway is one for all entries of a locality.
fn add<'f>(found: &mut Vec<Candidate<'f>>, way: Candidate<'f>) {
    let is_same = |other: &&mut Candidate<'_>| {
        matches!(way.via, Via::Network { .. }) && (&other.via, other.port, &other.locality) == (&way.via, way.port, &way.locality)
    };
    match found.iter_mut().find(is_same) {
        Some(other) => other.weight += way.weight,
        None => found.push(way),
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn least_common_multiple(one: u64, other: u64) -> u64 {
    let (mut divisor, mut rest) = (one, other);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (one / divisor.max(1)).saturating_mul(other)
}

#[cfg(test)]
mod tests {
    use super::scale;

    #[test]
    fn weights_are_divided_among_any_gateways() {
        assert_eq!(scale([1, 2, 3, 4, 6].into_iter()), 12);
        assert_eq!(scale([].into_iter()), 1);
        let many = scale((1..200).chain([u64::MAX]));
        assert!(many > 1 << 20 && many.checked_mul(u64::from(u32::MAX) * 200).is_some(), "{many}");
    }
}
