//! East-west gateways: where other clusters reach this one.
//!
//! # What counts as an east-west gateway
//! A Service whose selector meets pods (or templates) that run `istio-proxy` as a gateway, and that shows one of
//! 1. the label `topology.istio.io/network`, or `istio: eastwestgateway` as label or in the selector;
//! 2. pods that an Istio Gateway of others with `AUTO_PASSTHROUGH` selects;
//! 3. a Gateway of Gateway API (not of class `istio-remote` or `istio-waypoint`) that owns it
//!    (`gateway.networking.k8s.io/gateway-name` in the selector) or names it in `spec.addresses`, and that has a listener with
//!    TLS mode `Passthrough` which Istio takes for one between networks: by the TLS option
//!    `gateway.istio.io/listener-protocol: auto-passthrough`, or on a Gateway with the label `topology.istio.io/network` by its
//!    port: 15443, or that of the label `networking.istio.io/gatewayPort`;
//! 4. port 15443, if no Service of the cluster shows one of the other three.
//!
//! A Gateway of Gateway API without such a Service counts with the addresses in its status.
//!
//! # Where it answers
//! - Port: the Service's TCP port 15443, else the one whose target port is 15443. Objects make the proxy listen there.
//! - `LoadBalancer`: the IPs of the status; without an IP the first hostname by name. Of two families, that of the Service's
//!   first `ipFamilies`, else IPv4: clients that lack a family could not use every second endpoint.
//! - `NodePort`: the external IPs of the three oldest nodes that have one, and the node port. So new nodes never change a
//!   fact, and removed ones only if they were among the three. Traffic policy `Local` needs gateway pods on those nodes.
//! - Else, or where these give nothing, `externalIPs`.
//!
//! Gateways are listed by namespace and name of their Service. `selector` is `istio: eastwestgateway` where the Service
//! selects by it, else the Service's whole selector. `exposed_hosts` are names that Gateways without a claim pass through where
//! the proxy listens for 15443: each owner exposes what it serves itself, so that none depends on another's objects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mesh_model::facts::{GatewayAddress, GatewayFacts};
use mesh_model::names::{Hostname, PortNumber};
use mesh_model::{Code, Leaf};
use serde_json::Value;

use crate::inventory::{Inventory, Kind, Object};
use crate::read;
use crate::verdict::{Verdicts, facts_by_hand, kubectl_get};
use crate::workload::{Member, Role};

const EAST_WEST_PORT: i64 = 15443;
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";
/// Nodes whose addresses stand for a `NodePort` gateway.
const NODES: usize = 3;

/// Hosts that a Gateway of others passes through to other networks.
struct Passage<'a> {
    /// where it listens, if that is not left to the Service in front of it
    port: Option<PortNumber>,
    /// `<Kind>/<namespace>/<name>`
    object: String,
    hosts: Vec<Passed<'a>>,
    target: Target<'a>,
}

struct Passed<'a> {
    /// of the server or listener
    port: Option<i64>,
    host: &'a str,
}

enum Target<'a> {
    /// pods with these labels; none given: every gateway
    Pods(BTreeMap<&'a str, &'a str>),
    /// the Gateway of Gateway API, and the Services that it names
    Gateway(Object<'a>),
}

