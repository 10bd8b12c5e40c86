//! What was found, in the shape of attributes; nulls are left out, because they only say that a default holds.

use mesh_discovery::{
    ClusterFound, ClusterObserved, ListedWorkload, ServiceFacts, ServiceObserved, WorkloadFacts, WorkloadObserved,
};
use mesh_model::{Input, encode};
use serde_json::{Value, json};

pub(crate) fn cluster(found: &ClusterFound) -> Value {
    let ClusterObserved { istio_release, istio_namespace, revision_tags, localities, other_owners } = &found.observed;
    let mut shape = json!({
        "facts": without_nulls(attributes(&encode::cluster_facts(&found.facts))),
        "observed": {
            "istio_release": istio_release,
            "istio_namespace": istio_namespace,
            "revision_tags": revision_tags,
            "localities": localities,
            "other_owners": other_owners,
        },
    });
    if !found.accepted_trust_domains.is_empty() {
        let accepted: Vec<&str> = found.accepted_trust_domains.iter().map(|domain| domain.as_str()).collect();
        shape["accepted_trust_domains"] = json!(accepted);
    }
    shape
}

pub(crate) fn service(found: &ServiceFacts) -> Value {
    let ServiceObserved { pods, ready, localities } = &found.observed;
    json!({
        "backend": without_nulls(attributes(&encode::backend(&found.backend))),
        "subsets": found.subsets,
        "observed": { "pods": pods, "ready": ready, "localities": localities },
    })
}

pub(crate) fn workload(listed: &ListedWorkload) -> Value {
    let WorkloadFacts { namespace, canonical_name, revision, service_account, labels, made_by } = &listed.facts;
    let observed = listed.observed.as_ref().map(|observed| {
        let WorkloadObserved { pods, ready, sidecars, localities } = observed;
        json!({ "pods": pods, "ready": ready, "sidecars": sidecars, "localities": localities })
    });
    json!({
        "workload": format!("{namespace}/{canonical_name}/{revision}/{service_account}"),
        "labels": labels,
        "made_by": made_by,
        "observed": observed,
    })
}

/// The JSON of an attribute, nulls and all.
pub(crate) fn attributes(input: &Input) -> Value {
    input.to_json().unwrap()
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, member)| !member.is_null())
            .map(|(name, member)| (name, without_nulls(member)))
            .collect(),
        leaf => leaf,
    }
}
