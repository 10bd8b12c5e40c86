//! The table of features judged as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mesh_model::Leaf;
use mesh_model::facts::GatewayAddress;
use mesh_model::intent::{LoadBalancer, OutlierDetection, Protocol};

use super::{FEATURES, Slice};
use crate::ir::{
    ConnectionRoute, Destinations, Entry, Exposure, Host, HostPort, LocalPods, Policy, PortPolicy, RankedBy, Ranks,
    RemoteGateway, Route, RouteTable, ServingHost, ServingSubsets, Way,
};

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a valid name")
}

fn port(number: i64) -> mesh_model::names::PortNumber {
    mesh_model::names::PortNumber::new(number).expect("a port")
}

fn everybody() -> Vec<Leaf<String>> {
    vec![Leaf::Known("*".to_owned())]
}

fn version(version: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("version".to_owned(), version.to_owned())])
}

/// A plan of every sort, with everything set.
struct Plans {
    exposure: Exposure,
    serving: ServingHost,
    serving_subsets: ServingSubsets,
    host: Host,
    policy: Policy,
    port_policy: PortPolicy,
    table: RouteTable,
    route: Route,
    connections: ConnectionRoute,
    entry: Entry,
    remote_gateway: RemoteGateway,
}

fn plans() -> Plans {
    let destination = "reviews.mesh.internal".to_owned();
    Plans {
        exposure: Exposure {
            name: name("vd-reviews.mesh.internal"),
            namespace: name("istio-system"),
            selector: BTreeMap::from([("istio".to_owned(), "eastwestgateway".to_owned())]),
            served_host: "reviews.bookinfo.svc.cluster.local".to_owned(),
            destination: destination.clone(),
        },
        serving: ServingHost {
            name: name("vd-gloo-serving.reviews.mesh.internal"),
            namespace: name("bookinfo"),
            hostname: name("gloo-serving.reviews.mesh.internal"),
            destination: destination.clone(),
            ports: Vec::new(),
            selector: BTreeMap::from([("app".to_owned(), "reviews".to_owned())]),
            canonical_name: None,
            gateways: vec![name("istio-system")],
        },
        serving_subsets: ServingSubsets {
            name: name("vd-gloo-serving.reviews.mesh.internal"),
            namespace: name("bookinfo"),
            hostname: name("gloo-serving.reviews.mesh.internal"),
            destination: destination.clone(),
            subsets: vec![(name("v1"), version("v1"))],
            gateways: vec![name("istio-system")],
        },
        host: Host {
            name: name("vd-reviews.mesh.internal"),
            hostname: name("reviews.mesh.internal"),
            destination: destination.clone(),
            ports: vec![HostPort {
                number: port(9080),
                name: name("http-9080"),
                protocol: Protocol::Http,
                target_port: port(9080),
            }],
            local: LocalPods::Serving { canonical_name: Leaf::Known(name("reviews")) },
            identities: Vec::new(),
            export_to: everybody(),
            ignored: BTreeMap::from([(mesh_model::Code::DnsCaptureOff, "DNS is ours".to_owned())]),
        },
        policy: Policy {
            hostname: name("reviews.mesh.internal"),
            export_to: everybody(),
            ports: Vec::new(),
            subsets: Vec::new(),
        },
        port_policy: PortPolicy {
            number: port(9080),
            sni: "outbound_.9080_._.reviews.bookinfo.svc.cluster.local".to_owned(),
            identities: Vec::new(),
            connect_timeout: Leaf::Known(Duration::from_secs(1)),
            tcp_keepalive: None,
            load_balancer: Leaf::Known(LoadBalancer::default()),
            ranks: Ranks::Labels { highest: 2 },
            outlier_detection: OutlierDetection::default(),
        },
        table: RouteTable {
            hostname: name("reviews.mesh.internal"),
            export_to: everybody(),
            routes: Vec::new(),
            connections: None,
        },
        connections: ConnectionRoute {
            ports: vec![port(5432)],
            destinations: Destinations::Subsets(name("reviews.mesh.internal"), vec![(name("v1"), 100)]),
        },
        route: Route {
            name: "safe-methods",
            methods: &["GET"],
            destinations: Destinations::Host(name("reviews.mesh.internal")),
            attempts: Leaf::Known(3),
            per_try_timeout: None,
            retry_unavailable: Leaf::Known(true),
            retry_on_reset: Leaf::Known(false),
            timeout: Some(Leaf::Known(Duration::from_secs(1))),
        },
        remote_gateway: RemoteGateway {
            name: name("vd-reviews.mesh.internal.west"),
            network: name("net-west"),
            address: GatewayAddress::Hostname(Leaf::Known(name("west.example.com"))),
            port: Leaf::Known(port(15443)),
            destination: destination.clone(),
        },
        entry: Entry {
            name: name("vd-reviews.mesh.internal.west"),
            cluster: name("west"),
            destination,
            subset: version("v1"),
            way: Way::Address {
                address: Leaf::Known("203.0.113.20".parse().expect("an address")),
                port: Leaf::Known(port(15443)),
            },
            port_names: vec![name("http-9080")],
            rank: Leaf::Known(1),
            ranked_by: RankedBy::Label { region: Some(Leaf::Known(name("us-west-2"))) },
            canonical_name: Some(Leaf::Known(name("reviews"))),
            service_account: Some(Leaf::Known(name("reviews"))),
        },
    }
}

