//! Random fleets and destinations.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use istio_objects::{Claim, Manifest, Sealed};
use mesh_model::derived::federated_hostname;
use mesh_model::facts::{Backend, BackendPort, ClusterFacts, GatewayAddress, GatewayFacts};
use mesh_model::intent::{
    Export, Federation, LoadBalancer, ManagedMesh, MutualTls, OutlierDetection, Port, Protocol, Retries, ServicePort, Subset,
    VirtualDestination, VirtualMesh,
};
use mesh_model::names::{ClusterName, HostnameSuffix, PortNumber, SubsetName};
use mesh_model::{Code, Leaf};
use mesh_translate::{Translation, translate};
use proptest::prelude::*;

use crate::failover::{failover, fit};

/// Clusters of every fleet.
pub(crate) const CLUSTERS: [&str; 5] = ["eu", "north", "east", "south", "west"];
pub(crate) const REGIONS: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];
const ACCOUNTS: [&str; 3] = ["reviews", "bookinfo-reviews", "batch"];

/// Parses a name.
pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid name")
}

pub(crate) fn port(number: i64) -> PortNumber {
    PortNumber::new(number).expect("a port")
}

/// An address of a gateway; the third byte is the cluster's position in [`CLUSTERS`]. Other pods have other addresses.
fn address(cluster: usize, gateway: usize, renewed: bool, index: usize) -> IpAddr {
    let byte = |number: usize| u8::try_from(number).expect("few clusters and gateways");
    IpAddr::V4(Ipv4Addr::new(203, 0, byte(cluster), byte(gateway * 10 + usize::from(renewed) * 100 + index + 1)))
}

/// Which cluster has an address.
pub(crate) fn owner_of(address: &str) -> ClusterName {
    let address: Ipv4Addr = address.parse().expect("gateways of the fleet have IPv4 addresses");
    name(CLUSTERS[usize::from(address.octets()[2])])
}

/// A hostname of a gateway.
fn hostname(cluster: usize, gateway: usize, renewed: bool) -> String {
    format!("{}.{}.example.com", workload(gateway, renewed), CLUSTERS[cluster])
}

/// Which cluster has a network.
pub(crate) fn owner_of_network(network: &str) -> ClusterName {
    name(network.strip_prefix("net-").expect("networks of the fleet are called so"))
}

/// The label of a gateway's pods.
fn workload(gateway: usize, renewed: bool) -> String {
    match (gateway, renewed) {
        (0, false) => "eastwestgateway".to_owned(),
        (_, false) => format!("gateway-{gateway}"),
        (_, true) => format!("gateway-{gateway}-renewed"),
    }
}

/// Facts of a cluster of a fleet in which gateways may have hostnames; then every cluster has a region, without which such a one
/// is reached by shares alone.
fn facts(index: usize, has_hostnames: bool) -> impl Strategy<Value = ClusterFacts> {
    let region = (prop::sample::select(&REGIONS[..]), prop::bool::ANY);
    let region = region.prop_map(move |(region, is_known)| (has_hostnames || is_known).then_some(region));
    let reached = (1..=2_usize, prop::bool::weighted(if has_hostnames { 0.4 } else { 0.0 }));
    let gateways = prop::collection::vec((reached, prop::bool::weighted(0.2), prop::bool::ANY, prop::bool::weighted(0.3)), 1..=2);
    (region, gateways).prop_map(move |(region, gateways)| ClusterFacts {
        istio_version: name("1.28"),
        revision: name("default"),
        trust_domain: name("cluster.local"),
        cluster_domain: name("cluster.local"),
        root_namespace: name("istio-system"),
        network: Some(Leaf::Known(name(&format!("net-{}", CLUSTERS[index])))),
        region: region.map(|region| Leaf::Known(name(region))),
        dns_capture: Some(Leaf::Known(true)),
        gateways: gateways
            .into_iter()
            .enumerate()
            .map(|(gateway, ((addresses, named), covered, own_namespace, renewed))| GatewayFacts {
                namespace: name(if own_namespace { "gateways" } else { "istio-system" }),
                selector: BTreeMap::from([("istio".to_owned(), workload(gateway, renewed))]),
                address: match named {
                    true => GatewayAddress::Hostname(Leaf::Known(name(&hostname(index, gateway, renewed)))),
                    false => GatewayAddress::Addresses(
                        (0..addresses).map(|i| Leaf::Known(address(index, gateway, renewed, i))).collect(),
                    ),
                },
                port: Leaf::Known(port(15443)),
                exposed_hosts: if covered { vec!["*.local".to_owned()] } else { Vec::new() },
            })
            .collect(),
    })
}

