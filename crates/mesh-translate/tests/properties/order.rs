//! No cut of the ordered changes is a state that loses or misroutes requests.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use istio_objects::{Change, Manifest, ObjectKey, Operation, reserved};
use mesh_model::intent::VirtualDestination;
use mesh_model::names::ClusterName;
use mesh_translate::order;
use proptest::prelude::*;
use serde_json::Value;

use crate::fleet;

/// What is live, by cluster and key.
type State = BTreeMap<(ClusterName, ObjectKey), Live>;

/// A live object, parsed once.
#[derive(Clone, Debug, PartialEq)]
struct Live {
    manifest: Manifest,
    value: Rc<Value>,
}

impl From<Manifest> for Live {
    fn from(manifest: Manifest) -> Self {
        Self { value: Rc::new(manifest.value()), manifest }
    }
}

const SERVICE: &str = "reviews.bookinfo.svc.cluster.local";

fn state(intent: Option<&VirtualDestination>) -> State {
    let manifests = intent.map(fleet::manifests).unwrap_or_default();
    manifests
        .into_iter()
        .flat_map(|(cluster, manifests)| manifests.into_iter().map(move |m| ((cluster.clone(), m.key().clone()), Live::from(m))))
        .collect()
}

fn changes(old: &State, new: &State) -> Vec<Change> {
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter_map(|at| {
            let operation = match (old.get(at), new.get(at)) {
                (None, Some(new)) => Operation::Create(new.manifest.clone()),
                (Some(old), Some(new)) if old != new => {
                    Operation::Update { old: old.manifest.clone(), new: new.manifest.clone() }
                }
                (Some(_), None) => Operation::Delete(at.1.clone()),
                _ => return None,
            };
            Some(Change { cluster: at.0.clone(), operation })
        })
        .collect()
}

fn apply(state: &mut State, change: &Change) {
    let at = (change.cluster.clone(), change.key().clone());
    match &change.operation {
        Operation::Create(manifest) | Operation::Update { new: manifest, .. } => state.insert(at, manifest.clone().into()),
        Operation::Delete(_) => state.remove(&at),
    };
}

/// Objects of one kind in one cluster.
fn of_kind<'s>(state: &'s State, cluster: &'s ClusterName, kind: &'s str) -> impl Iterator<Item = &'s Value> + 's {
    state.iter().filter(move |((at, key), _)| at == cluster && key.kind == kind).map(|(_, live)| &*live.value)
}

fn label(object: &Value) -> &str {
    object["metadata"]["labels"][reserved::DESTINATION_LABEL].as_str().expect("every object has the destination's label")
}

/// Clusters where somebody else exposes the Service.
fn covered(intents: [Option<&VirtualDestination>; 2]) -> BTreeSet<ClusterName> {
    let facts = intents.into_iter().flatten().flat_map(|intent| &intent.mesh.clusters);
    facts
        .filter(|(_, facts)| facts.gateways.iter().any(|gateway| !gateway.exposed_hosts.is_empty()))
        .map(|(cluster, _)| cluster.clone())
        .collect()
}

struct Move {
    old: State,
    new: State,
    covered: BTreeSet<ClusterName>,
    /// where pods of the Service run, before and after
    pods: BTreeSet<ClusterName>,
}

