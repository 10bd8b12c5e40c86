//! What refresh, preflight and write promise, one sentence per test, on clusters in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Claim, Manifest};
use mesh_model::{Code, Finding, Severity};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::support::{
    Sets, apply, claim, claim_of, cluster, create, delete, fakes, key, manifest, manifest_of, object_json, others_claim, owner,
    prior, refresh, request, run, runtime, sets, update,
};
use crate::testing::{Breakage, Breakages, FakeCluster};
use crate::{Class, Fleet, LEFTOVER, Member, OnUnreachable, Refreshed, Request, preflight, rollback, write};

fn codes(findings: &[Finding]) -> Vec<Code> {
    findings.iter().map(|finding| finding.code).collect()
}

fn writes(fake: &FakeCluster) -> Vec<String> {
    fake.calls().into_iter().filter(|call| call.starts_with("apply") || call.starts_with("delete")).collect()
}

fn one(spec: &Value) -> (Manifest, Sets) {
    let manifest = manifest("vd", spec);
    let sets = sets("east", [&manifest]);
    (manifest, sets)
}

/// A fleet of `east` that holds what is in `before`.
fn east_with(objects: &[Value]) -> (Fleet, Arc<FakeCluster>, Arc<Breakages>) {
    let breakages = Breakages::none();
    let (fleet, fakes) = fakes(&["east"], &breakages);
    objects.iter().for_each(|object| fakes[0].put(object.clone()));
    (fleet, Arc::clone(&fakes[0]), breakages)
}

fn shown(entry: &str, lines: &[&str]) -> BTreeMap<String, Vec<String>> {
    BTreeMap::from([(entry.to_owned(), lines.iter().map(|line| (*line).to_owned()).collect())])
}

#[test]
fn a_refresh_without_drift_is_one_list_for_all_resources() {
    runtime().block_on(async {
        let (manifest, before) = one(&json!({}));
        let sibling = object_json("sibling", &json!({}), &claim_of("other"));
        let (fleet, fake, _) = east_with(&[manifest.value(), sibling.clone()]);
        let refreshed = refresh(&fleet, &before).await;
        assert_eq!(refreshed, Refreshed { present: 1, ..Refreshed::default() });
        let others = prior(&sets("east", [&manifest_of(&sibling)]));
        assert_eq!(crate::refresh(&fleet, &claim_of("other"), &others).await.present, 1);
        assert_eq!(fake.calls(), ["list"]);
        // our own writes make the list old
        run(&fleet, &before, &Sets::new()).await.unwrap();
        assert_eq!(refresh(&fleet, &before).await.drift["east/VirtualService/bookinfo/vd"], ["missing"]);
    });
}

#[test]
fn refresh_tells_missing_changed_stripped_taken_and_left_over_apart() {
    runtime().block_on(async {
        let names = ["changed", "missing", "stripped", "taken"];
        let manifests: Vec<Manifest> = names.iter().map(|name| manifest(name, &json!({"a": 1}))).collect();
        let mut stripped = manifests[2].value();
        stripped["metadata"].as_object_mut().unwrap().remove("labels");
        let (fleet, _, _) = east_with(&[
            object_json("changed", &json!({"a": 2}), &claim()),
            stripped,
            object_json("taken", &json!({"a": 1}), &others_claim()),
            object_json("left", &json!({}), &claim()),
        ]);
        let before = sets("east", &manifests);
        let refreshed = refresh(&fleet, &before).await;
        let label = Claim::owner_label(&owner());
        let expected = [
            ("changed", "spec.a: live 2, intent 1".to_owned()),
            ("left", LEFTOVER.to_owned()),
            ("missing", "missing".to_owned()),
            ("stripped", format!("metadata.labels[\"gloo-terraform/owner\"]: live nothing, intent \"{label}\"")),
            ("taken", format!("taken: claimed by {}; it is not touched", others_claim())),
        ];
        let expected = expected.map(|(name, line)| (format!("east/VirtualService/bookinfo/{name}"), vec![line]));
        assert_eq!(refreshed.drift, BTreeMap::from(expected));
        assert_eq!(refreshed.present, 2);
    });
}

