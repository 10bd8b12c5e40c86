use serde_json::{Value as Json, json};
use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::provider_server::Provider as _;
use tf_value::Value;
use tonic::Request;

use super::toy::locked;
use super::{Fault, change, core, create, existing};
use crate::testing::{Action, Core, Instance, unknown};

const HERE: fn() -> Json = || json!({"name": "a", "place": "here"});

async fn note(core: &Core, config: Json) -> Instance {
    core.converge("toy_note", None, config).await.unwrap_or_else(|failure| panic!("{failure}"))
}

#[tokio::test]
async fn an_identity_lasts_from_plan_to_destroy() {
    let (core, _) = core().await;
    let plan = core.plan("toy_thing", None, json!({"name": "a"})).await.expect("a plan");
    assert_eq!(plan.identity, Some(Value::map([("name", Value::string("a")), ("place", Value::string("here"))])));
    let instance = existing(core.apply(&plan).await);
    assert_eq!(instance.identity, Some(HERE()));
    let instance = core.refresh(&instance).await.expect("a read").expect("it is there");
    assert_eq!(instance.identity, Some(HERE()));
    let plan = core.plan("toy_thing", Some(&instance), json!({"name": "a", "size": 1})).await.expect("a plan");
    assert_eq!(plan.action, Action::Update);
    let instance = existing(core.apply(&plan).await);
    assert_eq!(instance.identity, Some(HERE()));
    let plan = core.plan_destroy(&instance).await.expect("a plan");
    assert_eq!(plan.identity, Some(Value::map([("name", Value::string("a")), ("place", Value::string("here"))])));
    assert_eq!(core.apply(&plan).await.success().expect("no trouble"), None);
}

#[tokio::test]
async fn an_identity_that_is_not_known_yet_is_not_planned() {
    let (core, _) = core().await;
    let plan = core.plan("toy_note", None, json!({"text": "a"})).await.expect("a plan");
    assert_eq!(plan.identity, None);
    let instance = existing(core.apply(&plan).await);
    assert_eq!((instance.identity, instance.identity_version), (Some(json!({"id": "note-1"})), 1));
    let plan = core.plan("toy_thing", None, json!({"name": unknown()})).await.expect("a plan");
    assert_eq!(plan.identity, None, "a part of it is unknown");
    let instance = existing(core.apply_with(&plan, json!({"name": "a"})).await);
    assert_eq!(instance.identity, Some(HERE()));
}

#[tokio::test]
async fn a_replacement_has_its_own_identity() {
    let (core, _) = core().await;
    let instance = create(&core, json!({"name": "a"})).await;
    let plan = core.plan("toy_thing", Some(&instance), json!({"name": "b"})).await.expect("a plan");
    assert_eq!(plan.action, Action::Replace);
    let replaced = existing(core.apply(&plan).await);
    assert_eq!(replaced.identity, Some(json!({"name": "b", "place": "here"})));

    let instance = note(&core, json!({"text": "a", "paper": "blue"})).await;
    let plan = core.plan("toy_note", Some(&instance), json!({"text": "a", "paper": "red"})).await.expect("a plan");
    assert_eq!((plan.action, &plan.identity), (Action::Replace, &None), "not known yet");
    let replaced = existing(core.apply(&plan).await);
    assert!(replaced.identity.is_some() && replaced.identity != instance.identity);
}

#[tokio::test]
async fn an_update_keeps_what_it_cannot_know() {
    let (core, _) = core().await;
    let instance = note(&core, json!({"text": "a"})).await;
    let again = core.converge("toy_note", Some(&instance), json!({"text": "b"})).await.expect("it converges");
    assert_eq!(again.identity, instance.identity);
}

