//! A request reaches a serving pod exactly when the intent says so, and in its order.

use std::collections::{BTreeMap, BTreeSet};

use mesh_foresight::{Fault, Fleet, Forecast, Request, World};
use mesh_model::derived;
use mesh_model::intent::{Ranking, VirtualDestination};
use mesh_model::names::ClusterName;
use mesh_translate::translate;
use proptest::prelude::*;

use crate::named;

/// The translated destination, read back.
pub(crate) fn foresee(intent: &VirtualDestination) -> Fleet {
    let objects = translate(intent).objects;
    Fleet::read(&objects, &intent.mesh, &intent.backends).expect("what is translated is modelled")
}

/// A request of a workload that sees the hostname.
pub(crate) fn request<'a>(intent: &'a VirtualDestination, client: &'a ClusterName) -> Request<'a> {
    Request {
        cluster: client,
        namespace: "shop",
        account: None,
        host: intent.hostname.as_str(),
        port: intent.ports[0].number.get(),
        method: "GET",
    }
}

/// Who is asked, one group after the other, from the intent alone.
pub(crate) fn order<'i>(intent: &'i VirtualDestination, client: &'i ClusterName) -> Vec<BTreeSet<&'i ClusterName>> {
    let failover = &intent.failover;
    let serving: BTreeSet<&ClusterName> = intent.backends.iter().map(|backend| &backend.cluster).collect();
    if let Some(shares) = failover.spread.get(client) {
        return vec![shares.iter().map(|(cluster, _)| cluster).collect()];
    }
    let region = |cluster: &ClusterName| intent.mesh.clusters[cluster].region.as_ref().and_then(|region| region.known());
    let last = usize::MAX;
    let place = |cluster: &ClusterName| -> Option<usize> {
        let listed = match (failover.per_client.get(client), &failover.ranking) {
            (Some(list), _) | (None, Ranking::Order(list)) => {
                list.iter().filter(|name| *name != client).position(|name| name == cluster)
            }
            (None, Ranking::Nearest) if failover.only => return None,
            (None, Ranking::Nearest) => (region(client).is_some() && region(client) == region(cluster)).then_some(0),
            (None, Ranking::Locality(rules)) => region(client).zip(region(cluster)).and_then(|(from, to)| {
                let mut preferred: Vec<_> = rules.iter().filter(|rule| rule.from == *from).map(|rule| &rule.to).collect();
                if !preferred.contains(&from) {
                    preferred.insert(0, from);
                }
                preferred.iter().position(|region| *region == to)
            }),
        };
        listed.or_else(|| (!failover.only).then_some(last))
    };
    let mut places: Vec<(usize, u64, &ClusterName)> = serving
        .iter()
        .filter(|cluster| **cluster != client)
        .filter_map(|cluster| Some((place(cluster)?, derived::distance(client, cluster), *cluster)))
        .collect();
    places.sort();
    places.truncate(failover.most_targets.map_or(usize::MAX, |most| most as usize));
    // localities tell the first rank from all others, and no more
    let told = if places.iter().any(|(_, _, cluster)| named::of(intent).contains(cluster)) { 1 } else { usize::MAX };
    let mut groups: BTreeMap<usize, BTreeSet<&ClusterName>> = BTreeMap::new();
    for (place, _, cluster) in places {
        groups.entry(place.min(told)).or_default().insert(cluster);
    }
    let own = serving.contains(client).then(|| BTreeSet::from([client]));
    own.into_iter().chain(groups.into_values()).collect()
}

/// A world without some clusters; of the client's own, its pods are gone.
pub(crate) fn without<'c>(client: &ClusterName, dead: impl IntoIterator<Item = &'c ClusterName>) -> World {
    dead.into_iter().fold(World::default(), |world, cluster| {
        if cluster == client { world.without_service(cluster, Fault::Connection) } else { world.without_cluster(cluster) }
    })
}

/// How many ways lead to a cluster: every address of its gateways is one.
fn ways(intent: &VirtualDestination, client: &ClusterName, cluster: &ClusterName) -> usize {
    if client == cluster {
        return 1;
    }
    let gateways = &intent.mesh.clusters[cluster].gateways;
    gateways
        .iter()
        .map(|gateway| match &gateway.address {
            mesh_model::facts::GatewayAddress::Addresses(addresses) => addresses.len(),
            mesh_model::facts::GatewayAddress::Hostname(_) => 1,
        })
        .sum()
}

