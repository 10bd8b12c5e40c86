use serde_json::json;
use tf_value::{Path, Value};

use super::{core, create, existing};
use crate::testing::{Action, Instance, unknown};

#[tokio::test]
async fn a_resource_lives_from_create_to_destroy() {
    let (core, world) = core().await;
    let plan = core.plan("toy_thing", None, json!({"name": "a", "size": 5.5})).await.expect("a plan");
    assert_eq!(plan.action, Action::Create);
    assert!(plan.planned.get("id").is_unknown());
    let instance = existing(core.apply(&plan).await);
    assert_eq!(instance.state["weight"], json!(10));
    assert_eq!(instance.private, b"created");

    let same = core.plan("toy_thing", Some(&instance), json!({"name": "a", "size": 5.5})).await.expect("a plan");
    assert_eq!(same.action, Action::NoOp);

    let plan = core.plan("toy_thing", Some(&instance), json!({"name": "a", "size": 6})).await.expect("a plan");
    assert_eq!(plan.action, Action::Update);
    assert_eq!(plan.planned.get("id"), &Value::string(instance.state["id"].as_str().expect("an id")), "kept");
    assert!(plan.planned.get("revision").is_unknown(), "computed, not kept");
    let updated = existing(core.apply(&plan).await);
    assert_eq!(updated.state["size"], json!(6));
    assert_eq!(updated.private, b"created+updated");

    let gone = core.destroy(&updated).await.success().expect("no trouble");
    assert_eq!(gone, None);
    assert!(world.things().is_empty());
}

#[tokio::test]
async fn an_object_that_vanished_is_read_as_gone() {
    let (core, world) = core().await;
    let instance = create(&core, json!({"name": "a"})).await;
    world.things().clear();
    assert_eq!(core.refresh(&instance).await.expect("a read"), None);
}

#[tokio::test]
async fn read_keeps_private_bytes_and_finds_drift() {
    let (core, world) = core().await;
    let instance = create(&core, json!({"name": "a", "labels": {"x": "1"}})).await;
    let read = core.refresh(&instance).await.expect("a read").expect("it is there");
    assert_eq!(read, instance);
    for thing in world.things().values_mut() {
        let Value::Map(members) = thing else { panic!("a thing is an object") };
        members.insert("labels".to_owned(), Value::map([("x", Value::string("2"))]));
    }
    let read = core.refresh(&instance).await.expect("a read").expect("it is there");
    assert_eq!(read.state["labels"], json!({"x": "2"}));
    assert_eq!(read.private, b"created");
    let plan = core.plan("toy_thing", Some(&read), json!({"name": "a", "labels": {"x": "1"}})).await.expect("a plan");
    assert_eq!(plan.action, Action::Update);
}

#[tokio::test]
async fn defaults_are_filled_in_again_when_an_argument_is_removed() {
    let (core, _) = core().await;
    let rules = json!([{"path": "/a", "weight": 7}]);
    let instance = create(&core, json!({"name": "a", "weight": 3, "rules": rules})).await;
    let config = json!({"name": "a", "rules": [{"path": "/a"}]});
    let instance = core.converge("toy_thing", Some(&instance), config).await.expect("it converges");
    assert_eq!(instance.state["weight"], json!(10));
    assert_eq!(instance.state["rules"][0]["weight"], json!(1));
}

#[tokio::test]
async fn nested_values_keep_what_the_provider_gave_them() {
    let (core, _) = core().await;
    let first = json!({
        "name": "a", "single": {"port": 80}, "rules": [{"path": "/a"}, {"path": "/b"}],
        "members": [{"name": "x"}, {"name": "y", "role": "lead"}], "by_key": {"k": {"value": "1"}}
    });
    let before = core.converge("toy_thing", None, first).await.expect("it converges");
    let second = json!({
        "name": "a", "single": {"port": 81}, "rules": [{"path": "/a"}, {"path": "/b"}, {"path": "/c"}],
        "members": [{"name": "x"}, {"name": "z"}], "by_key": {"k": {"value": "2"}, "l": {}}
    });
    let after = core.converge("toy_thing", Some(&before), second).await.expect("it converges");
    for place in ["/single/uid", "/rules/0/uid", "/rules/1/uid", "/by_key/k/uid"] {
        assert_eq!(before.state.pointer(place), after.state.pointer(place), "{place}");
    }
    let uid = |instance: &Instance, name: &str| {
        let members = instance.state["members"].as_array().cloned().expect("a set");
        members.into_iter().find(|member| member["name"] == name).map(|member| member["uid"].clone())
    };
    assert_eq!(uid(&before, "x"), uid(&after, "x"));
    assert!(uid(&after, "z").is_some_and(|uid| uid.is_string()));
    assert!(after.state["rules"][2]["uid"].is_string(), "a new element gets its own");
}

#[tokio::test]
async fn what_the_user_takes_out_of_an_optional_computed_object_does_not_come_back() {
    let (core, _) = core().await;
    let instance = create(&core, json!({"name": "a", "policy": {"level": "high"}})).await;
    let plan = core.plan("toy_thing", Some(&instance), json!({"name": "a"})).await.expect("a plan");
    assert!(plan.planned.get("policy").is_unknown());
}

