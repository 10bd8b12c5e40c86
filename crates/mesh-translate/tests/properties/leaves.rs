//! Leaves of an intent that may be unknown, and which objects depend on each.

use std::time::Duration;

use istio_objects::ObjectKey;
use mesh_model::derived::NETWORK_GATEWAY;
use mesh_model::facts::{ClusterFacts, GatewayAddress};
use mesh_model::intent::VirtualDestination;
use mesh_model::names::ClusterName;
use mesh_model::{Leaf, LeafPath};
use mesh_translate::translate;
use proptest::prelude::*;

use crate::fleet;

/// A leaf.
#[derive(Clone, Debug)]
enum Which {
    Address(ClusterName, usize, usize),
    Hostname(ClusterName, usize),
    GatewayPort(ClusterName, usize),
    Region(ClusterName),
    Network(ClusterName),
    DnsCapture(ClusterName),
    CanonicalName(usize),
    ServiceAccount(usize, usize),
    Timeout,
    ConnectTimeout,
    Interval,
    Attempts,
    RetryUnavailable,
    ExportTo(usize),
}

fn all(intent: &VirtualDestination) -> Vec<Which> {
    let mut all = vec![
        Which::Timeout,
        Which::ConnectTimeout,
        Which::Interval,
        Which::Attempts,
        Which::RetryUnavailable,
        Which::ExportTo(0),
    ];
    for (cluster, facts) in &intent.mesh.clusters {
        all.push(Which::DnsCapture(cluster.clone()));
        // one that is reached by a hostname has to be known
        let is_named = facts.gateways.iter().any(|gateway| matches!(gateway.address, GatewayAddress::Hostname(_)));
        all.extend((!is_named).then(|| Which::Network(cluster.clone())));
        all.extend(facts.region.iter().map(|_| Which::Region(cluster.clone())));
        for (index, gateway) in facts.gateways.iter().enumerate() {
            all.push(Which::GatewayPort(cluster.clone(), index));
            match &gateway.address {
                GatewayAddress::Addresses(addresses) => {
                    all.extend((0..addresses.len()).map(|address| Which::Address(cluster.clone(), index, address)));
                }
                GatewayAddress::Hostname(_) => all.push(Which::Hostname(cluster.clone(), index)),
            }
        }
    }
    for (index, backend) in intent.backends.iter().enumerate() {
        all.push(Which::CanonicalName(index));
        all.extend((0..backend.service_accounts.len()).map(|account| Which::ServiceAccount(index, account)));
    }
    all
}

/// Makes a leaf unknown, or another value.
fn set(intent: &mut VirtualDestination, which: &Which, unknown: bool) {
    fn put<T>(leaf: &mut Leaf<T>, unknown: bool, other: T) {
        *leaf = if unknown { Leaf::Unknown(LeafPath("some.leaf".to_owned())) } else { Leaf::Known(other) };
    }
    match which {
        Which::Address(cluster, gateway, index) => {
            let mut facts = facts(intent, cluster).gateways.iter_mut().map(|gateway| &mut gateway.address);
            let Some(GatewayAddress::Addresses(addresses)) = facts.nth(*gateway) else { return };
            put(&mut addresses[*index], unknown, "198.51.100.1".parse().expect("an address"));
        }
        Which::Hostname(cluster, gateway) => {
            let mut facts = facts(intent, cluster).gateways.iter_mut().map(|gateway| &mut gateway.address);
            let Some(GatewayAddress::Hostname(hostname)) = facts.nth(*gateway) else { return };
            put(hostname, unknown, fleet::name("moved.example.com"));
        }
        Which::GatewayPort(cluster, gateway) => {
            put(&mut facts(intent, cluster).gateways[*gateway].port, unknown, fleet::port(31443))
        }
        Which::Region(cluster) => put(facts(intent, cluster).region.as_mut().expect("it is set"), unknown, fleet::name("moon")),
        Which::Network(cluster) => {
            put(facts(intent, cluster).network.as_mut().expect("it is set"), unknown, fleet::name("other"))
        }
        Which::DnsCapture(cluster) => put(facts(intent, cluster).dns_capture.as_mut().expect("it is set"), unknown, false),
        Which::CanonicalName(index) => {
            // all backends have one name
            let leaf = &mut intent.backends[*index].canonical_name;
            let same = leaf.known().expect("it is known").clone();
            put(leaf, unknown, same);
        }
        Which::ServiceAccount(index, account) => {
            put(&mut intent.backends[*index].service_accounts[*account], unknown, fleet::name("other"));
        }
        Which::Timeout => put(intent.timeout.as_mut().expect("it is set"), unknown, Duration::from_secs(77)),
        Which::ConnectTimeout => put(&mut intent.connect_timeout, unknown, Duration::from_secs(77)),
        Which::Interval => put(&mut intent.outlier_detection.interval, unknown, Duration::from_secs(77)),
        Which::Attempts => put(&mut intent.retries.attempts, unknown, 7),
        Which::RetryUnavailable => put(&mut intent.retries.retry_unavailable, unknown, true),
        Which::ExportTo(index) => put(&mut intent.export_to[*index], unknown, "zoo".to_owned()),
    }
}

