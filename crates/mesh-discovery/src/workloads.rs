//! What runs in a cluster, as a mesh tells it apart.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use mesh_model::Code;
use mesh_model::names::{ClusterName, OwnerId};
use serde_json::Value;

use crate::cluster::check_inventory;
use crate::inventory::{Inventory, Kind};
use crate::nodes;
use crate::verdict::{Verdicts, kubectl_get};
use crate::workload::{CANONICAL_NAME, FLEETING, Member, Role, WORKLOAD_KINDS, members};
use crate::{Discovered, Selected};

/// What one kind of pods is to the mesh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkloadFacts {
    /// namespace of its pods
    pub namespace: String,
    /// canonical name, as the injector derives it
    pub canonical_name: String,
    /// canonical revision, as the injector derives it: the version of the application
    pub revision: String,
    /// who its pods are to others
    pub service_account: String,
    /// labels that all of it has
    pub labels: BTreeMap<String, String>,
    /// Deployments, StatefulSets and DaemonSets that make its pods: `Deployment/reviews-v1`
    pub made_by: BTreeSet<String>,
}

/// What changes without anybody's intent: for findings and outputs, never for arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkloadObserved {
    /// living pods
    pub pods: usize,
    /// those that are ready
    pub ready: usize,
    /// those that have a sidecar
    pub sidecars: usize,
    /// how many pods are in each `region/zone`
    pub localities: BTreeMap<String, usize>,
}

/// One kind of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedWorkload {
    /// what arguments may depend on
    pub facts: WorkloadFacts,
    /// what changes by itself; `None`: the inventory shows no pods
    pub observed: Option<WorkloadObserved>,
}

/// Labels that the injector adds to pods, which their templates do not have.
const INJECTED: [&str; 3] = [CANONICAL_NAME, "security.istio.io/tlsMode", "istio.io/rev"];

/// What tells workloads apart: namespace, canonical name, revision, service account.
type Identity = (String, String, String, String);

/// Everything that runs and that `selected` takes, by namespace, canonical name, revision and service account.
///
/// A template speaks for its pods, so that no rollout, crash or scaling changes a fact; pods without a template speak for
/// themselves. Pods that have finished or are being deleted, and those of Jobs, do not count.
#[must_use]
pub fn workloads(
    objects: &[impl Borrow<Value>],
    cluster: &ClusterName,
    selected: Selected<'_>,
    owner: Option<&OwnerId>,
) -> Discovered<Vec<ListedWorkload>> {
    let inventory = Inventory::new(objects, owner);
    let mut verdicts = Verdicts::new(cluster);
    check_inventory(&inventory, &mut verdicts);
    check_kinds(&inventory, &mut verdicts);
    let listed = if verdicts.has_error() { None } else { Some(listed(&inventory, selected)) };
    Discovered { value: listed, findings: verdicts.into_findings() }
}

fn listed(inventory: &Inventory<'_>, selected: Selected<'_>) -> Vec<ListedWorkload> {
    let all = members(inventory, None);
    let templates: BTreeMap<(&str, &str), &Member<'_>> = all
        .iter()
        .filter(|member| member.pod.is_none())
        .map(|template| ((template.namespace, template.workload.as_str()), template))
        .collect();
    let mut found: BTreeMap<Identity, ListedWorkload> = BTreeMap::new();
    let shows_pods = inventory.has(Kind::Pod);
    for member in &all {
        let speaker = speaker(&templates, member);
        if !selected.takes(speaker.namespace, &speaker.labels) {
            continue;
        }
        let workload = found
            .entry(identity(speaker))
            .or_insert_with(|| ListedWorkload { facts: facts(speaker), observed: shows_pods.then(WorkloadObserved::default) });
        workload.facts.labels.retain(|label, value| speaker.labels.get(label.as_str()) == Some(&value.as_str()));
        workload.facts.made_by.extend(maker(speaker));
        if let (Some(observed), Some(_)) = (&mut workload.observed, member.pod) {
            observed.pods += 1;
            observed.ready += usize::from(member.is_ready());
            observed.sidecars += usize::from(member.has_proxy(Role::Sidecar));
            let node = member.node().and_then(|node| inventory.get(Kind::Node, "", node));
            *observed.localities.entry(nodes::locality(node)).or_default() += 1;
        }
    }
    found.into_values().collect()
}

/// Who says what a member is: its template, where there is one.
fn speaker<'m, 'a>(templates: &BTreeMap<(&str, &str), &'m Member<'a>>, member: &'m Member<'a>) -> &'m Member<'a> {
    templates.get(&(member.namespace, member.workload.as_str())).copied().unwrap_or(member)
}

fn identity(speaker: &Member<'_>) -> Identity {
    (
        speaker.namespace.to_owned(),
        speaker.canonical_name(),
        speaker.canonical_revision().to_owned(),
        speaker.service_account().to_owned(),
    )
}

fn facts(speaker: &Member<'_>) -> WorkloadFacts {
    let (namespace, canonical_name, revision, service_account) = identity(speaker);
    let lasting = speaker.labels.iter().filter(|(label, _)| !FLEETING.contains(label) && !INJECTED.contains(label));
    WorkloadFacts {
        namespace,
        canonical_name,
        revision,
        service_account,
        labels: lasting.map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect(),
        made_by: BTreeSet::new(),
    }
}

/// What makes pods and keeps its name: not the ReplicaSets of a Rollout, nor pods themselves.
fn maker(speaker: &Member<'_>) -> Option<String> {
    let lasts = ["Deployment/", "StatefulSet/", "DaemonSet/"].iter().any(|kind| speaker.workload.starts_with(kind));
    (speaker.pod.is_none() && lasts).then(|| speaker.workload.clone())
}

fn check_kinds(inventory: &Inventory<'_>, verdicts: &mut Verdicts<'_>) {
    let cluster = verdicts.cluster;
    let has_workloads = WORKLOAD_KINDS.iter().any(|kind| inventory.has(*kind));
    match (has_workloads, inventory.has(Kind::Pod)) {
        (true, true) => {}
        (true, false) => verdicts.cluster(
            Code::NotChecked,
            format!("The inventory of cluster {cluster} has no Pod, so how many there are is not known."),
            "Workloads are told from the templates of their pods.",
            kubectl_get(cluster, "pods"),
        ),
        (false, true) => verdicts.cluster(
            Code::NotChecked,
            format!("The inventory of cluster {cluster} has neither Deployments nor other workloads, so workloads are told from pods alone."),
            "Pods come and go: a workload without any at the moment is not there.",
            kubectl_get(cluster, "deployments,statefulsets,daemonsets"),
        ),
        (false, false) => verdicts.cluster(
            Code::KindMissing,
            format!("The inventory of cluster {cluster} has neither Deployments nor Pods, so what runs there is not known."),
            "Workloads are read from templates and pods.",
            kubectl_get(cluster, "deployments,statefulsets,daemonsets,pods"),
        ),
    }
}
