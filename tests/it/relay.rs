//! Objects that change hands between two resources of one run.

use std::fs;

use kube_apply::breakage::{Act, Break, Breaker, Moment};
use serde_json::{Value as Json, json};
use tf_server::testing::{Action, Core, Instance, Outcome, Plan};

use crate::breakage::forbidden::forbidden;
use crate::breakage::memory::Memory;
use crate::support::{DESTINATION, World, backend, destination, set};

const OLD: &str = "test/it//gloo_virtual_destination/bookinfo/reviews";

/// Puts a label of somebody else on every object: one that is deleted and written anew loses it.
fn label_all(world: &World) {
    for file in world.files() {
        let text = fs::read_to_string(world.path(&file)).unwrap();
        assert!(text.contains("  labels:\n"), "{text}");
        fs::write(world.path(&file), text.replacen("  labels:\n", "  labels:\n    theirs: label\n", 1)).unwrap();
    }
}

fn contents(world: &World) -> Vec<(String, String)> {
    world.files().into_iter().map(|file| (file.clone(), fs::read_to_string(world.path(&file)).unwrap())).collect()
}

/// A backend with another Service.
fn another(service: &str, cluster: &str) -> Json {
    let mut backend = backend(cluster);
    for name in ["service", "canonical_name"] {
        backend[name] = json!(service);
    }
    backend["selector"] = json!({ "app": service });
    backend
}

/// Another resource for the host of [`destination`], which takes it over.
fn successor() -> Json {
    set(set(destination(), "/name", json!("comments")), "/takeover_from", json!([OLD]))
}

/// Both calls beside each other; the first one named is polled first.
async fn both(core: &Core, going: &Plan, coming: &Plan, delete_first: bool) -> (Outcome, Outcome) {
    if delete_first {
        tokio::join!(biased; core.apply(going), core.apply(coming))
    } else {
        let (created, deleted) = tokio::join!(biased; core.apply(coming), core.apply(going));
        (deleted, created)
    }
}

fn assert_taken_in_place(world: &World, label: &str) {
    let found = contents(world);
    assert!(!found.is_empty(), "{label}");
    for (file, text) in found {
        assert!(text.contains("bookinfo/comments\n") && !text.contains(OLD), "{label}: {file}: {text}");
        assert!(text.contains("theirs: label"), "{label}: {file} was deleted and written anew");
    }
}

#[tokio::test]
async fn a_resource_of_the_same_run_takes_the_host_over_whichever_call_comes_first() {
    for delete_first in [false, true] {
        let world = World::new().await;
        let old = world.create(DESTINATION, destination()).await;
        label_all(&world);
        let before = world.files();
        let core = world.beside(|_| {}).await;
        let going = core.plan_destroy(&old).await.unwrap();
        let coming = core.plan(DESTINATION, None, successor()).await.unwrap();
        let (deleted, created) = both(&core, &going, &coming, delete_first).await;
        let new = created.success().unwrap_or_else(|failure| panic!("{delete_first}: {failure}")).unwrap();
        assert!(deleted.diagnostics.is_empty(), "{delete_first}: {:?}", deleted.diagnostics);
        assert_eq!(deleted.success().unwrap(), None);
        assert_eq!(world.files(), before, "{delete_first}");
        assert_taken_in_place(&world, &format!("{delete_first}"));
        assert_eq!(core.refresh(&new).await.unwrap().unwrap().state, new.state);
    }
}

#[tokio::test]
async fn what_only_the_old_resource_had_goes_with_it() {
    for delete_first in [false, true] {
        let world = World::new().await;
        let all = json!([backend("east"), backend("west"), backend("north")]);
        let old = world.create(DESTINATION, set(destination(), "/backends", all)).await;
        let core = world.beside(|_| {}).await;
        let going = core.plan_destroy(&old).await.unwrap();
        let coming = core.plan(DESTINATION, None, successor()).await.unwrap();
        let (deleted, created) = both(&core, &going, &coming, delete_first).await;
        created.success().unwrap();
        deleted.success().unwrap();
        let fresh = World::new().await;
        fresh.create(DESTINATION, set(destination(), "/name", json!("comments"))).await;
        assert_eq!(world.files(), fresh.files(), "{delete_first}");
    }
}

