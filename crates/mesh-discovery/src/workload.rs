//! Pods and the templates they are made from, seen alike.
//!
//! Facts are read from templates ∪ pods, so that scaling, replacing or moving pods changes none of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::inventory::{Inventory, Kind, Object};
use crate::read;

/// Label of the canonical name, by which WorkloadEntries and pods are selected alike.
pub(crate) const CANONICAL_NAME: &str = "service.istio.io/canonical-name";

/// Label of the version, where the author sets it.
pub(crate) const CANONICAL_REVISION: &str = "service.istio.io/canonical-revision";

/// Labels that name a pod or a rollout instead of a kind of pod.
pub(crate) const FLEETING: [&str; 8] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    CANONICAL_REVISION,
];

/// What a proxy container is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// beside an application
    Sidecar,
    /// an ingress, egress or east-west gateway
    Gateway,
    /// a waypoint or ztunnel of ambient mode
    Ambient,
}

/// A pod, or the template of pods.
#[derive(Clone)]
pub(crate) struct Member<'a> {
    pub(crate) namespace: &'a str,
    /// `Deployment/reviews-v1`: what made it, as the injector names it
    pub(crate) workload: String,
    /// the pod itself; `None`: a template
    pub(crate) pod: Option<Object<'a>>,
    pub(crate) labels: BTreeMap<&'a str, &'a str>,
    annotations: BTreeMap<&'a str, &'a str>,
    spec: &'a Value,
}

impl<'a> Member<'a> {
    fn template(namespace: &'a str, workload: String, template: &'a Value) -> Self {
        Self {
            namespace,
            workload,
            pod: None,
            labels: read::map(template, &["metadata", "labels"]),
            annotations: read::map(template, &["metadata", "annotations"]),
            spec: template.get("spec").unwrap_or(&Value::Null),
        }
    }

    fn pod(pod: Object<'a>) -> Self {
        let template = Self::template(pod.namespace, String::new(), pod.value);
        let workload = workload_of(pod, &template.labels);
        Self { pod: Some(pod), workload, ..template }
    }

    /// The workload's name without its kind.
    pub(crate) fn workload_name(&self) -> &str {
        self.workload.split_once('/').map_or(&self.workload, |(_, name)| name)
    }

    /// Containers that keep running: native sidecars are init containers that restart always.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &'a Value> {
        let native = read::list(self.spec, &["initContainers"])
            .iter()
            .filter(|container| read::text(container, &["restartPolicy"]) == Some("Always"));
        read::list(self.spec, &["containers"]).iter().chain(native)
    }

    /// The container named `istio-proxy`.
    pub(crate) fn proxy(&self) -> Option<(Role, &'a Value)> {
        let proxy = self.containers().find(|container| read::text(container, &["name"]) == Some("istio-proxy"))?;
        let image = read::text(proxy, &["image"]).map_or("", |image| Image::parse(image).name);
        let has = |word: &str| read::texts(proxy, &["args"]).any(|arg| arg == word);
        let role = if has("ztunnel") || has("waypoint") || image.contains("ztunnel") {
            Role::Ambient
        } else if has("router") || self.annotations.get("inject.istio.io/templates").is_some_and(|list| list.contains("gateway"))
        {
            Role::Gateway
        } else {
            Role::Sidecar
        };
        Some((role, proxy))
    }

    pub(crate) fn has_proxy(&self, role: Role) -> bool {
        self.proxy().is_some_and(|(of, _)| of == role)
    }

    /// Its service account; Kubernetes gives `default` to pods that name none.
    pub(crate) fn service_account(&self) -> &'a str {
        read::text(self.spec, &["serviceAccountName"]).or_else(|| read::text(self.spec, &["serviceAccount"])).unwrap_or("default")
    }

    pub(crate) fn node(&self) -> Option<&'a str> {
        read::text(self.spec, &["nodeName"])
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.pod.is_some_and(|pod| {
            read::list(pod.value, &["status", "conditions"]).iter().any(|condition| {
                read::text(condition, &["type"]) == Some("Ready") && read::text(condition, &["status"]) == Some("True")
            })
        })
    }

    /// The canonical name that the injector gives: the label itself, else `app.kubernetes.io/name`, else `app`, else the
    /// workload's name, cut to the length of a label.
    pub(crate) fn canonical_name(&self) -> String {
        let name = [CANONICAL_NAME, "app.kubernetes.io/name", "app"]
            .iter()
            .find_map(|label| self.labels.get(label).copied().filter(|value| !value.is_empty()))
            .unwrap_or_else(|| self.workload_name());
        let cut: String = name.chars().take(63).collect();
        cut.strip_suffix('-').unwrap_or(&cut).to_owned()
    }

    /// The canonical revision that the injector gives: the label itself, else `app.kubernetes.io/version`, else `version`, else
    /// `latest`.
    pub(crate) fn canonical_revision(&self) -> &'a str {
        [CANONICAL_REVISION, "app.kubernetes.io/version", "version"]
            .iter()
            .find_map(|label| self.labels.get(label).copied().filter(|value| !value.is_empty()))
            .unwrap_or("latest")
    }

    /// What its own label or annotation says about injection, the label first.
    pub(crate) fn inject(&self) -> Option<bool> {
        let value = self.labels.get("sidecar.istio.io/inject").or_else(|| self.annotations.get("sidecar.istio.io/inject"))?;
        match *value {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// The revision that injected it, or that it asks for.
    pub(crate) fn revision(&self) -> Option<&'a str> {
        self.annotations.get("istio.io/rev").or_else(|| self.labels.get("istio.io/rev")).copied()
    }

    /// The data plane mode that its own label asks for.
    pub(crate) fn dataplane_mode(&self) -> Option<&'a str> {
        self.labels.get("istio.io/dataplane-mode").copied()
    }

    pub(crate) fn is_redirected_to_ztunnel(&self) -> bool {
        self.annotations.get("ambient.istio.io/redirection") == Some(&"enabled")
    }
}