#[test]
fn drift_is_repaired_as_it_was_shown() {
    runtime().block_on(async {
        let manifests: Vec<Manifest> =
            ["changed", "missing", "stripped"].iter().map(|name| manifest(name, &json!({"a": 1}))).collect();
        let mut stripped = manifests[2].value();
        stripped["metadata"] = json!({"name": "stripped", "namespace": "bookinfo", "labels": {"team": "x"}});
        let changed = object_json("changed", &json!({"a": 1, "b": 2}), &claim());
        let (fleet, fake, _) = east_with(&[changed, stripped, object_json("left", &json!({}), &claim())]);
        let before = sets("east", &manifests);
        let outcome = run(&fleet, &before, &before).await.unwrap();
        assert!(outcome.is_complete && outcome.findings.is_empty(), "{:?}", outcome.findings);
        let mut expected = manifests[2].value();
        expected["metadata"]["labels"]["team"] = json!("x");
        assert_eq!(fake.objects()[&key("stripped")], expected, "labels of others stay");
        assert_eq!(fake.objects().len(), 3);
        assert!(refresh(&fleet, &before).await.drift.is_empty());
    });
}

#[test]
fn nothing_is_written_anywhere_when_one_object_is_refused() {
    runtime().block_on(async {
        let (fleet, fakes) = fakes(&["east", "west"], &Breakages::none());
        fakes[1].put(object_json("vd", &json!({}), &others_claim()));
        let goal = manifest("vd", &json!({}));
        let findings =
            preflight(&fleet, Request::new(claim(), vec![vec![create("east", &goal), create("west", &goal)]])).await.unwrap_err();
        assert_eq!(codes(&findings), [Code::ClaimedByAnother]);
        assert!(findings[0].what.contains("team-b/prod") && findings[0].what.contains("bookinfo/theirs"), "{}", findings[0].what);
        assert_eq!(findings[0].cluster, Some(cluster("west")));
        assert!(fakes.iter().all(|fake| writes(fake).is_empty()));
    });
}

#[test]
fn a_create_adopts_its_own_leftover_and_nothing_else() {
    runtime().block_on(async {
        let (goal, _) = one(&json!({"a": 1}));
        let wave = || vec![vec![create("east", &goal)]];
        let (fleet, fake, _) = east_with(&[object_json("vd", &json!({"a": 0}), &claim())]);
        let outcome = apply(&fleet, Request::new(claim(), wave()), &CancellationToken::new()).await.unwrap();
        assert_eq!(fake.objects()[&key("vd")], goal.value());
        // adopted, not created: a rollback leaves it
        let outcome = rollback(&fleet, outcome, &[], &CancellationToken::new()).await;
        assert_eq!((outcome.findings.len(), fake.objects().len()), (0, 1));

        let mut unclaimed = goal.value();
        unclaimed["metadata"].as_object_mut().unwrap().remove("annotations");
        let mut unreadable = goal.value();
        unreadable["metadata"]["annotations"]["gloo-terraform/claim"] = json!("?");
        for object in [unclaimed, unreadable] {
            let (fleet, fake, _) = east_with(std::slice::from_ref(&object));
            let findings = preflight(&fleet, Request::new(claim(), wave())).await.unwrap_err();
            assert_eq!(codes(&findings), [Code::UnclaimedObject]);
            assert!(findings[0].fix.contains("import") && findings[0].fix.contains("delete"));
            assert_eq!(fake.objects()[&key("vd")], object);
        }

        let (fleet, fake, _) = east_with(&[object_json("vd", &json!({"a": 1}), &claim_of("renamed"))]);
        assert_eq!(codes(&preflight(&fleet, Request::new(claim(), wave())).await.unwrap_err()), [Code::ClaimedByAnother]);
        let takeover = Request { takeover: BTreeSet::from([claim_of("renamed")]), ..Request::new(claim(), wave()) };
        assert!(apply(&fleet, takeover, &CancellationToken::new()).await.unwrap().is_complete);
        assert_eq!(fake.objects()[&key("vd")], goal.value());
    });
}

