//! Sets, conformance, walking and reading.

use tf_value::{Number, Path, Reader, Step, Tf, Type, Value};

#[test]
fn sets_have_no_order_and_no_duplicates() {
    let (a, b) = (Value::string("a"), Value::string("b"));
    assert_eq!(Value::set([b.clone(), a.clone(), b.clone()]), Value::set([a.clone(), b.clone()]));
    let half = |value: Value| Value::List(vec![Value::int(1), value]);
    let set = Value::set([Value::Number(Number::parse("1.0").unwrap()), Value::int(1), Value::Null, Value::Null]);
    assert_eq!(set.as_elements().map(<[Value]>::len), Some(2));
    let unknowns = [Value::unknown(), a.clone(), Value::unknown(), half(Value::unknown()), half(Value::unknown())];
    assert_eq!(Value::set(unknowns).as_elements().map(<[Value]>::len), Some(5), "an unknown may become anything");
}

#[test]
fn conformance() {
    let ty = Type::object([("l", Type::list(Type::Number)), ("s", Type::set(Type::String)), ("d", Type::Dynamic)]);
    let value = |l: Value, s: Value, d: Value| Value::map([("l", l), ("s", s), ("d", d)]);
    let check = |l, s, d| value(l, s, d).conform(&ty).map_err(|error| error.to_string());
    let list = || Value::List(vec![Value::int(1), Value::Null, Value::unknown()]);
    let set = || Value::set([Value::string("b"), Value::string("a"), Value::unknown(), Value::unknown()]);
    let any = || Value::dynamic(Type::Bool, Value::Bool(true));
    assert_eq!(check(list(), set(), any()), Ok(()));
    assert_eq!(check(Value::Null, Value::unknown(), Value::Null), Ok(()));
    assert_eq!(check(Value::strings(["x"]), set(), any()), Err("l[0]: expected number, found a string".to_owned()));
    assert_eq!(
        check(list(), Value::strings(["a"]), any()),
        Err("s: expected set of string, found 1 elements in order".to_owned())
    );
    let (a, b) = (Value::string("a"), Value::string("b"));
    let unsorted = Err("s: the elements of the set are not in canonical order, or repeated".to_owned());
    assert_eq!(check(list(), Value::Set(vec![b, a.clone()]), any()), unsorted);
    assert_eq!(check(list(), Value::Set(vec![a.clone(), a]), any()), unsorted);
    assert_eq!(check(list(), set(), Value::Bool(true)), Err("d: expected dynamic, found a bool".to_owned()));
    let mistyped = Value::dynamic(Type::list(Type::Bool), Value::List(vec![Value::int(1)]));
    assert_eq!(check(list(), set(), mistyped), Err("d[0]: expected bool, found a number".to_owned()));
    let tuple = Type::Tuple(vec![Type::Bool]);
    assert!(Value::List(vec![]).conform(&tuple).is_err());
    assert!(Value::map([("l", Value::Null)]).conform(&ty).is_err());
}

#[test]
fn walking_names_every_place() {
    let ty = Type::object([
        ("l", Type::list(Type::object([("n", Type::Number)]))),
        ("m", Type::map(Type::String)),
        ("s", Type::set(Type::String)),
        ("t", Type::Tuple(vec![Type::Bool, Type::Dynamic])),
    ]);
    let value = Value::map([
        ("l", Value::List(vec![Value::map([("n", Value::unknown())])])),
        ("m", Value::map([("east-1", Value::unknown()), ("w", Value::string("x"))])),
        ("s", Value::set([Value::unknown(), Value::unknown()])),
        ("t", Value::List(vec![Value::Null, Value::dynamic(Type::list(Type::Bool), Value::List(vec![Value::unknown()]))])),
    ]);
    let mut leaves = Vec::new();
    value.walk(&ty, &mut |path, ty, value| {
        leaves.push(format!("{path} {ty} {}", if value.is_unknown() { "?" } else { "." }));
        true
    });
    assert_eq!(
        leaves,
        [
            " object .",
            "l list of object .",
            "l[0] object .",
            "l[0].n number ?",
            "m map of string .",
            "m[\"east-1\"] string ?",
            "m[\"w\"] string .",
            "s set of string .",
            "s string ?",
            "s string ?",
            "t tuple of 2 elements .",
            "t[0] bool .",
            "t[1] dynamic .",
            "t[1] list of bool .",
            "t[1][0] bool ?",
        ]
    );
    let unknown: Vec<String> = value.unknown_paths(&ty).iter().map(ToString::to_string).collect();
    assert_eq!(unknown, ["l[0].n", "m[\"east-1\"]", "s", "t[1][0]"]);
    for path in value.unknown_paths(&ty).iter().filter(|path| **path != Path::of("s")) {
        assert_eq!(value.at(path), Some(&Value::unknown()), "{path}");
    }
    assert_eq!(value.at(&Path::root()), Some(&value));
    assert_eq!(value.at(&Path::of("l").index(1)), None);
    assert_eq!(value.at(&Path::of("l").then(Step::Index(-1))), None);
    assert_eq!(value.at(&Path::of("s").index(0)), None, "nothing steps into a set");
    let mut visited = 0;
    value.walk(&ty, &mut |_, _, _| {
        visited += 1;
        false
    });
    assert_eq!(visited, 1);
}

