//! What is to be said about a replacement, and about an update of a protected resource.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Claim, Manifest, ObjectKey};
use mesh_model::derived::{PREFIX, workload_entry_name};
use mesh_model::names::{ClusterName, Hostname, SubsetName};
use mesh_model::{AttributePath, Code, Finding, Findings};
use mesh_translate::Objects;
use tf_value::Value;

use crate::lifecycle::Users;
use crate::session::PerCluster;

/// A destination with another name or namespace: under the same hostname both instances would write the same objects.
pub(super) fn destination_replaced(prior: &Value, planned: &Value, given_up: Option<&Claim>) -> Findings {
    let shares_host = prior.get("hostname") == planned.get("hostname") || planned.get("hostname").is_unknown();
    let (why, fix) = match given_up {
        Some(old) if shares_host => (
            "Terraform destroys the old one first: until the new one is there, clients cannot resolve the hostname.".to_owned(),
            format!(
                "To hand the objects over in place, without an interruption, write for this apply:\n\n  takeover_from = [\"{old}\"]\n\n  lifecycle {{\n    create_before_destroy = true\n  }}"
            ),
        ),
        Some(_) => (
            "Terraform destroys the old one first: until the new one is there, clients have neither hostname.".to_owned(),
            "To have the new hostname before the old one goes, write:\n\n  lifecycle {\n    create_before_destroy = true\n  }"
                .to_owned(),
        ),
        None => return Findings::new(),
    };
    vec![Finding::new(Code::ReplaceInterrupts, AttributePath::default(), changed(prior, planned), why, fix)]
}

/// A mesh with another name: its objects have the same names whatever it is called.
pub(super) fn mesh_replaced(prior: &Value, planned: &Value, given_up: Option<&Claim>) -> Findings {
    let writes = ["federation", "mtls"].iter().any(|name| !prior.get(name).is_null());
    let Some(old) = given_up.filter(|_| writes) else { return Findings::new() };
    vec![Finding::new(
        Code::ReplaceInterrupts,
        AttributePath::of("name"),
        changed(prior, planned),
        "Terraform destroys the old one first: until the new one is there, clients cannot resolve the names of exported Services, and the mode of mutual TLS is not set.",
        format!(
            "To hand the objects over in place, without an interruption, write for this apply:\n\n  takeover_from = [\"{old}\"]\n\n  lifecycle {{\n    create_before_destroy = true\n  }}"
        ),
    )]
}

/// The whole mesh goes.
pub(super) fn mesh_in_use(users: &Users) -> Finding {
    in_use(
        users,
        AttributePath::of("name"),
        "The mesh would go, and destinations of other states belong to it",
        "Destroy them first, or give them another mesh and apply that. To forget the mesh here and keep it for them, declare it \
         in their state, or write:\n\n  removed {\n    from = <address of the mesh>\n    lifecycle {\n      destroy = false\n    \
         }\n  }",
    )
}

/// Clusters leave it.
pub(super) fn members_in_use(users: &Users) -> Finding {
    in_use(
        users,
        AttributePath::of("clusters"),
        "Clusters would leave the mesh, and destinations of other states have objects there",
        "Apply in their states first that they leave these clusters, then take the clusters out of the mesh:\n\n  clients  = \
         [<the clusters that stay>]\n  backends = [<those in the clusters that stay>]",
    )
}

fn in_use(users: &Users, path: AttributePath, what: &str, fix: &str) -> Finding {
    let lines: Vec<String> = users
        .iter()
        .map(|(claim, clusters)| {
            let clusters: Vec<&str> = clusters.iter().map(ClusterName::as_str).collect();
            format!("  {claim} (in {})", clusters.join(", "))
        })
        .collect();
    let why = "Their next plans are made from a mesh that does not have what they use.";
    Finding::new(Code::MeshInUse, path, format!("{what}:\n{}", lines.join("\n")), why, fix)
}

/// An object with another kind, namespace or name.
pub(super) fn object_replaced(prior: &Value, planned: &Value) -> Findings {
    vec![Finding::new(
        Code::ReplaceInterrupts,
        AttributePath::of("manifest"),
        changed(prior, planned),
        "Terraform deletes the old object first: until the new one is there, there is neither.",
        "To have the new object before the old one goes, write:\n\n  lifecycle {\n    create_before_destroy = true\n  }",
    )]
}

