//! Each rule with an example that keeps it and one that breaks it.

use tf_value::schema::{Attribute, Kind, Nesting, Schema};
use tf_value::{Path, Type, Value};

use super::*;

fn schema() -> Schema {
    let nested = || {
        vec![
            Attribute::required("name", Type::String, ""),
            Attribute::optional("role", Type::String, "").default(Value::string("member")),
            Attribute::computed("uid", Type::String, ""),
        ]
    };
    let mut secret = Attribute::optional("secret", Type::String, "");
    secret.write_only = true;
    let attributes = vec![
        Attribute::optional("plain", Type::String, ""),
        Attribute::computed("given", Type::String, ""),
        Attribute::optional("token", Type::String, "").sensitive(),
        Attribute::optional("numbers", Type::list(Type::Number), ""),
        Attribute::optional("words", Type::map(Type::String), ""),
        Attribute::optional("tags", Type::set(Type::String), ""),
        Attribute::optional("any", Type::Dynamic, ""),
        secret,
        Attribute::optional("single", Kind::single(nested()), ""),
        Attribute::optional("list", Kind::list(nested()), ""),
        Attribute::optional("map", Kind::map(nested()), ""),
        Attribute::optional("set", Kind::Nested(Nesting::Set, nested()), ""),
        Attribute::optional_computed("made", Kind::single(nested()), ""),
    ];
    Schema { version: 0, description: String::new(), attributes }
}

/// An object with these attributes set.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let all = schema().attributes.into_iter().map(|attribute| (attribute.name, Value::Null));
    let mut all: std::collections::BTreeMap<_, _> = all.collect();
    all.extend(members.map(|(name, value)| (name.to_owned(), value)));
    Value::Map(all)
}

fn element(name: &str, role: Value, uid: Value) -> Value {
    Value::map([("name", Value::string(name)), ("role", role), ("uid", uid)])
}

fn text(text: &str) -> Value {
    Value::string(text)
}

type Found = Vec<(Rule, String)>;

fn found(violations: Vec<Violation>) -> Found {
    violations.into_iter().map(|violation| (violation.rule, violation.path.to_string())).collect()
}

fn planning(prior: &Value, config: &Value, planned: &Value) -> Found {
    found(plan_valid(&schema(), prior, config, planned, &[]))
}

fn applying(planned: &Value, actual: &Value) -> Found {
    found(object_compatible(&schema(), planned, actual, Stage::Applied))
}

fn broken(rule: Rule, path: &str) -> Found {
    vec![(rule, path.to_owned())]
}

const NOTHING: Value = Value::Null;

mod plans {
    use super::*;

    #[test]
    fn absence_follows_the_configuration() {
        assert_eq!(planning(&NOTHING, &object([]), &object([])), []);
        assert_eq!(planning(&object([]), &NOTHING, &NOTHING), []);
        assert_eq!(planning(&NOTHING, &object([]), &NOTHING), broken(Rule::Presence, ""));
        assert_eq!(planning(&object([]), &NOTHING, &object([])), broken(Rule::Presence, ""));
        assert_eq!(planning(&NOTHING, &object([]), &Value::unknown()), broken(Rule::Presence, ""));
    }

    #[test]
    fn a_configured_value_is_planned_as_it_is() {
        let config = object([("plain", text("a"))]);
        assert_eq!(planning(&NOTHING, &config, &config), []);
        assert_eq!(planning(&NOTHING, &config, &object([("plain", text("b"))])), broken(Rule::MatchesConfig, "plain"));
        assert_eq!(planning(&NOTHING, &config, &object([("plain", Value::unknown())])), broken(Rule::MatchesConfig, "plain"));
        assert_eq!(planning(&NOTHING, &config, &object([])), broken(Rule::MatchesConfig, "plain"));
        let unknown = object([("plain", Value::unknown())]);
        assert_eq!(planning(&NOTHING, &unknown, &unknown), []);
        assert_eq!(planning(&NOTHING, &unknown, &config), broken(Rule::MatchesConfig, "plain"));
    }

    #[test]
    fn the_prior_value_may_stay_where_something_is_configured() {
        let (prior, config) = (object([("plain", text("A"))]), object([("plain", text("a"))]));
        assert_eq!(planning(&prior, &config, &prior), []);
        assert_eq!(planning(&prior, &object([]), &prior), broken(Rule::NotComputed, "plain"));
        assert_eq!(planning(&object([]), &config, &object([])), broken(Rule::MatchesConfig, "plain"), "a null one may not");
    }

