//! The msgpack form, byte by byte.

use tf_value::codec::msgpack::{decode, encode};
use tf_value::{CodecError, Number, Path, Type, Value};

fn number(text: &str) -> Value {
    Value::Number(Number::parse(text).unwrap())
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    rmp::encode::write_str(&mut bytes, text).unwrap();
    bytes
}

/// The bytes are read as the value, and the value is written as the bytes.
fn assert_both_ways(ty: &Type, bytes: &[u8], value: &Value) {
    assert_eq!(decode(ty, bytes).as_ref(), Ok(value), "reading {bytes:02x?}");
    assert_eq!(encode(ty, value).as_deref(), Ok(bytes), "writing {value:?}");
}

fn error(ty: &Type, bytes: &[u8]) -> CodecError {
    decode(ty, bytes).expect_err("the bytes are not of this type")
}

#[test]
fn null_and_unknown() {
    for ty in [Type::Bool, Type::Number, Type::String, Type::Dynamic, Type::list(Type::Bool), Type::object([("a", Type::Bool)])] {
        assert_both_ways(&ty, &[0xc0], &Value::Null);
        assert_both_ways(&ty, &[0xd4, 0x00, 0x00], &Value::unknown());
        assert_eq!(decode(&ty, &[]), Ok(Value::Null), "no bytes are null");
    }
}

#[test]
fn any_extension_is_unknown() {
    let fixed = [(0xd4_u8, 1), (0xd5, 2), (0xd6, 4), (0xd7, 8), (0xd8, 16)];
    for (marker, length) in fixed {
        let mut bytes = vec![marker, 0x55];
        bytes.extend(vec![0xff; length]);
        assert_eq!(decode(&Type::String, &bytes), Ok(Value::unknown()), "{bytes:02x?}");
    }
    for bytes in
        [[0xc7, 3, 0x63, 1, 2, 3].as_slice(), &[0xc8, 0, 3, 0x63, 1, 2, 3], &[0xc9, 0, 0, 0, 3, 0x63, 1, 2, 3], &[0xc7, 0, 0]]
    {
        let value = decode(&Type::String, bytes).unwrap();
        assert_eq!(encode(&Type::String, &value).unwrap(), [0xd4, 0, 0]);
    }
}

#[test]
fn refinements_come_back_as_they_were() {
    // not null, prefix "ab"
    let prefix = [0xc7, 7, 12, 0x82, 1, 0xc2, 2, 0xa2, b'a', b'b'];
    // 1 ≤ length ≤ 5
    let lengths = [0xc7, 5, 12, 0x82, 5, 1, 6, 5];
    // above 1, not 1 itself
    let minimum = [0xd6, 12, 0x81, 3, 0x92, 1, 0xc2];
    let range = [&[0xc7, 5, 12][..], &[0x81, 3, 0x92, 1, 0xc2]].concat();
    let not_null = [0xc7, 3, 12, 0x81, 1, 0xc2];
    for (ty, bytes) in [
        (Type::String, prefix.as_slice()),
        (Type::list(Type::Bool), &lengths),
        (Type::Number, &range),
        (Type::object([("a", Type::Bool)]), &not_null),
    ] {
        let value = decode(&ty, bytes).unwrap();
        assert_eq!(value, Value::unknown());
        assert_eq!(encode(&ty, &value).unwrap(), bytes);
    }
    // the payload is cut short: no refinement, but unknown all the same
    let value = decode(&Type::Number, &minimum[..6]).unwrap();
    assert_eq!(encode(&Type::Number, &value).unwrap(), [0xd4, 0, 0]);
}