impl Move {
    /// What is wrong in a state between old and new.
    fn forbidden(&self, now: &State) -> Option<String> {
        let clusters: BTreeSet<&ClusterName> = now.keys().chain(self.old.keys()).chain(self.new.keys()).map(|(c, _)| c).collect();
        for cluster in clusters {
            for entry in of_kind(now, cluster, "WorkloadEntry") {
                let name = entry["metadata"]["name"].to_string();
                let rule = of_kind(now, cluster, "DestinationRule")
                    .find(|rule| label(rule) == label(entry) && rule["metadata"]["namespace"] == entry["metadata"]["namespace"]);
                let Some(rule) = rule else { return Some(format!("{cluster}: entry {name} without a DestinationRule")) };
                let ranks = rule["spec"]["trafficPolicy"]["loadBalancer"]["localityLbSetting"]["failoverPriority"].to_string();
                let labels = entry["spec"]["labels"].as_object().expect("entries have labels");
                let rank = labels.keys().find(|key| key.starts_with(reserved::RANK_PREFIX)).expect("entries have a rank");
                if !ranks.contains(&format!("{rank:?}")) {
                    return Some(format!("{cluster}: entry {name} has {rank}, its rule lists {ranks}"));
                }
                let target = fleet::owner_of(entry["spec"]["address"].as_str().expect("entries have an address"));
                let exposed =
                    of_kind(now, &target, "Gateway").any(|gateway| gateway["spec"]["servers"][0]["hosts"][0] == SERVICE);
                if !exposed && !self.covered.contains(&target) {
                    return Some(format!("{cluster}: entry {name} leads to {target}, which exposes nothing"));
                }
            }
            let host = |state: &State| of_kind(state, cluster, "ServiceEntry").next().is_some();
            if host(&self.old) && host(&self.new) && !host(now) {
                return Some(format!("{cluster}: the host is gone in between"));
            }
            if let Some(kept) = self.lost_host(now, cluster) {
                return Some(kept);
            }
            if let Some(host) = self.deserted_host(now, cluster) {
                return Some(host);
            }
            if let Some(early) = self.early_host(now, cluster) {
                return Some(early);
            }
        }
        None
    }

    fn lost_host(&self, now: &State, cluster: &ClusterName) -> Option<String> {
        let lost = self
            .old
            .keys()
            .find(|at| at.0 == *cluster && at.1.kind == "ServiceEntry" && self.new.contains_key(at) && !now.contains_key(at));
        lost.map(|at| format!("{cluster}: {} is gone in between", at.1))
    }

    /// A host that is served before and after is served in between: by local pods, or by an entry. Where other servers take
    /// over from those that the policy stops to accept, no order can help.
    fn deserted_host(&self, now: &State, cluster: &ClusterName) -> Option<String> {
        if self.servers(&self.old, cluster).difference(&self.servers(&self.new, cluster)).next().is_some() {
            return None;
        }
        let more_servers = self.servers(&self.new, cluster) != self.servers(&self.old, cluster);
        let hosts = self.old.keys().filter(|at| at.0 == *cluster && at.1.kind == "ServiceEntry" && self.new.contains_key(at));
        for at in hosts {
            let served = [&self.old, &self.new].iter().all(|state| self.is_served(state, at));
            let ranks = |state: &State| {
                of_kind(state, cluster, "DestinationRule")
                    .map(Value::to_string)
                    .map(|r| r.matches(reserved::RANK_PREFIX).count())
                    .max()
            };
            let shrinks_for_others = more_servers && ranks(&self.new) < ranks(&self.old);
            if served && !shrinks_for_others && !self.is_served(now, at) {
                return Some(format!("{cluster}: nobody serves {} in between", at.1));
            }
        }
        None
    }

    fn servers(&self, state: &State, cluster: &ClusterName) -> BTreeSet<String> {
        let rules = of_kind(state, cluster, "DestinationRule");
        rules.map(|rule| rule["spec"]["trafficPolicy"]["tls"]["subjectAltNames"].to_string()).collect()
    }

    fn is_served(&self, state: &State, at: &(ClusterName, ObjectKey)) -> bool {
        let Some(host) = state.get(at) else { return false };
        let selector = host.value["spec"]["workloadSelector"]["labels"].as_object().expect("hosts select");
        let by_pods = !selector.contains_key(reserved::DESTINATION_LABEL) && self.pods.contains(&at.0);
        let selects = |entry: &Value| {
            entry["metadata"]["namespace"] == host.value["metadata"]["namespace"]
                && selector.iter().all(|(key, value)| entry["spec"]["labels"].get(key) == Some(value))
        };
        by_pods || of_kind(state, &at.0, "WorkloadEntry").any(selects)
    }