    #[test]
    fn only_computed_attributes_get_what_nobody_configured() {
        for value in [text("x"), Value::unknown()] {
            assert_eq!(planning(&NOTHING, &object([]), &object([("given", value.clone())])), []);
            assert_eq!(planning(&NOTHING, &object([]), &object([("plain", value)])), broken(Rule::NotComputed, "plain"));
        }
    }

    #[test]
    fn write_only_attributes_are_planned_null() {
        let config = object([("secret", text("hush"))]);
        assert_eq!(planning(&NOTHING, &config, &object([])), []);
        assert_eq!(planning(&NOTHING, &config, &config), broken(Rule::WriteOnly, "secret"));
    }

    #[test]
    fn nested_objects_are_planned_as_configured_with_computed_parts_free() {
        let wrap = |name: &'static str, element: Value| match name {
            "single" => object([(name, element)]),
            "list" => object([(name, Value::List(vec![element]))]),
            "map" => object([(name, Value::map([("k", element)]))]),
            _ => object([("set", Value::set([element]))]),
        };
        for (name, place) in [("single", "single"), ("list", "list[0]"), ("map", "map[\"k\"]")] {
            let config = wrap(name, element("a", NOTHING, NOTHING));
            let planned = wrap(name, element("a", text("member"), Value::unknown()));
            assert_eq!(planning(&NOTHING, &config, &planned), [], "{name}");
            let other = wrap(name, element("b", NOTHING, NOTHING));
            assert_eq!(planning(&NOTHING, &config, &other), broken(Rule::MatchesConfig, &format!("{place}.name")));
            let unknown = wrap(name, Value::unknown());
            assert_eq!(planning(&NOTHING, &config, &unknown), broken(Rule::NestedUnknown, place));
            let null = wrap(name, NOTHING);
            assert_eq!(planning(&NOTHING, &config, &null), broken(Rule::Presence, place));
        }
        let config = wrap("set", element("a", NOTHING, NOTHING));
        assert_eq!(planning(&NOTHING, &config, &wrap("set", element("a", text("x"), Value::unknown()))), []);
        let other = planning(&NOTHING, &config, &wrap("set", element("b", NOTHING, NOTHING)));
        assert_eq!(other.first(), Some(&(Rule::SetElements, "set".to_owned())));
    }

    #[test]
    fn nested_collections_are_neither_unknown_nor_known_on_their_own() {
        let known = object([("list", Value::List(vec![]))]);
        let unknown = object([("list", Value::unknown())]);
        assert_eq!(planning(&NOTHING, &unknown, &unknown), []);
        assert_eq!(planning(&NOTHING, &known, &unknown), broken(Rule::NestedUnknown, "list"));
        assert_eq!(planning(&NOTHING, &unknown, &known), broken(Rule::MatchesConfig, "list"));
    }

    #[test]
    fn nested_collections_have_the_configured_count_and_keys() {
        let one = || element("a", NOTHING, NOTHING);
        let config = object([("list", Value::List(vec![one(), one()]))]);
        assert_eq!(planning(&NOTHING, &config, &config), []);
        assert_eq!(planning(&NOTHING, &config, &object([("list", Value::List(vec![one()]))])), broken(Rule::Count, "list"));
        let config = object([("map", Value::map([("k", one())]))]);
        let planned = object([("map", Value::map([("l", one())]))]);
        assert_eq!(
            planning(&NOTHING, &config, &planned),
            [(Rule::Keys, "map[\"l\"]".to_owned()), (Rule::Keys, "map[\"k\"]".to_owned())]
        );
        let config = object([("set", Value::set([one(), element("b", NOTHING, NOTHING)]))]);
        assert_eq!(planning(&NOTHING, &config, &object([("set", Value::set([one()]))])), broken(Rule::Count, "set"));
    }

    #[test]
    fn a_prior_element_does_not_excuse_a_set_element() {
        let prior = object([("set", Value::set([element("A", text("x"), text("1")), element("b", text("x"), text("2"))]))]);
        let config = object([("set", Value::set([element("a", text("x"), NOTHING)]))]);
        let planned = object([("set", Value::set([element("A", text("x"), text("1"))]))]);
        assert!(!planning(&prior, &config, &planned).is_empty());
        let list = |name: &str, uid: Value| object([("list", Value::List(vec![element(name, text("x"), uid)]))]);
        assert_eq!(planning(&list("A", text("1")), &list("a", NOTHING), &list("A", text("1"))), [], "in a list it does");
    }

    #[test]
    fn a_computed_nested_object_is_free_while_nothing_is_configured() {
        let made = object([("made", element("x", NOTHING, NOTHING))]);
        assert_eq!(planning(&NOTHING, &object([]), &made), []);
        assert_eq!(planning(&NOTHING, &object([]), &object([("made", Value::unknown())])), []);
        assert_eq!(planning(&NOTHING, &made, &object([("made", Value::unknown())])), broken(Rule::NestedUnknown, "made"));
    }

    #[test]
    fn replacement_paths_exist_before_or_after() {
        let prior = object([("numbers", Value::List(vec![Value::int(1)]))]);
        let planned = object([("numbers", Value::List(vec![Value::int(1), Value::int(2)]))]);
        let judge = |prior: &Value, path: Path| found(plan_valid(&schema(), prior, &planned, &planned, &[path]));
        let numbers = Path::of("numbers");
        assert_eq!(judge(&prior, numbers.index(1)), []);
        assert_eq!(judge(&prior, numbers.index(2)), broken(Rule::ReplacePath, "numbers[2]"));
        assert_eq!(judge(&NOTHING, numbers.index(2)), [], "ignored on create");
    }
}

