//! Laws that hold for every value, type and byte string.

use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use tf_value::codec::{json, msgpack};
use tf_value::{Number, Type, Value};

fn any_type() -> BoxedStrategy<Type> {
    let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String), Just(Type::Dynamic)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            btree_map(any_name(), inner.clone(), 0..4).prop_map(Type::object),
            vec(inner, 0..4).prop_map(Type::Tuple),
        ]
    })
    .boxed()
}

fn any_name() -> impl Strategy<Value = String> {
    "[a-zé_]{0,6}"
}

fn any_number_text() -> BoxedStrategy<String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (-1000_i32..1000).prop_map(|number| format!("{}", f64::from(number) / 8.0)),
        "-?[0-9]{1,40}",
        "-?[0-9]{0,20}\\.[0-9]{1,30}",
        "-?[0-9]{1,5}(\\.[0-9]{1,5})?e[+-]?[0-9]{1,3}",
    ]
    .boxed()
}

fn any_number() -> BoxedStrategy<Number> {
    any_number_text().prop_map(|text| Number::parse(&text).unwrap()).boxed()
}

/// A value of `ty`; with unknown parts, or without.
fn any_value(ty: &Type, unknown: bool) -> BoxedStrategy<Value> {
    let known = match ty {
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => any_number().prop_map(Value::Number).boxed(),
        Type::String => "\\PC{0,8}".prop_map(Value::string).boxed(),
        Type::Dynamic => {
            let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String), Just(Type::list(Type::Number))];
            let typed = leaf.prop_flat_map(move |ty| (Just(ty.clone()), any_value(&ty, unknown)));
            typed.prop_map(|(ty, value)| Value::dynamic(ty, value)).boxed()
        }
        Type::List(element) => vec(any_value(element, unknown), 0..4).prop_map(Value::List).boxed(),
        Type::Set(element) => vec(any_value(element, unknown), 0..4).prop_map(Value::set).boxed(),
        Type::Map(element) => vec((any_name(), any_value(element, unknown)), 0..4).prop_map(Value::map).boxed(),
        Type::Tuple(elements) => {
            elements.iter().map(|ty| any_value(ty, unknown)).collect::<Vec<_>>().prop_map(Value::List).boxed()
        }
        Type::Object(attributes) => {
            let names: Vec<String> = attributes.keys().cloned().collect();
            let values: Vec<_> = attributes.values().map(|ty| any_value(ty, unknown)).collect();
            values.prop_map(move |values| Value::map(names.iter().cloned().zip(values))).boxed()
        }
    };
    let unknown_weight = u32::from(unknown);
    prop_oneof![8 => known, 1 => Just(Value::Null), unknown_weight => Just(Value::unknown())].boxed()
}

fn typed(unknown: bool) -> impl Strategy<Value = (Type, Value)> {
    any_type().prop_flat_map(move |ty| (Just(ty.clone()), any_value(&ty, unknown)))
}

fn hash(number: &Number) -> u64 {
    let mut hasher = DefaultHasher::new();
    number.hash(&mut hasher);
    hasher.finish()
}

