//! Whether the hostname and the names of our objects are free, and whether clients can see the hostname.

use std::collections::BTreeSet;

use istio_objects::Object;
use mesh_model::hosts::covers;
use mesh_model::{AttributePath, Code, Finding, Findings};

use super::live::{Inventory, Live, listed};
use super::planned::{self, Planned};

/// `taken` holds the keys of ours under which something exists: those are judged already.
pub(super) fn check(planned: &Planned<'_>, inventory: &Inventory<'_>, taken: &BTreeSet<String>, findings: &mut Findings) {
    let free = |kind: &str, live: &Live<'_>| !taken.contains(&live.key(kind));
    if planned.host().is_some() {
        for other in inventory.of_kind("ServiceEntry").filter(|other| free("ServiceEntry", other)) {
            if other.strings("/spec/hosts").any(|host| host == planned.hostname) {
                findings.push(host_taken(planned, inventory, other));
            }
        }
        if let Some((name, namespace)) = planned.hostname.split_once('.')
            && let Some(service) =
                inventory.of_kind("Service").find(|service| service.name == name && service.namespace == namespace)
        {
            findings.push(short_name_taken(planned, inventory, service));
        }
        let rules = inventory
            .of_kind("DestinationRule")
            .filter(|rule| rule_host(rule) == Some(planned.hostname))
            .map(|rule| ("DestinationRule", rule));
        let services = inventory
            .of_kind("VirtualService")
            .filter(|service| service.strings("/spec/hosts").any(|host| host == planned.hostname))
            .map(|service| ("VirtualService", service));
        // where the host is all that is written, its policies are whoever's
        let has_policy = planned.of_kind("DestinationRule").next().is_some();
        for (kind, other) in rules.chain(services).filter(|(kind, other)| has_policy && free(kind, other)) {
            findings.push(foreign_policy(planned, inventory, kind, other));
        }
        if has_policy {
            check_wildcards(planned, inventory, findings);
        }
        check_sidecars(planned, inventory, findings);
    }
    check_namespaces(planned, inventory, findings);
}

fn host_taken(planned: &Planned<'_>, inventory: &Inventory<'_>, other: Live<'_>) -> Finding {
    Finding::new(
        Code::HostTaken,
        AttributePath::of("hostname"),
        format!(
            "ServiceEntry {}/{} in cluster {} has {} already; it belongs to {}.",
            other.namespace,
            other.name,
            inventory.cluster,
            planned.hostname,
            inventory.owner(other)
        ),
        "istiod merges the endpoints of both, and loses some when one of them goes.",
        "Choose another hostname, or delete that ServiceEntry.",
    )
    .in_cluster(inventory.cluster)
    .on_object(other.key("ServiceEntry"))
}

fn short_name_taken(planned: &Planned<'_>, inventory: &Inventory<'_>, service: Live<'_>) -> Finding {
    let Live { namespace, name, .. } = service;
    Finding::new(
        Code::ShortNameTaken,
        AttributePath::of("hostname"),
        format!("{} is the short name of Service {namespace}/{name} in cluster {}.", planned.hostname, inventory.cluster),
        "istiod gives the name to the destination, so that calls to that Service would go there.",
        "Write, for example: hostname = \"reviews.mesh.internal\"",
    )
    .in_cluster(inventory.cluster)
    .on_object(service.key("Service"))
}

fn foreign_policy(planned: &Planned<'_>, inventory: &Inventory<'_>, kind: &str, other: Live<'_>) -> Finding {
    // a policy of another owner is a claim on the host; one of nobody may be a leftover
    let code = if other.claim_text().is_some() { Code::ObjectTaken } else { Code::ForeignPolicy };
    Finding::new(
        code,
        AttributePath::of("hostname"),
        format!(
            "{kind} {}/{} in cluster {} is about {}; it belongs to {}.",
            other.namespace,
            other.name,
            inventory.cluster,
            planned.hostname,
            inventory.owner(other)
        ),
        "Where clients see both, Istio takes one of the two, and failover depends on ours.",
        format!(
            "Delete it, or narrow its `exportTo`: kubectl -n {} delete {} {}",
            other.namespace,
            kind.to_ascii_lowercase(),
            other.name
        ),
    )
    .in_cluster(inventory.cluster)
    .on_object(other.key(kind))
}

/// Whether workloads of a namespace may see the host.
fn is_seen(host: &Object, namespace: &str) -> bool {
    planned::strings(host, &["spec", "exportTo"])
        .any(|entry| entry == "*" || entry == namespace || (entry == "." && in_namespace(host, namespace)))
}

