//! The order of writes and deletes: waves, each a barrier across all clusters.
//!
//! Any cut between two changes leaves every cluster with old or new behaviour. Never so: a WorkloadEntry without the
//! DestinationRule that ranks it (traffic would spread over all clusters at once), without the serving Gateway that it leads
//! to, or with a rank that the rule does not list; a route to a subset that the rule does not have; a host that is missing although
//! it was there before and is there after.
//!
//! A DestinationRule that gives shares leaves out every endpoint whose region has none. So entries get the regions of their
//! clusters before such a rule comes, which is nothing to ranks by labels, and keep them until it is gone.

mod subsets;

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Change, Manifest, ObjectKey, Operation, Wave, reserved};
use mesh_model::derived::{self, NETWORK_GATEWAY};
use mesh_model::names::{ClusterName, Namespace, ObjectName};
use serde_json::Value;

pub use subsets::check_subsets;
use subsets::{SubsetChange, routed};

/// When a change happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// objects of kinds without a rule: others may need them. The mode of mutual TLS is one: calls between clusters are right
    /// with and without plain text besides, before a change and after it
    Prepare,
    /// VirtualServices that leave subsets: before the policies that drop these, and other pods behind a host of gateways
    Leave,
    /// serving Gateways, hosts by which they know pods, and their subsets: before anybody is sent there
    Expose,
    /// gateways of other networks: after what exposes the destination there, before entries of these networks
    Lead,
    /// hosts that select their pods by another name, where entries change before the policy does
    Adopt,
    /// entries, and hosts that begin to select pods, where old ones must go before the policy changes, or with it
    Precede,
    /// entries of targets that are gone, while the policy still lists their ranks and accepts their servers
    Retire,
    /// DestinationRules: before any entry that needs them
    Policy,
    /// VirtualServices: before the first request; other pods behind a host of gateways: after the policies that accept them
    Route,
    /// hosts that select their pods by another name: these pods serve until the entries have that name too
    Switch,
    /// new and changed entries: a host that exists selects them at once
    Connect,
    /// hosts that exist: in place, after the entries that a narrower selector leaves them with
    Host,
    /// new hosts: they make the name appear with all that belongs to it
    Announce,
    /// VirtualServices that turn to subsets: after their policies, and all that serves them
    Split,
    /// hosts that move to another namespace, where everything is by now: of two hosts with one name the older one counts, as long
    /// as it is there
    Vacate,
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
    /// serving Gateways, their hosts and subsets: after every client's entry to them, in all clusters
    Conceal,
}

/// Puts the changes that lead to `goal` into waves. Empty waves are left out; inside a wave, changes are sorted by cluster and
/// key.
#[must_use]
pub fn order(changes: Vec<Change>, goal: &BTreeMap<ClusterName, Vec<Manifest>>) -> Vec<Wave> {
    let places: BTreeMap<Place<'_>, Situation> = situations(&changes, goal);
    let adds = |situation: &Situation| situation.policy.as_ref().is_some_and(|policy| policy.adds_server);
    let adding: BTreeSet<Option<&str>> =
        places.iter().filter(|(_, situation)| adds(situation)).map(|((_, _, destination), _)| *destination).collect();
    // a place that names no destination may be any
    let adds_server = |name: &ObjectName| {
        adding.iter().any(|destination| destination.is_none_or(|destination| derived::is_serving_name_of(name, destination)))
    };
    let stage = |change: &Change| match is_serving(change.key()) {
        true if change.key().kind == "ServiceEntry" => serving_stage(&change.operation, adds_server(&change.key().name)),
        true => Stage::Expose,
        false => stage(change, &places[&place(change)]),
    };
    let mut stages: Vec<Stage> = changes.iter().map(stage).collect();
    let turned_to = turned_to(&changes);
    for (stage, change) in stages.iter_mut().zip(&changes).filter(|(_, change)| is_serving_rule(change.key())) {
        *stage = serving_rule_stage(&change.operation, &turned_to);
    }
    let mut waves: BTreeMap<Stage, Wave> = BTreeMap::new();
    for (stage, change) in stages.into_iter().zip(changes) {
        waves.entry(stage).or_default().push(change);
    }
    waves
        .into_values()
        .map(|mut wave| {
            wave.sort_by(|a, b| (&a.cluster, a.key()).cmp(&(&b.cluster, b.key())));
            wave
        })
        .collect()
}