#[test]
fn what_changed_since_the_plan_is_refused_and_named() {
    runtime().block_on(async {
        let (old, before) = one(&json!({"a": 1}));
        let new = manifest("vd", &json!({"a": 2}));
        let entry = "east/VirtualService/bookinfo/vd";
        let live = |spec: Value| object_json("vd", &spec, &claim());
        let judge = async |objects: &[Value], lines: &[&str], deletes: bool| {
            let (fleet, fake, _) = east_with(objects);
            let change = if deletes { delete("east", &key("vd")) } else { update("east", &old, &new) };
            let shown_drift = if lines.is_empty() { BTreeMap::new() } else { shown(entry, lines) };
            let request = Request { prior: prior(&before), shown_drift, ..Request::new(claim(), vec![vec![change]]) };
            let result = preflight(&fleet, request).await;
            assert!(writes(&fake).is_empty());
            result.map(|cleared| cleared.count()).map_err(|findings| (codes(&findings), findings[0].what.clone()))
        };
        for deletes in [false, true] {
            assert_eq!(judge(&[live(json!({"a": 1}))], &[], deletes).await, Ok(1));
            // somebody put it right meanwhile
            assert_eq!(judge(&[live(json!({"a": 1}))], &["spec.a: live 7, intent 1"], deletes).await, Ok(1));
            assert_eq!(judge(&[live(json!({"a": 7}))], &["spec.a: live 7, intent 1"], deletes).await, Ok(1));
            for lines in [&[][..], &["spec.a: live 8, intent 1"], &["missing"]] {
                let (codes, what) = judge(&[live(json!({"a": 7}))], lines, deletes).await.unwrap_err();
                assert_eq!(codes, [Code::ChangedSincePlan]);
                assert!(what.contains("spec.a: live 7, intent 1"), "{what}");
            }
        }
        // already as wanted: nothing to write, and no error
        assert_eq!(judge(&[live(json!({"a": 2}))], &[], false).await, Ok(0));
        assert_eq!(judge(&[], &["missing"], false).await, Ok(1));
        assert_eq!(judge(&[], &[], false).await.unwrap_err().0, [Code::ChangedSincePlan]);
        assert_eq!(judge(&[], &[], true).await, Ok(0));
    });
}

#[test]
fn somebody_elses_object_is_not_deleted_and_that_is_no_error() {
    runtime().block_on(async {
        let (_, before) = one(&json!({}));
        let theirs = object_json("vd", &json!({}), &others_claim());
        let mut nobodys = theirs.clone();
        nobodys["metadata"].as_object_mut().unwrap().remove("annotations");
        for object in [theirs, nobodys] {
            let (fleet, fake, _) = east_with(std::slice::from_ref(&object));
            let waves = vec![vec![delete("east", &key("vd"))]];
            let outcome = apply(&fleet, request(&before, waves, &Refreshed::default()), &CancellationToken::new()).await.unwrap();
            assert!(outcome.is_complete && outcome.landed[&cluster("east")].is_empty());
            assert_eq!(codes(&outcome.findings), [Code::ClaimMoved]);
            assert_eq!(fake.objects()[&key("vd")], object);
        }
    });
}

#[test]
fn a_claim_that_moves_between_the_checks_and_the_write_is_respected() {
    runtime().block_on(async {
        let (old, before) = one(&json!({}));
        let theirs = object_json("vd", &json!({"x": 1}), &others_claim());
        let new = manifest("vd", &json!({"a": 1}));
        for (change, code) in
            [(delete("east", &key("vd")), Code::ClaimMoved), (update("east", &old, &new), Code::ChangedDuringApply)]
        {
            let (fleet, fake, _) = east_with(&[old.value()]);
            let cleared = preflight(&fleet, request(&before, vec![vec![change]], &Refreshed::default())).await.unwrap();
            fake.put(theirs.clone());
            let outcome = write(&fleet, cleared, &CancellationToken::new()).await;
            assert_eq!(codes(&outcome.findings), [code]);
            assert_eq!(outcome.is_complete, code.severity() == Severity::Warning);
            assert_eq!(fake.objects()[&key("vd")], theirs);
        }
    });
}

