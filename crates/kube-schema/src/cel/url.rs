//! URLs, as Go's `url.ParseRequestURI` accepts them: absolute, or a path.

use std::net::Ipv6Addr;

use crate::cel::ops::no_overload;
use crate::cel::value::{Outcome, Val, error};

/// The parts of a URL that rules ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    whole: String,
    pub(crate) scheme: String,
    /// with its port
    pub(crate) host: String,
}

impl Url {
    /// The URL that a text is.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let of = |scheme: &str, host: String| Self { whole: text.to_owned(), scheme: scheme.to_ascii_lowercase(), host };
        if text.is_empty() || text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return None;
        }
        if text == "*" {
            return Some(of("", String::new()));
        }
        let (scheme, rest) = scheme_of(text)?;
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        if !rest.starts_with('/') {
            // with a scheme it is opaque
            return (!scheme.is_empty()).then(|| of(scheme, String::new()));
        }
        let (host, path) = match rest.strip_prefix("//").filter(|_| !scheme.is_empty()) {
            None => (String::new(), rest),
            Some(authority) => {
                let (authority, path) = authority.split_at(authority.find('/').unwrap_or(authority.len()));
                (host_of(scheme, authority)?, path)
            }
        };
        is_escaped(path).then(|| of(scheme, host))
    }

    /// The host without its port and brackets.
    pub(crate) fn hostname(&self) -> &str {
        match self.host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            Some((host, _)) => host,
            None => self.host.split_once(':').map_or(self.host.as_str(), |(host, _)| host),
        }
    }

    pub(crate) fn port(&self) -> &str {
        let after = self.host.rsplit_once(']').map_or(self.host.as_str(), |(_, after)| after);
        after.rsplit_once(':').map_or("", |(_, port)| port)
    }
}

/// The scheme, if there is one, and the rest.
fn scheme_of(text: &str) -> Option<(&str, &str)> {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at > 0 => return Some((&text[..at], &text[at + 1..])),
            b':' => return None,
            _ => break,
        }
    }
    Some(("", text))
}

fn host_of(scheme: &str, authority: &str) -> Option<String> {
    let host = match authority.rsplit_once('@') {
        None => authority,
        Some((user, host)) => {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
            if !user.bytes().all(is_allowed) || !is_escaped(user) {
                return None;
            }
            host
        }
    };
    let is_port =
        |port: &str| port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(at) = host.rfind('[') {
        let inner = host.strip_prefix('[').filter(|_| at == 0)?;
        let (address, port) = inner.rsplit_once(']')?;
        if !is_port(port) {
            return None;
        }
        let (address, zone) = address.split_once("%25").map_or((address, None), |(address, zone)| (address, Some(zone)));
        let is_zone = zone.is_none_or(|zone| !zone.is_empty() && zone.bytes().all(is_host_byte));
        return (address.parse::<Ipv6Addr>().is_ok() && is_zone).then(|| host.replace("%25", "%"));
    }
    if let Some(first) = host.find(':') {
        let is_strict = ["http", "https"].iter().any(|strict| scheme.eq_ignore_ascii_case(strict));
        let at = if is_strict { first } else { host.rfind(':').unwrap_or(first) };
        if !is_port(&host[at..]) {
            return None;
        }
    }
    unescape_host(host)
}

fn is_host_byte(byte: u8) -> bool {
    byte >= 0x80 || byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]<>\"".contains(&byte)
}

/// A host without its escapes, which are for bytes beyond ASCII only.
fn unescape_host(host: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(host.len());
    let mut rest = host.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let code = std::str::from_utf8(after.get(..2)?).ok()?;
            let code = u8::from_str_radix(code, 16).ok().filter(|code| *code >= 0x80 || *code == b'%')?;
            bytes.push(code);
            rest = &after[2..];
        } else if is_host_byte(*first) {
            bytes.push(*first);
            rest = after;
        } else {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether two hexadecimal digits follow every `%`.
fn is_escaped(text: &str) -> bool {
    let is_code = |code: &str| code.len() >= 2 && code.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    text.split('%').skip(1).all(is_code)
}

pub(crate) fn is_url<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => Ok(Val::Bool(Url::parse(text).is_some())),
        other => no_overload("isURL", &[other]),
    }
}

pub(crate) fn url<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => match Url::parse(text) {
            Some(url) => Ok(Val::Url(url.into())),
            None => error(format!("URL parse error during conversion from string: {text:?}")),
        },
        other => no_overload("url", &[other]),
    }
}

pub(crate) fn part<'v>(values: &[Val<'v>], body: fn(&Url) -> String) -> Outcome<'v> {
    match &values[0] {
        Val::Url(url) => Ok(Val::text(body(url))),
        other => no_overload("a part of a URL", &[other]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_those_of_go() {
        let good = [
            "http://a",
            "HTTP://a:1/b?c#d",
            "/a",
            "//a",
            "mailto:x",
            "a:b",
            "*",
            "http://[::1]:80/",
            "http://",
            "oci://u:p@h/x",
            "http://a/%20",
        ];
        for text in good {
            assert!(Url::parse(text).is_some(), "{text:?}");
        }
        let bad = [
            "",
            "a",
            "a/b",
            ":a",
            "http://a b/",
            "http://a:x",
            "http://[::1",
            "http://a/%zz",
            "\u{7f}",
            "http://[1.2.3.4]/",
            "http://u^@h",
            "1a:b",
            "http://a:1:2",
        ];
        for text in bad {
            assert!(Url::parse(text).is_none(), "{text:?}");
        }
        let url = Url::parse("HTTPS://u@[fe80::1%25eth0]:8443/x").expect("a URL");
        assert_eq!((url.scheme.as_str(), url.hostname(), url.port()), ("https", "fe80::1%eth0", "8443"));
    }
}
