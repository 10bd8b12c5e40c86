//! What a change of a destination touches: a stated rule for each change, and nothing beyond it.
//!
//! | change | touches, in clusters that it is not about |
//! |---|---|
//! | a cluster that only calls | where it alone has more ranks than others, `failoverPriority` |
//! | a cluster that serves | entries, and gateways of its network; servers of ServiceEntries and DestinationRules, ranks and shares; where it alone made Services differ, the name they are known by |
//! | ranks and shares | entries, and gateways of networks; servers, ranks and shares of DestinationRules, in every cluster |
//! | settings of requests | the VirtualService, in every cluster |
//!
//! What a gateway passes through comes with the first client of another cluster and goes with the last one.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::ObjectKey;
use mesh_model::Leaf;
use mesh_model::derived::NETWORK_GATEWAY;
use mesh_model::facts::Backend;
use mesh_model::intent::{Failover, VirtualDestination};
use mesh_model::names::{ClusterName, PortNumber, ServiceName};
use mesh_translate::translate;
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::{failover, fleet};

type Objects = BTreeMap<(ClusterName, ObjectKey), Value>;

fn objects(intent: &VirtualDestination) -> Objects {
    let in_cluster = |(cluster, manifests): (ClusterName, Vec<istio_objects::Manifest>)| {
        manifests.into_iter().map(move |one| ((cluster.clone(), one.key().clone()), one.value()))
    };
    fleet::manifests(intent).into_iter().flat_map(in_cluster).collect()
}

/// Paths in which two values differ; the path of a list is that of its items.
fn differences(at: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let absent = Value::Null;
            let member = |object: &Map<String, Value>, name: &str| object.get(name).unwrap_or(&absent).clone();
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for name in names {
                differences(&format!("{at}/{name}"), &member(one, name), &member(other, name), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            one.iter().zip(other).for_each(|(one, other)| differences(at, one, other, found));
        }
        (one, other) if one == other => {}
        _ => found.push(at.to_owned()),
    }
}

/// Everything that differs: the object, and where in it; nothing where one side lacks the object.
fn touched(one: &Objects, other: &Objects) -> Vec<(ClusterName, ObjectKey, Vec<String>)> {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    let differing = |key: &(ClusterName, ObjectKey)| {
        let mut found = Vec::new();
        match (one.get(key), other.get(key)) {
            (Some(one), Some(other)) => differences("", one, other, &mut found),
            _ => found.push("the object".to_owned()),
        }
        found
    };
    let all = keys.into_iter().map(|key| (key.0.clone(), key.1.clone(), differing(key)));
    all.filter(|(_, _, found)| !found.is_empty()).collect()
}

/// The Services of a destination, and their ports.
fn services(intent: &VirtualDestination) -> BTreeSet<(&ServiceName, Vec<PortNumber>)> {
    let ports = |backend: &Backend| backend.ports.iter().map(|port| port.number).collect();
    intent.backends.iter().map(|backend| (&backend.service, ports(backend))).collect()
}

/// What gateways need to pass calls through; it comes and goes with clients of other clusters.
fn is_passage(key: &ObjectKey, paths: &[String]) -> bool {
    let is_serving = key.kind == "Gateway" || key.name.as_str().contains("gloo-serving");
    is_serving && paths == ["the object"]
}

const RANKS: &str = "failoverPriority";
/// Ranks by labels, or by regions.
const REGIONS: &str = "/localityLbSetting/failover";
const SHARES: &str = "/localityLbSetting/distribute";
const SERVERS: &str = "ubjectAltNames";

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_cluster_that_only_calls_is_alone(intent in fleet::destination(), pick in any::<prop::sample::Index>()) {
        let serves = |cluster: &&ClusterName| intent.backends.iter().any(|backend| backend.cluster == **cluster);
        let calling: Vec<ClusterName> = intent.clients.iter().filter(|one| !serves(one)).cloned().collect();
        prop_assume!(!calling.is_empty() && intent.clients.len() > 1);
        let gone = &calling[pick.index(calling.len())];
        let mut without = intent.clone();
        without.clients.remove(gone);
        without.client_namespace.remove(gone);
        without.failover.per_client.remove(gone);
        prop_assume!(!translate(&without).objects.is_empty());
        for (cluster, key, paths) in touched(&objects(&intent), &objects(&without)) {
            let is_rank = |path: &String| key.kind == "DestinationRule" && path.ends_with(RANKS);
            prop_assert!(cluster == *gone || is_passage(&key, &paths) || paths.iter().all(is_rank), "{} of {}: {:?}", key, cluster, paths);
        }
    }

    #[test]
    fn a_cluster_that_serves_is_known_by_entries_and_servers(intent in fleet::destination(), pick in any::<prop::sample::Index>()) {
        let gone = intent.backends[pick.index(intent.backends.len())].cluster.clone();
        let mut without = intent.clone();
        without.backends.retain(|backend| backend.cluster != gone);
        without.clients.remove(&gone);
        without.client_namespace.remove(&gone);
        without.failover.per_client.remove(&gone);
        failover::fit(&mut without);
        prop_assume!(!translate(&without).objects.is_empty());
        let [more, fewer] = [objects(&intent), objects(&without)];
        prop_assume!(services(&intent).len().min(2) == services(&without).len().min(2));
        for (cluster, key, paths) in touched(&more, &fewer) {
            let is_told = |path: &String| match key.kind.as_str() {
                // another cluster may take its place among the targets of a client
                "WorkloadEntry" => true,
                NETWORK_GATEWAY => path == "the object",
                "ServiceEntry" => path.ends_with(SERVERS),
                "DestinationRule" => path.ends_with(SERVERS) || path.contains(REGIONS) || path.contains(SHARES),
                _ => false,
            };
            prop_assert!(cluster == gone || is_passage(&key, &paths) || paths.iter().all(is_told), "{} of {}: {:?}", key, cluster, paths);
        }
    }

    #[test]
    fn ranks_are_in_entries_and_policies(intent in fleet::destination(), other in fleet::destination()) {
        let mut ranked = VirtualDestination { failover: Failover { most_targets: None, ..other.failover }, ..intent.clone() };
        failover::fit(&mut ranked);
        prop_assume!(!translate(&ranked).objects.is_empty());
        for (cluster, key, paths) in touched(&objects(&intent), &objects(&ranked)) {
            let is_told = |path: &String| match key.kind.as_str() {
                "WorkloadEntry" => path.contains("gloo-terraform-rank") || path == "/spec/locality" || path == "the object",
                "ServiceEntry" => path.ends_with(SERVERS),
                NETWORK_GATEWAY => path == "the object",
                "DestinationRule" => path.contains(REGIONS) || path.contains(SHARES) || path.ends_with(SERVERS),
                _ => false,
            };
            prop_assert!(is_passage(&key, &paths) || paths.iter().all(is_told), "{} of {}: {:?}", key, cluster, paths);
        }
    }

    #[test]
    fn settings_of_requests_are_in_the_virtual_service(intent in fleet::destination(), attempts in 0..5_u32) {
        let mut other = intent.clone();
        other.retries.attempts = Leaf::Known(attempts);
        other.timeout = None;
        prop_assume!(!translate(&other).objects.is_empty());
        let touched = touched(&objects(&intent), &objects(&other));
        prop_assert!(touched.iter().all(|(_, key, _)| key.kind == "VirtualService"), "{:?}", touched);
        prop_assert_eq!(touched.len(), intent.clients.len());
    }
}
