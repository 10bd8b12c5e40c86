//! The kinds that are known: their paths, without asking the server.

use istio_objects::{Kind, ObjectKey};

/// A kind of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// API group; empty for the core group
    pub group: &'static str,
    /// versions in which it is served, the preferred one first; all of one schema
    pub versions: &'static [&'static str],
    /// CamelCase kind
    pub kind: &'static str,
    /// as in paths and in roles
    pub plural: &'static str,
    /// whether its objects are in namespaces
    pub is_namespaced: bool,
    /// what is done with it
    pub purpose: Purpose,
}

/// What is done with a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// objects of it are written, and listed by the owner's label
    Written,
    /// objects of it are looked at, and discovery is wrong without them
    Read,
    /// objects of it are looked at where that is allowed
    ReadIfAllowed,
}

const fn known(
    group: &'static str,
    versions: &'static [&'static str],
    kind: &'static str,
    plural: &'static str,
    purpose: Purpose,
) -> Known {
    Known { group, versions, kind, plural, is_namespaced: true, purpose }
}

const fn clusterwide(known: Known) -> Known {
    Known { is_namespaced: false, ..known }
}

const NETWORKING: &str = "networking.istio.io";
const SECURITY: &str = "security.istio.io";
const GATEWAY: &str = "gateway.networking.k8s.io";
/// Istio serves `v1` since 1.22.
const ISTIO: &[&str] = &["v1", "v1beta1"];

use Purpose::{Read, ReadIfAllowed, Written};

/// All kinds.
pub const KINDS: &[Known] = &[
    known(NETWORKING, ISTIO, "DestinationRule", "destinationrules", Written),
    known(NETWORKING, &["v1alpha3"], "EnvoyFilter", "envoyfilters", Written),
    known(NETWORKING, ISTIO, "Gateway", "gateways", Written),
    known(NETWORKING, &["v1beta1"], "ProxyConfig", "proxyconfigs", Written),
    known(NETWORKING, ISTIO, "ServiceEntry", "serviceentries", Written),
    known(NETWORKING, ISTIO, "Sidecar", "sidecars", Written),
    known(NETWORKING, ISTIO, "VirtualService", "virtualservices", Written),
    known(NETWORKING, ISTIO, "WorkloadEntry", "workloadentries", Written),
    known(NETWORKING, ISTIO, "WorkloadGroup", "workloadgroups", Written),
    known(SECURITY, ISTIO, "AuthorizationPolicy", "authorizationpolicies", Written),
    known(SECURITY, ISTIO, "PeerAuthentication", "peerauthentications", Written),
    known(SECURITY, ISTIO, "RequestAuthentication", "requestauthentications", Written),
    known("telemetry.istio.io", &["v1", "v1alpha1"], "Telemetry", "telemetries", Written),
    known("extensions.istio.io", &["v1alpha1"], "WasmPlugin", "wasmplugins", Written),
    clusterwide(known(GATEWAY, &["v1", "v1beta1"], "GatewayClass", "gatewayclasses", Written)),
    known(GATEWAY, &["v1", "v1beta1"], "Gateway", "gateways", Written),
    known(GATEWAY, &["v1", "v1beta1"], "HTTPRoute", "httproutes", Written),
    known(GATEWAY, &["v1", "v1alpha2"], "GRPCRoute", "grpcroutes", Written),
    known(GATEWAY, &["v1", "v1alpha3", "v1alpha2"], "TLSRoute", "tlsroutes", Written),
    known(GATEWAY, &["v1alpha2"], "TCPRoute", "tcproutes", Written),
    known(GATEWAY, &["v1alpha2"], "UDPRoute", "udproutes", Written),
    known(GATEWAY, &["v1", "v1beta1"], "ReferenceGrant", "referencegrants", Written),
    known(GATEWAY, &["v1", "v1alpha3"], "BackendTLSPolicy", "backendtlspolicies", Written),
    known("", &["v1"], "ConfigMap", "configmaps", Read),
    clusterwide(known("", &["v1"], "Namespace", "namespaces", ReadIfAllowed)),
    clusterwide(known("", &["v1"], "Node", "nodes", ReadIfAllowed)),
    known("", &["v1"], "Pod", "pods", Read),
    known("", &["v1"], "Service", "services", Read),
    known("apps", &["v1"], "DaemonSet", "daemonsets", Read),
    known("apps", &["v1"], "Deployment", "deployments", Read),
    known("apps", &["v1"], "ReplicaSet", "replicasets", Read),
    known("apps", &["v1"], "StatefulSet", "statefulsets", Read),
    known("discovery.k8s.io", &["v1"], "EndpointSlice", "endpointslices", Read),
    clusterwide(known(
        "admissionregistration.k8s.io",
        &["v1"],
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
        ReadIfAllowed,
    )),
];

impl Known {
    /// The kind with this name in keys.
    #[must_use]
    pub fn of_key(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|known| known.key_name() == name)
    }

    /// The name in keys: [`Kind::key_name`].
    #[must_use]
    pub fn key_name(&self) -> String {
        let version = self.versions.first().copied().unwrap_or_default();
        Kind { group: self.group.to_owned(), version: version.to_owned(), kind: self.kind.to_owned() }.key_name()
    }

    /// `group/version`, or the version alone for the core group.
    #[must_use]
    pub fn api_version(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// `gateways.networking.istio.io`, as in messages of API servers.
    #[must_use]
    pub fn resource(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// The path of all objects, of a namespace or of the cluster.
    pub(crate) fn collection(&self, version: &str, namespace: Option<&str>) -> String {
        let root = if self.group.is_empty() { "/api".to_owned() } else { format!("/apis/{}", self.group) };
        match namespace {
            Some(namespace) => format!("{root}/{version}/namespaces/{namespace}/{}", self.plural),
            None => format!("{root}/{version}/{}", self.plural),
        }
    }

    /// The path of one object.
    pub(crate) fn object(&self, version: &str, key: &ObjectKey) -> String {
        let namespace = key.namespace.as_ref().map(|namespace| namespace.as_str());
        format!("{}/{}", self.collection(version, namespace), key.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_and_a_path_of_its_own() {
        for known in KINDS {
            assert_eq!(Known::of_key(&known.key_name()), Some(known));
            let same = KINDS.iter().filter(|other| other.collection("v1", None) == known.collection("v1", None)).count();
            assert_eq!(same, 1, "{known:?}");
        }
        assert_eq!(Known::of_key("Gateway").map(Known::resource).as_deref(), Some("gateways.networking.istio.io"));
    }
}
