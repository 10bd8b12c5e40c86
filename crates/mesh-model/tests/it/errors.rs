//! What is refused or warned about: one change to a destination without findings, and the findings that it causes.

use mesh_model::decode::{MAX_CLUSTERS, Outcome, virtual_mesh};
use mesh_model::{Code, Input, Severity};
use serde_json::{Value, json};

use crate::example::{backend, decode, destination, facts, mesh, verdicts, with};

const EAST: &str = "virtual_mesh.clusters[\"east\"]";
const GATEWAY: &str = "/virtual_mesh/clusters/east/gateways/0";

fn expect(pointer: &str, value: Value, wanted: &[(Code, &str)]) {
    let decoded = decode(&with(destination(), pointer, value.clone()));
    let wanted: Vec<(Code, String)> = wanted.iter().map(|(code, path)| (*code, (*path).to_owned())).collect();
    let shown = value.to_string();
    let shown = shown.get(..200).unwrap_or(&shown);
    assert_eq!(verdicts(&decoded), wanted, "{pointer} = {shown}\n{:#?}", decoded.findings);
    let has_error = wanted.iter().any(|(code, _)| code.severity() == Severity::Error);
    assert_eq!(matches!(decoded.outcome, Outcome::Invalid), has_error, "{pointer}");
}

fn refused(pointer: &str, values: impl IntoIterator<Item = Value>, code: Code, path: &str) {
    for value in values {
        expect(pointer, value, &[(code, path)]);
    }
}

fn accepted(pointer: &str, values: impl IntoIterator<Item = Value>) {
    for value in values {
        expect(pointer, value, &[]);
    }
}

#[test]
fn missing_argument() {
    for name in ["virtual_mesh", "namespace", "name", "ports", "backends"] {
        refused(&format!("/{name}"), [Value::Null], Code::MissingArgument, name);
    }
    for name in ["cluster", "namespace", "service", "ports", "selector", "canonical_name", "service_accounts"] {
        refused(&format!("/backends/0/{name}"), [Value::Null], Code::MissingArgument, &format!("backends[0].{name}"));
    }
    for name in ["istio_version", "trust_domain"] {
        let pointer = format!("/virtual_mesh/clusters/east/{name}");
        refused(&pointer, [Value::Null], Code::MissingArgument, &format!("{EAST}.{name}"));
    }
    for name in ["name", "clusters"] {
        refused(&format!("/virtual_mesh/{name}"), [Value::Null], Code::MissingArgument, &format!("virtual_mesh.{name}"));
    }
    for name in ["number", "target_port"] {
        let path = format!("backends[0].ports[0].{name}");
        refused(&format!("/backends/0/ports/0/{name}"), [Value::Null], Code::MissingArgument, &path);
    }
    refused("/ports/0/number", [Value::Null], Code::MissingArgument, "ports[0].number");
    for name in ["kind", "merge_patch"] {
        refused(&format!("/overlays/0/{name}"), [Value::Null], Code::MissingArgument, &format!("overlays[0].{name}"));
    }
    refused("/clients/0", [Value::Null], Code::MissingArgument, "clients[0]");
    refused("/virtual_mesh/clusters/east", [Value::Null], Code::MissingArgument, EAST);
    refused(&format!("{GATEWAY}/addresses"), [Value::Null], Code::MissingArgument, &format!("{EAST}.gateways[0]"));
    refused("/failover", [json!({ "only": true })], Code::MissingArgument, "failover.only");
    accepted("/failover", [json!({ "only": false }), json!({ "only": true, "per_client": { "east": [] } })]);
    refused("/failover", [json!({ "locality": [{ "from": "us-east-1" }] })], Code::MissingArgument, "failover.locality[0].to");
}

