//! The JSON forms: dynamic values, stored state, types, documents without a type.

use serde_json::{Value as Json, json};
use tf_value::codec::json::{decode, decode_state, encode};
use tf_value::{Number, Path, Type, Value};

fn number(text: &str) -> Value {
    Value::Number(Number::parse(text).unwrap())
}

fn assert_both_ways(ty: &Type, text: &str, value: &Value) {
    assert_eq!(decode(ty, text.as_bytes()).as_ref(), Ok(value), "reading {text}");
    assert_eq!(encode(ty, value).unwrap().to_string(), text);
    let json: Json = serde_json::from_str(text).unwrap();
    assert_eq!(decode_state(ty, &json).as_ref(), Ok(value), "reading {text} from a state");
}

fn problem(ty: &Type, text: &str) -> String {
    decode(ty, text.as_bytes()).expect_err("the text is not of this type").to_string()
}

#[test]
fn each_kind_of_value() {
    assert_both_ways(&Type::Bool, "true", &Value::Bool(true));
    assert_both_ways(&Type::String, "\"grün\"", &Value::string("grün"));
    assert_both_ways(&Type::String, "null", &Value::Null);
    assert_both_ways(&Type::list(Type::Number), "[1,null,2.5]", &Value::List(vec![Value::int(1), Value::Null, number("2.5")]));
    assert_both_ways(&Type::set(Type::String), "[\"a\",\"b\"]", &Value::set([Value::string("b"), Value::string("a")]));
    let tuple = Type::Tuple(vec![Type::Bool, Type::String]);
    assert_both_ways(&tuple, "[false,\"x\"]", &Value::List(vec![Value::Bool(false), Value::string("x")]));
    assert_both_ways(&Type::map(Type::Bool), "{\"k\":true}", &Value::map([("k", Value::Bool(true))]));
    let object = Type::object([("a", Type::Number), ("b", Type::Bool)]);
    assert_both_ways(&object, "{\"a\":1,\"b\":null}", &Value::map([("a", Value::int(1)), ("b", Value::Null)]));
    let dynamic = Value::dynamic(Type::list(Type::Bool), Value::List(vec![Value::Bool(true)]));
    assert_both_ways(&Type::Dynamic, "{\"type\":[\"list\",\"bool\"],\"value\":[true]}", &dynamic);
    assert_eq!(decode(&Type::Bool, b""), Ok(Value::Null));
}

#[test]
fn numbers_of_any_size() {
    let long = format!("1{}", "0".repeat(400));
    for text in
        ["0", "-7", "0.1", "1000000000000000000000000000000", "12345678901234567890", "3.14159265358979323846264338328", &long]
    {
        assert_both_ways(&Type::Number, text, &number(text));
        assert_eq!(decode(&Type::Number, format!("\"{text}\"").as_bytes()), Ok(number(text)));
    }
    assert_eq!(decode(&Type::Number, b"1e400"), Ok(number(&long)));
    assert_eq!(encode(&Type::Number, &number("1e400")).unwrap().to_string().replace('+', ""), "1e400");
    assert!(problem(&Type::Number, "1e999999999999").contains("too large"));
}

#[test]
fn scalars_of_an_older_schema_are_converted() {
    assert_eq!(decode_state(&Type::String, &json!(5)), Ok(Value::string("5")));
    assert_eq!(decode_state(&Type::String, &json!(true)), Ok(Value::string("true")));
    assert_eq!(decode_state(&Type::Bool, &json!("false")), Ok(Value::Bool(false)));
    assert_eq!(decode_state(&Type::Number, &json!("5")), Ok(Value::int(5)));
    assert!(decode_state(&Type::Bool, &json!("yes")).is_err());
}

#[test]
fn state_may_stem_from_another_schema() {
    let ty = Type::object([("kept", Type::String), ("new", Type::list(Type::object([("a", Type::Bool), ("b", Type::Bool)])))]);
    let state = json!({"kept": "x", "gone": {"anything": [1]}, "new": [{"a": true, "old": 1}]});
    let element = Value::map([("a", Value::Bool(true)), ("b", Value::Null)]);
    assert_eq!(decode_state(&ty, &state), Ok(Value::map([("kept", Value::string("x")), ("new", Value::List(vec![element]))])),);
    assert_eq!(decode_state(&ty, &json!({})), Ok(Value::map([("kept", Value::Null), ("new", Value::Null)])));

    assert_eq!(problem(&ty, "{\"kept\":null}"), "new: the object lacks this attribute");
    assert!(problem(&ty, "{\"kept\":null,\"new\":null,\"gone\":1}").contains("\"gone\""));
    let wrong = decode_state(&ty, &json!({"new": [{"a": 1}]})).unwrap_err();
    assert_eq!(wrong.to_string(), "new[0].a: expected bool, found a number");
}

