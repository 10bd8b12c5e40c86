//! No cut of the ordered changes is a state that loses or misroutes requests.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Change, Manifest, Wave};
use mesh_model::derived::{self, NETWORK_GATEWAY};
use mesh_model::intent::{Failover, Shares, VirtualDestination};
use mesh_model::names::ClusterName;
use mesh_translate::{check_subsets, order, pauses, translate};
use proptest::prelude::*;

use crate::step::Move;
use crate::world::{At, Live, State, apply, changes, is_host};
use crate::{failover, fleet, routes};

/// Whether the plan refuses a change: one that no order of writes carries.
fn is_refused(old: &VirtualDestination, new: &VirtualDestination) -> bool {
    !check_subsets(&fleet::manifests(old), &translate(new).objects).is_empty()
}

fn check(old: Option<&VirtualDestination>, new: Option<&VirtualDestination>, shuffle: &[usize]) -> Result<(), TestCaseError> {
    prop_assume!(!old.zip(new).is_some_and(|(old, new)| is_refused(old, new)));
    check_together(&[Move::between(old, new)], shuffle)
}

/// Judges each destination by itself, whatever else changes at once. No two have an object in common.
fn check_together(moves: &[Move], shuffle: &[usize]) -> Result<(), TestCaseError> {
    let mut now: Vec<State> = moves.iter().map(|step| step.old.clone()).collect();
    for (step, now) in moves.iter().zip(&now) {
        prop_assert_eq!(step.forbidden(now), None, "the old state");
    }
    for (number, mut wave) in waves(moves).into_iter().enumerate() {
        prop_assert!(!wave.is_empty());
        // any permutation of a wave passes through any subset of it
        let mut position = 0;
        while !wave.is_empty() {
            let pick = shuffle[(number * 31 + position) % shuffle.len()] % wave.len();
            let change = wave.swap_remove(pick);
            position += 1;
            let at = (change.cluster.clone(), change.key().clone());
            let is_its = |step: &Move| step.old.contains_key(&at) || step.new.contains_key(&at);
            let its = moves.iter().position(is_its).expect("every change is a destination's");
            apply(&mut now[its], &change);
            prop_assert_eq!(
                moves[its].forbidden(&now[its]),
                None,
                "wave {}, after {}: {}",
                number,
                &change.cluster,
                change.key()
            );
        }
    }
    for (step, now) in moves.iter().zip(now) {
        prop_assert_eq!(&now, &step.new);
    }
    Ok(())
}

/// All that changes, in order.
fn waves(moves: &[Move]) -> Vec<Wave> {
    let mut goal: BTreeMap<ClusterName, Vec<Manifest>> = BTreeMap::new();
    for ((cluster, _), live) in moves.iter().flat_map(|step| &step.new) {
        goal.entry(cluster.clone()).or_default().push(live.manifest.clone());
    }
    order(moves.iter().flat_map(|step| changes(&step.old, &step.new)).collect(), &goal)
}

/// Who follows a write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Follower {
    /// gateways of clusters that serve
    Gateways,
    /// whoever resolves names of gateways
    Resolvers,
    Clients,
}

impl Follower {
    /// Those who follow by themselves, in all combinations but all and none.
    const LATE: [&[Self]; 6] = [
        &[Self::Gateways],
        &[Self::Resolvers],
        &[Self::Clients],
        &[Self::Gateways, Self::Resolvers],
        &[Self::Resolvers, Self::Clients],
        &[Self::Gateways, Self::Clients],
    ];

    fn of(change: &Change) -> Self {
        let key = change.key();
        if key.kind == NETWORK_GATEWAY {
            Self::Resolvers
        } else if key.kind == "Gateway" || derived::is_serving_name(&key.name) {
            Self::Gateways
        } else {
            Self::Clients
        }
    }
}

/// The same with some that follow a write only when the apply waits for them.
fn check_late(old: &VirtualDestination, new: &VirtualDestination) -> Result<(), TestCaseError> {
    Follower::LATE.into_iter().try_for_each(|late| check_late_by(old, new, late))
}

