//! Properties over random values.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mesh_model::decode::{self, Outcome};
use mesh_model::facts::{Backend, BackendPort, ClusterFacts, GatewayAddress, GatewayFacts};
use mesh_model::names::{Hostname, IstioMinor, Namespace, ObjectName, PortNumber};
use mesh_model::{AttributePath, Input, Leaf, NoJson, encode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::example::{check_outcome, destination, facts};

/// Names of attributes and texts that mean something, so that random values get far.
const WORDS: &[&str] = &[
    "virtual_mesh",
    "namespace",
    "name",
    "hostname",
    "ports",
    "backends",
    "clients",
    "client_namespace",
    "failover",
    "retries",
    "outlier_detection",
    "timeout",
    "connect_timeout",
    "export_to",
    "overlays",
    "clusters",
    "hostname_suffix",
    "istio_version",
    "trust_domain",
    "gateways",
    "addresses",
    "port",
    "selector",
    "order",
    "locality",
    "only",
    "per_client",
    "spread",
    "from",
    "to",
    "attempts",
    "number",
    "protocol",
    "service_port",
    "service_port_name",
    "accepted_trust_domains",
    "cluster",
    "service",
    "canonical_name",
    "service_accounts",
    "target_port",
    "region",
    "east",
    "west",
    "http",
    "1.28",
    "2s",
    "203.0.113.1",
    "a.b",
    "*",
    "",
    "us-east-1",
    "\u{202e}",
    "\u{0}",
];

fn any_input() -> impl Strategy<Value = Input> {
    let word = prop_oneof![3 => proptest::sample::select(WORDS).prop_map(str::to_owned), 1 => ".{0,12}"];
    let leaf = prop_oneof![
        Just(Input::Null),
        Just(Input::Unknown),
        any::<bool>().prop_map(Input::Bool),
        prop_oneof![Just("80".to_owned()), "-?[0-9]{1,25}(\\.[0-9]{1,3})?(e-?[0-9]{1,12})?", ".{0,6}"].prop_map(Input::Number),
        word.clone().prop_map(Input::String),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Input::List),
            proptest::collection::btree_map(word.clone(), inner, 0..8).prop_map(Input::Map),
        ]
    })
}

/// Puts values at random places of a valid destination.
fn replace(input: &mut Input, mut place: usize, value: &Input) {
    let mut here = input;
    loop {
        let count = match &*here {
            Input::List(items) => items.len(),
            Input::Map(members) => members.len(),
            _ => 0,
        };
        let stop = count == 0 || place.is_multiple_of(7);
        if stop {
            *here = value.clone();
            return;
        }
        let chosen = place % count;
        place = place / count + place % 3;
        here = match here {
            Input::List(items) => &mut items[chosen],
            Input::Map(members) => members.values_mut().nth(chosen).expect("fewer than its length"),
            _ => unreachable!("it has elements"),
        };
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn decoding_is_total(input in any_input()) {
        check_outcome(&decode::virtual_destination(&input));
        check_outcome(&decode::virtual_mesh(&input));
        check_outcome(&decode::cluster_facts(&input, AttributePath::of("facts")));
        check_outcome(&decode::backend(&input, AttributePath::of("backend")));
    }

    #[test]
    fn decoding_is_total_near_valid_destinations(changes in proptest::collection::vec((any::<u32>(), any_input()), 1..4)) {
        let mut input = Input::from_json(&destination());
        for (place, value) in &changes {
            replace(&mut input, *place as usize, value);
        }
        let decoded = decode::virtual_destination(&input);
        check_outcome(&decoded);
        prop_assert_eq!(decode::virtual_destination(&input), decoded, "deterministic");
    }

    #[test]
    fn json_and_back(input in any_input()) {
        let shown = format!("{input:?}");
        match input.to_json() {
            Ok(value) => {
                let text = value.to_string();
                let read: Value = serde_json::from_str(&text).expect("what was printed can be read");
                prop_assert_eq!(Input::from_json(&read), normal(&input));
            }
            Err(NoJson::Unknown(_)) => prop_assert!(shown.contains("Unknown")),
            Err(NoJson::Number(_)) => prop_assert!(shown.contains("Number(")),
        }
    }

    #[test]
    fn facts_and_back(facts in any_facts()) {
        let encoded = encode::cluster_facts(&facts);
        let decoded = decode::cluster_facts(&encoded, AttributePath::of("facts"));
        prop_assert_eq!(decoded.findings, []);
        prop_assert_eq!(decoded.outcome, Outcome::Intent(facts));
    }

    #[test]
    fn backends_and_back(backend in any_backend()) {
        let decoded = decode::backend(&encode::backend(&backend), AttributePath::of("backends"));
        prop_assert_eq!(decoded.findings, []);
        prop_assert_eq!(decoded.outcome, Outcome::Intent(backend));
    }

    #[test]
    fn hostnames_obey_their_rule(text in "([a-c1-]{0,3}|[a-c]{60,66}|[a-c]{63})(\\.([a-c1-]{0,3}|[a-c]{60,66}|[a-c]{63})){0,5}") {
        let parts: Vec<&str> = text.split('.').collect();
        let is_label = |part: &&str| !part.is_empty() && part.len() <= 63 && !part.starts_with('-') && !part.ends_with('-');
        let last_is_number = parts.last().is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()));
        let wanted = text.len() <= 253 && parts.len() >= 2 && parts.iter().all(is_label) && !last_is_number;
        prop_assert_eq!(text.parse::<Hostname>().is_ok(), wanted, "{}", text);
        let is_part = |part: &&str| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-');
        prop_assert_eq!(text.parse::<ObjectName>().is_ok(), text.len() <= 253 && parts.iter().all(is_part), "{}", text);
    }

    #[test]
    fn labels_obey_their_rule(text in "[a-c1A_.-]{0,4}|[a-c]{62,65}|-?[a-c]{61,63}-?") {
        let wanted = (1..=63).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        prop_assert_eq!(text.parse::<Namespace>().is_ok(), wanted, "{}", text);
        let cluster = text.parse::<mesh_model::names::ClusterName>();
        prop_assert_eq!(cluster.is_ok(), wanted && !text.starts_with('1'), "{}", text);
    }
}