#[test]
fn refinements_that_core_would_refuse_are_dropped() {
    let plain = [0xd4, 0, 0];
    let empty_map = [0xd4, 12, 0x80];
    let not_a_map = [0xd4, 12, 0x01];
    let unknown_key = [0xc7, 3, 12, 0x81, 99, 0xc2];
    let two_values = [0xc7, 4, 12, 0x81, 1, 0xc2, 0xc2];
    let too_long = [&[0xc8, 0x04, 0x05, 12, 0x81, 2, 0xda, 0x04, 0x00][..], &[b'x'; 1024]].concat();
    for bytes in [empty_map.as_slice(), &not_a_map, &unknown_key, &two_values, &too_long] {
        let value = decode(&Type::String, bytes).unwrap();
        assert_eq!(encode(&Type::String, &value).unwrap(), plain, "{bytes:02x?}");
    }
    // a string's refinement at the place of a list, and at a dynamic place
    let value = decode(&Type::String, &[0xc7, 4, 12, 0x81, 2, 0xa1, b'a']).unwrap();
    assert_eq!(encode(&Type::list(Type::String), &value).unwrap(), plain);
    assert_eq!(encode(&Type::Dynamic, &value).unwrap(), plain);
    let not_null = [0xc7, 3, 12, 0x81, 1, 0xc2];
    let value = decode(&Type::String, &not_null).unwrap();
    assert_eq!(encode(&Type::Dynamic, &value).unwrap(), plain, "core refuses refinements without a type");
    assert_eq!(encode(&Type::list(Type::String), &value).unwrap(), not_null);
}

#[test]
fn bools_and_strings() {
    assert_both_ways(&Type::Bool, &[0xc3], &Value::Bool(true));
    assert_both_ways(&Type::Bool, &[0xc2], &Value::Bool(false));
    assert_both_ways(&Type::String, &[0xa0], &Value::string(""));
    assert_both_ways(&Type::String, &text("grün"), &Value::string("grün"));
    assert_both_ways(&Type::String, &text(&"x".repeat(70_000)), &Value::string("x".repeat(70_000)));
}

#[test]
fn strings_are_in_normal_form() {
    let (composed, decomposed) = ("\u{e9}", "e\u{301}");
    assert_eq!(decode(&Type::String, &text(decomposed)), Ok(Value::String(composed.to_owned())));
    assert_eq!(encode(&Type::String, &Value::String(decomposed.to_owned())).unwrap(), text(composed));
    assert_eq!(Value::string(decomposed), Value::string(composed));
    let map = [&[0x81][..], &text(decomposed), &[0xc3]].concat();
    assert_eq!(decode(&Type::map(Type::Bool), &map), Ok(Value::map([(composed, Value::Bool(true))])));
}

