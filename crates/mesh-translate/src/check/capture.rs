//! Who else selects the entries that stand for other clusters, and what else our host selects.

use std::collections::BTreeMap;

use istio_objects::Object;
use mesh_model::{AttributePath, Code, Finding, Findings};

use super::live::{Inventory, Live, selects};
use super::planned::{self, Planned};

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
            findings.push(service_captures(inventory, service, &selector, &entry));
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
            let labels = other.labels("/spec/labels").unwrap_or_default();
            if other.claim_text().is_some() && !selector.is_empty() && selects(&selector, &labels) {
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

fn service_captures(inventory: &Inventory<'_>, service: Live<'_>, selector: &BTreeMap<&str, &str>, entry: &str) -> Finding {
    let selector: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Finding::new(
        Code::ServiceCapturesEntry,
        AttributePath::of("namespace"),
        format!(
            "Service {}/{} in cluster {} selects {}, which {entry} has too.",
            service.namespace,
            service.name,
            inventory.cluster,
            selector.join(",")
        ),
        "Calls to the Service itself would be spread over all clusters.",
        "Let the Service select a label that only its own pods have, such as `app`.",
    )
    .in_cluster(inventory.cluster)
    .on_object(service.key("Service"))
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
