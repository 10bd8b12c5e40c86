//! Whatever is configured, core never finds a violation.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::core;
use crate::testing::{Failure, unknown};

fn word() -> impl Strategy<Value = Json> {
    prop_oneof![Just("a"), Just("b"), Just("Ünï"), Just(""), Just("B")].prop_map(Json::from)
}

fn number() -> impl Strategy<Value = Json> {
    let long = prop_oneof![
        Just("0.1"),
        Just("1e30"),
        Just("12345678901234567890"),
        Just("0.123456789012345678901234567891"),
        Just("-7.5"),
        Just("9007199254740993"),
    ];
    prop_oneof![any::<i64>().prop_map(Json::from), long.prop_map(|text| serde_json::from_str(text).expect("a number"))]
}

fn anything() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![Just(Json::Null), any::<bool>().prop_map(Json::from), word(), number()];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::from),
            prop::collection::btree_map("[a-c]", inner, 0..3)
                .prop_map(|members| Json::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// An optional value: often absent.
fn maybe(value: impl Strategy<Value = Json> + 'static) -> BoxedStrategy<Json> {
    prop_oneof![1 => Just(Json::Null), 2 => value].boxed()
}

fn object(members: Vec<(&'static str, BoxedStrategy<Json>)>) -> BoxedStrategy<Json> {
    let (names, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    values.prop_map(move |values| Json::Object(names.iter().map(|name| (*name).to_owned()).zip(values).collect())).boxed()
}

fn list(element: BoxedStrategy<Json>) -> BoxedStrategy<Json> {
    prop::collection::vec(element, 0..4).prop_map(Json::from).boxed()
}

fn by_key(element: BoxedStrategy<Json>) -> BoxedStrategy<Json> {
    prop::collection::btree_map("[a-c]", element, 0..3).prop_map(|members| Json::Object(members.into_iter().collect())).boxed()
}

fn config() -> BoxedStrategy<Json> {
    let single = object(vec![("port", number().boxed()), ("note", maybe(word()))]);
    let rule = object(vec![("path", word().boxed()), ("weight", maybe(number())), ("zone", maybe(word()))]);
    let member = object(vec![("name", word().boxed()), ("role", maybe(word()))]);
    let entry = object(vec![("value", maybe(word()))]);
    let policy = object(vec![("level", maybe(word()))]);
    object(vec![
        ("name", word().boxed()),
        ("size", maybe(number())),
        ("weight", maybe(number())),
        ("tags", maybe(list(word().boxed()))),
        ("labels", maybe(by_key(maybe(word())))),
        ("sizes", maybe(list(number().boxed()))),
        ("any", maybe(anything())),
        ("host", maybe(word())),
        ("token", maybe(word())),
        ("secret_wo", maybe(word())),
        ("single", maybe(single)),
        ("rules", maybe(list(rule))),
        ("members", maybe(list(member))),
        ("by_key", maybe(by_key(entry))),
        ("policy", maybe(policy)),
    ])
}

/// `config` with the leaves that `hidden` chooses, in order, made unknown.
fn hide(config: &Json, hidden: &mut impl Iterator<Item = bool>) -> Json {
    match config {
        Json::Array(elements) if !elements.is_empty() => {
            if hidden.next() == Some(true) {
                return unknown();
            }
            Json::Array(elements.iter().map(|element| hide(element, hidden)).collect())
        }
        Json::Object(members) => Json::Object(members.iter().map(|(name, value)| (name.clone(), hide(value, hidden))).collect()),
        leaf => {
            if hidden.next() == Some(true) {
                unknown()
            } else {
                leaf.clone()
            }
        }
    }
}

/// A mistake of the configuration that the provider names is no defect.
fn is_named(failure: &Failure) -> bool {
    failure.violations.is_empty() && failure.says("Duplicate set elements")
}

async fn lives(first: Json, second: Json, hidden: Vec<bool>) -> Result<(), Failure> {
    let (core, _) = core().await;
    let instance = core.converge("toy_thing", None, &first).await?;
    let refreshed = core.refresh(&instance).await?;
    let plan = core.plan("toy_thing", refreshed.as_ref(), hide(&second, &mut hidden.into_iter())).await?;
    let applied = core.apply_with(&plan, &second).await.success()?;
    let applied = core.converge("toy_thing", applied.as_ref(), &second).await?;
    let back = core.converge("toy_thing", Some(&applied), &first).await?;
    core.destroy(&back).await.success()?;
    Ok(())
}

/// Few cases on every run; `PROPTEST_CASES` asks for more.
fn bounded() -> ProptestConfig {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { ProptestConfig::default().cases } else { 96 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(bounded())]

    #[test]
    fn core_finds_no_violation(first in config(), second in config(), hidden in prop::collection::vec(any::<bool>(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let result = runtime.block_on(lives(first, second, hidden));
        if let Err(failure) = result {
            prop_assert!(is_named(&failure), "{failure}");
        }
    }
}

#[tokio::test]
async fn the_property_can_fail() {
    let (core, world) = core().await;
    world.break_with(super::Fault::BreakPromise);
    let failure = core.converge("toy_thing", None, json!({"name": "a"})).await.expect_err("an error");
    assert!(!is_named(&failure));
}
