//! Numbers without loss.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// Longest text that is written out in plain digits although it was given with an exponent.
const PLAIN_LIMIT: i64 = 64;

/// Largest distance of the decimal point from the first digit: core keeps numbers as binary floats with a 32-bit
/// exponent, so what lies beyond 2^(2^31) does not exist for it.
const POINT_LIMIT: i64 = 646_456_993;

/// A number of any size and precision, kept as decimal text. Two numbers are equal when cty says so: same value,
/// `1.0` = `1`, `1e2` = `100`; hash and order agree with that.
///
/// The text has no superfluous zeros, sign or exponent. It is plain digits when it came as such or is at most 64
/// characters long, else `d.ddde±n`; a large exponent is never written out.
#[derive(Clone, Debug)]
pub struct Number {
    text: String,
    /// It arrived as a 64-bit float, so it leaves as one (cty compares what it sent with what it gets back).
    is_binary: bool,
}

/// Why a text is no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// not a decimal number, or NaN or infinite
    #[error("{0:?} is not a decimal number")]
    Malformed(String),
    /// further from zero, or nearer to it, than core can hold
    #[error("the number {0:?} is too large or too small")]
    OutOfRange(String),
}

/// How a number travels in msgpack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wire<'a> {
    Float(f64),
    Text(&'a str),
}

/// The value ±0.`digits` × 10^`point`; zero has no digits.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Parts {
    negative: bool,
    point: i64,
    digits: String,
}

impl Number {
    /// Reads decimal text such as `12`, `-0.5`, `1e400`.
    ///
    /// # Errors
    /// When it is no decimal number, is NaN or infinite, or has an exponent beyond what core can hold.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        let parts = Parts::parse(text)?;
        let is_plain = !text.contains(['e', 'E']) || parts.plain_len() <= PLAIN_LIMIT;
        Ok(Self { text: if is_plain { parts.plain() } else { parts.scientific() }, is_binary: false })
    }

    /// The shortest decimal that reads as `number`.
    ///
    /// # Errors
    /// When it is NaN or infinite.
    pub fn from_f64(number: f64) -> Result<Self, NumberError> {
        // Rust's exponent form has the shortest digits that round-trip, as Go's has
        Self::parse(&format!("{number:e}"))
    }

    /// A float as read from the wire: the same as [`Number::from_f64`], and it is written as a float again.
    pub(crate) fn from_wire_f64(number: f64) -> Result<Self, NumberError> {
        Ok(Self { is_binary: true, ..Self::from_f64(number)? })
    }

    /// The integer, when it is one and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.text.parse().ok()
    }

    /// The integer, when it is one, is not negative, and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.text.parse().ok()
    }

    /// The nearest 64-bit float; `None` when that is infinite.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.text.parse().ok().filter(|float: &f64| float.is_finite())
    }

    /// Whether there is nothing behind the decimal point.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        if self.is_scientific() { self.parts().fraction_len() <= 0 } else { !self.text.contains('.') }
    }

    /// The decimal text, which is also a JSON number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form to send. Core reads text into the same numbers as those of its state files and configurations; of integers and
    /// floats it makes numbers of another precision, which Terraform takes for a change in `-refresh-only` plans
    /// (hashicorp/terraform#36403). Only a float whose exact value is longer than its text must go back as it came.
    pub(crate) fn wire(&self) -> Wire<'_> {
        let inexact = self.is_binary && !self.is_integer() && self.exact_f64().is_none();
        self.as_f64().filter(|_| inexact).map_or(Wire::Text(&self.text), Wire::Float)
    }

    /// The 64-bit float with exactly this value, for a number with a fraction whose text is the float's shortest too.
    /// (An exact value with more digits than that must travel as text: core would shorten it.)
    fn exact_f64(&self) -> Option<f64> {
        let parts = self.parts();
        let fraction = u32::try_from(parts.fraction_len()).ok().filter(|length| (1..=27).contains(length))?;
        let digits: u64 = parts.digits.parse().ok()?;
        if !digits.is_multiple_of(5_u64.pow(fraction)) {
            return None;
        }
        // a sum of powers of two that is the shortest text of some float is that float
        self.as_f64().filter(|float| Self::from_f64(*float).as_ref() == Ok(self))
    }

    fn is_scientific(&self) -> bool {
        self.text.contains('e')
    }

    fn parts(&self) -> Parts {
        Parts::parse(&self.text).expect("the text of a number was parsed before")
    }
}

