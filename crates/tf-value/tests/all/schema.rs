//! The rules for schemas, each broken once.

use tf_value::schema::{Attribute, FunctionSchema, IdentityAttribute, IdentitySchema, Kind, Mode, Parameter, Place, Schema};
use tf_value::{Type, Value};

fn schema(attributes: Vec<Attribute>) -> Schema {
    Schema { version: 0, description: String::new(), attributes }
}

fn violations(place: Place, attributes: Vec<Attribute>) -> Vec<String> {
    schema(attributes).violations(place).iter().map(ToString::to_string).collect()
}

fn text(name: &str) -> Attribute {
    Attribute::optional(name, Type::String, "")
}

#[test]
fn a_sound_schema_breaks_no_rule() {
    let nested = || vec![Attribute::required("a", Type::String, ""), text("b").default(Value::string("x"))];
    let attributes = vec![
        Attribute::required("name", Type::String, "").replaces(),
        Attribute::computed("id", Type::String, "").keeps(),
        Attribute::optional_computed("kept", Type::Number, "").keeps(),
        text("token_wo").write_only().sensitive(),
        Attribute::optional("token_wo_version", Type::Number, ""),
        text("old").deprecated("use name"),
        Attribute::optional("one", Kind::single(nested()), ""),
        Attribute::optional("many", Kind::list(nested()), "").default(Value::List(vec![])),
        Attribute::optional("keyed", Kind::map(nested()), ""),
        Attribute::optional("unordered", Kind::set(nested()), ""),
        Attribute::optional("anything", Type::Dynamic, ""),
        Attribute::optional("fixed", Kind::single(vec![Attribute::optional("any", Type::Dynamic, "")]), ""),
    ];
    assert_eq!(violations(Place::Resource, attributes.clone()), [""; 0]);
    assert_eq!(Schema { version: 3, ..schema(attributes) }.violations(Place::Resource), []);
}

#[test]
fn names() {
    for name in ["", "A", "1a", "_a", "a-b", "a.b", "ä", "aB"] {
        let found = violations(Place::Resource, vec![text(name)]);
        assert_eq!(found.len(), 1, "{name:?}");
        assert!(found[0].contains("[a-z][a-z0-9_]*"), "{}", found[0]);
    }
    assert_eq!(violations(Place::Resource, vec![text("a"), text("a")]), ["a: there is another attribute of this name"]);
    let nested = Kind::list(vec![text("x"), text("x"), text("Y")]);
    assert_eq!(
        violations(Place::Resource, vec![text("x"), Attribute::optional("n", nested, "")]),
        ["n.x: there is another attribute of this name", "n.Y: the name does not match [a-z][a-z0-9_]*"],
    );
    assert_eq!(violations(Place::Resource, vec![text("version"), text("alias")]), [""; 0]);
    assert_eq!(violations(Place::Provider, vec![text("version"), text("alias")]).len(), 2);
    assert_eq!(violations(Place::DataSource, vec![text("for_each")]).len(), 1);
    let nested = Attribute::optional("n", Kind::single(vec![text("count")]), "");
    assert_eq!(violations(Place::Resource, vec![nested]), [""; 0], "meta-arguments stand at the top");
}

#[test]
fn versions() {
    assert_eq!(Schema { version: u64::MAX, ..schema(vec![]) }.violations(Place::Resource).len(), 1);
    assert_eq!(Schema { version: 1, ..schema(vec![]) }.violations(Place::DataSource).len(), 1);
}

#[test]
fn defaults() {
    let kinds = [(Mode::Required, 1), (Mode::Computed, 1), (Mode::OptionalComputed, 1), (Mode::Optional, 0)];
    for (mode, count) in kinds {
        let attribute = Attribute { mode, ..text("a").default(Value::string("x")) };
        assert_eq!(violations(Place::Resource, vec![attribute]).len(), count, "{mode:?}");
    }
    for default in [Value::Null, Value::unknown()] {
        assert_eq!(violations(Place::Resource, vec![text("a").default(default)]), ["a: the default is null or unknown"]);
    }
    assert_eq!(
        violations(Place::Resource, vec![text("a").default(Value::int(1))]),
        ["a: the default does not conform to the type: expected string, found a number"],
    );
    let list =
        Attribute::optional("l", Kind::list(vec![text("x")]), "").default(Value::List(vec![Value::map([("y", Value::Null)])]));
    let found = violations(Place::Resource, vec![list]);
    assert!(found[0].contains("[0]: the object has an attribute \"y\""), "{found:?}");
}