/// The gateways of the cluster, by namespace and name of their Service.
pub(crate) fn gateways<'a>(inventory: &Inventory<'a>, members: &[Member<'a>], verdicts: &mut Verdicts<'_>) -> Vec<GatewayFacts> {
    let passages = passages(inventory);
    for passage in &passages {
        if passage.hosts.iter().any(|passed| GatewayFacts::passed_name(passed.host) == "*") {
            open_passthrough(&passage.object, verdicts);
        }
    }
    if !inventory.has(Kind::Service) {
        let cluster = verdicts.cluster;
        verdicts.cluster(
            Code::NotChecked,
            format!("The inventory of cluster {cluster} has no Service."),
            "East-west gateways are Services; other clusters cannot call this one without a gateway.",
            format!("{}\n\nor write the facts by hand:\n\n{}", kubectl_get(cluster, "services"), facts_by_hand(cluster, &[])),
        );
        return Vec::new();
    }
    let proxies: Vec<&Member<'a>> = members.iter().filter(|member| member.has_proxy(Role::Gateway)).collect();
    let mut named = Vec::new();
    let mut by_port = Vec::new();
    for service in inventory.all(Kind::Service) {
        let selector = read::map(service.value, &["spec", "selector"]);
        let pods: Vec<&Member<'a>> = proxies
            .iter()
            .filter(|proxy| proxy.namespace == service.namespace && read::selects(&selector, &proxy.labels))
            .copied()
            .collect();
        let passages: Vec<&Passage<'_>> = passages.iter().filter(|passage| passage.reaches(service, &selector, &pods)).collect();
        let is_named = service.label("topology.istio.io/network").is_some()
            || service.label("istio") == Some("eastwestgateway")
            || selector.get("istio") == Some(&"eastwestgateway")
            || (!passages.is_empty() && !pods.is_empty());
        let candidate = Candidate { service, selector, pods, passages };
        if is_named {
            named.push(candidate);
        } else if candidate.port().is_some() && !candidate.pods.is_empty() {
            by_port.push(candidate);
        }
    }
    let candidates = if named.is_empty() { by_port } else { named };
    let mut gateways = Vec::new();
    let mut reasons = Vec::new();
    for candidate in &candidates {
        match candidate.facts(inventory) {
            Ok(facts) => gateways.push(facts),
            Err(reason) => reasons.push(format!("Service {}/{}: {reason}", candidate.service.namespace, candidate.service.name)),
        }
    }
    gateways.extend(
        passages.iter().filter(|passage| candidates.iter().all(|of| !of.is_reached_by(passage))).filter_map(Passage::facts),
    );
    if gateways.is_empty() {
        unreachable(&reasons, verdicts);
    }
    gateways
}

impl<'a> Passage<'a> {
    fn reaches(&self, service: Object<'a>, selector: &BTreeMap<&str, &str>, pods: &[&Member<'a>]) -> bool {
        match &self.target {
            Target::Pods(labels) => pods.iter().any(|pod| labels.iter().all(|(key, value)| pod.labels.get(key) == Some(value))),
            Target::Gateway(gateway) if gateway.namespace == service.namespace => {
                let is_owned =
                    [GATEWAY_NAME, "istio.io/gateway-name"].iter().any(|label| selector.get(label) == Some(&gateway.name));
                is_owned || self.names(service)
            }
            Target::Gateway(_) => self.names(service),
        }
    }

    /// Whether a Gateway API Gateway names the Service: `name`, `name.namespace` or longer.
    fn names(&self, service: Object<'a>) -> bool {
        let Target::Gateway(gateway) = &self.target else { return false };
        read::list(gateway.value, &["spec", "addresses"]).iter().filter_map(|address| read::text(address, &["value"])).any(
            |address| {
                let mut parts = address.split('.');
                parts.next() == Some(service.name) && parts.next().unwrap_or(gateway.namespace) == service.namespace
            },
        )
    }

    /// The facts of a Gateway API Gateway on its own.
    fn facts(&self) -> Option<GatewayFacts> {
        let Target::Gateway(gateway) = &self.target else { return None };
        let addresses = read::list(gateway.value, &["status", "addresses"]);
        let outside =
            addresses.iter().filter_map(|address| read::text(address, &["value"])).filter(|value| !value.contains(".svc."));
        Some(GatewayFacts {
            namespace: gateway.namespace.parse().ok()?,
            selector: BTreeMap::from([(GATEWAY_NAME.to_owned(), gateway.name.to_owned())]),
            address: address(outside, Family::V4)?,
            port: self.port?.into(),
            exposed_hosts: names(&self.hosts),
        })
    }
}

/// A Service that may be an east-west gateway.
struct Candidate<'a, 'p> {
    service: Object<'a>,
    selector: BTreeMap<&'a str, &'a str>,
    pods: Vec<&'p Member<'a>>,
    passages: Vec<&'p Passage<'a>>,
}

