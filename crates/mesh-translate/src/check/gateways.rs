//! The gateways of a serving cluster: whether ours select one, and what Gateways of others do to them.

use std::collections::BTreeMap;

use istio_objects::Object;
use mesh_model::facts::GatewayFacts;
use mesh_model::hosts::covers;
use mesh_model::{AttributePath, Code, Finding, Findings};
use serde_json::Value;

use super::live::{Inventory, Live, selects};
use super::planned::{self, Planned};
use crate::link::facts_path;

/// Kinds that make pods, by their names in keys.
const TEMPLATES: [&str; 4] = ["DaemonSet.apps", "Deployment.apps", "ReplicaSet.apps", "StatefulSet.apps"];

pub(super) fn check(planned: &Planned<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let ours: Vec<&Object> = planned.of_kind("Gateway").collect();
    for gateway in &ours {
        check_selector(gateway, inventory, findings);
    }
    if !ours.is_empty() {
        check_others(&ours, inventory, findings);
    }
}

/// Whether there is a gateway that a Gateway of ours selects. A Gateway takes pods of every namespace.
fn check_selector(gateway: &Object, inventory: &Inventory<'_>, findings: &mut Findings) {
    let Some(namespace) = &gateway.namespace else { return };
    let selector = planned::labels(gateway, &["spec", "selector"]);
    let templates =
        TEMPLATES.iter().flat_map(|kind| inventory.of_kind(kind)).map(|made| made.labels("/spec/template/metadata/labels"));
    let pods = inventory.of_kind("Pod").map(|pod| pod.labels("/metadata/labels"));
    let is_listed = inventory.of_kind("Pod").any(|pod| pod.namespace == namespace.as_str());
    if !is_listed || pods.chain(templates).flatten().any(|labels| selects(&selector, &labels)) {
        return;
    }
    let cluster = inventory.cluster;
    let wanted: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    findings.push(
        Finding::new(
            Code::GatewaySelectsNothing,
            facts_path(cluster).attribute("gateways"),
            format!("No pod and no template in cluster {cluster} has {}.", wanted.join(",")),
            "By these labels the Gateway selects the east-west gateway: without one it exposes nothing, and calls from other clusters end there.",
            format!(
                "Take what the cluster shows, {cluster} = data.gloo_cluster.{cluster}.facts, or name labels that the gateway's pods have (kubectl -n {namespace} get pods --show-labels): selector = {{ app = \"eastwest\" }} in `gateways`."
            ),
        )
        .in_cluster(cluster)
        .on_object(gateway.key()),
    );
}

/// Foreign Gateways for everything, or for a Service that one of ours exposes too.
fn check_others(ours: &[&Object], inventory: &Inventory<'_>, findings: &mut Findings) {
    let exposed: Vec<(BTreeMap<&str, &str>, planned::GatewayServer<'_>)> = ours
        .iter()
        .filter_map(|gateway| Some((planned::labels(gateway, &["spec", "selector"]), planned::gateway_server(gateway)?)))
        .collect();
    for gateway in inventory.of_kind("Gateway") {
        let passing: Vec<&Value> = gateway
            .list("/spec/servers")
            .iter()
            .filter(|server| server.pointer("/tls/mode").and_then(Value::as_str) == Some("AUTO_PASSTHROUGH"))
            .collect();
        if passing.iter().flat_map(|server| hosts(server)).any(|host| GatewayFacts::passed_name(host) == "*") {
            findings.push(
                Finding::new(
                    Code::LiveGatewayPassesEverything,
                    AttributePath::of("backends"),
                    format!("Gateway {}/{} in cluster {} passes every host (`*`) through.", gateway.namespace, gateway.name, inventory.cluster),
                    "Hosts of ServiceEntries can be reached through it too, and calls may be sent on to other clusters in a loop.",
                    "Narrow its hosts to `*.local`, or to the Services that other clusters call.",
                )
                .in_cluster(inventory.cluster)
                .on_object(gateway.key("Gateway")),
            );
        }
        let other = gateway.labels("/spec/selector").unwrap_or_default();
        // whether two selectors meet in one pod is certain where one of them says all that the other one says
        let beside = exposed.iter().filter(|(own, _)| selects(&other, own) || selects(own, &other));
        for (_, server) in beside {
            if let Some(host) = passing.iter().find_map(|passed| repeats(passed, *server)) {
                findings.push(exposed_twice(inventory, gateway, host, server.host));
            }
        }
    }
}

fn hosts(server: &Value) -> impl Iterator<Item = &str> {
    server.get("hosts").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The host of a server that makes the filter chain of ours once more.
///
/// Servers on other ports or addresses are other listeners. Of two servers with an equal host istiod takes the older one only,
/// whatever else they expose; `*/` before a host changes nothing, another namespace makes it a different one.
fn repeats<'s>(server: &'s Value, ours: planned::GatewayServer<'_>) -> Option<&'s str> {
    let is_bound = server.get("bind").and_then(Value::as_str).is_some_and(|address| !address.is_empty());
    let is_same_port = server.pointer("/port/number").and_then(Value::as_i64) == Some(ours.port);
    if is_bound || !is_same_port || hosts(server).any(|host| host.strip_prefix("*/").unwrap_or(host) == ours.host) {
        return None;
    }
    hosts(server).find(|host| covers(GatewayFacts::passed_name(host), ours.host))
}

fn exposed_twice(inventory: &Inventory<'_>, gateway: Live<'_>, host: &str, exposed: &str) -> Finding {
    let cluster = inventory.cluster;
    Finding::new(
        Code::GatewayRepeats,
        AttributePath::of("backends"),
        format!(
            "Gateway {}/{} in cluster {cluster} passes {host} through the east-west gateway, which covers {exposed}; a Gateway for that host is planned too.",
            gateway.namespace, gateway.name
        ),
        "Istio would make the same filter chain twice, and Envoy would refuse the listener of the gateway: it takes no change any more, and after a restart it lets no call through.",
        format!(
            "Tell the mesh what is exposed, so that no Gateway is planned there: exposed_hosts = [{host:?}] in `gateways` of the facts of {cluster}; data.gloo_cluster finds it by itself. Or narrow that Gateway to other hosts."
        ),
    )
    .in_cluster(cluster)
    .on_object(gateway.key("Gateway"))
}