#[test]
fn names_and_texts() {
    let long = "a".repeat(64);
    for name in ["", "Reviews", "-a", "a-", "a.b", "a_b", "a b", "ä", "a\u{0}", "a\n", "a\u{202e}b", &long, &"x".repeat(1 << 20)]
    {
        refused("/name", [json!(name)], Code::InvalidValue, "name");
        refused(
            "/backends/0/service",
            [json!(name)].into_iter().filter(|_| name != "a.b"),
            Code::InvalidValue,
            "backends[0].service",
        );
        refused("/ports/0/name", [json!(name)], Code::InvalidValue, "ports[0].name");
    }
    for hostname in
        ["reviews", "*.mesh.internal", "a..b", ".a.b", "a.b.", "10.0.0.1", "a.1", "A.b", "a.b:80", &format!("{long}.b")]
    {
        refused("/hostname", [json!(hostname)], Code::InvalidValue, "hostname");
    }
    // by such a name gateways may know what serves another destination
    refused("/hostname", [json!("gloo-serving.reviews.mesh.internal")], Code::InvalidValue, "hostname");
    accepted("/hostname", [json!("gloo-serving-reviews.mesh.internal")]);
    let path = "virtual_mesh.accepted_trust_domains[\"east\"][0]";
    refused("/virtual_mesh/accepted_trust_domains/east/0", [json!("")], Code::InvalidValue, path);
    for version in ["", "1", "1.28.3", "v1.28", "1.x", "1.28 ", "99999.1"] {
        let path = format!("{EAST}.istio_version");
        refused("/virtual_mesh/clusters/east/istio_version", [json!(version)], Code::InvalidValue, &path);
    }
    for duration in ["", "5", "0s", "-1s", "1.5ms", "25h", "one second", "1s\u{1b}[31m"] {
        refused("/timeout", [json!(duration)], Code::InvalidValue, "timeout");
        refused("/outlier_detection/interval", [json!(duration)], Code::InvalidValue, "outlier_detection.interval");
    }
    for address in ["", "gw.example.com", "10.0.0.256", "10.0.0.1:15443", "010.0.0.1", "fe80::1%eth0", "10.0.0.0/8"] {
        let path = format!("{EAST}.gateways[0].addresses[0]");
        refused(&format!("{GATEWAY}/addresses/0"), [json!(address)], Code::InvalidValue, &path);
    }
    for host in ["", "*.", "a.*.b", "*a.b", "a/b/c", "A.b", "a b", "B/*"] {
        let path = format!("{EAST}.gateways[0].exposed_hosts[0]");
        refused(&format!("{GATEWAY}/exposed_hosts/0"), [json!(host)], Code::InvalidValue, &path);
    }
    accepted(&format!("{GATEWAY}/exposed_hosts/0"), ["*", "*.local", "a.b", "./a.b", "~/*", "*/*.a"].map(|host| json!(host)));
    refused("/backends/0/selector/app", [json!("a b"), json!("-a")], Code::InvalidValue, "backends[0].selector[\"app\"]");
    refused("/backends/0/selector/a b", [json!("x")], Code::InvalidValue, "backends[0].selector[\"a b\"]");
    refused("/backends/0/selector/a~1b~1c", [json!("x")], Code::InvalidValue, "backends[0].selector[\"a/b/c\"]");
    refused("/backends/0/ports/0/protocol", [json!("HTTP"), json!("")], Code::InvalidValue, "backends[0].ports[0].protocol");
    refused("/export_to/0", ["", "~", "Bookinfo", "a/b"].map(|name| json!(name)), Code::InvalidValue, "export_to[0]");
    refused("/ports/0/protocol", [json!("HTTP"), json!("")], Code::InvalidValue, "ports[0].protocol");
    refused("/ports/0/number", [json!(80.5)], Code::InvalidValue, "ports[0].number");
    let patches = ["", "{", "[]", "1", "null", "{} {}"].map(|text| json!(text));
    refused("/overlays/0/merge_patch", patches, Code::InvalidValue, "overlays[0].merge_patch");
    accepted("/overlays/0/merge_patch", [json!("{}"), json!("{\"spec\": {\"a\": [1.50, null]}}")]);
    refused("/overlays/0/cluster", [json!("Mars")], Code::InvalidValue, "overlays[0].cluster");
    refused(
        "/virtual_mesh/clusters/1st",
        [facts("us-east-1", "203.0.113.9")],
        Code::InvalidValue,
        "virtual_mesh.clusters[\"1st\"]",
    );
    refused("/client_namespace/north", [json!("A")], Code::InvalidValue, "client_namespace[\"north\"]");
}

