//! Nothing is written that makes no difference: each object changes what becomes of some request in some situation.

use std::collections::BTreeSet;
use std::sync::Arc;

use istio_objects::{Object, Tree};
use mesh_foresight::{Address, Fault, Fleet, Forecast, World};
use mesh_model::facts::{ClusterFacts, GatewayAddress};
use mesh_model::intent::VirtualDestination;
use mesh_model::names::{ClusterName, NetworkName};
use mesh_model::{Leaf, derived};
use mesh_translate::{Objects, translate};
use proptest::prelude::*;

use crate::named;
use crate::ranks::request;

/// Every address of the gateways of a cluster.
fn addresses(intent: &VirtualDestination, cluster: &ClusterName) -> BTreeSet<Address> {
    let gateways = intent.mesh.clusters[cluster].gateways.iter();
    let addresses = gateways.flat_map(|gateway| match &gateway.address {
        GatewayAddress::Addresses(addresses) => {
            addresses.iter().filter_map(|address| address.known().map(|ip| Address::Ip(*ip))).collect()
        }
        GatewayAddress::Hostname(hostname) => vec![Address::Hostname(hostname.known().expect("it is known").to_string())],
    });
    addresses.collect()
}

/// A world in which a client has these ways only: its own pods and every other address fail.
fn last_ways(intent: &VirtualDestination, client: &ClusterName, ways: &BTreeSet<Address>) -> World {
    let mut world = World::default().without_service(client, Fault::Connection);
    let all = intent.mesh.clusters.keys().flat_map(|cluster| addresses(intent, cluster));
    world.addresses_down = all.filter(|address| !ways.contains(address)).map(|address| (address, Fault::Connection)).collect();
    world
}

/// Situations in which an object of a kind makes a difference, as a client sees them.
fn situations(intent: &VirtualDestination, cluster: &ClusterName, object: &Object) -> Vec<(ClusterName, World)> {
    let own = |world: World| vec![(cluster.clone(), world)];
    match object.kind.kind.as_str() {
        "ServiceEntry" if derived::is_serving_name(&object.name) => ways_of_others(intent, cluster),
        // without the name there is nothing, however well all is
        "ServiceEntry" => own(World::default()),
        // when one of its own pods fails, which is taken out; in a cluster without pods, at once
        "DestinationRule" => own(World { usual: 2, ..World::default() }.with_failing(cluster, 1, Fault::Application)),
        // by the first requests after something hangs: they end, and are tried elsewhere
        "VirtualService" => {
            let hung = World::default().without_service(cluster, Fault::Hang);
            let clusters = intent.mesh.clusters.keys();
            own(clusters.filter(|other| *other != cluster).fold(hung, |world, other| world.without_gateway(other, Fault::Hang)))
        }
        // when it is the last way, or leads to the last ones
        "WorkloadEntry" => own(last_ways(intent, cluster, &leads_to(intent, object))),
        "Gateway" if object.kind.group == "gateway.networking.k8s.io" => {
            own(last_ways(intent, cluster, &leads_to(intent, object)))
        }
        // when its gateway is the last way of somebody
        "Gateway" => ways_of_others(intent, cluster),
        other => panic!("{other}: say when it makes a difference"),
    }
}

/// Addresses to which an object leads: its own, or those of the gateways of its network.
fn leads_to(intent: &VirtualDestination, object: &Object) -> BTreeSet<Address> {
    let parse = |text: &str| text.parse().map_or_else(|_| Address::Hostname(text.to_owned()), Address::Ip);
    let text = |member| object.at(&["spec", member]).and_then(Tree::text);
    if let Some(Tree::List(list)) = object.at(&["spec", "addresses"]) {
        return list.iter().filter_map(|one| one.member("value").and_then(Tree::text).map(parse)).collect();
    }
    if let Some(address) = text("address") {
        return BTreeSet::from([parse(address)]);
    }
    let is_there =
        |facts: &ClusterFacts| facts.network.as_ref().and_then(Leaf::known).map(NetworkName::as_str) == text("network");
    let clusters = intent.mesh.clusters.iter().filter(|(_, facts)| is_there(facts));
    clusters.flat_map(|(cluster, _)| addresses(intent, cluster)).collect()
}

/// Situations in which a gateway of a cluster is the last way of another one.
fn ways_of_others(intent: &VirtualDestination, cluster: &ClusterName) -> Vec<(ClusterName, World)> {
    let ways = addresses(intent, cluster);
    let others = intent.clients.iter().filter(|client| *client != cluster);
    let last = |client: &ClusterName, way: &Address| last_ways(intent, client, &BTreeSet::from([way.clone()]));
    others.flat_map(|client| ways.iter().map(|way| (client.clone(), last(client, way)))).collect()
}

fn forecasts(intent: &VirtualDestination, objects: &Objects, situations: &[(ClusterName, World)]) -> Vec<Forecast> {
    let fleet = Fleet::read(objects, &intent.mesh, &intent.backends).expect("what is translated is modelled");
    situations.iter().map(|(client, world)| fleet.forecast(world, &request(intent, client))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_object_makes_a_difference(intent in prop_oneof![named::addressed(), named::destination()]) {
        let objects = translate(&intent).objects;
        for (cluster, all) in &objects {
            for object in all {
                let situations = situations(&intent, cluster, object);
                let mut fewer = objects.clone();
                fewer.insert(cluster.clone(), all.iter().filter(|other| !Arc::ptr_eq(other, object)).cloned().collect());
                let [with, without] = [&objects, &fewer].map(|objects| forecasts(&intent, objects, &situations));
                prop_assert!(with != without, "{} of {} makes no difference", object.key(), cluster);
            }
        }
    }
}
