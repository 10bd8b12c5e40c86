//! What stands behind the destination in a serving cluster: whether gateways see it, and clients accept it.

use std::collections::{BTreeMap, BTreeSet};

use mesh_model::{AttributePath, Code, Finding, Findings};
use serde_json::Value;

use super::live::{Inventory, Live, listed};
use super::planned::Planned;
use super::pods::Pods;

/// Who may see a Service, by Istio.
const EXPORT_TO: &str = "networking.istio.io/exportTo";

pub(super) fn check(planned: &Planned<'_>, pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    check_visibility(planned, pods, inventory, findings);
    check_sidecars(pods, inventory, findings);
    check_accounts(planned, pods, inventory, findings);
}

fn check_visibility(planned: &Planned<'_>, pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let Some(service) = pods.service else { return };
    let Live { namespace: own, name, .. } = service;
    let Some(export_to) = service.annotation(EXPORT_TO).filter(|text| !text.trim().is_empty()) else { return };
    let sees = |namespace: &str| {
        export_to.split(',').map(str::trim).any(|entry| entry == "*" || entry == namespace || (entry == "." && namespace == own))
    };
    let blind =
        planned.of_kind("Gateway").filter_map(|gateway| gateway.namespace.as_ref()).find(|namespace| !sees(namespace.as_str()));
    let Some(blind) = blind else { return };
    let listed: Vec<&str> = export_to.split(',').map(str::trim).collect();
    findings.push(
        Finding::new(
            Code::ServiceHidden,
            AttributePath::of("backends"),
            format!(
                "Service {own}/{name} in cluster {} is exported to {export_to:?} alone, and its gateway is in {blind}.",
                inventory.cluster
            ),
            "A gateway does not know Services that its namespace does not see: calls from other clusters end there.",
            format!(
                "Export it to the gateway too: kubectl -n {own} annotate --overwrite service {name} {EXPORT_TO}={},{blind}",
                listed.join(",")
            ),
        )
        .in_cluster(inventory.cluster)
        .on_object(service.key("Service")),
    );
}

fn check_sidecars(pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let is_proxy = |container: &Value| container.get("name").and_then(Value::as_str) == Some("istio-proxy");
    let is_bare = |pod: &&Live<'_>| {
        let containers = pod.list("/spec/containers");
        !containers.is_empty() && !containers.iter().chain(pod.list("/spec/initContainers")).any(is_proxy)
    };
    let bare: Vec<&Live<'_>> = pods.listed.iter().filter(is_bare).collect();
    let Some(first) = bare.first() else { return };
    let Pods { whose, namespace, .. } = pods;
    let cluster = inventory.cluster;
    findings.push(
        Finding::new(
            Code::PodsWithoutSidecar,
            AttributePath::of("backends"),
            format!(
                "Pods of {whose} in cluster {cluster} have no container istio-proxy: {}.",
                listed(bare.iter().map(|pod| pod.name))
            ),
            "The destination calls all its endpoints with mutual TLS, which nothing in these pods speaks.",
            format!(
                "Label the namespace (kubectl label namespace {namespace} istio-injection=enabled) and restart the workloads, or leave the cluster out: backends = [for b in data.gloo_service.reviews.backends : b if b.cluster != {:?}]",
                cluster.as_str()
            ),
        )
        .in_cluster(cluster)
        .on_object(first.key("Pod")),
    );
}

fn check_accounts(planned: &Planned<'_>, pods: &Pods<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let Some(identities) = &planned.common.identities else { return };
    let Pods { whose, namespace, .. } = pods;
    let cluster = inventory.cluster;
    let beginning = format!("/ns/{namespace}/sa/");
    let accepted: BTreeSet<&str> =
        identities.iter().filter_map(|identity| identity.split_once(&beginning)).map(|(_, account)| account).collect();
    let mut refused: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for pod in &pods.listed {
        // a pod that is shown without its spec says nothing
        let Some(spec) = pod.at("/spec") else { continue };
        let of = |member: &str| spec.get(member).and_then(Value::as_str).filter(|account| !account.is_empty());
        let account = of("serviceAccountName").or_else(|| of("serviceAccount")).unwrap_or("default");
        if !accepted.contains(account) {
            refused.entry(account).or_default().push(pod.name);
        }
    }
    let accounts: Vec<&str> = accepted.iter().chain(refused.keys()).copied().collect();
    for (account, mut names) in refused {
        names.sort_unstable();
        let first = names[0];
        findings.push(
            Finding::new(
                Code::AccountRefused,
                AttributePath::of("backends"),
                format!(
                    "Pods of {whose} in cluster {cluster} run as {account}, which is none of its service accounts in the facts: {}.",
                    listed(names.iter().copied())
                ),
                "Clients accept a server by these accounts, and end the connection to every other one.",
                format!(
                    "Name all: backends = [for b in data.gloo_service.reviews.backends : b.cluster != {:?} ? b : merge(b, {{ service_accounts = {accounts:?} }})]",
                    cluster.as_str()
                ),
            )
            .in_cluster(cluster)
            .on_object(format!("Pod/{namespace}/{first}")),
        );
    }
}