#[test]
fn keep_and_deprecation() {
    assert_eq!(violations(Place::Resource, vec![text("a").keeps()]), ["a: `keep` is for computed attributes only"]);
    assert_eq!(violations(Place::Resource, vec![text("a").deprecated("")]), ["a: the deprecation has no text"]);
}

#[test]
fn write_only() {
    let secret = || text("s_wo").write_only();
    let version = || Attribute::optional("s_wo_version", Type::Number, "");
    assert_eq!(violations(Place::Provider, vec![secret()]), ["s_wo: only attributes of a resource are write-only"]);
    assert_eq!(violations(Place::DataSource, vec![secret()]).len(), 1);
    let computed = Attribute::computed("s_wo", Type::String, "").write_only();
    let found = violations(Place::Resource, vec![computed, version()]);
    assert_eq!(found, ["s_wo: a write-only attribute cannot be computed or have a default"]);
    assert_eq!(violations(Place::Resource, vec![secret().default(Value::string("x")), version()]).len(), 1);
    let one = Attribute::optional("one", Kind::single(vec![secret(), version()]), "");
    let in_set = Attribute::optional("n", Kind::set(vec![one]), "");
    assert_eq!(violations(Place::Resource, vec![in_set]), ["n.one.s_wo: a write-only attribute cannot be inside a set"]);
    let n_version = || Attribute::optional("n_wo_version", Type::Number, "");
    let set = Attribute::optional("n_wo", Kind::set(vec![text("a")]), "").write_only();
    assert_eq!(violations(Place::Resource, vec![set, n_version()]).len(), 2, "the set, and what is in it");
    let partly = Attribute::optional("n_wo", Kind::single(vec![text("open"), secret()]), "").write_only();
    let found = violations(Place::Resource, vec![partly, n_version()]);
    assert_eq!(found, ["n_wo.open: all attributes inside a write-only one are write-only"]);
}

#[test]
fn a_write_only_value_and_its_version_come_in_pairs() {
    let pair = || Attribute::write_only_pair("key", Type::String, "A key.");
    assert_eq!(violations(Place::Resource, pair().to_vec()), [""; 0]);
    let [value, version] = pair();
    assert!(value.write_only && value.sensitive && !version.write_only && version.kind == Kind::Value(Type::Number));
    assert_eq!((value.name.as_str(), version.name.as_str()), ("key_wo", "key_wo_version"));
    let needs = "key_wo: a write-only attribute needs a number `key_wo_version` that users set";
    assert_eq!(violations(Place::Resource, vec![value.clone()]), [needs]);
    assert_eq!(violations(Place::Resource, vec![value.clone(), text("key_wo_version")]), [needs]);
    let computed = Attribute::computed("key_wo_version", Type::Number, "");
    assert_eq!(violations(Place::Resource, vec![value.clone(), computed]), [needs]);
    let lonely = "key_wo_version: the version of a write-only attribute `key_wo`, which is not there";
    assert_eq!(violations(Place::Resource, vec![version.clone()]), [lonely]);
    assert_eq!(violations(Place::Resource, vec![text("key_wo"), version]), [lonely]);
    let misnamed = text("key").write_only();
    assert_eq!(violations(Place::Resource, vec![misnamed]), ["key: the name of a write-only attribute ends in `_wo`"]);
    let nested = Attribute::optional("n", Kind::list(vec![value]), "");
    assert_eq!(violations(Place::Resource, vec![nested]), [format!("n.{needs}")]);
    assert_eq!(violations(Place::Resource, vec![text("istio_version"), text("api_version")]), [""; 0]);
}

