//! Every prefix under every single failure: what the outcome says is what is there, and the next runs reach the goal.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::testing::{Breakage, Breakages, FakeCluster};
use crate::{Class, Fleet, Outcome};
use istio_objects::Manifest;
use mesh_model::Code;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::{
    Sets, apply, claim, cluster, fakes, manifest, object_json, others_claim, plan, refresh, request, run, runtime,
};

const CLUSTERS: [&str; 2] = ["east", "west"];

/// Objects of others that lie between ours and must stay as they are.
fn strangers() -> Vec<Value> {
    let mut unclaimed = object_json("unclaimed", &json!({"hosts": ["x"]}), &others_claim());
    unclaimed["metadata"].as_object_mut().unwrap().remove("annotations");
    vec![
        object_json("theirs", &json!({"hosts": ["y"]}), &others_claim()),
        unclaimed,
        object_json("sibling", &json!({}), &super::support::claim_of("other")),
    ]
}

/// What a cluster holds of our resource.
fn ours(fake: &FakeCluster) -> BTreeMap<istio_objects::ObjectKey, Manifest> {
    let text = claim().to_string();
    let objects =
        fake.objects().into_iter().filter(|(_, object)| object["metadata"]["annotations"]["gloo-terraform/claim"] == *text);
    objects.map(|(key, object)| (key.clone(), Manifest::from_stored(key, &object.to_string()).unwrap())).collect()
}

fn setup(before: &Sets, breakages: &Arc<Breakages>) -> (Fleet, Vec<Arc<FakeCluster>>) {
    let (fleet, fakes) = fakes(&CLUSTERS, breakages);
    for (fake, name) in fakes.iter().zip(CLUSTERS) {
        strangers().into_iter().for_each(|object| fake.put(object));
        before.get(&cluster(name)).into_iter().flatten().for_each(|(_, manifest)| fake.put(manifest.value()));
    }
    (fleet, fakes)
}

fn check_strangers(fakes: &[Arc<FakeCluster>]) {
    for fake in fakes {
        let objects = fake.objects();
        for stranger in strangers() {
            assert_eq!(objects[&istio_objects::object_key(&stranger).unwrap()], stranger, "somebody else's object was touched");
        }
    }
}

/// The outcome is what is there, but for objects of a create that the outcome itself says may be left.
fn check_truth(outcome: &Outcome, fakes: &[Arc<FakeCluster>]) {
    for (fake, name) in fakes.iter().zip(CLUSTERS) {
        let landed = outcome.landed.get(&cluster(name)).cloned().unwrap_or_default();
        assert_eq!(landed, ours(fake), "{name}: {:?}", outcome.findings);
    }
}

fn trimmed(sets: Sets) -> Sets {
    sets.into_iter().filter(|(_, objects)| !objects.is_empty()).collect()
}

fn object_sets() -> impl Strategy<Value = Sets> {
    let objects = prop::collection::btree_map(0..4_usize, 0..3_u8, 0..4);
    prop::collection::vec(objects, CLUSTERS.len()).prop_map(|clusters| {
        let to_set = |(name, objects): (&str, BTreeMap<usize, u8>)| {
            let manifests = objects.into_iter().map(|(index, spec)| {
                let manifest = manifest(&format!("vd-{index}"), &json!({"weight": spec, "hosts": ["a", "b"]}));
                (manifest.key().clone(), manifest)
            });
            (cluster(name), manifests.collect())
        };
        CLUSTERS.into_iter().zip(clusters).map(to_set).collect()
    })
}

fn breakage() -> impl Strategy<Value = Breakage> {
    prop_oneof![
        Just(Breakage::Before(Class::Unreachable)),
        Just(Breakage::After(Class::Unreachable)),
        Just(Breakage::Before(Class::Forbidden)),
        Just(Breakage::Before(Class::Io)),
        Just(Breakage::After(Class::Io)),
        Just(Breakage::Before(Class::Conflict)),
        Just(Breakage::Before(Class::Invalid)),
    ]
}

