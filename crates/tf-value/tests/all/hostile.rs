//! Bytes that no core sends: they are read or refused, and cost no more than their own size, neither memory nor stack.
//!
//! The short form is a test; `cargo xt soak` asks for the long one (`GLOO_SOAK_CASES`, `GLOO_SOAK_SEED`).

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use tf_value::codec::{MAX_DEPTH, json, msgpack};
use tf_value::{Type, Value};

/// What readers stumble over, in either form.
const BOMBS: [&[u8]; 14] = [
    // claims of 2^32-1 elements, entries, bytes of text, of a type and of refinements
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\x92\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x0c",
    // refinements: too short, in each other, twice, of a text that ends early
    b"\xc7\x03\x0c\x82\x01\xc2",
    b"\xc7\x08\x0c\x81\x05\x91\x91\x91\x91\x91\xc0",
    b"\xc7\x05\x0c\x82\x01\xc2\x01\xc2",
    b"\xc7\x04\x0c\x81\x02\xa1\xff",
    // a dynamic value of a type that is chosen by its value
    b"\x92\xc4\x09\"dynamic\"\xc0",
    b"\x92\xc4\x12[\"list\",\"dynamic\"]\x91\x92\xc4\x06\"bool\"\xc3",
    b"{\"type\":[\"set\",[\"map\",\"dynamic\"]],\"value\":[{\"a\":",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"1e99999999999999999999",
];

/// Types and bytes of earlier defects.
const KEPT: [(&str, &[u8]); 0] = [];

fn types() -> Vec<Type> {
    let object = Type::object([("a", Type::String), ("b", Type::list(Type::Dynamic)), ("é", Type::set(Type::Number))]);
    vec![
        Type::Dynamic,
        Type::list(Type::list(Type::Bool)),
        Type::map(Type::set(Type::Dynamic)),
        Type::Tuple(vec![Type::Number, object.clone(), Type::Tuple(vec![])]),
        object,
    ]
}

/// A piece of a message: a bomb, some bytes, or one byte many times.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<Index>().prop_map(|index| BOMBS[index.index(BOMBS.len())].to_vec()),
        vec(any::<u8>(), 0..8),
        (prop_oneof![any::<u8>(), Just(0x91), Just(0x81), Just(b'['), Just(0xc0)], 0_usize..600)
            .prop_map(|(byte, times)| vec![byte; times]),
        "[\\[\\]{}:,\"a-z0-9.-]{0,20}".prop_map(String::into_bytes),
    ]
}

/// Places in memory that a value takes.
fn places(value: &Value) -> usize {
    1 + match value {
        Value::List(elements) | Value::Set(elements) => elements.iter().map(places).sum(),
        Value::Map(entries) => entries.values().map(places).sum(),
        Value::Dynamic(inner) => places(&inner.1),
        Value::Null | Value::Unknown(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Reads the bytes in every way; whatever is read keeps the promises.
fn read(ty: &Type, bytes: &[u8]) {
    if let Ok(value) = msgpack::decode(ty, bytes) {
        assert!(places(&value) <= bytes.len().max(1), "{} bytes take {} places", bytes.len(), places(&value));
        assert_eq!(value.conform(ty), Ok(()));
        let written = msgpack::encode(ty, &value).unwrap();
        assert_eq!(msgpack::decode(ty, &written), Ok(value));
    }
    if let Ok(value) = json::decode(ty, bytes) {
        assert!(places(&value) <= bytes.len().max(1), "{} bytes take {} places", bytes.len(), places(&value));
        assert_eq!(value.conform(ty), Ok(()));
        let written = json::encode(ty, &value).unwrap();
        assert_eq!(json::decode(ty, written.to_string().as_bytes()), Ok(value));
    }
    if let Ok(state) = json::parse(bytes)
        && let Ok(value) = json::decode_state(ty, &state)
    {
        assert_eq!(value.conform(ty), Ok(()));
    }
    if let Ok(ty) = Type::from_json_bytes(bytes) {
        assert_eq!(Type::from_json_bytes(&ty.to_json_bytes()), Ok(ty));
    }
}

fn effort() -> ProptestConfig {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let cases = number("GLOO_SOAK_CASES").map_or(2_000, |cases| u32::try_from(cases).expect("a number of cases"));
    let rng_seed = RngSeed::Fixed(number("GLOO_SOAK_SEED").unwrap_or(1));
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(effort())]

    #[test]
    fn pieces_are_read_or_refused(pieces in vec(piece(), 1..6), ty in any::<Index>()) {
        let types = types();
        read(&types[ty.index(types.len())], &pieces.concat());
    }
}

#[test]
fn earlier_defects_stay_away() {
    for (ty, bytes) in KEPT {
        read(&Type::from_json_bytes(ty.as_bytes()).unwrap(), bytes);
    }
}

/// The deepest value that is read, in each form, on half of the stack that a call has, without optimisation.
#[test]
fn what_is_read_fits_a_small_stack() {
    fn deepest() {
        let within = MAX_DEPTH - 2;
        let ty = (0..within).fold(Type::Bool, |inner, level| match level % 4 {
            0 => Type::list(inner),
            1 => Type::map(inner),
            2 => Type::object([("a", inner)]),
            _ => Type::Tuple(vec![inner]),
        });
        let value = (0..within).fold(Value::Bool(true), |inner, level| match level % 4 {
            1 | 2 => Value::map([("a", inner)]),
            _ => Value::List(vec![inner]),
        });
        let sets = (0..within)
            .fold((Type::Bool, Value::Bool(true)), |(ty, value), _| (Type::set(ty), Value::set([value.clone(), value])));
        let typed = Value::dynamic(ty.clone(), value.clone());
        for (ty, value) in [(ty.clone(), value), sets] {
            let bytes = msgpack::encode(&ty, &value).unwrap();
            assert_eq!(msgpack::decode(&ty, &bytes).as_ref(), Ok(&value));
            // JSON counts the brackets of each level, of which its reader allows 127
            let json = json::encode(&ty, &value).unwrap();
            assert_eq!(json::decode_state(&ty, &json).as_ref(), Ok(&value));
            assert!(!value.clone().unknown_paths(&ty).into_iter().any(|_| true));
            read(&ty, json.to_string().as_bytes());
        }
        let bytes = msgpack::encode(&Type::Dynamic, &typed).unwrap();
        read(&Type::Dynamic, &bytes);
        for text in ["[", "{\"a\":", "[\"list\",", "[\"object\",{\"a\":", "{\"type\":\"dynamic\",\"value\":", "\u{91}", "-"] {
            read(&Type::Dynamic, text.repeat(100_000).as_bytes());
        }
        for byte in [0x91, 0x92, 0x81, 0xdd, 0xc7] {
            read(&Type::Dynamic, &[byte].repeat(100_000));
            read(&ty, &[byte].repeat(100_000));
        }
    }
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(deepest);
    thread.unwrap().join().unwrap();
}
