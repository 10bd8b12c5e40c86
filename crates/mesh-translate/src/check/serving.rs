//! Whether calls from other clusters reach the pods: gateways, mutual TLS, authorisation.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::facts::GatewayFacts;
use mesh_model::{AttributePath, Code, Finding, Findings};
use serde_json::Value;

use super::live::{Inventory, Live, selects};
use super::planned::{self, Behind, Planned};
use crate::link::gateways::covers;

pub(super) fn check(planned: &Planned<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    check_gateways(planned, inventory, findings);
    let Some(pods) = planned.behind().and_then(|behind| Pods::find(planned, inventory, behind)) else { return };
    check_mutual_tls(&pods, inventory, findings);
    check_authorization(planned, &pods, inventory, findings);
}

/// Where we expose a Service, foreign Gateways for everything, or for that Service too.
fn check_gateways(planned: &Planned<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let Some(ours) = planned.of_kind("Gateway").next() else { return };
    let exposed = planned::gateway_server(ours);
    let selector = planned::labels(ours, &["spec", "selector"]);
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
        // whether two selectors meet in one pod is certain where one of them says all that the other one says
        let other = gateway.labels("/spec/selector").unwrap_or_default();
        let is_same_gateway = selects(&other, &selector) || selects(&selector, &other);
        if let (true, Some(exposed)) = (is_same_gateway, exposed)
            && let Some(host) = passing.iter().find_map(|server| repeats(server, exposed))
        {
            findings.push(exposed_twice(inventory, gateway, host, exposed.host));
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

/// The pods behind the destination: their namespace and the labels that are known of them.
struct Pods<'a> {
    /// whose they are, in words
    whose: String,
    namespace: &'a str,
    /// of each pod, or what selects them where no pod is listed
    labels: Vec<BTreeMap<&'a str, &'a str>>,
    target_ports: BTreeSet<&'a str>,
}

impl<'a> Pods<'a> {
    fn find(planned: &Planned<'a>, inventory: &Inventory<'a>, behind: Behind<'a>) -> Option<Self> {
        let (whose, namespace, selector) = match behind {
            Behind::Service { name, namespace } => {
                let found = inventory.of_kind("Service").find(|live| live.name == name && live.namespace == namespace)?;
                (format!("Service {namespace}/{name}"), namespace, found.labels("/spec/selector")?)
            }
            Behind::Labels { namespace, labels } => (format!("{} in namespace {namespace}", planned.hostname), namespace, labels),
        };
        let mut labels: Vec<_> = inventory
            .of_kind("Pod")
            .filter(|pod| pod.namespace == namespace)
            .filter_map(|pod| pod.labels("/metadata/labels"))
            .filter(|labels| selects(&selector, labels))
            .collect();
        if labels.is_empty() {
            labels.push(selector);
        }
        Some(Self { whose, namespace, labels, target_ports: planned.target_ports() })
    }

    /// Whether a policy applies to some of them, and how specific it is: for the mesh, the namespace, or by selector.
    fn reach(&self, policy: &Live<'_>, root: &str) -> Option<Reach> {
        // those with a target are for gateways, waypoints or Services; sidecars leave them alone
        let has_target = policy.at("/spec/targetRef").is_some() || !policy.list("/spec/targetRefs").is_empty();
        if has_target || (policy.namespace != self.namespace && policy.namespace != root) {
            return None;
        }
        match policy.labels("/spec/selector/matchLabels") {
            Some(selector) => self.labels.iter().any(|labels| selects(&selector, labels)).then_some(Reach::Workload),
            None if policy.namespace == self.namespace => Some(Reach::Namespace),
            None => Some(Reach::Mesh),
        }
    }
}

/// How specific a policy is; a more specific one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Mesh,
    Namespace,
    Workload,
}