#[test]
fn a_default_hostname_that_is_too_long() {
    let part = "a".repeat(63);
    let suffix = format!("{part}.{part}.{}", &part[..61]);
    let document = with(destination(), "/virtual_mesh/hostname_suffix", json!(suffix));
    assert_eq!(verdicts(&decode(&document)), [], "a hostname is given");
    let document = with(document, "/hostname", Value::Null);
    assert_eq!(verdicts(&decode(&document)), [], "7 + 1 + 8 + 1 + 189 characters");
    let decoded = decode(&with(document, "/name", json!(part)));
    assert_eq!(verdicts(&decoded), [(Code::InvalidValue, "hostname".to_owned())], "63 + 1 + 8 + 1 + 189");
    assert!(decoded.findings[0].fix.contains("hostname = \""), "{:#?}", decoded.findings);
}

#[test]
fn empty_object() {
    for (pointer, path) in [
        ("/failover", "failover"),
        ("/retries", "retries"),
        ("/outlier_detection", "outlier_detection"),
        ("/virtual_mesh", "virtual_mesh"),
        ("/ports/0", "ports[0]"),
        ("/backends/1", "backends[1]"),
        ("/backends/0/ports/0", "backends[0].ports[0]"),
        ("/virtual_mesh/clusters/east", EAST),
        (GATEWAY, "virtual_mesh.clusters[\"east\"].gateways[0]"),
    ] {
        refused(pointer, [json!({})], Code::EmptyObject, path);
    }
    let members = json!({ "attempts": null, "per_try_timeout": null, "retry_unavailable": null, "retry_on_reset": null });
    refused("/retries", [members], Code::EmptyObject, "retries");
    refused("/failover", [json!({ "locality": [{}] })], Code::EmptyObject, "failover.locality[0]");
    let decoded = decode(&with(destination(), "/retries", json!({})));
    assert!(decoded.findings[0].fix.contains("attempts, per_try_timeout, retry_unavailable, retry_on_reset"), "{decoded:#?}");
}

#[test]
fn conflicting_arguments() {
    let path = format!("{EAST}.gateways[0].hostname");
    refused(&format!("{GATEWAY}/hostname"), [json!("gw.example.com")], Code::ConflictingArguments, &path);
    let rules = json!([{ "from": "us-east-1", "to": "us-west-2" }]);
    refused("/failover/locality", [rules], Code::ConflictingArguments, "failover.locality");
    let shares = json!({ "west": 50, "north": 50 });
    refused("/failover/spread/east", [shares.clone()], Code::ConflictingArguments, "failover.spread[\"east\"]");
    let limited = |client: &str| {
        let spread = with(destination(), "/failover", json!({ "spread": { client: shares.clone() } }));
        verdicts(&decode(&with(spread, "/max_failover_targets", json!(1))))
    };
    assert_eq!(limited("east"), [(Code::ConflictingArguments, "max_failover_targets".to_owned())]);
    assert_eq!(limited("west"), [], "its own cluster is none of the others");
    refused("/export_to", [json!(["*", "bookinfo"])], Code::ConflictingArguments, "export_to");
    refused("/ports/0/service_port_name", [json!("http")], Code::ConflictingArguments, "ports[0].service_port_name");
}