impl<'a> Candidate<'a, '_> {
    fn is_reached_by(&self, passage: &Passage<'a>) -> bool {
        self.passages.iter().any(|of| of.object == passage.object)
    }

    fn port(&self) -> Option<&'a Value> {
        let is_tcp = |port: &&Value| matches!(read::text(port, &["protocol"]), None | Some("TCP"));
        let ports = || read::list(self.service.value, &["spec", "ports"]).iter().filter(is_tcp);
        let by = |member: &'static str| move |port: &&Value| read::number(port, &[member]) == Some(EAST_WEST_PORT);
        ports().find(by("port")).or_else(|| {
            // by number, so that the order of the list does not decide
            ports().filter(by("targetPort")).min_by_key(|port| read::number(port, &["port"]))
        })
    }

    fn facts(&self, inventory: &Inventory<'a>) -> Result<GatewayFacts, String> {
        if self.pods.is_empty() {
            return Err("no pod or template behind it runs istio-proxy as a gateway".to_owned());
        }
        let port = self.port().ok_or("no TCP port 15443, by its own number or the target's")?;
        let number = |member: &str| read::number(port, &[member]).and_then(PortNumber::new);
        let service = self.service.value;
        let family = match read::texts(service, &["spec", "ipFamilies"]).next() {
            Some("IPv6") => Family::V6,
            _ => Family::V4,
        };
        let external = address(read::texts(service, &["spec", "externalIPs"]), family).map(|address| (address, number("port")));
        let by_type = match read::text(service, &["spec", "type"]) {
            Some("LoadBalancer") => {
                let entries = read::list(service, &["status", "loadBalancer", "ingress"]);
                let values =
                    entries.iter().filter_map(|entry| read::text(entry, &["ip"]).or_else(|| read::text(entry, &["hostname"])));
                address(values, family).map(|address| (address, number("port")))
            }
            Some("NodePort") => address(node_addresses(inventory), family).map(|address| (address, number("nodePort"))),
            _ => None,
        };
        let (address, port) = by_type.or(external).ok_or_else(|| self.no_address())?;
        Ok(GatewayFacts {
            namespace: self.service.namespace.parse().map_err(|error| format!("{error}"))?,
            selector: self.selector(),
            address,
            port: port.ok_or("its port has no number")?.into(),
            exposed_hosts: names(
                self.passages.iter().flat_map(|passage| &passage.hosts).filter(|passed| self.shares_listener(passed)),
            ),
        })
    }

    /// Whether the proxies pass a host where objects make them listen: at the target port that the Service has for 15443, or at
    /// 15443 itself.
    fn shares_listener(&self, passed: &Passed<'_>) -> bool {
        let listener = |number: Option<i64>| {
            let ports = read::list(self.service.value, &["spec", "ports"]);
            let port = ports.iter().find(|port| read::number(port, &["port"]) == number);
            port.and_then(|port| port.get("targetPort")).cloned().or_else(|| number.map(Value::from))
        };
        listener(passed.port) == listener(Some(EAST_WEST_PORT))
    }

    fn no_address(&self) -> String {
        match read::text(self.service.value, &["spec", "type"]) {
            Some("LoadBalancer") => "its load balancer has no address yet".to_owned(),
            Some("NodePort") => "no node has an address of type ExternalIP".to_owned(),
            _ => "it is reachable inside the cluster only".to_owned(),
        }
    }

    fn selector(&self) -> BTreeMap<String, String> {
        let usual = ("istio", "eastwestgateway");
        if self.selector.get(usual.0) == Some(&usual.1) {
            return BTreeMap::from([(usual.0.to_owned(), usual.1.to_owned())]);
        }
        self.selector.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }
}

/// Which IPs are taken where there are some of both families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// IPs of one family if there are any, else the first hostname.
fn address<'v>(values: impl Iterator<Item = &'v str>, preferred: Family) -> Option<GatewayAddress> {
    let mut ips: BTreeSet<IpAddr> = BTreeSet::new();
    let mut hostnames: BTreeSet<Hostname> = BTreeSet::new();
    for value in values {
        if let Ok(ip) = value.parse() {
            ips.insert(ip);
        } else if let Ok(hostname) = value.trim_end_matches('.').to_ascii_lowercase().parse() {
            hostnames.insert(hostname);
        }
    }
    let is_preferred = |ip: &IpAddr| ip.is_ipv4() == (preferred == Family::V4);
    if ips.iter().any(is_preferred) {
        ips.retain(is_preferred);
    }
    if ips.is_empty() {
        return hostnames.into_iter().next().map(|hostname| GatewayAddress::Hostname(hostname.into()));
    }
    Some(GatewayAddress::Addresses(ips.into_iter().map(Leaf::Known).collect()))
}

/// External IPs of the oldest nodes that have one.
fn node_addresses<'a>(inventory: &Inventory<'a>) -> impl Iterator<Item = &'a str> {
    let addresses = |node: Object<'a>| {
        read::list(node.value, &["status", "addresses"])
            .iter()
            .filter(|address| read::text(address, &["type"]) == Some("ExternalIP"))
            .filter_map(|address| read::text(address, &["address"]))
    };
    let mut nodes: Vec<Object<'a>> = inventory.all(Kind::Node).filter(|node| addresses(*node).next().is_some()).collect();
    nodes.sort_by_key(|node| {
        // RFC 3339 in UTC, as the API server writes it, sorts as text
        let created = read::text(node.value, &["metadata", "creationTimestamp"]);
        (created.is_none(), created, node.name)
    });
    nodes.into_iter().take(NODES).flat_map(addresses)
}