/// The same number, written differently.
fn other_spelling(text: &str, zeros: usize, shift: i32) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((digits, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.parse::<i32>().unwrap();
    let padding = "0".repeat(zeros);
    match usize::try_from(shift) {
        // the point moves to the left over `shift` more digits
        Ok(shift) => {
            format!("{sign}0.{}{whole}{fraction}{padding}E+{}", "0".repeat(shift), exponent + whole.len() as i32 + shift as i32)
                .replace("+-", "-")
        }
        Err(_) => format!("{sign}{padding}{whole}{fraction}.{padding}e{}", exponent - fraction.len() as i32),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn msgpack_keeps_values((ty, value) in typed(true)) {
        prop_assert_eq!(value.conform(&ty), Ok(()));
        let bytes = msgpack::encode(&ty, &value).unwrap();
        let read = msgpack::decode(&ty, &bytes).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(msgpack::encode(&ty, &read).unwrap(), bytes);
    }

    #[test]
    fn json_keeps_known_values((ty, value) in typed(false)) {
        let json = json::encode(&ty, &value).unwrap();
        prop_assert_eq!(json::decode(&ty, json.to_string().as_bytes()), Ok(value.clone()));
        prop_assert_eq!(json::decode_state(&ty, &json), Ok(value));
    }

    #[test]
    fn types_survive_json(ty in any_type()) {
        prop_assert_eq!(Type::from_json_bytes(&ty.to_json_bytes()), Ok(ty));
    }

    #[test]
    fn untyped_documents_survive((ty, value) in typed(false)) {
        let document = value.to_json_untyped().unwrap();
        let (literal_ty, literal) = Value::from_json_untyped(&document).unwrap();
        prop_assert_eq!(literal.conform(&literal_ty), Ok(()));
        prop_assert_eq!(literal.to_json_untyped(), Ok(document));
        let dynamic = Value::dynamic(literal_ty, literal);
        let bytes = msgpack::encode(&Type::Dynamic, &dynamic).unwrap();
        prop_assert_eq!(msgpack::decode(&Type::Dynamic, &bytes), Ok(dynamic), "from a value of type {}", ty);
    }

    #[test]
    fn unknown_paths_lead_to_unknown_values((ty, value) in typed(true)) {
        let paths = value.unknown_paths(&ty);
        prop_assert_eq!(paths.is_empty(), value.is_wholly_known());
        prop_assert_eq!(json::encode(&ty, &value).is_ok(), value.is_wholly_known());
        let document = Value::dynamic(ty, value.clone()).to_json_untyped();
        prop_assert_eq!(document.err().map(|error| error.path), paths.first().cloned());
        for path in paths {
            let found = value.at(&path).unwrap();
            prop_assert!(found.is_unknown() || matches!(found.inner(), Value::Set(_)) || path.to_string().is_empty());
        }
    }

    #[test]
    fn whatever_is_read_conforms((ty, _) in typed(false), bytes in vec(any::<u8>(), 0..60)) {
        if let Ok(value) = msgpack::decode(&ty, &bytes) {
            prop_assert_eq!(value.conform(&ty), Ok(()));
            prop_assert!(msgpack::encode(&ty, &value).is_ok());
        }
    }

    #[test]
    fn damaged_bytes_do_no_harm(
        (ty, value) in typed(true),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let whole = msgpack::encode(&ty, &value).unwrap();
        let shorter = &whole[..cut.index(whole.len())];
        prop_assert!(shorter.is_empty() || msgpack::decode(&ty, shorter).is_err(), "a part of a value is no value");
        prop_assert!(msgpack::decode(&ty, &[&whole[..], &[0xc0]].concat()).is_err(), "more than a value is no value");
        let mut bytes = whole;
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Ok(value) = msgpack::decode(&ty, &bytes) {
            prop_assert_eq!(value.conform(&ty), Ok(()));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(ty in any_type(), bytes in vec(any::<u8>(), 0..40), text in "[\\[\\]{}:,\"a-e0-9.$-]{0,40}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(value) = json::decode(&ty, bytes) {
                prop_assert_eq!(value.conform(&ty), Ok(()));
            }
            if let Ok(ty) = Type::from_json_bytes(bytes) {
                prop_assert_eq!(Type::from_json(&ty.to_json()), Ok(ty));
            }
        }
    }

    #[test]
    fn sets_forget_the_order(elements in any_type().prop_flat_map(|ty| vec(any_value(&ty, true), 0..6)), turn in any::<prop::sample::Index>()) {
        let mut turned = elements.clone();
        if !turned.is_empty() {
            turned.rotate_left(turn.index(elements.len()));
        }
        let reversed = elements.iter().rev().cloned().collect::<Vec<_>>();
        let set = Value::set(elements);
        prop_assert_eq!(&set, &Value::set(turned));
        prop_assert_eq!(&set, &Value::set(reversed));
        prop_assert_eq!(&set, &Value::set(set.as_elements().unwrap().to_vec()), "a set of a set's elements is the same set");
    }

    #[test]
    fn numbers_are_equal_by_value(text in any_number_text(), zeros in 0_usize..4, shift in -1_i32..3) {
        let number = Number::parse(&text).unwrap();
        let other = Number::parse(&other_spelling(&text, zeros, shift)).unwrap();
        prop_assert_eq!(&number, &other);
        prop_assert_eq!(hash(&number), hash(&other));
        prop_assert_eq!(number.cmp(&other), std::cmp::Ordering::Equal);
        prop_assert_eq!(Number::parse(number.as_str()).unwrap().to_string(), number.to_string(), "the text is stable");
        prop_assert_eq!(number.as_i64(), other.as_i64());
    }

    #[test]
    fn numbers_are_in_one_order(left in any_number(), middle in any_number(), right in any_number()) {
        prop_assert_eq!(left.cmp(&right), right.cmp(&left).reverse());
        prop_assert_eq!(left == right, left.cmp(&right).is_eq());
        prop_assert!(!(left <= middle && middle <= right) || left <= right);
        if let (Some(a), Some(b)) = (left.as_f64(), right.as_f64()) {
            prop_assert!(a == b || (a < b) == (left < right), "{} {}", left, right);
        }
    }

    #[test]
    fn floats_survive(bits in any::<u64>()) {
        let float = f64::from_bits(bits);
        prop_assume!(float.is_finite());
        let number = Number::from_f64(float).unwrap();
        prop_assert_eq!(number.as_f64(), Some(float));
        let bytes = [&[0xcb][..], &float.to_be_bytes()].concat();
        let read = msgpack::decode(&Type::Number, &bytes).unwrap();
        prop_assert_eq!(&read, &Value::Number(number));
        let written = msgpack::encode(&Type::Number, &read).unwrap();
        // core writes no integer as a float
        if written != bytes && !read.as_number().unwrap().is_integer() {
            // text stands for exactly this float; Rust prints every digit of it when asked for enough of them
            let text = rmp::decode::read_str_from_slice(&written).expect("text").0;
            prop_assert_eq!(Number::parse(text).unwrap(), Number::parse(&format!("{float:.1100}")).unwrap());
        }
    }

    #[test]
    fn what_did_not_arrive_as_a_float_leaves_as_text(number in any_number()) {
        let bytes = msgpack::encode(&Type::Number, &Value::Number(number.clone())).unwrap();
        prop_assert_eq!(rmp::decode::read_str_from_slice(&bytes).expect("text").0, number.as_str());
    }
}