#[tokio::test]
async fn a_takeover_that_fails_leaves_the_old_resource_everything() {
    for order in ["delete first", "create first", "create alone before"] {
        let world = World::new().await;
        let old = world.create(DESTINATION, destination()).await;
        let core = world.beside(|_| {}).await;
        let going = core.plan_destroy(&old).await.unwrap();
        let coming = core.plan(DESTINATION, None, successor()).await.unwrap();
        // between plan and apply, somebody else takes one name
        let file = world.files().into_iter().find(|file| file.contains("VirtualService")).unwrap();
        let text = fs::read_to_string(world.path(&file)).unwrap();
        fs::write(world.path(&file), text.replace("test/it//", "team/other//")).unwrap();
        let before = contents(&world);
        let (deleted, created) = match order {
            "create alone before" => {
                let created = core.apply(&coming).await;
                (core.apply(&going).await, created)
            }
            order => both(&core, &going, &coming, order == "delete first").await,
        };
        assert!(created.diagnostics.has_errors() && created.instance.is_none(), "{order}: {:?}", created.diagnostics);
        assert!(deleted.says("Objects were not handed over (GM5011)"), "{order}: {:?}", deleted.diagnostics);
        let detail = &deleted.diagnostics.iter().next().unwrap().detail;
        assert!(detail.contains("bookinfo/comments in this run"), "{detail}");
        assert_eq!(deleted.instance.unwrap().state, old.state, "{order}");
        assert_eq!(contents(&world), before, "{order}: nothing was written");
    }
}

/// With `-parallelism=1` the calls come one after the other, and the process of the apply has planned neither.
#[tokio::test]
async fn one_call_after_the_other_ends_with_the_host_as_well() {
    for delete_first in [false, true] {
        let world = World::new().await;
        let old = world.create(DESTINATION, destination()).await;
        let before = world.files();
        let planned = world.beside(|_| {}).await;
        let going = planned.plan_destroy(&old).await.unwrap();
        let coming = planned.plan(DESTINATION, None, successor()).await.unwrap();
        let core = world.beside(|_| {}).await;
        let (deleted, created) = if delete_first {
            let deleted = core.apply(&going).await;
            (deleted, core.apply(&coming).await)
        } else {
            label_all(&world);
            let created = core.apply(&coming).await;
            (core.apply(&going).await, created)
        };
        created.success().unwrap_or_else(|failure| panic!("{delete_first}: {failure}")).unwrap();
        assert!(deleted.diagnostics.is_empty(), "{delete_first}: {:?}", deleted.diagnostics);
        assert_eq!(deleted.success().unwrap(), None);
        assert_eq!(world.files(), before, "{delete_first}");
        if !delete_first {
            assert_taken_in_place(&world, "create first");
        }
    }
}

#[tokio::test]
async fn an_update_takes_over_from_a_resource_that_goes_or_moves_away() {
    for (moves_away, first) in [(false, "old"), (false, "new"), (true, "old"), (true, "new")] {
        let label = format!("moves away: {moves_away}, {first} first");
        let world = World::new().await;
        let other = set(set(destination(), "/name", json!("comments")), "/hostname", json!("comments.mesh.internal"));
        let other = set(other, "/backends", json!([another("comments", "east"), another("comments", "west")]));
        let old = world.create(DESTINATION, destination()).await;
        label_all(&world);
        let new = world.create(DESTINATION, other).await;
        let core = world.beside(|_| {}).await;
        let leaving = match moves_away {
            true => {
                let away = set(destination(), "/hostname", json!("away.mesh.internal"));
                let away = set(away, "/backends", json!([another("details", "east"), another("details", "west")]));
                core.plan(DESTINATION, Some(&old), away).await.unwrap()
            }
            false => core.plan_destroy(&old).await.unwrap(),
        };
        let taking = core.plan(DESTINATION, Some(&new), successor()).await.unwrap();
        assert_eq!(taking.action, Action::Update, "{label}");
        let (left, took) = both(&core, &leaving, &taking, first == "old").await;
        took.success().unwrap_or_else(|failure| panic!("{label}: {failure}"));
        let left: Option<Instance> = left.success().unwrap_or_else(|failure| panic!("{label}: {failure}"));
        assert_eq!(left.is_some(), moves_away, "{label}");
        let hosts: Vec<_> = contents(&world).into_iter().filter(|(_, text)| text.contains("reviews.mesh.internal")).collect();
        assert!(!hosts.is_empty(), "{label}");
        for (file, text) in hosts {
            assert!(text.contains("bookinfo/comments\n") && text.contains("theirs: label"), "{label}: {file}: {text}");
        }
    }
}

