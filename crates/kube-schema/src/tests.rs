//! Verdicts of small definitions.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::testing::{Choices, Maker, damage};
use crate::{Definition, Verdict};

fn definition(spec: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": {"type": "object"}}}},
            }],
        },
    })
}

fn thing(spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": "b"}, "spec": spec})
}

fn verdict(schema: &Value, spec: &Value) -> Verdict {
    Definition::read(&definition(schema)).unwrap().check(&thing(spec), None)
}

/// The violations as lines.
fn lines(verdict: &Verdict) -> Vec<String> {
    verdict.violations.iter().map(|violation| format!("{}: {}", violation.path, violation.what)).collect()
}

/// Checks a spec against the schema of one property `it` and compares the violations.
fn check(it: &Value, value: &Value, expected: &[&str]) {
    let schema = json!({"type": "object", "properties": {"it": it}});
    assert_eq!(lines(&verdict(&schema, &json!({"it": value}))), expected, "{it} {value}");
}

#[test]
fn every_validation_refuses_and_accepts() {
    let text = |more: Value| merged(&json!({"type": "string"}), &more);
    let whole = |more: Value| merged(&json!({"type": "integer"}), &more);
    let list = |more: Value| merged(&json!({"type": "array", "items": {"type": "integer"}}), &more);
    let cases: Vec<(Value, Value, Vec<&str>)> = vec![
        (text(json!({})), json!("a"), vec![]),
        (text(json!({})), json!(1), vec!["spec.it: must be a string, not a number"]),
        (text(json!({})), Value::Null, vec!["spec.it: must be a string, not null"]),
        (text(json!({"nullable": true})), Value::Null, vec![]),
        (text(json!({"enum": ["a", "b"]})), json!("c"), vec!["spec.it: must be one of \"a\", \"b\", not \"c\""]),
        (text(json!({"maxLength": 2})), json!("éé"), vec![]),
        (text(json!({"maxLength": 2})), json!("éée"), vec!["spec.it: must have at most 2 characters, and has 3"]),
        (text(json!({"minLength": 1})), json!(""), vec!["spec.it: must have at least 1 character, and has 0"]),
        (text(json!({"pattern": "^[a-z]+$"})), json!("A"), vec!["spec.it: must match ^[a-z]+$, and \"A\" does not"]),
        (text(json!({"format": "ipv4"})), json!("1.2.3"), vec!["spec.it: must be an IPv4 address, and \"1.2.3\" is not"]),
        (text(json!({"format": "something"})), json!("1.2.3"), vec![]),
        (whole(json!({})), json!(1.0), vec![]),
        (whole(json!({})), json!(1.5), vec!["spec.it: must be a whole number, not a number"]),
        (whole(json!({"format": "int32"})), json!(1_u64 << 31), vec!["spec.it: must be a whole number of 32 bits"]),
        (whole(json!({"minimum": 1})), json!(0), vec!["spec.it: must be greater than or equal to 1"]),
        (whole(json!({"minimum": 1, "exclusiveMinimum": true})), json!(1), vec!["spec.it: must be greater than 1"]),
        (whole(json!({"maximum": 1})), json!(2), vec!["spec.it: must be less than or equal to 1"]),
        (whole(json!({"multipleOf": 3})), json!(4), vec!["spec.it: must be a multiple of 3"]),
        (json!({"type": "number"}), json!(1), vec![]),
        (json!({"type": "boolean"}), json!("true"), vec!["spec.it: must be a boolean, not a string"]),
        (json!({"x-kubernetes-int-or-string": true}), json!("80%"), vec![]),
        (
            json!({"x-kubernetes-int-or-string": true}),
            json!(1.5),
            vec!["spec.it: must be a whole number or a string, not a number"],
        ),
        (list(json!({"maxItems": 1})), json!([1, 2]), vec!["spec.it: must have at most 1 item, and has 2"]),
        (list(json!({"uniqueItems": true})), json!([1, 1]), vec!["spec.it[1]: is there twice"]),
        (list(json!({"x-kubernetes-list-type": "set"})), json!([1, 1.0]), vec!["spec.it[1]: is there twice: 1.0"]),
        (list(json!({})), json!([1, "a"]), vec!["spec.it[1]: must be a whole number, not a string"]),
        (json!({"type": "object", "required": ["a"]}), json!({}), vec!["spec.it.a: is required"]),
        (json!({"type": "object"}), json!({"b": 1}), vec!["spec.it.b: is a field that the kind does not have"]),
        (json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}), json!({"b": 1}), vec![]),
        (
            json!({"type": "object", "additionalProperties": {"type": "integer"}}),
            json!({"b": "c"}),
            vec!["spec.it[b]: must be a whole number, not a string"],
        ),
        (
            json!({"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 1}),
            json!({"b": 1, "c": 1}),
            vec!["spec.it: must have at most 1 member, and has 2"],
        ),
    ];
    for (schema, value, expected) in &cases {
        check(schema, value, expected);
    }
}

