//! What is planned in one cluster, read back from its objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Object, Tree, reserved};
use mesh_model::derived;

use crate::Objects;

/// Planned objects of one cluster.
pub(super) struct Planned<'a> {
    /// the hostname of the destination
    pub(super) hostname: &'a str,
    /// what its objects have in common in all clusters
    pub(super) common: &'a Common,
    /// all objects
    pub(super) objects: &'a [Arc<Object>],
}

/// What the policy says, which is the same in all clusters.
#[derive(Default)]
pub(super) struct Common {
    /// ports of the Service behind the destination
    pub(super) service_ports: BTreeSet<String>,
    /// SPIFFE ids that clients accept; `None` where they are not all known
    pub(super) identities: Option<BTreeSet<String>>,
    /// subsets that get calls
    pub(super) routed: BTreeSet<String>,
    /// clusters that others call for a subset
    pub(super) entries: BTreeSet<(String, String)>,
}

impl Common {
    pub(super) fn of(objects: &Objects) -> Self {
        let Some(rule) = objects.values().flatten().find(|object| is_of_clients(object)) else {
            return Self::default();
        };
        let ports = server_names(rule)
            .filter_map(|name| name.strip_prefix("outbound_.")?.split_once("_._."))
            .map(|(port, _)| port.to_owned());
        let identities = transport(rule).flat_map(|tls| members(tls, "subjectAltNames")).map(|id| id.text().map(str::to_owned));
        let identities: Option<BTreeSet<String>> = identities.collect();
        let of_kind = |kind: &'static str| objects.values().flatten().filter(move |object| object.kind.is_istio(kind));
        let entry = |entry: &Arc<Object>| {
            let name = entry.name.as_str().strip_prefix(derived::destination_of("WorkloadEntry", &entry.name)?)?;
            let cluster = name.strip_prefix('.')?.split('.').next()?;
            Some((cluster.to_owned(), derived::subset_of(&entry.name)?.to_owned()))
        };
        Self {
            service_ports: ports.collect(),
            identities: identities.filter(|all| !all.is_empty()),
            routed: of_kind("VirtualService").flat_map(|service| routed(service)).map(str::to_owned).collect(),
            entries: of_kind("WorkloadEntry").filter_map(entry).collect(),
        }
    }
}

/// Subsets to which a VirtualService sends calls.
fn routed(service: &Object) -> impl Iterator<Item = &str> {
    let of = |member| service.at(&["spec"]).map_or(&[][..], |spec| members(spec, member));
    let destinations = of("http").iter().chain(of("tcp")).flat_map(|route| members(route, "route"));
    destinations.filter_map(|route| route.member("destination")?.member("subset")?.text())
}

/// Whether it is a DestinationRule of clients, not of gateways.
pub(super) fn is_of_clients(object: &Object) -> bool {
    object.kind.is_istio("DestinationRule") && !derived::is_serving_name(&object.name)
}

/// How clients of each port encrypt.
fn transport(rule: &Object) -> impl Iterator<Item = &Tree> {
    let policy = rule.at(&["spec", "trafficPolicy"]);
    let ports = policy.map_or(&[][..], |policy| members(policy, "portLevelSettings"));
    policy.into_iter().chain(ports).filter_map(|policy| policy.member("tls"))
}

/// The server name of each port.
fn server_names(rule: &Object) -> impl Iterator<Item = &str> {
    transport(rule).filter_map(|tls| tls.member("sni").and_then(Tree::text))
}

/// The objects of each destination, which its label ties together, and those of none.
pub(super) fn by_destination(objects: &Objects) -> Vec<Objects> {
    let mut destinations: BTreeMap<Option<&str>, Objects> = BTreeMap::new();
    for (cluster, objects) in objects {
        for object in objects {
            let destination = object.labels.get(reserved::DESTINATION_LABEL).map(String::as_str);
            destinations.entry(destination).or_default().entry(cluster.clone()).or_default().push(Arc::clone(object));
        }
    }
    destinations.into_values().collect()
}

/// The hostname that the objects are about.
pub(super) fn hostname(objects: &Objects) -> Option<String> {
    let hosts = objects.values().flatten().filter(|object| object.kind.is_istio("ServiceEntry"));
    hosts.filter_map(|host| strings(host, HOSTS).next()).find(|host| !derived::is_serving_host(host)).map(str::to_owned)
}

impl<'a> Planned<'a> {
    pub(super) fn new(hostname: &'a str, common: &'a Common, objects: &'a [Arc<Object>]) -> Self {
        Self { hostname, common, objects }
    }

