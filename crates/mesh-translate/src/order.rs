//! The order of writes and deletes: waves, each a barrier across all clusters.
//!
//! Any cut between two changes leaves every cluster with old or new behaviour. Never so: a WorkloadEntry without the
//! DestinationRule that ranks it (traffic would spread over all clusters at once), without the serving Gateway that it leads
//! to, or with a rank that the rule does not list; a host that is missing although it was there before and is there after.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Change, Manifest, ObjectKey, Operation, Wave, reserved};
use mesh_model::names::{ClusterName, Namespace};
use serde_json::Value;

/// When a change happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// objects of kinds without a rule: others may need them
    Prepare,
    /// serving Gateways: before anybody is sent there
    Expose,
    /// hosts that select their pods by another name, where entries change before the policy does
    Adopt,
    /// entries, and hosts that begin to select pods, where old ones must go before the policy changes, or with it
    Precede,
    /// entries of targets that are gone, while the policy still lists their ranks and accepts their servers
    Retire,
    /// DestinationRules: before any entry that needs them
    Policy,
    /// VirtualServices: before the first request
    Route,
    /// hosts that select their pods by another name: these pods serve until the entries have that name too
    Switch,
    /// new and changed entries: a host that exists selects them at once
    Connect,
    /// hosts that exist: in place, after the entries that a narrower selector leaves them with
    Host,
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
        let situation = &places[&place(&change)];
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
#[derive(Clone, Debug, Default)]
struct Situation {
    /// the host goes, and with it all its entries
    leaves: bool,
    /// how the policy changes, where it does
    policy: Option<PolicyChange>,
}

/// What a new policy of a host drops and adds.
#[derive(Clone, Debug)]
struct PolicyChange {
    /// what the old one lists
    old_ranks: BTreeSet<String>,
    adds_rank: bool,
    drops_rank: bool,
    adds_server: bool,
    drops_server: bool,
    /// it leads to another Service
    changes_service: bool,
}

impl PolicyChange {
    fn between(old: &Value, new: &Value) -> Self {
        let added = |list: &str| !strings(new, list).is_subset(&strings(old, list));
        let dropped = |list: &str| !strings(old, list).is_subset(&strings(new, list));
        Self {
            old_ranks: strings(old, RANKS).into_iter().map(str::to_owned).collect(),
            adds_rank: added(RANKS),
            drops_rank: dropped(RANKS),
            adds_server: added(SERVERS),
            drops_server: dropped(SERVERS),
            changes_service: old.pointer(SERVICE) != new.pointer(SERVICE),
        }
    }

    /// What was there is routed rightly by the new policy too.
    fn new_suits_old(&self) -> bool {
        !self.drops_rank && !self.drops_server && !self.changes_service
    }

    /// What comes is routed rightly by the old policy too, as far as its rank is listed.
    fn old_suits_new(&self) -> bool {
        !self.adds_server && !self.changes_service
    }

    /// Neither policy suits old and new endpoints. Each is refused by one of the two, which a retry hides while another one
    /// serves; so both are there while the policy changes. Only a rank that is not listed must not be.
    fn overlaps(&self) -> bool {
        !self.new_suits_old() && !self.old_suits_new() && !self.drops_rank && !self.adds_rank
    }

    /// What comes must come before what goes, and that before the policy, or all at once with it.
    fn hurries(&self) -> bool {
        !self.new_suits_old() && (self.old_suits_new() || self.overlaps())
    }

    /// Whether the old policy lists the ranks of an entry.
    fn ranked(&self, entry: &Value) -> bool {
        let labels = entry.pointer(LABELS).and_then(Value::as_object);
        let mut ranks = labels.into_iter().flat_map(|labels| labels.keys()).filter(|key| key.starts_with(reserved::RANK_PREFIX));
        ranks.all(|rank| self.old_ranks.contains(rank))
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
                situation.policy = Some(PolicyChange::between(&old.value(), &new.value()));
            }
            _ => {}
        }
    }
    places
}

fn stage(change: &Change, situation: &Situation) -> Stage {
    let key: &ObjectKey = change.key();
    match (key.kind.as_str(), &change.operation) {
        ("Gateway", Operation::Create(_) | Operation::Update { .. }) => Stage::Expose,
        ("DestinationRule", Operation::Create(_) | Operation::Update { .. }) => Stage::Policy,
        ("VirtualService", Operation::Create(_) | Operation::Update { .. }) => Stage::Route,
        ("ServiceEntry", Operation::Create(_)) => Stage::Announce,
        ("ServiceEntry", Operation::Update { old, new }) => host_stage(old, new, situation.policy.as_ref()),
        ("WorkloadEntry", Operation::Create(new)) => match &situation.policy {
            Some(policy) if policy.hurries() && policy.ranked(&new.value()) => Stage::Precede,
            _ => Stage::Connect,
        },
        ("WorkloadEntry", Operation::Update { new, .. }) => match &situation.policy {
            Some(policy) if changes_before(policy) && policy.ranked(&new.value()) => Stage::Precede,
            _ => Stage::Connect,
        },
        ("WorkloadEntry", Operation::Delete(_)) => match &situation.policy {
            Some(policy) if !situation.leaves && !policy.new_suits_old() && !policy.overlaps() => Stage::Retire,
            // what replaces this entry comes first, be it another entry or pods
            _ => Stage::Replace,
        },
        ("VirtualService", Operation::Delete(_)) => Stage::DropRoute,
        ("DestinationRule", Operation::Delete(_)) => Stage::DropPolicy,
        ("ServiceEntry", Operation::Delete(_)) => Stage::DropHost,
        ("Gateway", Operation::Delete(_)) => Stage::Conceal,
        (_, Operation::Create(_) | Operation::Update { .. }) => Stage::Prepare,
        (_, Operation::Delete(_)) => Stage::Discard,
    }
}

/// Whether entries that stay change before the policy: always when it drops a rank, which they may have.
fn changes_before(policy: &PolicyChange) -> bool {
    policy.drops_rank || (!policy.new_suits_old() && policy.old_suits_new())
}

fn host_stage(old: &Manifest, new: &Manifest, policy: Option<&PolicyChange>) -> Stage {
    let [(old_name, old_destination), (new_name, new_destination)] = [old, new].map(|manifest| {
        let value = manifest.value();
        let label = |name: &str| value.pointer(SELECTOR).and_then(|labels| labels.get(name)).cloned();
        (label(reserved::CANONICAL_NAME_LABEL), label(reserved::DESTINATION_LABEL))
    });
    match (old_destination.is_some(), new_destination.is_some(), policy) {
        (false, false, _) if old_name == new_name => Stage::Host,
        (false, false, Some(policy)) if changes_before(policy) && policy.old_suits_new() => Stage::Adopt,
        (false, false, _) => Stage::Switch,
        // pods begin to serve besides entries
        (true, false, Some(policy)) if policy.hurries() && !policy.changes_service => Stage::Precede,
        _ => Stage::Host,
    }
}

/// Where a DestinationRule lists ranks.
const RANKS: &str = "/spec/trafficPolicy/loadBalancer/localityLbSetting/failoverPriority";
/// Where it names the Service.
const SERVICE: &str = "/spec/trafficPolicy/tls/sni";
/// Where it lists servers.
const SERVERS: &str = "/spec/trafficPolicy/tls/subjectAltNames";
/// Where a WorkloadEntry has its labels.
const LABELS: &str = "/spec/labels";
/// Where a ServiceEntry says which labels it selects.
const SELECTOR: &str = "/spec/workloadSelector/labels";

fn strings<'a>(value: &'a Value, pointer: &str) -> BTreeSet<&'a str> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}