fn merged(base: &Value, more: &Value) -> Value {
    let mut all = base.as_object().unwrap().clone();
    all.extend(more.as_object().unwrap().clone());
    Value::Object(all)
}

#[test]
fn alternatives_are_counted() {
    let properties = json!({"a": {"type": "integer"}, "b": {"type": "integer"}});
    let one = json!({"type": "object", "properties": properties, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]});
    check(&one, &json!({"a": 1}), &[]);
    check(&one, &json!({}), &["spec.it: must be exactly one of these, and is none: with a; with b"]);
    check(&one, &json!({"a": 1, "b": 1}), &["spec.it: must be exactly one of these, and is 2: with a; with b"]);
    let any = json!({"type": "object", "properties": properties, "anyOf": [{"required": ["a"]}, {"properties": {"b": {"enum": [1]}}, "required": ["b"]}]});
    check(&any, &json!({"b": 1}), &[]);
    check(&any, &json!({"b": 2}), &["spec.it: must be at least one of: with a; with b"]);
    let not = json!({"type": "object", "properties": properties, "not": {"required": ["a"]}});
    check(&not, &json!({"a": 1}), &["spec.it: must not be: with a"]);
    let all = json!({"type": "object", "properties": properties, "allOf": [{"required": ["a"]}, {"required": ["b"]}]});
    check(&all, &json!({"a": 1}), &["spec.it.b: is required"]);
}

#[test]
fn lists_with_keys_have_each_once() {
    let list = json!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name", "port"],
        "items": {"type": "object", "properties": {"name": {"type": "string"}, "port": {"type": "integer", "default": 80}, "x": {"type": "string"}}},
    });
    check(&list, &json!([{"name": "a"}, {"name": "a", "port": 81}]), &[]);
    let twice = "spec.it[1]: is there twice: {\"name\":\"a\",\"port\":80}";
    check(&list, &json!([{"name": "a"}, {"name": "a", "port": 80, "x": "y"}]), &[twice]);
}

fn ruled(rule: &Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "min": {"type": "integer", "default": 5},
            "max": {"type": "integer"},
            "my-name": {"type": "string"},
            "namespace": {"type": "string"},
            "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            "ratio": {"type": "number"},
            "port": {"x-kubernetes-int-or-string": true},
        },
        "x-kubernetes-validations": [rule],
    })
}

#[test]
fn rules_see_defaults_types_and_escaped_names() {
    let good = [
        ("self.min <= self.max", json!({"max": 5})),
        ("self.my__dash__name == 'a' && self.__namespace__ == 'b'", json!({"my-name": "a", "namespace": "b"})),
        ("self.labels['a.b/c'] == 'x' && self.labels.all(k, k.size() < 9)", json!({"labels": {"a.b/c": "x"}})),
        ("self.ratio == 1.0 && type(self.ratio) == double", json!({"ratio": 1})),
        ("type(self.port) == int ? self.port > 0 : self.port.endsWith('%')", json!({"port": "5%"})),
        ("!has(self.labels)", json!({})),
    ];
    for (rule, spec) in good {
        assert_eq!(verdict(&ruled(&json!({"rule": rule})), &spec), Verdict::default(), "{rule}");
    }
    let rule = json!({"rule": "self.min <= self.max", "message": "min is above max", "fieldPath": ".min"});
    assert_eq!(lines(&verdict(&ruled(&rule), &json!({"max": 4}))), ["spec.min: min is above max"]);
    assert_eq!(lines(&verdict(&ruled(&rule), &json!({}))), ["spec.min: makes its rule end with an error: no such key: max"]);
    let rule = json!({"rule": "self.min <= self.max", "messageExpression": "'min is ' + string(self.min)"});
    assert_eq!(lines(&verdict(&ruled(&rule), &json!({"max": 4}))), ["spec: min is 5"]);
    assert_eq!(lines(&verdict(&ruled(&json!({"rule": "false"})), &json!({}))), ["spec: must meet the rule false"]);
}

#[test]
fn a_rule_that_cannot_be_judged_is_told_and_never_passed_over() {
    for (rule, why) in [
        ("nonsense(self)", "the function `nonsense` with 1 arguments is not known here"),
        ("self.min + 'a' == 'b'", "`+` of int and string is not known here"),
        ("object.min > 1", "the name `object` is not known here"),
        ("self.min >", "it ends too early"),
    ] {
        let verdict = verdict(&ruled(&json!({"rule": rule})), &json!({}));
        assert_eq!(lines(&verdict), Vec::<String>::new());
        let told: Vec<_> = verdict.unchecked.iter().map(|all| (all.path.as_str(), all.rule.as_str(), all.why.as_str())).collect();
        assert_eq!(told, [("spec", rule, why)]);
    }
    let pattern = json!({"type": "object", "properties": {"a": {"type": "string", "pattern": "(?<=a)b"}}});
    assert_eq!(verdict(&pattern, &json!({"a": "x"})).unchecked.len(), 1);
}

