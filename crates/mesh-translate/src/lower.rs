//! Lower: from a linked intent to one plan per cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mesh_model::Leaf;
use mesh_model::derived;
use mesh_model::facts::{ClusterFacts, GatewayFacts};
use mesh_model::intent::{Port, Shares, Subset};
use mesh_model::names::{CanonicalName, ClusterName, Hostname, Namespace, PortNumber, Region, ServiceAccount, SubsetName};

use crate::features::listening_port;
use crate::ir::{
    ClientPlan, ClusterPlan, ConnectionRoute, Destinations, Entry, Exposure, Host, HostPort, LocalPods, Policy, PortPolicy,
    RankedBy, Ranks, RemoteGateway, Route, RouteTable, ServingHost, ServingSubsets, SubsetPolicy, Way,
};
use crate::link::{Client, Linked, Served, Serving, gateways};

/// Methods that RFC 9110 calls safe and that services are called with: repeating them changes nothing.
const SAFE_METHODS: &[&str] = &["GET", "HEAD", "OPTIONS"];

/// How hosts select the pods and the entries that serve them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// pods of a cluster and entries of others by the canonical name that they share
    ByName,
    /// pods by what their Service selects, entries by their destination: only one cluster serves, and a destination of the same
    /// pods selects by their canonical name
    Apart,
}

/// Plans every cluster that takes part.
pub(crate) fn lower<'a>(linked: &Linked<'a>, selection: Selection) -> BTreeMap<&'a ClusterName, ClusterPlan> {
    let mut alike = Alike::new(linked, selection);
    linked
        .members
        .iter()
        .map(|(cluster, member)| {
            let is_called = linked.called.contains(cluster);
            let exposures = if is_called { alike.exposures(member.facts) } else { Vec::new() };
            let serving = match &linked.served {
                Served::Own(host) if is_called => Some(Arc::new(serving_host(linked, cluster, member.facts, host))),
                Served::Own(_) | Served::Service(_) => None,
            };
            let serving_subsets = serving.as_ref().and_then(|host| serving_subsets(linked, host)).map(Arc::new);
            let client = member.client.as_ref().map(|client| alike.client_plan(cluster, member.facts, client));
            (*cluster, ClusterPlan { exposures, serving, serving_subsets, client })
        })
        .collect()
}

/// What the entries of a target depend on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Target<'l> {
    cluster: &'l ClusterName,
    rank: &'l Leaf<u32>,
    /// whether the client's namespace is that of its pods
    is_near: bool,
    /// the canonical name of the client's own pods
    own_name: Option<&'l Leaf<CanonicalName>>,
    /// how the client ranks
    by: By,
}

/// How a client ranks the clusters that serve it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Labels,
    Localities,
    Shares,
}

/// Ports of the cluster's own pods, and their canonical name.
type Own<'l> = (&'l [Option<PortNumber>], &'l Leaf<CanonicalName>);

/// What clusters hold alike, by what makes it differ.
struct Alike<'l> {
    linked: &'l Linked<'l>,
    selection: Selection,
    policies: BTreeMap<Ranks, Arc<Policy>>,
    route_table: Option<Arc<RouteTable>>,
    /// by the cluster's own pods; `None` where none serve
    hosts: BTreeMap<Option<Own<'l>>, Arc<Host>>,
    entries: BTreeMap<Target<'l>, Vec<Arc<Entry>>>,
    /// by target
    remote_gateways: BTreeMap<&'l ClusterName, Vec<Arc<RemoteGateway>>>,
    /// by the gateway's namespace and labels
    exposures: BTreeMap<(&'l Namespace, &'l BTreeMap<String, String>), Arc<Exposure>>,
}

impl<'l> Alike<'l> {
    fn new(linked: &'l Linked<'l>, selection: Selection) -> Self {
        let is_routed = linked.ports.iter().any(|port| port.protocol.has_requests()) || !linked.intent.subsets.is_empty();
        Self {
            linked,
            selection,
            policies: BTreeMap::new(),
            remote_gateways: BTreeMap::new(),
            route_table: is_routed.then(|| Arc::new(route_table(linked))),
            hosts: BTreeMap::new(),
            entries: BTreeMap::new(),
            exposures: BTreeMap::new(),
        }
    }