#[test]
fn duplicates() {
    refused("/backends/1", [backend("east")], Code::Duplicate, "backends[1]");
    accepted(
        "/backends/1",
        [with(backend("east"), "/service", json!("reviews-v2")), with(backend("east"), "/namespace", json!("b"))],
    );
    expect(
        "/ports/1",
        json!({ "number": 80, "name": "web" }),
        &[(Code::Duplicate, "ports[1].number"), (Code::Duplicate, "ports[1].name")],
    );
    refused("/ports/1/name", [json!("web")], Code::Duplicate, "ports[1].name");
    refused("/backends/0/ports/1/number", [json!(9080)], Code::Duplicate, "backends[0].ports[1].number");
    refused("/backends/0/ports/1/name", [json!("http")], Code::Duplicate, "backends[0].ports[1].name");
    accepted("/backends/0/ports/1", [json!({ "number": 9080, "target_port": 53, "protocol": "udp" })]);
    refused("/backends/0/service_accounts/1", [json!("reviews")], Code::Duplicate, "backends[0].service_accounts[1]");
    refused(
        &format!("{GATEWAY}/addresses/0"),
        [json!("2001:DB8:0::1")],
        Code::Duplicate,
        &format!("{EAST}.gateways[0].addresses[1]"),
    );
    let gateway = |port: u16| json!({ "addresses": ["203.0.113.1"], "port": port });
    refused("/virtual_mesh/clusters/east/gateways/1", [gateway(15444)], Code::Duplicate, &format!("{EAST}.gateways[1]"));
    accepted("/virtual_mesh/clusters/east/gateways/1", [gateway(15445)]);
    refused("/failover/order/1", [json!("west")], Code::Duplicate, "failover.order[1]");
    refused("/failover/per_client/east/1", [json!("west")], Code::Duplicate, "failover.per_client[\"east\"][1]");
    let rule = json!({ "from": "us-east-1", "to": "us-west-2" });
    refused("/failover", [json!({ "locality": [rule, rule] })], Code::Duplicate, "failover.locality[1]");
    refused("/clients/1", [json!("east")], Code::Duplicate, "clients[1]");
    refused("/export_to/1", [json!("bookinfo")], Code::Duplicate, "export_to[1]");
}

#[test]
fn unknown_clusters() {
    refused("/backends/1", [backend("south")], Code::UnknownCluster, "backends[1].cluster");
    refused("/clients/-", [json!("south")], Code::UnknownCluster, "clients[3]");
    refused("/failover/order/0", [json!("south")], Code::UnknownCluster, "failover.order[0]");
    refused("/failover/per_client/east/0", [json!("south")], Code::UnknownCluster, "failover.per_client[\"east\"][0]");
    refused("/failover/per_client/south", [json!(["east"])], Code::UnknownCluster, "failover.per_client[\"south\"]");
    let whole = || json!({ "east": 100 });
    refused("/failover/spread/south", [whole()], Code::UnknownCluster, "failover.spread[\"south\"]");
    refused("/failover/spread/west/south", [json!(1)], Code::UnknownCluster, "failover.spread[\"west\"][\"south\"]");
    refused("/client_namespace/south", [json!("frontend")], Code::UnknownCluster, "client_namespace[\"south\"]");
    let decoded = decode(&with(destination(), "/backends/1", backend("south")));
    assert!(decoded.findings[0].what.contains("east, north, west"), "{decoded:#?}");
    assert!(decoded.findings[0].fix.contains("backend.cluster != \"south\""), "{decoded:#?}");
    // members are known even where the facts of one are wrong
    let document =
        with(with(destination(), "/virtual_mesh/clusters/east/region", json!("a b")), "/failover/order/0", json!("south"));
    let wanted = [(Code::InvalidValue, format!("{EAST}.region")), (Code::UnknownCluster, "failover.order[0]".to_owned())];
    assert_eq!(verdicts(&decode(&document)), wanted);
}

#[test]
fn ignored_findings() {
    let path = |code: &str| format!("ignore_findings[{code:?}]");
    accepted(
        "/ignore_findings",
        [json!({ "GM2013": "CoreDNS answers" }), json!({ "GM4012": "it warns of everything" }), json!({})],
    );
    for code in ["GM3002", "GM5009", "GM1007", "GM9999", "gm2013", ""] {
        refused("/ignore_findings", [json!({ code: "because" })], Code::InvalidValue, &path(code));
    }
    for reason in ["", "  ", "two\nlines", &"x".repeat(201)] {
        refused("/ignore_findings", [json!({ "GM2013": reason })], Code::InvalidValue, &path("GM2013"));
    }
}

