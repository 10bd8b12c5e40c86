//! Subsets while they change: a route may name those that its policy has, before and after every write.
//!
//! So a route that leaves a subset is written before the policy that drops it, and one that turns to a subset after the policy that
//! adds it and after its entries. A subset whose labels change is another one. What would take both at once is refused, and so are
//! other pods behind a destination with subsets: which of them have which labels nobody knows while both are there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Manifest, Object, Tree, reserved};
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings};
use serde_json::{Map, Value};

use crate::Objects;

/// What a new policy of a host does to its subsets.
#[derive(Clone, Debug, Default)]
pub(super) struct SubsetChange {
    /// they are not there any more, or are others under the same name
    pub(super) dropped: BTreeSet<String>,
    /// they were not there, or were others
    pub(super) added: BTreeSet<String>,
    /// they were there, with the same labels
    pub(super) kept: BTreeSet<String>,
}

impl SubsetChange {
    /// Between two DestinationRules.
    pub(super) fn between(old: &Value, new: &Value) -> Self {
        let [old, new] = [old, new].map(subsets);
        let differ = |some: &BTreeMap<String, Value>, others: &BTreeMap<String, Value>| -> BTreeSet<String> {
            some.iter().filter(|(name, labels)| others.get(*name) != Some(labels)).map(|(name, _)| name.clone()).collect()
        };
        let (dropped, added) = (differ(&old, &new), differ(&new, &old));
        let kept = new.into_keys().filter(|name| !added.contains(name)).collect();
        Self { dropped, added, kept }
    }
}

/// Labels of the subsets of a DestinationRule, by name.
fn subsets(rule: &Value) -> BTreeMap<String, Value> {
    let all = rule.pointer("/spec/subsets").and_then(Value::as_array);
    let entry =
        |subset: &Value| Some((subset.get("name")?.as_str()?.to_owned(), subset.get("labels").cloned().unwrap_or_default()));
    all.into_iter().flatten().filter_map(entry).collect()
}

/// Subsets to which a VirtualService sends calls, with their weights. None: it sends them to the host as a whole.
pub(super) fn routed(service: &Value) -> BTreeMap<String, u64> {
    let routes = ["/spec/http", "/spec/tcp"].map(|member| service.pointer(member).and_then(Value::as_array));
    let destinations = routes.into_iter().flatten().flatten().filter_map(|route| route.get("route")?.as_array()).flatten();
    let share = |route: &Value| {
        let subset = route.pointer("/destination/subset")?.as_str()?.to_owned();
        let weight = route.get("weight").and_then(Value::as_u64).unwrap_or(100);
        (weight > 0).then_some((subset, weight))
    };
    destinations.filter_map(share).collect()
}

/// Refuses a change of one destination's objects that puts other pods behind subsets, in one cluster at least, and one that takes
/// calls away from one subset and turns them to a new one, in whatever clusters: each rule that has the one before and the other after
/// has them in one write. One is new in a cluster where its first entries come, too.
#[must_use]
pub fn check_subsets(before: &BTreeMap<ClusterName, Vec<Manifest>>, after: &Objects) -> Findings {
    let services = before.values().flatten().filter(|manifest| manifest.key().kind == "VirtualService");
    let old_routes: BTreeMap<String, u64> = services.flat_map(|service| routed(&service.value())).collect();
    let services = after.values().flatten().filter(|object| object.kind.is_istio("VirtualService"));
    let new_routes: BTreeMap<String, u64> = services.flat_map(|service| routed(&spec(service.body.get("spec")))).collect();
    let rules = after.iter().flat_map(|(cluster, objects)| objects.iter().map(move |object| (cluster, object)));
    let refused = rules.filter(|(_, object)| object.kind.is_istio("DestinationRule")).filter_map(|(cluster, rule)| {
        let old = before.get(cluster)?.iter().find(|manifest| *manifest.key() == rule.key())?.value();
        let new = spec(rule.body.get("spec"));
        let SubsetChange { dropped, added, kept: _ } = SubsetChange::between(&old, &new);
        let left: Vec<&str> = old_routes.keys().map(String::as_str).filter(|name| dropped.contains(*name)).collect();
        if left.is_empty() {
            return None;
        }
        let (old, new) = (subsets(&old), subsets(&new));
        let held = before[cluster].iter().filter(|manifest| manifest.key().kind == "WorkloadEntry").map(Manifest::value);
        let to_hold = after[cluster].iter().filter(|object| object.kind.is_istio("WorkloadEntry"));
        let to_hold = to_hold.map(|object| spec(object.body.get("spec")));
        let [held, to_hold] = [held.collect::<Vec<_>>(), to_hold.collect()];
        let arrives = |name: &String| {
            let is_in = |entries: &[Value]| new.get(name).is_some_and(|labels| entries.iter().any(|entry| has(entry, labels)));
            is_in(&to_hold) && !is_in(&held)
        };
        let is_new = |name: &&String| added.contains(*name) || (!old_routes.contains_key(*name) && arrives(name));
        let turned_to: Vec<&str> = new_routes.keys().filter(is_new).map(String::as_str).collect();
        (!turned_to.is_empty()).then(|| refused(&left, &turned_to, in_between(&old, &new, &old_routes)))
    });
    let mut findings: Findings = refused.chain(other_pods(before, after)).collect();
    findings.sort();
    findings.dedup();
    findings
}