    /// One for every gateway workload, unless somebody else's Gateway exposes the host there.
    fn exposures(&mut self, facts: &'l ClusterFacts) -> Vec<Arc<Exposure>> {
        let linked = self.linked;
        let served_host = linked.served.host();
        let mut workloads: Vec<(&Namespace, &BTreeMap<String, String>)> = Vec::new();
        let mut exposures = Vec::new();
        for gateway in &facts.gateways {
            let workload = (&gateway.namespace, &gateway.selector);
            if workloads.contains(&workload) {
                continue;
            }
            workloads.push(workload);
            let same = facts.gateways.iter().filter(|other| (&other.namespace, &other.selector) == workload);
            if same.into_iter().any(|other| gateways::exposes(other, &served_host)) {
                continue;
            }
            let made = self.exposures.entry(workload).or_insert_with(|| Arc::new(exposure(linked, workload)));
            exposures.push(Arc::clone(made));
        }
        exposures
    }

    fn client_plan(&mut self, cluster: &ClusterName, facts: &'l ClusterFacts, client: &'l Client<'l>) -> ClientPlan {
        let Self { linked, selection, .. } = *self;
        let serving = linked.serving.get(cluster);
        let own = serving.map(|serving| (serving.target_ports.as_slice(), serving.canonical_name()));
        let host = self.hosts.entry(own).or_insert_with(|| Arc::new(host(linked, serving, selection)));
        let own_name = own.map(|(_, name)| name);
        let named: Vec<&'l ClusterName> = client.targets.keys().copied().filter(|target| linked.named.contains(target)).collect();
        let (by, ranks) = match (client.shares, &facts.region) {
            (Some(shares), region) => (By::Shares, Ranks::Shares(regions(cluster, shares, region.as_ref()))),
            // by localities for all where one has no labels
            (None, Some(from)) if !named.is_empty() => (By::Localities, Ranks::Localities { from: from.clone() }),
            (None, _) => (By::Labels, Ranks::Labels { highest: linked.highest_rank }),
        };
        let policy = self.policies.entry(ranks.clone()).or_insert_with(|| Arc::new(policy(linked, &ranks)));
        let of_target = |(target, rank): (&&'l ClusterName, &'l Leaf<u32>)| {
            let is_near = client.namespace == linked.serving[target].namespace();
            let target = Target { cluster: target, rank, is_near, own_name, by };
            self.entries.entry(target).or_insert_with(|| entries(linked, target, selection)).clone()
        };
        let entries = client.targets.iter().flat_map(of_target).collect();
        let of_network = |target: &&'l ClusterName| {
            self.remote_gateways.entry(target).or_insert_with(|| remote_gateways(linked, target)).clone()
        };
        ClientPlan {
            namespace: client.namespace.clone(),
            host: Arc::clone(host),
            policy: Arc::clone(policy),
            route_table: self.route_table.clone(),
            entries,
            remote_gateways: named.iter().flat_map(of_network).collect(),
        }
    }
}

fn exposure(linked: &Linked<'_>, (namespace, selector): (&Namespace, &BTreeMap<String, String>)) -> Exposure {
    let hostname = &linked.intent.hostname;
    let service = match &linked.served {
        Served::Service(service) => Some((service.name, service.namespace)),
        Served::Own(_) => None,
    };
    Exposure {
        name: derived::exposure_name(hostname, service, selector),
        namespace: namespace.clone(),
        selector: selector.clone(),
        served_host: linked.served.host(),
        destination: derived::destination_label(hostname).to_string(),
    }
}

/// The name by which gateways know the cluster's pods.
fn serving_host(linked: &Linked<'_>, cluster: &ClusterName, facts: &ClusterFacts, hostname: &Hostname) -> ServingHost {
    let serving = &linked.serving[cluster];
    // the root namespace, where gateways usually are, is one of them also while they are elsewhere: so a move adds one only
    let gateways: BTreeSet<&Namespace> =
        facts.gateways.iter().map(|gateway| &gateway.namespace).chain([&facts.root_namespace]).collect();
    ServingHost {
        name: derived::destination_name(hostname),
        namespace: serving.namespace().clone(),
        hostname: hostname.clone(),
        destination: derived::destination_label(&linked.intent.hostname).to_string(),
        ports: ports(linked, Some(&serving.target_ports)),
        selector: serving.labels(),
        // what several Services have in common may be less than what tells their pods from others
        canonical_name: (serving.backends.len() > 1).then(|| serving.canonical_name().clone()),
        gateways: gateways.into_iter().cloned().collect(),
    }
}

/// The subsets of that name, if there are some.
fn serving_subsets(linked: &Linked<'_>, host: &ServingHost) -> Option<ServingSubsets> {
    let subsets: Vec<_> =
        linked.intent.subsets.iter().map(|(name, Subset { labels, weight: _ })| (name.clone(), labels.clone())).collect();
    (!subsets.is_empty()).then(|| ServingSubsets {
        name: host.name.clone(),
        namespace: host.namespace.clone(),
        hostname: host.hostname.clone(),
        destination: host.destination.clone(),
        subsets,
        gateways: host.gateways.clone(),
    })
}

