//! What a client's proxy is told: the host, its route, its policy, its endpoints.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::names::ClusterName;

use crate::Cause;
use crate::envoy::Endpoint;
use crate::fleet::{Fleet, Member};
use crate::forecast::{NoRoute, Request, Via};
use crate::reach::{Answer, Caller};
use crate::read::{self, Entry, Host, HostPort, Locality, PortPolicy, Protocol, Route};
use crate::world::World;

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const SUBZONE: &str = "topology.istio.io/subzone";
const NETWORK: &str = "topology.istio.io/network";

/// Clients and the pods of their cluster are in one zone; no label says which, so its name is one that no object has.
const SAME_ZONE: &str = "(the client's zone)";

/// A host as one client sees it.
pub(crate) struct Upstream<'f> {
    pub(crate) route: Route,
    pub(crate) policy: PortPolicy,
    pub(crate) protocol: Protocol,
    pub(crate) endpoints: Vec<Endpoint>,
    /// where each endpoint leads
    pub(crate) ways: Vec<(Option<&'f ClusterName>, Via)>,
}

/// Who serves a host, whether it is one of a ServiceEntry or of a Service.
struct Served<'a> {
    namespace: &'a str,
    port: HostPort,
    selector: Option<&'a BTreeMap<String, String>>,
    identities: &'a [String],
    prefers_close: bool,
}

impl<'f> Upstream<'f> {
    pub(crate) fn find(fleet: &'f Fleet, world: &World, request: &Request<'_>) -> Result<Self, NoRoute> {
        let (cluster, member) = fleet.members.get_key_value(request.cluster).ok_or(NoRoute::NameUnknown)?;
        let route = route(member, request);
        let name = route.as_ref().and_then(|route| route.host.clone()).unwrap_or_else(|| request.host.to_owned());
        resolve(world, cluster, member, request)?;
        let served = served(member, request, &name)?;
        let route = match (route, served.port.protocol) {
            (Some(route), _) => route,
            // routes are of requests
            (None, Protocol::Bytes) => Route::default(),
            (None, Protocol::Http | Protocol::Grpc) => return Err(NoRoute::NotRouted),
        };
        let policy = policy(member, request, &name, &served);
        let server_name = match policy.tls.as_ref().and_then(|tls| tls.server_name.clone()) {
            Some(name) => name,
            None => format!("outbound_.{}_._.{name}", served.port.number),
        };
        // what the policy lists stands in the place of what the host lists
        let listed = policy.tls.as_ref().map(|tls| tls.identities.as_slice()).filter(|listed| !listed.is_empty());
        let identities: BTreeSet<String> = listed.unwrap_or(served.identities).iter().cloned().collect();
        let caller = Caller {
            member,
            namespace: request.namespace,
            account: request.account,
            server_name: &server_name,
            identities: &identities,
        };
        let mut endpoints = Vec::new();
        let mut ways = Vec::new();
        pods(world, cluster, member, &served, &caller, &mut |way, endpoint| {
            ways.push((Some(cluster), way));
            endpoints.push(endpoint);
        });
        for (via, cluster, endpoint) in entries(fleet, world, member, &served, &caller) {
            ways.push((cluster, via));
            endpoints.push(endpoint);
        }
        if endpoints.is_empty() {
            return Err(NoRoute::NoEndpoints);
        }
        let labels: Vec<BTreeMap<String, String>> = ways.iter().map(|(_, way)| endpoint_labels(member, &served, way)).collect();
        rank(member, &policy, served.prefers_close, &labels, &mut endpoints);
        Ok(Self { route, policy, protocol: served.port.protocol, endpoints, ways })
    }
}

/// The route of a request: of the first VirtualService for its host, and there the first that takes it, if one does.
fn route(member: &Member, request: &Request<'_>) -> Option<Route> {
    let tables = member.configuration.route_tables.iter();
    let table = tables
        .filter(|table| read::is_visible(&table.export_to, &table.namespace, request.namespace))
        .find(|table| table.names.iter().any(|name| name == request.host));
    let takes = |route: &&Route| route.methods.is_empty() || route.methods.iter().any(|method| method == request.method);
    match table {
        Some(table) => table.routes.iter().find(takes).cloned(),
        None => Some(Route::default()),
    }
}

fn resolve(world: &World, cluster: &ClusterName, member: &Member, request: &Request<'_>) -> Result<(), NoRoute> {
    let is_service = member.services.iter().any(|service| service.host == request.host);
    if is_service || member.answers_dns != Some(false) || world.resolved.contains(cluster) {
        return Ok(());
    }
    // a name that nothing is configured for is unknown, whoever answers
    let known = host(member, request, request.host).is_some();
    Err(if known { NoRoute::NameNotResolved } else { NoRoute::NameUnknown })
}

fn host<'m>(member: &'m Member, request: &Request<'_>, name: &str) -> Option<&'m Host> {
    let visible = |host: &&Host| {
        host.names.iter().any(|other| other == name) && read::is_visible(&host.export_to, &host.namespace, request.namespace)
    };
    member.configuration.hosts.iter().find(visible)
}

fn served<'m>(member: &'m Member, request: &Request<'_>, name: &str) -> Result<Served<'m>, NoRoute> {
    if let Some(service) = member.services.iter().find(|service| service.host == name) {
        let (number, port_name, target) =
            service.ports.iter().find(|(number, _, _)| *number == request.port).ok_or(NoRoute::PortUnknown)?;
        let port =
            HostPort { number: *number, name: port_name.clone().unwrap_or_default(), target: *target, protocol: Protocol::Http };
        let selector = Some(&service.selector);
        return Ok(Served { namespace: &service.namespace, port, selector, identities: &[], prefers_close: false });
    }
    let host = host(member, request, name).ok_or(NoRoute::NameUnknown)?;
    let port = host.ports.iter().find(|port| port.number == request.port).ok_or(NoRoute::PortUnknown)?;
    Ok(Served {
        namespace: &host.namespace,
        port: port.clone(),
        selector: host.selector.as_ref(),
        identities: &host.identities,
        prefers_close: host.prefers_close,
    })
}

