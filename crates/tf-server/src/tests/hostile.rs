//! The toy provider and requests that no core sends.

use serde_json::json;

use super::{core, create};
use crate::testing::hostile::{Hostile, Tally, Trust, effort, is_watched, replay, request};

/// Requests of earlier defects, as they were told.
const KEPT: [&str; 0] = [];

#[tokio::test]
async fn every_request_gets_an_answer() {
    if !is_watched("tests::hostile::every_request_gets_an_answer") {
        return;
    }
    let (core, _) = core().await;
    let (rules, members) = (json!([{"path": "/"}]), json!([{"name": "m"}]));
    let config = json!({"name": "a", "size": 3, "tags": ["x"], "any": [1, "a"], "rules": rules, "members": members});
    let instance = create(&core, config).await;
    let (requests, seed) = effort(4_000);
    let mut hostile = Hostile::new(&core, seed, &["toy_thing", "a", "B", "/"], &[instance]).trusting();
    let Tally { answered, understood } = hostile.send(requests).await;
    assert!(answered > requests / 2 && understood > requests / 3, "of {requests}: {answered} answered, {understood} understood");
    for text in KEPT {
        let (rpc, bytes) = request(text);
        assert!(replay(core.server(), Trust::Core, rpc, &bytes).await.is_some(), "{text}");
    }
}

/// The limit of a lookup is no integer here, on which the toy relies.
const BREAKS_THE_TOY: &str = "read_data_source 0a0a746f795f6c6f6f6b757012270a2583a5666f756e6493a25b5da46e756c6ca12ea56c696d6974a53165343030a46e616d65a12d22021001";

#[tokio::test]
async fn a_panic_behind_the_server_is_a_failure_for_who_trusts_nobody() {
    let (core, _) = core().await;
    let (rpc, bytes) = request(BREAKS_THE_TOY);
    let answer = replay(core.server(), Trust::Core, rpc, &bytes).await.expect("it is a message");
    assert!(!answer.is_empty());
    let server = core.server().clone();
    let failure = tokio::spawn(async move { replay(&server, Trust::Nobody, rpc, &bytes).await }).await;
    let panic = failure.expect_err("a failure").into_panic();
    let text = panic.downcast_ref::<String>().expect("words");
    assert!(text.contains(BREAKS_THE_TOY), "{text}");
}