/// Numbers in JSON's own notation: what the parser keeps.
fn normal(input: &Input) -> Input {
    match input {
        Input::Number(text) => Input::Number(text.parse::<serde_json::Number>().expect("it was written").to_string()),
        Input::List(items) => Input::List(items.iter().map(normal).collect()),
        Input::Map(members) => Input::Map(members.iter().map(|(name, member)| (name.clone(), normal(member))).collect()),
        other => other.clone(),
    }
}

fn name<N: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>(pattern: &'static str) -> impl Strategy<Value = N> {
    pattern.prop_map(|text: String| text.parse().expect("the pattern is narrower than the rule"))
}

fn any_port() -> impl Strategy<Value = PortNumber> {
    prop_oneof![1 => Just(PortNumber::EAST_WEST), 3 => (1_i64..=65_535).prop_map(|number| PortNumber::new(number).expect("a port"))]
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (1_u8..=168, any::<u16>(), any::<u8>()).prop_map(|(a, b, c)| IpAddr::V4(Ipv4Addr::new(a, (b >> 8) as u8, b as u8, c))),
        (0x2000_u16..0x3fff, any::<[u16; 3]>()).prop_map(|(a, b)| IpAddr::V6(Ipv6Addr::new(a, b[0], 0, 0, 0, 0, b[1], b[2]))),
    ]
}

fn any_labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    prop_oneof![
        1 => Just(GatewayFacts::default_selector()),
        3 => proptest::collection::btree_map("([a-z]{1,5}\\.[a-z]{1,5}/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,8}[a-z])?", "([A-Z0-9][a-z0-9_.-]{0,8}[a-z])?", 1..4),
    ]
}

prop_compose! {
    fn any_gateway(root: Namespace)(
        namespace in prop_oneof![Just(root), name("[a-z][a-z0-9]{0,9}")],
        selector in any_labels(),
        // different first bytes: addresses of one cluster differ
        addresses in proptest::collection::btree_set(any_address(), 1..4),
        hostname in proptest::option::of(name::<Hostname>("[a-z]{1,8}\\.[a-z]{1,8}")),
        port in any_port(),
        exposed_hosts in proptest::collection::vec("(\\*\\.)?[a-z]{1,5}\\.[a-z]{1,5}", 0..3),
    ) -> GatewayFacts {
        let address = match hostname {
            Some(hostname) => GatewayAddress::Hostname(Leaf::Known(hostname)),
            None => GatewayAddress::Addresses(addresses.into_iter().map(Leaf::Known).collect()),
        };
        GatewayFacts { namespace, selector, address, port: Leaf::Known(port), exposed_hosts }
    }
}

fn any_facts() -> impl Strategy<Value = ClusterFacts> {
    prop_oneof![Just(Namespace::istio_system()), name("[a-z][a-z0-9]{0,9}")].prop_flat_map(|root_namespace| {
        (
            (0_u16..3, any::<u8>()).prop_map(|(major, minor)| IstioMinor { major, minor: minor.into() }),
            prop_oneof![Just(mesh_model::names::Revision::default()), name("[a-z0-9]{1,5}(-[0-9]{1,3})?")],
            name("[a-z0-9._-]{1,20}"),
            prop_oneof![Just(mesh_model::names::ClusterDomain::default()), name("[a-z]{1,8}(\\.[a-z]{1,8})?")],
            proptest::option::of(name("[A-Za-z0-9]([a-z0-9_.-]{0,9}[a-z])?").prop_map(Leaf::Known)),
            proptest::option::of(name("[a-z]([a-z0-9-]{0,9}[0-9])?").prop_map(Leaf::Known)),
            proptest::option::of(any::<bool>().prop_map(Leaf::Known)),
            proptest::option::of(any_gateway(root_namespace.clone())),
        )
            .prop_map(
                move |(istio_version, revision, trust_domain, cluster_domain, network, region, dns_capture, gateway)| {
                    ClusterFacts {
                        istio_version,
                        revision,
                        trust_domain,
                        cluster_domain,
                        root_namespace: root_namespace.clone(),
                        network,
                        region,
                        dns_capture,
                        gateways: gateway.into_iter().collect(),
                    }
                },
            )
    })
}

