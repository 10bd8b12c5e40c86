//! Scalars with rules of their own.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::MAX_LABELS;
use super::number;
use super::reader::{Read, Sink, Value};
use crate::finding::Code;
use crate::names::PortNumber;
use crate::text::quoted;

/// A duration; see [`number::duration`].
pub(super) fn decode_duration(value: &Value<'_>, sink: &mut Sink) -> Read<Duration> {
    let text = value.string(sink)?;
    number::duration(text).map_err(|rule| {
        value.report(sink, Code::InvalidValue, format!("{} is no duration.", quoted(text)), format!("Rule: {rule}."))
    })
}

/// A TCP port.
pub(super) fn decode_port(value: &Value<'_>, sink: &mut Sink) -> Read<PortNumber> {
    let number = value.integer(sink, 1, u32::from(u16::MAX))?;
    Ok(PortNumber::new(i64::from(number)).expect("1 to 65535 are ports"))
}

/// An address at which other clusters reach a gateway. Loopback addresses are accepted: gateways on one machine have them.
pub(super) fn decode_address(value: &Value<'_>, sink: &mut Sink) -> Read<IpAddr> {
    let text = value.string(sink)?;
    let Ok(address) = text.parse::<IpAddr>() else {
        let why = "Rule: an IPv4 or IPv6 address without port and zone; for a DNS name use hostname instead of addresses.";
        return Err(value.report(sink, Code::InvalidValue, format!("{} is no IP address.", quoted(text)), why));
    };
    let why = match address {
        _ if address.is_unspecified() => "It means any address.",
        _ if address.is_multicast() => "It is a multicast address.",
        IpAddr::V4(address) if address.is_broadcast() => "It is the broadcast address.",
        IpAddr::V4(address) if address.octets()[0] == 0 => "Addresses that begin with 0 belong to no host.",
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => "It is an IPv4 address in IPv6 form; write it as IPv4.",
        IpAddr::V6(address) if address.is_unicast_link_local() => "It is valid on one link only.",
        IpAddr::V4(address) if address.is_link_local() => "It is valid on one link only.",
        _ => return Ok(address),
    };
    Err(value.report(sink, Code::UnusableAddress, format!("No other cluster reaches {text}."), why))
}

/// Labels that select workloads; an empty selector would select all of them.
pub(super) fn decode_selector(value: &Value<'_>, sink: &mut Sink) -> Read<BTreeMap<String, String>> {
    let items = value.map(sink, MAX_LABELS)?;
    if items.is_empty() {
        return Err(value.empty(sink));
    }
    let labels: Vec<Read<(String, String)>> = items
        .into_iter()
        .map(|(key, item)| {
            let key_read = if crate::names::is_label_key(key) {
                Ok(key.to_owned())
            } else {
                let what = format!("{} is no label key.", quoted(key));
                let why = "Rule: an optional prefix (a DNS name and '/'), then at most 63 letters, digits, '-', '_' and '.', \
                           beginning and ending with a letter or digit.";
                Err(item.report(sink, Code::InvalidValue, what, why))
            };
            let text = item.string(sink)?;
            if text.is_empty() || crate::names::is_label_value(text) {
                return Ok((key_read?, text.to_owned()));
            }
            let why = "Rule: at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit.";
            Err(item.report(sink, Code::InvalidValue, format!("{} is no label value.", quoted(text)), why))
        })
        .collect();
    labels.into_iter().collect()
}

/// A host that a Gateway passes through: a DNS name, `*.local`, `*`, each with `<namespace>/` before it if wanted.
pub(super) fn decode_exposed_host(value: &Value<'_>, sink: &mut Sink) -> Read<String> {
    let text = value.string(sink)?;
    let (namespace, host) = text.split_once('/').unwrap_or(("*", text));
    let namespace_is_valid = matches!(namespace, "*" | "." | "~") || crate::names::is_label(namespace);
    let host_is_valid = host == "*" || crate::names::is_subdomain(host.strip_prefix("*.").unwrap_or(host));
    if namespace_is_valid && host_is_valid {
        return Ok(text.to_owned());
    }
    let why = "Rule: a DNS name, which may begin with '*.', or '*'; a namespace and '/' may stand before it.";
    Err(value.report(sink, Code::InvalidValue, format!("{} is no host of a Gateway.", quoted(text)), why))
}

/// A word such as `http` or `grpc-web`.
pub(super) fn decode_backend_protocol(value: &Value<'_>, sink: &mut Sink) -> Read<String> {
    let text = value.string(sink)?;
    if crate::names::is_label(text) {
        return Ok(text.to_owned());
    }
    let why = "Rule: lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit.";
    Err(value.report(sink, Code::InvalidValue, format!("{} is no protocol.", quoted(text)), why))
}

/// A namespace that sees a hostname, `*` or `.`.
pub(super) fn decode_visibility(value: &Value<'_>, sink: &mut Sink) -> Read<String> {
    let text = value.string(sink)?;
    if matches!(text, "*" | ".") || crate::names::is_label(text) {
        return Ok(text.to_owned());
    }
    let why = "Rule: \"*\" (all namespaces), \".\" (the destination's own), or the name of a namespace.";
    Err(value.report(sink, Code::InvalidValue, format!("{} is no namespace.", quoted(text)), why))
}