    /// Objects of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &'a Object> {
        self.objects.iter().map(|object| &**object).filter(move |object| object.kind.is_istio(kind))
    }

    /// The ServiceEntry of the hostname.
    pub(super) fn host(&self) -> Option<&'a Object> {
        self.of_kind("ServiceEntry").find(|host| strings(host, HOSTS).any(|name| name == self.hostname))
    }

    /// The DestinationRule by which the cluster's gateways tell subsets apart.
    pub(super) fn of_gateways(&self) -> Option<&'a Object> {
        self.of_kind("DestinationRule").find(|rule| !is_of_clients(rule))
    }

    /// What tells the cluster's own pods, if they serve.
    pub(super) fn behind(&self) -> Option<Behind<'a>> {
        let is_serving = |host: &&Object| strings(host, HOSTS).any(derived::is_serving_host);
        if let Some(host) = self.of_kind("ServiceEntry").find(is_serving) {
            return Some(Behind::Labels { namespace: host.namespace.as_ref()?.as_str(), labels: labels(host, SELECTOR) });
        }
        let exposed = self.of_kind("Gateway").find_map(gateway_server).map(|server| server.host);
        let host = exposed.or_else(|| {
            let mut rules = self.of_kind("DestinationRule").filter(|rule| is_of_clients(rule) && self.serves());
            rules.find_map(|rule| server_names(rule).next()?.split_once("_._.").map(|(_, host)| host))
        })?;
        if derived::is_serving_host(host) {
            // nobody calls these pods from outside; the cluster's own clients know them by their canonical name
            let host = self.host()?;
            return Some(Behind::Labels { namespace: host.namespace.as_ref()?.as_str(), labels: labels(host, SELECTOR) });
        }
        let mut parts = host.split('.');
        Some(Behind::Service { name: parts.next()?, namespace: parts.next()? })
    }

    /// Whether the cluster's own pods serve and call.
    pub(super) fn serves(&self) -> bool {
        self.host().is_some_and(selects_pods)
    }

    /// Ports of the cluster's own pods, if they serve and call.
    pub(super) fn target_ports(&self) -> BTreeSet<&'a str> {
        let ports = |entry: &'a Object| entry.at(&["spec"]).map_or(&[][..], |spec| members(spec, "ports"));
        let target = |port: &'a Tree| match port.member("targetPort") {
            Some(Tree::Number(number)) => Some(number.as_str()),
            _ => None,
        };
        self.of_kind("ServiceEntry").filter(|entry| selects_pods(entry)).flat_map(ports).filter_map(target).collect()
    }
}

/// Where an entry lists its hosts, and what it selects.
const HOSTS: &[&str] = &["spec", "hosts"];
const SELECTOR: &[&str] = &["spec", "workloadSelector", "labels"];

/// What tells the pods that serve.
pub(super) enum Behind<'a> {
    /// their Service
    Service {
        /// its name
        name: &'a str,
        /// its namespace
        namespace: &'a str,
    },
    /// their labels
    Labels {
        /// their namespace
        namespace: &'a str,
        /// all of which they have
        labels: BTreeMap<&'a str, &'a str>,
    },
}

fn selects_pods(entry: &Object) -> bool {
    !labels(entry, SELECTOR).contains_key(reserved::DESTINATION_LABEL)
}

/// What a Gateway of ours exposes.
#[derive(Clone, Copy)]
pub(super) struct GatewayServer<'a> {
    /// the full name of the Service
    pub(super) host: &'a str,
    pub(super) port: i64,
}

/// The one server that a Gateway of ours has.
pub(super) fn gateway_server(gateway: &Object) -> Option<GatewayServer<'_>> {
    let server = members(gateway.at(&["spec"])?, "servers").first()?;
    let Some(Tree::Number(port)) = server.member("port")?.member("number") else { return None };
    Some(GatewayServer { host: members(server, "hosts").iter().find_map(Tree::text)?, port: port.as_str().parse().ok()? })
}

/// Elements of a list that a member is.
pub(super) fn members<'t>(tree: &'t Tree, key: &str) -> &'t [Tree] {
    elements(tree.member(key))
}

pub(super) fn elements(tree: Option<&Tree>) -> &[Tree] {
    tree.map_or(&[], Tree::elements)
}

/// A known string in an object.
pub(super) fn string<'t>(object: &'t Object, path: &[&str]) -> Option<&'t str> {
    object.at(path).and_then(Tree::text)
}

/// Known strings of a list in an object.
pub(super) fn strings<'t>(object: &'t Object, path: &[&str]) -> impl Iterator<Item = &'t str> + use<'t> {
    elements(object.at(path)).iter().filter_map(Tree::text)
}

/// Known labels in an object. Istio reads those of a WorkloadEntry's metadata as the workload's too.
pub(super) fn labels<'t>(object: &'t Object, path: &[&str]) -> BTreeMap<&'t str, &'t str> {
    let members = match object.at(path) {
        Some(Tree::Map(members)) => Some(members),
        _ => None,
    };
    members.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.text()?))).collect()
}
