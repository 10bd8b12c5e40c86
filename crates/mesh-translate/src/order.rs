//! The order of writes and deletes: waves, each a barrier across all clusters.
//!
//! Any cut between two changes leaves every cluster with old or new behaviour. Never so: a WorkloadEntry without the
//! DestinationRule that ranks it (traffic would spread over all clusters at once), without the serving Gateway that it leads
//! to, or with a rank that the rule does not list; a host that is missing although it was there before and is there after.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Change, Manifest, ObjectKey, Operation, Wave};
use mesh_model::names::{ClusterName, Namespace};

/// When a change happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// objects of kinds without a rule: others may need them
    Prepare,
    /// serving Gateways: before anybody is sent there
    Expose,
    /// entries of targets that are gone, while the policy still lists their ranks and accepts their servers
    Retire,
    /// new ranks of entries, while the policy lists the old and the new ones
    Rerank,
    /// DestinationRules: before any entry that needs them
    Policy,
    /// VirtualServices: before the first request
    Route,
    /// hosts that exist: in place
    Host,
    /// new and changed entries
    Connect,
    /// new hosts: they make the name appear with all that belongs to it
    Announce,
    /// entries of targets that are gone, after those that replace them
    Replace,
    /// routes of hosts that go
    DropRoute,
    /// policies: after the last entry
    DropPolicy,
    /// hosts
    DropHost,
    /// objects of kinds without a rule
    Discard,
    /// serving Gateways: after every client's entry to them, in all clusters
    Conceal,
}

/// Puts changes into waves. Empty waves are left out; inside a wave, changes are sorted by cluster and key.
#[must_use]
pub fn order(changes: Vec<Change>) -> Vec<Wave> {
    let places: BTreeMap<Place, Situation> = situations(&changes);
    let mut waves: BTreeMap<Stage, Wave> = BTreeMap::new();
    for change in changes {
        let situation = places.get(&place(&change)).copied().unwrap_or_default();
        waves.entry(stage(&change, situation)).or_default().push(change);
    }
    waves
        .into_values()
        .map(|mut wave| {
            wave.sort_by(|a, b| (&a.cluster, a.key()).cmp(&(&b.cluster, b.key())));
            wave
        })
        .collect()
}

/// A namespace of a cluster.
type Place = (ClusterName, Option<Namespace>);

/// What else happens in the same place.
#[derive(Clone, Copy, Debug, Default)]
struct Situation {
    /// the host goes, and with it all its entries
    leaves: bool,
    /// the policy stops to list a rank
    drops_rank: bool,
    /// the policy stops to accept a server
    drops_server: bool,
    /// new entries come
    connects: bool,
}

impl Situation {
    /// Entries come and go, and the new policy suits all of them.
    fn replaces(self) -> bool {
        self.connects && !self.drops_rank && !self.drops_server
    }
}

fn place(change: &Change) -> Place {
    (change.cluster.clone(), change.key().namespace.clone())
}

fn situations(changes: &[Change]) -> BTreeMap<Place, Situation> {
    let mut places: BTreeMap<Place, Situation> = BTreeMap::new();
    for change in changes {
        let situation = places.entry(place(change)).or_default();
        match (change.key().kind.as_str(), &change.operation) {
            ("ServiceEntry", Operation::Delete(_)) => situation.leaves = true,
            ("DestinationRule", Operation::Update { old, new }) => {
                situation.drops_rank |= drops(old, new, RANKS);
                situation.drops_server |= drops(old, new, SERVERS);
            }
            ("WorkloadEntry", Operation::Create(_)) => situation.connects = true,
            _ => {}
        }
    }
    places
}

fn stage(change: &Change, situation: Situation) -> Stage {
    let key: &ObjectKey = change.key();
    match (key.kind.as_str(), &change.operation) {
        ("Gateway", Operation::Create(_) | Operation::Update { .. }) => Stage::Expose,
        ("DestinationRule", Operation::Create(_) | Operation::Update { .. }) => Stage::Policy,
        ("VirtualService", Operation::Create(_) | Operation::Update { .. }) => Stage::Route,
        ("ServiceEntry", Operation::Create(_)) => Stage::Announce,
        ("ServiceEntry", Operation::Update { .. }) => Stage::Host,
        ("WorkloadEntry", Operation::Create(_)) => Stage::Connect,
        ("WorkloadEntry", Operation::Update { .. }) if situation.drops_rank => Stage::Rerank,
        ("WorkloadEntry", Operation::Update { .. }) => Stage::Connect,
        // the host goes, or other targets replace this one while the policy suits both: first what is new
        ("WorkloadEntry", Operation::Delete(_)) if situation.leaves || situation.replaces() => Stage::Replace,
        ("WorkloadEntry", Operation::Delete(_)) => Stage::Retire,
        ("VirtualService", Operation::Delete(_)) => Stage::DropRoute,
        ("DestinationRule", Operation::Delete(_)) => Stage::DropPolicy,
        ("ServiceEntry", Operation::Delete(_)) => Stage::DropHost,
        ("Gateway", Operation::Delete(_)) => Stage::Conceal,
        (_, Operation::Create(_) | Operation::Update { .. }) => Stage::Prepare,
        (_, Operation::Delete(_)) => Stage::Discard,
    }
}

/// Where a DestinationRule lists ranks.
const RANKS: &str = "/spec/trafficPolicy/loadBalancer/localityLbSetting/failoverPriority";
/// Where it lists servers.
const SERVERS: &str = "/spec/trafficPolicy/tls/subjectAltNames";

/// Whether the new policy leaves out what the old one lists.
fn drops(old: &Manifest, new: &Manifest, list: &str) -> bool {
    !strings(&old.value(), list).is_subset(&strings(&new.value(), list))
}

fn strings<'a>(value: &'a serde_json::Value, pointer: &str) -> BTreeSet<&'a str> {
    value
        .pointer(pointer)
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .collect()
}
