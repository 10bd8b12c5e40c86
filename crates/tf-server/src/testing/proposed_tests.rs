use tf_value::schema::{Attribute, Kind, Nesting, Schema};
use tf_value::{Type, Value};

use super::proposed_new;

fn schema() -> Schema {
    let nested = || {
        vec![
            Attribute::optional("name", Type::String, ""),
            Attribute::optional_computed("role", Type::String, ""),
            Attribute::computed("uid", Type::String, ""),
        ]
    };
    let attributes = vec![
        Attribute::optional("plain", Type::String, ""),
        Attribute::computed("given", Type::String, ""),
        Attribute::optional("single", Kind::single(nested()), ""),
        Attribute::optional("list", Kind::list(nested()), ""),
        Attribute::optional("map", Kind::map(nested()), ""),
        Attribute::optional("set", Kind::Nested(Nesting::Set, nested()), ""),
        Attribute::optional_computed("made", Kind::single(nested()), ""),
    ];
    Schema { version: 0, description: String::new(), attributes }
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let all = schema().attributes.into_iter().map(|attribute| (attribute.name, Value::Null));
    let mut all: std::collections::BTreeMap<_, _> = all.collect();
    all.extend(members.map(|(name, value)| (name.to_owned(), value)));
    Value::Map(all)
}

fn element(name: &str, role: &str, uid: &str) -> Value {
    let text = |text: &str| if text.is_empty() { Value::Null } else { Value::string(text) };
    Value::map([("name", text(name)), ("role", text(role)), ("uid", text(uid))])
}

fn proposed(prior: &Value, config: &Value) -> Value {
    proposed_new(&schema(), prior, config)
}

#[test]
fn the_configuration_wins_and_computed_values_stay() {
    let prior = object([("plain", Value::string("old")), ("given", Value::string("id"))]);
    let config = object([("plain", Value::string("new"))]);
    assert_eq!(proposed(&prior, &config), object([("plain", Value::string("new")), ("given", Value::string("id"))]));
    assert_eq!(proposed(&prior, &object([])), object([("given", Value::string("id"))]), "what is taken out is gone");
    assert_eq!(proposed(&Value::Null, &config), config, "nothing unknown, no default");
}

#[test]
fn nested_objects_are_merged_by_index_key_and_resemblance() {
    let (before, config, after) = (element("a", "r", "1"), element("a", "", ""), element("a", "r", "1"));
    let wrap: [fn(Value) -> Value; 4] = [
        |value| object([("single", value)]),
        |value| object([("list", Value::List(vec![value]))]),
        |value| object([("map", Value::map([("k", value)]))]),
        |value| object([("set", Value::set([value]))]),
    ];
    for wrap in wrap {
        assert_eq!(proposed(&wrap(before.clone()), &wrap(config.clone())), wrap(after.clone()));
    }
    let renamed = element("b", "", "");
    for wrap in &wrap[..3] {
        assert_eq!(proposed(&wrap(before.clone()), &wrap(renamed.clone())), wrap(element("b", "r", "1")));
    }
    assert_eq!(proposed(&wrap[3](before), &wrap[3](renamed)), wrap[3](element("b", "", "")), "a set has no place to keep");
}

#[test]
fn a_prior_set_element_serves_one_configured_element() {
    let set = |elements: Vec<Value>| object([("set", Value::set(elements))]);
    let prior = set(vec![element("a", "r", "1")]);
    let config = set(vec![element("a", "", ""), element("a", "s", "")]);
    let wanted = set(vec![element("a", "r", "1"), element("a", "s", "")]);
    assert_eq!(proposed(&prior, &config), wanted);
}

#[test]
fn an_optional_computed_object_stays_unless_a_user_wrote_into_it() {
    let provider_made = object([("made", element("", "r", "1"))]);
    assert_eq!(proposed(&provider_made, &object([])), provider_made);
    assert_eq!(proposed(&object([("made", element("a", "r", "1"))]), &object([])), object([]));
}

#[test]
fn unknown_and_null_configurations_pass() {
    let prior = object([("list", Value::List(vec![element("a", "r", "1")]))]);
    let unknown = object([("list", Value::unknown())]);
    assert_eq!(proposed(&prior, &unknown), unknown);
    assert!(proposed(&prior, &Value::Null).is_null());
}