/// The policy of a port, looked for where istiod does: in the client's namespace, the host's and the root one, no other.
fn policy(member: &Member, request: &Request<'_>, name: &str, served: &Served<'_>) -> PortPolicy {
    let places = [request.namespace, served.namespace, &member.root_namespace];
    let found = places.iter().find_map(|place| {
        member.configuration.policies.iter().find(|policy| {
            policy.namespace == **place
                && policy.host == name
                && read::is_visible(&policy.export_to, &policy.namespace, request.namespace)
        })
    });
    found.map(|policy| policy.of_port(served.port.number).clone()).unwrap_or_default()
}

/// Pods of the client's own cluster.
fn pods(
    world: &World,
    cluster: &ClusterName,
    member: &Member,
    served: &Served<'_>,
    caller: &Caller<'_>,
    add: &mut impl FnMut(Via, Endpoint),
) {
    let here = member.services.iter().filter(|service| service.namespace == served.namespace);
    for (position, service) in here.enumerate().filter(|(_, service)| read::is_selected(served.selector, &service.labels)) {
        let pods = world.pods_of(cluster);
        for pod in 0..pods.all {
            let well = caller.answered_by(member, service, served.port.target);
            let answer = match well {
                Answer::Served | Answer::Denied if pod < pods.failing => Answer::Failed(pods.fault, Cause::Pods),
                well => well,
            };
            let locality = member.region.iter().cloned().chain([SAME_ZONE.to_owned()]).collect();
            add(Via::Pods { service: position }, Endpoint { priority: 0, locality, weight: 1, answer });
        }
    }
}

/// Entries of the host's namespace.
fn entries<'f>(
    fleet: &'f Fleet,
    world: &World,
    member: &'f Member,
    served: &Served<'_>,
    caller: &Caller<'_>,
) -> Vec<(Via, Option<&'f ClusterName>, Endpoint)> {
    let selected = member
        .configuration
        .entries
        .iter()
        .filter(|entry| entry.namespace == served.namespace && read::is_selected(served.selector, &entry.labels));
    let endpoint = |entry: &'f Entry| {
        let address = entry.address?;
        let port = entry.ports.get(&served.port.name).copied().unwrap_or(served.port.target);
        let (cluster, answer) = caller.answered_at(fleet, world, &address, port);
        let via = Via::Entry { name: entry.name.clone(), address };
        Some((via, cluster, Endpoint { priority: 0, locality: entry.locality.clone(), weight: entry.weight, answer }))
    };
    selected.filter_map(endpoint).collect()
}

fn endpoint_labels(member: &Member, served: &Served<'_>, way: &Via) -> BTreeMap<String, String> {
    match way {
        Via::Pods { service } => {
            let mut here = member.services.iter().filter(|service| service.namespace == served.namespace);
            let mut labels = here.nth(*service).map(|service| service.labels.clone()).unwrap_or_default();
            labels.extend(client_labels(member));
            labels
        }
        Via::Entry { name, address: _ } => {
            let entries = member.configuration.entries.iter();
            let Some(entry) = entries.filter(|entry| entry.namespace == served.namespace).find(|entry| entry.name == *name)
            else {
                return BTreeMap::new();
            };
            let mut labels = entry.labels.clone();
            let places = [REGION, ZONE, SUBZONE].into_iter().zip(&entry.locality);
            labels.extend(places.map(|(key, value)| (key.to_owned(), value.clone())));
            labels
        }
    }
}

/// Labels of a workload in a cluster, as far as priorities may compare them. Client workloads carry none of the destination's.
fn client_labels(member: &Member) -> BTreeMap<String, String> {
    let zone = member.region.as_ref().map(|_| SAME_ZONE.to_owned());
    [(REGION, member.region.clone()), (ZONE, zone), (NETWORK, member.network.clone())]
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

/// Gives endpoints their priorities: how many of the labels, from the first in which an endpoint differs from the client, are
/// left. istiod computes none without outlier detection, unless the host asks for near endpoints itself.
fn rank(
    member: &Member,
    policy: &PortPolicy,
    prefers_close: bool,
    labels: &[BTreeMap<String, String>],
    endpoints: &mut [Endpoint],
) {
    let texts = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<String>>();
    let listed = match (&policy.locality, prefers_close) {
        (Locality::Labels(listed), _) if policy.outlier.is_some() => listed.clone(),
        (Locality::Near, _) | (Locality::Unset, false) if policy.outlier.is_some() => texts(&[REGION, ZONE, SUBZONE]),
        (Locality::Unset, true) => texts(&[NETWORK, REGION, ZONE, SUBZONE]),
        _ => return,
    };
    let client = client_labels(member);
    for (endpoint, labels) in endpoints.iter_mut().zip(labels) {
        let differs = |text: &String| match text.split_once('=') {
            Some((key, value)) => labels.get(key).map(String::as_str) != Some(value),
            None => labels.get(text) != client.get(text),
        };
        endpoint.priority = listed.iter().position(differs).map_or(0, |position| listed.len() - position);
    }
    // priorities without endpoints are left out
    let distinct: BTreeSet<usize> = endpoints.iter().map(|endpoint| endpoint.priority).collect();
    for endpoint in endpoints {
        endpoint.priority = distinct.range(..endpoint.priority).count();
    }
}