fn backend(cluster: &'static str) -> impl Strategy<Value = Backend> {
    let accounts = prop::sample::subsequence(&ACCOUNTS[..], 1..=2).prop_shuffle();
    (accounts, 9080..=9081_i64).prop_map(move |(accounts, target)| Backend {
        cluster: name(cluster),
        namespace: name("bookinfo"),
        service: name("reviews"),
        ports: vec![
            BackendPort {
                number: port(9080),
                name: Some("http".to_owned()),
                target_port: port(target),
                protocol: Some("http".to_owned()),
            },
            BackendPort { number: port(9090), name: None, target_port: port(target + 10), protocol: None },
        ],
        selector: BTreeMap::from([("app".to_owned(), "reviews".to_owned())]),
        canonical_name: Leaf::Known(name("reviews")),
        service_accounts: accounts.into_iter().map(|account| Leaf::Known(name(account))).collect(),
        subsets: None,
    })
}

pub(crate) fn names() -> impl Strategy<Value = Vec<ClusterName>> {
    prop::sample::subsequence(&CLUSTERS[..], 1..=4).prop_shuffle().prop_map(|names| names.into_iter().map(name).collect())
}

/// Ports of a destination: one of HTTP, and some of these.
fn ports(number: i64, port_name: &str, by_name: bool, more: &[Protocol]) -> Vec<Port> {
    let service_port = if by_name { ServicePort::Name(name("http")) } else { ServicePort::Number(port(9080)) };
    let http = Port { number: port(number), name: name(port_name), protocol: Protocol::Http, service_port };
    let others = more.iter().map(|protocol| {
        let number = port(if *protocol == Protocol::Tcp { 9092 } else { 9091 });
        Port { number, name: name(protocol.as_str()), protocol: *protocol, service_port: ServicePort::Number(port(9090)) }
    });
    std::iter::once(http).chain(others).collect()
}

/// Ports that Services may have behind a port of a destination.
pub(crate) fn service_ports(number: &serde_json::Value) -> &'static [&'static str] {
    match number.as_u64() {
        Some(9080 | 9081) => &["9080", "80"],
        // exports have the ports of their Service
        Some(80) => &["80"],
        _ => &["9090"],
    }
}

/// Another Service than the others have: by name, by its first port, and by the canonical name of its pods.
fn make_different(backend: &mut Backend) {
    backend.service = name(&format!("{}-own", backend.service));
    backend.selector.insert("app".to_owned(), backend.service.to_string());
    backend.ports[0].number = port(80);
    backend.canonical_name = backend.canonical_name.map(|canonical| name(&format!("{canonical}-own")));
}

/// A second Service, by pods of its own that serve as one with those of the first.
fn add_second(first: &mut Backend) -> Backend {
    let mut second = first.clone();
    second.service = name(&format!("{}-second", first.service));
    for (backend, part) in [(first, "first"), (&mut second, "second")] {
        backend.selector.insert("part".to_owned(), part.to_owned());
    }
    second
}

/// Up to three subsets, some of them without calls. One may have other labels than usual.
pub(crate) fn some_subsets() -> impl Strategy<Value = BTreeMap<SubsetName, Subset>> {
    let weights = prop::sample::select(&[[100, 0, 0], [90, 10, 0], [0, 0, 100], [60, 30, 10]][..]).prop_shuffle();
    let names = prop::sample::subsequence(&["v1", "v2", "v3"][..], 1..=3);
    (names, weights, prop::bool::weighted(0.2)).prop_map(|(names, weights, other)| {
        let last = names.len() - 1;
        let rest: u8 = 100 - weights.iter().take(last).sum::<u8>();
        let subset = |(index, text): (usize, &&str)| {
            let version = if other && index == last { format!("{text}-other") } else { (*text).to_owned() };
            let weight = if index == last { rest } else { weights[index] };
            (name(text), Subset { labels: BTreeMap::from([("version".to_owned(), version)]), weight })
        };
        names.iter().enumerate().map(subset).collect()
    })
}