fn check_late_by(old: &VirtualDestination, new: &VirtualDestination, late: &[Follower]) -> Result<(), TestCaseError> {
    prop_assume!(!is_refused(old, new));
    let step = Move::between(Some(old), Some(new));
    let waves = waves(std::slice::from_ref(&step));
    let pauses = pauses(&waves);
    let (mut now, mut behind) = (step.old.clone(), Vec::new());
    for (number, wave) in waves.iter().enumerate() {
        if pauses.contains(&number) {
            behind.drain(..).for_each(|change| apply(&mut now, change));
        }
        for change in wave {
            if late.contains(&Follower::of(change)) {
                behind.push(change);
            } else {
                apply(&mut now, change);
            }
            prop_assert_eq!(
                step.forbidden_while_some_lag(&now),
                None,
                "{:?} are late, wave {}, after {}: {}",
                late,
                number,
                &change.cluster,
                change.key()
            );
        }
    }
    Ok(())
}

/// What a proxy is told between two pauses may reach it at once, policies before routes or routes before policies.
fn check_at_once(old: &VirtualDestination, new: &VirtualDestination, policies_first: bool) -> Result<(), TestCaseError> {
    prop_assume!(!is_refused(old, new));
    let step = Move::between(Some(old), Some(new));
    let waves = waves(std::slice::from_ref(&step));
    let pauses = pauses(&waves);
    let (mut now, mut behind) = (step.old.clone(), Vec::new());
    for (number, wave) in waves.iter().enumerate() {
        if pauses.contains(&number) {
            behind.drain(..).for_each(|change| apply(&mut now, change));
        }
        for change in wave {
            // where a host comes or goes nobody calls it yet, or any more
            let is_its =
                |(at, _): &(&At, &Live)| at.0 == change.cluster && at.1.namespace == change.key().namespace && is_host(at);
            let is_lasting = step.old.iter().find(is_its).is_some_and(|(at, _)| step.new.contains_key(at));
            let is_policy = change.key().kind == "DestinationRule";
            if is_lasting && routes::is_told_at_once(change) && is_policy != policies_first {
                behind.push(change);
            } else {
                apply(&mut now, change);
            }
            let lost = routes::lost(&now, &change.cluster);
            prop_assert_eq!(lost.filter(|_| is_lasting), None, "wave {}, after {}: {}", number, &change.cluster, change.key());
        }
    }
    Ok(())
}

