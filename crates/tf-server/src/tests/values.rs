use serde_json::{Value as Json, json};
use tf_value::{Number, Value};

use super::{core, create};

fn number(text: &str) -> Json {
    serde_json::from_str(text).expect("a JSON number")
}

#[tokio::test]
async fn numbers_pass_unchanged() {
    let (core, _) = core().await;
    for text in [
        "0.1",
        "1e30",
        "12345678901234567890",
        "-12345678901234567890",
        "0.123456789012345678901234567891",
        "123456789012345678901234567890.5",
        "18446744073709551616",
        "5.5",
        "-0.30000000000000004",
        "9223372036854775807",
    ] {
        let config = json!({"name": "a", "size": number(text), "sizes": [number(text)], "any": [number(text), "x"]});
        let instance = core.converge("toy_thing", None, config).await.unwrap_or_else(|failure| panic!("{text}: {failure}"));
        let state = core.load(&instance).await.expect("a load");
        let wanted = Number::parse(text).expect("a number");
        assert_eq!(state.get("size"), &Value::Number(wanted.clone()), "{text}");
        assert_eq!(state.get("sizes"), &Value::List(vec![Value::Number(wanted)]), "{text}");
    }
}

#[tokio::test]
async fn dynamic_values_of_every_shape_pass() {
    let (core, _) = core().await;
    for any in [
        json!(2.5),
        json!("x"),
        json!(true),
        json!(null),
        json!([]),
        json!([1, "a", null, [false]]),
        json!([{"a": 1}, {"b": {"c": [0.1]}}]),
    ] {
        let instance = core.converge("toy_thing", None, json!({"name": "a", "any": any})).await;
        let instance = instance.unwrap_or_else(|failure| panic!("{any}: {failure}"));
        let found = &instance.state["any"];
        let found = if found.is_null() { found } else { &found["value"] };
        assert_eq!(*found, any);
    }
}

#[tokio::test]
async fn a_dynamic_value_may_change_its_type() {
    let (core, _) = core().await;
    let instance = create(&core, json!({"name": "a", "any": "text"})).await;
    let instance = core.converge("toy_thing", Some(&instance), json!({"name": "a", "any": {"k": [1]}})).await;
    assert_eq!(instance.expect("it converges").state["any"]["value"], json!({"k": [1]}));
}

#[tokio::test]
async fn the_order_of_a_set_means_nothing() {
    let (core, _) = core().await;
    let config = |tags: &[&str], members: Json| json!({"name": "a", "tags": tags, "members": members});
    let instance = create(&core, config(&["b", "a", "c"], json!([{"name": "x"}, {"name": "y"}]))).await;
    let plan = core.plan("toy_thing", Some(&instance), config(&["c", "b", "a"], json!([{"name": "y"}, {"name": "x"}]))).await;
    assert_eq!(plan.expect("a plan").action, crate::testing::Action::NoOp);
}

#[tokio::test]
async fn empty_and_null_collections_are_different() {
    let (core, _) = core().await;
    let config = json!({"name": "a", "tags": [], "rules": [], "members": [], "by_key": {}, "labels": {}});
    let instance = core.converge("toy_thing", None, config).await.expect("it converges");
    assert_eq!(instance.state["tags"], json!([]));
    assert_eq!(instance.state["by_key"], json!({}));
    assert_eq!(instance.state["sizes"], json!(null));
    let instance = core.converge("toy_thing", Some(&instance), json!({"name": "a"})).await.expect("it converges");
    assert_eq!(instance.state["tags"], json!(null));
}

#[tokio::test]
async fn a_large_value_passes() {
    let (core, _) = core().await;
    let text = "x".repeat(5 << 20);
    let instance = create(&core, json!({"name": "a", "host": text})).await;
    assert_eq!(instance.state["host"].as_str().map(str::len), Some(5 << 20));
}
