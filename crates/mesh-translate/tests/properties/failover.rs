//! Random ranks and shares.

use std::collections::BTreeMap;

use mesh_model::intent::{Failover, LocalityRule, Ranking, Shares, VirtualDestination};
use mesh_model::names::ClusterName;
use proptest::prelude::*;

use crate::fleet::{CLUSTERS, REGIONS, name, names};

/// Ranks, and shares of some clients.
pub(crate) fn failover() -> impl Strategy<Value = Failover> {
    let rules = prop::collection::vec((0..3_usize, 1..3_usize), 1..=3).prop_map(|rules| {
        let rule =
            |(from, step): (usize, usize)| LocalityRule { from: name(REGIONS[from]), to: name(REGIONS[(from + step) % 3]) };
        Ranking::Locality(rules.into_iter().map(rule).collect())
    });
    let ranking = prop_oneof![Just(Ranking::Nearest), names().prop_map(Ranking::Order), rules];
    let per_client = prop::collection::btree_map(prop::sample::select(&CLUSTERS[..]).prop_map(name), names(), 0..=2);
    let most_targets = prop::option::weighted(0.2, 1..=3_u32);
    (ranking, prop::bool::weighted(0.3), per_client, most_targets, spread()).prop_map(
        |(ranking, only, per_client, most_targets, spread)| Failover { ranking, only, per_client, most_targets, spread },
    )
}

/// Shares of all clusters, for some clients.
fn spread() -> impl Strategy<Value = BTreeMap<ClusterName, Shares>> {
    let weights = prop::collection::vec(0..=3_u8, CLUSTERS.len());
    let of_clients = prop::collection::btree_map(prop::sample::select(&CLUSTERS[..]).prop_map(name), weights, 1..=4);
    let shares = |weights: Vec<u8>| shares(CLUSTERS.map(name).into_iter().zip(weights));
    let spread = of_clients.prop_map(move |clients: BTreeMap<ClusterName, Vec<u8>>| {
        clients.into_iter().filter_map(|(client, weights)| Some((client, shares(weights)?))).collect()
    });
    prop_oneof![Just(BTreeMap::new()), spread]
}

/// Shares in proportion to weights; none where all are 0.
fn shares(weights: impl Iterator<Item = (ClusterName, u8)>) -> Option<Shares> {
    let mut weights: BTreeMap<ClusterName, u8> = weights.filter(|(_, weight)| *weight > 0).collect();
    let sum: u32 = weights.values().copied().map(u32::from).sum();
    for weight in weights.values_mut() {
        *weight = u8::try_from((u32::from(*weight) * Shares::WHOLE / sum).max(1)).expect("at most 100");
    }
    let left = Shares::WHOLE - weights.values().copied().map(u32::from).sum::<u32>();
    *weights.values_mut().next()? += u8::try_from(left).expect("less than 100");
    Shares::new(weights)
}

/// Takes away what would be refused: shares of clusters that serve nobody, or are told by no region, and ranks beside shares.
pub(crate) fn fit(intent: &mut VirtualDestination) {
    let VirtualDestination { mesh, backends, failover, .. } = intent;
    let serves = |cluster: &ClusterName| backends.iter().any(|backend| backend.cluster == *cluster);
    let spread = std::mem::take(&mut failover.spread);
    let fitting = spread.into_iter().filter_map(|(client, given)| {
        let is_told = |cluster: &ClusterName| *cluster != client || mesh.clusters[cluster].region.is_some();
        let kept = given.iter().filter(|(cluster, _)| serves(cluster) && is_told(cluster));
        let kept = shares(kept.map(|(cluster, share)| (cluster.clone(), share)))?;
        Some((client, kept))
    });
    failover.spread = fitting.collect();
    let Failover { per_client, spread, .. } = failover;
    per_client.retain(|client, _| !spread.contains_key(client));
}
