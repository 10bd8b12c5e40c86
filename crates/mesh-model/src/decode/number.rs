//! Numbers and durations from their text, without loss.

use std::time::Duration;

/// What a decimal text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Integer {
    /// a whole number
    Whole(i64),
    /// a whole number of more than 18 digits
    OutOfReach,
    /// a fraction, or no number at all
    NotWhole,
}

/// Reads `9080`, `9080.0`, `9.08e3`.
pub(super) fn integer(text: &str) -> Integer {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Integer::NotWhole;
    }
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return if exponent.is_none_or(is_exponent) { Integer::Whole(0) } else { Integer::NotWhole };
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let exponent = match exponent {
        None => 0,
        Some(text) if !is_exponent(text) => return Integer::NotWhole,
        Some(text) => match text.parse::<i32>() {
            Ok(exponent) => i64::from(exponent),
            Err(_) if text.starts_with('-') => return Integer::NotWhole,
            Err(_) => return Integer::OutOfReach,
        },
    };
    // lengths of texts in memory are far below 2^62
    let shift = exponent - fraction.len() as i64 + zeros as i64;
    if shift < 0 {
        return Integer::NotWhole;
    }
    if significant.len() as i64 + shift > 18 {
        return Integer::OutOfReach;
    }
    let value = significant.bytes().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    let value = (0..shift).fold(value, |value, _| value * 10);
    Integer::Whole(if negative { -value } else { value })
}

fn is_exponent(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The longest duration: a day.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Reads a duration as Go prints and parses it (`1m30s`, `500ms`, `1.5s`): from 1 ms to 24 h in whole milliseconds, which is
/// what Istio accepts.
///
/// # Errors
/// The rule that the text breaks.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    const FORM: &str = "numbers with a unit, largest first: \"2s\", \"1m30s\", \"500ms\"";
    const RANGE: &str = "from \"1ms\" to \"24h\"";
    const PRECISION: &str = "whole milliseconds";
    if text.starts_with('-') || text == "0" {
        return Err(RANGE);
    }
    if text.is_empty() || text.len() > 64 {
        return Err(FORM);
    }
    let mut rest = text;
    let mut nanoseconds = 0_u128;
    let mut precise = true;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(FORM)?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len()));
        let scale: u128 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return Err(FORM),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(FORM);
        }
        // 19 digits times 3.6e12 stays far below 2^127
        if whole.len() > 19 || fraction.len() > 19 {
            return Err(RANGE);
        }
        let digits = |text: &str| text.bytes().fold(0_u128, |value, digit| value * 10 + u128::from(digit - b'0'));
        let power = 10_u128.pow(fraction.len() as u32);
        let parts = digits(fraction) * scale;
        precise &= parts.is_multiple_of(power);
        nanoseconds += digits(whole) * scale + parts / power;
        rest = after;
    }
    match u64::try_from(nanoseconds).map(Duration::from_nanos) {
        Ok(value) if value > LONGEST => Err(RANGE),
        Ok(value) if !precise || value.subsec_nanos() % 1_000_000 != 0 => Err(PRECISION),
        Ok(value) if value.is_zero() => Err(RANGE),
        Ok(value) => Ok(value),
        Err(_) => Err(RANGE),
    }
}

#[cfg(test)]
mod tests {
    use super::{Integer, duration, integer};
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn whole_numbers_in_every_notation() {
        for text in ["9080", "9080.0", "9.08e3", "908E1", "9080.000e0", "90800e-1", "09080", "0.9080e+4"] {
            assert_eq!(integer(text), Integer::Whole(9080), "{text}");
        }
        for (text, wanted) in
            [("0", 0), ("-0", 0), ("0e-5", 0), ("0.00", 0), ("-1", -1), ("999999999999999999", 999_999_999_999_999_999)]
        {
            assert_eq!(integer(text), Integer::Whole(wanted), "{text}");
        }
        for text in ["1000000000000000000", "1e400", "1e99999999999", "-1e19"] {
            assert_eq!(integer(text), Integer::OutOfReach, "{text}");
        }
        for text in ["", "-", "1.5", "1e-1", "1e-99999999999", "x", "1e", "1e+", "--1", "1.2.3", "+1", "0ex", "٣", " 1", "NaN"] {
            assert_eq!(integer(text), Integer::NotWhole, "{text}");
        }
    }

    #[test]
    fn durations_as_go_writes_them() {
        for (text, milliseconds) in [
            ("2s", 2_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5s", 1_500),
            (".5s", 500),
            ("1h0m0s", 3_600_000),
            ("24h", 86_400_000),
            ("1000us", 1),
            ("1000µs", 1),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "10", "s", "1 s", "2S", "1d", ".s", "1..5s", "+1s", "1s\u{202e}", "1e3s", "٣s"] {
            assert!(duration(text).is_err_and(|rule| rule.starts_with("numbers")), "{text}");
        }
        for text in ["0", "0s", "-1s", "24h1ms", "99999999999999999999s", "9999999999999999999h"] {
            assert!(duration(text).is_err_and(|rule| rule.starts_with("from")), "{text}");
        }
        for text in ["1.5ms", "1us", "1ns", "0.0000000000000000001s"] {
            assert_eq!(duration(text), Err("whole milliseconds"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[-+.0-9eEhmsnuµ]{0,80}") {
            let _ = duration(&text);
            let _ = integer(&text);
        }

        #[test]
        fn integers_agree_with_the_standard_library(value in -999_999_999_999_999_999_i64..=999_999_999_999_999_999) {
            prop_assert_eq!(integer(&value.to_string()), Integer::Whole(value));
        }

        #[test]
        fn milliseconds_survive(value in 1_u64..=86_400_000) {
            prop_assert_eq!(duration(&format!("{value}ms")), Ok(Duration::from_millis(value)));
            prop_assert_eq!(duration(&format!("{}h{}m{}.{:03}s", value / 3_600_000, value / 60_000 % 60, value / 1_000 % 60, value % 1_000)), Ok(Duration::from_millis(value)));
        }
    }
}