#[test]
fn unsupported_protocols() {
    refused("/ports/0/protocol", [json!("udp")], Code::Unsupported, "ports[0].protocol");
    let values = ["grpc-web", "https", "mongo", "mysql", "redis"].map(|name| json!(name));
    refused("/ports/0/protocol", values, Code::InvalidValue, "ports[0].protocol");
    accepted("/ports/0/protocol", ["http", "http2", "grpc", "tcp"].map(|name| json!(name)));
}

#[test]
fn too_large() {
    let numbers = |count: usize| Value::Array((1..=count).map(|number| json!({ "number": number })).collect());
    accepted("/ports", [numbers(256)]);
    refused("/ports", [numbers(257)], Code::TooLarge, "ports");
    let labels: serde_json::Map<String, Value> = (0..65).map(|number| (format!("l{number}"), json!("x"))).collect();
    refused("/backends/0/selector", [Value::Object(labels)], Code::TooLarge, "backends[0].selector");
    refused("/clients", [json!(vec!["east"; MAX_CLUSTERS + 1])], Code::TooLarge, "clients");
    refused("/export_to", [json!(vec!["x"; 1_001])], Code::TooLarge, "export_to");
    refused("/backends", [json!(vec![json!({}); 20_001])], Code::TooLarge, "backends");
    let path = format!("{EAST}.gateways");
    refused("/virtual_mesh/clusters/east/gateways", [json!(vec![json!({}); 65])], Code::TooLarge, &path);
}

#[test]
fn findings_are_bounded() {
    let decoded = decode(&with(destination(), "/clients", json!(vec!["-"; 5_000])));
    let found = verdicts(&decoded);
    assert_eq!(found.len(), 1_001);
    assert_eq!(found.last(), Some(&(Code::TooLarge, String::new())));
    assert!(decoded.findings[1_000].what.starts_with("4000 more"), "{:?}", decoded.findings[1_000]);
}

#[test]
fn unknown_arguments() {
    refused("/colour", [json!("red")], Code::UnknownArgument, "colour");
    refused("/retries/attemps", [json!(3), Value::Null], Code::UnknownArgument, "retries.attemps");
    refused(&format!("{GATEWAY}/ports"), [json!(1)], Code::UnknownArgument, &format!("{EAST}.gateways[0].ports"));
    refused("/retries", [json!({ "attemps": 3 })], Code::UnknownArgument, "retries.attemps");
    refused("/virtual_mesh/drift", [json!({})], Code::UnknownArgument, "virtual_mesh.drift");
    refused("/ports/0/a\u{202e}\n", [json!(1)], Code::UnknownArgument, "ports[0].a\u{202e}\n");
}

/// A value of a wrong type at every attribute: none of them is overlooked.
#[test]
fn wrong_types_everywhere() {
    fn walk(document: &Value, pointer: &str, path: &str, out: &mut Vec<(String, String)>) {
        let is_map =
            ["clusters", "accepted_trust_domains", "selector", "client_namespace", "per_client", "spread", "subsets", "labels"]
                .iter()
                .any(|name| path.ends_with(name))
                || path.starts_with("failover.spread[");
        match document {
            Value::Object(members) => {
                for (name, member) in members {
                    let path = match (path, is_map) {
                        ("", _) => name.clone(),
                        (_, true) => format!("{path}[\"{name}\"]"),
                        (_, false) => format!("{path}.{name}"),
                    };
                    let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    out.push((pointer.clone(), path.clone()));
                    walk(member, &pointer, &path, out);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let (pointer, path) = (format!("{pointer}/{index}"), format!("{path}[{index}]"));
                    out.push((pointer.clone(), path.clone()));
                    walk(item, &pointer, &path, out);
                }
            }
            _ => {}
        }
    }
    let mut places = Vec::new();
    walk(&destination(), "", "", &mut places);
    assert!(places.len() > 150, "{}", places.len());
    for (pointer, path) in places {
        let old = destination().pointer(&pointer).cloned().unwrap_or_default();
        // no attribute takes a bool where it holds something else, or a number where it holds a bool
        let wrong = if old.is_boolean() || path.ends_with("only") { json!(1) } else { json!(true) };
        let decoded = decode(&with(destination(), &pointer, wrong));
        let found = verdicts(&decoded);
        let exact = found.contains(&(Code::WrongType, path.clone()));
        // the other one of two exclusive arguments
        let excluded = path.ends_with("hostname") || path.ends_with("addresses") || path.ends_with("locality");
        assert!(exact || (excluded && !found.is_empty()), "{path}: {:#?}", decoded.findings);
    }
    for value in [json!("80"), json!([80]), json!({ "number": 80 })] {
        refused("/ports/0/number", [value], Code::WrongType, "ports[0].number");
    }
    for value in [Value::Bool(true), json!([]), json!("x")] {
        let decoded = decode(&value);
        assert_eq!(verdicts(&decoded), [(Code::WrongType, String::new())]);
    }
}