/// Who of an order serves while some are dead.
pub(crate) fn alive<'i>(
    intent: &VirtualDestination,
    client: &ClusterName,
    order: &[BTreeSet<&'i ClusterName>],
    dead: &BTreeSet<&ClusterName>,
) -> BTreeSet<&'i ClusterName> {
    let count = |clusters: &BTreeSet<&ClusterName>| clusters.iter().map(|cluster| ways(intent, client, cluster)).sum::<usize>();
    let mut expected: BTreeSet<&ClusterName> = BTreeSet::new();
    let mut left = 100;
    for group in order.iter().filter(|group| !group.is_empty()) {
        let alive: BTreeSet<&ClusterName> = group.iter().filter(|cluster| !dead.contains(**cluster)).copied().collect();
        // a group that is partly dead keeps 1.4 times what lives of it, and the next one gets the rest
        let kept = 140 * count(&alive) / count(group);
        if left > 0 {
            expected.extend(alive);
        }
        left -= kept.min(left);
    }
    expected
}

fn destinations() -> impl Strategy<Value = VirtualDestination> {
    prop_oneof![2 => named::addressed(), 1 => named::destination()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Clusters die in the order in which they serve, and the next ones take over, until nobody is left.
    #[test]
    fn clusters_serve_in_the_order_of_their_ranks(intent in destinations()) {
        let foresight = foresee(&intent);
        for client in &intent.clients {
            let mut dead = BTreeSet::new();
            for group in order(&intent, client) {
                let forecast = foresight.forecast(&without(client, dead.iter().copied()), &request(&intent, client));
                prop_assert_eq!(forecast.servers(), group.clone(), "{} after {:?}", client, dead);
                dead.extend(group);
            }
            let forecast = foresight.forecast(&without(client, dead), &request(&intent, client));
            prop_assert!(forecast.servers().is_empty(), "{}: {:?}", client, forecast);
        }
        for other in intent.mesh.clusters.keys().filter(|name| !intent.clients.contains(*name)) {
            let forecast = foresight.forecast(&World::default(), &request(&intent, other));
            prop_assert!(matches!(forecast, Forecast::NoRoute(_)), "{} is no client: {:?}", other, forecast);
        }
    }

    /// Whichever clusters are dead: somebody serves exactly when one that is meant to lives, and it is the best of them.
    #[test]
    fn somebody_serves_exactly_when_one_that_is_meant_to_lives(intent in destinations(), dead in prop::sample::subsequence((0..5).collect::<Vec<usize>>(), 0..=5)) {
        let foresight = foresee(&intent);
        let names: Vec<&ClusterName> = intent.mesh.clusters.keys().collect();
        let dead: BTreeSet<&ClusterName> = dead.into_iter().map(|index| names[index]).collect();
        for client in &intent.clients {
            let forecast = foresight.forecast(&without(client, dead.iter().copied()), &request(&intent, client));
            let expected = alive(&intent, client, &order(&intent, client), &dead);
            prop_assert_eq!(forecast.servers(), expected, "{} without {:?}", client, dead);
            let Forecast::Routed(routed) = forecast else { continue };
            prop_assert!(routed.failing.is_none() && routed.denied.is_none(), "what fails is out");
        }
    }

    /// A plain call of the Service stays in its cluster, whatever the destination adds.
    #[test]
    fn plain_calls_of_the_service_stay_at_home(intent in destinations()) {
        let foresight = foresee(&intent);
        for backend in &intent.backends {
            let host = format!("{}.{}.svc.cluster.local", backend.service, backend.namespace);
            let request = Request { host: &host, port: backend.ports[0].number.get(), ..request(&intent, &backend.cluster) };
            let forecast = foresight.forecast(&World::default(), &request);
            prop_assert_eq!(forecast.servers(), BTreeSet::from([&backend.cluster]));
        }
    }

    /// Shares are parts of one whole, and every port of a destination goes the same way.
    #[test]
    fn shares_add_up_on_every_port(intent in destinations(), failing in 0..4_u32) {
        let foresight = foresee(&intent);
        for client in &intent.clients {
            let mut world = World { usual: 3, ..World::default() };
            world = world.with_failing(client, failing, Fault::Connection);
            let mut seen = BTreeSet::new();
            for port in &intent.ports {
                let forecast = foresight.forecast(&world, &Request { port: port.number.get(), ..request(&intent, client) });
                let Forecast::Routed(routed) = forecast else { panic!("{client}: {forecast:?}") };
                let all = routed.shares.values().copied().sum::<mesh_foresight::Share>() + routed.failing + routed.denied;
                prop_assert!(all.is_none() || all == mesh_foresight::Share::ALL, "{:?}", all);
                seen.insert(format!("{:?}", routed.shares));
            }
            prop_assert_eq!(seen.len(), 1);
        }
    }
}