/// Waves that rely on proxies of other clusters having followed what was written before: those after new ways into a cluster,
/// where clients of a host that exists will use them, and those that change ways or take them away after these clients have. A
/// gateway that does not know yet what it is asked for refuses, and clients eject it for as long as `base_ejection_time` says.
/// A gateway of another network is both: a way, whose name has to be resolved, and whoever uses those of that network.
#[must_use]
pub fn pauses(waves: &[Wave]) -> BTreeSet<usize> {
    let mut hosts: BTreeMap<(&ClusterName, &ObjectName), Vec<Place<'_>>> = BTreeMap::new();
    for change in waves.iter().flatten().filter(|change| change.key().kind == "ServiceEntry" && !is_way(change.key())) {
        if !matches!(change.operation, Operation::Update { .. }) {
            hosts.entry((&change.cluster, &change.key().name)).or_default().push(place(change));
        }
    }
    // one that comes and goes moves to another namespace, and is called all the time
    let passing: BTreeSet<Place<'_>> = hosts.into_values().filter(|places| places.len() == 1).flatten().collect();
    let uses = |key: &ObjectKey| !is_way(key) || key.kind == NETWORK_GATEWAY;
    let is_in_use = |change: &Change| uses(change.key()) && !passing.contains(&place(change));
    let has_way = |wave: &Wave| wave.iter().any(|change| is_way(change.key()));
    let is_used_in = |waves: &[Wave]| waves.iter().flatten().any(is_in_use);
    let relies = |at: &usize| {
        let (before, after) = waves.split_at(*at);
        if turns(before, &after[0]) {
            return true;
        }
        (before.last().is_some_and(has_way) && is_used_in(after)) || (has_way(&after[0]) && is_used_in(before))
    };
    (1..waves.len()).filter(relies).collect()
}

/// Whether a wave changes policies after routes left subsets of theirs, or turns routes to subsets after their policies changed: a
/// proxy that is told both at once learns of the policy first, and takes a moment to know the endpoints of a new subset.
fn turns(before: &[Wave], wave: &Wave) -> bool {
    let earlier = |kind: &str, change: &Change| {
        let mut all = before.iter().flatten().filter(|other| other.key().kind == kind && !is_serving(other.key()));
        all.any(|other| place(other) == place(change) && !matches!(other.operation, Operation::Create(_)))
    };
    let relies = |change: &Change| match (change.key().kind.as_str(), &change.operation) {
        ("DestinationRule", Operation::Update { old, new }) if !is_serving(new.key()) => {
            !SubsetChange::between(&old.value(), &new.value()).dropped.is_empty() && earlier("VirtualService", change)
        }
        ("VirtualService", Operation::Update { old, new }) => {
            !routed(&new.value()).keys().all(|name| routed(&old.value()).contains_key(name)) && earlier("DestinationRule", change)
        }
        ("VirtualService", Operation::Create(new)) => !routed(&new.value()).is_empty() && earlier("DestinationRule", change),
        _ => false,
    };
    wave.iter().any(relies)
}

/// Whether an object is part of a way into a cluster.
fn is_way(key: &ObjectKey) -> bool {
    key.kind == "Gateway" || key.kind == NETWORK_GATEWAY || is_serving(key)
}

/// Whether an object is a host by which gateways know pods, or says what its subsets are.
fn is_serving(key: &ObjectKey) -> bool {
    is_serving_rule(key) || (key.kind == "ServiceEntry" && derived::is_serving_name(&key.name))
}

