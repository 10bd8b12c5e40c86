use serde_json::json;
use tf_value::{Path, Value};

use super::toy::locked;
use super::{core, existing};
use crate::testing::{Action, Core, Instance};

async fn apply(core: &Core, instance: Option<&Instance>, config: serde_json::Value) -> Instance {
    let plan = core.plan("toy_note", instance, config).await.unwrap_or_else(|failure| panic!("{failure}"));
    existing(core.apply(&plan).await)
}

#[tokio::test]
async fn a_value_reaches_every_call_and_is_stored_by_none() {
    let (core, world) = core().await;
    let failure = core.plan("toy_note", None, json!({"text": "a", "key_wo": "weak"})).await.expect_err("an error");
    assert!(failure.says("Weak key"), "validate sees the value");

    let config = json!({"text": "a", "key_wo": "hush", "key_wo_version": 1, "locks": [{"pin_wo": 4711}]});
    let plan = core.plan("toy_note", None, config).await.expect("a plan");
    let lock = &plan.planned.get("locks").as_elements().expect("a list")[0];
    assert!(plan.planned.get("key_wo").is_null() && lock.get("pin_wo").is_null());
    let instance = existing(core.apply(&plan).await);
    assert!(instance.state["key_wo"].is_null() && instance.state["locks"][0]["pin_wo"].is_null());
    assert!(!format!("{instance:?}").contains("hush"));
    let keys = locked(&world.keys).clone();
    assert_eq!(keys["note-1"], Value::string("hush"));
    assert_eq!(keys["note-1/0"], Value::int(4711), "inside nested objects too");
}

#[tokio::test]
async fn the_version_is_the_word_to_write_again() {
    let (core, world) = core().await;
    let key = || locked(&world.keys)["note-1"].clone();
    let config = |key: &str, version: i64| json!({"text": "a", "key_wo": key, "key_wo_version": version});
    let instance = apply(&core, None, config("first", 1)).await;
    let plan = core.plan("toy_note", Some(&instance), config("second", 1)).await.expect("a plan");
    assert_eq!(plan.action, Action::NoOp, "another value alone is no change");
    let changed = json!({"text": "b", "key_wo": "third", "key_wo_version": 1});
    let instance = apply(&core, Some(&instance), changed).await;
    assert_eq!(key(), Value::string("first"), "another change does not write it either");
    let plan = core.plan("toy_note", Some(&instance), config("fourth", 2)).await.expect("a plan");
    assert_eq!(plan.action, Action::Update);
    let instance = existing(core.apply(&plan).await);
    assert_eq!(key(), Value::string("fourth"));
    let instance = apply(&core, Some(&instance), json!({"text": "a"})).await;
    assert_eq!(key(), Value::Null, "both taken out: the value is removed");
    assert_eq!(core.destroy(&instance).await.success().expect("no trouble"), None);
}

#[tokio::test]
async fn a_resource_may_ask_for_replacement_by_a_write_only_value() {
    let (core, _) = core().await;
    let instance = apply(&core, None, json!({"text": "a", "key_wo": "x"})).await;
    let plan = core.plan("toy_note", Some(&instance), json!({"text": "a", "key_wo": "new lock"})).await.expect("a plan");
    assert_eq!(plan.action, Action::Replace);
    assert_eq!(plan.requires_replace, [Path::of("key_wo")]);
    let replaced = existing(core.apply(&plan).await);
    assert_ne!(replaced.state["id"], instance.state["id"]);
}

#[tokio::test]
async fn a_client_that_would_store_the_value_is_refused_at_every_depth() {
    let (mut core, _) = core().await;
    core.write_only_attributes_allowed = false;
    let config = json!({"text": "a", "key_wo": "hush", "locks": [{"pin_wo_version": 1}, {"pin_wo": 1}]});
    let failure = core.plan("toy_note", None, config).await.expect_err("an error");
    assert!(failure.says("Write-only attribute not supported"));
    let places: Vec<_> = failure.diagnostics.iter().filter_map(|found| found.path.clone()).collect();
    assert_eq!(places, [Path::of("locks").index(1).attribute("pin_wo"), Path::of("key_wo")]);
    assert!(!failure.to_string().contains("hush"), "{failure}");
    let without = json!({"text": "a", "locks": [{}]});
    core.converge("toy_note", None, without).await.expect("without such values all clients do");
}

