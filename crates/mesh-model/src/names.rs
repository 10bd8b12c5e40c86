//! Names as types: whatever has one of these types obeys the rule of its field.

use std::fmt;
use std::str::FromStr;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: {rule}")]
pub struct InvalidName {
    /// the text
    pub text: String,
    /// what it should be
    pub what: &'static str,
    /// the rule that it breaks
    pub rule: &'static str,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $example:literal, $rule:literal, $check:expr;)+) => {
        $(
            $(#[$doc])*
            ///
            #[doc = concat!("Rule: ", $rule, ". Example: `", $example, "`.")]
            #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(String);

            impl $name {
                /// The text.
                #[must_use]
                pub fn as_str(&self) -> &str {
                    &self.0
                }
            }

            impl FromStr for $name {
                type Err = InvalidName;

                fn from_str(text: &str) -> Result<Self, InvalidName> {
                    let check: fn(&str) -> bool = $check;
                    if check(text) {
                        Ok(Self(text.to_owned()))
                    } else {
                        Err(InvalidName { text: text.to_owned(), what: $what, rule: $rule })
                    }
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }
        )+

        #[cfg(test)]
        mod examples {
            #[test]
            fn every_example_is_valid() {
                $(assert!($example.parse::<super::$name>().is_ok(), "{}", $example);)+
            }
        }
    };
}

names! {
    /// A cluster as the provider block names it; part of object names, hence a label that starts with a letter.
    ClusterName, "cluster name", "east",
        "lower-case letters, digits and '-', at most 63, beginning with a letter, ending with a letter or digit",
        |text| is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase());
    /// A Kubernetes namespace.
    Namespace, "namespace", "bookinfo",
        "lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit", is_label;
    /// A virtual mesh, or a virtual destination.
    IntentName, "name", "reviews",
        "lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit", is_label;
    /// A Kubernetes Service.
    ServiceName, "Service name", "reviews",
        "lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit", is_label;
    /// A Kubernetes ServiceAccount.
    ServiceAccount, "ServiceAccount name", "bookinfo-reviews",
        "lower-case letters, digits, '-' and '.', at most 253, every part beginning and ending with a letter or digit", is_subdomain;
    /// The name of any Kubernetes object that we write.
    ObjectName, "object name", "vd-reviews.mesh.internal",
        "lower-case letters, digits, '-' and '.', at most 253, every part beginning and ending with a letter or digit", is_subdomain;
    /// A DNS name that clients call.
    Hostname, "hostname", "reviews.mesh.internal",
        "at least two parts joined by '.', each of lower-case letters, digits and '-' (at most 63), at most 253 in all, the last one not only digits",
        is_hostname;
    /// What the hostnames of a mesh end with.
    HostnameSuffix, "hostname suffix", "mesh.internal",
        "parts joined by '.', each of lower-case letters, digits and '-' (at most 63), at most 189 in all, the last one not only digits",
        |text| text.len() <= 189 && is_subdomain(text) && text.split('.').all(is_label) && !last_part_is_number(text);
    /// The DNS suffix of a cluster's own Services.
    ClusterDomain, "cluster domain", "cluster.local",
        "parts joined by '.', each of lower-case letters, digits and '-' (at most 63), at most 189 in all",
        |text| text.len() <= 189 && is_subdomain(text) && text.split('.').all(is_label);
    /// The name of a port of a ServiceEntry.
    PortName, "port name", "http-9080",
        "lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit", is_label;
    /// A subset of a destination: part of server names and of object names.
    SubsetName, "subset name", "v1",
        "lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit", is_label;
    /// Who a Terraform state acts for; field manager, label and claim.
    OwnerId, "owner", "platform/prod",
        "1 to 100 characters of a-z, 0-9, '.', '/' and '-', beginning and ending with a letter or digit, without '//'",
        |text| (1..=100).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"./-".contains(&b))
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.ends_with(|c: char| c.is_ascii_alphanumeric())
            && !text.contains("//");
    /// The SPIFFE trust domain of a mesh.
    TrustDomain, "trust domain", "cluster.local",
        "lower-case letters, digits, '-', '_' and '.', at most 255",
        |text| (1..=255).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    /// An Istio network.
    NetworkName, "network", "net-east",
        "letters, digits, '-', '_' and '.', at most 63, beginning and ending with a letter or digit", is_label_value;
    /// A region, first part of a locality.
    Region, "region", "us-east-1",
        "letters, digits, '-', '_' and '.', at most 63, beginning and ending with a letter or digit", is_label_value;
    /// An Istio revision.
    Revision, "revision", "default",
        "lower-case letters, digits and '-', at most 63, beginning and ending with a letter or digit", is_label;
    /// The value of the label `service.istio.io/canonical-name`.
    CanonicalName, "canonical name", "reviews",
        "letters, digits, '-', '_' and '.', at most 63, beginning and ending with a letter or digit", is_label_value;
    /// The value of a label that we write.
    LabelValue, "label value", "reviews.mesh.internal",
        "letters, digits, '-', '_' and '.', at most 63, beginning and ending with a letter or digit", is_label_value;
}

