//! Random fleets that translate without an error, and some in which gateways are reached by hostnames.

use std::collections::BTreeSet;

use mesh_model::Leaf;
use mesh_model::facts::{ClusterFacts, GatewayAddress};
use mesh_model::intent::VirtualDestination;
use mesh_model::names::ClusterName;
use mesh_translate::translate;
use proptest::prelude::*;

use crate::fleet;

/// A destination that translates without an error, in a fleet in which gateways have addresses.
pub(crate) fn addressed() -> impl Strategy<Value = VirtualDestination> {
    fleet::destination().prop_map(fleet::whole).prop_filter("a gateway has a hostname", |intent| of(intent).is_empty())
}

/// A destination that translates without an error, in a fleet in which some gateways have hostnames.
pub(crate) fn destination() -> impl Strategy<Value = VirtualDestination> {
    let named = prop::collection::vec(prop::bool::weighted(0.4), 10);
    let shared = prop::sample::subsequence(&["east", "north", "west"][..], 0..=2);
    (addressed(), named, shared)
        .prop_map(|(mut intent, named, shared)| {
            let mut named = named.into_iter();
            for (cluster, facts) in &mut intent.mesh.clusters {
                // who ranks by localities has one
                facts.region.get_or_insert_with(|| Leaf::Known(fleet::name("sa-east-1")));
                let network = if shared.contains(&cluster.as_str()) { "shared" } else { cluster.as_str() };
                facts.network = Some(Leaf::Known(fleet::name(&format!("net-{network}"))));
                for (index, gateway) in facts.gateways.iter_mut().enumerate() {
                    if named.next().unwrap_or(false) {
                        let hostname = fleet::name(&format!("gateway-{index}.{cluster}.example.com"));
                        gateway.address = GatewayAddress::Hostname(Leaf::Known(hostname));
                    }
                }
            }
            intent
        })
        .prop_filter("a destination that is refused has no objects", |intent| !translate(intent).objects.is_empty())
}

/// Whether the network of a cluster stands for its gateways.
pub(crate) fn is_named(facts: &ClusterFacts) -> bool {
    facts.gateways.iter().any(|gateway| matches!(gateway.address, GatewayAddress::Hostname(_)))
}

/// Clusters that are reached by hostnames.
pub(crate) fn of(intent: &VirtualDestination) -> BTreeSet<&ClusterName> {
    intent.mesh.clusters.iter().filter(|(_, facts)| is_named(facts)).map(|(cluster, _)| cluster).collect()
}
