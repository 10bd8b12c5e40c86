//! The resource of a virtual mesh: what it writes besides what destinations take.

use mesh_model::decode::{Decoded, Outcome, virtual_mesh};
use mesh_model::intent::{ManagedMesh, MutualTls};
use mesh_model::{Code, Input, Leaf};
use serde_json::{Value, json};

use crate::example::{backend, check_outcome, destination, mesh, verdicts, with};
use crate::unknown::{at, hcl, is_one_of, paths};

/// A mesh that sets every attribute, without any finding.
fn managed() -> Value {
    let federation = json!({
        "exports": [backend("east"), backend("west")], "hostname_suffix": "corp.example",
        "client_namespace": { "north": "frontend" }, "tcp_keepalive": { "probes": 3, "time": "300s", "interval": "75s" },
    });
    with(with(mesh(), "/federation", federation), "/mtls", json!({ "mode": "strict" }))
}

fn decode(document: &Value) -> Decoded<ManagedMesh> {
    virtual_mesh(&Input::from_json(document))
}

fn intent(document: &Value) -> ManagedMesh {
    match decode(document).outcome {
        Outcome::Intent(mesh) => mesh,
        other => panic!("{other:?}"),
    }
}

fn refused(pointer: &str, value: &Value, code: Code, path: &str) {
    let decoded = decode(&with(managed(), pointer, value.clone()));
    assert_eq!(verdicts(&decoded), [(code, path.to_owned())], "{pointer} = {value}: {:#?}", decoded.findings);
}

#[test]
fn every_attribute_arrives() {
    assert_eq!(verdicts(&decode(&managed())), []);
    let mesh = intent(&managed());
    assert_eq!(mesh.mutual_tls, Some(MutualTls::Strict));
    let federation = mesh.federation.expect("it is set");
    let hostnames: Vec<&str> = federation.exports.iter().map(|export| export.hostname.as_str()).collect();
    assert_eq!(hostnames, ["reviews.bookinfo.svc.east.corp.example", "reviews.bookinfo.svc.west.corp.example"]);
    assert_eq!(federation.exports[1].backend.cluster.as_str(), "west");
    assert_eq!(federation.exports[1].backend.ports.len(), 2);
    let namespaces: Vec<_> = federation.client_namespace.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(namespaces, [("north", "frontend")]);
    assert_eq!(federation.tcp_keepalive.and_then(|keepalive| keepalive.probes), Some(Leaf::Known(3)));
}

#[test]
fn what_is_left_out_is_not_written_and_names_end_as_in_gloo_mesh() {
    let small = intent(&mesh());
    assert_eq!((small.federation, small.mutual_tls), (None, None));
    let short = with(mesh(), "/federation", json!({ "exports": [backend("east")] }));
    let federation = intent(&short).federation.expect("it is set");
    assert_eq!(federation.exports[0].hostname.as_str(), "reviews.bookinfo.svc.east.global");
    assert_eq!(intent(&with(mesh(), "/mtls", json!({ "mode": "permissive" }))).mutual_tls, Some(MutualTls::Permissive));
}

#[test]
fn what_is_wrong_is_told_where_it_is_written() {
    let exports = "/federation/exports";
    refused("/federation", &json!({}), Code::EmptyObject, "federation");
    refused("/federation", &json!({ "hostname_suffix": "global" }), Code::MissingArgument, "federation.exports");
    refused(exports, &json!([]), Code::EmptyCollection, "federation.exports");
    refused(exports, &json!([backend("east"), backend("east")]), Code::Duplicate, "federation.exports[1]");
    refused(exports, &json!([backend("south")]), Code::UnknownCluster, "federation.exports[0].cluster");
    let suffix = "/federation/hostname_suffix";
    for name in ["Global", "", "a..b", "10"] {
        refused(suffix, &json!(name), Code::InvalidValue, "federation.hostname_suffix");
    }
    for name in ["cluster.local", "x.cluster.local", "svc"] {
        refused(suffix, &json!(name), Code::ClusterHostname, "federation.hostname_suffix");
    }
    let own_domain = with(managed(), "/clusters/north/cluster_domain", json!("west.corp.example"));
    assert_eq!(verdicts(&decode(&own_domain)), [(Code::ClusterHostname, "federation.exports[1]".to_owned())]);
    refused("/federation/client_namespace/south", &json!("x"), Code::UnknownCluster, "federation.client_namespace[\"south\"]");
    refused("/federation/tcp_keepalive", &json!({ "time": "1.5s" }), Code::InvalidValue, "federation.tcp_keepalive.time");
    let overruled = "/federation/ignore_findings";
    refused(overruled, &json!({ "GM3002": "because" }), Code::InvalidValue, "federation.ignore_findings[\"GM3002\"]");
    refused(overruled, &json!({ "GM2013": "" }), Code::InvalidValue, "federation.ignore_findings[\"GM2013\"]");
    refused("/mtls", &json!({ "mode": null }), Code::EmptyObject, "mtls");
    refused("/mtls/mode", &json!("STRICT"), Code::InvalidValue, "mtls.mode");
    refused("/mtls/mode", &json!("disable"), Code::Unsupported, "mtls.mode");
}

/// What a destination takes says nothing of it: its facts stay small.
#[test]
fn a_destination_takes_a_mesh_without_what_the_mesh_writes() {
    for member in ["federation", "mtls"] {
        let document = with(destination(), &format!("/virtual_mesh/{member}"), managed()[member].clone());
        let verdict = (Code::UnknownArgument, format!("virtual_mesh.{member}"));
        assert_eq!(verdicts(&crate::example::decode(&document)), [verdict]);
    }
}

#[test]
fn one_unknown_value_at_every_path() {
    const LEAVES: &[&str] = &[
        "clusters.*.network",
        "clusters.*.region",
        "clusters.*.dns_capture",
        "clusters.*.gateways.*.addresses.*",
        "clusters.*.gateways.1.hostname",
        "clusters.*.gateways.*.port",
        "federation.exports.*.canonical_name",
        "federation.exports.*.service_accounts.*",
        "federation.tcp_keepalive.*",
    ];
    let whole = Input::from_json(&managed());
    let mut all = Vec::new();
    paths(&whole, Vec::new(), &mut all);
    for path in all {
        let mut input = whole.clone();
        *at(&mut input, &path) = Input::Unknown;
        let decoded = virtual_mesh(&input);
        check_outcome(&decoded);
        if is_one_of(LEAVES, &path) {
            let shown = format!("{:?}", decoded.outcome);
            assert!(
                shown.contains(&format!("Unknown(LeafPath({:?}))", hcl(&path))),
                "{path:?} vanished: {:#?}",
                decoded.findings
            );
        } else {
            assert_eq!(verdicts(&decoded), [(Code::UnknownShape, hcl(&path))]);
        }
    }
}
