//! Nothing is written that makes no difference: each object changes what becomes of some request in some situation.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use istio_objects::Object;
use mesh_foresight::{Fault, Fleet, Forecast, World};
use mesh_model::derived;
use mesh_model::facts::GatewayAddress;
use mesh_model::intent::VirtualDestination;
use mesh_model::names::ClusterName;
use mesh_translate::{Objects, translate};
use proptest::prelude::*;

use crate::fleet;
use crate::ranks::request;

/// Every address of every gateway of the fleet.
fn addresses(intent: &VirtualDestination) -> BTreeSet<IpAddr> {
    let gateways = intent.mesh.clusters.values().flat_map(|facts| &facts.gateways);
    let addresses = gateways.flat_map(|gateway| match &gateway.address {
        GatewayAddress::Addresses(addresses) => addresses.iter().filter_map(|address| address.known().copied()).collect(),
        GatewayAddress::Hostname(_) => Vec::new(),
    });
    addresses.collect()
}

/// A world in which a client has this way only: its own pods and every other address fail.
fn last_way(intent: &VirtualDestination, client: &ClusterName, way: IpAddr) -> World {
    let mut world = World::default().without_service(client, Fault::Connection);
    world.addresses_down =
        addresses(intent).into_iter().filter(|address| *address != way).map(|address| (address, Fault::Connection)).collect();
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
        // when it is the last way
        "WorkloadEntry" => {
            let address = object.at(&["spec", "address"]).and_then(|address| address.text()).and_then(|text| text.parse().ok());
            own(last_way(intent, cluster, address.expect("an entry has an address")))
        }
        // when its gateway is the last way of somebody
        "Gateway" => ways_of_others(intent, cluster),
        other => panic!("{other}: say when it makes a difference"),
    }
}

/// Situations in which a gateway of a cluster is the last way of another one.
fn ways_of_others(intent: &VirtualDestination, cluster: &ClusterName) -> Vec<(ClusterName, World)> {
    let gateways = intent.mesh.clusters[cluster].gateways.iter();
    let ways = gateways.flat_map(|gateway| match &gateway.address {
        GatewayAddress::Addresses(addresses) => addresses.clone(),
        GatewayAddress::Hostname(_) => Vec::new(),
    });
    let ways: Vec<IpAddr> = ways.filter_map(|way| way.known().copied()).collect();
    let others = intent.clients.iter().filter(|client| *client != cluster);
    others.flat_map(|client| ways.iter().map(|way| (client.clone(), last_way(intent, client, *way)))).collect()
}

fn forecasts(intent: &VirtualDestination, objects: &Objects, situations: &[(ClusterName, World)]) -> Vec<Forecast> {
    let fleet = Fleet::read(objects, &intent.mesh, &intent.backends).expect("what is translated is modelled");
    situations.iter().map(|(client, world)| fleet.forecast(world, &request(intent, client))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_object_makes_a_difference(intent in fleet::destination()) {
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
