use std::collections::BTreeMap;

use serde_json::json;
use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::provider_server::Provider as _;
use tf_value::Path;
use tonic::{Code, Request};

use super::{core, create};
use crate::testing::{Core, Instance};

fn first(diagnostics: &[proto::Diagnostic]) -> (&str, &str) {
    let first = diagnostics.first().expect("a message");
    assert_eq!(first.severity(), proto::diagnostic::Severity::Error);
    (&first.summary, &first.detail)
}

async fn upgrade(core: &Core, version: i64, raw_state: proto::RawState) -> proto::upgrade_resource_state::Response {
    let type_name = "toy_thing".to_owned();
    let request = proto::upgrade_resource_state::Request { type_name, version, raw_state: Some(raw_state) };
    core.server().upgrade_resource_state(Request::new(request)).await.expect("an answer").into_inner()
}

fn raw(json: &str) -> proto::RawState {
    proto::RawState { json: json.as_bytes().to_vec(), flatmap: BTreeMap::new() }
}

#[tokio::test]
async fn states_that_cannot_be_read_are_refused() {
    let (core, _) = core().await;
    let newer = upgrade(&core, 3, raw("{}")).await;
    let (summary, detail) = first(&newer.diagnostics);
    assert_eq!(summary, "State is newer than the provider");
    assert!(detail.contains("version 3") && detail.contains("up to 2"), "{detail}");

    let flatmap = BTreeMap::from([("id".to_owned(), "1".to_owned())]);
    let flat = upgrade(&core, 1, proto::RawState { json: Vec::new(), flatmap }).await;
    assert_eq!(first(&flat.diagnostics).0, "State of an unsupported format");

    for (version, json) in [(2, "{"), (2, "[]"), (2, r#"{"rules":{}}"#), (-1, "{}")] {
        let broken = upgrade(&core, version, raw(json)).await;
        assert_eq!(first(&broken.diagnostics).0, "State cannot be read", "{json}");
    }
    assert_eq!(first(&upgrade(&core, 0, raw("{}")).await.diagnostics).0, "Version 0 is too old");
    assert_eq!(first(&upgrade(&core, 1, raw("[]")).await.diagnostics).0, "Provider panicked");
}

#[tokio::test]
async fn a_state_of_the_current_version_is_read_tolerantly() {
    let (core, _) = core().await;
    let state = json!({"name": "a", "unheard": {"of": 1}, "rules": [{"path": "/a", "old": true}]});
    let instance = Instance::new("toy_thing", 2, state);
    let loaded = core.load(&instance).await.expect("a load");
    assert!(loaded.get("rules").as_elements().expect("a list")[0].get("weight").is_null());
    assert!(loaded.get("weight").is_null(), "a default is no part of an upgrade");
}

#[tokio::test]
async fn unknown_names_are_refused() {
    let (core, _) = core().await;
    let server = core.server();
    let type_name = || "toy_nothing".to_owned();
    macro_rules! refused {
        ($($rpc:ident),*) => {$({
            let request = proto::$rpc::Request { type_name: type_name(), ..Default::default() };
            let answer = server.$rpc(Request::new(request)).await.expect("an answer, not a status").into_inner();
            let (summary, detail) = first(&answer.diagnostics);
            assert!(summary.starts_with("Unknown ") && detail.contains("toy_nothing"), "{summary}: {detail}");
        })*};
    }
    refused!(
        validate_resource_config,
        validate_data_resource_config,
        upgrade_resource_state,
        read_resource,
        plan_resource_change,
        apply_resource_change,
        import_resource_state,
        read_data_source
    );
    let request = proto::call_function::Request { name: "nothing".to_owned(), arguments: Vec::new() };
    let answer = server.call_function(Request::new(request)).await.expect("an answer").into_inner();
    assert!(answer.error.expect("an error").text.contains("no function \"nothing\""));
}

#[tokio::test]
async fn a_move_from_another_type_names_both() {
    let (core, _) = core().await;
    let request = proto::move_resource_state::Request {
        source_provider_address: "example/other".to_owned(),
        source_type_name: "other_thing".to_owned(),
        source_state: Some(raw("{}")),
        target_type_name: "toy_thing".to_owned(),
        ..Default::default()
    };
    let answer = core.server().move_resource_state(Request::new(request)).await.expect("an answer").into_inner();
    let (summary, detail) = first(&answer.diagnostics);
    assert_eq!(summary, "Resource cannot be moved");
    for part in ["example/other", "from = other_thing.example", "to = toy_thing.example"] {
        assert!(detail.contains(part), "{detail}");
    }
    assert!(answer.target_state.is_none());
}

#[tokio::test]
async fn imports_are_refused_in_words() {
    let (core, _) = core().await;
    assert!(core.import("toy_thing", "nowhere").await.expect_err("an error").says("Nothing found to import"));
    assert!(core.import("toy_thing", "refused").await.expect_err("an error").says("Import refused"));
    let request = proto::import_resource_state::Request {
        type_name: "toy_nameless".to_owned(),
        identity: Some(proto::ResourceIdentityData::default()),
        ..Default::default()
    };
    let answer = core.server().import_resource_state(Request::new(request)).await.expect("an answer").into_inner();
    let (summary, detail) = first(&answer.diagnostics);
    assert_eq!(summary, "Import by identity is not supported");
    assert!(detail.contains("to = toy_nameless.example") && detail.contains("id = "), "{detail}");
}

#[tokio::test]
async fn a_write_only_attribute_needs_a_client_that_knows_it() {
    let (mut core, _) = core().await;
    core.write_only_attributes_allowed = false;
    let found = core.validate("toy_thing", json!({"name": "a", "secret_wo": "x"})).await.expect("no violation");
    let found = found.iter().next().expect("a message");
    assert_eq!(found.summary, "Write-only attribute not supported");
    assert_eq!(found.path, Some(Path::of("secret_wo")));
    assert!(core.validate("toy_thing", json!({"name": "a"})).await.expect("no violation").is_empty());
}

#[tokio::test]
async fn a_message_about_a_set_element_ends_at_the_set() {
    let (core, _) = core().await;
    let place = async |config| {
        let found = core.validate("toy_thing", config).await.expect("no violation");
        found.iter().next().and_then(|found| found.path.clone()).expect("a place")
    };
    let members = json!([{"name": "good"}, {"name": "bad"}]);
    assert_eq!(place(json!({"name": "a", "members": members})).await, Path::of("members"));
    assert_eq!(place(json!({"name": "path by hand"})).await, Path::of("members"));
    let rules = json!([{"path": "good"}, {"path": "bad"}]);
    assert_eq!(place(json!({"name": "a", "rules": rules})).await, Path::of("rules").index(1).attribute("path"));
}

#[tokio::test]
async fn set_elements_that_defaults_make_equal_are_refused() {
    let (core, _) = core().await;
    let members = json!([{"name": "x"}, {"name": "x", "role": "member"}]);
    let failure = core.plan("toy_thing", None, json!({"name": "a", "members": members})).await.expect_err("an error");
    assert!(failure.says("Duplicate set elements") && failure.violations.is_empty(), "{failure}");
}

#[tokio::test]
async fn broken_bytes_are_a_diagnostic_and_keep_the_state() {
    let (core, _) = core().await;
    let instance = create(&core, json!({"name": "a"})).await;
    let garbage = Some(proto::DynamicValue { msgpack: vec![0xc1], json: Vec::new() });
    let request = proto::read_resource::Request {
        type_name: instance.type_name.clone(),
        current_state: garbage.clone(),
        private: b"p".to_vec(),
        ..Default::default()
    };
    let answer = core.server().read_resource(Request::new(request)).await.expect("an answer").into_inner();
    assert_eq!(first(&answer.diagnostics).0, "Bug in the provider");
    assert_eq!((answer.new_state, answer.private), (garbage, b"p".to_vec()));
}

#[tokio::test]
async fn json_is_read_and_msgpack_is_answered() {
    let (core, _) = core().await;
    let json = br#"{"name":"x","limit":null,"found":null}"#.to_vec();
    let request = proto::read_data_source::Request {
        type_name: "toy_lookup".to_owned(),
        config: Some(proto::DynamicValue { msgpack: Vec::new(), json }),
        ..Default::default()
    };
    let answer = core.server().read_data_source(Request::new(request)).await.expect("an answer").into_inner();
    let state = answer.state.expect("a state");
    assert!(answer.diagnostics.is_empty() && state.json.is_empty() && !state.msgpack.is_empty());
}

#[tokio::test]
async fn nothing_to_nothing_is_refused() {
    let (core, _) = core().await;
    let request = proto::plan_resource_change::Request { type_name: "toy_thing".to_owned(), ..Default::default() };
    let answer = core.server().plan_resource_change(Request::new(request)).await.expect("an answer").into_inner();
    assert!(first(&answer.diagnostics).1.contains("from nothing to nothing"));
    let request = proto::apply_resource_change::Request { type_name: "toy_thing".to_owned(), ..Default::default() };
    let answer = core.server().apply_resource_change(Request::new(request)).await.expect("an answer").into_inner();
    assert!(first(&answer.diagnostics).1.contains("from nothing to nothing"));
}

#[tokio::test]
async fn wrong_numbers_of_arguments_are_refused() {
    let (core, _) = core().await;
    let call = async |name: &str, count: usize| {
        let argument = proto::DynamicValue { msgpack: vec![0xa1, b'x'], json: Vec::new() };
        let request = proto::call_function::Request { name: name.to_owned(), arguments: vec![argument; count] };
        let answer = core.server().call_function(Request::new(request)).await.expect("an answer").into_inner();
        answer.error.expect("an error")
    };
    assert!(call("join", 0).await.text.contains("1 arguments are needed, but 0 are given"));
    assert!(call("echo", 2).await.text.contains("1 arguments are needed, but 2 are given"));
    let error = call("echo", 1).await;
    assert_eq!(error.function_argument, Some(0), "a string is no dynamic value");
}

#[tokio::test]
async fn a_null_argument_is_refused_even_when_core_lets_it_through() {
    let (core, _) = core().await;
    let arguments = vec![proto::DynamicValue { msgpack: vec![0xc0], json: Vec::new() }];
    let request = proto::call_function::Request { name: "join".to_owned(), arguments };
    let answer = core.server().call_function(Request::new(request)).await.expect("an answer").into_inner();
    let error = answer.error.expect("an error");
    assert_eq!(error.function_argument, Some(0));
    assert!(error.text.contains("\"separator\" must not be null"), "{}", error.text);
}

#[tokio::test]
async fn what_this_provider_lacks_is_unimplemented_in_words() {
    let (core, _) = core().await;
    let server = core.server();
    macro_rules! refused {
        ($($rpc:ident: $what:literal),* $(,)?) => {$({
            let status = server.$rpc(Request::new(proto::$rpc::Request::default())).await.map(|_| ()).expect_err("a status");
            assert_eq!(status.code(), Code::Unimplemented);
            assert!(status.message().contains($what), "{}", status.message());
        })*};
    }
    refused!(
        generate_resource_config: "configuration generator",
        validate_ephemeral_resource_config: "ephemeral resources",
        open_ephemeral_resource: "ephemeral resources",
        renew_ephemeral_resource: "ephemeral resources",
        close_ephemeral_resource: "ephemeral resources",
        validate_list_resource_config: "list resources",
        list_resource: "list resources",
        validate_action_config: "actions",
        plan_action: "actions",
        invoke_action: "actions",
    );
}
