//! Ranks of remote clusters.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::optional;
use super::mesh::{check_member, decode_member};
use super::reader::{Read, Sink, Value, all, check_unique, shown, sound};
use super::shapes::{FAILOVER, LOCALITY_RULE};
use super::{MAX_CLUSTERS, MAX_LIST};
use crate::finding::Code;
use crate::intent::{Failover, LocalityRule, Ranking, VirtualMesh};
use crate::names::{ClusterName, Region};
use crate::{AttributePath, Leaf};

/// What is known of the destination when its failover is read; `None`: it could not be read.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) mesh: Option<&'a VirtualMesh>,
    pub(super) members: Option<&'a BTreeSet<ClusterName>>,
    pub(super) clients: Option<&'a BTreeSet<ClusterName>>,
    pub(super) serving: Option<&'a BTreeSet<ClusterName>>,
}

/// The ranks of a destination, and how many of them count.
pub(super) fn decode_failover(ranks: &Value<'_>, most: &Value<'_>, around: Around<'_>, sink: &mut Sink) -> Read<Failover> {
    let most_targets =
        optional(most, sink, |value, sink| value.integer(sink, 1, u32::try_from(MAX_CLUSTERS).unwrap_or(u32::MAX)));
    let ranks = optional(ranks, sink, |value, sink| decode_ranks(value, around, sink));
    let failover = Failover { most_targets: most_targets?, ..ranks?.unwrap_or_default() };
    check_targets_known(&failover, around, sink)?;
    Ok(failover)
}

fn decode_ranks(value: &Value<'_>, around: Around<'_>, sink: &mut Sink) -> Read<Failover> {
    let failover = value.object(sink, &FAILOVER)?;
    let (order, locality) = (failover.get("order"), failover.get("locality"));
    let order_read = optional(&order, sink, |value, sink| decode_order(value, around.members, sink));
    let locality_read = optional(&locality, sink, decode_locality);
    let only_value = failover.get("only");
    let only = optional(&only_value, sink, |value, sink| value.bool(sink));
    let per_client_value = failover.get("per_client");
    let per_client = optional(&per_client_value, sink, |value, sink| decode_per_client(value, around, sink));

    let ranking = match (order.set(), locality.set()) {
        (Some(order), Some(locality)) if !order.is_unknown() && !locality.is_unknown() => {
            let fix =
                "Keep one of them. Ranks of single clients can be written beside either: per_client = { east = [\"west\"] }.";
            let what = format!("{} has an order and locality rules.", shown(&value.path()));
            let why = "Each of them ranks every remote cluster.";
            Err(sink.report(Code::ConflictingArguments, locality.path(), what, why, fix))
        }
        _ => match (order_read, locality_read) {
            (Ok(Some(order)), Ok(_)) => Ok(Ranking::Order(order)),
            (Ok(None), Ok(Some(rules))) => Ok(Ranking::Locality(rules)),
            (Ok(None), Ok(None)) => Ok(Ranking::Nearest),
            (Err(reported), _) | (_, Err(reported)) => Err(reported),
        },
    };
    if let (Ok(Ranking::Locality(rules)), Some(mesh)) = (&ranking, around.mesh) {
        check_regions(&locality, rules, mesh, sink);
    }
    if matches!(only, Ok(Some(true))) && order.set().is_none() && locality.set().is_none() && per_client_value.set().is_none() {
        let fix = format!("Write {}, {} or {}, or remove only.", order.example(), locality.example(), per_client_value.example());
        let what = "only is true, and no rule names a cluster.";
        let why = "With only, clusters that no rule names get no traffic: none would.";
        return Err(sink.report(Code::MissingArgument, only_value.path(), what, why, fix));
    }
    Ok(Failover {
        ranking: ranking?,
        only: only?.unwrap_or(false),
        per_client: per_client?.unwrap_or_default(),
        most_targets: None,
    })
}

fn decode_order(value: &Value<'_>, members: Option<&BTreeSet<ClusterName>>, sink: &mut Sink) -> Read<Vec<ClusterName>> {
    let items = value.list(sink, MAX_CLUSTERS)?;
    let order: Vec<_> = items.iter().map(|item| decode_member(item, members, sink)).collect();
    let entries = sound(&order, &items).map(|(name, item)| (name, format!("Cluster {name}"), item.path()));
    check_unique(sink, entries, "A cluster has one rank.")?;
    all(order)
}

