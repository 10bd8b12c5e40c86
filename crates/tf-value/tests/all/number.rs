//! Numbers are lossless, and equal when cty says so.

use std::hash::{DefaultHasher, Hash, Hasher};

use tf_value::{Number, NumberError};

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

fn hash(number: &Number) -> u64 {
    let mut hasher = DefaultHasher::new();
    number.hash(&mut hasher);
    hasher.finish()
}

#[test]
fn text_has_nothing_superfluous() {
    for (given, kept) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.000e9999999999999999999999", "0"),
        ("007", "7"),
        ("+7", "7"),
        ("7.", "7"),
        (".5", "0.5"),
        ("1.0", "1"),
        ("1.50", "1.5"),
        ("1e2", "100"),
        ("1E+2", "100"),
        ("125e-2", "1.25"),
        ("125e-4", "0.0125"),
        ("-12.5e-1", "-1.25"),
        ("0.1", "0.1"),
        ("1e30", "1000000000000000000000000000000"),
        ("1e400", "1e400"),
        ("-1.250e400", "-1.25e400"),
        ("12e-400", "1.2e-399"),
        ("1e600000000", "1e600000000"),
        ("12345678901234567890", "12345678901234567890"),
        ("3.14159265358979323846264338327950288419716939937510", "3.1415926535897932384626433832795028841971693993751"),
    ] {
        assert_eq!(number(given).as_str(), kept, "{given}");
        assert_eq!(number(given).to_string(), kept, "{given}");
    }
}

#[test]
fn plain_digits_stay_plain_at_any_length() {
    let text = format!("1{}", "0".repeat(400));
    assert_eq!(number(&text).as_str(), text);
    let text = format!("0.{}1", "0".repeat(400));
    assert_eq!(number(&text).as_str(), text);
}

#[test]
fn equality_hash_and_order_go_by_value() {
    let plain = format!("1{}", "0".repeat(400));
    for (left, right) in [("1.0", "1"), ("1e2", "100"), ("0.10", "1e-1"), ("-0", "0"), ("1e400", plain.as_str())] {
        let (left, right) = (number(left), number(right));
        assert_eq!(left, right);
        assert_eq!(hash(&left), hash(&right));
        assert_eq!(left.cmp(&right), std::cmp::Ordering::Equal);
    }
    let ascending = ["-1e400", "-100.5", "-100", "-0.5", "-1e-400", "0", "1e-400", "0.1", "0.11", "9", "10", "1e30", "1e400"];
    for pair in ascending.windows(2) {
        assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        assert!(number(pair[1]) > number(pair[0]), "{pair:?}");
        assert_ne!(number(pair[0]), number(pair[1]));
    }
    assert_ne!(number("0.1"), number("0.1000000000000000055511151231257827"));
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "",
        "-",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
        "1.2.3",
        "1e2e3",
        "0x10",
        "1_000",
        " 1",
        "1 ",
        "NaN",
        "Inf",
        "-Infinity",
        "--1",
        "1e1.5",
        "٣",
    ] {
        assert_eq!(Number::parse(text), Err(NumberError::Malformed(text.to_owned())), "{text:?}");
    }
    for text in ["1e646456994", "1e-646456999", "1e99999999999999999999", "1e9223372036854775807", "1e-9223372036854775808"] {
        assert_eq!(Number::parse(text), Err(NumberError::OutOfRange(text.to_owned())), "{text:?}");
    }
    assert!(Number::from_f64(f64::NAN).is_err());
    assert!(Number::from_f64(f64::INFINITY).is_err());
    let long = Number::parse(&"x".repeat(10_000)).unwrap_err().to_string();
    assert!(long.len() < 200, "{long}");
}

#[test]
fn conversions() {
    assert_eq!(Number::from(i64::MIN).as_i64(), Some(i64::MIN));
    assert_eq!(Number::from(u64::MAX).as_u64(), Some(u64::MAX));
    assert_eq!(Number::from(u64::MAX).as_i64(), None);
    assert_eq!(number("1e2").as_i64(), Some(100));
    assert_eq!(number("1.5").as_i64(), None);
    assert_eq!(number("-1").as_u64(), None);
    assert_eq!(number("0.1").as_f64(), Some(0.1));
    assert_eq!(number("1e400").as_f64(), None);
    assert_eq!(Number::from_f64(0.1).unwrap(), number("0.1"));
    assert_eq!(Number::from_f64(-0.0).unwrap(), number("0"));
    assert_eq!(Number::from_f64(1e300).unwrap(), number("1e300"));
    assert!(number("1e400").is_integer());
    assert!(number("100").is_integer());
    assert!(!number("1.5").is_integer());
    assert!(!number("1.5e-300").is_integer());
    assert!(!number("1.2345e-70").is_integer());
}
