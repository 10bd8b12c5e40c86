//! What a plain scalar means: the core schema of YAML 1.2, and the octal numbers that Kubernetes tools still read.

use serde_json::{Number, Value};

/// The value of a plain scalar; `Err` for numbers that JSON does not have.
pub(super) fn resolve(text: &str) -> Result<Value, String> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "-.inf" | "-.Inf" | "-.INF" | ".nan" | ".NaN" | ".NAN" => {
            return Err(format!("{text} is no number of JSON"));
        }
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    })
}

/// The number, with the digits that were written. A number that JSON writes in the same way keeps its text.
fn number(text: &str) -> Option<Number> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let radix = |digits: &str, radix: u32| {
        let is_number = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        let value = is_number.then(|| u128::from_str_radix(digits, radix).ok()).flatten()?;
        Some(Number::from_string_unchecked(format!("{sign}{value}")))
    };
    if let Some(octal) = digits.strip_prefix("0o") {
        return radix(octal, 8);
    }
    if let Some(hexadecimal) = digits.strip_prefix("0x") {
        return radix(hexadecimal, 16);
    }
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(position) => (&digits[..position], Some(&digits[position + 1..])),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exponent_digits = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    if !are_digits(whole)
        || !fraction.is_none_or(are_digits)
        || (whole.is_empty() && fraction.is_none_or(str::is_empty))
        || !exponent_digits.is_none_or(|digits| !digits.is_empty() && are_digits(digits))
    {
        return None;
    }
    let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
    if has_leading_zero && fraction.is_none() && exponent.is_none() && whole.bytes().all(|b| b < b'8') {
        return radix(whole, 8);
    }
    let whole = whole.trim_start_matches('0');
    let mut json = format!("{sign}{}", if whole.is_empty() { "0" } else { whole });
    if let Some(fraction) = fraction.filter(|fraction| !fraction.is_empty()) {
        json.push('.');
        json.push_str(fraction);
    }
    if let Some(exponent) = exponent {
        json.push(if digits.contains('E') { 'E' } else { 'e' });
        json.push_str(exponent);
    }
    Some(Number::from_string_unchecked(json))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::resolve;

    #[test]
    fn plain_scalars_mean_what_kubectl_means() {
        for (text, value) in [
            ("1.28", "1.28"),
            ("0", "0"),
            ("-0", "-0"),
            ("1e3", "1e3"),
            ("-1.5E+10", "-1.5E+10"),
            ("+12", "12"),
            (".5", "0.5"),
            ("5.", "5"),
            ("0644", "420"),
            ("0o644", "420"),
            ("0x1F", "31"),
            ("089", "89"),
            ("00.5", "0.5"),
            ("123456789012345678901234567890.5", "123456789012345678901234567890.5"),
            ("1e999", "1e999"),
        ] {
            assert_eq!(resolve(text).unwrap().to_string(), value, "{text}");
        }
        for text in [
            "2024-05-01",
            "2024-05-01T10:00:00Z",
            "1.28.3",
            "yes",
            "on",
            "1_000",
            "12:30",
            "e3",
            "-",
            ".",
            "+",
            "0x",
            "1e",
            "1e+",
            "=",
            "v1",
            "-.e1",
            "0b1",
        ] {
            assert_eq!(resolve(text).unwrap(), json!(text), "{text}");
        }
        assert_eq!(resolve("~").unwrap(), json!(null));
        assert_eq!(resolve("True").unwrap(), json!(true));
        assert!(resolve(".inf").is_err());
    }
}