fn decode_locality(value: &Value<'_>, sink: &mut Sink) -> Read<Vec<LocalityRule>> {
    let items = value.list(sink, MAX_LIST)?;
    let rules: Vec<_> = items.iter().map(|item| decode_rule(item, sink)).collect();
    let entries = sound(&rules, &items)
        .map(|(rule, item)| ((&rule.from, &rule.to), format!("The rule from {} to {}", rule.from, rule.to), item.path()));
    check_unique(sink, entries, "A rule ranks once.")?;
    all(rules)
}

fn decode_rule(value: &Value<'_>, sink: &mut Sink) -> Read<LocalityRule> {
    let rule = value.object(sink, &LOCALITY_RULE)?;
    let from = rule.get("from").name::<Region>(sink);
    let to_value = rule.get("to");
    let to = to_value.name::<Region>(sink);
    let (from, to) = (from?, to?);
    if from == to {
        let what = format!("The rule leads from {from} to {to}.");
        return Err(to_value.report(sink, Code::SameRegion, what, "Clusters of the client's own region come first already."));
    }
    Ok(LocalityRule { from, to })
}

fn check_regions(value: &Value<'_>, rules: &[LocalityRule], mesh: &VirtualMesh, sink: &mut Sink) {
    let mut regions = BTreeSet::new();
    for facts in mesh.clusters.values() {
        match &facts.region {
            Some(Leaf::Known(region)) => {
                regions.insert(region);
            }
            // it may be any region
            Some(Leaf::Unknown(_)) => return,
            None => {}
        }
    }
    for (index, rule) in rules.iter().enumerate() {
        for (attribute, region) in [("from", &rule.from), ("to", &rule.to)] {
            if !regions.contains(region) {
                let path = value.path().index(index).attribute(attribute);
                let what = match regions.len() {
                    0 => format!("No member of the virtual mesh is in region {region}; none has a region."),
                    _ => format!(
                        "No member of the virtual mesh is in region {region}; they are in {}.",
                        super::reader::names(regions.iter().copied())
                    ),
                };
                let fix = format!("Name a region of a member, or set it in a cluster's facts: region = \"{region}\"");
                sink.report(Code::RegionWithoutCluster, path, what, "The rule ranks nothing.", fix);
            }
        }
    }
}

fn decode_per_client(value: &Value<'_>, around: Around<'_>, sink: &mut Sink) -> Read<BTreeMap<ClusterName, Vec<ClusterName>>> {
    let items = value.map(sink, MAX_CLUSTERS)?;
    let ranks = items
        .into_iter()
        .map(|(key, item)| {
            let client = item.key(sink, key).and_then(|name| check_member(name, &item, around.members, sink));
            let order = decode_order(&item, around.members, sink);
            if let (Ok(client), Ok(order)) = (&client, &order)
                && order.iter().skip(1).any(|name| name == client)
            {
                let what = format!("Cluster {client} is ranked after others for its own clients.");
                let fix = format!("Remove {client} from its own list.");
                sink.report(Code::NoEffect, item.path(), what, "The local cluster always comes first.", fix);
            }
            let client = client?;
            check_is_client(&client, &item, around.clients, sink);
            Ok((client, order?))
        })
        .collect();
    Ok(all(ranks)?.into_iter().collect())
}

/// Warns of a setting for a cluster that `clients` leaves out.
pub(super) fn check_is_client(
    cluster: &ClusterName,
    value: &Value<'_>,
    clients: Option<&BTreeSet<ClusterName>>,
    sink: &mut Sink,
) {
    if clients.is_some_and(|clients| !clients.contains(cluster)) {
        let what = format!("Cluster {cluster} is not among the clients of the destination.");
        let fix = format!("Add {cluster} to clients, or remove it here.");
        sink.report(Code::NoEffect, value.path(), what, "No client there calls the destination.", fix);
    }
}

/// With `only` or a limit, regions decide which entries a client cluster has: they must be known then.
fn check_targets_known(failover: &Failover, around: Around<'_>, sink: &mut Sink) -> Read<()> {
    let chosen_by_region = match failover.ranking {
        Ranking::Order(_) => false,
        Ranking::Nearest => failover.most_targets.is_some(),
        Ranking::Locality(_) => failover.only || failover.most_targets.is_some(),
    };
    let Some(mesh) = around.mesh.filter(|_| chosen_by_region) else { return Ok(()) };
    let counts = |name: &ClusterName| {
        [around.clients, around.serving].into_iter().any(|role| role.is_none_or(|clusters| clusters.contains(name)))
    };
    for (name, facts) in &mesh.clusters {
        if matches!(facts.region, Some(Leaf::Unknown(_))) && counts(name) {
            let path = AttributePath::of("virtual_mesh").attribute("clusters").key(name.as_str()).attribute("region");
            return Err(sink.unknown_shape(path));
        }
    }
    Ok(())
}