impl Default for Revision {
    /// `default`, the revision of an installation that names none.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl Default for ClusterDomain {
    /// `cluster.local`, the default of Kubernetes.
    fn default() -> Self {
        Self("cluster.local".to_owned())
    }
}

impl Default for HostnameSuffix {
    /// `mesh.internal`
    fn default() -> Self {
        Self("mesh.internal".to_owned())
    }
}

impl HostnameSuffix {
    /// `global`, what the names of exported Services end with, as in Gloo Mesh.
    #[must_use]
    pub fn global() -> Self {
        Self("global".to_owned())
    }
}

impl PortName {
    /// The default name of a port: `<protocol>-<number>`.
    #[must_use]
    pub fn of(protocol: crate::intent::Protocol, number: PortNumber) -> Self {
        Self(format!("{}-{number}", protocol.as_str()))
    }
}

impl Namespace {
    /// `istio-system`, the default of Istio's root namespace.
    #[must_use]
    pub fn istio_system() -> Self {
        Self("istio-system".to_owned())
    }
}

/// A label of RFC 1123.
pub(crate) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A subdomain of RFC 1123, as Kubernetes checks object names.
pub(crate) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        })
}

fn is_hostname(text: &str) -> bool {
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label) && !last_part_is_number(text)
}

fn last_part_is_number(text: &str) -> bool {
    text.rsplit('.').next().is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a text is the key of a Kubernetes label: an optional prefix (a DNS name and `/`), then a name as in label values.
#[must_use]
pub fn is_label_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_value(name),
        None => is_label_value(text),
    }
}

/// Whether a text is a value of a Kubernetes label, not empty.
#[must_use]
pub fn is_label_value(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

/// A TCP port, 1 to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortNumber(std::num::NonZeroU16);

impl PortNumber {
    /// 15443, where east-west gateways answer unless told otherwise.
    pub const EAST_WEST: Self = Self(std::num::NonZeroU16::new(15443).expect("15443 is not 0"));

    /// The port, if it is one.
    #[must_use]
    pub fn new(number: i64) -> Option<Self> {
        u16::try_from(number).ok().and_then(std::num::NonZeroU16::new).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for PortNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A minor release of Istio: `1.28`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IstioMinor {
    /// `1`
    pub major: u16,
    /// `28`
    pub minor: u16,
}

impl FromStr for IstioMinor {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let number = |part: &str| {
            (!part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse().ok()).flatten()
        };
        text.split_once('.')
            .and_then(|(major, minor)| Some(Self { major: number(major)?, minor: number(minor)? }))
            .ok_or_else(|| InvalidName { text: text.to_owned(), what: "Istio minor version", rule: "major.minor, as in 1.28" })
    }
}

impl fmt::Display for IstioMinor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
