//! Instances of one claim: who counts as complete, what may be taken, and when the mark is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::reserved;
use mesh_model::Code;
use mesh_model::names::ClusterName;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::*;
use crate::breakage::{Act, Break, Breaker, Moment};
use crate::port::Cluster;
use crate::testing::{Breakage, Breakages};
use crate::{Adopt, Census, Class, Instance, Request, Taker, preflight, refresh_instance, rollback, taker, write};

fn object(nonce: Option<&str>, mark: Option<&str>) -> Value {
    let annotations: BTreeMap<&str, &str> = [(reserved::INSTANCE_ANNOTATION, nonce), (reserved::COMPLETE_ANNOTATION, mark)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    json!({"metadata": {"annotations": annotations}})
}

#[test]
fn an_instance_is_complete_when_its_last_cluster_has_the_mark() {
    let (east, west): (ClusterName, ClusterName) = (cluster("east"), cluster("west"));
    let mut census = Census::default();
    census.note(&east, &object(Some("a"), Some("a")));
    census.note(&east, &object(Some("a"), None));
    assert!(census.is_complete("a"));
    census.note(&west, &object(Some("a"), None));
    assert!(!census.is_complete("a"), "the create was interrupted while it wrote marks");
    // a mark that another instance left counts for nobody
    census.note(&west, &object(Some("a"), Some("b")));
    assert!(!census.is_complete("a") && !census.is_complete("b"));
    census.note(&west, &object(Some("a"), Some("a")));
    assert_eq!(census.others(None), BTreeSet::from(["a".to_owned()]));
    assert_eq!(census.others(Some("a")), BTreeSet::new());
    census.note(&west, &object(None, None));
    assert!(!census.is_complete("unknown"));
    let mut stripped = Census::default();
    stripped.note(&east, &object(Some("a"), None));
    stripped.note(&west, &object(Some("a"), Some("a")));
    assert!(stripped.is_complete("a"), "the last mark is written when all others are: one of them was taken off");
}

#[test]
fn a_cluster_that_is_being_added_makes_no_instance_incomplete() {
    runtime().block_on(async {
        let writes = 2;
        for write in 0..writes {
            let (fleet, fakes) = fakes(&["east", "west"], &Breakages::none());
            let first = Request { instance: instance("one", &["east"]), ..Request::new(claim(), creates(&["east"])) };
            let outcome = apply(&fleet, first, &CancellationToken::new()).await.unwrap();
            let added = Request { waves: creates(&["west"]), prior: prior(&outcome.landed), ..request_of("one") };
            let mut cut = added.clone();
            cut.waves.truncate(write + 1);
            apply(&fleet, cut, &CancellationToken::new()).await.unwrap();
            let mut census = Census::default();
            for (name, fake) in ["east", "west"].into_iter().zip(&fakes) {
                fake.objects().values().for_each(|object| census.note(&cluster(name), object));
            }
            assert!(census.is_complete("one"), "after write {write} in the new cluster");
        }
    });
}

fn instance(nonce: &str, clusters: &[&str]) -> Option<Instance> {
    let anchors = clusters.iter().map(|name| (cluster(name), key("a"))).collect();
    Some(Instance { nonce: nonce.to_owned(), anchors })
}

fn creates(clusters: &[&str]) -> Vec<istio_objects::Wave> {
    let wave = |name: &str| clusters.iter().map(|at| create(at, &manifest(name, &json!({"hosts": [name]})))).collect();
    vec![wave("b"), wave("a")]
}

fn request_of(nonce: &str) -> Request {
    Request { instance: instance(nonce, &["east", "west"]), ..Request::new(claim(), creates(&["east", "west"])) }
}

#[test]
fn the_mark_comes_last_and_once() {
    runtime().block_on(async {
        let (fleet, fakes) = fakes(&["east", "west"], &Breakages::none());
        let outcome = apply(&fleet, request_of("one"), &CancellationToken::new()).await.unwrap();
        assert!(outcome.is_complete);
        for fake in &fakes {
            let writes: Vec<String> = fake.calls().into_iter().filter(|call| call.starts_with("apply")).collect();
            let keys = ["b", "a", "a"].map(|name| format!("apply {}", key(name)));
            assert_eq!(writes, keys, "the anchor is written, and marked after everything else");
            let objects = fake.objects();
            assert!(objects.values().all(|object| crate::nonce_of(object) == Some("one")));
            let annotations = &objects[&key("a")]["metadata"]["annotations"];
            assert_eq!(annotations[reserved::COMPLETE_ANNOTATION], "one");
        }
        // the same once more writes nothing: the mark stays
        let before = fakes[0].calls().len();
        let again = apply(&fleet, request_of("one"), &CancellationToken::new()).await.unwrap();
        assert!(again.is_complete && !fakes[0].calls()[before..].iter().any(|call| call.starts_with("apply")));
    });
}

#[test]
fn a_create_broken_at_any_write_leaves_nothing_complete() {
    runtime().block_on(async {
        let breakages = Breakages::none();
        let (fleet, _) = fakes(&["east", "west"], &breakages);
        let all = apply(&fleet, request_of("one"), &CancellationToken::new()).await.unwrap();
        assert!(all.is_complete);
        for call in 0..breakages.calls() {
            let breakages = Breakages::at(call, Breakage::Before(Class::Io));
            let (fleet, fakes) = fakes(&["east", "west"], &breakages);
            let outcome = apply(&fleet, request_of("one"), &CancellationToken::new()).await;
            if outcome.is_ok_and(|outcome| outcome.is_complete) {
                continue;
            }
            let mut census = Census::default();
            for (name, fake) in ["east", "west"].into_iter().zip(&fakes) {
                fake.objects().values().for_each(|object| census.note(&cluster(name), object));
            }
            assert!(!census.is_complete("one"), "call {call}");
            // anybody with the claim continues
            let next = apply(&fleet, request_of("two"), &CancellationToken::new()).await.unwrap();
            assert!(next.is_complete, "call {call}: {:?}", next.findings);
            assert!(fakes.iter().all(|fake| fake.objects().values().all(|object| crate::nonce_of(object) == Some("two"))));
        }
    });
}

#[test]
fn a_complete_instance_is_only_taken_when_asked_for() {
    runtime().block_on(async {
        let (fleet, fakes) = fakes(&["east", "west"], &Breakages::none());
        apply(&fleet, request_of("one"), &CancellationToken::new()).await.unwrap();
        let before = fakes[0].objects();
        let unclaimed = Request { adopt: Adopt::Unclaimed, ..request_of("two") };
        assert!(apply(&fleet, unclaimed, &CancellationToken::new()).await.is_err(), "it is claimed");
        let refused = apply(&fleet, request_of("two"), &CancellationToken::new()).await.unwrap_err();
        assert!(refused.iter().all(|finding| finding.code == Code::OtherInstance), "{refused:?}");
        let old = manifest("a", &json!({"hosts": ["a"]}));
        for (change, is_refused) in [(update("east", &old, &old), true), (delete("east", &key("a")), false)] {
            let request = Request { waves: vec![vec![change]], ..request_of("two") };
            match apply(&fleet, request, &CancellationToken::new()).await {
                Ok(outcome) => {
                    assert!(!is_refused);
                    assert_eq!(outcome.findings.iter().map(|f| f.code).collect::<Vec<_>>(), [Code::ClaimMoved]);
                }
                Err(refused) => assert!(is_refused && refused.iter().all(|f| f.code == Code::OtherInstance), "{refused:?}"),
            }
        }
        assert_eq!(fakes[0].objects(), before);
        for taking in [
            Request { adopt: Adopt::Instances, ..request_of("two") },
            Request { handed_over: BTreeSet::from(["two".to_owned()]), ..request_of("three") },
        ] {
            let nonce = taking.instance.as_ref().unwrap().nonce.clone();
            let outcome = apply(&fleet, taking, &CancellationToken::new()).await.unwrap();
            assert!(outcome.is_complete && outcome.created.iter().all(Vec::is_empty), "in place");
            assert!(fakes.iter().all(|f| f.objects().values().all(|object| crate::nonce_of(object) == Some(nonce.as_str()))));
        }
    });
}

#[test]
fn what_another_instance_takes_between_the_checks_and_the_write_is_its_own() {
    runtime().block_on(async {
        let (old, new) = (manifest("b", &json!({"hosts": ["b"]})), manifest("b", &json!({"hosts": ["c"]})));
        for change in [delete("east", &key("b")), update("east", &old, &new)] {
            let (fleet, fakes) = fakes(&["east", "west"], &Breakages::none());
            let created = apply(&fleet, request_of("one"), &CancellationToken::new()).await.unwrap();
            let request = Request { waves: vec![vec![change]], prior: prior(&created.landed), ..request_of("one") };
            let cleared = preflight(&fleet, request).await.unwrap();
            let adopting = Request { adopt: Adopt::Instances, ..request_of("two") };
            assert!(apply(&fleet, adopting, &CancellationToken::new()).await.unwrap().is_complete);
            let before = fakes[0].objects();
            let outcome = write(&fleet, cleared, &CancellationToken::new()).await;
            assert!(!outcome.is_complete, "{:?}", outcome.findings);
            assert_eq!(fakes[0].objects(), before);
        }
    });
}

#[test]
fn a_rollback_leaves_what_another_instance_has_taken_since() {
    runtime().block_on(async {
        let breakages = Breakages::none();
        let (fleet, fakes) = fakes(&["east", "west"], &breakages);
        let cleared = preflight(&fleet, request_of("one")).await.unwrap();
        // both objects of the first wave land, and one of the second
        breakages.plan(3, Breakage::Before(Class::Invalid));
        let failed = write(&fleet, cleared, &CancellationToken::new()).await;
        assert!(!failed.is_complete);
        assert_eq!(failed.created.iter().flatten().count(), 3);
        assert!(apply(&fleet, request_of("two"), &CancellationToken::new()).await.unwrap().is_complete);
        let before: Vec<_> = fakes.iter().map(|fake| fake.objects()).collect();
        rollback(&fleet, failed, &[], &CancellationToken::new()).await;
        assert_eq!(fakes.iter().map(|fake| fake.objects()).collect::<Vec<_>>(), before);
    });
}

#[test]
fn what_another_instance_takes_before_the_marks_is_not_marked() {
    runtime().block_on(async {
        let (fleet, fakes) = fakes(&["east", "west"], &Breakages::none());
        // every object has landed; the answer of the last one comes late
        let breaker = Breaker::simulated(vec![Break { act: Act::Pause, moment: Moment::After, write: 4 }]);
        let late = fleet_of(fakes.iter().map(|fake| breaker.decorate(Arc::clone(fake) as Arc<dyn Cluster>)));
        let cleared = preflight(&late, request_of("one")).await.unwrap();
        let (cancel, taking) = (CancellationToken::new(), CancellationToken::new());
        let take = async {
            breaker.reached().await;
            let taken = apply(&fleet, request_of("two"), &taking).await.unwrap();
            assert!(taken.is_complete, "{:?}", taken.findings);
            breaker.release();
            fakes.iter().map(|fake| fake.objects()).collect::<Vec<_>>()
        };
        let (outcome, taken) = tokio::join!(write(&late, cleared, &cancel), take);
        assert!(!outcome.is_complete && !outcome.findings.is_empty());
        assert!(
            outcome.findings.iter().all(|finding| finding.what.contains("right after it was written")),
            "{:?}",
            outcome.findings
        );
        assert_eq!(fakes.iter().map(|fake| fake.objects()).collect::<Vec<_>>(), taken);
    });
}

#[test]
fn unclaimed_objects_are_adopted_only_when_asked_for() {
    runtime().block_on(async {
        let (fleet, fakes) = fakes(&["east"], &Breakages::none());
        let theirs = json!({
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "a", "namespace": "bookinfo", "labels": {"team": "blue"}},
            "spec": {"hosts": ["by.hand"]},
        });
        fakes[0].put(theirs.clone());
        let request = || Request::new(claim(), vec![vec![create("east", &manifest("a", &json!({"hosts": ["a"]})))]]);
        let refused = apply(&fleet, request(), &CancellationToken::new()).await.unwrap_err();
        assert_eq!(refused.iter().map(|finding| finding.code).collect::<Vec<_>>(), [Code::UnclaimedObject]);
        assert!(refused[0].fix.contains("adopt = true"));
        assert_eq!(fakes[0].objects()[&key("a")], theirs);
        let adopting = Request { adopt: Adopt::Unclaimed, ..request() };
        assert!(apply(&fleet, adopting, &CancellationToken::new()).await.unwrap().is_complete);
        let now = &fakes[0].objects()[&key("a")];
        assert_eq!((&now["spec"]["hosts"][0], &now["metadata"]["labels"]["team"]), (&json!("a"), &json!("blue")));
    });
}