#[tokio::test]
async fn a_resource_is_found_by_its_identity() {
    let (core, _) = core().await;
    let instance = create(&core, json!({"name": "a", "size": 1})).await;
    for identity in [json!({"name": "a"}), HERE()] {
        let imported = core.import_by_identity("toy_thing", identity).await.expect("an import");
        assert_eq!(imported.len(), 1);
        assert_eq!((&imported[0].state, &imported[0].identity), (&instance.state, &Some(HERE())), "completed");
        let plan = core.plan("toy_thing", imported.first(), json!({"name": "a", "size": 1})).await.expect("a plan");
        assert_eq!(plan.action, Action::NoOp);
    }
    let elsewhere = core.import_by_identity("toy_thing", json!({"name": "a", "place": "there"})).await.expect_err("nothing");
    assert!(elsewhere.says("Nothing found to import") && elsewhere.to_string().contains(r#"{"name":"a","place":"there"}"#));
    let by_id = core.import("toy_thing", instance.state["id"].as_str().expect("an id")).await.expect("an import");
    assert_eq!(by_id[0].identity, Some(HERE()), "an import by id has an identity too");
}

#[tokio::test]
async fn an_identity_that_names_nothing_is_refused() {
    let (core, _) = core().await;
    let import = async |name: Value| {
        let ty = core.identity_schema("toy_thing").expect("an identity").ty();
        let identity = Value::map([("name", name), ("place", Value::Null)]);
        let msgpack = tf_value::codec::msgpack::encode(&ty, &identity).expect("a value of this type");
        let identity_data = Some(proto::DynamicValue { msgpack, json: Vec::new() });
        let request = proto::import_resource_state::Request {
            type_name: "toy_thing".to_owned(),
            identity: Some(proto::ResourceIdentityData { identity_data }),
            ..Default::default()
        };
        let answer = core.server().import_resource_state(Request::new(request)).await.expect("an answer").into_inner();
        let first = answer.diagnostics.into_iter().next().expect("a message");
        (first.summary, first.detail)
    };
    for name in [Value::Null, Value::unknown()] {
        let (summary, detail) = import(name).await;
        assert_eq!(summary, "Incomplete import identity");
        assert!(detail.contains("name = …\n") && detail.contains("place = …  # optional"), "{detail}");
    }
    assert_eq!(import(Value::string("a")).await.0, "Nothing found to import");
}

#[tokio::test]
async fn a_client_without_identities_works_as_before() {
    let (mut core, _) = core().await;
    core.knows_identity = false;
    let instance = core.converge("toy_thing", None, json!({"name": "a"})).await.expect("it converges");
    assert_eq!(instance.identity, None);
    let imported = core.import("toy_thing", instance.state["id"].as_str().expect("an id")).await.expect("an import");
    assert_eq!(imported[0].identity, None);
    // the same state under a newer client: what is missing is completed by the next read
    core.knows_identity = true;
    let instance = core.converge("toy_thing", Some(&instance), json!({"name": "a", "size": 2})).await.expect("it converges");
    assert_eq!(instance.identity, Some(HERE()));
}

#[tokio::test]
async fn an_identity_of_an_older_version_is_upgraded() {
    let (core, _) = core().await;
    let mut instance = note(&core, json!({"text": "a"})).await;
    let now = instance.identity.replace(json!({"number": 1}));
    instance.identity_version = 0;
    let instance = core.refresh(&instance).await.expect("a read").expect("it is there");
    assert_eq!((&instance.identity, instance.identity_version), (&now, 1));
    let before = Instance { identity: None, identity_version: 0, ..instance };
    let instance = core.refresh(&before).await.expect("a read").expect("it is there");
    assert_eq!((instance.identity, instance.identity_version), (now, 1), "a state from before there were identities");
}

#[tokio::test]
async fn identities_that_cannot_be_read_are_refused() {
    let (core, _) = core().await;
    let upgrade = async |type_name: &str, version: i64, json: &str| {
        let raw_identity = Some(proto::RawState { json: json.as_bytes().to_vec(), ..Default::default() });
        let request = proto::upgrade_resource_identity::Request { type_name: type_name.to_owned(), version, raw_identity };
        let answer = core.server().upgrade_resource_identity(Request::new(request)).await.expect("an answer").into_inner();
        assert!(answer.upgraded_identity.is_none());
        answer.diagnostics.into_iter().next().expect("a message").summary
    };
    assert_eq!(upgrade("toy_note", 2, "{}").await, "Identity is newer than the provider");
    for (version, json) in [(1, "{"), (1, "[]"), (1, "null"), (-1, "{}")] {
        assert_eq!(upgrade("toy_note", version, json).await, "Identity cannot be read", "{json}");
    }
    assert_eq!(upgrade("toy_nothing", 0, "{}").await, "Unknown resource type");
}

#[tokio::test]
async fn a_changing_identity_is_a_bug_that_is_told_before_anything_is_done() {
    let (core, world) = core().await;
    let instance = create(&core, json!({"name": "a"})).await;
    for (fault, summary) in [
        (Fault::OtherIdentity, "Bug in the provider"),
        (Fault::WrongIdentity, "Bug in the provider"),
        (Fault::PanicInIdentity, "Provider panicked"),
    ] {
        world.break_with(fault);
        let config = json!({"name": "a", "size": 1});
        let failure = core.plan("toy_thing", Some(&instance), config).await.expect_err("an error");
        assert!(failure.says(summary) && failure.violations.is_empty(), "{failure}");
    }
    world.break_with(Fault::OtherIdentity);
    let failure = core.refresh(&instance).await.expect_err("an error");
    assert!(failure.says("Bug in the provider"), "{failure}");
}

#[tokio::test]
async fn an_apply_keeps_state_and_planned_identity_when_the_identity_fails() {
    for fault in [Fault::OtherIdentity, Fault::WrongIdentity, Fault::PanicInIdentity] {
        let (core, world) = core().await;
        let instance = create(&core, json!({"name": "a"})).await;
        let plan = core.plan("toy_thing", Some(&instance), json!({"name": "a", "size": 1})).await.expect("a plan");
        world.break_with(fault);
        // the plan that apply makes first
        *locked(&world.whole_identities) = 1;
        let outcome = core.apply(&plan).await;
        assert!(outcome.diagnostics.has_errors() && outcome.violations.is_empty(), "{outcome:?}");
        let after = outcome.instance.expect("it exists");
        assert_eq!((after.state["size"].clone(), after.identity), (json!(1), Some(HERE())));
    }
}

#[tokio::test]
async fn a_failed_create_names_what_it_left() {
    let (core, world) = core().await;
    let outcome = change(&core, None, json!({"name": "a"}), &world, Fault::FailAfterCreate).await;
    assert!(outcome.says("Create half done") && outcome.violations.is_empty());
    let left = outcome.instance.expect("something is left");
    assert!(left.tainted);
    assert_eq!(left.identity, Some(HERE()));
}

#[tokio::test]
async fn a_resource_without_identity_schema_has_none_whatever_it_says() {
    let (core, _) = core().await;
    let instance = core.converge("toy_nameless", None, json!({"text": "a"})).await.expect("it converges");
    assert_eq!(instance.identity, None);
    let request = proto::upgrade_resource_identity::Request { type_name: "toy_nameless".to_owned(), ..Default::default() };
    let answer = core.server().upgrade_resource_identity(Request::new(request)).await.expect("an answer").into_inner();
    assert_eq!(answer.diagnostics[0].summary, "Identity cannot be read");
}

#[tokio::test]
async fn a_read_that_fails_keeps_the_identity() {
    let (core, world) = core().await;
    let instance = create(&core, json!({"name": "a"})).await;
    let ty = core.resource_schema("toy_thing").ty();
    let state = tf_value::codec::json::decode_state(&ty, &instance.state).expect("a state");
    let msgpack = tf_value::codec::msgpack::encode(&ty, &state).expect("a value of this type");
    let ty = core.identity_schema("toy_thing").expect("an identity").ty();
    let identity = tf_value::codec::json::decode_state(&ty, &HERE()).expect("an identity");
    let identity = tf_value::codec::msgpack::encode(&ty, &identity).expect("a value of this type");
    let message = |msgpack: Vec<u8>| Some(proto::DynamicValue { msgpack, json: Vec::new() });
    let held = Some(proto::ResourceIdentityData { identity_data: message(identity) });
    for fault in [Fault::FailRead, Fault::PanicInRead] {
        let request = proto::read_resource::Request {
            type_name: "toy_thing".to_owned(),
            current_state: message(msgpack.clone()),
            current_identity: held.clone(),
            ..Default::default()
        };
        world.break_with(fault);
        let answer = core.server().read_resource(Request::new(request)).await.expect("an answer").into_inner();
        assert!(!answer.diagnostics.is_empty());
        assert_eq!(answer.new_identity, held);
    }
}
