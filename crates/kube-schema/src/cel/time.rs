//! Dates and times of RFC 3339.

use crate::cel::ops::no_overload;
use crate::cel::value::{Outcome, Val, error};

const SECOND: i128 = 1_000_000_000;

/// Whether a text is a date: `2025-12-31`.
pub(crate) fn is_date(text: &str) -> bool {
    parse_date(text).is_some()
}

/// Nanoseconds from 1970 to the beginning of a date.
pub(crate) fn parse_date(text: &str) -> Option<i128> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&text[..4])?, digits(&text[5..7])?, digits(&text[8..])?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    (1..=length).contains(&day).then(|| i128::from(days(year, month, day)) * 86_400 * SECOND)
}

/// Days from 1970 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // years begin in March, so that the leap day is the last one
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + year * 365 + year / 4 - year / 100 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse().ok() }
}

/// Whether a schema accepts a text as a time.
pub(crate) fn is_date_time(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut parts = lower.split('t');
    let (Some(date), Some(clock)) = (parts.next(), parts.next()) else { return false };
    let Some((hours, minutes, seconds, rest)) = clock_of(clock) else { return false };
    let rest = match rest.chars().next() {
        // any character, as the API server has it
        Some(separator)
            if !"z+-".contains(separator) || rest[1..].starts_with(|c: char| c.is_ascii_digit()) && !is_zone(rest) =>
        {
            let after = &rest[separator.len_utf8()..];
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            if end == 0 {
                return false;
            }
            &after[end..]
        }
        _ => rest,
    };
    is_date(date) && hours <= 23 && minutes <= 59 && seconds <= 59 && is_zone(rest)
}

fn clock_of(text: &str) -> Option<(i64, i64, i64, &str)> {
    let clock = text.get(..8)?;
    if clock.as_bytes()[2] != b':' || clock.as_bytes()[5] != b':' {
        return None;
    }
    Some((digits(clock.get(..2)?)?, digits(clock.get(3..5)?)?, digits(clock.get(6..)?)?, &text[8..]))
}

fn is_zone(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes[at].is_ascii_digit();
    text == "z" || bytes.len() == 6 && b"+-".contains(&bytes[0]) && bytes[3] == b':' && [1, 2, 4, 5].into_iter().all(is_digit)
}

/// Nanoseconds from 1970 to a time of RFC 3339.
pub(crate) fn parse(text: &str) -> Option<i128> {
    let (date, clock) = text.split_once('T')?;
    let (hours, minutes, seconds, rest) = clock_of(clock)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        None => (0, rest),
        Some(after) => {
            let (digits_of, zone) = after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()));
            if digits_of.is_empty() {
                return None;
            }
            let nanos: String = digits_of.chars().chain("000000000".chars()).take(9).collect();
            (i128::from(digits(&nanos)?), zone)
        }
    };
    let offset = if zone == "Z" {
        0
    } else {
        if !is_zone(zone) {
            return None;
        }
        let minutes = digits(&zone[1..3])? * 60 + digits(&zone[4..])?;
        if zone.starts_with('-') { -minutes } else { minutes }
    };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some(parse_date(date)? + i128::from(hours * 3600 + (minutes - offset) * 60 + seconds) * SECOND + fraction)
}

/// `timestamp('2025-12-31T00:00:00Z')`
pub(crate) fn timestamp<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => parse(text).map_or_else(|| error(format!("{text:?} is no time")), |nanos| Ok(Val::Time(nanos))),
        Val::Int(seconds) => Ok(Val::Time(i128::from(*seconds) * SECOND)),
        Val::Time(nanos) => Ok(Val::Time(*nanos)),
        other => no_overload("timestamp", &[other]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_1970() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(parse("2000-03-01T00:00:00+01:00"), Some((951_868_800 - 3600) * SECOND));
        assert_eq!(parse("1969-12-31T23:59:59.5Z"), Some(-SECOND / 2));
        assert_eq!(parse("2000-13-01T00:00:00Z"), None);
        assert_eq!(parse("2000-01-01T00:00:00"), None);
        for text in ["2000-01-01T00:00:00", "2000-01-01T24:00:00Z", "2000-01-01", "é", "tt", "2000-01-01t00:00:0é"] {
            assert!(!is_date_time(text), "{text}");
        }
    }
}