#[tokio::test]
async fn a_value_that_an_older_state_holds_is_dropped() {
    let (core, _) = core().await;
    let mut instance = apply(&core, None, json!({"text": "a"})).await;
    instance.state["key_wo"] = json!("was not write-only then");
    let plan = core.plan("toy_note", Some(&instance), json!({"text": "a"})).await.expect("a plan");
    assert_eq!(plan.action, Action::NoOp);
    assert!(plan.prior.get("key_wo").is_null());
}

#[tokio::test]
async fn debug_output_of_requests_tells_no_value() {
    let config = Value::map([("key_wo", Value::string("hush"))]);
    let plan = crate::PlanRequest { config: config.clone(), prior: None, proposed: Value::Null, private: Vec::new() };
    let apply = crate::ApplyRequest { config, prior: None, planned: None, private: Vec::new() };
    assert!(!format!("{plan:?} {apply:?}").contains("hush"));
}

#[tokio::test]
async fn the_new_one_is_there_before_the_old_one_goes() {
    let (core, world) = core().await;
    let old = apply(&core, None, json!({"text": "old", "paper": "blue"})).await;
    let config = json!({"text": "new", "paper": "red"});
    let plan = core.plan("toy_note", Some(&old), config.clone()).await.expect("a plan");
    assert_eq!(plan.action, Action::Replace);
    let outcome = core.apply_create_first(&plan, config).await;
    assert_eq!(outcome.deposed, None);
    let new = existing(outcome);
    assert_eq!(*locked(&world.history), ["create old", "create new", "delete old"]);
    assert_eq!(world.things().keys().cloned().collect::<Vec<_>>(), [new.state["id"].as_str().expect("an id")]);
    assert_ne!(new.identity, old.identity);
}

#[tokio::test]
async fn what_create_before_destroy_leaves_behind_is_recorded() {
    for (from, to, remains) in [("old", "fails", "old"), ("old", "half", "both"), ("sticks", "new", "both")] {
        let (core, world) = core().await;
        let old = apply(&core, None, json!({"text": from, "paper": "blue"})).await;
        let config = json!({"text": to, "paper": "red"});
        let plan = core.plan("toy_note", Some(&old), config.clone()).await.expect("a plan");
        let outcome = core.apply_create_first(&plan, config).await;
        assert!(outcome.diagnostics.has_errors() && outcome.violations.is_empty(), "{outcome:?}");
        let current = outcome.instance.expect("something is current");
        if remains == "old" {
            assert_eq!((current, outcome.deposed), (old, None));
            assert_eq!(world.things().len(), 1);
        } else {
            assert_eq!((current.state["text"].as_str(), current.tainted), (Some(to), to == "half"));
            assert_eq!(outcome.deposed.map(|deposed| deposed.state), Some(old.state));
            assert_eq!(world.things().len(), 2);
        }
    }
}

#[tokio::test]
async fn ignored_changes_are_no_changes() {
    let (core, _) = core().await;
    let instance = apply(&core, None, json!({"text": "a", "paper": "blue"})).await;
    let config = json!({"text": "b", "paper": "red"});
    let plan = core.plan_ignoring("toy_note", Some(&instance), config.clone(), &["text", "paper"]).await.expect("a plan");
    assert_eq!(plan.action, Action::NoOp);
    let plan = core.plan_ignoring("toy_note", Some(&instance), config, &["paper"]).await.expect("a plan");
    assert_eq!(plan.action, Action::Update);
    let after = existing(core.apply(&plan).await);
    assert_eq!((&after.state["text"], &after.state["paper"]), (&json!("b"), &json!("blue")));
}
