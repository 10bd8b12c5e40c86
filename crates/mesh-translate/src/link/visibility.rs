//! Visibility: whether workloads of client clusters see the hostname where its objects are.

use std::collections::BTreeSet;

use mesh_model::names::{ClusterName, Namespace};
use mesh_model::{AttributePath, Code, Finding, Findings, Leaf};

use super::Scope;

/// The namespace of the objects in `export_to`.
const OWN: &str = ".";

pub(super) fn check(scope: &Scope<'_>, findings: &mut Findings) {
    let intent = scope.intent;
    let mut namespaces: BTreeSet<&Namespace> = BTreeSet::new();
    for (cluster, facts) in &scope.clients {
        let namespace = scope.client_namespace(cluster);
        namespaces.insert(namespace);
        let root = &facts.root_namespace;
        let is_without_clients = |entry: &Leaf<String>| match entry.known().map(String::as_str) {
            Some(OWN) => namespace == root,
            Some(name) => name == intent.namespace.as_str(),
            None => false,
        };
        let is_moved = !scope.serving.contains_key(*cluster) && *namespace != intent.namespace;
        if is_moved && intent.export_to.iter().all(is_without_clients) {
            findings.push(unseen(scope, cluster, namespace));
        }
    }
    let names = |name: &str| intent.export_to.iter().any(|entry| entry.known().is_some_and(|known| known == name));
    if let Some(twice) = namespaces.into_iter().find(|namespace| names(OWN) && names(namespace.as_str())) {
        findings.push(Finding::new(
            Code::Duplicate,
            AttributePath::of("export_to"),
            format!("\".\" and {twice} are the same namespace for objects in {twice}."),
            "Istio refuses an object that is exported to a namespace twice.",
            format!("Write one of the two: export_to = [{:?}]", twice.as_str()),
        ));
    }
}

fn unseen(scope: &Scope<'_>, cluster: &ClusterName, namespace: &Namespace) -> Finding {
    let hostname = &scope.intent.hostname;
    let seen: BTreeSet<&str> = scope
        .intent
        .export_to
        .iter()
        .filter_map(|entry| entry.known())
        .map(|entry| if entry == OWN { namespace.as_str() } else { entry })
        .collect();
    let seen = seen.into_iter().collect::<Vec<_>>().join(", ");
    Finding::new(
        Code::HostnameUnseen,
        AttributePath::of("export_to"),
        format!(
            "In cluster {cluster} the objects are in namespace {namespace}, and `export_to` shows {hostname} to {seen} alone."
        ),
        "Workloads of other namespaces do not know the hostname, and get 502.",
        format!("Show it to all, export_to = [\"*\"], or name the namespaces of clients in {cluster} too."),
    )
    .in_cluster(cluster)
}
