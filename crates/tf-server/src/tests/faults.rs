use serde_json::json;

use super::{Fault, change, core, create};
use crate::testing::Action;

#[tokio::test]
async fn a_panic_after_a_checkpoint_keeps_the_recorded_state() {
    let (core, world) = core().await;
    let outcome = change(&core, None, json!({"name": "a"}), &world, Fault::PanicAfterCheckpoint).await;
    assert!(outcome.says("Provider panicked"));
    assert_eq!(outcome.violations, [""; 0]);
    let instance = outcome.instance.expect("the checkpoint is kept");
    assert_eq!(instance.state["name"], json!("a"));
    assert_eq!(instance.private, b"checkpoint");
    assert!(instance.tainted);
    let plan = core.plan("toy_thing", Some(&instance), json!({"name": "a"})).await.expect("a plan");
    assert_eq!(plan.action, Action::Replace);
}

#[tokio::test]
async fn a_panic_before_any_checkpoint_leaves_nothing() {
    let (core, world) = core().await;
    let outcome = change(&core, None, json!({"name": "a"}), &world, Fault::PanicInCreate).await;
    assert!(outcome.says("Provider panicked"));
    let detail = outcome.diagnostics.iter().next().expect("a message").detail.clone();
    assert!(detail.contains("create was asked to panic") && detail.contains("toy_thing"), "{detail}");
    assert_eq!((outcome.instance, outcome.violations), (None, Vec::new()));
}

#[tokio::test]
async fn a_failed_create_without_state_taints_nothing() {
    let (core, world) = core().await;
    let outcome = change(&core, None, json!({"name": "a"}), &world, Fault::FailCreate).await;
    assert!(outcome.says("Create failed"));
    assert_eq!((outcome.instance, outcome.violations), (None, Vec::new()));
}

#[tokio::test]
async fn a_half_done_create_is_recorded_and_tainted() {
    let (core, world) = core().await;
    let outcome = change(&core, None, json!({"name": "a"}), &world, Fault::FailAfterCreate).await;
    assert!(outcome.says("Create half done"));
    assert!(outcome.instance.is_some_and(|instance| instance.tainted));
}

#[tokio::test]
async fn a_create_that_says_nothing_is_an_error() {
    let (core, world) = core().await;
    let outcome = change(&core, None, json!({"name": "a"}), &world, Fault::LoseCreate).await;
    assert!(outcome.says("Bug in the provider"));
    assert_eq!(outcome.instance, None);
}

#[tokio::test]
async fn an_unknown_value_in_a_result_is_named_and_stored_as_null() {
    let (core, world) = core().await;
    let outcome = change(&core, None, json!({"name": "a"}), &world, Fault::LeaveUnknown).await;
    let paths: Vec<String> =
        outcome.diagnostics.iter().filter_map(|found| found.path.as_ref()).map(ToString::to_string).collect();
    assert!(paths.contains(&"id".to_owned()) && paths.contains(&"revision".to_owned()), "{paths:?}");
    assert_eq!(outcome.violations, [""; 0], "core itself sees nothing unknown");
    assert_eq!(outcome.instance.expect("recorded").state["id"], json!(null));
}

#[tokio::test]
async fn a_broken_promise_is_found_before_core_finds_it() {
    let (core, world) = core().await;
    let outcome = change(&core, None, json!({"name": "a"}), &world, Fault::BreakPromise).await;
    let found = outcome.diagnostics.iter().find(|found| found.summary == "Inconsistent result after apply");
    let found = found.expect("a self-check");
    assert_eq!(found.path.as_ref().map(ToString::to_string).as_deref(), Some("weight"));
    assert!(found.detail.contains("known value is kept") && found.detail.contains("was 10, but now -1"), "{}", found.detail);
}

#[tokio::test]
async fn a_result_of_another_type_falls_back_to_the_checkpoint() {
    let (core, world) = core().await;
    let outcome = change(&core, None, json!({"name": "a"}), &world, Fault::WrongType).await;
    assert!(outcome.says("Bug in the provider"));
    assert_eq!(outcome.instance.expect("the checkpoint").state["name"], json!("a"));
}

