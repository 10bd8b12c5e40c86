use serde_json::json;
use tf_value::{Path, Value};

use super::core;
use crate::testing::unknown;

#[tokio::test]
async fn a_data_source_reads_with_defaults() {
    let (core, _) = core().await;
    let (state, _) = core.read_data("toy_lookup", json!({"name": "x"})).await.expect("a read");
    assert_eq!(state.get("found"), &Value::strings(["x-0", "x-1"]));
    assert_eq!(state.get("limit"), &Value::int(2));
    let (state, _) = core.read_data("toy_lookup", json!({"name": "x", "limit": 1})).await.expect("a read");
    assert_eq!(state.get("found"), &Value::strings(["x-0"]));
}

#[tokio::test]
async fn a_data_source_fails_in_words() {
    let (core, _) = core().await;
    for (name, summary) in [
        ("bad", "Bad name"),
        ("missing", "Nothing found"),
        ("silent", "Bug in the provider"),
        ("unknown", "Bug in the provider"),
        ("panic", "Provider panicked"),
    ] {
        let failure = core.read_data("toy_lookup", json!({"name": name})).await.expect_err("an error");
        assert!(failure.says(summary) && failure.violations.is_empty(), "{name}: {failure}");
    }
}

#[tokio::test]
async fn the_provider_block_gets_its_defaults_and_may_be_unknown() {
    let (core, world) = core().await;
    assert_eq!(world.configured().expect("configured").get("region"), &Value::string("here"));
    core.configure(json!({"region": unknown()})).await.expect("unknown is no error");
    assert!(world.configured().expect("configured").get("region").is_unknown());
    let failure = core.configure(json!({"strict": true})).await.expect_err("an error");
    assert_eq!(failure.diagnostics.iter().next().and_then(|found| found.path.clone()), Some(Path::of("strict")));
}

#[tokio::test]
async fn functions_compute_and_name_the_wrong_argument() {
    let (core, _) = core().await;
    let call = async |separator: &str, words: &[&str]| {
        let arguments = std::iter::once(separator).chain(words.iter().copied()).map(|word| json!(word).into());
        core.call("join", arguments.collect()).await
    };
    assert_eq!(call("-", &["a", "b"]).await, Ok(Value::string("a-b")));
    assert_eq!(call("-", &[]).await, Ok(Value::string("")));
    let error = call("-", &["a", "b-c"]).await.expect_err("an error");
    assert_eq!((error.argument, error.text.as_str()), (Some(2), "The word holds the separator."));
    let error = call("panic", &["a"]).await.expect_err("an error");
    assert!(error.argument.is_none() && error.text.contains("join was asked to panic"), "{error:?}");
    let error = call("wrong", &["a"]).await.expect_err("an error");
    assert!(error.text.contains("does not match its own schema"), "{error:?}");
}

#[tokio::test]
async fn functions_pass_dynamic_null_and_unknown_where_declared() {
    let (core, _) = core().await;
    for argument in [json!({"a": [1, "x"]}), json!(null), unknown(), json!(0.1)] {
        let expected = core.call("echo", vec![argument.clone().into()]).await.expect("an echo");
        assert_eq!(core.call("echo", vec![expected.clone().into()]).await, Ok(expected), "{argument}");
    }
    assert_eq!(core.call("join", vec![unknown().into()]).await, Ok(Value::unknown()));
}