#[test]
fn identities() {
    let of = |attributes: Vec<IdentityAttribute>| {
        let violations = IdentitySchema::new(attributes).violations();
        violations.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let name = || IdentityAttribute::required("name", Type::String, "");
    let of_type = |ty: Type| IdentityAttribute::optional("more", ty, "");
    assert_eq!(of(vec![name(), of_type(Type::list(Type::Number)), of_type(Type::Bool)]).len(), 1, "the name is there twice");
    assert_eq!(of(vec![name(), of_type(Type::list(Type::Number))]), [""; 0]);
    assert_eq!(of(vec![of_type(Type::Bool)]).len(), 1, "nothing is required");
    for ty in [Type::Dynamic, Type::map(Type::String), Type::list(Type::list(Type::Bool)), Type::object([("a", Type::Bool)])] {
        assert_eq!(of(vec![name(), of_type(ty)]), ["more: an identity holds bools, numbers, strings and lists of these only"]);
    }
    assert_eq!(of(vec![name(), IdentityAttribute::optional("Place", Type::String, "")]).len(), 1);
    let schema = IdentitySchema { version: u64::MAX, attributes: vec![name()] };
    assert_eq!(schema.violations().len(), 1);
    assert_eq!(schema.ty(), Type::object([("name", Type::String)]));
}

#[test]
fn types() {
    for ty in [Type::list(Type::Dynamic), Type::set(Type::object([("a", Type::Dynamic)])), Type::map(Type::list(Type::Dynamic))] {
        let found = violations(Place::Resource, vec![Attribute::optional("a", ty, "")]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("all elements need one type"), "{found:?}");
    }
    let any = || vec![Attribute::optional("any", Type::Dynamic, "")];
    for kind in [Kind::list(any()), Kind::set(any()), Kind::map(any())] {
        let found = violations(Place::Resource, vec![Attribute::optional("n", kind, "")]);
        assert_eq!(found, ["n.any: `dynamic` inside nested attributes that repeat: all elements need one type"]);
    }
    let deeper = vec![Attribute::optional("one", Kind::single(any()), "")];
    let found = violations(Place::Resource, vec![Attribute::optional("n", Kind::list(deeper), "")]);
    assert_eq!(found, ["n.one.any: `dynamic` inside nested attributes that repeat: all elements need one type"]);
    let empty = Attribute::optional("n", Kind::single(vec![]), "");
    assert_eq!(violations(Place::Resource, vec![empty]), ["n: there are no nested attributes"]);
}

#[test]
fn functions() {
    let parameter = |name: &str, ty| Parameter {
        name: name.to_owned(),
        description: String::new(),
        ty,
        allow_null: false,
        allow_unknown: false,
    };
    let function = FunctionSchema {
        summary: String::new(),
        description: String::new(),
        parameters: vec![parameter("a", Type::Dynamic), parameter("b", Type::String)],
        variadic: Some(parameter("rest", Type::String)),
        returns: Type::Dynamic,
    };
    assert_eq!(function.violations(), []);
    let broken = FunctionSchema {
        parameters: vec![parameter("a", Type::list(Type::Dynamic)), parameter("B", Type::String)],
        variadic: Some(parameter("a", Type::String)),
        returns: Type::set(Type::Dynamic),
        ..function
    };
    let found: Vec<String> = broken.violations().iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "a: `dynamic` inside a list of dynamic: all elements need one type",
            "B: the name does not match [a-z][a-z0-9_]*",
            "a: there is another parameter of this name",
            "`dynamic` inside a set of dynamic: all elements need one type",
        ]
    );
}

#[test]
fn flags_on_the_wire() {
    let default = text("a").default(Value::string("x"));
    assert!(!default.is_required() && default.is_optional() && default.is_computed());
    assert!(!text("a").is_computed());
    let required = Attribute::required("a", Type::String, "");
    assert!(required.is_required() && !required.is_optional() && !required.is_computed());
    let computed = Attribute::computed("a", Type::String, "");
    assert!(!computed.is_required() && !computed.is_optional() && computed.is_computed());
    let schema = schema(vec![required, Attribute::optional("n", Kind::set(vec![text("x")]), "")]);
    assert_eq!(schema.attribute("a").map(Attribute::is_required), Some(true));
    assert_eq!(schema.attribute("z"), None);
    assert_eq!(schema.ty(), Type::object([("a", Type::String), ("n", Type::set(Type::object([("x", Type::String)])))]));
}
