use serde_json::json;
use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::provider_server::Provider as _;
use tonic::Request;

use super::core;
use crate::testing::{Action, Instance};

const PAPER: &str = "registry.example/office/paper";

fn paper(state: serde_json::Value) -> Instance {
    Instance::new("paper_note", 7, state)
}

#[tokio::test]
async fn a_state_moves_to_another_type_and_is_read_there() {
    let (core, world) = core().await;
    let there = core.converge("toy_note", None, json!({"text": "hello"})).await.expect("it converges");
    let number: u64 = 1;
    assert_eq!(there.state["id"], format!("note-{number}"));

    let mut source = paper(json!({"number": number, "text": "hello", "unheard": {"of": [1]}}));
    let moved = core.moved(PAPER, &source, "toy_note").await.expect("a move");
    assert_eq!(moved.state["id"], "note-1");
    assert!(moved.state["paper"].is_null() && moved.state["key_wo"].is_null(), "completed, and nothing secret kept");
    assert_eq!(moved.identity, Some(json!({"id": "note-1"})));
    assert_eq!(moved.private, b"7 None");
    let after = core.converge("toy_note", Some(&moved), json!({"text": "hello"})).await.expect("it converges");
    assert_eq!(after.state, there.state);
    let read = core.refresh(&moved).await.expect("a read").expect("it is there");
    let plan = core.plan("toy_note", Some(&read), json!({"text": "hello"})).await.expect("a plan");
    assert_eq!(plan.action, Action::NoOp, "a move alone changes nothing");
    assert_eq!(world.things().len(), 1, "nor does it make anything");

    source.identity = Some(json!({"number": 1}));
    source.identity_version = 3;
    let moved = core.moved(PAPER, &source, "toy_note").await.expect("a move");
    assert!(moved.private.starts_with(b"7 Some((3, "), "the identity of the source comes along");
}

#[tokio::test]
async fn a_move_that_is_not_known_names_both_types() {
    let (core, _) = core().await;
    let source = paper(json!({"number": 1}));
    for (address, source, target) in [
        ("registry.example/office/stone", source.clone(), "toy_note"),
        (PAPER, Instance { type_name: "paper_letter".to_owned(), ..source.clone() }, "toy_note"),
        (PAPER, source.clone(), "toy_thing"),
    ] {
        let failure = core.moved(address, &source, target).await.expect_err("an error");
        assert!(failure.says("Resource cannot be moved") && failure.violations.is_empty(), "{failure}");
        let text = failure.to_string();
        for part in [address, &format!("from = {}.example", source.type_name), &format!("to = {target}.example")] {
            assert!(text.contains(part), "{text}");
        }
    }
}

#[tokio::test]
async fn a_move_that_fails_says_why() {
    let (core, _) = core().await;
    for (state, summary) in [
        (json!({"text": "a"}), "Note cannot be taken over"),
        (json!({"number": 1, "text": "unknown"}), "Bug in the provider"),
        (json!({"number": 1, "text": "panic"}), "Provider panicked"),
    ] {
        let failure = core.moved(PAPER, &paper(state), "toy_note").await.expect_err("an error");
        assert!(failure.says(summary) && failure.violations.is_empty(), "{failure}");
    }
}

#[tokio::test]
async fn a_source_that_cannot_be_read_is_refused() {
    let (core, _) = core().await;
    let call = async |version: i64, json: &str| {
        let request = proto::move_resource_state::Request {
            source_provider_address: PAPER.to_owned(),
            source_type_name: "paper_note".to_owned(),
            source_schema_version: version,
            source_state: Some(proto::RawState { json: json.as_bytes().to_vec(), ..Default::default() }),
            target_type_name: "toy_note".to_owned(),
            ..Default::default()
        };
        let answer = core.server().move_resource_state(Request::new(request)).await.expect("an answer").into_inner();
        assert!(answer.target_state.is_none() && answer.target_identity.is_none());
        answer.diagnostics.into_iter().next().expect("a message").summary
    };
    for (version, json) in [(0, ""), (0, "{"), (-1, r#"{"number":1}"#)] {
        assert_eq!(call(version, json).await, "State cannot be read", "{version} {json}");
    }
}
