//! Formats of texts and numbers, as far as an API server enforces them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cel::duration;
use crate::cel::time::{is_date, is_date_time};
use crate::cel::url::Url;
use crate::metadata::{is_dns_label, is_dns_subdomain};
use crate::number::Num;
use crate::schema::Kind;

/// A format that is enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Int32,
    Int64,
    Float,
    Byte,
    Date,
    DateTime,
    Duration,
    Ipv4,
    Ipv6,
    Cidr,
    Uri,
    Uuid,
    HexColor,
    ShortName,
    LongName,
}

impl Format {
    /// The format with this name on a node of this type; `None`: an API server does not enforce it.
    ///
    /// # Errors
    /// When it does and that is not done here; the text says why.
    pub(crate) fn of(name: &str, kind: Option<Kind>) -> Result<Option<Self>, String> {
        match kind {
            Some(Kind::Integer) => {
                return Ok(match name {
                    "int32" => Some(Self::Int32),
                    _ => Some(Self::Int64),
                });
            }
            Some(Kind::Number) => return Ok((name == "float").then_some(Self::Float)),
            Some(Kind::String) | None => {}
            Some(_) => return Ok(None),
        }
        Ok(Some(match name.replace('-', "").as_str() {
            "byte" => Self::Byte,
            "date" => Self::Date,
            "datetime" => Self::DateTime,
            "duration" => Self::Duration,
            "ipv4" => Self::Ipv4,
            "ipv6" => Self::Ipv6,
            "cidr" => Self::Cidr,
            "uri" => Self::Uri,
            "uuid" => Self::Uuid,
            "hexcolor" => Self::HexColor,
            "k8sshortname" => Self::ShortName,
            "k8slongname" => Self::LongName,
            "bsonobjectid" | "email" | "hostname" | "mac" | "uuid3" | "uuid4" | "uuid5" | "isbn" | "isbn10" | "isbn13"
            | "creditcard" | "ssn" | "rgbcolor" => return Err(format!("the format {name} is not known here")),
            _ => return Ok(None),
        }))
    }

    /// What it is, for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Int32 => "a whole number of 32 bits",
            Self::Int64 => "a whole number of 64 bits",
            Self::Float => "a number of 32 bits",
            Self::Byte => "base64",
            Self::Date => "a date such as 2025-12-31",
            Self::DateTime => "a time such as 2025-12-31T23:59:59Z",
            Self::Duration => "a duration such as 90s or 1h30m",
            Self::Ipv4 => "an IPv4 address",
            Self::Ipv6 => "an IPv6 address",
            Self::Cidr => "a network such as 10.0.0.0/8",
            Self::Uri => "an absolute URI",
            Self::Uuid => "a UUID",
            Self::HexColor => "a colour such as #aabbcc",
            Self::ShortName => "at most 63 of a-z, 0-9 and -, with a letter or digit at both ends",
            Self::LongName => "at most 253 of a-z, 0-9, - and ., with a letter or digit at both ends of each part",
        }
    }

    /// Whether a text is of it.
    pub(crate) fn accepts(self, text: &str) -> bool {
        match self {
            Self::Int32 | Self::Int64 | Self::Float => true,
            Self::Byte => is_base64(text),
            Self::Date => is_date(text),
            Self::DateTime => is_date_time(text),
            Self::Duration => duration::parse_lenient(text).is_some(),
            Self::Ipv4 => parse_ip(text).is_some() && text.contains('.'),
            Self::Ipv6 => text.contains(':') && text.parse::<Ipv6Addr>().is_ok(),
            Self::Cidr => is_cidr(text),
            Self::Uri => Url::parse(text).is_some(),
            Self::Uuid => is_uuid(text),
            Self::HexColor => {
                let digits = text.strip_prefix('#').unwrap_or(text);
                [3, 6].contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            Self::ShortName => is_dns_label(text),
            Self::LongName => is_dns_subdomain(text),
        }
    }

    /// Whether a number is in its range.
    pub(crate) fn holds(self, number: Num) -> bool {
        match (self, number) {
            (Self::Int32, Num::Int(number)) => i32::try_from(number).is_ok(),
            (Self::Int32 | Self::Int64, Num::Float(_)) => false,
            (Self::Float, number) => number.as_f64().abs() <= f64::from(f32::MAX),
            _ => true,
        }
    }
}

/// Not the empty text either.
fn is_base64(text: &str) -> bool {
    let bytes = text.as_bytes();
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    !bytes.is_empty() && bytes.len().is_multiple_of(4) && padding <= 2 && bytes[..bytes.len() - padding].iter().all(is_letter)
}

/// An address, with zeros before the numbers of IPv4 as the API server tolerates them.
fn parse_ip(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse().ok().map(IpAddr::V6);
    }
    let mut bytes = [0u8; 4];
    let mut parts = text.split('.');
    for byte in &mut bytes {
        let part = parts.next().filter(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        let digits = part.trim_start_matches('0');
        *byte = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    }
    parts.next().is_none().then_some(IpAddr::V4(Ipv4Addr::from(bytes)))
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let Some(address) = parse_ip(address) else { return false };
    let bits = if address.is_ipv4() { 32 } else { 128 };
    !length.is_empty()
        && length.bytes().all(|byte| byte.is_ascii_digit())
        && length.parse::<u32>().is_ok_and(|length| length <= bits)
}

fn is_uuid(text: &str) -> bool {
    let mut rest = text;
    for (position, length) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if position > 0 {
            rest = rest.strip_prefix('-').unwrap_or(rest);
        }
        let Some((digits, after)) = rest.split_at_checked(length) else { return false };
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_accept_what_an_api_server_accepts() {
        let cases = [
            (Format::Byte, "", false),
            (Format::Byte, "aGk=", true),
            (Format::Byte, "aGk", false),
            (Format::Byte, "a===", false),
            (Format::Ipv4, "010.1.1.1", true),
            (Format::Ipv4, "::ffff:1.2.3.4", true),
            (Format::Ipv4, "1.2.3", false),
            (Format::Ipv4, "1.2.3.256", false),
            (Format::Ipv6, "::1", true),
            (Format::Ipv6, "fe80::1%eth0", false),
            (Format::Ipv6, "1.2.3.4", false),
            (Format::Cidr, "10.0.0.0/8", true),
            (Format::Cidr, "10.0.0.0/33", false),
            (Format::Date, "2024-02-29", true),
            (Format::Date, "2023-02-29", false),
            (Format::DateTime, "2024-02-29T23:59:59Z", true),
            (Format::DateTime, "2024-02-29t23:59:59.1+02:00", true),
            (Format::DateTime, "2024-02-29 23:59:59Z", false),
            (Format::Duration, "1h30m", true),
            (Format::Duration, "3 days", true),
            (Format::Duration, "soon", false),
            (Format::Uuid, "123E4567e89b-12d3-a456-426614174000", true),
            (Format::Uuid, "123", false),
            (Format::HexColor, "#fff", true),
            (Format::Uri, "/a", true),
            (Format::Uri, "a", false),
        ];
        for (format, text, is_accepted) in cases {
            assert_eq!(format.accepts(text), is_accepted, "{format:?} {text:?}");
        }
        assert!(!Format::Int32.holds(Num::Int(1 << 31)));
        assert!(Format::of("email", Some(Kind::String)).is_err());
        assert_eq!(Format::of("anything", Some(Kind::String)), Ok(None));
    }
}