#[test]
fn integers() {
    for (number, bytes) in [
        (0, &[0x00][..]),
        (127, &[0x7f]),
        (128, &[0xcc, 0x80]),
        (256, &[0xcd, 0x01, 0x00]),
        (65_536, &[0xce, 0, 1, 0, 0]),
        (4_294_967_296, &[0xcf, 0, 0, 0, 1, 0, 0, 0, 0]),
        (i64::MAX, &[0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        (-1, &[0xff]),
        (-32, &[0xe0]),
        (-33, &[0xd0, 0xdf]),
        (-129, &[0xd1, 0xff, 0x7f]),
        (-32_769, &[0xd2, 0xff, 0xff, 0x7f, 0xff]),
        (i64::MIN, &[0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        assert_eq!(decode(&Type::Number, bytes), Ok(Value::int(number)), "{bytes:02x?}");
        assert_both_ways(&Type::Number, &text(&number.to_string()), &Value::int(number));
    }
    for bytes in [
        [0x07].as_slice(),
        &[0xcc, 7],
        &[0xcd, 0, 7],
        &[0xce, 0, 0, 0, 7],
        &[0xcf, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0xd0, 7],
        &[0xd1, 0, 7],
        &[0xd2, 0, 0, 0, 7],
        &[0xd3, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0xca, 0x40, 0xe0, 0, 0],
        &[0xcb, 0x40, 0x1c, 0, 0, 0, 0, 0, 0],
        &text("7"),
        &text("7.0"),
    ] {
        assert_eq!(decode(&Type::Number, bytes), Ok(Value::int(7)), "{bytes:02x?}");
    }
    assert_eq!(decode(&Type::Number, &[0xcf; 9]), Ok(Value::Number(Number::from(0xcfcf_cfcf_cfcf_cfcf_u64))));
}

#[test]
fn exact_floats_are_read_and_leave_as_text() {
    for (bytes, decimal) in [
        ([&[0xcb][..], &0.5_f64.to_be_bytes()].concat(), "0.5"),
        ([&[0xcb][..], &(-5.5_f64).to_be_bytes()].concat(), "-5.5"),
        ([&[0xcb][..], &9.5367431640625e-7_f64.to_be_bytes()].concat(), "0.00000095367431640625"),
        (vec![0xca, 0x3f, 0, 0, 0], "0.5"),
    ] {
        let value = decode(&Type::Number, &bytes).unwrap();
        assert_eq!(value, number(decimal));
        assert_eq!(decode(&Type::Number, &encode(&Type::Number, &value).unwrap()), Ok(value.clone()));
        assert_eq!(encode(&Type::Number, &value).unwrap()[0] & 0xe0, 0xa0, "{decimal} is a short text");
    }
}

#[test]
fn other_numbers_travel_as_text_unchanged() {
    let long = format!("1{}", "0".repeat(400));
    for decimal in [
        "0.1",
        "9223372036854775808",
        "18446744073709551616",
        "12345678901234567890",
        "-12345678901234567890",
        "1000000000000000000000000000000",
        "0.12345678901234567890123",
        "3.14159265358979323846264338328",
        "0.30000000000000004",
        "1125899906842624.25",
        "0.5000000000000002220446049250313080847263336181640625",
        &long,
    ] {
        assert_both_ways(&Type::Number, &text(decimal), &number(decimal));
    }
}

#[test]
fn a_float_longer_than_its_text_leaves_as_it_came() {
    for float in [0.1_f64, 1.0 / 3.0, 2.0_f64.powi(-60), -1.7e-300, f64::MIN_POSITIVE, 5e-324] {
        let bytes = [&[0xcb][..], &float.to_be_bytes()].concat();
        let value = decode(&Type::Number, &bytes).unwrap();
        assert_eq!(encode(&Type::Number, &value).unwrap(), bytes, "{float:e}");
        assert_eq!(value, Value::Number(Number::from_f64(float).unwrap()));
    }
    let large = [&[0xcb][..], &1e30_f64.to_be_bytes()].concat();
    let value = decode(&Type::Number, &large).unwrap();
    let digits = "1000000000000000000000000000000";
    assert_eq!(encode(&Type::Number, &value).unwrap(), text(digits), "core writes no integer as a float");
}

#[test]
fn what_is_no_number_is_refused() {
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let bytes = [&[0xcb][..], &float.to_be_bytes()].concat();
        assert!(error(&Type::Number, &bytes).problem.starts_with("expected a number"));
    }
    assert!(error(&Type::Number, &text("ten")).problem.contains("\"ten\""));
    assert!(error(&Type::Number, &text("1e999999999999")).problem.contains("too large"));
    assert_eq!(error(&Type::Number, &[0xc3]).problem, "expected a number, found a bool");
}

#[test]
fn collections() {
    let list = Type::list(Type::Number);
    assert_both_ways(&list, &[0x90], &Value::List(vec![]));
    assert_both_ways(
        &list,
        &[0x93, 0xa1, b'1', 0xc0, 0xd4, 0, 0],
        &Value::List(vec![Value::int(1), Value::Null, Value::unknown()]),
    );
    let set = Type::set(Type::String);
    assert_both_ways(&set, &[0x92, 0xa1, b'a', 0xa1, b'b'], &Value::set([Value::string("b"), Value::string("a")]));
    assert_eq!(
        decode(&set, &[0x93, 0xa1, b'b', 0xa1, b'a', 0xa1, b'b']),
        Ok(Value::set([Value::string("a"), Value::string("b")])),
    );
    let tuple = Type::Tuple(vec![Type::Number, Type::Bool]);
    assert_both_ways(&tuple, &[0x92, 0xa1, b'1', 0xc3], &Value::List(vec![Value::int(1), Value::Bool(true)]));
    assert_eq!(error(&tuple, &[0x91, 1]).problem, "expected a tuple of 2 elements, found 1");
    let map = Type::map(Type::Bool);
    assert_both_ways(&map, &[0x81, 0xa1, b'k', 0xc3], &Value::map([("k", Value::Bool(true))]));
    let many = Value::List((0..70_000).map(Value::int).collect());
    assert_eq!(decode(&list, &encode(&list, &many).unwrap()), Ok(many));
}

#[test]
fn objects_have_exactly_their_attributes() {
    let ty = Type::object([("a", Type::Number), ("b", Type::String)]);
    let value = Value::map([("a", Value::int(1)), ("b", Value::Null)]);
    assert_both_ways(&ty, &[0x82, 0xa1, b'a', 0xa1, b'1', 0xa1, b'b', 0xc0], &value);
    assert_eq!(decode(&ty, &[0x82, 0xa1, b'b', 0xc0, 0xa1, b'a', 1]), Ok(value));

    let missing = error(&ty, &[0x81, 0xa1, b'a', 1]);
    assert_eq!((missing.path, missing.problem.as_str()), (Path::of("b"), "the object lacks this attribute"));
    let extra = error(&ty, &[0x82, 0xa1, b'a', 1, 0xa1, b'c', 0xc0]);
    assert!(extra.problem.contains("\"c\""), "{extra}");
    let twice = error(&ty, &[0x82, 0xa1, b'a', 1, 0xa1, b'a', 1]);
    assert!(twice.problem.contains("twice"), "{twice}");

    let missing = encode(&ty, &Value::map([("a", Value::int(1))])).unwrap_err();
    assert_eq!(missing.path, Path::of("b"));
    let extra = encode(&ty, &Value::map([("a", Value::Null), ("b", Value::Null), ("c", Value::Null)])).unwrap_err();
    assert!(extra.problem.contains("\"c\""), "{extra}");
}

#[test]
fn dynamic_values_carry_their_type() {
    let typed = |ty: &str, value: &[u8]| {
        let mut bytes = vec![0x92];
        rmp::encode::write_bin(&mut bytes, ty.as_bytes()).unwrap();
        [&bytes, value].concat()
    };
    let ty = Type::Dynamic;
    assert_both_ways(&ty, &typed("\"string\"", &[0xa1, b'x']), &Value::dynamic(Type::String, Value::string("x")));
    assert_both_ways(&ty, &typed("\"number\"", &text("2.1")), &Value::dynamic(Type::Number, number("2.1")));
    assert_both_ways(&ty, &typed("\"string\"", &[0xc0]), &Value::dynamic(Type::String, Value::Null));
    assert_both_ways(&ty, &typed("\"string\"", &[0xd4, 0, 0]), &Value::dynamic(Type::String, Value::unknown()));
    let object = Type::object([("a", Type::Dynamic), ("l", Type::list(Type::object([("n", Type::Number)])))]);
    let value = Value::map([
        ("a", Value::dynamic(Type::Bool, Value::Bool(true))),
        ("l", Value::List(vec![Value::map([("n", number("2.5"))])])),
    ]);
    let bytes =
        [&[0x82, 0xa1, b'a'][..], &typed("\"bool\"", &[0xc3]), &[0xa1, b'l', 0x91, 0x81, 0xa1, b'n', 0xa3, b'2', b'.', b'5']]
            .concat();
    let whole = typed("[\"object\",{\"a\":\"dynamic\",\"l\":[\"list\",[\"object\",{\"n\":\"number\"}]]}]", &bytes);
    assert_both_ways(&ty, &whole, &Value::dynamic(object, value));

    assert!(error(&ty, &[0xa1, b'x']).problem.contains("a type and a value"));
    assert!(error(&ty, &typed("\"text\"", &[0xc0])).problem.contains("\"text\""));
    let twice = error(&ty, &typed("[\"object\",{\"a\":\"bool\",\"a\":\"bool\"}]", &[0xc0]));
    assert!(twice.problem.contains("twice"), "{twice}");
    assert!(encode(&ty, &Value::string("untyped")).unwrap_err().problem.contains("expected dynamic"));
}

#[test]
fn errors_say_where() {
    let ty = Type::object([("m", Type::map(Type::list(Type::Number))), ("s", Type::set(Type::object([("p", Type::Number)])))]);
    let bytes = [0x82, 0xa1, b's', 0x90, 0xa1, b'm', 0x81, 0xa4, b'e', b'a', b's', b't', 0x92, 1, 0xc3];
    let found = error(&ty, &bytes);
    assert_eq!(found.path, Path::of("m").key("east").index(1));
    assert_eq!(found.to_string(), "m[\"east\"][1]: expected a number, found a bool");
    let in_set = error(&ty, &[0x82, 0xa1, b'm', 0xc0, 0xa1, b's', 0x91, 0x81, 0xa1, b'p', 0xc3]);
    assert_eq!(in_set.path, Path::of("s"), "a path ends at the set");
    let wrong = Value::map([("m", Value::map([("w", Value::Bool(true))])), ("s", Value::Null)]);
    let unwritable = encode(&ty, &wrong).unwrap_err();
    assert_eq!(unwritable.to_string(), "m[\"w\"]: expected list of number, found a bool");
}

#[test]
fn hostile_bytes_are_refused() {
    let list = Type::list(Type::Bool);
    // claims of 2^32-1 elements, entries, bytes
    for (ty, bytes) in [
        (&list, [0xdd, 0xff, 0xff, 0xff, 0xff, 0xc3].as_slice()),
        (&Type::map(Type::Bool), &[0xdf, 0xff, 0xff, 0xff, 0xff]),
        (&Type::String, &[0xdb, 0xff, 0xff, 0xff, 0xff, b'x']),
        (&Type::String, &[0xc9, 0xff, 0xff, 0xff, 0xff, 12, 0]),
        (&Type::Dynamic, &[0x92, 0xc6, 0xff, 0xff, 0xff, 0xff]),
        (&list, &[0xdd, 0xff]),
        (&Type::Number, &[0xcb, 0]),
        (&Type::Number, &[0xcd]),
        (&Type::Bool, &[0xd8, 0]),
    ] {
        assert_eq!(error(ty, bytes).problem, "the input ends inside a value", "{bytes:02x?}");
    }
    assert!(error(&Type::String, &[0xa2, 0xff, 0xfe]).problem.contains("invalid UTF-8"));
    assert!(error(&Type::Bool, &[0xc3, 0xc3]).problem.contains("1 bytes follow"));
    assert!(error(&Type::Bool, &[0xc1]).problem.contains("a reserved byte"));
    let twice = [0x82, 0xa1, b'k', 0xc3, 0xa1, b'k', 0xc3];
    assert!(error(&Type::map(Type::Bool), &twice).problem.contains("twice"));

    let nested = |depth: usize| {
        let layer = [&[0x92, 0xc4, 22][..], b"[\"tuple\",[\"dynamic\"] ]", &[0x91]].concat();
        [layer.repeat(depth), vec![0xc0]].concat()
    };
    assert!(decode(&Type::Dynamic, &nested(20)).is_ok());
    assert!(error(&Type::Dynamic, &nested(100_000)).problem.contains("nested too deeply"));
    let deep_type = format!("{}\"bool\"{}", "[\"list\",".repeat(100_000), "]".repeat(100_000));
    let mut bytes = vec![0x92];
    rmp::encode::write_bin(&mut bytes, deep_type.as_bytes()).unwrap();
    bytes.push(0xc0);
    assert!(decode(&Type::Dynamic, &bytes).is_err());
}
