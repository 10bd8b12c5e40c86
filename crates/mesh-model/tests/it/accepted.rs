//! What is accepted, and what it means.

use std::time::Duration;

use mesh_model::Leaf;
use mesh_model::decode::Outcome;
use mesh_model::facts::GatewayAddress;
use mesh_model::intent::{Ranking, ServicePort, VirtualDestination};
use mesh_model::names::PortNumber;
use serde_json::{Value, json};

use crate::example::{decode, destination, small_destination, verdicts, with};

fn intent(document: &Value) -> VirtualDestination {
    let decoded = decode(document);
    assert_eq!(verdicts(&decoded), [], "{:#?}", decoded.findings);
    match decoded.outcome {
        Outcome::Intent(intent) => intent,
        other => panic!("{other:?}"),
    }
}

fn numbered(number: i64) -> ServicePort {
    ServicePort::Number(PortNumber::new(number).expect("a port"))
}

#[test]
fn every_attribute_arrives() {
    let intent = intent(&destination());
    assert_eq!(intent.hostname.as_str(), "reviews.mesh.example");
    let ports: Vec<_> = intent.ports.iter().map(|port| (port.number.get(), port.name.as_str(), &port.service_port)).collect();
    let by_name = ServicePort::Name("grpc".parse().expect("a port name"));
    assert_eq!(ports, [(80, "web", &numbered(9080)), (81, "http-81", &numbered(81)), (82, "http-82", &by_name)]);
    assert_eq!(intent.backends.len(), 2);
    assert_eq!(intent.backends[0].ports[0].target_port.get(), 9081);
    assert_eq!(intent.backends[0].ports[0].name.as_deref(), Some("http"));
    assert_eq!(intent.backends[0].service_accounts.len(), 2);
    let clients: Vec<_> = intent.clients.iter().map(|name| name.as_str()).collect();
    assert_eq!(clients, ["east", "north", "west"]);
    assert_eq!(
        intent.client_namespace.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(),
        [("north", "frontend")]
    );
    let Ranking::Order(order) = &intent.failover.ranking else { panic!("{:?}", intent.failover) };
    assert_eq!(order.iter().map(|name| name.as_str()).collect::<Vec<_>>(), ["west", "east"]);
    assert!(intent.failover.only);
    assert_eq!(intent.failover.per_client.len(), 1);
    let west = "west".parse().expect("a cluster name");
    assert_eq!(
        intent.failover.spread[&west].iter().map(|(name, share)| (name.as_str(), share)).collect::<Vec<_>>(),
        [("east", 20), ("west", 80)]
    );
    assert_eq!(intent.outlier_detection.consecutive_local_origin_failures, Leaf::Known(3));
    assert_eq!(intent.outlier_detection.consecutive_gateway_errors, Leaf::Known(0));
    assert_eq!(intent.outlier_detection.interval, Leaf::Known(Duration::from_secs(1)));
    assert_eq!(intent.outlier_detection.base_ejection_time, Leaf::Known(Duration::from_secs(90)));
    assert_eq!(intent.outlier_detection.max_ejection_percent, Leaf::Known(50));
    assert_eq!(intent.retries.attempts, Leaf::Known(2));
    assert_eq!(intent.retries.per_try_timeout, Some(Leaf::Known(Duration::from_millis(500))));
    assert_eq!(intent.retries.retry_unavailable, Leaf::Known(true));
    assert_eq!(intent.retries.retry_on_reset, Leaf::Known(true));
    assert_eq!(intent.timeout, Some(Leaf::Known(Duration::from_secs(2))));
    assert_eq!(intent.connect_timeout, Leaf::Known(Duration::from_millis(250)));
    assert_eq!(intent.export_to, [Leaf::Known("bookinfo".to_owned()), Leaf::Known("frontend".to_owned())]);

    let east = intent.mesh.clusters.values().next().expect("three members");
    assert_eq!(east.istio_version.to_string(), "1.28");
    assert_eq!(east.trust_domain.as_str(), "prod.mesh");
    let accepted: Vec<_> =
        intent.mesh.accepted_trust_domains.iter().map(|(name, domains)| (name.as_str(), domains.len())).collect();
    assert_eq!(accepted, [("east", 1)]);
    assert_eq!(east.revision.as_str(), "1-28");
    assert_eq!(east.root_namespace.as_str(), "istio-config");
    assert_eq!(east.dns_capture, Some(Leaf::Known(true)));
    assert_eq!(east.gateways[0].port.known().map(|port| port.get()), Some(15444));
    assert_eq!(east.gateways[0].namespace.as_str(), "istio-ingress");
    assert_eq!(east.gateways[0].selector["example.com/role"], "");
    assert_eq!(east.gateways[0].exposed_hosts, ["*.local", "bookinfo/*"]);
    assert_eq!(east.gateways[1].port.known().map(|port| port.get()), Some(15443));
    assert_eq!(east.gateways[1].namespace.as_str(), "istio-config", "the root namespace of its cluster");
    assert!(
        matches!(&east.gateways[1].address, GatewayAddress::Hostname(Leaf::Known(name)) if name.as_str() == "gw.example.com")
    );
}