/// The templates and the living pods of one namespace, or of all.
pub(crate) fn members<'a>(inventory: &Inventory<'a>, namespace: Option<&'a str>) -> Vec<Member<'a>> {
    let objects = |kind: Kind| -> Vec<Object<'a>> {
        match namespace {
            Some(namespace) => inventory.within(kind, namespace).collect(),
            None => inventory.all(kind).collect(),
        }
    };
    let mut members = Vec::new();
    for (kind, name) in [(Kind::Deployment, "Deployment"), (Kind::StatefulSet, "StatefulSet"), (Kind::DaemonSet, "DaemonSet")] {
        for object in objects(kind) {
            let template = read::at(object.value, &["spec", "template"]).unwrap_or(&Value::Null);
            members.push(Member::template(object.namespace, format!("{name}/{}", object.name), template));
        }
    }
    let sets = objects(Kind::ReplicaSet);
    let newest = newest_revisions(&sets);
    for set in sets {
        // the template of a Deployment's ReplicaSet is the Deployment's, now or once
        if controller(set).is_some_and(|(kind, _)| kind == "Deployment") || is_replaced(set, &newest) {
            continue;
        }
        let template = read::at(set.value, &["spec", "template"]).unwrap_or(&Value::Null);
        members.push(Member::template(set.namespace, format!("ReplicaSet/{}", set.name), template));
    }
    // pods of Jobs come and go, so no fact may depend on them
    let is_lasting = |pod: &Object<'a>| is_alive(*pod) && controller(*pod).is_none_or(|(kind, _)| kind != "Job");
    members.extend(objects(Kind::Pod).into_iter().filter(is_lasting).map(Member::pod));
    members
}

/// The kinds of workloads that an inventory may hold.
pub(crate) const WORKLOAD_KINDS: [Kind; 4] = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet, Kind::ReplicaSet];

/// The workloads of these members, each once.
pub(crate) fn workload_names<'m, 'a: 'm>(members: impl IntoIterator<Item = &'m Member<'a>>) -> String {
    let names: BTreeSet<&str> = members.into_iter().map(|member| member.workload.as_str()).collect();
    let shown: Vec<&str> = names.iter().copied().take(5).collect();
    match names.len().checked_sub(shown.len()) {
        Some(more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        _ => shown.join(", "),
    }
}