fn check_mutual_tls(pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let root = inventory.root_namespace();
    let applying: Vec<(Reach, Live<'_>)> =
        inventory.of_kind("PeerAuthentication").filter_map(|policy| Some((pods.reach(&policy, root)?, policy))).collect();
    let ports: Vec<Option<&str>> = pods.target_ports.iter().copied().map(Some).collect();
    let ports = if ports.is_empty() { vec![None] } else { ports };
    for port in ports {
        // the most specific one that says anything counts
        let Some(reach) = applying.iter().filter(|(_, policy)| mode(policy, port).is_some()).map(|(reach, _)| *reach).max()
        else {
            continue;
        };
        for (_, policy) in applying.iter().filter(|(other, policy)| *other == reach && mode(policy, port) == Some("DISABLE")) {
            findings.push(mutual_tls_off(pods, inventory, policy));
        }
    }
}

fn mutual_tls_off(pods: &Pods<'_>, inventory: &Inventory<'_>, policy: &Live<'_>) -> Finding {
    Finding::new(
        Code::MutualTlsOff,
        AttributePath::of("backends"),
        format!(
            "PeerAuthentication {}/{} in cluster {} turns mutual TLS off for pods of {}.",
            policy.namespace, policy.name, inventory.cluster, pods.whose
        ),
        "Clients call the destination with mutual TLS, and gateways drop endpoints without it: every call would fail.",
        "Set its mode to PERMISSIVE or STRICT for these pods, or leave the cluster out of `backends`.",
    )
    .in_cluster(inventory.cluster)
    .on_object(policy.key("PeerAuthentication"))
}

/// The mode for one of the pods' ports; `None` where the policy leaves it to a less specific one.
fn mode<'a>(policy: &Live<'a>, port: Option<&str>) -> Option<&'a str> {
    let set = |mode: Option<&'a Value>| mode.and_then(Value::as_str).filter(|mode| *mode != "UNSET");
    let port = port.and_then(|port| policy.at("/spec/portLevelMtls")?.get(port)?.get("mode"));
    set(port).or_else(|| set(policy.at("/spec/mtls/mode")))
}

/// Says what certainly denies; whom the rules of a policy admit is not known here.
fn check_authorization(planned: &Planned<'_>, pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let root = inventory.root_namespace();
    let applying: Vec<Live<'_>> =
        inventory.of_kind("AuthorizationPolicy").filter(|policy| pods.reach(policy, root).is_some()).collect();
    let action = |policy: &Live<'_>| policy.at("/spec/action").and_then(Value::as_str).unwrap_or("ALLOW").to_owned();
    let unconditional = |rule: &Value| rule.as_object().is_some_and(serde_json::Map::is_empty);
    for policy in
        applying.iter().filter(|policy| action(policy) == "DENY" && policy.list("/spec/rules").iter().any(unconditional))
    {
        findings.push(denied(pods, inventory, policy, "denies every call"));
    }
    let allowing: Vec<&Live<'_>> = applying.iter().filter(|policy| action(policy) == "ALLOW").collect();
    let Some(first) = allowing.first() else { return };
    let mut rules = allowing.iter().flat_map(|policy| policy.list("/spec/rules")).peekable();
    if rules.peek().is_none() {
        findings.push(denied(pods, inventory, first, "allows nothing, and nothing else allows a call"));
    } else if !rules.any(|rule| admits_host(rule, planned.hostname)) {
        findings.push(denied(
            pods,
            inventory,
            first,
            &format!("allows other hosts only; clients ask for {0} and {0}:<port>", planned.hostname),
        ));
    }
}

/// Whether a rule is not limited to other hosts.
fn admits_host(rule: &Value, hostname: &str) -> bool {
    let Some(operations) = rule.get("to").and_then(Value::as_array).filter(|operations| !operations.is_empty()) else {
        return true;
    };
    operations.iter().any(|to| {
        let Some(hosts) = to.pointer("/operation/hosts").and_then(Value::as_array) else { return true };
        hosts.iter().filter_map(Value::as_str).any(|host| {
            let host = host.to_ascii_lowercase();
            let name = host.strip_suffix(":*").unwrap_or(&host);
            let name =
                name.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(name, |(name, _)| name);
            covers(name, hostname) || name.strip_suffix('*').is_some_and(|prefix| hostname.starts_with(prefix))
        })
    })
}

fn denied(pods: &Pods<'_>, inventory: &Inventory<'_>, policy: &Live<'_>, what: &str) -> Finding {
    Finding::new(
        Code::AuthorizationDenies,
        AttributePath::of("backends"),
        format!(
            "AuthorizationPolicy {}/{} in cluster {} applies to pods of {} and {what}.",
            policy.namespace, policy.name, inventory.cluster, pods.whose
        ),
        "Denied calls are answered 403, which no retry and no failover repairs.",
        "Allow the clients by their accounts, from other clusters too: rules: [{ from: [{ source: { principals: [<trust domain>/ns/<namespace>/sa/<account>] } }] }]",
    )
    .in_cluster(inventory.cluster)
    .on_object(policy.key("AuthorizationPolicy"))
}