#[test]
fn numbers_out_of_range() {
    for value in [json!(0), json!(-1), json!(65_536), json!(1e30)] {
        refused("/ports/0/number", [value.clone()], Code::OutOfRange, "ports[0].number");
        refused(&format!("{GATEWAY}/port"), [value], Code::OutOfRange, &format!("{EAST}.gateways[0].port"));
    }
    accepted("/ports/0/number", [json!(1), json!(65_535)]);
    accepted("/outlier_detection/max_ejection_percent", [json!(0), json!(100)]);
    let path = "outlier_detection.max_ejection_percent";
    accepted("/load_balancer", ["least_request", "round_robin", "random"].map(|name| json!(name)));
    refused("/load_balancer", [json!("LEAST_CONN"), json!("")], Code::InvalidValue, "load_balancer");
    refused("/tcp_keepalive", [json!({ "probes": 0 }), json!({ "probes": 128 })], Code::OutOfRange, "tcp_keepalive.probes");
    refused("/tcp_keepalive", [json!({ "time": "1500ms" }), json!({ "time": "10h" })], Code::InvalidValue, "tcp_keepalive.time");
    refused("/tcp_keepalive", [json!({ "probes": null })], Code::EmptyObject, "tcp_keepalive");
    let both = json!({ "consecutive_errors": 3, "consecutive_gateway_errors": 0 });
    refused("/outlier_detection", [both], Code::ConflictingArguments, "outlier_detection.consecutive_errors");
    refused("/max_failover_targets", [json!(0), json!(-1), json!(1_000_000)], Code::OutOfRange, "max_failover_targets");
    refused("/outlier_detection/max_ejection_percent", [json!(-1), json!(101)], Code::OutOfRange, path);
    let path = "outlier_detection.consecutive_local_origin_failures";
    refused("/outlier_detection/consecutive_local_origin_failures", [json!(0), json!(1_000_001)], Code::OutOfRange, path);
    let path = "outlier_detection.consecutive_gateway_errors";
    refused("/outlier_detection/consecutive_gateway_errors", [json!(-1), json!(4_294_967_296_u64)], Code::OutOfRange, path);
    let path = "failover.spread[\"west\"][\"east\"]";
    refused("/failover/spread/west/east", [json!(0), json!(-1), json!(101)], Code::OutOfRange, path);
    accepted("/retries/attempts", [json!(0), json!(2), json!(100)]);
    refused("/retries/attempts", [json!(-1), json!(101)], Code::OutOfRange, "retries.attempts");
}

#[test]
fn shares() {
    let of = |east: u32, west: u32| json!({ "east": east, "west": west });
    let path = "failover.spread[\"west\"]";
    refused("/failover/spread/west", [of(50, 49), of(50, 51), of(100, 100)], Code::SharesNotWhole, path);
    accepted("/failover/spread/west", [of(50, 50), of(99, 1), json!({ "east": 100 })]);
    let decoded = decode(&with(destination(), "/failover/spread/west", of(50, 49)));
    assert!(decoded.findings[0].what.contains("99 percent"), "{decoded:#?}");
}