/// Neither finished nor on its way out.
fn is_alive(pod: Object<'_>) -> bool {
    !matches!(read::text(pod.value, &["status", "phase"]), Some("Succeeded" | "Failed"))
        && read::text(pod.value, &["metadata", "deletionTimestamp"]).is_none()
}

/// Annotation by which Argo Rollouts counts the ReplicaSets of a Rollout.
const ROLLOUT_REVISION: &str = "rollout.argoproj.io/revision";

/// Namespace and name of a Rollout.
type Rollout<'a> = (&'a str, &'a str);

fn rollout_revision(set: Object<'_>) -> Option<(Rollout<'_>, u64)> {
    let (_, name) = controller(set).filter(|(kind, _)| *kind == "Rollout")?;
    let revision = read::text(set.value, &["metadata", "annotations", ROLLOUT_REVISION])?.parse().ok()?;
    Some(((set.namespace, name), revision))
}

/// The newest revision of each Rollout.
fn newest_revisions<'a>(sets: &[Object<'a>]) -> BTreeMap<Rollout<'a>, u64> {
    let mut newest = BTreeMap::new();
    for (rollout, revision) in sets.iter().filter_map(|set| rollout_revision(*set)) {
        let known = newest.entry(rollout).or_insert(revision);
        *known = revision.max(*known);
    }
    newest
}

/// Whether a ReplicaSet is kept for the history of its Rollout only: it is scaled to nothing, and a newer one is there.
fn is_replaced(set: Object<'_>, newest: &BTreeMap<Rollout<'_>, u64>) -> bool {
    read::number(set.value, &["spec", "replicas"]) == Some(0)
        && rollout_revision(set).is_some_and(|(rollout, revision)| newest.get(&rollout).is_some_and(|newest| revision < *newest))
}

fn controller(object: Object<'_>) -> Option<(&str, &str)> {
    read::list(object.value, &["metadata", "ownerReferences"])
        .iter()
        .find(|reference| reference.get("controller").and_then(Value::as_bool) == Some(true))
        .and_then(|reference| Some((read::text(reference, &["kind"])?, read::text(reference, &["name"])?)))
}

/// `<kind>/<name>` of what made a pod. As the injector does it, the Deployment is told from the ReplicaSet's name, so that
/// no ReplicaSet needs to be in the inventory.
fn workload_of(pod: Object<'_>, labels: &BTreeMap<&str, &str>) -> String {
    let Some((kind, name)) = controller(pod) else { return format!("Pod/{}", pod.name) };
    let deployment = (kind == "ReplicaSet")
        .then(|| labels.get("pod-template-hash"))
        .flatten()
        .and_then(|hash| name.strip_suffix(hash))
        .and_then(|name| name.strip_suffix('-'));
    match deployment {
        Some(name) => format!("Deployment/{name}"),
        None => format!("{kind}/{name}"),
    }
}

/// An image reference in its parts.
pub(crate) struct Image<'a> {
    /// last part of the repository: `pilot`
    pub(crate) name: &'a str,
    /// `1.28.1-distroless`
    pub(crate) tag: Option<&'a str>,
}

impl<'a> Image<'a> {
    pub(crate) fn parse(image: &'a str) -> Self {
        let image = image.split_once('@').map_or(image, |(image, _)| image);
        let last = image.rsplit('/').next().unwrap_or(image);
        match last.split_once(':') {
            Some((name, tag)) => Self { name, tag: Some(tag) },
            None => Self { name: last, tag: None },
        }
    }
}

/// The value of an environment variable that is written out.
pub(crate) fn environment<'a>(container: &'a Value, name: &str) -> Option<&'a str> {
    read::list(container, &["env"])
        .iter()
        .find(|variable| read::text(variable, &["name"]) == Some(name))
        .and_then(|variable| read::text(variable, &["value"]))
}

/// The value of a flag among a container's arguments: `--flag value` or `--flag=value`.
pub(crate) fn flag<'a>(container: &'a Value, flag: &str) -> Option<&'a str> {
    let mut arguments = read::texts(container, &["args"]);
    while let Some(argument) = arguments.next() {
        if argument == flag {
            return arguments.next();
        }
        if let Some(value) = argument.strip_prefix(flag).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value);
        }
    }
    None
}