#[test]
fn a_status_written_meanwhile_is_no_conflict_a_changed_field_is() {
    runtime().block_on(async {
        let (old, before) = one(&json!({"a": 1}));
        let new = manifest("vd", &json!({"a": 2}));
        let mut with_status = old.value();
        with_status["status"] = json!({"observed": 1});
        let changed = object_json("vd", &json!({"a": 9}), &claim());
        for (change, left) in [(update("east", &old, &new), 1), (delete("east", &key("vd")), 0)] {
            for (meanwhile, is_fine) in [(&with_status, true), (&changed, false)] {
                let (fleet, fake, _) = east_with(&[old.value()]);
                let waves = vec![vec![change.clone()]];
                let cleared = preflight(&fleet, request(&before, waves, &Refreshed::default())).await.unwrap();
                fake.put(meanwhile.clone());
                let outcome = write(&fleet, cleared, &CancellationToken::new()).await;
                assert_eq!(outcome.is_complete, is_fine, "{:?}", outcome.findings);
                if is_fine {
                    assert_eq!(fake.objects().len(), left);
                } else {
                    assert_eq!(codes(&outcome.findings), [Code::ChangedDuringApply]);
                    assert_eq!(fake.objects()[&key("vd")], changed);
                }
            }
        }
    });
}

#[test]
fn an_object_that_vanishes_meanwhile_is_not_said_to_be_there() {
    runtime().block_on(async {
        let (old, before) = one(&json!({"a": 1}));
        let new = manifest("vd", &json!({"a": 2}));
        for (change, code) in [(update("east", &old, &new), Some(Code::ChangedDuringApply)), (delete("east", &key("vd")), None)] {
            let (fleet, fake, _) = east_with(&[old.value()]);
            let cleared = preflight(&fleet, request(&before, vec![vec![change]], &Refreshed::default())).await.unwrap();
            fake.take(&key("vd"));
            let outcome = write(&fleet, cleared, &CancellationToken::new()).await;
            assert_eq!(codes(&outcome.findings), Vec::from_iter(code));
            assert!(outcome.landed[&cluster("east")].is_empty() && fake.objects().is_empty());
        }
    });
}

#[test]
fn a_lost_answer_is_a_success_when_the_object_is_seen_but_a_failing_disk_is_not() {
    runtime().block_on(async {
        for (class, expected) in [(Class::Unreachable, vec![]), (Class::Io, vec![Code::ClusterIo])] {
            let (goal, after) = one(&json!({}));
            let (fleet, _, breakages) = east_with(&[]);
            let cleared = preflight(&fleet, Request::new(claim(), vec![vec![create("east", &goal)]])).await.unwrap();
            breakages.plan(0, Breakage::After(class));
            let outcome = write(&fleet, cleared, &CancellationToken::new()).await;
            assert_eq!(codes(&outcome.findings), expected);
            assert_eq!(outcome.is_complete, expected.is_empty());
            assert_eq!(outcome.landed, after);
        }
    });
}

#[test]
fn a_failed_wave_finishes_and_no_later_one_starts_on_any_cluster() {
    runtime().block_on(async {
        let breakages = Breakages::none();
        let (fleet, fakes) = fakes(&["east", "west"], &breakages);
        let (first, second) = (manifest("first", &json!({})), manifest("second", &json!({})));
        let both = |manifest: &Manifest| vec![create("east", manifest), create("west", manifest)];
        let cleared = preflight(&fleet, Request::new(claim(), vec![both(&first), both(&second)])).await.unwrap();
        breakages.plan(0, Breakage::Before(Class::Forbidden));
        let outcome = write(&fleet, cleared, &CancellationToken::new()).await;
        assert_eq!(codes(&outcome.findings), [Code::ClusterForbidden]);
        assert!(!outcome.is_complete);
        assert!(fakes.iter().all(|fake| writes(fake) == ["apply VirtualService/bookinfo/first"]));
        let counts: Vec<usize> = fakes.iter().map(|fake| fake.objects().len()).collect();
        assert_eq!(counts.iter().sum::<usize>(), 1, "the other write of the wave has happened: {counts:?}");
        assert_eq!(outcome.landed.values().map(BTreeMap::len).sum::<usize>(), 1);
    });
}