#[test]
fn empty_collections() {
    for name in ["ports", "backends", "clients", "export_to"] {
        refused(&format!("/{name}"), [json!([])], Code::EmptyCollection, name);
    }
    refused("/virtual_mesh/clusters", [json!({})], Code::EmptyCollection, "virtual_mesh.clusters");
    refused("/backends/0/selector", [json!({})], Code::EmptyCollection, "backends[0].selector");
    refused("/backends/0/service_accounts", [json!([])], Code::EmptyCollection, "backends[0].service_accounts");
    refused("/backends/0/ports", [json!([])], Code::EmptyCollection, "backends[0].ports");
    refused(&format!("{GATEWAY}/addresses"), [json!([])], Code::EmptyCollection, &format!("{EAST}.gateways[0].addresses"));
    refused(&format!("{GATEWAY}/selector"), [json!({})], Code::EmptyCollection, &format!("{EAST}.gateways[0].selector"));
    accepted("/virtual_mesh/clusters/east/gateways", [json!([])]);
    accepted("/failover/order", [json!([])]);
    accepted("/client_namespace", [json!({})]);
    refused("/failover/spread/west", [json!({})], Code::EmptyCollection, "failover.spread[\"west\"]");
    accepted("/failover/spread", [json!({})]);
}

#[test]
fn hostnames_of_clusters() {
    let own = ["reviews.bookinfo.svc.cluster.local", "a.cluster.local", "cluster.local", "reviews.bookinfo.svc", "a.svc"];
    refused("/hostname", own.map(|name| json!(name)), Code::ClusterHostname, "hostname");
    accepted("/hostname", ["a.notcluster.local", "cluster.local.example", "svc.example", "a.local"].map(|name| json!(name)));
    let document = with(destination(), "/virtual_mesh/clusters/west/cluster_domain", json!("west.example"));
    let decoded = decode(&with(document.clone(), "/hostname", json!("a.b.svc.west.example")));
    assert_eq!(verdicts(&decoded), [(Code::ClusterHostname, "hostname".to_owned())]);
    assert!(decoded.findings[0].what.contains("cluster west"), "{decoded:#?}");
    assert_eq!(verdicts(&decode(&with(document, "/hostname", json!("a.b.east.example")))), []);
    let suffix = [json!("cluster.local"), json!("x.cluster.local"), json!("svc")];
    refused("/virtual_mesh/hostname_suffix", suffix, Code::ClusterHostname, "virtual_mesh.hostname_suffix");
    refused("/hostname", ["reviews.bookinfo", "other.bookinfo"].map(|name| json!(name)), Code::ClusterHostname, "hostname");
    accepted("/hostname", ["reviews.shop", "a.reviews.bookinfo", "bookinfo.reviews"].map(|name| json!(name)));
}

#[test]
fn unusable_addresses() {
    let path = format!("{EAST}.gateways[0].addresses[0]");
    let addresses =
        ["0.0.0.0", "::", "0.1.2.3", "224.0.0.1", "ff02::1", "255.255.255.255", "::ffff:203.0.113.1", "fe80::1", "169.254.0.1"];
    refused(&format!("{GATEWAY}/addresses/0"), addresses.map(|text| json!(text)), Code::UnusableAddress, &path);
}

#[test]
fn regions() {
    let rules = |from: &str, to: &str| json!({ "locality": [{ "from": from, "to": to }] });
    refused("/failover", [rules("us-east-1", "us-east-1")], Code::SameRegion, "failover.locality[0].to");
    refused("/failover", [rules("us-east-1", "us-west-1")], Code::RegionWithoutCluster, "failover.locality[0].to");
    refused("/failover", [rules("US-east-1", "us-west-2")], Code::RegionWithoutCluster, "failover.locality[0].from");
    accepted("/failover", [rules("us-east-1", "us-west-2")]);
    let document = with(destination(), "/failover", rules("us-east-1", "us-west-1"));
    assert!(decode(&document).findings[0].what.contains("eu-north-1, us-east-1, us-west-2"));
}

#[test]
fn one_retry() {
    refused("/retries/attempts", [json!(1)], Code::SingleRetry, "retries.attempts");
    accepted("/retries/attempts", [json!(0), json!(2)]);
}