#[test]
fn hostile_text_is_refused() {
    assert!(problem(&Type::map(Type::Number), "{\"a\":1,\"a\":2}").contains("the key \"a\" is there twice"));
    assert!(problem(&Type::map(Type::Number), "{\"\u{e9}\":1,\"e\u{301}\":2}").contains("twice"));
    assert!(problem(&Type::Bool, "true true").contains("expected JSON"));
    assert!(problem(&Type::Bool, "tru").contains("expected JSON"));
    assert!(decode(&Type::String, b"\"\xff\"").is_err());
    assert!(decode(&Type::String, b"\"\\ud800\"").is_err());
    assert!(problem(&Type::Dynamic, &"[".repeat(100_000)).contains("recursion limit"));
    assert!(problem(&Type::Dynamic, "{\"type\":\"bool\"}").contains("`type` and `value`"));
    assert!(problem(&Type::Dynamic, "5").contains("found a number"));
    assert!(problem(&Type::Tuple(vec![Type::Bool]), "[]").contains("tuple of 1"));
    let mut deep = json!(null);
    for _ in 0..1000 {
        deep = json!({"type": "dynamic", "value": deep});
    }
    assert!(decode_state(&Type::Dynamic, &deep).unwrap_err().problem.contains("nested too deeply"));
    assert!(
        decode_state(&Type::Number, &serde_json::from_str("{\"$serde_json::private::Number\":{}}").unwrap_or(json!({}))).is_err()
    );
}

#[test]
fn unknown_has_no_json() {
    let ty = Type::object([("l", Type::list(Type::Bool)), ("s", Type::set(Type::Bool))]);
    let value = Value::map([("l", Value::List(vec![Value::Null, Value::unknown()])), ("s", Value::Null)]);
    assert_eq!(encode(&ty, &value).unwrap_err().path, Path::of("l").index(1));
    let value = Value::map([("l", Value::Null), ("s", Value::set([Value::unknown()]))]);
    assert_eq!(encode(&ty, &value).unwrap_err().path, Path::of("s"));
}

#[test]
fn types() {
    let ty = Type::object([
        ("a", Type::list(Type::Number)),
        ("b", Type::set(Type::Bool)),
        ("c", Type::map(Type::Dynamic)),
        ("d", Type::Tuple(vec![Type::String, Type::object::<String>([])])),
    ]);
    let text =
        r#"["object",{"a":["list","number"],"b":["set","bool"],"c":["map","dynamic"],"d":["tuple",["string",["object",{}]]]}]"#;
    assert_eq!(String::from_utf8(ty.to_json_bytes()).unwrap(), text);
    assert_eq!(Type::from_json_bytes(text.as_bytes()), Ok(ty));
    for text in [
        "null",
        "5",
        "\"any\"",
        "\"list\"",
        "[\"list\"]",
        "[\"list\",\"bool\",1]",
        "[\"object\",[]]",
        "[\"tuple\",\"bool\"]",
        "[[]]",
        "{}",
        "",
        "[\"object\",{\"a\":\"bool\",\"a\":\"bool\"}]",
    ] {
        assert!(Type::from_json_bytes(text.as_bytes()).is_err(), "{text}");
    }
    let mut deep = json!("bool");
    for _ in 0..1000 {
        deep = json!(["list", deep]);
    }
    assert!(Type::from_json(&deep).unwrap_err().problem.contains("nested too deeply"));
}

#[test]
fn documents_are_typed_as_literals_are() {
    let document = json!({"kind": "Gateway", "spec": {"ports": [80, "http", null], "weight": 0.5}});
    let (ty, value) = Value::from_json_untyped(&document).unwrap();
    assert_eq!(
        ty,
        Type::object([
            ("kind", Type::String),
            (
                "spec",
                Type::object(
                    [("ports", Type::Tuple(vec![Type::Number, Type::String, Type::Dynamic])), ("weight", Type::Number),]
                )
            ),
        ])
    );
    assert_eq!(value.conform(&ty), Ok(()));
    assert_eq!(value.to_json_untyped(), Ok(document.clone()));
    assert_eq!(Value::dynamic(ty, value).to_json_untyped(), Ok(document));
    assert_eq!(Value::from_json_untyped(&json!(null)), Ok((Type::Dynamic, Value::Null)));

    let huge: Json = serde_json::from_str("{\"a\":[1e999999999999]}").unwrap();
    assert_eq!(Value::from_json_untyped(&huge).unwrap_err().path, Path::of("a").index(0));

    let hidden = Value::dynamic(
        Type::object([("labels", Type::map(Type::String))]),
        Value::map([("labels", Value::map([("app", Value::unknown())]))]),
    );
    assert_eq!(hidden.to_json_untyped().unwrap_err().path, Path::of("labels").key("app"));
}