/// Two that share the calls.
pub(crate) fn two_subsets() -> BTreeMap<SubsetName, Subset> {
    let subset =
        |text: &str| (name(text), Subset { labels: BTreeMap::from([("version".to_owned(), text.to_owned())]), weight: 50 });
    BTreeMap::from(["v1", "v2"].map(subset))
}

/// None, or some.
fn subsets() -> impl Strategy<Value = BTreeMap<SubsetName, Subset>> {
    prop_oneof![1 => Just(BTreeMap::new()), 1 => some_subsets()]
}

/// A destination that has some.
pub(crate) fn with_subsets() -> impl Strategy<Value = VirtualDestination> {
    destination().prop_filter("it has none", |intent| !intent.subsets.is_empty())
}

/// A destination of which the requests of some clients are spread.
pub(crate) fn spreading() -> impl Strategy<Value = VirtualDestination> {
    let is_spread = |intent: &VirtualDestination| intent.failover.spread.keys().any(|client| intent.clients.contains(client));
    destination().prop_filter("nothing is spread", is_spread)
}

/// Gives each backend some of the subsets, or all.
fn deploy(backends: &mut [Backend], subsets: &BTreeMap<SubsetName, Subset>, seed: usize) {
    for (index, backend) in backends.iter_mut().enumerate() {
        let chosen = subsets.keys().enumerate().filter(|(place, _)| (seed >> (index * 3 + place)) & 1 == 1);
        let chosen: BTreeSet<SubsetName> = chosen.map(|(_, name)| name.clone()).collect();
        backend.subsets = (!chosen.is_empty()).then_some(chosen);
    }
}

/// A destination that translates without an error.
pub(crate) fn destination() -> impl Strategy<Value = VirtualDestination> {
    prop::bool::weighted(0.4).prop_flat_map(destination_of)
}

/// The same in a fleet in which gateways may have hostnames, or not.
fn destination_of(has_hostnames: bool) -> impl Strategy<Value = VirtualDestination> {
    let clusters = CLUSTERS.iter().enumerate();
    let facts = clusters.map(|(index, cluster)| facts(index, has_hostnames).prop_map(|facts| (name(cluster), facts)));
    let facts = facts.collect::<Vec<_>>().prop_map(|facts| facts.into_iter().collect::<BTreeMap<ClusterName, ClusterFacts>>());
    let backends = CLUSTERS.iter().map(|cluster| prop::option::weighted(0.6, backend(cluster))).collect::<Vec<_>>();
    let clients = names().prop_map(|names| names.into_iter().collect::<BTreeSet<_>>());
    let knobs = (
        prop::sample::select(&["reviews.mesh.internal", "ratings.mesh.internal"][..]),
        9080..=9081_i64,
        prop::bool::ANY,
        prop::sample::select(&["http", "http", "web"][..]),
        prop::sample::select(&["reviews", "reviews", "books"][..]),
        prop::sample::select(&["reviews", "reviews", "books"][..]),
        prop::sample::subsequence(&[Protocol::Grpc, Protocol::Tcp][..], 0..=2).prop_shuffle(),
        [2, 1]
            .map(|weight| prop_oneof![3 => Just(Vec::<&str>::new()), weight => prop::sample::subsequence(&CLUSTERS[..], 1..=2)]),
    );
    (facts, backends, clients, failover(), (subsets(), any::<usize>()), knobs)
        .prop_map(
            |(
                clusters,
                backends,
                clients,
                failover,
                (subsets, seed),
                (hostname, number, moved, port_name, service, canonical_name, more, [different, several]),
            )| {
                let mut backends: Vec<Backend> = backends.into_iter().flatten().collect();
                for backend in &mut backends {
                    backend.service = name(service);
                    backend.canonical_name = Leaf::Known(name(canonical_name));
                    backend.selector = BTreeMap::from([("app".to_owned(), service.to_owned())]);
                    if different.contains(&backend.cluster.as_str()) {
                        make_different(backend);
                    }
                }
                let doubled = backends.iter_mut().filter(|backend| several.contains(&backend.cluster.as_str()));
                let seconds: Vec<Backend> = doubled.map(add_second).collect();
                backends.extend(seconds);
                deploy(&mut backends, &subsets, seed);
                let serving: BTreeSet<&ClusterName> = backends.iter().map(|backend| &backend.cluster).collect();
                let client_only = clients.iter().filter(|client| !serving.contains(client));
                let client_namespace =
                    if moved { client_only.map(|client| (client.clone(), name("frontend"))).collect() } else { BTreeMap::new() };
                let mut intent = VirtualDestination {
                    mesh: VirtualMesh {
                        name: name("prod"),
                        hostname_suffix: name("mesh.internal"),
                        clusters,
                        accepted_trust_domains: BTreeMap::new(),
                    },
                    namespace: name("bookinfo"),
                    name: name("reviews"),
                    hostname: name(hostname),
                    ports: ports(number, port_name, moved || !different.is_empty(), &more),
                    backends,
                    subsets,
                    clients,
                    client_namespace,
                    failover,
                    outlier_detection: OutlierDetection::default(),
                    retries: Retries::default(),
                    timeout: Some(Leaf::Known(Duration::from_secs(10))),
                    connect_timeout: Leaf::Known(Duration::from_secs(1)),
                    tcp_keepalive: None,
                    load_balancer: Leaf::Known(LoadBalancer::default()),
                    export_to: vec![Leaf::Known("shop".to_owned()), Leaf::Known("bookinfo".to_owned())],
                    overlays: Vec::new(),
                    ignored: BTreeMap::new(),
                };
                fit(&mut intent);
                intent
            },
        )
        .prop_filter("a destination that is refused has no objects", |intent| !translate(intent).objects.is_empty())
}