fn changed(prior: &Value, planned: &Value) -> String {
    let id = |state: &Value| state.get("id").as_str().unwrap_or("(known after apply)").to_owned();
    format!("{} is replaced by {}.", id(prior), id(planned))
}

/// Clients whose every backend goes, whatever comes in its place.
pub(super) fn backends_lost(prior: &Value, planned: &Value, before: &PerCluster, after: &Objects) -> Findings {
    let clients = before.iter().filter_map(|(client, manifests)| {
        let old = backends(prior, client, &manifests.iter().map(|manifest| manifest.key().clone()).collect())?;
        let new = backends(planned, client, &after.get(client)?.iter().map(|object| object.key()).collect())?;
        let lost: Vec<&str> = old.iter().map(ClusterName::as_str).collect();
        (!old.is_empty() && old.is_disjoint(&new)).then(|| format!("{client} (has {})", lost.join(", ")))
    });
    let clients: Vec<String> = clients.collect();
    if clients.is_empty() {
        return Findings::new();
    }
    vec![Finding::new(
        Code::Protected,
        AttributePath::of("backends"),
        format!(
            "The destination is protected, and these clients would lose every backend that they have now: {}.",
            clients.join("; ")
        ),
        "Nothing that serves them today would be left; what comes instead has served nobody yet.",
        "Go in two steps: add the new backends and apply, then remove the old ones. Or switch the protection off and apply that \
         first:\n\n  deletion_protection = false",
    )]
}

/// Names of exported Services, and modes of mutual TLS, that go in members which stay.
pub(super) fn exports_lost(planned: &Value, before: &PerCluster, after: &Objects) -> Findings {
    let is_provided = |key: &ObjectKey| ["ServiceEntry", "PeerAuthentication"].contains(&key.kind.as_str());
    let mut lost: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let stays = |cluster: &ClusterName| planned.get("clusters").as_map().is_some_and(|all| all.contains_key(cluster.as_str()));
    for (cluster, manifests) in before.iter().filter(|(cluster, _)| stays(cluster)) {
        let kept: BTreeSet<ObjectKey> = after.get(cluster).into_iter().flatten().map(|object| object.key()).collect();
        // a name may move to another namespace
        let is_kept = |key: &ObjectKey| kept.iter().any(|other| other.kind == key.kind && other.name == key.name);
        for key in manifests.iter().map(Manifest::key).filter(|key| is_provided(key) && !is_kept(key)) {
            let what = match key.name.as_str().strip_prefix(PREFIX) {
                Some(hostname) if key.kind == "ServiceEntry" => hostname.to_owned(),
                _ => key.to_string(),
            };
            lost.entry(what).or_default().push(cluster.as_str());
        }
    }
    if lost.is_empty() {
        return Findings::new();
    }
    let lines: Vec<String> = lost.into_iter().map(|(what, clusters)| format!("{what} (in {})", clusters.join(", "))).collect();
    vec![Finding::new(
        Code::Protected,
        AttributePath::of("deletion_protection"),
        format!("The mesh is protected, and clients would lose: {}.", lines.join("; ")),
        "Whoever calls these names could not resolve them any more; without a mode of mutual TLS, workloads take plain text.",
        "Take the change back, or switch the protection off and apply that first:\n\n  deletion_protection = false",
    )]
}

/// The clusters that serve a client: its own, and those for which it has an entry. `None`: it is no client.
fn backends(state: &Value, client: &ClusterName, keys: &BTreeSet<ObjectKey>) -> Option<BTreeSet<ClusterName>> {
    let hostname: Hostname = state.get("hostname").as_str()?.parse().ok()?;
    keys.iter().find(|key| key.kind == "ServiceEntry")?;
    let entries: BTreeSet<_> = keys.iter().filter(|key| key.kind == "WorkloadEntry").map(|key| &key.name).collect();
    let subsets = state.get("subsets").as_map().into_iter().flatten().filter_map(|(name, _)| name.parse::<SubsetName>().ok());
    let subsets: Vec<Option<SubsetName>> = subsets.map(Some).chain([None]).collect();
    let is_called = |cluster: &ClusterName| {
        subsets.iter().any(|subset| entries.contains(&workload_entry_name(&hostname, cluster, subset.as_ref(), 0)))
    };
    let serving = state.get("backends").as_elements().unwrap_or_default();
    let serving = serving.iter().filter_map(|backend| backend.get("cluster").as_str()?.parse::<ClusterName>().ok());
    Some(serving.filter(|cluster| cluster == client || is_called(cluster)).collect())
}