/// Gateways without a claim that pass hosts through to other networks.
fn passages<'a>(inventory: &Inventory<'a>) -> Vec<Passage<'a>> {
    let mut passages = Vec::new();
    for gateway in inventory.all(Kind::IstioGateway).filter(|gateway| gateway.claimed_by().is_none()) {
        let servers = read::list(gateway.value, &["spec", "servers"])
            .iter()
            .filter(|server| read::text(server, &["tls", "mode"]) == Some("AUTO_PASSTHROUGH"));
        let hosts: Vec<Passed<'_>> = servers
            .flat_map(|server| {
                let port = read::number(server, &["port", "number"]);
                read::texts(server, &["hosts"]).map(move |host| Passed { port, host })
            })
            .collect();
        if !hosts.is_empty() {
            passages.push(Passage {
                port: None,
                object: format!("Gateway/{}/{}", gateway.namespace, gateway.name),
                hosts,
                target: Target::Pods(read::map(gateway.value, &["spec", "selector"])),
            });
        }
    }
    for gateway in inventory.all(Kind::GatewayApiGateway).filter(|gateway| gateway.claimed_by().is_none()) {
        if matches!(read::text(gateway.value, &["spec", "gatewayClassName"]), None | Some("istio-remote" | "istio-waypoint")) {
            continue;
        }
        let listeners: Vec<&Value> = read::list(gateway.value, &["spec", "listeners"])
            .iter()
            .filter(|listener| is_passthrough(gateway, listener))
            .collect();
        let passed = |listener: &&'a Value| Passed {
            port: read::number(listener, &["port"]),
            host: read::text(listener, &["hostname"]).unwrap_or("*"),
        };
        let hosts: Vec<Passed<'_>> = listeners.iter().map(passed).collect();
        if !hosts.is_empty() {
            passages.push(Passage {
                port: listeners.iter().filter_map(|listener| PortNumber::new(read::number(listener, &["port"])?)).min(),
                object: format!("Gateway.gateway.networking.k8s.io/{}/{}", gateway.namespace, gateway.name),
                hosts,
                target: Target::Gateway(gateway),
            });
        }
    }
    passages
}

/// Whether a listener leads to other networks, as istiod decides it.
fn is_passthrough(gateway: Object<'_>, listener: &Value) -> bool {
    if read::text(listener, &["tls", "mode"]) != Some("Passthrough") {
        return false;
    }
    let is_declared = read::text(listener, &["tls", "options", "gateway.istio.io/listener-protocol"]) == Some("auto-passthrough");
    let port = gateway.label("networking.istio.io/gatewayPort").map_or(Some(EAST_WEST_PORT), |port| port.parse().ok());
    let is_usual = gateway.label("topology.istio.io/network").is_some() && read::number(listener, &["port"]) == port;
    is_declared || is_usual
}

/// The names that are passed, each once.
fn names<'p>(hosts: impl IntoIterator<Item = &'p Passed<'p>>) -> Vec<String> {
    let names: BTreeSet<&str> = hosts.into_iter().map(|passed| GatewayFacts::passed_name(passed.host)).collect();
    names.into_iter().map(str::to_owned).collect()
}

fn open_passthrough(object: &str, verdicts: &mut Verdicts<'_>) {
    verdicts.object(
        Code::OpenPassthrough,
        object,
        format!("{object} in cluster {} passes every host through to other networks.", verdicts.cluster),
        "Whoever reaches the gateway can address each Service of the cluster; only authorisation policies guard them.",
        "Narrow its hosts, for instance to \"*.local\", or remove it: a gloo_virtual_destination exposes exactly its own Service.",
    );
}

fn unreachable(reasons: &[String], verdicts: &mut Verdicts<'_>) {
    let cluster = verdicts.cluster;
    let seen = if reasons.is_empty() {
        "No Service looks like an east-west gateway.".to_owned()
    } else {
        reasons.iter().map(|reason| format!("{reason}.")).collect::<Vec<_>>().join(" ")
    };
    verdicts.cluster(
        Code::GatewayUnreachable,
        format!("Cluster {cluster} has no east-west gateway that other clusters can reach. {seen}"),
        "It can call other clusters, but none can call it.",
        format!(
            "Install an east-west gateway with port 15443, or write the address under which it answers:\n\n  \
             {cluster} = merge(data.gloo_cluster.all[\"{cluster}\"].facts, {{ gateways = [{{ addresses = [\"203.0.113.10\"] }}] }})"
        ),
    );
}