    /// A new host appears with everything that belongs to it.
    fn early_host(&self, now: &State, cluster: &ClusterName) -> Option<String> {
        let new_host = now.keys().find(|at| at.0 == *cluster && at.1.kind == "ServiceEntry" && !self.old.contains_key(at))?;
        let missing = self.new.keys().find(|at| {
            at.0 == *cluster && at.1.kind != "Gateway" && at.1.namespace == new_host.1.namespace && !now.contains_key(at)
        });
        missing.map(|at| format!("{cluster}: {} is there before {}", new_host.1, at.1))
    }
}

fn check(old: Option<&VirtualDestination>, new: Option<&VirtualDestination>, shuffle: &[usize]) -> Result<(), TestCaseError> {
    let pods = |intent: Option<&VirtualDestination>| -> BTreeSet<ClusterName> {
        intent.into_iter().flat_map(|intent| intent.backends.iter().map(|backend| backend.cluster.clone())).collect()
    };
    let pods = &pods(old) | &pods(new);
    let step = Move { old: state(old), new: state(new), covered: covered([old, new]), pods };
    let mut now = step.old.clone();
    prop_assert_eq!(step.forbidden(&now), None, "the old state");
    for (number, mut wave) in order(changes(&step.old, &step.new)).into_iter().enumerate() {
        prop_assert!(!wave.is_empty());
        // any permutation of a wave passes through any subset of it
        let mut position = 0;
        while !wave.is_empty() {
            let pick = shuffle[(number * 31 + position) % shuffle.len()] % wave.len();
            let change = wave.swap_remove(pick);
            position += 1;
            apply(&mut now, &change);
            prop_assert_eq!(step.forbidden(&now), None, "wave {}, after {}: {}", number, &change.cluster, change.key());
        }
    }
    prop_assert_eq!(now, step.new);
    Ok(())
}

fn permutation() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..1000_usize, 40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_cut_is_forbidden(old in prop::option::weighted(0.8, fleet::destination()), new in prop::option::weighted(0.8, fleet::destination()), shuffle in permutation()) {
        check(old.as_ref(), new.as_ref(), &shuffle)?;
    }

    #[test]
    fn no_cut_is_forbidden_when_only_ranks_and_roles_change(old in fleet::destination(), other in fleet::destination(), shuffle in permutation()) {
        let mut new = old.clone();
        new.failover = other.failover;
        new.clients = other.clients;
        new.client_namespace.clear();
        prop_assume!(!mesh_translate::translate(&new).objects.is_empty());
        check(Some(&old), Some(&new), &shuffle)?;
    }

    #[test]
    fn nothing_to_do_is_no_wave(intent in fleet::destination()) {
        let state = state(Some(&intent));
        prop_assert!(order(changes(&state, &state)).is_empty());
    }
}

/// The checks above can fail: the reverse order is full of forbidden cuts.
#[test]
fn the_reverse_order_is_forbidden() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut found = BTreeSet::new();
    for _ in 0..50 {
        let [old, new] = [0; 2].map(|_| fleet::destination().new_tree(&mut runner).expect("there are destinations").current());
        let step = Move {
            old: state(Some(&old)),
            new: state(Some(&new)),
            covered: covered([Some(&old), Some(&new)]),
            pods: BTreeSet::new(),
        };
        let mut now = step.old.clone();
        for change in order(changes(&step.old, &step.new)).into_iter().rev().flatten() {
            apply(&mut now, &change);
            if let Some(wrong) = step.forbidden(&now) {
                let words: Vec<&str> = wrong.split_whitespace().collect();
                found.insert(words[words.len() - 2..].join(" "));
            }
        }
    }
    assert!(found.contains("a DestinationRule"), "{found:?}");
    assert!(found.contains("exposes nothing"), "{found:?}");
    assert!(found.contains("in between"), "{found:?}");
}