/// Two resources that take each other's host are not made to wait for each other.
#[tokio::test]
async fn two_that_take_from_each_other_end() {
    let world = World::new().await;
    let (one, two) = ("test/it//gloo_virtual_destination/bookinfo/one", "test/it//gloo_virtual_destination/bookinfo/two");
    let config = |name: &str, host: &str, from: &str| {
        let named = set(set(destination(), "/name", json!(name)), "/hostname", json!(host));
        set(named, "/takeover_from", json!([from]))
    };
    let first = world.create(DESTINATION, config("one", "one.mesh.internal", two)).await;
    let second = world.create(DESTINATION, config("two", "two.mesh.internal", one)).await;
    let core = world.beside(|_| {}).await;
    let to_second = core.plan(DESTINATION, Some(&first), config("one", "two.mesh.internal", two)).await.unwrap();
    let to_first = core.plan(DESTINATION, Some(&second), config("two", "one.mesh.internal", one)).await.unwrap();
    let (mut first, mut second) = tokio::join!(core.apply(&to_second), core.apply(&to_first));
    // whoever met the other's writes says so; the next run puts it right
    for _ in 0..2 {
        let core = world.beside(|_| {}).await;
        for (outcome, goal) in
            [(&mut first, config("one", "two.mesh.internal", two)), (&mut second, config("two", "one.mesh.internal", one))]
        {
            assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
            let seen = core.refresh(outcome.instance.as_ref().unwrap()).await.unwrap();
            let plan = core.plan(DESTINATION, seen.as_ref(), goal).await.unwrap_or_else(|failure| panic!("{failure}"));
            *outcome = core.apply(&plan).await;
        }
    }
    assert!(first.success().unwrap().is_some() && second.success().unwrap().is_some());
}

/// The objects of the other resource are there: what is written is a change of them, and is ordered as one.
#[tokio::test]
async fn a_takeover_is_safe_at_every_cut() {
    let quiet = Breaker::simulated(Vec::new());
    // without regions, all others share rank 1
    let mut shared = set(destination(), "/backends", json!([backend("east"), backend("west"), backend("north")]));
    for cluster in ["east", "west", "north"] {
        shared["virtual_mesh"]["clusters"][cluster].as_object_mut().unwrap().remove("region");
    }
    let ranked = set(shared.clone(), "/failover", json!({ "order": ["east", "west", "north"] }));
    // a rank goes, and comes
    for (before, goal) in [(ranked.clone(), shared.clone()), (shared, ranked)] {
        let goal = set(set(goal, "/name", json!("comments")), "/takeover_from", json!([OLD]));
        let start = Memory::new();
        start.core(&quiet).await.converge(DESTINATION, None, before).await.unwrap();
        let end = start.copy();
        let breaker = Breaker::simulated(Vec::new());
        end.core(&breaker).await.converge(DESTINATION, None, goal.clone()).await.unwrap();
        let (old, new) = (start.objects(), end.objects());
        assert!(breaker.writes() > 3);
        for write in 1..=breaker.writes() {
            let breaker = Breaker::simulated(vec![Break { act: Act::Kill, moment: Moment::Before, write }]);
            let cut = start.copy();
            let core = cut.core(&breaker).await;
            let plan = core.plan(DESTINATION, None, goal.clone()).await.unwrap();
            tokio::select! {
                _ = core.apply(&plan) => panic!("write {write} never came"),
                () = breaker.died() => {}
            }
            let wrong = forbidden(&old, &new, &cut.objects());
            assert!(wrong.is_empty(), "write {write}: {wrong:?}");
            let core = cut.core(&quiet).await;
            core.converge(DESTINATION, None, goal.clone()).await.unwrap_or_else(|failure| panic!("write {write}: {failure}"));
            assert_eq!(cut.objects().keys().collect::<Vec<_>>(), new.keys().collect::<Vec<_>>(), "write {write}");
        }
    }
}