/// Whether an object says what the subsets of such a host are.
fn is_serving_rule(key: &ObjectKey) -> bool {
    key.kind == "DestinationRule" && derived::is_serving_name(&key.name)
}

/// One destination in a namespace of a cluster. A resource may have several there, and one says nothing about another. A deletion
/// names its object only, so that the name tells the destination; objects whose name tells none are judged together.
type Place<'c> = (&'c ClusterName, Option<&'c Namespace>, Option<&'c str>);

/// What else happens in the same place.
#[derive(Clone, Debug, Default)]
struct Situation {
    /// the host goes, and with it all its entries
    leaves: bool,
    /// it goes to another namespace
    moves: bool,
    /// entries come or change
    connects: bool,
    /// ranks of entries that come
    coming: Vec<BTreeSet<String>>,
    /// their canonical names
    coming_names: BTreeSet<String>,
    /// entries are there before and after, at the same address
    stays: bool,
    /// the subsets that some of these stand for
    staying_subsets: BTreeSet<String>,
    /// how the policy changes, where it does
    policy: Option<PolicyChange>,
    /// how its subsets do
    subsets: SubsetChange,
    /// the host comes
    is_announced: bool,
}

impl Situation {
    /// Whether something serves under the old policy and under the new one that neither comes nor goes. Under shares nothing
    /// serves but what has one: what comes has none before, and what goes has none after. Which subsets the cluster's own pods
    /// are of nobody knows here.
    fn is_carried(&self, policy: &PolicyChange) -> bool {
        let by_pods = policy.old.gives_own && (policy.new.gives_own || !policy.new.spreads);
        match self.subsets.kept.is_empty() {
            true => self.stays || by_pods,
            false => self.subsets.kept.is_subset(&self.staying_subsets),
        }
    }

    /// Whether entries come before the policy because nothing would serve in between.
    fn is_handed_over(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.has_shares() && !self.is_carried(policy))
    }

    /// Neither policy suits old and new endpoints. Each is refused by one of the two, which a retry hides while another one
    /// serves; so both are there while the policy changes. Only a rank that is not listed must not be. Where some stay, these
    /// serve meanwhile.
    fn overlaps(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| {
            let may_come = self.coming.is_empty() || self.coming.iter().any(|ranks| policy.lists(ranks));
            let is_carried = self.stays && policy.suits_what_stays();
            !policy.new_suits_old() && !policy.old_suits_new() && !policy.drops_rank && may_come && !is_carried
        })
    }

    /// What comes must come before what goes, and that before the policy, or with it.
    fn hurries(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| !policy.new_suits_old() && policy.old_suits_new()) || self.overlaps()
    }

    /// Whether entries that go do so before the policy, which would refuse their servers or not list their ranks.
    fn retires(&self) -> bool {
        let Some(policy) = &self.policy else { return false };
        // where all that comes has a new rank, it waits for the policy, and nobody would serve if what goes were gone by then
        let all_wait = !self.coming.is_empty() && !self.coming.iter().any(|ranks| policy.lists(ranks));
        let is_awaited = policy.old_suits_new() && !policy.drops_rank && all_wait;
        let is_last = policy.old.spreads && !self.is_carried(policy);
        !self.leaves && !policy.new_suits_old() && !self.overlaps() && !is_awaited && !is_last
    }

    /// Whether entries that stay change before the policy: always when it drops a rank, which they may have, or begins to give
    /// shares; never when it ceases to.
    fn changes_before(&self) -> bool {
        let before = |policy: &PolicyChange| match (policy.old.spreads, policy.new.spreads) {
            (false, true) => true,
            (true, false) => false,
            _ => policy.drops_rank || (!policy.new_suits_old() && policy.old_suits_new()),
        };
        self.policy.as_ref().is_some_and(before)
    }

    /// Whether entries that stay serve every part alone under the old policy. Under shares they might have none.
    fn outlives_pods(&self) -> bool {
        let SubsetChange { dropped, added: _, kept } = &self.subsets;
        let is_alike = self.policy.as_ref().is_some_and(|policy| !policy.has_shares() && !policy.changes_service);
        is_alike && self.stays && dropped.is_empty() && kept.is_subset(&self.staying_subsets)
    }

    /// Whether the old policy lists the ranks of an entry.
    fn is_ranked(&self, entry: &Manifest) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.lists(&ranks(entry)))
    }
}

