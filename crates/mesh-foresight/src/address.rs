//! Where gateways are reached.

use std::fmt;
use std::net::IpAddr;

/// Where a gateway is reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// directly
    Ip(IpAddr),
    /// by a name, which istiod resolves; to one address, as far as shares and ejection are concerned
    Hostname(String),
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Hostname(hostname) => hostname.fmt(f),
        }
    }
}
