//! The pods behind the destination, as the Service in front of them shows them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::live::{Inventory, Live, selects};
use super::planned::{Behind, Planned};

pub(super) struct Pods<'a> {
    /// whose they are, in words
    pub(super) whose: String,
    /// where they are
    pub(super) namespace: &'a str,
    /// the Service, where gateways know them by its name
    pub(super) service: Option<Live<'a>>,
    /// pods that live and that are meant
    pub(super) listed: Vec<Live<'a>>,
    /// labels of each of them, or what selects them where none is listed
    labels: Vec<BTreeMap<&'a str, &'a str>>,
    /// their ports behind those of the destination
    pub(super) target_ports: BTreeSet<String>,
}

/// How specific a policy is; a more specific one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    Mesh,
    Namespace,
    Workload,
}

impl<'a> Pods<'a> {
    /// Those of the cluster; `None` where none serve, or the inventory has no Service in front of them.
    pub(super) fn find(planned: &Planned<'a>, inventory: &Inventory<'a>) -> Option<Self> {
        let (service, whose, namespace, selector) = match planned.behind()? {
            Behind::Service { name, namespace } => {
                let service = inventory.of_kind("Service").find(|live| live.name == name && live.namespace == namespace)?;
                (Some(service), format!("Service {namespace}/{name}"), namespace, service.labels("/spec/selector")?)
            }
            Behind::Labels { namespace, labels } => {
                (None, format!("{} in namespace {namespace}", planned.hostname), namespace, labels)
            }
        };
        let is_behind = |pod: &Live<'a>| {
            pod.namespace == namespace && pod.labels("/metadata/labels").is_some_and(|labels| selects(&selector, &labels))
        };
        let listed: Vec<Live<'a>> = inventory.of_kind("Pod").filter(is_behind).filter(is_alive).collect();
        let labels = match listed.is_empty() {
            true => vec![selector],
            false => listed.iter().filter_map(|pod| pod.labels("/metadata/labels")).collect(),
        };
        // the gateway calls what the Service says, local clients what the facts say
        let mut target_ports: BTreeSet<String> = planned.target_ports().into_iter().map(str::to_owned).collect();
        let of_service = |service| {
            planned.common.service_ports.iter().filter_map(|port| target_port(service, port, &listed)).collect::<Vec<_>>()
        };
        target_ports.extend(service.map(of_service).unwrap_or_default());
        Some(Self { whose, namespace, service, listed, labels, target_ports })
    }

    /// Whether a policy applies to some of them, and how specific it is: for the mesh, the namespace, or by selector.
    pub(super) fn reach(&self, policy: &Live<'_>, root: &str) -> Option<Reach> {
        // those with a target are for gateways, waypoints or Services; sidecars leave them alone
        let has_target = policy.at("/spec/targetRef").is_some() || !policy.list("/spec/targetRefs").is_empty();
        let own = self.namespace;
        if has_target || (policy.namespace != own && policy.namespace != root) {
            return None;
        }
        match policy.labels("/spec/selector/matchLabels") {
            Some(selector) => self.labels.iter().any(|labels| selects(&selector, labels)).then_some(Reach::Workload),
            None if policy.namespace == own => Some(Reach::Namespace),
            None => Some(Reach::Mesh),
        }
    }
}

/// Neither finished nor on its way out.
fn is_alive(pod: &Live<'_>) -> bool {
    let phase = pod.at("/status/phase").and_then(Value::as_str);
    !matches!(phase, Some("Succeeded" | "Failed")) && pod.at("/metadata/deletionTimestamp").is_none()
}

/// The port of the pods behind a port of the Service, as a number in text.
fn target_port(service: Live<'_>, port: &str, pods: &[Live<'_>]) -> Option<String> {
    let is_it =
        |candidate: &&Value| candidate.get("port").and_then(Value::as_u64).is_some_and(|number| number.to_string() == port);
    let found = service.list("/spec/ports").iter().find(is_it)?;
    let number = |value: &Value| value.as_u64().filter(|number| *number > 0).map(|number| number.to_string());
    match found.get("targetPort") {
        Some(Value::String(name)) => pods
            .iter()
            .flat_map(|pod| pod.list("/spec/containers"))
            .filter_map(|container| container.get("ports")?.as_array())
            .flatten()
            .find(|port| port.get("name").and_then(Value::as_str) == Some(name))
            .and_then(|port| number(port.get("containerPort")?)),
        // Kubernetes takes none, and 0, for "the same"
        target => target.and_then(number).or_else(|| Some(port.to_owned())),
    }
}