fn facts<'i>(intent: &'i mut VirtualDestination, cluster: &ClusterName) -> &'i mut ClusterFacts {
    intent.mesh.clusters.get_mut(cluster).expect("leaves are taken from the intent")
}

/// Whether an object may hold a leaf.
fn may_hide(which: &Which, holder: &ClusterName, key: &ObjectKey) -> bool {
    let kind = key.kind.as_str();
    let is_named_for = |cluster: &ClusterName| key.name.as_str().contains(&format!(".internal.{cluster}"));
    let entry_of = |cluster: &ClusterName| kind == "WorkloadEntry" && is_named_for(cluster);
    let gateway_of = |cluster: &ClusterName| kind == NETWORK_GATEWAY && is_named_for(cluster);
    match which {
        Which::Address(cluster, ..) | Which::GatewayPort(cluster, _) => entry_of(cluster) || gateway_of(cluster),
        Which::Hostname(cluster, _) => gateway_of(cluster),
        Which::Region(cluster) => {
            entry_of(cluster) || (["WorkloadEntry", "DestinationRule"].contains(&kind) && holder == cluster)
        }
        Which::Network(_) | Which::DnsCapture(_) => false,
        Which::CanonicalName(_) => ["ServiceEntry", "WorkloadEntry"].contains(&kind),
        Which::ServiceAccount(..) => ["ServiceEntry", "WorkloadEntry", "DestinationRule"].contains(&kind),
        Which::Timeout | Which::Attempts | Which::RetryUnavailable => kind == "VirtualService",
        Which::ConnectTimeout | Which::Interval => kind == "DestinationRule",
        Which::ExportTo(_) => ["ServiceEntry", "DestinationRule", "VirtualService"].contains(&kind),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// What an unknown leaf hides is what another value would change, and never more than the objects that hold it.
    #[test]
    fn one_unknown_leaf_hides_only_its_own_objects(intent in fleet::destination(), pick in any::<prop::sample::Index>()) {
        let leaves = all(&intent);
        let which = pick.get(&leaves);
        // with `only` or a limit, regions decide which entries there are; decoding makes all unknown then
        let chosen_by_region = intent.failover.only || intent.failover.most_targets.is_some();
        prop_assume!(!(chosen_by_region && matches!(which, Which::Region(_))));
        let [mut unknown, mut other] = [intent.clone(), intent.clone()];
        set(&mut unknown, which, true);
        set(&mut other, which, false);
        let [known, unknown, other] = [&intent, &unknown, &other].map(|intent| fleet::sealed(&translate(intent)));
        prop_assert_eq!(known.keys().collect::<Vec<_>>(), unknown.keys().collect::<Vec<_>>());
        for (cluster, objects) in &known {
            let keys = |objects: &[istio_objects::Sealed]| objects.iter().map(|object| object.key().clone()).collect::<Vec<_>>();
            prop_assert_eq!(keys(objects), keys(&unknown[cluster]), "{:?} changes which objects exist", which);
            prop_assert_eq!(keys(objects), keys(&other[cluster]));
            for ((before, hidden), after) in objects.iter().zip(&unknown[cluster]).zip(&other[cluster]) {
                match hidden.unknown() {
                    Some(leaf) => {
                        prop_assert_eq!(&leaf.0, "some.leaf");
                        prop_assert!(may_hide(which, cluster, hidden.key()), "{:?} hides {} in {}", which, hidden.key(), cluster);
                    }
                    None => {
                        prop_assert_eq!(before, hidden);
                        prop_assert_eq!(before, after, "{:?} changes {} in {} and is not unknown there", which, hidden.key(), cluster);
                    }
                }
                // no placeholder: an object with an unknown leaf has no bytes at all
                prop_assert_eq!(hidden.manifest().is_none(), hidden.unknown().is_some());
                if let Some(manifest) = hidden.manifest() {
                    prop_assert!(!manifest.json().contains("some.leaf") && !manifest.json().contains("unknown"));
                }
            }
        }
    }
}
