//! A cluster that is an API server, as a test looks at it and tampers with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rig::wait::is_so_by;
use rig::{Call, Cluster, Written};
use serde_json::{Value, json};
use xtask::{Problem, Result};

use crate::site::done;

/// Every kind that cases write: its name in keys, and the path under which it is listed.
const KINDS: [(&str, &str); 20] = [
    ("AuthorizationPolicy", "security.istio.io/v1/authorizationpolicies"),
    ("BackendTLSPolicy.gateway.networking.k8s.io", "gateway.networking.k8s.io/v1/backendtlspolicies"),
    ("DestinationRule", "networking.istio.io/v1/destinationrules"),
    ("EnvoyFilter", "networking.istio.io/v1alpha3/envoyfilters"),
    ("GRPCRoute.gateway.networking.k8s.io", "gateway.networking.k8s.io/v1/grpcroutes"),
    ("Gateway", "networking.istio.io/v1/gateways"),
    ("Gateway.gateway.networking.k8s.io", "gateway.networking.k8s.io/v1/gateways"),
    ("GatewayClass.gateway.networking.k8s.io", "gateway.networking.k8s.io/v1/gatewayclasses"),
    ("HTTPRoute.gateway.networking.k8s.io", "gateway.networking.k8s.io/v1/httproutes"),
    ("PeerAuthentication", "security.istio.io/v1/peerauthentications"),
    ("ProxyConfig", "networking.istio.io/v1beta1/proxyconfigs"),
    ("ReferenceGrant.gateway.networking.k8s.io", "gateway.networking.k8s.io/v1beta1/referencegrants"),
    ("RequestAuthentication", "security.istio.io/v1/requestauthentications"),
    ("ServiceEntry", "networking.istio.io/v1/serviceentries"),
    ("Sidecar", "networking.istio.io/v1/sidecars"),
    ("Telemetry", "telemetry.istio.io/v1/telemetries"),
    ("VirtualService", "networking.istio.io/v1/virtualservices"),
    ("WasmPlugin", "extensions.istio.io/v1alpha1/wasmplugins"),
    ("WorkloadEntry", "networking.istio.io/v1/workloadentries"),
    ("WorkloadGroup", "networking.istio.io/v1/workloadgroups"),
];

/// Who a person is to a server.
pub const PERSON: &str = "kubectl-edit";

/// Waits until every kind can be listed: after a start each of them takes its own time.
///
/// # Errors
/// When one cannot within a minute.
pub fn wait(cluster: &Cluster) -> Result<()> {
    let (api, end) = (cluster.api(), Instant::now() + Duration::from_secs(60));
    for (_, path) in KINDS {
        if !is_so_by(end, || Ok(api.get(&format!("/apis/{path}?limit=1"))?.is_success()))? {
            return Err(Problem::new(format!("{path} of {} cannot be listed within a minute", cluster.name())));
        }
    }
    Ok(())
}

/// When each object was written, by `<Kind>/<namespace>/<name>`.
pub(crate) fn written(cluster: &Cluster) -> BTreeMap<String, Written> {
    let is_mesh = |key: &str| {
        let group = key.split('/').next().unwrap_or_default();
        group.ends_with(".istio.io") || group == "gateway.networking.k8s.io"
    };
    let all = done(cluster.written()).into_iter().filter(|(key, _)| is_mesh(key));
    all.map(|(key, written)| (key_of(&key), written)).collect()
}

/// Every object as the server has it, by `<Kind>/<namespace>/<name>`.
pub(crate) fn raw(cluster: &Cluster) -> BTreeMap<String, Value> {
    let there = written(cluster);
    let api = cluster.api();
    let mut found = BTreeMap::new();
    for (kind, path) in KINDS {
        let prefix = format!("{kind}/");
        if !there.keys().any(|key| key.starts_with(&prefix)) {
            continue;
        }
        for mut object in done(api.list(&format!("/apis/{path}"))) {
            // items of a list do not repeat it
            object["kind"] = kind.split('.').next().unwrap_or(kind).into();
            let text = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
            let namespace = Some(text("namespace")).filter(|name| !name.is_empty()).unwrap_or_else(|| "-".to_owned());
            found.insert(format!("{prefix}{namespace}/{}", text("name")), object);
        }
    }
    found
}