/// Kind, declared fields, and fields given to a full plan.
fn written(slice: &Slice, plans: &Plans) -> (&'static str, &'static [&'static str], Vec<&'static str>) {
    match slice {
        Slice::Gateway(give, fields) => ("Gateway", fields, give(&plans.exposure).given()),
        Slice::ServingEntry(give, fields) => ("ServingEntry", fields, give(&plans.serving).given()),
        Slice::ServingRule(give, fields) => ("ServingRule", fields, give(&plans.serving_subsets).given()),
        Slice::DestinationRule(give, fields) => ("DestinationRule", fields, give(&plans.policy).given()),
        Slice::TrafficPolicy(give, fields) => ("TrafficPolicy", fields, give(&plans.port_policy).given()),
        Slice::VirtualService(give, fields) => ("VirtualService", fields, give(&plans.table).given()),
        Slice::HttpRoute(give, fields) => ("HttpRoute", fields, give(&plans.route).given()),
        Slice::TcpRoute(give, fields) => ("TcpRoute", fields, give(&plans.connections).given()),
        // by an address, and by a network
        Slice::WorkloadEntry(give, fields) => {
            let by_network = Entry { way: Way::Network(name("net-west")), ..plans.entry.clone() };
            ("WorkloadEntry", fields, [give(&plans.entry).given(), give(&by_network).given()].concat())
        }
        Slice::RemoteGateway(give, fields) => ("RemoteGateway", fields, give(&plans.remote_gateway).given()),
        Slice::ServiceEntry(give, fields) => ("ServiceEntry", fields, give(&plans.host).given()),
    }
}

#[test]
fn features_write_what_they_declare() {
    let plans = plans();
    for feature in FEATURES {
        assert!(!feature.slices.is_empty(), "{} gives nothing", feature.name);
        for slice in feature.slices {
            let (kind, declared, given) = written(slice, &plans);
            let [declared, given] = [declared.to_vec(), given].map(|fields| fields.into_iter().collect::<BTreeSet<_>>());
            assert_eq!(declared, given, "{} of a {kind}", feature.name);
        }
    }
}

#[test]
fn write_sets_are_disjoint() {
    let plans = plans();
    let mut writers = BTreeMap::new();
    for feature in FEATURES {
        for slice in feature.slices {
            let (kind, declared, _) = written(slice, &plans);
            for field in declared {
                let other = writers.insert((kind, *field), feature.name);
                assert_eq!(other, None, "{field} of a {kind} has a second writer: {}", feature.name);
            }
        }
    }
}

#[test]
fn names_are_sorted_and_unique() {
    let names: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
}
