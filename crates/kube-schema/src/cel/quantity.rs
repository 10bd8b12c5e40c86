//! Quantities: `500m`, `1Gi`, `1e3`.

use std::cmp::Ordering;

use crate::cel::ops::no_overload;
use crate::cel::value::{Fail, Outcome, Val, error};

/// Billionths of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(i128);

impl Quantity {
    /// The quantity that a text is. What is below a billionth is rounded away from zero.
    fn parse(text: &str) -> Option<Self> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
        let (number, suffix) = digits.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 24 {
            return None;
        }
        let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
        let (factor, divisor) = scale(suffix)?;
        let divisor = divisor.checked_mul(10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
        let scaled = mantissa.checked_mul(factor)?.checked_mul(1_000_000_000)?;
        let value = scaled / divisor + i128::from(scaled % divisor != 0);
        Some(Self(if is_negative { -value } else { value }))
    }
}

/// What a suffix multiplies by and divides by.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    const SUFFIXES: [(&str, i128, i128); 16] = [
        ("", 1, 1),
        ("n", 1, 1_000_000_000),
        ("u", 1, 1_000_000),
        ("m", 1, 1_000),
        ("k", 1_000, 1),
        ("M", 1_000_000, 1),
        ("G", 1_000_000_000, 1),
        ("T", 1_000_000_000_000, 1),
        ("P", 1_000_000_000_000_000, 1),
        ("E", 1_000_000_000_000_000_000, 1),
        ("Ki", 1 << 10, 1),
        ("Mi", 1 << 20, 1),
        ("Gi", 1 << 30, 1),
        ("Ti", 1 << 40, 1),
        ("Pi", 1 << 50, 1),
        ("Ei", 1 << 60, 1),
    ];
    if let Some((_, factor, divisor)) = SUFFIXES.iter().find(|(name, ..)| *name == suffix) {
        return Some((*factor, *divisor));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    Some(if exponent < 0 { (1, power) } else { (power, 1) })
}

pub(crate) fn is_quantity<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => Ok(Val::Bool(Quantity::parse(text).is_some())),
        other => no_overload("isQuantity", &[other]),
    }
}

pub(crate) fn quantity<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => match Quantity::parse(text) {
            Some(quantity) => Ok(Val::Quantity(quantity)),
            None => error(format!("{text:?} is no quantity")),
        },
        other => no_overload("quantity", &[other]),
    }
}

pub(crate) fn compare(values: &[Val<'_>]) -> Result<Ordering, Fail> {
    match (&values[0], &values[1]) {
        (Val::Quantity(a), Val::Quantity(b)) => Ok(a.cmp(b)),
        (a, b) => no_overload("a comparison of quantities", &[a, b]),
    }
}

pub(crate) fn sign<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Quantity(Quantity(value)) => Ok(Val::Int(value.signum() as i64)),
        other => no_overload("sign", &[other]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_those_of_kubernetes() {
        let of = |text: &str| Quantity::parse(text).map(|quantity| quantity.0);
        assert_eq!(of("1Ki"), of("1024"));
        assert_eq!(of("500m"), of("0.5"));
        assert_eq!(of("1e3"), of("1k"));
        assert_eq!(of("-1.5Gi"), of("-1536Mi"));
        for text in ["", "1 Gi", "Gi", "1gi", "1..2", "1e", "1e999"] {
            assert_eq!(of(text), None, "{text:?}");
        }
    }
}
