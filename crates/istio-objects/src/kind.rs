//! Kinds of objects.

use std::fmt;

/// Group, version and kind of an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    /// API group; empty for the core group
    pub group: String,
    /// version of the group
    pub version: String,
    /// CamelCase kind
    pub kind: String,
}

impl Kind {
    /// A kind of Istio's networking group, in the version that every supported release serves (`networking.istio.io/v1`,
    /// served since Istio 1.22).
    #[must_use]
    pub fn networking(kind: &str) -> Self {
        Self { group: "networking.istio.io".to_owned(), version: "v1".to_owned(), kind: kind.to_owned() }
    }

    /// A kind of Istio's security group, served in this version as long as those of networking.
    #[must_use]
    pub fn security(kind: &str) -> Self {
        Self { group: "security.istio.io".to_owned(), ..Self::networking(kind) }
    }

    /// A kind of Gateway API, in the version that is served since its release 1.0.
    #[must_use]
    pub fn gateway_api(kind: &str) -> Self {
        Self { group: "gateway.networking.k8s.io".to_owned(), ..Self::networking(kind) }
    }

    /// Whether it is this kind of Istio.
    #[must_use]
    pub fn is_istio(&self, kind: &str) -> bool {
        self.kind == kind && self.group.ends_with(".istio.io")
    }

    /// Parses `apiVersion` and `kind` of an object. Only what an API server could serve is a kind: all three are parts of paths.
    #[must_use]
    pub fn parse(api_version: &str, kind: &str) -> Option<Self> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let consists_of = |text: &str, others: &[u8]| text.bytes().all(|b| b.is_ascii_alphanumeric() || others.contains(&b));
        let is_one = consists_of(group, b".-") && consists_of(version, b"") && consists_of(kind, b"-");
        (!version.is_empty() && kind.starts_with(|c: char| c.is_ascii_alphabetic()) && is_one).then(|| Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        })
    }

    /// `apiVersion` of such an object.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The name in keys: `VirtualService` for Istio's kinds, `Gateway.gateway.networking.k8s.io` for those of other groups,
    /// `ConfigMap` for the core group.
    #[must_use]
    pub fn key_name(&self) -> String {
        let of_istio = self.group.strip_suffix(".istio.io");
        let is_istio = of_istio.is_some_and(|group| ["networking", "security", "telemetry", "extensions"].contains(&group));
        if is_istio || self.group.is_empty() { self.kind.clone() } else { format!("{}.{}", self.kind, self.group) }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key_name())
    }
}
