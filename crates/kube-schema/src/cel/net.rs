//! Addresses and networks.

use std::fmt;
use std::net::IpAddr;

use crate::cel::ops::no_overload;
use crate::cel::value::{Fail, Outcome, Val, error};

/// A network: an address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    address: IpAddr,
    length: u8,
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/')?;
        let address = parse_ip(address)?;
        let is_plain = length == "0" || length.bytes().all(|byte| byte.is_ascii_digit()) && !length.starts_with('0');
        let length: u8 = length.parse().ok().filter(|_| is_plain)?;
        (length <= bits(address)).then_some(Self { address, length })
    }

    fn holds(&self, address: IpAddr) -> bool {
        bits(address) == bits(self.address) && mask(address, self.length) == mask(self.address, self.length)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// An address; one of IPv4 written as one of IPv6 is none.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    match address {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => None,
        address => Some(address),
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn mask(address: IpAddr, length: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            IpAddr::V4((u32::from(address) & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)).into())
        }
        IpAddr::V6(address) => {
            IpAddr::V6((u128::from(address) & u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)).into())
        }
    }
}

pub(crate) fn is_ip<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => Ok(Val::Bool(parse_ip(text).is_some())),
        other => no_overload("isIP", &[other]),
    }
}

pub(crate) fn ip<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => parse_ip(text).map_or_else(|| error(format!("IP Address {text:?} parse error")), |ip| Ok(Val::Ip(ip))),
        other => no_overload("ip", &[other]),
    }
}

pub(crate) fn is_cidr<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => Ok(Val::Bool(Cidr::parse(text).is_some())),
        other => no_overload("isCIDR", &[other]),
    }
}

pub(crate) fn cidr<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => {
            Cidr::parse(text).map_or_else(|| error(format!("CIDR {text:?} parse error")), |cidr| Ok(Val::Cidr(cidr)))
        }
        other => no_overload("cidr", &[other]),
    }
}

pub(crate) fn family<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Ip(address) => Ok(Val::Int(if address.is_ipv4() { 4 } else { 6 })),
        other => no_overload("family", &[other]),
    }
}

fn network(value: &Val<'_>, name: &str) -> Result<Cidr, Fail> {
    match value {
        Val::Cidr(cidr) => Ok(*cidr),
        other => no_overload(name, &[other]),
    }
}

pub(crate) fn contains_ip<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let cidr = network(&values[0], "containsIP")?;
    let inner = match &values[1] {
        Val::Text(_) => ip(&values[1..])?,
        other => other.clone(),
    };
    match inner {
        Val::Ip(address) => Ok(Val::Bool(cidr.holds(address))),
        other => no_overload("containsIP", &[&other]),
    }
}

pub(crate) fn contains_cidr<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let outer = network(&values[0], "containsCIDR")?;
    let inner = match &values[1] {
        Val::Text(_) => cidr(&values[1..])?,
        other => other.clone(),
    };
    let inner = network(&inner, "containsCIDR")?;
    Ok(Val::Bool(outer.holds(mask(inner.address, inner.length)) && inner.length >= outer.length))
}

pub(crate) fn prefix_length<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    Ok(Val::Int(i64::from(network(&values[0], "prefixLength")?.length)))
}

pub(crate) fn address<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    Ok(Val::Ip(network(&values[0], "ip")?.address))
}

pub(crate) fn masked<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let Cidr { address, length } = network(&values[0], "masked")?;
    Ok(Val::Cidr(Cidr { address: mask(address, length), length }))
}