#[test]
fn the_order_of_clusters_holds_within_a_wave() {
    runtime().block_on(async {
        let breakages = Breakages::none();
        let (fleet, fakes) = fakes(&["east", "north", "west"], &breakages);
        let goal = manifest("vd", &json!({}));
        let wave = vec![create("east", &goal), create("north", &goal), create("west", &goal)];
        let order = vec![cluster("west"), cluster("north")];
        let request = Request { clusters_order: order, ..Request::new(claim(), vec![wave]) };
        let cleared = preflight(&fleet, request).await.unwrap();
        breakages.plan(1, Breakage::Before(Class::Forbidden));
        let outcome = write(&fleet, cleared, &CancellationToken::new()).await;
        assert!(!outcome.is_complete);
        assert_eq!(fakes.iter().map(|fake| writes(fake).len()).collect::<Vec<_>>(), [0, 1, 1]);
        assert_eq!(fakes.iter().map(|fake| fake.objects().len()).collect::<Vec<_>>(), [0, 0, 1]);
    });
}

#[test]
fn after_cancellation_the_write_in_flight_ends_and_no_other_starts() {
    runtime().block_on(async {
        let breakages = Breakages::none();
        let (fleet, fakes) = fakes(&["east", "west"], &breakages);
        let (first, second) = (manifest("first", &json!({})), manifest("second", &json!({})));
        let waves = vec![vec![create("east", &first), create("west", &first)], vec![create("east", &second)]];
        let cleared = preflight(&fleet, Request::new(claim(), waves)).await.unwrap();
        breakages.plan(0, Breakage::HangUntilCancelled);
        let (cancel, calls) = (CancellationToken::new(), breakages.calls());
        let cancelling = async {
            while breakages.calls() < calls + 2 {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        };
        let (outcome, ()) = tokio::join!(write(&fleet, cleared, &cancel), cancelling);
        assert!(!outcome.is_complete);
        assert_eq!(codes(&outcome.findings), [Code::Interrupted, Code::Interrupted]);
        assert!(outcome.findings[1].what.contains("1 objects"), "{}", outcome.findings[1].what);
        assert_eq!(fakes.iter().map(|fake| fake.objects().len()).sum::<usize>(), 1);
        assert_eq!(outcome.landed.values().map(BTreeMap::len).sum::<usize>(), 1);

        // cancelled before it began: nothing at all
        let (fleet, fake, _) = east_with(&[]);
        let cleared = preflight(&fleet, Request::new(claim(), vec![vec![create("east", &first)]])).await.unwrap();
        let outcome = write(&fleet, cleared, &cancel).await;
        assert!(!outcome.is_complete && writes(&fake).is_empty());
    });
}

#[test]
fn a_rollback_removes_what_was_created_in_the_order_given() {
    runtime().block_on(async {
        let breakages = Breakages::none();
        let (fleet, fakes) = fakes(&["east"], &breakages);
        let manifests: Vec<Manifest> = ["a", "b", "c", "d"].iter().map(|name| manifest(name, &json!({}))).collect();
        let waves = |manifests: &[Manifest]| manifests.iter().map(|manifest| vec![create("east", manifest)]).collect::<Vec<_>>();
        let failing = async |breakages: &Breakages| {
            let cleared = preflight(&fleet, Request::new(claim(), waves(&manifests))).await.unwrap();
            breakages.plan(3, Breakage::Before(Class::Invalid));
            write(&fleet, cleared, &CancellationToken::new()).await
        };
        let deletions = [vec![delete("east", &key("a"))], vec![delete("east", &key("unrelated"))]];
        let outcome = failing(&breakages).await;
        assert_eq!(codes(&outcome.findings), [Code::RefusedByCluster]);
        let outcome = rollback(&fleet, outcome, &deletions, &CancellationToken::new()).await;
        assert!(outcome.landed[&cluster("east")].is_empty() && fakes[0].objects().is_empty());
        let deleted: Vec<String> = fakes[0].calls().into_iter().filter(|call| call.starts_with("delete")).collect();
        assert_eq!(
            deleted,
            ["delete VirtualService/bookinfo/a", "delete VirtualService/bookinfo/c", "delete VirtualService/bookinfo/b"]
        );

        // what cannot be removed is named, and what should go after it stays
        let outcome = failing(&breakages).await;
        breakages.plan(0, Breakage::Before(Class::Forbidden));
        breakages.plan(2, Breakage::Before(Class::Forbidden));
        let outcome = rollback(&fleet, outcome, &deletions, &CancellationToken::new()).await;
        assert_eq!(codes(&outcome.findings)[1..], [Code::LeftBehind; 3]);
        assert_eq!(outcome.landed[&cluster("east")].len(), 3);
        assert_eq!(fakes[0].objects().len(), 3);
    });
}

#[test]
fn a_silent_cluster_is_asked_once_and_told_once() {
    runtime().block_on(async {
        let (fleet, fakes) = fakes(&["east", "west"], &Breakages::none());
        fakes[0].silence();
        let (goal, before) = one(&json!({}));
        let refreshed = refresh(&fleet, &before).await;
        assert_eq!(codes(&refreshed.findings), [Code::ClusterUnreachable]);
        assert_eq!(refreshed.unread, [cluster("east")]);
        assert!(refreshed.drift.is_empty());
        let again = crate::refresh(&fleet, &claim_of("other"), &prior(&before)).await;
        assert_eq!((again.findings.len(), again.unread), (0, vec![cluster("east")]));
        assert_eq!(fakes[0].calls(), ["list"]);

        // a write needs it: an error for each resource; or it is left out, as the configuration says
        let waves = vec![vec![create("east", &goal), create("west", &goal)], vec![create("east", &manifest("more", &json!({})))]];
        let strict = Request::new(claim(), waves);
        let findings = preflight(&fleet, strict.clone()).await.unwrap_err();
        assert_eq!(codes(&findings), [Code::ClusterUnreachable]);
        let outcome =
            apply(&fleet, Request { on_unreachable: OnUnreachable::Skip, ..strict }, &CancellationToken::new()).await.unwrap();
        assert_eq!((codes(&outcome.findings), outcome.skipped), (vec![Code::ClusterSkipped], vec![cluster("east")]));
        assert!(outcome.is_complete && outcome.landed[&cluster("west")].len() == 1);
        assert_eq!(fakes[0].calls(), ["list"]);
    });
}

#[test]
fn a_cluster_that_falls_silent_during_the_checks_is_left_out_as_a_whole() {
    runtime().block_on(async {
        let (fleet, fake, breakages) = east_with(&[]);
        let waves = vec![vec![create("east", &manifest("a", &json!({})))], vec![create("east", &manifest("b", &json!({})))]];
        // one of the four questions is not answered
        breakages.plan(3, Breakage::Before(Class::Unreachable));
        let request = Request { on_unreachable: OnUnreachable::Skip, ..Request::new(claim(), waves) };
        let outcome = apply(&fleet, request, &CancellationToken::new()).await.unwrap();
        assert_eq!((codes(&outcome.findings), outcome.skipped), (vec![Code::ClusterSkipped], vec![cluster("east")]));
        assert!(writes(&fake).is_empty());
    });
}

#[test]
fn clusters_that_are_not_there_are_told_apart() {
    runtime().block_on(async {
        let fake = Arc::new(FakeCluster::new(cluster("east"), Breakages::none()));
        let members = BTreeMap::from([
            (cluster("east"), Member::Ready(fake)),
            (cluster("unknown"), Member::Unknown),
            (cluster("old"), Member::Unknown),
        ]);
        let fleet = Fleet::new(owner(), members, BTreeSet::from([cluster("old")]));
        let goal = manifest("vd", &json!({}));
        let before: Sets = ["unknown", "old", "gone"].iter().flat_map(|name| sets(name, [&goal])).collect();
        let refreshed = refresh(&fleet, &before).await;
        assert_eq!((&refreshed.skipped, &refreshed.forgotten), (&vec![cluster("unknown")], &vec![cluster("old")]));
        assert_eq!(codes(&refreshed.findings), [Code::UnconfiguredCluster]);
        assert!(refreshed.findings[0].fix.contains("decommissioned_clusters = [\"gone\"]"), "{}", refreshed.findings[0].fix);

        let of = async |name: &str| {
            let waves = vec![vec![delete(name, &key("vd"))]];
            preflight(&fleet, request(&before, waves, &Refreshed::default())).await
        };
        assert_eq!(codes(&of("unknown").await.unwrap_err()), [Code::UnknownConnection]);
        assert_eq!(codes(&of("gone").await.unwrap_err()), [Code::UnconfiguredCluster]);
        let outcome = write(&fleet, of("old").await.unwrap(), &CancellationToken::new()).await;
        assert_eq!(codes(&outcome.findings), [Code::ObjectsForgotten]);
        assert!(outcome.is_complete && !outcome.landed.contains_key(&cluster("old")));
    });
}

#[test]
fn state_annotations_are_written_and_are_neither_drift_nor_kept_for_ever() {
    runtime().block_on(async {
        let (goal, before) = one(&json!({}));
        let (fleet, fake, _) = east_with(&[]);
        let noted = |text: &str| {
            BTreeMap::from([(key("vd"), BTreeMap::from([("state.gloo-terraform/intent".to_owned(), text.to_owned())]))])
        };
        let with =
            |waves, state_annotations| Request { prior: prior(&before), state_annotations, ..Request::new(claim(), waves) };
        let cancel = CancellationToken::new();
        let fresh = Request { state_annotations: noted("1"), ..Request::new(claim(), vec![vec![create("east", &goal)]]) };
        apply(&fleet, fresh, &cancel).await.unwrap();
        let annotation = || fake.objects()[&key("vd")]["metadata"]["annotations"].get("state.gloo-terraform/intent").cloned();
        assert_eq!(annotation(), Some(json!("1")));
        assert!(refresh(&fleet, &before).await.drift.is_empty());
        let repair = || vec![vec![update("east", &goal, &goal)]];
        assert_eq!(preflight(&fleet, with(repair(), noted("1"))).await.unwrap().count(), 0);
        apply(&fleet, with(repair(), noted("2")), &cancel).await.unwrap();
        assert_eq!(annotation(), Some(json!("2")));
        apply(&fleet, with(repair(), BTreeMap::new()), &cancel).await.unwrap();
        assert_eq!(annotation(), None);
    });
}

#[test]
fn labels_that_we_had_go_and_those_of_others_stay() {
    runtime().block_on(async {
        let mut old = object_json("vd", &json!({}), &claim());
        old["metadata"]["labels"]["tier"] = json!("gold");
        old["metadata"]["annotations"]["note"] = json!("ours");
        let (old, new) = (manifest_of(&old), manifest("vd", &json!({})));
        let mut live = old.value();
        live["metadata"]["labels"]["team"] = json!("x");
        live["metadata"]["annotations"]["audit"] = json!("y");
        let (fleet, fake, _) = east_with(&[live]);
        run(&fleet, &sets("east", [&old]), &sets("east", [&new])).await.unwrap();
        let mut expected = new.value();
        expected["metadata"]["labels"]["team"] = json!("x");
        expected["metadata"]["annotations"]["audit"] = json!("y");
        assert_eq!(fake.objects()[&key("vd")], expected);
    });
}

#[test]
fn a_plan_that_names_an_object_twice_is_refused() {
    runtime().block_on(async {
        let (fleet, fake, _) = east_with(&[]);
        let goal = manifest("vd", &json!({}));
        let waves = vec![vec![create("east", &goal)], vec![delete("east", &key("vd"))]];
        assert_eq!(codes(&preflight(&fleet, Request::new(claim(), waves)).await.unwrap_err()), [Code::RepeatedObject]);
        assert!(writes(&fake).is_empty());
    });
}

#[test]
fn leftovers_that_cannot_be_seen_are_told_once_for_kinds_that_the_state_has() {
    runtime().block_on(async {
        let (fleet, fake, _) =
            east_with(&[object_json("there", &json!({}), &claim()), object_json("left", &json!({}), &claim())]);
        let before = sets("east", &[manifest("there", &json!({}))]);
        // a kind that the state does not have is nobody's concern
        fake.unlist("WasmPlugin");
        assert_eq!(codes(&refresh(&fleet, &before).await.findings), []);
        let (fleet, fake, _) =
            east_with(&[object_json("there", &json!({}), &claim()), object_json("left", &json!({}), &claim())]);
        fake.unlist("VirtualService");
        let refreshed = refresh(&fleet, &before).await;
        assert_eq!(codes(&refreshed.findings), [Code::LeftoversUnseen]);
        assert!(refreshed.findings[0].what.contains("VirtualService"), "{:?}", refreshed.findings);
        assert_eq!((refreshed.present, refreshed.drift.len()), (1, 0), "what the state has is looked at");
        assert_eq!(codes(&refresh(&fleet, &before).await.findings), [], "once for a configured provider");
    });
}