#[test]
fn readers_know_where_they_are() {
    let value = Value::map([
        ("name", Value::string("reviews")),
        ("weight", Value::int(3)),
        ("ratio", Value::Number(Number::parse("0.5").unwrap())),
        ("on", Value::Bool(true)),
        ("later", Value::unknown()),
        ("ports", Value::List(vec![Value::map([("number", Value::int(80))])])),
        ("hosts", Value::set([Value::map([("port", Value::List(vec![Value::int(1)]))])])),
        ("labels", Value::map([("app", Value::string("x"))])),
        ("any", Value::dynamic(Type::object([("k", Type::String)]), Value::map([("k", Value::string("v"))]))),
        ("any_later", Value::dynamic(Type::String, Value::unknown())),
        ("any_null", Value::dynamic(Type::String, Value::Null)),
    ]);
    let root = Reader::root(&value);
    assert_eq!(root.attribute("name").string(), Tf::Known("reviews"));
    assert_eq!(root.attribute("absent").string(), Tf::Null);
    assert_eq!(root.attribute("on").bool(), Tf::Known(true));
    assert_eq!(root.attribute("weight").integer(), Tf::Known(Ok(3)));
    assert_eq!(root.attribute("ratio").integer(), Tf::Known(Err("0.5".to_owned())));
    assert_eq!(root.attribute("ratio").number().known().and_then(Number::as_f64), Some(0.5));
    assert_eq!(root.attribute("later").attribute("x").string(), Tf::Unknown);
    assert_eq!(root.attribute("later").attribute("x").path, Path::of("later").attribute("x"));
    let ports = root.attribute("ports").elements().known().unwrap();
    let number = ports[0].attribute("number");
    assert_eq!((number.integer(), number.path.to_string()), (Tf::Known(Ok(80)), "ports[0].number".to_owned()));
    let host = root.attribute("hosts").elements().known().unwrap().remove(0);
    let port = host.attribute("port").elements().known().unwrap().remove(0);
    assert_eq!((port.integer(), port.path), (Tf::Known(Ok(1)), Path::of("hosts")), "a path ends at the set");
    let labels = root.attribute("labels").entries().known().unwrap();
    assert_eq!((labels[0].0, labels[0].1.path.to_string()), ("app", "labels[\"app\"]".to_owned()));
    let any = root.attribute("any").attributes().known().unwrap();
    assert_eq!((any[0].1.string(), any[0].1.path.to_string()), (Tf::Known("v"), "any.k".to_owned()));
    assert_eq!(root.attribute("any").attribute("k").string(), Tf::Known("v"));
    assert_eq!(root.attribute("any_later").string(), Tf::Unknown);
    assert!(root.attribute("any_later").is_unknown() && root.attribute("any_null").is_null());
    assert_eq!(root.attribute("any_null").string(), Tf::Null);
    assert!(root.attribute("labels").object().known().is_some());
    assert!(root.attribute("absent").object().is_null() && root.attribute("later").object().is_unknown());
    assert_eq!(Tf::Known(2).map(|number| number + 1), Tf::Known(3));
}