#[test]
fn refresh_tells_what_another_instance_took() {
    runtime().block_on(async {
        let (fleet, _) = fakes(&["east", "west"], &Breakages::none());
        let outcome = apply(&fleet, request_of("one"), &CancellationToken::new()).await.unwrap();
        let written = prior(&outcome.landed);
        let seen = refresh_instance(&fleet, &claim(), Some("one"), &written).await;
        assert_eq!((seen.present, seen.taken, seen.drift.len()), (4, 0, 0));
        let adopting = Request { adopt: Adopt::Instances, ..request_of("two") };
        apply(&fleet, adopting, &CancellationToken::new()).await.unwrap();
        let seen = refresh_instance(&fleet, &claim(), Some("one"), &written).await;
        assert_eq!((seen.present, seen.taken), (0, 4));
        assert!(seen.drift.values().all(|lines| taker(lines) == Some(Taker::Instance)), "{:?}", seen.drift);
        let nobody = refresh_instance(&fleet, &claim(), None, &written).await;
        assert_eq!((nobody.present, nobody.taken), (4, 0), "who has no nonce is not told apart");
    });
}

#[test]
fn refresh_names_who_took_an_object() {
    runtime().block_on(async {
        let (fleet, fakes) = fakes(&["east"], &Breakages::none());
        let theirs = object_json("a", &json!({"hosts": ["a"]}), &others_claim());
        fakes[0].put(theirs);
        let written = prior(&sets("east", [&manifest("a", &json!({"hosts": ["a"]}))]));
        let seen = refresh_instance(&fleet, &claim(), Some("one"), &written).await;
        assert_eq!((seen.present, seen.taken), (0, 1));
        assert_eq!(seen.drift.values().map(|lines| taker(lines)).collect::<Vec<_>>(), [Some(Taker::Claim(others_claim()))]);
        assert_eq!(taker(&["spec.hosts: live 1, intent 2".to_owned()]), None);
    });
}