#[test]
fn defaults_are_those_of_the_docs() {
    let intent = intent(&small_destination());
    assert_eq!(intent.hostname.as_str(), "reviews.bookinfo.mesh.internal");
    assert_eq!(intent.ports[0].name.as_str(), "http-9080");
    assert_eq!(intent.ports[0].service_port, numbered(9080));
    assert_eq!(intent.clients.len(), 1);
    assert!(intent.client_namespace.is_empty());
    assert_eq!(intent.failover, mesh_model::intent::Failover::default());
    assert_eq!(intent.outlier_detection.consecutive_local_origin_failures, Leaf::Known(5));
    assert_eq!(intent.outlier_detection.consecutive_gateway_errors, Leaf::Known(5));
    assert_eq!(intent.outlier_detection.interval, Leaf::Known(Duration::from_secs(5)));
    assert_eq!(intent.outlier_detection.base_ejection_time, Leaf::Known(Duration::from_secs(30)));
    assert_eq!(intent.outlier_detection.max_ejection_percent, Leaf::Known(100));
    assert_eq!(intent.retries.attempts, Leaf::Known(3));
    assert_eq!(intent.retries.retry_unavailable, Leaf::Known(false));
    assert_eq!(intent.timeout, None);
    assert_eq!(intent.connect_timeout, Leaf::Known(Duration::from_secs(1)));
    assert_eq!(intent.export_to, [Leaf::Known("*".to_owned())]);
    let east = intent.mesh.clusters.values().next().expect("one member");
    assert_eq!((east.revision.as_str(), east.cluster_domain.as_str()), ("default", "cluster.local"));
    assert_eq!(east.root_namespace.as_str(), "istio-system");
    assert_eq!((&east.network, &east.region, &east.dns_capture), (&None, &None, &None));
    assert!(east.gateways.is_empty());
}

#[test]
fn null_means_the_default_everywhere() {
    let mut document = small_destination();
    for name in [
        "hostname",
        "clients",
        "client_namespace",
        "failover",
        "outlier_detection",
        "retries",
        "timeout",
        "connect_timeout",
        "export_to",
        "overlays",
    ] {
        document = with(document, &format!("/{name}"), Value::Null);
    }
    assert_eq!(intent(&document), intent(&small_destination()));
}

#[test]
fn locality_rules_keep_their_order() {
    let rules = json!([{ "from": "us-east-1", "to": "us-west-2" }, { "from": "us-east-1", "to": "eu-north-1" }]);
    let intent = intent(&with(destination(), "/failover", json!({ "locality": rules })));
    let Ranking::Locality(rules) = &intent.failover.ranking else { panic!("{:?}", intent.failover) };
    assert_eq!(rules.iter().map(|rule| rule.to.as_str()).collect::<Vec<_>>(), ["us-west-2", "eu-north-1"]);
}

#[test]
fn addresses_of_every_kind() {
    for address in ["127.2.15.1", "10.0.0.1", "203.0.113.9", "::1", "2001:db8::9", "fd00::1"] {
        intent(&with(destination(), "/virtual_mesh/clusters/east/gateways/0/addresses/0", json!(address)));
    }
}