mod results {
    use super::*;

    #[test]
    fn presence_is_kept() {
        assert_eq!(applying(&object([]), &object([])), []);
        assert_eq!(applying(&NOTHING, &NOTHING), []);
        assert_eq!(applying(&object([]), &NOTHING), broken(Rule::Presence, ""));
        assert_eq!(applying(&NOTHING, &object([])), broken(Rule::Presence, ""));
        assert_eq!(applying(&object([]), &object([("plain", text("x"))])), broken(Rule::Presence, "plain"));
        assert_eq!(applying(&object([("plain", text("x"))]), &object([])), broken(Rule::Presence, "plain"));
    }

    #[test]
    fn known_values_stay_and_unknown_ones_become_anything() {
        let planned = object([("plain", text("a")), ("given", Value::unknown())]);
        for given in [text("x"), NOTHING] {
            assert_eq!(applying(&planned, &object([("plain", text("a")), ("given", given)])), []);
        }
        let actual = object([("plain", text("b")), ("given", text("x"))]);
        assert_eq!(applying(&planned, &actual), broken(Rule::KnownValue, "plain"));
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let numbers = |text: &str| {
            let number = tf_value::Number::parse(text).expect("a number");
            object([("numbers", Value::List(vec![Value::Number(number)]))])
        };
        assert_eq!(applying(&numbers("1.0"), &numbers("1")), []);
        assert_eq!(applying(&numbers("0.1"), &numbers("0.10000000000000001")), broken(Rule::KnownValue, "numbers[0]"));
    }

    #[test]
    fn nothing_unknown_is_left_after_apply_but_after_the_second_plan() {
        let unknown = object([("given", Value::unknown())]);
        assert_eq!(applying(&unknown, &unknown), broken(Rule::UnknownLeft, "given"));
        let second = |planned: &Value, actual: &Value| found(object_compatible(&schema(), planned, actual, Stage::SecondPlan));
        assert_eq!(second(&unknown, &unknown), []);
        assert_eq!(second(&unknown, &object([("given", text("x"))])), []);
        assert_eq!(second(&object([("given", text("x"))]), &unknown), broken(Rule::KnownValue, "given"));
    }

    #[test]
    fn collections_keep_length_and_keys() {
        let numbers = |count| object([("numbers", Value::List(vec![Value::int(1); count]))]);
        assert_eq!(applying(&numbers(2), &numbers(2)), []);
        assert_eq!(applying(&numbers(2), &numbers(1)), broken(Rule::Count, "numbers"));
        let words = |key: &str| object([("words", Value::map([(key, text("x"))]))]);
        assert_eq!(applying(&words("a"), &words("a")), []);
        assert_eq!(
            applying(&words("a"), &words("b")),
            [(Rule::Keys, "words[\"a\"]".to_owned()), (Rule::Keys, "words[\"b\"]".to_owned())]
        );
        let map = |key: &str| object([("map", Value::map([(key, element("a", NOTHING, NOTHING))]))]);
        assert_eq!(applying(&map("a"), &map("a")), []);
        assert_eq!(applying(&map("a"), &map("b")).len(), 2);
        let list = |count| object([("list", Value::List(vec![element("a", NOTHING, NOTHING); count]))]);
        assert_eq!(applying(&list(1), &list(2)), broken(Rule::Count, "list"));
    }