/// Rank labels of an entry.
fn ranks(entry: &Manifest) -> BTreeSet<String> {
    let value = entry.value();
    let labels = value.pointer(LABELS).and_then(Value::as_object);
    let labels = labels.into_iter().flat_map(|labels| labels.keys());
    labels.filter(|key| key.starts_with(reserved::RANK_PREFIX)).cloned().collect()
}

/// What a policy gives shares to.
#[derive(Clone, Copy, Debug)]
struct Sharing {
    /// it gives shares, to entries and maybe to pods
    spreads: bool,
    /// to pods of its own cluster
    gives_own: bool,
}

impl Sharing {
    fn of(policies: &[&Value]) -> Self {
        let given = policies.first().and_then(|policy| policy.pointer(SHARES)).and_then(Value::as_object);
        let is_own = |region: &String| !derived::is_share_region(region);
        Self { spreads: given.is_some(), gives_own: given.is_some_and(|regions| regions.keys().any(is_own)) }
    }
}

/// What a new policy of a host drops and adds.
#[derive(Clone, Debug)]
struct PolicyChange {
    old: Sharing,
    new: Sharing,
    /// what the old one lists
    old_ranks: BTreeSet<String>,
    drops_rank: bool,
    adds_server: bool,
    drops_server: bool,
    /// some of its ports lead elsewhere
    changes_service: bool,
}

impl PolicyChange {
    fn between(old: &Value, new: &Value) -> Self {
        let [old, new] = [policies(old), policies(new)];
        let listed = |policies: &[&'_ Value], list: &str| -> BTreeSet<String> {
            policies.iter().flat_map(|policy| strings(policy, list)).map(str::to_owned).collect()
        };
        let drops = |list: &str| !listed(&old, list).is_subset(&listed(&new, list));
        // by port, where each has a policy of its own: a port that comes is no port of the host yet, one that goes is none any more
        let [old_services, new_services] = [services(&old), services(&new)];
        let changes = |(port, service): (&Option<u64>, &Option<&str>)| match new_services.get(port) {
            Some(new) => new != service,
            None => port.is_none() && !new_services.values().any(|new| new == service),
        };
        let [old_sharing, new_sharing] = [&old, &new].map(|policies| Sharing::of(policies));
        Self {
            old: old_sharing,
            new: new_sharing,
            old_ranks: listed(&old, RANKS),
            // one that gives shares asks for none
            drops_rank: drops(RANKS) && !new_sharing.spreads,
            adds_server: !listed(&new, SERVERS).is_subset(&listed(&old, SERVERS)),
            drops_server: drops(SERVERS),
            changes_service: old_services.iter().any(changes),
        }
    }

    /// Whether one of both gives shares.
    fn has_shares(&self) -> bool {
        self.old.spreads || self.new.spreads
    }

    /// What was there is routed rightly by the new policy too.
    fn new_suits_old(&self) -> bool {
        !self.drops_rank && !self.drops_server && !self.changes_service
    }

    /// What comes is routed rightly by the old policy too, as far as its rank is listed.
    fn old_suits_new(&self) -> bool {
        !self.adds_server && !self.changes_service
    }

    /// What is there before and after is routed rightly by both: its gateways know the old Service and the new one, and its
    /// servers are among those that are dropped and added together only where their accounts change.
    fn suits_what_stays(&self) -> bool {
        !(self.adds_server && self.drops_server)
    }

    fn lists(&self, ranks: &BTreeSet<String>) -> bool {
        ranks.is_subset(&self.old_ranks)
    }
}

fn place(change: &Change) -> Place<'_> {
    place_of(&change.cluster, change.key())
}

