//! Durations, as Go writes them: `1h30m`, `1.5s`, `-20ms`.

use crate::cel::ops::no_overload;
use crate::cel::value::{Outcome, Val, error};

const SECOND: i128 = 1_000_000_000;
const UNITS: [(&str, i128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", SECOND),
    ("m", 60 * SECOND),
    ("h", 3600 * SECOND),
];

/// Nanoseconds; `None`: it is no duration, or longer than 292 years.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (is_negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let whole_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (whole, after) = rest.split_at(whole_end);
        let (fraction, after) = match after.strip_prefix('.') {
            None => ("", after),
            Some(after) => after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len())),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        // digits beyond these are below a nanosecond
        let digits = &fraction[..fraction.len().min(18)];
        let part = if digits.is_empty() {
            0
        } else {
            digits.parse::<i128>().ok()? * unit / 10_i128.pow(u32::try_from(digits.len()).ok()?)
        };
        total = total.checked_add(whole.checked_mul(*unit)?)?.checked_add(part)?;
        if total > i128::from(i64::MAX) + i128::from(is_negative) {
            return None;
        }
        rest = after;
    }
    i64::try_from(if is_negative { -total } else { total }).ok()
}

/// The same, or what schemas accept besides: whole numbers with units by name, `3 days`.
pub(crate) fn parse_lenient(text: &str) -> Option<i64> {
    const NAMES: [(&[&str], i128); 8] = [
        (&["ns", "nano"], 1),
        (&["us", "\u{b5}s", "micro"], 1_000),
        (&["ms", "milli"], 1_000_000),
        (&["s", "sec"], SECOND),
        (&["m", "min"], 60 * SECOND),
        (&["h", "hr", "hour"], 3600 * SECOND),
        (&["d", "day"], 86_400 * SECOND),
        (&["w", "wk", "week"], 604_800 * SECOND),
    ];
    if let Some(nanos) = parse(text) {
        return Some(nanos);
    }
    let mut total: Option<i64> = None;
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        rest = &rest[start..];
        let (digits, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let after = after.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == '\u{b5}';
        let (unit, after) = after.split_at(after.find(|c: char| !is_letter(c)).unwrap_or(after.len()));
        rest = after;
        if unit.is_empty() {
            continue;
        }
        let count: i64 = digits.parse().ok()?;
        let unit = unit.to_lowercase();
        for (names, nanos) in NAMES {
            let (last, others) = names.split_last()?;
            if unit.starts_with(last) || others.contains(&unit.as_str()) {
                let nanos = i64::try_from(nanos).ok()?;
                total = Some(total.unwrap_or(0).wrapping_add(count.wrapping_mul(nanos)));
            }
        }
    }
    total
}

/// `duration('90s')`
pub(crate) fn duration<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => {
            parse(text).map_or_else(|| error(format!("{text:?} is no duration")), |nanos| Ok(Val::Duration(nanos)))
        }
        Val::Duration(nanos) => Ok(Val::Duration(*nanos)),
        other => no_overload("duration", &[other]),
    }
}

/// How many of a unit a duration has, of all or within the next unit.
pub(crate) fn part<'v>(values: &[Val<'v>], unit: i64, within: Option<i64>) -> Outcome<'v> {
    match &values[0] {
        Val::Duration(nanos) => {
            let count = nanos / unit;
            Ok(Val::Int(within.map_or(count, |within| count % within)))
        }
        other => no_overload("a part of a duration", &[other]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let cases = [
            ("0", Some(0)),
            ("1s", Some(1_000_000_000)),
            ("-1.5s", Some(-1_500_000_000)),
            (".5s", Some(500_000_000)),
            ("1.s", Some(1_000_000_000)),
            ("+1h2m3s4ms5us6ns", Some(3_723_004_005_006)),
            ("1\u{b5}s", Some(1_000)),
            ("0.1ns", Some(0)),
            ("2562047h47m16.854775807s", Some(i64::MAX)),
            ("2562047h47m16.854775808s", None),
            ("", None),
            ("1", None),
            ("-", None),
            (".s", None),
            ("1d", None),
            ("1S", None),
            (" 1s", None),
            ("1s ", None),
            ("99999999999999999999999999999999999999999h", None),
        ];
        for (text, nanos) in cases {
            assert_eq!(parse(text), nanos, "{text:?}");
        }
        assert_eq!(parse_lenient("3 days"), Some(259_200_000_000_000));
        assert_eq!(parse_lenient("1d"), Some(86_400_000_000_000));
        assert_eq!(parse_lenient("soon"), None);
    }
}