    #[test]
    fn sets_may_shrink_but_not_grow() {
        let tags = |tags: Vec<Value>| object([("tags", Value::set(tags))]);
        let planned = tags(vec![text("a"), Value::unknown()]);
        assert_eq!(applying(&planned, &tags(vec![text("a"), text("b")])), []);
        assert_eq!(applying(&planned, &tags(vec![text("a")])), [], "the unknown one turned out to be a");
        assert_eq!(applying(&planned, &tags(vec![text("b")])), broken(Rule::SetElements, "tags"));
        assert_eq!(applying(&planned, &tags(vec![text("a"), text("b"), text("c")])), broken(Rule::Count, "tags"));
        assert!(!applying(&tags(vec![text("a")]), &tags(vec![text("b")])).is_empty());
        let set = |uid: Value| object([("set", Value::set([element("a", NOTHING, uid)]))]);
        assert_eq!(applying(&set(Value::unknown()), &set(text("1"))), []);
        assert!(!applying(&set(text("2")), &set(text("1"))).is_empty());
    }

    #[test]
    fn nested_values_are_compared_at_their_place() {
        let single = |uid: Value| object([("single", element("a", NOTHING, uid))]);
        assert_eq!(applying(&single(Value::unknown()), &single(text("1"))), []);
        assert_eq!(applying(&single(text("2")), &single(text("1"))), broken(Rule::KnownValue, "single.uid"));
        let list = |uid: Value| object([("list", Value::List(vec![element("a", NOTHING, uid)]))]);
        assert_eq!(applying(&list(text("2")), &list(text("1"))), broken(Rule::KnownValue, "list[0].uid"));
    }

    #[test]
    fn dynamic_values_keep_the_type_that_is_known() {
        let any = |ty: Type, value: Value| object([("any", Value::dynamic(ty, value))]);
        let planned = any(Type::object([("a", Type::Dynamic)]), Value::map([("a", Value::unknown())]));
        let actual = any(Type::object([("a", Type::Number)]), Value::map([("a", Value::int(1))]));
        assert_eq!(applying(&planned, &actual), []);
        assert_eq!(applying(&actual, &any(Type::String, text("1"))), broken(Rule::Type, "any"));
        let other = any(Type::object([("b", Type::Number)]), Value::map([("b", Value::int(1))]));
        assert_eq!(applying(&planned, &other), broken(Rule::Type, "any"));
    }

    #[test]
    fn write_only_attributes_are_never_stored() {
        assert_eq!(applying(&object([]), &object([])), []);
        assert_eq!(applying(&object([]), &object([("secret", text("hush"))])), broken(Rule::WriteOnly, "secret"));
    }
}

#[test]
fn a_sensitive_value_is_in_no_message() {
    let (config, other) = (object([("token", text("abc123"))]), object([("token", text("xyz789"))]));
    let plan = plan_valid(&schema(), &object([("token", text("old456"))]), &config, &other, &[]);
    let result = object_compatible(&schema(), &config, &other, Stage::Applied);
    let absent = plan_valid(&schema(), &NOTHING, &object([]), &config, &[]);
    assert_eq!((plan.len(), result.len(), absent.len()), (1, 1, 1));
    for violation in plan.iter().chain(&result).chain(&absent) {
        let message = violation.to_string();
        assert!(message.contains("(sensitive value)"), "{message}");
        assert!(!["abc123", "xyz789", "old456"].iter().any(|secret| message.contains(secret)), "{message}");
    }
}

#[test]
fn a_message_names_rule_place_and_values() {
    let planned = object([("plain", text("a"))]);
    let found = object_compatible(&schema(), &planned, &object([("plain", text("b"))]), Stage::Applied);
    assert_eq!(found[0].to_string(), "rule \"known value is kept\" at plain: was \"a\", but now \"b\"");
    let long = object([("plain", text(&"x".repeat(10_000)))]);
    let found = object_compatible(&schema(), &long, &planned, Stage::Applied);
    assert!(found[0].to_string().len() < 300);
}
