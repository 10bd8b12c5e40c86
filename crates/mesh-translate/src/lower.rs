//! Lower: from a linked intent to one plan per cluster.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::Leaf;
use mesh_model::derived;
use mesh_model::names::{ClusterName, Namespace, ServiceAccount};

use crate::features::listening_port;
use crate::ir::{ClientPlan, ClusterPlan, Entry, Exposure, Host, HostPort, LocalPods, Policy, PortPolicy, Route, RouteTable};
use crate::link::{Client, Linked, Member, gateways};

/// Methods that RFC 9110 calls safe and that services are called with: repeating them changes nothing.
const SAFE_METHODS: &[&str] = &["GET", "HEAD", "OPTIONS"];

/// Plans every cluster that takes part.
pub(crate) fn lower(linked: &Linked<'_>) -> BTreeMap<ClusterName, ClusterPlan> {
    let called: BTreeSet<&ClusterName> = linked
        .members
        .values()
        .filter_map(|member| member.client.as_ref())
        .flat_map(|client| client.targets.keys())
        .copied()
        .collect();
    linked
        .members
        .iter()
        .map(|(cluster, member)| {
            let exposures = if called.contains(cluster) { exposures(linked, member) } else { Vec::new() };
            let client = member.client.as_ref().map(|client| client_plan(linked, member, client));
            ((*cluster).clone(), ClusterPlan { exposures, client })
        })
        .collect()
}

/// One for every gateway workload, unless somebody else's Gateway exposes the Service there.
fn exposures(linked: &Linked<'_>, member: &Member<'_>) -> Vec<Exposure> {
    let mut workloads: Vec<(&Namespace, &BTreeMap<String, String>)> = Vec::new();
    let mut exposures = Vec::new();
    for gateway in &member.facts.gateways {
        let workload = (&gateway.namespace, &gateway.selector);
        if workloads.contains(&workload) {
            continue;
        }
        workloads.push(workload);
        let same = member.facts.gateways.iter().filter(|other| (&other.namespace, &other.selector) == workload);
        if same.into_iter().any(|other| gateways::exposes(other, &linked.service)) {
            continue;
        }
        exposures.push(Exposure {
            name: derived::exposure_name(
                &linked.intent.hostname,
                linked.service.name,
                linked.service.namespace,
                &gateway.selector,
            ),
            namespace: gateway.namespace.clone(),
            selector: gateway.selector.clone(),
            service_host: linked.service.host(),
            destination: derived::destination_label(&linked.intent.hostname).to_string(),
        });
    }
    exposures
}

fn client_plan(linked: &Linked<'_>, member: &Member<'_>, client: &Client<'_>) -> ClientPlan {
    let intent = linked.intent;
    let ports = linked.ports.iter().enumerate().map(|(index, port)| HostPort {
        number: port.number,
        name: port.name.clone(),
        protocol: port.protocol,
        target_port: match &member.serving {
            None => listening_port(),
            Some(serving) => serving.target_ports[index].unwrap_or(port.service_port),
        },
    });
    let host = Host {
        name: derived::destination_name(&intent.hostname),
        hostname: intent.hostname.clone(),
        destination: derived::destination_label(&intent.hostname).to_string(),
        ports: ports.collect(),
        local: if member.serving.is_some() { LocalPods::Serving } else { LocalPods::None },
        canonical_name: linked.canonical_name.clone(),
        identities: linked.identities.clone(),
        export_to: export_to(linked),
        ignored: intent.ignored.clone(),
    };
    let policies = linked.ports.iter().map(|port| PortPolicy {
        number: port.number,
        sni: linked.service.sni(port.service_port),
        identities: linked.identities.clone(),
        connect_timeout: intent.connect_timeout.clone(),
        tcp_keepalive: intent.tcp_keepalive.clone(),
        load_balancer: intent.load_balancer.clone(),
        highest_rank: linked.highest_rank,
        outlier_detection: intent.outlier_detection.clone(),
    });
    let policy = Policy { hostname: intent.hostname.clone(), export_to: export_to(linked), ports: policies.collect() };
    let route_table = linked.ports.iter().any(|port| port.protocol.has_requests()).then(|| route_table(linked));
    let entries = client.targets.iter().flat_map(|(target, rank)| entries(linked, client, target, rank)).collect();
    ClientPlan { namespace: client.namespace.clone(), host, policy, route_table, entries }
}

/// Namespaces that see the host: sorted, each once, unknown ones last.
fn export_to(linked: &Linked<'_>) -> Vec<Leaf<String>> {
    linked.intent.export_to.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Requests of safe methods are repeated when the answer is 503: a dead application behind a living sidecar looks like that.
fn route_table(linked: &Linked<'_>) -> RouteTable {
    let intent = linked.intent;
    let route = |name, methods: &'static [&'static str], retry_unavailable| Route {
        name,
        methods,
        hostname: intent.hostname.clone(),
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
    RouteTable { hostname: intent.hostname.clone(), export_to: export_to(linked), routes }
}

fn entries(linked: &Linked<'_>, client: &Client<'_>, target: &ClusterName, rank: &Leaf<u32>) -> Vec<Entry> {
    let member = &linked.members[target];
    let service_account = service_account(linked, client, member);
    gateways::addresses(member.facts)
        .enumerate()
        .map(|(index, (address, port))| Entry {
            name: derived::workload_entry_name(&linked.intent.hostname, target, index),
            cluster: target.clone(),
            destination: derived::destination_label(&linked.intent.hostname).to_string(),
            address: address.clone(),
            port: port.clone(),
            port_names: linked.ports.iter().map(|port| port.name.clone()).collect(),
            region: member.facts.region.clone(),
            rank: rank.clone(),
            canonical_name: linked.canonical_name.clone(),
            service_account: service_account.clone(),
        })
        .collect()
}

/// The account of the target's pods. istiod reads it as one of the entry's own namespace, so it is left out where that would
/// be a false identity, and where there are several; clients compare with the explicit list of the policy anyway.
fn service_account(linked: &Linked<'_>, client: &Client<'_>, member: &Member<'_>) -> Option<Leaf<ServiceAccount>> {
    let backend = member.serving.as_ref().expect("targets serve").backend;
    if *client.namespace != *linked.service.namespace {
        return None;
    }
    let distinct: BTreeSet<&Leaf<ServiceAccount>> = backend.service_accounts.iter().collect();
    let unknown = distinct.iter().find(|account| account.known().is_none());
    match (distinct.len(), unknown) {
        (1, _) => distinct.first().map(|account| (*account).clone()),
        // whether they are one and the same is not known either, unless two known ones differ
        (_, Some(unknown)) if distinct.iter().filter(|account| account.known().is_some()).count() < 2 => Some((*unknown).clone()),
        _ => None,
    }
}
