//! What the clusters, and the other resources of the same apply, have to say about the objects of a resource. It may veto
//! or warn; it never shapes a value.

use std::collections::BTreeSet;
use std::sync::Arc;

use istio_objects::Claim;
use kube_apply::Standing;
use kube_apply::port::Kinds;
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings, Severity};
use mesh_translate::{Objects, Rights};

use super::taking;
use crate::connection::Connection;
use crate::session::{Inventories, Session};
use crate::settings::Settings;

/// Whose apply or plan asks the clusters.
pub(super) struct Asking<'a> {
    /// the configured provider
    pub(super) session: &'a Session,
    /// what the resource may take
    pub(super) rights: Rights<'a>,
    /// whether it takes objects of other instances with its claim; `None`: not known yet
    pub(super) takes_instances: Option<bool>,
    /// nonce of the instance; `None`: it is not there yet, or not told apart
    pub(super) instance: Option<&'a str>,
    /// whether the resource is in the state
    pub(super) exists: bool,
    /// whether anything is to be written
    pub(super) changes: bool,
    /// what other resources of the run are about to write
    pub(super) others: &'a Inventories,
    /// resources that the run destroys or replaces
    pub(super) leaving: &'a BTreeSet<Claim>,
}

/// What the clusters have to say about the planned objects, and what there is in them: everything, or what is under the keys
/// of the objects, where nothing else is judged by.
///
/// What a provider has read of a cluster is seconds old at most; a veto is given on what is read for it.
pub(super) async fn meet_clusters(asking: &Asking<'_>, objects: &Objects) -> (Findings, Inventories) {
    let met = meet(asking, objects).await;
    let is_error = |finding: &Finding| finding.code.severity() == Severity::Error;
    let is_about_what_is_there = |finding: &Finding| is_error(finding) && finding.code != Code::ClusterUnreachable;
    if !asking.changes || met.1.is_empty() || !met.0.iter().any(is_about_what_is_there) {
        return met;
    }
    for name in met.1.keys() {
        asking.session.fleet.forget_inventory(name).await;
    }
    meet(asking, objects).await
}

async fn meet(asking: &Asking<'_>, objects: &Objects) -> (Findings, Inventories) {
    let Asking { session, changes, others, leaving, .. } = *asking;
    let looks_around = mesh_translate::looks_around(objects);
    let mut findings = Findings::new();
    let mut inventories = Inventories::new();
    if changes {
        findings.extend(outside(objects, &session.settings));
        if !findings.is_empty() {
            return (findings, inventories);
        }
    }
    let mut skipped = Vec::new();
    for (name, objects) in objects.iter().filter(|(_, objects)| !objects.is_empty()) {
        let keys = objects.iter().map(|object| object.key()).collect();
        let answer = async {
            if looks_around {
                session.fleet.inventory(name, &Kinds::All).await
            } else {
                session.fleet.near(name, &keys, asking.rights.claim).await
            }
        };
        match session.standing(name) {
            Standing::Ready if changes => match answer.await {
                Some(Ok(mut inventory)) => {
                    if !leaving.is_empty() {
                        inventory.retain(|object| !Claim::on(object).is_some_and(|claim| leaving.contains(&claim)));
                    }
                    inventory.extend(others.get(name).into_iter().flatten().cloned());
                    inventories.insert(name.clone(), inventory);
                }
                Some(Err(error)) => findings.push(error.finding()),
                None => {}
            },
            Standing::Ready => {}
            Standing::Unknown => skipped.push(name.to_string()),
            Standing::Decommissioned if changes => findings.push(decommissioned(name)),
            Standing::Decommissioned => findings.push(left_alone(name)),
            Standing::Unconfigured => findings.push(unregistered(name, session)),
        }
    }
    if !skipped.is_empty() && changes {
        findings.push(Finding::new(
            Code::ClusterSkipped,
            AttributePath::default(),
            format!("How to reach {} is known only after apply.", skipped.join(", ")),
            "The planned objects are not compared with what is there; apply does that before its first write.",
            "",
        ));
    }
    let labelled = with_default_labels(objects, &session.settings);
    findings.extend(mesh_translate::check_inventory(&labelled, &asking.rights, &inventories));
    findings.extend(taking::findings(asking, &labelled, &inventories));
    (findings, inventories)
}

/// The objects with the labels that every object gets: selectors see those too.
fn with_default_labels(objects: &Objects, settings: &Settings) -> Objects {
    let mut labelled = objects.clone();
    for (key, value) in settings.default_labels.iter().flatten() {
        for object in labelled.values_mut().flatten() {
            Arc::make_mut(object).labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    labelled
}

/// Objects where their cluster is not looked at.
fn outside(objects: &Objects, settings: &Settings) -> Findings {
    let mut findings = Findings::new();
    for (name, objects) in objects {
        let connection = settings.clusters.as_ref().and_then(|clusters| clusters.get(name));
        let Some(Connection::Kubernetes { namespaces: Some(namespaces), .. }) = connection else { continue };
        let errors = objects.iter().filter_map(|object| kube_cluster::outside(name, namespaces, &object.key()));
        findings.extend(errors.map(|error| error.finding()));
    }
    findings
}

fn unregistered(name: &ClusterName, session: &Session) -> Finding {
    Finding::new(
        Code::UnconfiguredCluster,
        AttributePath::default(),
        format!(
            "Cluster {name} gets objects, and the provider has no cluster of that name (it has: {}).",
            session.cluster_list()
        ),
        "Its objects could not be written.",
        format!(
            "Register it in the provider block:\n\n  clusters = {{\n    {name} = {{ directory = \"clusters/{name}\" }}\n  }}"
        ),
    )
    .in_cluster(name)
}

/// Nothing is to be written anywhere, and what the state has of the cluster stays: a destroy must not fail for it.
fn left_alone(name: &ClusterName) -> Finding {
    Finding::new(
        Code::ClusterSkipped,
        AttributePath::default(),
        format!("Cluster {name} is in `decommissioned_clusters`, and the configuration still puts objects there."),
        "A decommissioned cluster is never contacted: the state keeps what was last known of it, a destroy forgets it, and a \
         change of this resource is refused.",
        format!("Remove {name} from the virtual mesh and from `backends`, or from `decommissioned_clusters`."),
    )
    .in_cluster(name)
}

fn decommissioned(name: &ClusterName) -> Finding {
    Finding::new(
        Code::UnconfiguredCluster,
        AttributePath::default(),
        format!("Cluster {name} gets objects and is in `decommissioned_clusters`."),
        "A decommissioned cluster is never contacted.",
        format!("Remove {name} from the virtual mesh and from `backends`, or from `decommissioned_clusters`."),
    )
    .in_cluster(name)
}