#[test]
fn settings_without_effect() {
    refused("/retries/per_try_timeout", [json!("2s"), json!("1m")], Code::NoEffect, "retries.per_try_timeout");
    accepted("/retries/per_try_timeout", [json!("1999ms")]);
    refused("/failover/per_client/east", [json!(["west", "east"])], Code::NoEffect, "failover.per_client[\"east\"]");
    accepted("/failover/per_client/east", [json!(["east", "west"])]);
    refused("/clients", [json!(["east", "west"])], Code::NoEffect, "client_namespace[\"north\"]");
    refused("/clients", [json!(["west", "north"])], Code::NoEffect, "failover.per_client[\"east\"]");
    refused("/clients", [json!(["east", "north"])], Code::NoEffect, "failover.spread[\"west\"]");
    let shares = json!({ "east": 50, "west": 50 });
    let ranked = |spread: Value| json!({ "order": ["west"], "only": true, "spread": spread });
    let all = ranked(json!({ "east": shares, "west": shares, "north": shares }));
    expect("/failover", all, &[(Code::NoEffect, "failover.order"), (Code::NoEffect, "failover.only")]);
    accepted("/failover", [ranked(json!({ "east": shares, "west": shares }))]);
}

#[test]
fn every_error_is_reported() {
    let mut document = destination();
    for (pointer, value) in [
        ("/namespace", json!("A")),
        ("/name", Value::Null),
        ("/hostname", json!("x")),
        ("/ports/0/number", json!(0)),
        ("/ports/1/protocol", json!("udp")),
        ("/backends/0/selector", json!({})),
        ("/backends/1/cluster", json!("Z")),
        ("/clients", json!([])),
        ("/retries/attempts", json!("x")),
        ("/timeout", json!("x")),
        ("/connect_timeout", json!("y")),
        ("/virtual_mesh/clusters/east/region", json!("")),
        ("/virtual_mesh/clusters/west/trust_domain", json!("")),
    ] {
        document = with(document, pointer, value);
    }
    let decoded = decode(&document);
    assert_eq!(verdicts(&decoded).len(), 13, "{:#?}", decoded.findings);
}

/// A wrong element does not hide what is wrong with its neighbours and with itself.
#[test]
fn an_error_hides_no_other() {
    let backends = json!([with(backend("south"), "/service_accounts", json!([])), backend("east"), backend("east")]);
    expect(
        "/backends",
        backends,
        &[
            (Code::UnknownCluster, "backends[0].cluster"),
            (Code::EmptyCollection, "backends[0].service_accounts"),
            (Code::Duplicate, "backends[2]"),
        ],
    );
    let ports = json!([{ "number": 80 }, { "number": 0 }, { "number": 80, "name": "b" }]);
    expect("/ports", ports, &[(Code::OutOfRange, "ports[1].number"), (Code::Duplicate, "ports[2].number")]);
    let document = with(with(destination(), "/virtual_mesh", Value::Null), "/hostname", json!("a.b.svc"));
    let wanted = [(Code::MissingArgument, "virtual_mesh".to_owned()), (Code::ClusterHostname, "hostname".to_owned())];
    assert_eq!(verdicts(&decode(&document)), wanted);
}

#[test]
fn a_mesh_by_itself() {
    let decoded = virtual_mesh(&Input::from_json(&mesh()));
    assert_eq!(verdicts(&decoded), []);
    assert!(matches!(&decoded.outcome, Outcome::Intent(mesh) if mesh.mesh.clusters.len() == 3));
    let decoded = virtual_mesh(&Input::from_json(&json!({})));
    assert_eq!(verdicts(&decoded), [(Code::MissingArgument, "name".to_owned()), (Code::MissingArgument, "clusters".to_owned())]);
    let decoded = virtual_mesh(&Input::from_json(&with(mesh(), "/clusters/east/gateways/0/port", json!(0))));
    assert_eq!(verdicts(&decoded), [(Code::OutOfRange, "clusters[\"east\"].gateways[0].port".to_owned())]);
}