/// The ports of a host; without pods of the cluster gateways serve them.
fn ports(linked: &Linked<'_>, target_ports: Option<&[Option<PortNumber>]>) -> Vec<HostPort> {
    let port = |(index, port): (usize, &&Port)| HostPort {
        number: port.number,
        name: port.name.clone(),
        protocol: port.protocol,
        target_port: match target_ports {
            None => listening_port(),
            // a Service that lacks the port is refused
            Some(target_ports) => target_ports[index].unwrap_or(port.number),
        },
    };
    linked.ports.iter().enumerate().map(port).collect()
}

fn host(linked: &Linked<'_>, own: Option<&Serving<'_>>, selection: Selection) -> Host {
    let intent = linked.intent;
    let local = |own: &Serving<'_>| match selection {
        Selection::ByName => LocalPods::Serving { canonical_name: own.canonical_name().clone() },
        Selection::Apart => LocalPods::Alone { selector: own.labels() },
    };
    Host {
        name: derived::destination_name(&intent.hostname),
        hostname: intent.hostname.clone(),
        destination: derived::destination_label(&intent.hostname).to_string(),
        ports: ports(linked, own.map(|own| own.target_ports.as_slice())),
        local: own.map_or(LocalPods::None, local),
        identities: linked.identities.clone(),
        export_to: export_to(linked),
        ignored: intent.ignored.clone(),
    }
}

/// The shares of a client by region: that of its own cluster's pods, and those that stand for other clusters.
fn regions(client: &ClusterName, shares: &Shares, own: Option<&Leaf<Region>>) -> Vec<(Leaf<Region>, u8)> {
    let region = |cluster: &ClusterName| match cluster == client {
        true => own.expect("a share without a region is refused").clone(),
        false => Leaf::Known(derived::share_region(cluster)),
    };
    shares.iter().map(|(cluster, percent)| (region(cluster), percent)).collect()
}

fn policy(linked: &Linked<'_>, ranks: &Ranks) -> Policy {
    let intent = linked.intent;
    let of_ports = |subset: Option<&SubsetName>| -> Vec<PortPolicy> {
        let of_port = |(index, port): (usize, &&Port)| PortPolicy {
            number: port.number,
            sni: linked.served.sni(index, port, subset),
            identities: linked.identities.clone(),
            connect_timeout: intent.connect_timeout.clone(),
            tcp_keepalive: intent.tcp_keepalive.clone(),
            load_balancer: intent.load_balancer.clone(),
            ranks: ranks.clone(),
            outlier_detection: intent.outlier_detection.clone(),
        };
        linked.ports.iter().enumerate().map(of_port).collect()
    };
    let of_subset = |(name, Subset { labels, weight: _ }): (&SubsetName, &Subset)| SubsetPolicy {
        name: name.clone(),
        labels: labels.clone(),
        ports: of_ports(Some(name)),
    };
    Policy {
        hostname: intent.hostname.clone(),
        export_to: export_to(linked),
        ports: of_ports(None),
        subsets: intent.subsets.iter().map(of_subset).collect(),
    }
}

/// Namespaces that see the host: sorted, each once, unknown ones last.
fn export_to(linked: &Linked<'_>) -> Vec<Leaf<String>> {
    linked.intent.export_to.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Requests of safe methods are repeated when the answer is 503: a dead application behind a living sidecar looks like that.
fn route_table(linked: &Linked<'_>) -> RouteTable {
    let intent = linked.intent;
    let destinations = destinations(linked);
    let route = |name, methods: &'static [&'static str], retry_unavailable| Route {
        name,
        methods,
        destinations: destinations.clone(),
        attempts: intent.retries.attempts.clone(),
        per_try_timeout: intent.retries.per_try_timeout.clone(),
        retry_unavailable,
        retry_on_reset: intent.retries.retry_on_reset.clone(),
        timeout: intent.timeout.clone(),
    };
    let routes = vec![
        route("safe-methods", SAFE_METHODS, Leaf::Known(true)),
        route("other-methods", &[], intent.retries.retry_unavailable.clone()),
    ];
    let (with_requests, without): (Vec<&Port>, Vec<&Port>) = linked.ports.iter().partition(|port| port.protocol.has_requests());
    let is_split = !intent.subsets.is_empty() && !without.is_empty();
    RouteTable {
        hostname: intent.hostname.clone(),
        export_to: export_to(linked),
        routes: if with_requests.is_empty() { Vec::new() } else { routes },
        connections: is_split
            .then(|| ConnectionRoute { ports: without.into_iter().map(|port| port.number).collect(), destinations }),
    }
}

