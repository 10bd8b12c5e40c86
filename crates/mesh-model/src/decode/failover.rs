//! Who serves a client: ranks of other clusters, or shares of all.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::optional;
use super::mesh::{check_member, decode_member};
use super::reader::{Read, Sink, Value, all, check_unique, shown, sound};
use super::shapes::{FAILOVER, LOCALITY_RULE};
use super::{MAX_CLUSTERS, MAX_LIST};
use crate::finding::Code;
use crate::intent::{Failover, LocalityRule, Ranking, Shares, VirtualMesh};
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
    check_limit(&failover, most, sink)?;
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
    let spread_value = failover.get("spread");
    let spread = optional(&spread_value, sink, |value, sink| decode_spread(value, around, sink));

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
    if let (Ok(Some(spread)), Some(clients)) = (&spread, around.clients)
        && clients.iter().all(|client| spread.contains_key(client))
    {
        for rule in [&order, &locality, &only_value].into_iter().filter_map(Value::set) {
            let fix = "Remove it, or leave clients out of spread.";
            let what = format!("{} ranks for no client.", shown(&rule.path()));
            sink.report(Code::NoEffect, rule.path(), what, "The requests of all of them are spread.", fix);
        }
    }
    let (per_client, spread) = (per_client?.unwrap_or_default(), spread?.unwrap_or_default());
    if let Some(client) = spread.keys().find(|client| per_client.contains_key(*client)) {
        let what = format!("Cluster {client} has ranks and shares.");
        let why = "Requests go to the first that serves, or to all that have a share.";
        let fix = format!("Remove {client} from per_client or from spread.");
        return Err(sink.report(Code::ConflictingArguments, spread_value.path().key(client.as_str()), what, why, fix));
    }
    Ok(Failover { ranking: ranking?, only: only?.unwrap_or(false), per_client, spread, most_targets: None })
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

fn decode_spread(value: &Value<'_>, around: Around<'_>, sink: &mut Sink) -> Read<BTreeMap<ClusterName, Shares>> {
    let items = value.map(sink, MAX_CLUSTERS)?;
    let spread = items
        .into_iter()
        .map(|(key, item)| {
            let client = item.key(sink, key).and_then(|name| check_member(name, &item, around.members, sink));
            let shares = decode_shares(&item, around.members, sink);
            let client = client?;
            check_is_client(&client, &item, around.clients, sink);
            Ok((client, shares?))
        })
        .collect();
    Ok(all(spread)?.into_iter().collect())
}

fn decode_shares(value: &Value<'_>, members: Option<&BTreeSet<ClusterName>>, sink: &mut Sink) -> Read<Shares> {
    let items = value.map(sink, MAX_CLUSTERS)?;
    if items.is_empty() {
        return Err(value.empty(sink));
    }
    let percents = items
        .into_iter()
        .map(|(key, item)| {
            let cluster = item.key(sink, key).and_then(|name| check_member(name, &item, members, sink));
            let percent = item.integer(sink, 1, Shares::WHOLE);
            Ok((cluster?, percent?))
        })
        .collect();
    let percents: BTreeMap<ClusterName, u32> = all(percents)?.into_iter().collect();
    let sum: u32 = percents.values().sum();
    let in_bytes = percents.into_iter().filter_map(|(cluster, percent)| Some((cluster, u8::try_from(percent).ok()?)));
    Shares::new(in_bytes.collect()).ok_or_else(|| {
        let what = format!("The shares in {} make {sum} percent.", shown(&value.path()));
        value.report(sink, Code::SharesNotWhole, what, "Every request goes somewhere: together they make 100.")
    })
}

/// A limit that shares exceed: they have no rank by which some could be left out.
fn check_limit(failover: &Failover, most: &Value<'_>, sink: &mut Sink) -> Read<()> {
    let Some(limit) = failover.most_targets else { return Ok(()) };
    for (client, shares) in &failover.spread {
        let others = shares.iter().filter(|(cluster, _)| *cluster != client).count();
        if u32::try_from(others).is_ok_and(|others| others > limit) {
            let what = format!("Requests of cluster {client} are spread over {others} others, and {limit} may serve it.");
            let why = "Each of them has a share, and none could be left out.";
            let fix = format!("max_failover_targets = {others}, or fewer shares.");
            return Err(sink.report(Code::ConflictingArguments, most.path(), what, why, fix));
        }
    }
    Ok(())
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
