//! A destination that sets every attribute, and ways to change it.

use mesh_model::decode::{Decoded, Outcome};
use mesh_model::{Code, Input, Severity};
use serde_json::{Value, json};

/// Facts that set every attribute.
pub(crate) fn facts(region: &str, address: &str) -> Value {
    json!({
        "istio_version": "1.28", "trust_domain": "prod.mesh", "revision": "1-28", "cluster_domain": "cluster.local",
        "root_namespace": "istio-config", "network": "net", "region": region, "dns_capture": true,
        "gateways": [
            { "addresses": [address, "2001:db8::1"], "hostname": null, "port": 15444, "namespace": "istio-ingress",
              "selector": { "istio": "eastwest", "example.com/role": "" }, "exposed_hosts": ["*.local", "bookinfo/*"] },
            { "addresses": null, "hostname": "gw.example.com", "port": null, "namespace": null, "selector": null,
              "exposed_hosts": null },
        ],
    })
}

/// A backend that sets every attribute.
pub(crate) fn backend(cluster: &str) -> Value {
    json!({
        "cluster": cluster, "namespace": "bookinfo", "service": "reviews",
        "ports": [
            { "number": 9080, "name": "http", "target_port": 9081, "protocol": "http" },
            { "number": 9443, "name": null, "target_port": 9443, "protocol": null },
        ],
        "selector": { "app": "reviews" }, "canonical_name": "reviews", "service_accounts": ["reviews", "reviews-v2"],
    })
}

/// A mesh of three clusters.
pub(crate) fn mesh() -> Value {
    json!({
        "name": "prod", "hostname_suffix": "mesh.example", "accepted_trust_domains": { "east": ["west.mesh"] },
        "clusters": {
            "east": facts("us-east-1", "203.0.113.1"),
            "west": facts("us-west-2", "203.0.113.2"),
            "north": facts("eu-north-1", "203.0.113.3"),
        },
    })
}

/// A destination that sets every attribute (`locality` alone is null, since `order` is set), without any finding.
pub(crate) fn destination() -> Value {
    json!({
        "virtual_mesh": mesh(), "namespace": "bookinfo", "name": "reviews", "hostname": "reviews.mesh.example",
        "ports": [
            { "number": 80, "protocol": "http", "name": "web", "service_port": 9080 },
            { "number": 81, "protocol": null, "name": null, "service_port": null, "service_port_name": null },
            { "number": 82, "service_port_name": "grpc" },
        ],
        "backends": [backend("east"), with(backend("west"), "/subsets", json!(["v1"]))],
        "subsets": {
            "v1": { "labels": { "version": "v1" }, "weight": 90 },
            "v2": { "labels": { "version": "v2", "example.com/track": "canary" }, "weight": 10 },
        },
        "clients": ["east", "north", "west"],
        "client_namespace": { "north": "frontend" },
        "failover": {
            "order": ["west", "east"], "locality": null, "only": true, "per_client": { "east": ["west", "north"] },
            "spread": { "west": { "east": 20, "west": 80 } },
        },
        "outlier_detection": {
            "consecutive_local_origin_failures": 3, "consecutive_gateway_errors": 0, "interval": "1s",
            "base_ejection_time": "1m30s", "max_ejection_percent": 50,
        },
        "retries": { "attempts": 2, "per_try_timeout": "500ms", "retry_unavailable": true, "retry_on_reset": true },
        "timeout": "2s", "connect_timeout": "250ms", "export_to": ["bookinfo", "frontend"],
        "overlays": [{ "kind": "DestinationRule", "cluster": "east", "merge_patch": "{\"spec\":{\"x\":null}}" }],
    })
}

/// The smallest destination.
pub(crate) fn small_destination() -> Value {
    json!({
        "virtual_mesh": { "name": "prod", "clusters": { "east": { "istio_version": "1.28", "trust_domain": "cluster.local" } } },
        "namespace": "bookinfo", "name": "reviews", "ports": [{ "number": 9080 }],
        "backends": [{
            "cluster": "east", "namespace": "bookinfo", "service": "reviews", "ports": [{ "number": 9080, "target_port": 9080 }],
            "selector": { "app": "reviews" }, "canonical_name": "reviews", "service_accounts": ["reviews"],
        }],
    })
}

/// The document with the value at `pointer` (RFC 6901) replaced; objects get the member, `/-` appends.
pub(crate) fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer begins with /");
    match document.pointer_mut(parent).unwrap_or_else(|| panic!("{parent} exists")) {
        Value::Object(members) => {
            members.insert(last.replace("~1", "/").replace("~0", "~"), value);
        }
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => items[last.parse::<usize>().expect("an index")] = value,
        other => panic!("{parent} is {other}"),
    }
    document
}

/// Decodes a destination written as JSON.
pub(crate) fn decode(document: &Value) -> Decoded<mesh_model::intent::VirtualDestination> {
    mesh_model::decode::virtual_destination(&Input::from_json(document))
}

/// Code and path of every finding, after a check of what holds for every outcome.
pub(crate) fn verdicts<T>(decoded: &Decoded<T>) -> Vec<(Code, String)> {
    check_outcome(decoded);
    decoded.findings.iter().map(|finding| (finding.code, finding.path.to_string())).collect()
}

/// What holds for every outcome.
pub(crate) fn check_outcome<T>(decoded: &Decoded<T>) {
    let has_error = decoded.findings.iter().any(|finding| finding.code.severity() == Severity::Error);
    let has_unknown = decoded.findings.iter().any(|finding| finding.code == Code::UnknownShape);
    match &decoded.outcome {
        Outcome::Intent(_) => assert!(!has_error && !has_unknown, "{:#?}", decoded.findings),
        Outcome::UnknownShape(path) => {
            assert!(!has_error, "{:#?}", decoded.findings);
            let named = |finding: &mesh_model::Finding| finding.code == Code::UnknownShape && finding.path.to_string() == path.0;
            assert!(decoded.findings.iter().any(named), "{path}: {:#?}", decoded.findings);
        }
        Outcome::Invalid => assert!(has_error, "invalid without an error: {:#?}", decoded.findings),
    }
    for finding in &decoded.findings {
        for text in [&finding.what, &finding.why, &finding.fix] {
            assert!(!text.trim().is_empty(), "{finding:?}");
            assert!(text.len() < 2_000, "{finding:?}");
            assert!(!text.contains(|c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{finding:?}");
        }
    }
}
