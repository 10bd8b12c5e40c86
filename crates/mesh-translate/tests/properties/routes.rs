//! Where a client sends its calls: to a host as a whole, or to subsets of it.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::Change;
use mesh_model::derived;
use mesh_model::names::ClusterName;
use serde_json::Value;

use crate::world::{State, of_kind, rule_of};

/// A subset; `None`: the host as a whole.
pub(crate) type Part = Option<String>;

/// The parts to which calls of a host or an entry go.
pub(crate) fn parts(now: &State, cluster: &ClusterName, object: &Value) -> BTreeSet<Part> {
    let weights = weights(now, cluster, object);
    if weights.is_empty() { BTreeSet::from([None]) } else { weights.into_keys().map(Some).collect() }
}

/// Percent by subset, which every route has alike.
pub(crate) fn weights(now: &State, cluster: &ClusterName, object: &Value) -> BTreeMap<String, u64> {
    let namespace = &object["metadata"]["namespace"];
    let service = of_kind(now, cluster, "VirtualService").find(|service| {
        service["metadata"]["namespace"] == *namespace && crate::world::label(service) == crate::world::label(object)
    });
    let Some(service) = service else { return BTreeMap::new() };
    let routes = ["http", "tcp"].map(|member| service["spec"][member].as_array());
    let weights: BTreeSet<BTreeMap<String, u64>> = routes.into_iter().flatten().flatten().map(of_route).collect();
    assert!(weights.len() == 1, "routes split alike");
    weights.into_iter().next().expect("there is one")
}

fn of_route(route: &Value) -> BTreeMap<String, u64> {
    let share = |destination: &Value| {
        let subset = destination["destination"]["subset"].as_str()?.to_owned();
        Some((subset, destination["weight"].as_u64().expect("subsets have a weight")))
    };
    route["route"].as_array().expect("routes lead somewhere").iter().filter_map(share).collect()
}

/// A subset as a rule has it.
pub(crate) fn subset<'v>(rule: &'v Value, name: &str) -> Option<&'v Value> {
    rule["spec"]["subsets"].as_array()?.iter().find(|subset| subset["name"] == name)
}

/// Labels of a part; the host as a whole asks for none. `None`: the rule does not have it.
pub(crate) fn labels(rule: &Value, part: &Part) -> Option<BTreeMap<String, String>> {
    let Some(name) = part else { return Some(BTreeMap::new()) };
    let labels = subset(rule, name)?["labels"].as_object().expect("subsets have labels");
    Some(labels.iter().map(|(key, value)| (key.clone(), value.as_str().expect("a text").to_owned())).collect())
}

/// What a rule says of a port of a part.
pub(crate) fn policy<'v>(rule: &'v Value, part: &Part, number: &Value) -> &'v Value {
    let all = match part {
        None => &rule["spec"]["trafficPolicy"],
        Some(name) => subset(rule, name).map_or(&Value::Null, |subset| &subset["trafficPolicy"]),
    };
    let Some(each) = all["portLevelSettings"].as_array() else { return all };
    each.iter().find(|policy| policy["port"]["number"] == *number).unwrap_or(&Value::Null)
}

/// All parts that a rule has.
pub(crate) fn all_parts(rule: &Value) -> impl Iterator<Item = Part> + '_ {
    let subsets = rule["spec"]["subsets"].as_array().into_iter().flatten();
    std::iter::once(None).chain(subsets.map(|subset| subset["name"].as_str().map(str::to_owned)))
}

/// Whether an entry is an endpoint of a part.
pub(crate) fn is_of(entry: &Value, rule: &Value, part: &Part) -> bool {
    let labels = labels(rule, part);
    labels.is_some_and(|labels| labels.iter().all(|(key, value)| entry["spec"]["labels"][key] == *value))
}

/// Whether an entry stands for all pods of its cluster.
pub(crate) fn is_whole(entry: &Value) -> bool {
    let name = entry["metadata"]["name"].as_str().and_then(|name| name.parse().ok());
    name.is_none_or(|name| derived::subset_of(&name).is_none())
}

/// A route to a subset that its rule does not have.
pub(crate) fn lost(now: &State, cluster: &ClusterName) -> Option<String> {
    let has = |service: &Value, part: &Part| match rule_of(now, cluster, service) {
        Some(rule) => labels(rule, part).is_some(),
        None => part.is_none(),
    };
    of_kind(now, cluster, "VirtualService").find_map(|service| {
        let lost = parts(now, cluster, service).into_iter().find(|part| !has(service, part))?;
        Some(format!("{cluster}: calls go to subset {} which is not there", lost.expect("a host is always there")))
    })
}

/// Whether a change is one of those that a proxy may learn of in another order, when it is told several at once.
pub(crate) fn is_told_at_once(change: &Change) -> bool {
    let key = change.key();
    key.kind == "VirtualService" || (key.kind == "DestinationRule" && !derived::is_serving_name(&key.name))
}
