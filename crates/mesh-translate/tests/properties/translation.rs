//! The same intent has the same objects.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use mesh_model::facts::GatewayAddress;
use mesh_model::finding::Severity;
use mesh_model::intent::VirtualDestination;
use mesh_model::names::{ClusterName, SubsetName};
use mesh_model::{Leaf, derived};
use mesh_translate::translate;
use proptest::prelude::*;

use crate::world::{self, World};
use crate::{fleet, routes};

/// All strings of a JSON value.
fn strings(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => found.push(text.clone()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        serde_json::Value::Object(members) => members.values().for_each(|member| strings(member, found)),
        _ => {}
    }
}

/// Does what decoding refuses, or what only linking can see.
fn break_intent(intent: &mut VirtualDestination, kind: usize, pick: prop::sample::Index) {
    let outside = fleet::name("outside");
    let backends = intent.backends.len();
    let backend = (backends > 0).then(|| &mut intent.backends[pick.index(backends.max(1))]);
    let facts = intent.mesh.clusters.values_mut().nth(pick.index(5)).expect("fleets have five clusters");
    match (kind, backend) {
        (0, _) => intent.backends.clear(),
        (1, Some(backend)) => backend.service_accounts.clear(),
        (2, Some(backend)) => backend.cluster = outside,
        (3, Some(backend)) => {
            let mut second = backend.clone();
            second.service = fleet::name("second");
            intent.backends.push(second);
        }
        (4, Some(backend)) => backend.ports.clear(),
        (5, _) => intent.ports.clear(),
        (6, _) => facts.gateways.iter_mut().for_each(|gateway| gateway.selector.clear()),
        (7, _) => facts.gateways.clear(),
        (8, _) => {
            intent.clients.insert(outside);
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn twice_is_the_same(intent in fleet::destination()) {
        prop_assert_eq!(translate(&intent), translate(&intent.clone()));
        prop_assert_eq!(fleet::manifests(&intent), fleet::manifests(&intent));
    }

    #[test]
    fn order_without_meaning_has_no_effect(intent in fleet::destination(), rotation in 0..10_usize) {
        let mut other = intent.clone();
        other.backends.reverse();
        let steps = rotation % other.backends.len();
        other.backends.rotate_left(steps);
        other.export_to.reverse();
        other.ports.reverse();
        other.backends.iter_mut().for_each(|backend| backend.service_accounts.reverse());
        prop_assert_eq!(translate(&intent).objects, translate(&other).objects);
    }

    /// A port more changes what names ports, and nothing else.
    #[test]
    fn a_port_is_in_objects_that_name_ports(intent in fleet::destination()) {
        prop_assume!(intent.ports.len() > 1);
        let mut fewer = intent.clone();
        let gone = fewer.ports.pop().expect("there are several");
        let is_routed_apart = !intent.subsets.is_empty() && !gone.protocol.has_requests();
        let [more, fewer] = [&intent, &fewer].map(|intent| {
            let manifests = fleet::manifests(intent).into_iter();
            manifests.flat_map(|(cluster, all)| all.into_iter().map(move |one| ((cluster.clone(), one.key().clone()), one))).collect::<BTreeMap<_, _>>()
        });
        prop_assert!(more.keys().eq(fewer.keys()), "no object comes or goes");
        for ((cluster, key), manifest) in &more {
            let names_ports = match key.kind.as_str() {
                "ServiceEntry" => true,
                // a network has the port of its gateway
                "WorkloadEntry" => manifest.value()["spec"]["address"].is_string(),
                "DestinationRule" => !derived::is_serving_name(&key.name),
                "VirtualService" => is_routed_apart,
                _ => false,
            };
            prop_assert_eq!(*manifest != fewer[&(cluster.clone(), key.clone())], names_ports, "{} {}", cluster, key);
        }
    }

    /// Each client splits its calls as the intent says, and finds what each part of them asks for: a policy with a server name that
    /// gateways know, and pods.
    #[test]
    fn calls_are_split_as_the_weights_say(intent in fleet::destination()) {
        let state = world::state(Some(&intent));
        let backends = intent.backends.iter().map(|backend| (backend, &intent.subsets));
        let world = World::of(backends, &intent.mesh.clusters);
        let weights = intent.subsets.iter().filter(|(_, subset)| subset.weight > 0);
        let weights: BTreeMap<String, u64> = weights.map(|(name, subset)| (name.to_string(), subset.weight.into())).collect();
        for (at, host) in state.iter().filter(|(at, _)| world::is_host(at)) {
            prop_assert_eq!(&routes::weights(&state, &at.0, &host.value), &weights);
            prop_assert_eq!(routes::lost(&state, &at.0), None);
            let rule = world::rule_of(&state, &at.0, &host.value).expect("hosts have a policy");
            for number in world::ports(&host.value).iter().map(|port| &port["number"]) {
                prop_assert!(world.serves(&state, at, number), "{}: port {}", &at.1, number);
                for part in routes::all_parts(rule) {
                    let server = world::service_of(routes::policy(rule, &part, number), number);
                    prop_assert_eq!(server.map(|(_, asked)| asked), Some(part));
                }
            }
        }
    }

    /// Where the calls of a client are spread, each part of them has the shares that the intent says: by regions that the entries of
    /// a cluster have, all of them and no others, in every cluster that has the part.
    #[test]
    fn calls_of_every_part_are_spread_as_the_shares_say(intent in fleet::spreading()) {
        let state = world::state(Some(&intent));
        let has_subset = |cluster: &ClusterName, name: &SubsetName| {
            intent.backends.iter().any(|backend| backend.cluster == *cluster && backend.has_subset(name))
        };
        let clients = intent.failover.spread.iter().filter(|(client, _)| intent.clients.contains(*client));
        for (client, shares) in clients {
            let region_of = |cluster: &ClusterName| match cluster == client {
                true => intent.mesh.clusters[client].region.as_ref().and_then(Leaf::known).expect("it has a share").clone(),
                false => derived::share_region(cluster),
            };
            let wanted: BTreeMap<String, u8> = shares.iter().map(|(cluster, percent)| (region_of(cluster).to_string(), percent)).collect();
            let at = state.keys().find(|at| at.0 == *client && world::is_host(at)).expect("it calls");
            let host = &state[at].value;
            let rule = world::rule_of(&state, client, host).expect("hosts have a policy");
            for part in routes::all_parts(rule) {
                for number in world::ports(host).iter().map(|port| &port["number"]) {
                    let setting = &routes::policy(rule, &part, number)["loadBalancer"]["localityLbSetting"];
                    prop_assert_eq!(setting, &serde_json::json!({ "enabled": true, "distribute": [{ "from": "*", "to": &wanted }] }));
                }
                let entries = world::of_kind(&state, client, "WorkloadEntry").filter(|entry| routes::is_of(entry, rule, &part));
                let told: BTreeSet<&str> = entries.map(|entry| entry["spec"]["locality"].as_str().expect("a region")).collect();
                let has_part = |cluster: &ClusterName| {
                    let name = part.as_ref().map(|name| fleet::name::<SubsetName>(name));
                    let has_some = intent.subsets.is_empty() || intent.subsets.keys().any(|name| has_subset(cluster, name));
                    name.map_or(has_some, |name| has_subset(cluster, &name))
                };
                let others = shares.iter().map(|(cluster, _)| cluster).filter(|cluster| *cluster != client && has_part(cluster));
                let others: BTreeSet<String> = others.map(|cluster| region_of(cluster).to_string()).collect();
                prop_assert_eq!(told, others.iter().map(String::as_str).collect::<BTreeSet<_>>());
            }
        }
    }

    /// Every address in a manifest is one of a gateway in the facts: no pod's, no Service's. Nothing looks like a key or token.
    #[test]
    fn only_gateway_addresses_are_written(intent in fleet::destination()) {
        let gateways: BTreeSet<IpAddr> = intent
            .mesh
            .clusters
            .values()
            .flat_map(|facts| &facts.gateways)
            .flat_map(|gateway| match &gateway.address {
                GatewayAddress::Addresses(addresses) => addresses.iter().filter_map(|address| address.known().copied()).collect(),
                GatewayAddress::Hostname(_) => Vec::new(),
            })
            .collect();
        let mut found = Vec::new();
        for manifest in fleet::manifests(&intent).values().flatten() {
            strings(&manifest.value(), &mut found);
        }
        for text in found {
            if let Ok(address) = text.parse::<IpAddr>() {
                prop_assert!(gateways.contains(&address), "{} is no gateway's", address);
            }
            prop_assert!(!text.contains("BEGIN") && !text.contains("Bearer"));
        }
    }

    /// Whatever is wrong with an intent is a finding, never a panic, and no object is made of it.
    #[test]
    fn translation_is_total(intent in fleet::destination(), damage in prop::collection::vec(0..9_usize, 1..4), pick in any::<prop::sample::Index>()) {
        let mut intent = intent;
        for kind in damage {
            break_intent(&mut intent, kind, pick);
        }
        let translation = translate(&intent);
        let refused = translation.findings.iter().any(|finding| finding.code.severity() == Severity::Error);
        prop_assert_eq!(refused, translation.objects.is_empty());
        prop_assert!(translation.findings.is_sorted());
    }

    /// Every entry leads to a cluster that serves, is not the client's own, and exposes the Service or has it exposed.
    #[test]
    fn entries_lead_to_other_serving_clusters(intent in fleet::destination()) {
        let serving: BTreeSet<_> = intent.backends.iter().map(|backend| backend.cluster.clone()).collect();
        for (cluster, manifests) in fleet::manifests(&intent) {
            for manifest in manifests.iter().filter(|manifest| manifest.key().kind == "WorkloadEntry") {
                let value = manifest.value();
                let target = world::target_of(&value);
                prop_assert!(target != cluster && serving.contains(&target));
                prop_assert!(intent.clients.contains(&cluster));
            }
        }
    }
}
