//! Who else selects the entries that stand for other clusters, and what else our host selects.

use std::collections::BTreeMap;

use istio_objects::Object;
use mesh_model::facts::Backend;
use mesh_model::intent::VirtualDestination;
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings};

use super::live::{Inventory, Live, selects};
use super::planned::{self, Planned};
use crate::Objects;

/// Judges the Services of the facts, whose selectors the entries beside them may meet.
pub(crate) fn check_backends(intent: &VirtualDestination, objects: &Objects) -> Findings {
    let mut findings = Findings::new();
    for (index, Backend { cluster, namespace, service, selector, .. }) in intent.backends.iter().enumerate() {
        let mut entries = objects.get(cluster).into_iter().flatten().filter(|object| object.kind.is_istio("WorkloadEntry"));
        if let Some(entry) = entries.find(|entry| entry.namespace.as_ref() == Some(namespace) && meets(entry, selector)) {
            let path = AttributePath::of("backends").index(index).attribute("selector");
            let selector = selector.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let service = (namespace.as_str(), service.as_str());
            findings.push(service_captures(cluster, service, &selector, &entry.key().to_string(), path));
        }
    }
    findings
}

/// [`selects`] for one entry out of very many.
fn meets(entry: &Object, selector: &BTreeMap<String, String>) -> bool {
    let spec = entry.at(&["spec", "labels"]);
    selector.iter().all(|(key, value)| {
        let label = entry.labels.get(key).map(String::as_str);
        label.or_else(|| spec?.member(key)?.text()) == Some(value)
    })
}

pub(super) fn check(planned: &Planned<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let entries: Vec<(&Object, BTreeMap<&str, &str>)> =
        planned.of_kind("WorkloadEntry").map(|entry| (entry, labels(entry))).collect();
    let first_taken = |namespace: &str, selector: &BTreeMap<&str, &str>| {
        entries
            .iter()
            .find(|(entry, labels)| {
                entry.namespace.as_ref().is_some_and(|own| own.as_str() == namespace) && selects(selector, labels)
            })
            .map(|(entry, _)| entry.key().to_string())
    };
    for service in inventory.of_kind("Service") {
        if let Some(selector) = service.labels("/spec/selector")
            && let Some(entry) = first_taken(service.namespace, &selector)
        {
            let path = AttributePath::of("namespace");
            findings.push(service_captures(inventory.cluster, (service.namespace, service.name), &selector, &entry, path));
        }
    }
    let mut shared = Vec::new();
    for other in
        inventory.of_kind("ServiceEntry").filter(|other| !other.strings("/spec/hosts").any(|host| host == planned.hostname))
    {
        if let Some(selector) = other.labels("/spec/workloadSelector/labels")
            && let Some(entry) = first_taken(other.namespace, &selector)
        {
            shared.push(other.namespace);
            findings.push(selected_twice(inventory, other, &entry));
        }
    }
    for host in planned.of_kind("ServiceEntry") {
        let selector = planned::labels(host, &["spec", "workloadSelector", "labels"]);
        let namespace = host.namespace.as_ref().map_or("", |namespace| namespace.as_str());
        // entries of nobody are local workloads outside Kubernetes and serve rightly; those with a claim stand for other
        // clusters. One finding per namespace: the other host's entries are no second cause.
        for other in
            inventory.of_kind("WorkloadEntry").filter(|other| other.namespace == namespace && !shared.contains(&namespace))
        {
            if !selector.is_empty() && other.meets(&selector, "/spec/labels") && other.claim_text().is_some() {
                findings.push(selects_foreign(inventory, planned, other));
            }
        }
    }
}

fn labels(entry: &Object) -> BTreeMap<&str, &str> {
    let mut labels = planned::labels(entry, &["spec", "labels"]);
    labels.extend(entry.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    labels
}

fn service_captures(
    cluster: &ClusterName,
    (namespace, name): (&str, &str),
    selector: &BTreeMap<&str, &str>,
    entry: &str,
    path: AttributePath,
) -> Finding {
    let selector: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Finding::new(
        Code::ServiceCapturesEntry,
        path,
        format!("Service {namespace}/{name} in cluster {cluster} selects {}, which {entry} has too.", selector.join(",")),
        "Calls to the Service itself would be spread over all clusters.",
        "Let the Service select a label that only its own pods have, such as `app`.",
    )
    .in_cluster(cluster)
    .on_object(format!("Service/{namespace}/{name}"))
}

fn selected_twice(inventory: &Inventory<'_>, other: Live<'_>, entry: &str) -> Finding {
    let hosts: Vec<&str> = other.strings("/spec/hosts").collect();
    Finding::new(
        Code::EntrySelectedTwice,
        AttributePath::of("backends"),
        format!(
            "ServiceEntry {}/{} in cluster {} for {}, which belongs to {}, selects {entry}.",
            other.namespace,
            other.name,
            inventory.cluster,
            hosts.join(", "),
            inventory.owner(other)
        ),
        "Both hosts would share their remote endpoints, with ranks and ports that are the other's.",
        "Use one destination for both, or give the pods behind the other one a label `service.istio.io/canonical-name` of their own.",
    )
    .in_cluster(inventory.cluster)
    .on_object(other.key("ServiceEntry"))
}

fn selects_foreign(inventory: &Inventory<'_>, planned: &Planned<'_>, other: Live<'_>) -> Finding {
    Finding::new(
        Code::EntrySelectedTwice,
        AttributePath::of("backends"),
        format!(
            "{} would also be served by WorkloadEntry {}/{} in cluster {}, which belongs to {}.",
            planned.hostname,
            other.namespace,
            other.name,
            inventory.cluster,
            inventory.owner(other)
        ),
        "It has the canonical name of the pods behind the destination, by which the hostname selects what serves it.",
        "Give that workload a label `service.istio.io/canonical-name` of its own, or remove the entry.",
    )
    .in_cluster(inventory.cluster)
    .on_object(other.key("WorkloadEntry"))
}