impl Parts {
    fn parse(text: &str) -> Result<Self, NumberError> {
        let malformed = || NumberError::Malformed(shortened(text));
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
            return Err(malformed());
        }
        let exponent_digits = exponent.map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
        if exponent_digits.is_some_and(|digits| digits.is_empty() || !is_digits(digits)) {
            return Err(malformed());
        }

        let mut digits = String::with_capacity(whole.len() + fraction.len());
        digits.push_str(whole);
        digits.push_str(fraction);
        digits.truncate(digits.trim_end_matches('0').len());
        let leading = digits.len() - digits.trim_start_matches('0').len();
        digits.drain(..leading);
        if digits.is_empty() {
            return Ok(Self { negative: false, point: 0, digits });
        }

        let shift = i64::try_from(whole.len()).ok().zip(i64::try_from(leading).ok()).map(|(whole, zeros)| whole - zeros);
        let exponent = exponent.map_or(Some(0), |exponent| exponent.parse::<i64>().ok());
        let point = shift.zip(exponent).and_then(|(shift, exponent)| shift.checked_add(exponent));
        match point {
            Some(point) if point.abs() <= POINT_LIMIT => Ok(Self { negative, point, digits }),
            _ => Err(NumberError::OutOfRange(shortened(text))),
        }
    }

    fn len(&self) -> i64 {
        i64::try_from(self.digits.len()).expect("a text in memory is shorter than i64::MAX")
    }

    /// Digits behind the decimal point; not positive for an integer.
    fn fraction_len(&self) -> i64 {
        self.len() - self.point
    }

    fn plain_len(&self) -> i64 {
        let unsigned = if self.point <= 0 { 2 + self.fraction_len() } else { self.point.max(self.len() + 1) };
        unsigned + i64::from(self.negative)
    }

    fn plain(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
        match usize::try_from(self.point) {
            _ if self.digits.is_empty() => "0".to_owned(),
            Ok(point) if point >= self.digits.len() => format!("{sign}{}{}", self.digits, zeros(-self.fraction_len())),
            Ok(point) if point > 0 => format!("{sign}{}.{}", &self.digits[..point], &self.digits[point..]),
            _ => format!("{sign}0.{}{}", zeros(-self.point), self.digits),
        }
    }

    fn scientific(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let (first, rest) = self.digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{dot}{rest}e{}", self.point - 1)
    }
}

impl Ord for Parts {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |parts: &Self| match (parts.digits.is_empty(), parts.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = || self.point.cmp(&other.point).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then_with(|| if self.negative { size().reverse() } else { size() })
    }
}

impl PartialOrd for Parts {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The start of a text, for messages.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        // within one notation the text is unique
        self.text == other.text || (self.is_scientific() != other.is_scientific() && self.parts() == other.parts())
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.as_i64(), other.as_i64()) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => self.parts().cmp(&other.parts()),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        Self::parse(text)
    }
}

impl TryFrom<f64> for Number {
    type Error = NumberError;

    fn try_from(number: f64) -> Result<Self, NumberError> {
        Self::from_f64(number)
    }
}

macro_rules! from_integers {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Number {
            fn from(number: $integer) -> Self {
                Self { text: number.to_string(), is_binary: false }
            }
        }
    )*};
}

from_integers!(i32, i64, u16, u32, u64);