#[test]
fn an_update_is_held_to_what_it_changes() {
    let schema = json!({
        "type": "object",
        "properties": {"a": {"type": "string", "maxLength": 1}, "b": {"type": "string", "maxLength": 1}},
        "x-kubernetes-validations": [{"rule": "self.b == oldSelf.b", "message": "b stays"}],
    });
    let definition = Definition::read(&definition(&schema)).unwrap();
    let check = |old: Value, new: Value| lines(&definition.check(&thing(&new), Some(&thing(&old))));
    assert_eq!(check(json!({"a": "xx", "b": "y"}), json!({"a": "xx", "b": "y"})), Vec::<String>::new());
    assert_eq!(check(json!({"a": "xx", "b": "yy"}), json!({"a": "x", "b": "yy"})), Vec::<String>::new());
    assert_eq!(
        check(json!({"a": "x", "b": "y"}), json!({"a": "xx", "b": "y"})),
        ["spec.a: must have at most 1 character, and has 2"]
    );
    assert_eq!(check(json!({"a": "x", "b": "y"}), json!({"a": "x", "b": "z"})), ["spec: b stays"]);
    // nothing to compare with
    assert_eq!(definition.check(&thing(&json!({"a": "x", "b": "y"})), None), Verdict::default());
}

#[test]
fn metadata_kind_and_version_are_checked() {
    let definition = Definition::read(&definition(&json!({"type": "object"}))).unwrap();
    let mut object = thing(&json!({}));
    object["status"] = json!({"a": 1});
    // the status is written by somebody else, but its fields are to be known
    assert_eq!(lines(&definition.check(&object, None)), ["status.a: is a field that the kind does not have"]);
    let mut object = thing(&json!({}));
    object["metadata"] =
        json!({"name": "A", "labels": {"a b": "x", "c": "-"}, "annotations": {"A.b/c": "x".repeat(300_000)}, "x": 1});
    let paths: Vec<String> = definition.check(&object, None).violations.into_iter().map(|all| all.path).collect();
    assert_eq!(
        paths,
        ["metadata.x", "metadata.name", "metadata.namespace", "metadata.labels", "metadata.labels[c]", "metadata.annotations"]
    );
    let mut object = thing(&json!({}));
    object["apiVersion"] = json!("example.com/v2");
    assert_eq!(lines(&definition.check(&object, None)), ["apiVersion: must be example.com/v1"]);
    object["kind"] = json!("Other");
    assert_eq!(lines(&definition.check(&object, None)), ["kind: must be Thing"]);
}

#[test]
fn what_is_no_definition_is_refused() {
    for damaged in [
        json!(null),
        json!({}),
        json!({"apiVersion": "apiextensions.k8s.io/v1beta1"}),
        json!({"apiVersion": "apiextensions.k8s.io/v1", "spec": {"versions": 1}}),
    ] {
        assert!(Definition::read(&damaged).is_err());
    }
    let mut deep = json!({"type": "object"});
    for _ in 0..100 {
        deep = json!({"type": "object", "properties": {"a": deep}});
    }
    let verdict = verdict(&deep, &json!({}));
    assert_eq!((verdict.violations.len(), verdict.unchecked.len()), (0, 1), "{verdict:?}");
}

/// Any JSON, with words of schemas more often than not.
fn any_json() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "type",
        "object",
        "array",
        "string",
        "integer",
        "properties",
        "items",
        "required",
        "enum",
        "pattern",
        "format",
        "default",
        "x-kubernetes-validations",
        "rule",
        "message",
        "additionalProperties",
        "oneOf",
        "not",
        "nullable",
        "self",
        "self.a > 1",
        "(",
        "x-kubernetes-list-type",
        "map",
        "x-kubernetes-list-map-keys",
        "a",
        "ipv4",
        "maxLength",
        "x-kubernetes-embedded-resource",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(words.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_definition_and_no_object_panics(schema in any_json(), spec in any_json(), seed in any::<u64>()) {
        let json = definition(&schema);
        if let Ok(definition) = Definition::read(&json) {
            let object = thing(&spec);
            let _ = definition.check(&object, None);
            let _ = definition.check(&object, Some(&thing(&json!({}))));
            let mut choices = Choices::new(seed);
            let mut made = Maker::new(&json, "v1", "b").unwrap().make("a", &mut choices);
            damage(&mut made, &mut choices);
            let _ = definition.check(&made, Some(&object));
        }
        let _ = Definition::read(&spec);
    }
}