/// Whether an entry has the labels of a subset.
fn has(entry: &Value, labels: &Value) -> bool {
    let own = entry.pointer(super::LABELS);
    labels.as_object().is_some_and(|all| all.iter().all(|(key, value)| own.and_then(|own| own.get(key)) == Some(value)))
}

/// A host that selects other pods than before while there are subsets, before or after.
fn other_pods(before: &BTreeMap<ClusterName, Vec<Manifest>>, after: &Objects) -> Option<Finding> {
    let is_rule = |object: &&Arc<Object>| object.kind.is_istio("DestinationRule");
    let rules = before.values().flatten().filter(|manifest| manifest.key().kind == "DestinationRule").map(Manifest::value);
    let has_subsets = rules.map(|rule| subsets(&rule)).any(|all| !all.is_empty())
        || after.values().flatten().filter(is_rule).any(|rule| !subsets(&spec(rule.body.get("spec"))).is_empty());
    if !has_subsets {
        return None;
    }
    let hosts = after.iter().flat_map(|(cluster, objects)| objects.iter().map(move |object| (cluster, object)));
    hosts.filter(|(_, object)| object.kind.is_istio("ServiceEntry")).find_map(|(cluster, host)| {
        let key = host.key();
        let old = before.get(cluster)?.iter().find(|manifest| *manifest.key() == key)?.value();
        let new = spec(host.body.get("spec"));
        let [old, new] = [&old, &new].map(|host| host.pointer("/spec/workloadSelector/labels").cloned());
        // where pods begin to serve beside entries, or end to, none take the place of others
        let selects_pods =
            |labels: &Option<Value>| labels.as_ref().is_some_and(|labels| labels.get(reserved::DESTINATION_LABEL).is_none());
        (old != new && selects_pods(&old) && selects_pods(&new)).then(|| {
            Finding::new(
                Code::PodsOfSubsetsChanged,
                AttributePath::of("backends"),
                format!("The host of {key} would select other pods in cluster {cluster}, and there are subsets."),
                "Calls of a subset go to pods with its labels: whether those that come have them before those that were there are left, no order of writes can tell.",
                "Change the Service in an apply without subsets, before it or after it:\n\n  subsets = {}\n\nOr let both Services serve for a while, under another hostname.",
            )
            .in_cluster(cluster)
            .on_object(key)
        })
    })
}

/// The subsets of the step between, in HCL; `None`: one has other labels under the same name.
fn in_between(old: &BTreeMap<String, Value>, new: &BTreeMap<String, Value>, routed: &BTreeMap<String, u64>) -> Option<String> {
    if new.iter().any(|(name, labels)| old.get(name).is_some_and(|other| other != labels)) {
        return None;
    }
    let all: BTreeMap<&String, &Value> = old.iter().chain(new).collect();
    let line = |(name, labels): (&&String, &&Value)| {
        let labels: Vec<String> =
            labels.as_object().into_iter().flatten().map(|(key, value)| format!("{key:?} = {value}")).collect();
        let weight = routed.get(*name).unwrap_or(&0);
        format!("    {name:?} = {{ labels = {{ {} }}, weight = {weight} }}", labels.join(", "))
    };
    Some(format!("  subsets = {{\n{}\n  }}", all.iter().map(line).collect::<Vec<_>>().join("\n")))
}

fn refused(left: &[&str], turned_to: &[&str], between: Option<String>) -> Finding {
    let [gone, new] = [left, turned_to].map(|names| names.join(", "));
    let fix = match between {
        Some(hcl) => format!("Go in two steps. Apply this first, then what you have written:\n\n{hcl}"),
        None => {
            "Give the new labels a name of their own, with weight 0 at first and the old subset beside it; apply that, then move \
                 the weight."
                .to_owned()
        }
    };
    Finding::new(
        Code::SubsetsSwapped,
        AttributePath::of("subsets"),
        format!("Calls would leave {gone} and turn to {new} in one update."),
        "The VirtualServices of clients leave the one before a DestinationRule drops it, and turn to the other after all that it needs \
         is there: no order of writes does both, and in between calls would be answered 503.",
        fix,
    )
}

/// An object with what of its spec is known.
fn spec(tree: Option<&Tree>) -> Value {
    let mut object = Map::new();
    object.insert("spec".to_owned(), tree.map_or(Value::Null, known));
    Value::Object(object)
}

/// What is known of a tree; null in the place of the rest.
fn known(tree: &Tree) -> Value {
    match tree {
        Tree::Map(members) => Value::Object(members.iter().map(|(key, tree)| (key.clone(), known(tree))).collect()),
        Tree::List(items) => Value::Array(items.iter().map(known).collect()),
        other => other.to_json().unwrap_or_default(),
    }
}