prop_compose! {
    fn any_backend()(
        cluster in name("[a-z][a-z0-9]{0,9}"),
        namespace in name("[a-z][a-z0-9]{0,9}"),
        service in name("[a-z][a-z0-9]{0,9}"),
        ports in proptest::collection::btree_map(any_port(), (any::<bool>(), any_port(), proptest::option::of("[a-z]{1,6}")), 1..5),
        selector in any_labels(),
        canonical_name in name("[A-Za-z0-9]([a-z0-9_.-]{0,9}[a-z])?").prop_map(Leaf::Known),
        service_accounts in proptest::collection::btree_set("[a-z]{1,6}(\\.[a-z]{1,6})?", 1..4),
    ) -> Backend {
        let ports = ports.into_iter().map(|(number, (named, target_port, protocol))| BackendPort {
            number,
            name: named.then(|| format!("p-{number}")),
            target_port,
            protocol,
        });
        let account = |text: String| Leaf::Known(text.parse().expect("a service account"));
        Backend {
            cluster, namespace, service, ports: ports.collect(), selector, canonical_name,
            service_accounts: service_accounts.into_iter().map(account).collect(),
            subsets: None,
        }
    }
}

#[test]
fn unknown_leaves_stay_unknown() {
    let path = AttributePath::of("facts");
    let mut input = Input::from_json(&facts("us-east-1", "203.0.113.1"));
    let Input::Map(members) = &mut input else { panic!("an object") };
    members.insert("region".to_owned(), Input::Unknown);
    members.insert("dns_capture".to_owned(), Input::Unknown);
    let Outcome::Intent(facts) = decode::cluster_facts(&input, path.clone()).outcome else { panic!("leaves") };
    let encoded = encode::cluster_facts(&facts);
    let Input::Map(members) = &encoded else { panic!("an object") };
    assert_eq!((&members["region"], &members["dns_capture"]), (&Input::Unknown, &Input::Unknown));
    assert_eq!(decode::cluster_facts(&encoded, path).outcome, Outcome::Intent(facts));
    assert_eq!(encoded.to_json(), Err(NoJson::Unknown(AttributePath::of("dns_capture"))));
}

/// Facts travel in every destination: they stay small. Attribute names and nulls take 256 bytes of it.
#[test]
fn the_facts_of_a_usual_cluster_take_300_bytes() {
    let written = json!({
        "istio_version": "1.28", "trust_domain": "cluster.local", "network": "east", "region": "us-east-1", "dns_capture": true,
        "gateways": [{ "addresses": ["203.0.113.10"] }],
    });
    let Outcome::Intent(facts) = decode::cluster_facts(&Input::from_json(&written), AttributePath::default()).outcome else {
        panic!("valid facts")
    };
    let text = encode::cluster_facts(&facts).to_json().expect("nothing is unknown").to_string();
    assert!(text.len() <= 300, "{}: {text}", text.len());
}

#[test]
fn numbers_keep_their_digits() {
    for text in ["0.1000000000000000055511151231257827", "123456789012345678901234567890", "9080", "-0.5"] {
        let value: Value = serde_json::from_str(text).expect("a number");
        assert_eq!(Input::from_json(&value), Input::Number(text.to_owned()));
        assert_eq!(Input::Number(text.to_owned()).to_json().expect("a number").to_string(), text);
    }
    assert_eq!(Input::Number("x".to_owned()).to_json(), Err(NoJson::Number(AttributePath::default())));
}

#[test]
fn a_mesh_and_back() {
    let mut written = crate::example::mesh();
    written["hostname_suffix"] = Value::Null;
    for cluster in ["east", "north", "west"] {
        written["clusters"][cluster]["cluster_domain"] = Value::Null;
    }
    let Outcome::Intent(mesh) = decode::virtual_mesh(&Input::from_json(&written)).outcome else { panic!("a mesh") };
    let encoded = encode::virtual_mesh(&mesh.mesh);
    assert_eq!(decode::virtual_mesh(&encoded).outcome, Outcome::Intent(mesh));
    assert_eq!(encoded.to_json().expect("nothing is unknown"), written);
}