#[tokio::test]
async fn a_value_of_the_same_meaning_stays_as_it_was() {
    let (core, _) = core().await;
    let instance = create(&core, json!({"name": "a", "host": "Example.test"})).await;
    let config = json!({"name": "a", "host": "example.TEST"});
    let plan = core.plan("toy_thing", Some(&instance), config).await.expect("core allows the prior value");
    assert_eq!(plan.action, Action::NoOp);
    let config = json!({"name": "a", "host": "example.TEST", "size": 1});
    let plan = core.plan("toy_thing", Some(&instance), config).await.expect("core allows the prior value");
    assert_eq!(plan.action, Action::Update);
    assert_eq!(plan.planned.get("host"), &Value::string("Example.test"));
}

#[tokio::test]
async fn a_replacing_attribute_replaces_only_where_it_differs() {
    let (core, _) = core().await;
    let config = |name: &str, zone: &str| json!({"name": name, "rules": [{"path": "/a"}, {"path": "/b", "zone": zone}]});
    let instance = create(&core, config("a", "z1")).await;
    let plan = core.plan("toy_thing", Some(&instance), config("a", "z2")).await.expect("a plan");
    assert_eq!(plan.action, Action::Replace);
    assert_eq!(plan.requires_replace, [Path::of("rules").index(1).attribute("zone")]);

    let plan = core.plan("toy_thing", Some(&instance), config("b", "z1")).await.expect("a plan");
    assert_eq!(plan.requires_replace, [Path::of("name")]);
    assert!(plan.planned.get("id").is_unknown(), "planned anew, from nothing");
    let replaced = existing(core.apply(&plan).await);
    assert_ne!(replaced.state["id"], instance.state["id"]);
    assert_eq!(replaced.private, b"created");
}

#[tokio::test]
async fn an_unknown_name_may_replace_and_turns_out_in_apply() {
    let (core, _) = core().await;
    let instance = create(&core, json!({"name": "a"})).await;
    let plan = core.plan("toy_thing", Some(&instance), json!({"name": unknown()})).await.expect("a plan");
    assert_eq!(plan.action, Action::Replace);
    let replaced = existing(core.apply_with(&plan, json!({"name": "b"})).await);
    assert_eq!(replaced.state["name"], json!("b"));
}

#[tokio::test]
async fn unknown_values_turn_out_in_apply() {
    let (core, _) = core().await;
    let config = json!({
        "name": "a", "tags": ["x", unknown()], "labels": {"k": unknown()}, "any": {"inside": unknown()},
        "rules": [{"path": unknown(), "weight": unknown()}], "members": [{"name": unknown()}], "by_key": unknown()
    });
    let plan = core.plan("toy_thing", None, config).await.expect("a plan");
    assert!(plan.planned.get("by_key").is_unknown());
    let resolved = json!({
        "name": "a", "tags": ["x", "x"], "labels": {"k": "v"}, "any": {"inside": 2.5},
        "rules": [{"path": "/p", "weight": null}], "members": [{"name": "m"}], "by_key": {"k": {}}
    });
    let instance = existing(core.apply_with(&plan, resolved).await);
    assert_eq!(instance.state["tags"], json!(["x"]), "a set shrinks when unknown elements turn out equal");
    assert_eq!(instance.state["rules"][0]["weight"], json!(1), "the default holds when null turns out");
}

#[tokio::test]
async fn import_by_id_reads_the_whole_state() {
    let (core, _) = core().await;
    let instance = create(&core, json!({"name": "a", "size": 1})).await;
    let id = instance.state["id"].as_str().expect("an id");
    let imported = core.import("toy_thing", id).await.expect("an import");
    assert_eq!(imported.len(), 1);
    assert_eq!(imported[0].state, instance.state);
    assert_eq!(imported[0].private, b"imported");
    let plan = core.plan("toy_thing", imported.first(), json!({"name": "a", "size": 1})).await.expect("a plan");
    assert_eq!(plan.action, Action::NoOp);
}

#[tokio::test]
async fn a_state_of_version_1_is_upgraded() {
    let (core, _) = core().await;
    let instance = create(&core, json!({"name": "a", "rules": [{"path": "/a"}]})).await;
    let mut old = Instance { schema_version: 1, ..instance.clone() };
    let members = old.state.as_object_mut().expect("an object");
    let name = members.remove("name").expect("a name");
    members.insert("title".to_owned(), name);
    members.insert("forgotten".to_owned(), json!({"deep": [1]}));
    members.remove("labels");
    members["rules"][0].as_object_mut().expect("an object").remove("zone");
    assert_eq!(core.load(&old).await.expect("an upgrade"), core.load(&instance).await.expect("a load"));
    let plan = core.plan("toy_thing", Some(&old), json!({"name": "a", "rules": [{"path": "/a"}]})).await.expect("a plan");
    assert_eq!(plan.action, Action::NoOp);
}
