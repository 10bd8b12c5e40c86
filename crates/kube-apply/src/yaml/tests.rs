//! Round trips, and what kubectl prints.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Number, Value, json};

use super::{emit, load};

fn one(text: &str) -> Value {
    let mut documents = load(text).unwrap();
    assert_eq!(documents.len(), 1, "{text}");
    documents.remove(0)
}

#[test]
fn words_that_readers_disagree_about_come_back_as_strings() {
    let words = [
        "yes",
        "No",
        "ON",
        "off",
        "y",
        "N",
        "true",
        "False",
        "null",
        "~",
        "",
        " ",
        "1e3",
        "0x1f",
        "0644",
        "1.28",
        "12:30",
        "2024-05-01",
        ".inf",
        "nan",
        "-",
        "?",
        ":",
        "- a",
        "a: b",
        "a #b",
        "#",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "%",
        "@",
        "`",
        "{",
        "[",
        "]",
        ",",
        "'",
        "\"",
        "\\",
        "<<",
        "=",
        "---",
        "...",
        "line\nbreak",
        "\n",
        "trailing ",
        " leading",
        "tab\t",
        "\r\n",
        "\u{0}",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{1f600}",
        "\u{1fffe}",
        "ünï",
        "e\u{301}",
    ];
    for word in words {
        for value in [json!(word), json!({ word: word }), json!([word, [word], { word: [word] }])] {
            assert_eq!(one(&emit(&value)), value, "{word:?}\n{}", emit(&value));
        }
    }
}

#[test]
fn the_layout_is_the_one_of_kubectl() {
    let value = json!({
        "spec": {"hosts": ["a.b", "*.c"], "http": [{"name": "x", "route": [{"weight": 1}, {}]}], "empty": [], "none": {}, "nested": [["1"], []]},
        "apiVersion": "networking.istio.io/v1",
    });
    let expected = r#"apiVersion: networking.istio.io/v1
spec:
  empty: []
  hosts:
  - a.b
  - "*.c"
  http:
  - name: x
    route:
    - weight: 1
    - {}
  nested:
  - - "1"
  - []
  none: {}
"#;
    assert_eq!(emit(&value), expected);
    assert_eq!(one(expected), value);
}

#[test]
fn keys_of_any_length_come_back() {
    for length in [1, 127, 999, 1000, 1023, 1024, 5000] {
        let value = json!([{ "k".repeat(length): {"a": 1, "b k".repeat(length): [1]}, "z": 2 }]);
        assert_eq!(one(&emit(&value)), value, "{length}");
    }
}

#[test]
fn numbers_keep_their_digits() {
    for digits in ["0", "-0", "1.10", "1e400", "123456789012345678901234567890", "0.1000000000000000055511151231257827", "-1E-7"]
    {
        let value = Value::Array(vec![Value::Number(Number::from_string_unchecked(digits.to_owned()))]);
        assert_eq!(one(&emit(&value)).to_string(), format!("[{digits}]"));
    }
}

#[test]
fn what_kubectl_prints_is_understood() {
    let text = r#"apiVersion: v1
items:
- apiVersion: v1
  data:
    mesh: |-
      trustDomain: "a.b"
      defaultConfig:
        x: 1

      # a comment inside
    folded: >
      one
      two
  kind: ConfigMap
  metadata:
    annotations:
      a: 'it''s'
      b: "0644"
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1"}
    creationTimestamp: 2024-05-01T10:00:00Z
    labels: {version: "1.28", app: x}
    name: istio
  defaultMode: 420
  version: 1.28 # a float
kind: List
---
# nothing
---
kind: Second
...
"#;
    let documents = load(text).unwrap();
    assert_eq!(documents.len(), 3);
    let item = &documents[0]["items"][0];
    assert_eq!(item["data"]["mesh"], "trustDomain: \"a.b\"\ndefaultConfig:\n  x: 1\n\n# a comment inside");
    assert_eq!(item["data"]["folded"], "one two\n");
    assert_eq!(item["metadata"]["creationTimestamp"], "2024-05-01T10:00:00Z");
    assert_eq!(item["metadata"]["annotations"]["a"], "it's");
    assert_eq!(item["metadata"]["annotations"]["b"], "0644");
    assert_eq!(item["defaultMode"].to_string(), "420");
    assert_eq!(item["version"].to_string(), "1.28");
    assert_eq!(documents[1], Value::Null);
    assert_eq!(documents[2]["kind"], "Second");
}

#[test]
fn what_has_no_json_form_is_refused_with_its_line() {
    for (text, line, word) in [
        ("a: 1\na: 2\n", 2, "twice"),
        ("? [a]\n: b\n", 1, "key"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "merge"),
        ("a: !custom b\n", 1, "tag"),
        ("a: .nan\n", 1, ".nan"),
        ("a: [1\n", 1, "unclosed"),
        ("a: *nowhere\n", 1, ""),
        ("a: &x [*x]\n", 1, "alias"),
        ("a: \"open\n", 1, ""),
    ] {
        let error = load(text).unwrap_err();
        assert!(error.reason.contains(word), "{text}: {error}");
        assert!(error.line >= line, "{text}: {error}");
    }
}

#[test]
fn aliases_are_expanded_within_a_budget() {
    assert_eq!(one("a: &x {b: [1]}\nc: *x\n"), json!({"a": {"b": [1]}, "c": {"b": [1]}}));
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let previous = level - 1;
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{previous}"); 10].join(",")));
    }
    assert!(load(&bomb).unwrap_err().reason.contains("more than"));
}

#[test]
fn deep_nesting_is_refused_not_a_crash() {
    assert!(load(&"[".repeat(100_000)).is_err());
    assert!(load(&(0..5000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>()).is_err());
    let nested = |depth: usize| {
        (0..depth).fold(json!(1), |value, level| if level % 2 == 0 { json!([value]) } else { json!({ "a": value }) })
    };
    let deepest = nested(127);
    assert_eq!(one(&emit(&deepest)), deepest);
    assert_eq!(serde_json::from_str::<Value>(&deepest.to_string()).unwrap(), deepest, "as deep as JSON that is read");
    // in blocks, in flow, and by an alias
    let aliased = format!("a: &x {}\nb: {{c: *x}}\n", "[".repeat(126) + &"]".repeat(126));
    for text in [emit(&nested(128)), "[".repeat(128) + &"]".repeat(128), aliased] {
        assert!(load(&text).unwrap_err().reason.contains("in each other"), "{text}");
    }
}

fn json_values() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(|n| json!(n)),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?"
            .prop_map(|text| Value::Number(Number::from_string_unchecked(text)))
    ];
    let text = prop_oneof![
        "\\PC{0,12}",
        "[-+.0-9eExXo:_ ~#&*!|>'\"%@`{}\\[\\],?\n\t\r\\\\]{0,8}",
        proptest::string::string_regex("(?s).{0,20}").unwrap()
    ];
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::Bool), number, text.clone().prop_map(Value::String)];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(text.clone(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_json_value_comes_back(value in json_values()) {
        let text = emit(&value);
        let back = load(&text).unwrap();
        prop_assert_eq!(back.len(), 1);
        prop_assert_eq!(back[0].to_string(), value.to_string(), "{}", text);
    }
}