/// How many pairs of object sets: 40, or what `cargo xt soak` asks for.
fn cases() -> u32 {
    std::env::var("GLOO_SOAK_CASES").map_or(40, |text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_outcome_is_what_is_there_after_every_single_failure(before in object_sets(), goal in object_sets(), breakage in breakage()) {
        runtime().block_on(async {
            let quiet = Breakages::none();
            let (fleet, fakes) = setup(&before, &quiet);
            let outcome = run(&fleet, &before, &goal).await.unwrap();
            assert!(outcome.is_complete && outcome.findings.is_empty());
            assert_eq!(trimmed(outcome.landed.clone()), trimmed(goal.clone()));
            check_truth(&outcome, &fakes);

            for call in 0..quiet.calls() {
                let breakages = Breakages::at(call, breakage);
                let (fleet, fakes) = setup(&before, &breakages);
                let refreshed = refresh(&fleet, &before).await;
                let waves = plan(&before, &goal, &refreshed);
                let landed = if refreshed.findings.is_empty() {
                    match apply(&fleet, request(&before, waves, &refreshed), &CancellationToken::new()).await {
                        Ok(outcome) => {
                            check_truth(&outcome, &fakes);
                            prop_assert_eq!(outcome.is_complete, trimmed(outcome.landed.clone()) == trimmed(goal.clone())
                                && outcome.findings.is_empty());
                            outcome.landed
                        }
                        Err(findings) => {
                            prop_assert!(!findings.is_empty());
                            before.clone()
                        }
                    }
                } else {
                    before.clone()
                };
                check_strangers(&fakes);
                // the next run, unbroken, with what the first one left in the state
                let outcome = run(&fleet, &landed, &goal).await.unwrap();
                assert!(outcome.is_complete, "{:?}", outcome.findings);
                check_truth(&outcome, &fakes);
                assert_eq!(trimmed(outcome.landed), trimmed(goal.clone()));
                check_strangers(&fakes);
            }
            Ok(())
        })?;
    }

    /// A killed run leaves the state of before. Two runs later all is as wanted and nothing is left over.
    #[test]
    fn a_kill_after_any_call_needs_two_more_runs_at_most(before in object_sets(), goal in object_sets()) {
        runtime().block_on(async {
            let quiet = Breakages::none();
            let (fleet, _) = setup(&before, &quiet);
            run(&fleet, &before, &goal).await.unwrap();
            for call in 0..quiet.calls() {
                // everything from this call on hangs: dropping the run is the kill
                let breakages = Breakages::at(call, Breakage::HangUntilCancelled);
                let (fleet, fakes) = setup(&before, &breakages);
                let killed = run(&fleet, &before, &goal);
                tokio::select! {
                    biased;
                    _ = killed => {}
                    () = until_hung(&breakages, call) => {}
                }
                drop(fleet);
                let clusters = fakes.iter().map(|fake| Arc::clone(fake) as Arc<dyn crate::port::Cluster>);
                let fleet = super::support::fleet_of(clusters);
                let mut landed = before.clone();
                for _ in 0..2 {
                    landed = match run(&fleet, &landed, &goal).await {
                        Ok(outcome) => outcome.landed,
                        Err(findings) => panic!("{findings:?}"),
                    };
                }
                assert_eq!(trimmed(landed), trimmed(goal.clone()));
                for (fake, name) in fakes.iter().zip(CLUSTERS) {
                    assert_eq!(ours(fake), goal.get(&cluster(name)).cloned().unwrap_or_default());
                }
                check_strangers(&fakes);
            }
        });
    }
}

/// Ends once the call was made and everything that could go on beside it has gone on.
async fn until_hung(breakages: &Breakages, call: usize) {
    while breakages.calls() <= call {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_silent_cluster_after_a_write_is_told_as_unknown() {
    runtime().block_on(async {
        let breakages = Breakages::none();
        let (fleet, fakes) = fakes(&["east"], &breakages);
        let goal = super::support::sets("east", [&manifest("vd", &json!({}))]);
        let refreshed = refresh(&fleet, &Sets::new()).await;
        let waves = plan(&Sets::new(), &goal, &refreshed);
        let cleared = crate::preflight(&fleet, request(&Sets::new(), waves, &refreshed)).await.unwrap();
        breakages.plan(0, Breakage::After(Class::Unreachable));
        breakages.plan(1, Breakage::Before(Class::Unreachable));
        let outcome = crate::write(&fleet, cleared, &CancellationToken::new()).await;
        assert_eq!(outcome.findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::OutcomeUnknown]);
        assert!(!outcome.is_complete && outcome.landed[&cluster("east")].is_empty());
        assert_eq!(fakes[0].objects().len(), 1);
        // a rollback looks again, and takes it back
        let outcome = crate::rollback(&fleet, outcome, &[], &CancellationToken::new()).await;
        assert_eq!(outcome.findings.len(), 1);
        assert!(fakes[0].objects().is_empty());
    });
}