fn rule_host<'a>(rule: &Live<'a>) -> Option<&'a str> {
    rule.at("/spec/host").and_then(serde_json::Value::as_str)
}

/// DestinationRules for many hosts, ours among them. Istio asks the client's namespace first, then the host's, where ours is
/// closer, and the root namespace last.
fn check_wildcards(planned: &Planned<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let Some(ours) = planned.host() else { return };
    for rule in inventory.of_kind("DestinationRule") {
        let Live { namespace, name, .. } = rule;
        let gives_way = in_namespace(ours, namespace) || namespace == inventory.root_namespace() || !is_seen(ours, namespace);
        let covering = rule_host(&rule).filter(|host| *host != planned.hostname && covers(host, planned.hostname));
        let Some(host) = covering.filter(|_| !gives_way) else { continue };
        findings.push(
            Finding::new(
                Code::ForeignPolicy,
                AttributePath::of("hostname"),
                format!(
                    "DestinationRule {namespace}/{name} in cluster {} is about {host}, hence about {} too; it belongs to {}.",
                    inventory.cluster,
                    planned.hostname,
                    inventory.owner(rule)
                ),
                format!("Istio asks a client's own namespace first: workloads of {namespace} would take that one, and failover depends on ours."),
                format!("Name in it the hosts that it is for, or move it to {}, where it gives way to closer ones.", inventory.root_namespace()),
            )
            .in_cluster(inventory.cluster)
            .on_object(rule.key("DestinationRule")),
        );
    }
}

fn check_namespaces(planned: &Planned<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let present: BTreeSet<&str> = inventory.of_kind("Namespace").map(|namespace| namespace.name).collect();
    if present.is_empty() {
        return;
    }
    let wanted: BTreeSet<&str> = planned.objects.iter().filter_map(|object| Some(object.namespace.as_ref()?.as_str())).collect();
    for namespace in wanted.difference(&present) {
        let only_calls = !planned.serves() && planned.host().is_some_and(|host| in_namespace(host, namespace));
        let fix = if only_calls {
            format!("Create it, or name one that exists: client_namespace = {{ {} = \"istio-system\" }}", inventory.cluster)
        } else {
            format!("Create it: kubectl create namespace {namespace}")
        };
        findings.push(
            Finding::new(
                Code::NamespaceMissing,
                AttributePath::of(if only_calls { "client_namespace" } else { "namespace" }),
                format!("Cluster {} has no namespace {namespace}.", inventory.cluster),
                "Objects cannot be written to a namespace that does not exist.",
                fix,
            )
            .in_cluster(inventory.cluster),
        );
    }
}

fn in_namespace(object: &Object, namespace: &str) -> bool {
    object.namespace.as_ref().is_some_and(|own| own.as_str() == namespace)
}

/// Sidecars whose egress lists hosts and leaves ours out.
fn check_sidecars(planned: &Planned<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let Some(host) = planned.host() else { return };
    let own = host.namespace.as_ref().map_or("", |namespace| namespace.as_str());
    let hiding: Vec<Live<'_>> = inventory
        .of_kind("Sidecar")
        .filter(|sidecar| is_seen(host, sidecar.namespace) || sidecar.namespace == inventory.root_namespace())
        .filter(|sidecar| hides(sidecar, own, planned.hostname))
        .collect();
    if let Some(first) = hiding.first() {
        let names: Vec<String> = hiding.iter().map(|sidecar| format!("{}/{}", sidecar.namespace, sidecar.name)).collect();
        findings.push(
            Finding::new(
                Code::SidecarHidesHost,
                AttributePath::of("hostname"),
                format!(
                    "In cluster {} these Sidecars do not list {}: {}.",
                    inventory.cluster,
                    planned.hostname,
                    listed(names.iter().map(String::as_str))
                ),
                "Workloads that they apply to do not know the hostname.",
                format!("Where they are to call it, add to `egress.hosts`: \"{own}/{}\"", planned.hostname),
            )
            .in_cluster(inventory.cluster)
            .on_object(first.key("Sidecar")),
        );
    }
}

fn hides(sidecar: &Live<'_>, own: &str, hostname: &str) -> bool {
    let mut hosts = sidecar
        .list("/spec/egress")
        .iter()
        .filter_map(|egress| egress.get("hosts")?.as_array())
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .peekable();
    // without egress a Sidecar hides nothing
    hosts.peek().is_some()
        && !hosts.any(|host| {
            let (namespace, name) = host.split_once('/').unwrap_or(("*", host));
            let namespace_fits = namespace == "*" || namespace == own || (namespace == "." && sidecar.namespace == own);
            namespace_fits && covers(name, hostname)
        })
}