/// One object as the server has it.
pub(crate) fn read(cluster: &Cluster, key: &str) -> Option<Value> {
    done(cluster.api().read(&path_of(key)))
}

/// Writes it as a person does with `kubectl edit`.
pub(crate) fn replace(cluster: &Cluster, key: &str, object: &Value) {
    let path = format!("{}?fieldManager={PERSON}", path_of(key));
    let answer = done(cluster.api().call(Call { method: "PUT", path, body: object.to_string(), ..Call::default() }));
    assert!(answer.is_success(), "{key}: {} {}", answer.status, answer.message());
}

/// Writes the status as a controller does.
pub(crate) fn write_status(cluster: &Cluster, key: &str, status: &Value) {
    let path = format!("{}/status", path_of(key));
    done(cluster.api().merge(&path, &json!({ "status": status }), "pilot-discovery"));
}

/// Deletes one that is there.
pub(crate) fn remove(cluster: &Cluster, key: &str) {
    assert!(read(cluster, key).is_some(), "no {key} in {}", cluster.name());
    done(cluster.api().delete(&path_of(key)));
}

/// Without what a server adds.
pub(crate) fn without_servers_part(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.remove("status");
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for name in ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"] {
            metadata.remove(name);
        }
    }
    object
}

/// The path of `<Kind>/<namespace>/<name>`; the namespace is `-` where there is none.
pub(crate) fn path_of(key: &str) -> String {
    let parts: Vec<&str> = key.splitn(3, '/').collect();
    let [kind, namespace, name] = parts.as_slice() else { panic!("{key} has no kind, namespace and name") };
    let found = KINDS.iter().find(|(known, _)| known == kind);
    let (group, plural) = found.and_then(|(_, path)| path.rsplit_once('/')).unwrap_or_else(|| panic!("{kind} is not known"));
    match *namespace {
        "-" => format!("/apis/{group}/{plural}/{name}"),
        _ => format!("/apis/{group}/namespaces/{namespace}/{plural}/{name}"),
    }
}

/// `<Kind>/<namespace>/<name>` of what the store knows as `<group>/<plural>/<namespace>/<name>`.
fn key_of(entry: &str) -> String {
    let parts: Vec<&str> = entry.split('/').collect();
    let (group, plural, namespace, name) = match parts.as_slice() {
        [group, plural, namespace, name] => (*group, *plural, *namespace, *name),
        [group, plural, name] => (*group, *plural, "-", *name),
        _ => panic!("{entry} has no group, kind and name"),
    };
    let is_it =
        |path: &str| path.split_once('/').is_some_and(|(own, rest)| own == group && rest.rsplit('/').next() == Some(plural));
    let found = KINDS.iter().find(|(_, path)| is_it(path));
    format!("{}/{namespace}/{name}", found.unwrap_or_else(|| panic!("the kind of {entry} is not known here")).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lead_to_paths_and_come_from_the_store() {
        assert_eq!(path_of("Gateway/a/b"), "/apis/networking.istio.io/v1/namespaces/a/gateways/b");
        assert_eq!(key_of("networking.istio.io/gateways/a/b"), "Gateway/a/b");
        assert_eq!(key_of("gateway.networking.k8s.io/gateways/a/b"), "Gateway.gateway.networking.k8s.io/a/b");
        let class = key_of("gateway.networking.k8s.io/gatewayclasses/c");
        assert_eq!(class, "GatewayClass.gateway.networking.k8s.io/-/c");
        assert_eq!(path_of(&class), "/apis/gateway.networking.k8s.io/v1/gatewayclasses/c");
    }

    #[test]
    fn what_a_server_adds_is_no_difference() {
        let object = json!({ "kind": "X", "status": {}, "spec": { "a": 1 }, "metadata": { "name": "n", "uid": "u" } });
        assert_eq!(without_servers_part(object), json!({ "kind": "X", "spec": { "a": 1 }, "metadata": { "name": "n" } }));
    }
}
