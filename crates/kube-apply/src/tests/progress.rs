//! What the log says of an apply that takes long.

use std::time::Duration;

use istio_objects::Manifest;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::support::{claim, create, delete, fakes, key, manifest};
use crate::testing::{Breakage, Breakages, Log};
use crate::{Request, preflight, write};

#[tokio::test(start_paused = true)]
async fn waves_are_told_with_counts_and_clusters_and_those_that_last_again_and_again() {
    let breakages = Breakages::none();
    let (fleet, fakes) = fakes(&["east", "west"], &breakages);
    let (first, second): (Manifest, Manifest) = (manifest("first", &json!({})), manifest("second", &json!({})));
    fakes[1].put(second.value());
    let waves = vec![vec![create("east", &first), create("west", &first)], vec![delete("west", &key("second"))]];
    let log = Log::new();
    let cleared = preflight(&fleet, Request::new(claim(), waves)).await.expect("nothing speaks against it");
    assert_eq!(log.lines(), [format!("checking 3 changes of {} in east, west", claim())]);
    // the deletion hangs until somebody has enough of it
    breakages.plan(2, Breakage::HangUntilCancelled);
    let cancel = CancellationToken::new();
    let end = async {
        tokio::time::sleep(Duration::from_secs(25)).await;
        cancel.cancel();
    };
    tokio::join!(write(&fleet, cleared, &cancel), end);
    let (one, two) = (format!("wave 1 of 2 of {}", claim()), format!("wave 2 of 2 of {}", claim()));
    assert_eq!(
        log.lines()[1..],
        [
            format!("{one} begins: 2 to write, 0 to delete, in east, west"),
            format!("{one} has ended: 2 of 2 done"),
            format!("{two} begins: 0 to write, 1 to delete, in west"),
            format!("waiting for {two}, 0 of 1 done: 2 s by now"),
            format!("waiting for {two}, 0 of 1 done: 12 s by now"),
            format!("waiting for {two}, 0 of 1 done: 22 s by now"),
            format!("{two} has ended: 1 of 1 done"),
        ]
    );
}

/// Waves that rely on proxies wait for them once anything was written that proxies follow, and an interrupt ends the wait.
#[tokio::test(start_paused = true)]
async fn waves_wait_for_proxies_where_these_follow() {
    let object = |name: &str| manifest(name, &json!({}));
    let run = async |followed: bool, interrupted_after: Duration| {
        let (fleet, fakes) = fakes(&["east"], &Breakages::none());
        if followed {
            fakes[0].follow();
        }
        // the second wave has nothing to do, so that the third waits in its place
        fakes[0].put(object("second").value());
        let waves = ["first", "second", "third", "fourth"].map(|name| vec![create("east", &object(name))]).into();
        let request = Request { pauses: [0, 1].into(), settle: Duration::from_secs(5), ..Request::new(claim(), waves) };
        let cleared = preflight(&fleet, request).await.expect("nothing speaks against it");
        let cancel = CancellationToken::new();
        let (begin, end) = (tokio::time::Instant::now(), async {
            tokio::time::sleep(interrupted_after).await;
            cancel.cancel();
        });
        let outcome = tokio::select! {
            outcome = write(&fleet, cleared, &cancel) => outcome,
            () = async { end.await; std::future::pending().await } => unreachable!("nothing waits for ever"),
        };
        (begin.elapsed().as_secs(), outcome.landed.values().map(|there| there.len()).sum::<usize>())
    };
    let never = Duration::from_secs(3600);
    assert_eq!(run(true, never).await, (5, 4));
    assert_eq!(run(false, never).await, (0, 4), "nobody follows");
    assert_eq!(run(true, Duration::from_secs(3)).await, (3, 2), "what was there, and the first wave");
}