/// The same destination under a hostname of its own.
fn renamed(mut intent: VirtualDestination, number: usize) -> VirtualDestination {
    intent.hostname = fleet::name(&format!("number-{number}.{}", intent.hostname));
    intent
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
        failover::fit(&mut new);
        new.clients = other.clients;
        new.client_namespace.clear();
        prop_assume!(!mesh_translate::translate(&new).objects.is_empty());
        check(Some(&old), Some(&new), &shuffle)?;
    }

    /// Gateways move, get hostnames and lose them, while everything else stays.
    #[test]
    fn no_cut_is_forbidden_when_only_gateways_change(old in fleet::destination(), other in fleet::destination(), shuffle in permutation()) {
        let mut new = old.clone();
        for (cluster, facts) in &mut new.mesh.clusters {
            facts.gateways.clone_from(&other.mesh.clusters[cluster].gateways);
        }
        prop_assume!(!translate(&new).objects.is_empty());
        check(Some(&old), Some(&new), &shuffle)?;
    }

    /// A share moves from one cluster that has a subset to another, while nothing else of that subset serves, and other subsets stay.
    #[test]
    fn no_cut_is_forbidden_when_the_share_of_a_subset_moves(intent in fleet::destination(), shuffle in permutation()) {
        let client = intent.clients.first().expect("there are clients");
        let serving: BTreeSet<&ClusterName> = intent.backends.iter().map(|backend| &backend.cluster).filter(|one| *one != client).collect();
        let serving: Vec<&ClusterName> = serving.into_iter().collect();
        prop_assume!(serving.len() > 2);
        let of = |moving: &ClusterName| {
            let shares = Shares::new(BTreeMap::from([(serving[0].clone(), 50), (moving.clone(), 50)])).expect("they make 100");
            let mut one = VirtualDestination { clients: BTreeSet::from([client.clone()]), ..fleet::whole(intent.clone()) };
            one.failover = Failover { spread: BTreeMap::from([(client.clone(), shares)]), ..Failover::default() };
            one.subsets = fleet::two_subsets();
            let without_second = one.backends.iter_mut().filter(|backend| backend.cluster == *serving[0]);
            without_second.for_each(|backend| backend.subsets = Some(BTreeSet::from([fleet::name("v1")])));
            one
        };
        let [old, new] = [of(serving[1]), of(serving[2])];
        prop_assert!(![&old, &new].iter().any(|one| translate(one).objects.is_empty()));
        check(Some(&old), Some(&new), &shuffle)?;
    }

    #[test]
    fn no_cut_is_forbidden_while_proxies_lag(old in fleet::destination(), new in fleet::destination()) {
        check_late(&old, &new)?;
    }

    #[test]
    fn no_route_is_lost_when_a_proxy_is_told_much_at_once(old in fleet::destination(), new in fleet::destination(), policies_first in any::<bool>()) {
        check_at_once(&old, &new, policies_first)?;
    }

    #[test]
    fn no_cut_is_forbidden_when_only_subsets_change(old in fleet::destination(), other in fleet::destination(), shuffle in permutation()) {
        let mut new = old.clone();
        new.subsets = other.subsets;
        for backend in &mut new.backends {
            let same = other.backends.iter().find(|same| same.cluster == backend.cluster);
            backend.subsets = same.and_then(|same| same.subsets.clone());
        }
        prop_assume!(!translate(&new).objects.is_empty());
        check(Some(&old), Some(&new), &shuffle)?;
        check_late(&old, &new)?;
    }

    /// What is refused is carried by two steps: the subsets of both, those that come without weight.
    #[test]
    fn what_is_refused_goes_in_two_steps(old in fleet::with_subsets(), subsets in fleet::some_subsets()) {
        let mut new = old.clone();
        new.subsets = subsets;
        for (name, subset) in &mut new.subsets {
            // one with other labels gets another name
            if let Some(same) = old.subsets.get(name) {
                subset.labels.clone_from(&same.labels);
            }
        }
        new.backends.iter_mut().for_each(|backend| backend.subsets = None);
        let mut between = new.clone();
        between.subsets.values_mut().for_each(|subset| subset.weight = 0);
        between.subsets.extend(old.subsets.clone());
        for (from, to) in [(&old, &between), (&between, &new)] {
            prop_assume!(!translate(to).objects.is_empty());
            prop_assert!(!is_refused(from, to));
        }
    }

    #[test]
    fn no_cut_is_forbidden_when_several_destinations_of_a_namespace_change(
        intents in prop::collection::vec((prop::option::weighted(0.8, fleet::destination()), prop::option::weighted(0.8, fleet::destination())), 2..=3),
        shuffle in permutation(),
    ) {
        let intents = intents.into_iter().enumerate();
        let moves = intents.map(|(number, (old, new))| {
            let [old, new] = [old, new].map(|intent| intent.map(|intent| renamed(intent, number)));
            // one that is refused is no change
            let new = if old.as_ref().zip(new.as_ref()).is_some_and(|(old, new)| is_refused(old, new)) { old.clone() } else { new };
            Move::between(old.as_ref(), new.as_ref())
        });
        check_together(&moves.collect::<Vec<_>>(), &shuffle)?;
    }

    #[test]
    fn no_cut_is_forbidden_when_exports_change(old in fleet::exporting_mesh(), new in fleet::exporting_mesh(), shuffle in permutation()) {
        check_together(&Move::of_exports(&old, &new), &shuffle)?;
    }

    #[test]
    fn nothing_to_do_is_no_wave(intent in fleet::destination()) {
        let step = Move::between(Some(&intent), Some(&intent));
        prop_assert!(waves(std::slice::from_ref(&step)).is_empty());
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
        let step = Move::between(Some(&old), Some(&new));
        let mut now = step.old.clone();
        for change in waves(std::slice::from_ref(&step)).into_iter().rev().flatten() {
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
    assert!(found.contains("a policy"), "{found:?}");
}