fn place_of<'c>(cluster: &'c ClusterName, key: &'c ObjectKey) -> Place<'c> {
    let ObjectKey { kind, namespace, name } = key;
    (cluster, namespace.as_ref(), derived::destination_of(kind, name))
}

fn situations<'c>(changes: &'c [Change], goal: &'c BTreeMap<ClusterName, Vec<Manifest>>) -> BTreeMap<Place<'c>, Situation> {
    let mut places: BTreeMap<Place<'_>, Situation> = BTreeMap::new();
    // one that gets another address is another way
    let comes = |change: &&Change| match &change.operation {
        Operation::Create(_) => true,
        Operation::Update { old, new } => old.value().pointer(ADDRESS) != new.value().pointer(ADDRESS),
        Operation::Delete(_) => false,
    };
    let coming: BTreeSet<(&ClusterName, &ObjectKey)> = changes
        .iter()
        .filter(|change| change.key().kind == "WorkloadEntry")
        .filter(comes)
        .map(|change| (&change.cluster, change.key()))
        .collect();
    let entries = goal.iter().flat_map(|(cluster, manifests)| manifests.iter().map(move |manifest| (cluster, manifest.key())));
    for (cluster, key) in entries.filter(|at| at.1.kind == "WorkloadEntry" && !coming.contains(at)) {
        let situation = places.entry(place_of(cluster, key)).or_default();
        situation.stays = true;
        situation.staying_subsets.extend(derived::subset_of(&key.name).map(str::to_owned));
    }
    for change in changes {
        let situation = places.entry(place(change)).or_default();
        match (change.key().kind.as_str(), &change.operation) {
            ("ServiceEntry", Operation::Delete(key)) if !is_serving(key) => {
                let is_it = |other: &Manifest| other.key().kind == key.kind && other.key().name == key.name;
                situation.leaves = true;
                situation.moves |= goal.get(&change.cluster).is_some_and(|manifests| manifests.iter().any(is_it));
            }
            ("ServiceEntry", Operation::Create(new)) if !is_serving(new.key()) => situation.is_announced = true,
            ("WorkloadEntry", Operation::Create(new)) => {
                situation.connects = true;
                situation.coming.push(ranks(new));
                situation.coming_names.extend(label(&new.value(), LABELS, reserved::CANONICAL_NAME_LABEL));
            }
            ("WorkloadEntry", Operation::Update { .. }) => situation.connects = true,
            ("DestinationRule", Operation::Update { old, new }) if !is_serving(new.key()) => {
                let (old, new) = (old.value(), new.value());
                situation.policy = Some(PolicyChange::between(&old, &new));
                situation.subsets = SubsetChange::between(&old, &new);
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
        (NETWORK_GATEWAY, Operation::Create(_) | Operation::Update { .. }) => Stage::Lead,
        ("DestinationRule", Operation::Create(_) | Operation::Update { .. }) => Stage::Policy,
        ("ServiceEntry", Operation::Delete(_)) if situation.moves => Stage::Vacate,
        ("VirtualService", operation) => route_stage(operation, situation),
        ("ServiceEntry", Operation::Create(_)) => Stage::Announce,
        ("ServiceEntry", Operation::Update { old, new }) => host_stage(old, new, situation),
        ("WorkloadEntry", Operation::Create(_)) if situation.is_handed_over() => Stage::Precede,
        ("WorkloadEntry", Operation::Create(new)) if situation.hurries() && situation.is_ranked(new) => Stage::Precede,
        ("WorkloadEntry", Operation::Update { new, .. }) if situation.changes_before() && situation.is_ranked(new) => {
            Stage::Precede
        }
        ("WorkloadEntry", Operation::Create(_) | Operation::Update { .. }) => Stage::Connect,
        ("WorkloadEntry", Operation::Delete(_)) if situation.retires() => Stage::Retire,
        // what replaces this entry comes first, be it another entry or pods
        ("WorkloadEntry", Operation::Delete(_)) => Stage::Replace,
        ("DestinationRule", Operation::Delete(_)) => Stage::DropPolicy,
        ("ServiceEntry", Operation::Delete(_)) => Stage::DropHost,
        ("Gateway", Operation::Delete(_)) => Stage::Conceal,
        (_, Operation::Create(_) | Operation::Update { .. }) => Stage::Prepare,
        (_, Operation::Delete(_)) => Stage::Discard,
    }
}

fn route_stage(operation: &Operation, situation: &Situation) -> Stage {
    let SubsetChange { dropped, added: _, kept: _ } = &situation.subsets;
    let names = |service: &Manifest| -> BTreeSet<String> { routed(&service.value()).into_keys().collect() };
    let (old, new) = match operation {
        Operation::Create(_) if situation.is_announced => return Stage::Route,
        Operation::Create(new) => (BTreeSet::new(), names(new)),
        Operation::Update { old, new } => (names(old), names(new)),
        // what it sent calls to is not told
        Operation::Delete(_) if situation.leaves || dropped.is_empty() => return Stage::DropRoute,
        Operation::Delete(_) => return Stage::Leave,
    };
    match (old.is_subset(&new), new.is_subset(&old)) {
        _ if !old.is_disjoint(dropped) => Stage::Leave,
        (_, false) => Stage::Split,
        (false, true) => Stage::Leave,
        (true, true) => Stage::Route,
    }
}

/// Subsets to which clients will send calls.
fn turned_to(changes: &[Change]) -> BTreeSet<String> {
    let services = changes.iter().filter(|change| change.key().kind == "VirtualService");
    let routes = services.filter_map(|change| match &change.operation {
        Operation::Create(new) | Operation::Update { new, .. } => Some(routed(&new.value())),
        Operation::Delete(_) => None,
    });
    routes.flat_map(BTreeMap::into_keys).collect()
}

/// Of the subsets of a host by which gateways know pods. What goes is needed until clients have left it. Where one write adds some
/// and drops others, calls go to what is dropped or will go to what is added, but not both: see [`check_subsets`].
fn serving_rule_stage(operation: &Operation, turned_to: &BTreeSet<String>) -> Stage {
    match operation {
        Operation::Create(_) => Stage::Expose,
        Operation::Update { old, new } => {
            let (old, new) = (old.value(), new.value());
            let SubsetChange { dropped, added, kept: _ } = SubsetChange::between(&old, &new);
            let [before, after] = [&old, &new].map(exported);
            let loses = !dropped.is_empty() || !before.is_subset(&after);
            let is_needed = !turned_to.is_disjoint(&added) || !after.is_subset(&before);
            if loses && !is_needed { Stage::Conceal } else { Stage::Expose }
        }
        Operation::Delete(_) => Stage::Conceal,
    }
}

/// Of a host by which gateways know pods.
fn serving_stage(operation: &Operation, adds_server: bool) -> Stage {
    match operation {
        Operation::Create(_) => Stage::Expose,
        // other pods: the old policies may not accept them, or the new ones what was there
        Operation::Update { old, new } if selector(old) != selector(new) => {
            if adds_server {
                Stage::Route
            } else {
                Stage::Expose
            }
        }
        // what goes is needed until clients have left it
        Operation::Update { old, new } if exports(old) != exports(new) => by_loss(&exports(old), &exports(new)),
        Operation::Update { old, new } => by_loss(&ports(old), &ports(new)),
        Operation::Delete(_) => Stage::Conceal,
    }
}

fn host_stage(old: &Manifest, new: &Manifest, situation: &Situation) -> Stage {
    let [(old_name, old_destination), (new_name, new_destination)] = [old, new].map(|manifest| {
        let of = |name: &str| label(&manifest.value(), SELECTOR, name);
        (of(reserved::CANONICAL_NAME_LABEL), of(reserved::DESTINATION_LABEL))
    });
    // pods are called by their own address: the old policy needs to accept them, whatever Service it leads entries to
    let accepts_pods = situation.policy.as_ref().is_some_and(|policy| !policy.new_suits_old() && !policy.adds_server);
    let [old_ports, new_ports] = [old, new].map(ports);
    match (old_destination.is_some(), new_destination.is_some()) {
        // nobody calls a port without its policy
        (old, new) if old == new && old_name == new_name && old_ports.is_superset(&new_ports) && old_ports != new_ports => {
            Stage::Adopt
        }
        (false, false) if old_name == new_name => Stage::Host,
        (false, false) if accepts_pods => Stage::Adopt,
        (false, false) => Stage::Switch,
        // pods begin to serve, besides entries or in their place
        (true, false) if accepts_pods || (situation.overlaps() && !situation.connects) => Stage::Precede,
        // pods stop to serve, which the new policy refuses, and entries stay that the old one accepts
        (false, true) if accepts_pods && situation.outlives_pods() => Stage::Precede,
        // what comes has another name than the pods that stop to serve: only the new host selects it, besides what goes
        (false, true) if situation.overlaps() && situation.coming_names.iter().any(|name| Some(name) != old_name.as_ref()) => {
            Stage::Precede
        }
        _ => Stage::Host,
    }
}

fn by_loss<T: Ord>(old: &BTreeSet<T>, new: &BTreeSet<T>) -> Stage {
    if old != new && old.is_superset(new) { Stage::Conceal } else { Stage::Expose }
}

/// Namespaces that see a host.
fn exports(host: &Manifest) -> BTreeSet<String> {
    exported(&host.value())
}

fn exported(object: &Value) -> BTreeSet<String> {
    strings(object, "/spec/exportTo").into_iter().map(str::to_owned).collect()
}

/// What a host selects.
fn selector(host: &Manifest) -> Option<Value> {
    host.value().pointer(SELECTOR).cloned()
}

/// Ports of a host.
fn ports(host: &Manifest) -> BTreeSet<u64> {
    let value = host.value();
    let ports = value.pointer("/spec/ports").and_then(Value::as_array);
    ports.into_iter().flatten().filter_map(|port| port.get("number")?.as_u64()).collect()
}

fn label(object: &Value, labels: &str, name: &str) -> Option<String> {
    Some(object.pointer(labels)?.get(name)?.as_str()?.to_owned())
}

/// What a DestinationRule says of the ports of its host: of each one, or of all in one.
fn policies(rule: &Value) -> Vec<&Value> {
    match rule.pointer("/spec/trafficPolicy/portLevelSettings").and_then(Value::as_array) {
        Some(policies) => policies.iter().collect(),
        None => rule.pointer("/spec/trafficPolicy").into_iter().collect(),
    }
}

/// The Service that each of them names, by port where it is that of one.
fn services<'p>(policies: &[&'p Value]) -> BTreeMap<Option<u64>, Option<&'p str>> {
    let entry =
        |policy: &&'p Value| (policy.pointer(PORT).and_then(Value::as_u64), policy.pointer(SERVICE).and_then(Value::as_str));
    policies.iter().map(entry).collect()
}

/// Where such a policy lists ranks.
const RANKS: &str = "/loadBalancer/localityLbSetting/failoverPriority";
/// Where it gives shares, by region.
const SHARES: &str = "/loadBalancer/localityLbSetting/distribute/0/to";
/// Where it names its port, if it is that of one.
const PORT: &str = "/port/number";
/// Where it names the Service.
const SERVICE: &str = "/tls/sni";
/// Where it lists servers.
const SERVERS: &str = "/tls/subjectAltNames";
/// Where a WorkloadEntry says how it is reached.
const ADDRESS: &str = "/spec/address";
/// Where a WorkloadEntry has its labels.
const LABELS: &str = "/spec/labels";
/// Where a ServiceEntry says which labels it selects.
const SELECTOR: &str = "/spec/workloadSelector/labels";

fn strings<'a>(value: &'a Value, pointer: &str) -> BTreeSet<&'a str> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}