#[tokio::test]
async fn a_panic_in_update_keeps_the_prior_state() {
    let (core, world) = core().await;
    let before = create(&core, json!({"name": "a"})).await;
    let outcome = change(&core, Some(&before), json!({"name": "a", "size": 1}), &world, Fault::PanicInUpdate).await;
    assert!(outcome.says("Provider panicked"));
    assert_eq!(outcome.instance, Some(before));
}

#[tokio::test]
async fn a_failed_delete_keeps_the_state() {
    let (core, world) = core().await;
    let before = create(&core, json!({"name": "a"})).await;
    for (fault, summary) in [
        (Fault::FailDelete, "Delete failed"),
        (Fault::LeaveOnDelete, "Delete left something behind"),
        (Fault::PanicInDelete, "Provider panicked"),
    ] {
        world.break_with(fault);
        let outcome = core.destroy(&before).await;
        assert!(outcome.says(summary), "{outcome:?}");
        assert_eq!(outcome.violations, [""; 0]);
        assert_eq!(outcome.instance.expect("kept").state, before.state, "{summary}");
        assert_eq!(world.things().len(), 1);
    }
}

#[tokio::test]
async fn a_failed_delete_stops_a_replacement() {
    let (core, world) = core().await;
    let before = create(&core, json!({"name": "a"})).await;
    let outcome = change(&core, Some(&before), json!({"name": "b"}), &world, Fault::FailDelete).await;
    assert!(outcome.says("Delete failed"));
    assert_eq!(outcome.instance, Some(before));
    assert_eq!(world.things().len(), 1);
}

#[tokio::test]
async fn a_refused_destroy_is_seen_in_the_plan() {
    let (core, world) = core().await;
    let before = create(&core, json!({"name": "a"})).await;
    world.break_with(Fault::RefuseDestroy);
    assert!(core.plan_destroy(&before).await.expect_err("a refusal").says("Destroy refused"));
}

#[tokio::test]
async fn a_failed_read_is_an_error_and_not_absence() {
    let (core, world) = core().await;
    let before = create(&core, json!({"name": "a"})).await;
    world.break_with(Fault::FailRead);
    assert!(core.refresh(&before).await.expect_err("an error").says("Read failed"));
    world.break_with(Fault::PanicInRead);
    assert!(core.refresh(&before).await.expect_err("an error").says("Provider panicked"));
}

#[tokio::test]
async fn faults_of_a_plan_are_errors_before_core_sees_them() {
    let (core, world) = core().await;
    let before = create(&core, json!({"name": "a"})).await;
    for (fault, summary) in [
        (Fault::PanicInPlan, "Provider panicked"),
        (Fault::PlanNothing, "Bug in the provider"),
        (Fault::PlanOtherValue, "Invalid plan"),
        (Fault::PlanWrongPath, "Invalid plan"),
    ] {
        world.break_with(fault.clone());
        let failure = core.plan("toy_thing", Some(&before), json!({"name": "a", "size": 3})).await.expect_err("an error");
        assert!(failure.says(summary), "{fault:?}: {failure}");
        assert_eq!(failure.violations, [""; 0], "{fault:?}");
    }
}

#[tokio::test]
async fn a_self_check_names_rule_and_path() {
    let (core, world) = core().await;
    world.break_with(Fault::PlanOtherValue);
    let failure = core.plan("toy_thing", None, json!({"name": "a"})).await.expect_err("an error");
    let found = failure.diagnostics.iter().next().expect("a message");
    assert_eq!(found.path.as_ref().map(ToString::to_string).as_deref(), Some("name"));
    assert!(found.detail.contains("planned value matches configuration or prior state"), "{}", found.detail);
}

#[tokio::test]
async fn a_panic_in_validate_is_a_diagnostic() {
    let (core, _) = core().await;
    let found = core.validate("toy_thing", json!({"name": "panic in validate"})).await.expect("no violation");
    assert!(found.iter().any(|found| found.summary == "Provider panicked"));
    create(&core, json!({"name": "a"})).await;
}
