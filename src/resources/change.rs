//! What is to be said about a replacement, and about an update of a protected destination.

use std::collections::BTreeSet;

use istio_objects::{Claim, ObjectKey};
use mesh_model::derived::workload_entry_name;
use mesh_model::names::{ClusterName, Hostname};
use mesh_model::{AttributePath, Code, Finding, Findings};
use mesh_translate::Objects;
use tf_value::Value;

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

/// The clusters that serve a client: its own, and those for which it has an entry. `None`: it is no client.
fn backends(state: &Value, client: &ClusterName, keys: &BTreeSet<ObjectKey>) -> Option<BTreeSet<ClusterName>> {
    let hostname: Hostname = state.get("hostname").as_str()?.parse().ok()?;
    keys.iter().find(|key| key.kind == "ServiceEntry")?;
    let entries: BTreeSet<_> = keys.iter().filter(|key| key.kind == "WorkloadEntry").map(|key| &key.name).collect();
    let serving = state.get("backends").as_elements().unwrap_or_default();
    let serving = serving.iter().filter_map(|backend| backend.get("cluster").as_str()?.parse::<ClusterName>().ok());
    Some(serving.filter(|cluster| cluster == client || entries.contains(&workload_entry_name(&hostname, cluster, 0))).collect())
}