/// Who serves every route. What gets no calls is not named, so that it can come and go.
fn destinations(linked: &Linked<'_>) -> Destinations {
    let intent = linked.intent;
    let shares: Vec<(SubsetName, u8)> = intent
        .subsets
        .iter()
        .filter(|(_, subset)| subset.weight > 0)
        .map(|(name, subset)| (name.clone(), subset.weight))
        .collect();
    match intent.subsets.is_empty() {
        true => Destinations::Host(intent.hostname.clone()),
        false => Destinations::Subsets(intent.hostname.clone(), shares),
    }
}

/// Entries have the canonical name of the client's own pods, by which the host selects both.
fn entries(linked: &Linked<'_>, target: Target<'_>, selection: Selection) -> Vec<Arc<Entry>> {
    let Target { cluster, rank, is_near, own_name, by } = target;
    let facts = linked.members[cluster].facts;
    let serving = &linked.serving[cluster];
    let canonical_name = match selection {
        Selection::ByName => Some(own_name.unwrap_or_else(|| serving.canonical_name())),
        Selection::Apart => None,
    };
    let service_account = if is_near { service_account(serving) } else { None };
    let ways = match &facts.network {
        Some(Leaf::Known(network)) if gateways::is_named(facts) => vec![Way::Network(network.clone())],
        _ => {
            let way = |(address, port): (&Leaf<_>, &Leaf<_>)| Way::Address { address: address.clone(), port: port.clone() };
            gateways::addresses(facts).map(way).collect()
        }
    };
    let subsets: Vec<Option<(&SubsetName, &Subset)>> = match linked.intent.subsets.is_empty() {
        true => vec![None],
        false => linked.intent.subsets.iter().filter(|(name, _)| serving.has_subset(name)).map(Some).collect(),
    };
    let entry = |index: usize, way: &Way, subset: Option<(&SubsetName, &Subset)>| {
        Arc::new(Entry {
            name: derived::workload_entry_name(&linked.intent.hostname, cluster, subset.map(|(name, _)| name), index),
            cluster: cluster.clone(),
            destination: derived::destination_label(&linked.intent.hostname).to_string(),
            subset: subset.map(|(_, subset)| subset.labels.clone()).unwrap_or_default(),
            way: way.clone(),
            port_names: linked.ports.iter().map(|port| port.name.clone()).collect(),
            rank: rank.clone(),
            ranked_by: match by {
                By::Labels => RankedBy::Label { region: facts.region.clone() },
                By::Localities => RankedBy::Locality,
                By::Shares => RankedBy::Share,
            },
            canonical_name: canonical_name.cloned(),
            service_account: service_account.clone(),
        })
    };
    let of_way = |(index, way)| subsets.iter().map(move |subset| (index, way, *subset));
    ways.iter().enumerate().flat_map(of_way).map(|(index, way, subset)| entry(index, way, subset)).collect()
}

/// Gateways of a target that stand for its network; named like its entries, which they stand for.
fn remote_gateways(linked: &Linked<'_>, target: &ClusterName) -> Vec<Arc<RemoteGateway>> {
    let facts = linked.members[target].facts;
    let Some(Leaf::Known(network)) = &facts.network else { return Vec::new() };
    let gateway = |(index, gateway): (usize, &GatewayFacts)| {
        Arc::new(RemoteGateway {
            name: derived::workload_entry_name(&linked.intent.hostname, target, None, index),
            network: network.clone(),
            address: gateway.address.clone(),
            port: gateway.port.clone(),
            destination: derived::destination_label(&linked.intent.hostname).to_string(),
        })
    };
    facts.gateways.iter().enumerate().map(gateway).collect()
}

/// The account of the target's pods. istiod reads it as one of the entry's own namespace, so it is left out where that would
/// be a false identity, and where there are several; clients compare with the explicit list of the policy anyway.
fn service_account(serving: &Serving<'_>) -> Option<Leaf<ServiceAccount>> {
    let distinct = serving.accounts();
    let unknown = distinct.iter().find(|account| account.known().is_none());
    match (distinct.len(), unknown) {
        (1, _) => distinct.first().map(|account| (*account).clone()),
        // whether they are one and the same is not known either, unless two known ones differ
        (_, Some(unknown)) if distinct.iter().filter(|account| account.known().is_some()).count() < 2 => Some((*unknown).clone()),
        _ => None,
    }
}
