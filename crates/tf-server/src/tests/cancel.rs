use std::sync::Arc;

use serde_json::json;
use tokio::sync::mpsc::unbounded_channel;

use super::{Fault, core, create};

#[tokio::test]
async fn stop_cancels_a_running_create_and_keeps_serving() {
    let (core, world) = core().await;
    let core = Arc::new(core);
    let plan = core.plan("toy_thing", None, json!({"name": "a"})).await.expect("a plan");
    let (begun, mut has_begun) = unbounded_channel();
    world.break_with(Fault::WaitForCancel(begun));
    let running = tokio::spawn({
        let core = Arc::clone(&core);
        async move { core.apply(&plan).await }
    });
    has_begun.recv().await.expect("the create has begun");
    core.stop().await;
    let outcome = running.await.expect("no panic");
    assert!(outcome.says("Cancelled"));
    assert_eq!(outcome.violations, [""; 0]);
    let instance = outcome.instance.expect("what exists is recorded");
    assert!(instance.tainted);
    assert_eq!(instance.state["id"], json!(null), "unknown parts of a partial state become null");

    // the toy itself refuses to start with a cancelled token
    create(&core, json!({"name": "b"})).await;
}

#[tokio::test]
async fn a_process_that_leaves_cancels_what_runs_and_what_comes() {
    use crate::Server;
    use tokio_util::sync::CancellationToken;

    let leaving = CancellationToken::new();
    let world = Arc::new(super::World::default());
    let server = Server::until(Arc::new(super::Toy::new(world)), leaving.clone());
    let before = server.cx(true);
    server.stop();
    let after_stop = server.cx(true);
    assert!(before.cancel.is_cancelled() && !after_stop.cancel.is_cancelled());
    leaving.cancel();
    assert!(after_stop.cancel.is_cancelled() && server.cx(true).cancel.is_cancelled());
}
