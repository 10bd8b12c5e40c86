//! Two writers on one folder: one is held at its n-th write while the other one runs.

use std::sync::Arc;

use kube_apply::breakage::{Act, Break, Breaker, Moment};
use serde_json::{Value as Json, json};
use terraform_provider_gloo::Gloo;
use tf_server::testing::{Core, Instance, Outcome};

use super::rig::Room;
use crate::support::{DESTINATION, destination, set};

/// What the first writer ends with when the second one runs while the first one is held before its n-th write.
async fn meet<T>(
    room: &Room,
    write: usize,
    first: impl AsyncFnOnce(&Core) -> Outcome,
    second: impl AsyncFnOnce() -> T,
) -> (Outcome, T) {
    let breaker = Breaker::simulated(vec![Break { act: Act::Pause, moment: Moment::Before, write }]);
    let core = room.broken_core(&breaker).await;
    let release = Arc::clone(&breaker);
    tokio::join!(first(&core), async move {
        release.reached().await;
        let result = second().await;
        release.release();
        result
    })
}

async fn create(core: &Core, config: Json) -> Outcome {
    let plan = core.plan(DESTINATION, None, config).await.unwrap();
    core.apply(&plan).await
}

async fn other_owner(room: &Room) -> Core {
    room.core_with(Gloo::new(), |block| block["owner"] = json!("team-b/prod")).await
}

fn claims(room: &Room) -> Vec<String> {
    let objects = room.objects();
    let claims = objects.values().map(|object| object["metadata"]["annotations"]["gloo-terraform/claim"].to_string());
    let mut claims: Vec<String> = claims.collect();
    claims.sort();
    claims.dedup();
    claims
}

#[tokio::test]
async fn whoever_writes_first_owns_the_host() {
    // the second one finds nothing yet and wins; the first one then meets its objects and touches none
    let room = Room::new();
    let other = other_owner(&room).await;
    let (first, second) = meet(&room, 1, async |core| create(core, destination()).await, || create(&other, destination())).await;
    let second = second.success().unwrap().unwrap();
    assert_eq!(first.instance, None);
    let failure = first.success().unwrap_err();
    assert!(failure.violations.is_empty() && failure.diagnostics.has_errors(), "{failure}");
    let seen = other.refresh(&second).await.unwrap().unwrap();
    assert_eq!(seen, second, "the winner's objects are as it wrote them");
    assert_eq!(claims(&room).len(), 1, "{:?}", claims(&room));

    // the second one finds an object of the first and is refused
    for write in [2, 8] {
        let room = Room::new();
        let other = other_owner(&room).await;
        let refused = async || match other.plan(DESTINATION, None, destination()).await {
            Err(failure) => failure,
            Ok(plan) => other.apply(&plan).await.success().unwrap_err(),
        };
        let (first, failure) = meet(&room, write, async |core| create(core, destination()).await, refused).await;
        assert!(failure.to_string().contains("test/it"), "{failure}");
        let first = first.success().unwrap().unwrap();
        assert_eq!(room.core().await.refresh(&first).await.unwrap().unwrap(), first);
        assert_eq!(claims(&room).len(), 1, "{:?}", claims(&room));
    }
}

/// Both act for the same state, as two runs without a state lock do.
#[tokio::test]
async fn two_runs_of_one_state_end_with_one_of_the_two_goals() {
    let start = Room::new();
    let before: Instance = start.core().await.converge(DESTINATION, None, destination()).await.unwrap();
    let goal = |timeout: &str| set(destination(), "/timeout", json!(timeout));
    let update = async |core: &Core, config: Json| {
        let plan = core.plan(DESTINATION, Some(&before), config).await.unwrap();
        core.apply(&plan).await
    };
    for write in 1..=3 {
        let room = start.copy();
        let second_core = room.core().await;
        let (first, second) =
            meet(&room, write, async |core| update(core, goal("5s")).await, || async { update(&second_core, goal("9s")).await })
                .await;
        // either the first one notices at the files that the second one wrote, or the second one before its first write
        assert_eq!(first.diagnostics.has_errors(), write == 1, "write {write}: {:?}", first.diagnostics);
        assert_eq!(second.diagnostics.has_errors(), write > 1, "write {write}: {:?}", second.diagnostics);
        assert!(first.violations.is_empty() && second.violations.is_empty());
        // whichever of the two states is kept: the next apply reaches its goal
        for (outcome, timeout) in [(first, "5s"), (second, "9s")] {
            let twin = room.copy();
            let instance = outcome.instance.unwrap();
            let done = twin.core().await.converge(DESTINATION, Some(&instance), goal(timeout)).await.unwrap();
            assert_eq!(done.state["timeout"], timeout);
        }
    }
}

/// Two states with one owner, by mistake or without a lock, create the same at once.
#[tokio::test]
async fn a_create_that_meets_another_instance_takes_nothing_of_it_back() {
    let breaker = Breaker::simulated(Vec::new());
    create(&Room::new().broken_core(&breaker).await, destination()).await.success().unwrap();
    // before each object and each mark
    for write in 1..=breaker.writes() {
        let room = Room::new();
        let second_core = room.core().await;
        let (first, second) =
            meet(&room, write, async |core| create(core, destination()).await, || create(&second_core, destination())).await;
        let second = second.success().unwrap().unwrap();
        assert!(first.instance.is_none() && first.diagnostics.has_errors(), "write {write}: {:?}", first.diagnostics);
        let seen = room.core().await.refresh(&second).await.unwrap();
        assert_eq!(seen, Some(second), "write {write}: the objects of the second are as it wrote them");
    }
}

/// Folders whose create was killed with a temporary file in the place of its third object.
async fn killed_between_files() -> Room {
    let room = Room::new();
    let breaker = Breaker::simulated(vec![Break { act: Act::Kill, moment: Moment::Between, write: 3 }]);
    let core = room.broken_core(&breaker).await;
    tokio::select! {
        outcome = create(&core, destination()) => panic!("{outcome:?}"),
        () = breaker.died() => {}
    }
    room
}

#[tokio::test]
async fn a_second_run_after_a_kill_needs_no_lock_file_removed() {
    let room = killed_between_files().await;
    assert!(room.files().keys().any(|file| file.ends_with(".tmp")), "a temporary file was left");
    let instance = room.core().await.converge(DESTINATION, None, destination()).await.unwrap();
    assert!(room.files().keys().all(|file| file.ends_with(".yaml")), "{:?}", room.files().keys());
    drop(instance);
}

/// What a killed run left on its way to one host is removed on the way to another one.
#[tokio::test]
async fn temporary_files_of_another_goal_are_removed_too() {
    let room = killed_between_files().await;
    let elsewhere = set(destination(), "/hostname", json!("r.example.internal"));
    let core = room.core().await;
    let plan = core.plan(DESTINATION, None, elsewhere.clone()).await.unwrap();
    let first = core.apply(&plan).await.success().unwrap().unwrap();
    room.core().await.converge(DESTINATION, Some(&first), elsewhere).await.unwrap();
    let left: Vec<String> =
        room.files().into_keys().filter(|file| !file.ends_with(".yaml") || file.contains("reviews.mesh")).collect();
    assert_eq!(left, Vec::<String>::new());
}
