use tf_value::schema::{Attribute, Kind, Nesting, Schema};
use tf_value::{Path, Type, Value};

use super::sets::{Computed, realign};
use super::{fill_config, null_unknown, null_write_only, replace, steps, write_only_set};
use tf_value::Diagnostics;

fn schema(attributes: Vec<Attribute>) -> Schema {
    Schema { version: 0, description: String::new(), attributes }
}

fn nested() -> Vec<Attribute> {
    vec![
        Attribute::required("name", Type::String, ""),
        Attribute::optional("role", Type::String, "").default(Value::string("member")),
        Attribute::optional("zone", Type::String, "").replaces(),
        Attribute::computed("uid", Type::String, "").keeps(),
        Attribute::computed("count", Type::Number, ""),
    ]
}

fn element(name: &str, role: &str, zone: &str, uid: &str) -> Value {
    let text = |text: &str| if text.is_empty() { Value::Null } else { Value::string(text) };
    Value::map([("name", text(name)), ("role", text(role)), ("zone", text(zone)), ("uid", text(uid)), ("count", Value::Null)])
}

fn all_nestings() -> Schema {
    schema(vec![
        Attribute::optional("single", Kind::single(nested()), ""),
        Attribute::optional("list", Kind::list(nested()), ""),
        Attribute::optional("map", Kind::map(nested()), ""),
        Attribute::optional("set", Kind::Nested(Nesting::Set, nested()), ""),
    ])
}

fn everywhere(element: &Value) -> Value {
    Value::map([
        ("single", element.clone()),
        ("list", Value::List(vec![element.clone()])),
        ("map", Value::map([("k", element.clone())])),
        ("set", Value::set([element.clone()])),
    ])
}

#[test]
fn defaults_reach_every_nesting_and_only_what_is_null() {
    let filled = |config: &Value| fill_config(&all_nestings(), config, &mut Diagnostics::new());
    assert_eq!(filled(&everywhere(&element("a", "", "", ""))), everywhere(&element("a", "member", "", "")));
    assert_eq!(filled(&everywhere(&element("a", "lead", "", ""))), everywhere(&element("a", "lead", "", "")));
    let unknown = Value::map([("single", Value::unknown()), ("list", Value::Null)]);
    let found = filled(&unknown);
    assert!(found.get("single").is_unknown() && found.get("list").is_null());
}

#[test]
fn a_default_wins_over_the_prior_value_in_the_proposal() {
    let schema = schema(vec![Attribute::optional("weight", Type::Number, "").default(Value::int(1))]);
    let (config, proposed) = (Value::map([("weight", Value::Null)]), Value::map([("weight", Value::int(7))]));
    assert_eq!(steps::fill_proposal(&schema, &config, proposed), Value::map([("weight", Value::int(1))]));
}

#[test]
fn what_changes_makes_computed_values_unknown_except_kept_ones() {
    let config = everywhere(&element("a", "", "", ""));
    let proposed = everywhere(&element("a", "member", "", "1"));
    let marked = steps::mark_unknown(&all_nestings(), &config, proposed);
    for element in [marked.get("single"), &marked.get("list").as_elements().expect("a list")[0], marked.get("map").get("k")] {
        assert_eq!(element.get("uid"), &Value::string("1"), "kept");
        assert!(element.get("count").is_unknown(), "not kept");
        assert_eq!(element.get("role"), &Value::string("member"), "a default is known");
    }
    let fresh = steps::mark_unknown(&all_nestings(), &config, everywhere(&element("a", "member", "", "")));
    assert!(fresh.get("single").get("uid").is_unknown(), "nothing there to keep");
}

#[test]
fn set_elements_continue_the_prior_element_that_they_really_resemble() {
    let attributes = all_nestings().attributes;
    let set = |elements: Vec<Value>| Value::map([("set", Value::set(elements))]);
    let prior = set(vec![element("a", "lead", "", "1"), element("a", "member", "", "2")]);
    let filled = set(vec![element("a", "lead", "", ""), element("a", "member", "", "")]);
    // core would have given uid 1 to the element without a role
    let confused = set(vec![element("a", "member", "", "1"), element("a", "lead", "", "")]);
    assert_eq!(realign(&attributes, &prior, &filled, confused.clone(), Computed::Prior), prior);
    let marked = realign(&attributes, &prior, &filled, confused, Computed::Unknown);
    for element in marked.get("set").as_elements().expect("a set") {
        assert!(element.get("uid").as_str().is_some() && element.get("count").is_unknown());
    }
}

#[test]
fn replacing_attributes_are_found_at_every_nesting() {
    let paths = |prior: &Value, planned: &Value| replace::replaced_paths(&all_nestings(), prior, planned);
    let (before, after) = (everywhere(&element("a", "", "z1", "1")), everywhere(&element("a", "", "z2", "1")));
    assert_eq!(
        paths(&before, &after),
        [
            Path::of("single").attribute("zone"),
            Path::of("list").index(0).attribute("zone"),
            Path::of("map").key("k").attribute("zone"),
            Path::of("set"),
        ]
    );
    assert_eq!(paths(&before, &everywhere(&element("b", "x", "z1", "2"))), [], "other attributes do not replace");
    let none = Value::map([("single", Value::Null), ("list", Value::Null), ("map", Value::Null), ("set", Value::Null)]);
    assert_eq!(paths(&before, &none).len(), 4, "taken out");
    assert_eq!(paths(&none, &after).len(), 4, "put in");
    assert_eq!(paths(&none, &everywhere(&element("a", "", "", ""))), [], "put in without a value");
    let unknown =
        Value::map([("single", Value::unknown()), ("list", Value::unknown()), ("map", Value::Null), ("set", Value::Null)]);
    assert_eq!(paths(&none, &unknown), [Path::of("single"), Path::of("list")]);
}

#[test]
fn write_only_attributes_are_found_and_nulled_at_every_nesting() {
    let secret = || {
        let mut secret = Attribute::optional("secret", Type::String, "");
        secret.write_only = true;
        secret
    };
    let schema = schema(vec![
        secret(),
        Attribute::optional("single", Kind::single(vec![secret()]), ""),
        Attribute::optional("list", Kind::list(vec![secret()]), ""),
        Attribute::optional("map", Kind::map(vec![secret()]), ""),
    ]);
    let value = |value: Value| {
        let inner = Value::map([("secret", value.clone())]);
        Value::map([
            ("secret", value),
            ("single", inner.clone()),
            ("list", Value::List(vec![inner.clone()])),
            ("map", Value::map([("secret", inner)])),
        ])
    };
    assert_eq!(null_write_only(&schema, value(Value::string("x"))), value(Value::Null));
    assert_eq!(
        write_only_set(&schema.attributes, &value(Value::unknown())),
        [
            Path::of("secret"),
            Path::of("single").attribute("secret"),
            Path::of("list").index(0).attribute("secret"),
            Path::of("map").key("secret").attribute("secret"),
        ]
    );
    assert_eq!(write_only_set(&schema.attributes, &value(Value::Null)), []);
}

#[test]
fn unknown_parts_become_null() {
    let value = Value::map([("a", Value::List(vec![Value::unknown(), Value::int(1)])), ("b", Value::set([Value::unknown()]))]);
    let wanted = Value::map([("a", Value::List(vec![Value::Null, Value::int(1)])), ("b", Value::set([Value::Null]))]);
    assert_eq!(null_unknown(value), wanted);
}