/// The same with all pods of a cluster alike.
pub(crate) fn whole(mut destination: VirtualDestination) -> VirtualDestination {
    destination.subsets.clear();
    destination.backends.iter_mut().for_each(|backend| backend.subsets = None);
    destination
}

/// A mesh that exports what serves a destination, translates without an error, and may name a mode of mutual TLS.
pub(crate) fn managed_mesh() -> impl Strategy<Value = ManagedMesh> {
    let mutual_tls = prop::option::of(prop::sample::select(&MutualTls::ALL[..]));
    (exporting_mesh(), mutual_tls).prop_map(|(mesh, mutual_tls)| ManagedMesh { mutual_tls, ..mesh })
}

/// A mesh that exports what serves a destination, and translates without an error.
pub(crate) fn exporting_mesh() -> impl Strategy<Value = ManagedMesh> {
    (destination(), prop::bool::ANY, prop::bool::ANY).prop_map(|(destination, moved, overruled)| {
        let VirtualDestination { mesh, backends, .. } = whole(destination);
        let suffix = HostnameSuffix::global();
        let export = |backend: Backend| {
            let Backend { service, namespace, cluster, .. } = &backend;
            let hostname = federated_hostname(service, namespace, cluster, &suffix).expect("it is short");
            Export { hostname, backend }
        };
        let client_namespace = if moved { BTreeMap::from([(name("north"), name("frontend"))]) } else { BTreeMap::new() };
        let exports = backends.into_iter().map(export).collect();
        let ignored = overruled.then(|| (Code::DnsCaptureOff, "CoreDNS answers".to_owned())).into_iter().collect();
        let federation = Some(Federation { exports, client_namespace, tcp_keepalive: None, ignored });
        ManagedMesh { mesh, federation, mutual_tls: None }
    })
}

/// The claim of everything here.
pub(crate) fn claim() -> Claim {
    name("demo/properties//gloo_virtual_destination/bookinfo/reviews")
}

/// What a translation seals to.
pub(crate) fn sealed(translation: &Translation) -> BTreeMap<ClusterName, Vec<Sealed>> {
    let seal = |object: &std::sync::Arc<istio_objects::Object>| object.seal(&claim(), &BTreeMap::new());
    translation.objects.iter().map(|(cluster, objects)| (cluster.clone(), objects.iter().map(seal).collect())).collect()
}

/// The manifests of a destination whose every leaf is known.
pub(crate) fn manifests(intent: &VirtualDestination) -> BTreeMap<ClusterName, Vec<Manifest>> {
    manifests_of(&translate(intent))
}

/// The manifests of a translation whose every leaf is known.
pub(crate) fn manifests_of(translation: &Translation) -> BTreeMap<ClusterName, Vec<Manifest>> {
    let known = |sealed: &Sealed| sealed.manifest().expect("every leaf is known").clone();
    sealed(translation).iter().map(|(cluster, objects)| (cluster.clone(), objects.iter().map(known).collect())).collect()
}
