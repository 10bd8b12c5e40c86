//! What the API server of a mesh's cluster holds at its start: istiod, the gateway, the services and their workloads.
//!
//! Live workloads are WorkloadEntries with addresses of this machine. There is no Pod and no EndpointSlice: a proxy would dial
//! what they name.

use serde_json::{Value, json};

use crate::mesh::Member;
use crate::mesh::layout::{GATEWAY_PORT, PORT, ROOT, Role, Seat, Speech, Spot};
use crate::mesh::tls;

/// The host that has listeners at clients for everything that backends speak: without capture a port of TCP leads to one host.
pub const PORTS_HOST: &str = tls::HOST;

/// The mesh configuration of a cluster's istiod.
pub fn mesh_config(member: Member) -> Value {
    let mut config = json!({
        "trustDomain": member.spot().trust_domain(),
        "rootNamespace": ROOT,
        "outboundTrafficPolicy": { "mode": "REGISTRY_ONLY" },
        // the provider looks at it; proxies of this mesh are called by address and need no DNS
        "defaultConfig": { "proxyMetadata": { "ISTIO_META_DNS_CAPTURE": "true" } },
    });
    if !member.accepts.is_empty() {
        // one root is below all of them, so no certificate has to be named
        config["caCertificates"] = json!([{ "trustDomains": member.accepts }]);
    }
    config
}

/// Every object of a cluster whose istiod has this version. A cluster without a backend only calls.
pub fn objects(member: Member, istio: &str) -> Vec<Value> {
    let spot = member.spot();
    let name = spot.name();
    let mut objects = vec![
        namespace(ROOT, json!({ "topology.istio.io/network": name })),
        namespace(spot.namespace(), json!({ "istio-injection": "enabled" })),
        node(spot),
        config_map(member),
        istiod(spot, istio),
        gateway_deployment(name),
        gateway_service(spot),
        json!({
            "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
            "metadata": { "name": "default", "namespace": ROOT },
            "spec": { "mtls": { "mode": "STRICT" } },
        }),
    ];
    for role in [Role::Client, Role::Server] {
        if role == Role::Server && !member.has_backend {
            continue;
        }
        let seat = Seat { spot, role };
        objects.extend([account(seat), deployment(seat), service(seat), workload(seat), sidecar(seat)]);
    }
    objects
}

fn namespace(name: &str, labels: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } })
}

fn node(spot: Spot) -> Value {
    let labels = json!({ "topology.kubernetes.io/region": spot.region(), "topology.kubernetes.io/zone": spot.zone() });
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": format!("{}-node-1", spot.name()), "labels": labels } })
}

fn config_map(member: Member) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "istio", "namespace": ROOT, "labels": { "istio.io/rev": "default" } },
        "data": { "mesh": mesh_config(member).to_string(), "meshNetworks": "networks: {}" },
    })
}

fn istiod(spot: Spot, version: &str) -> Value {
    let labels = json!({ "app": "istiod", "istio": "pilot", "istio.io/rev": "default" });
    let container = json!({
        "name": "discovery", "image": format!("docker.io/istio/pilot:{version}"),
        "args": ["discovery", "--domain", spot.domain()],
        "env": [{ "name": "REVISION", "value": "default" }, { "name": "CLUSTER_ID", "value": spot.name() }],
    });
    template("istiod", ROOT, &labels, "istiod", json!({}), container)
}

fn gateway_deployment(cluster: &str) -> Value {
    let labels = json!({
        "app": Role::Gateway.app(), "istio": "eastwestgateway", "topology.istio.io/network": cluster,
        "sidecar.istio.io/inject": "true",
    });
    let container = json!({ "name": "istio-proxy", "image": "auto" });
    let annotations = json!({ "inject.istio.io/templates": "gateway" });
    template(Role::Gateway.app(), ROOT, &labels, Role::Gateway.account(), annotations, container)
}

fn gateway_service(spot: Spot) -> Value {
    let seat = Seat { spot, role: Role::Gateway };
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "name": seat.role.app(), "namespace": ROOT,
            "labels": { "app": seat.role.app(), "istio": "eastwestgateway", "topology.istio.io/network": spot.name() },
        },
        "spec": {
            "type": "LoadBalancer",
            "selector": { "istio": "eastwestgateway" },
            "ports": [{ "name": "tls", "port": GATEWAY_PORT, "targetPort": GATEWAY_PORT, "protocol": "TCP" }],
        },
        "status": { "loadBalancer": { "ingress": [{ "ip": seat.ip().to_string() }] } },
    })
}

fn account(seat: Seat) -> Value {
    let metadata = json!({ "name": seat.role.account(), "namespace": seat.namespace() });
    json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata })
}

/// The workload of a client or a server.
pub fn deployment(seat: Seat) -> Value {
    let role = seat.role;
    let container =
        json!({ "name": role.service(), "image": format!("example/{}", role.service()), "ports": [{ "containerPort": PORT }] });
    let labels = json!({ "app": role.service(), "version": role.version() });
    template(&format!("{}-{}", role.service(), role.version()), seat.namespace(), &labels, role.account(), json!({}), container)
}

/// Nothing runs it; it says what pods would be.
fn template(name: &str, namespace: &str, labels: &Value, account: &str, annotations: Value, container: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": namespace, "labels": labels },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": labels["app"] } },
            "template": {
                "metadata": { "labels": labels, "annotations": annotations },
                "spec": { "serviceAccountName": account, "containers": [container] },
            },
        },
    })
}

/// The Service of a client or a server.
pub fn service(seat: Seat) -> Value {
    let role = seat.role;
    let spoken = if role == Role::Server { &Speech::ALL[..] } else { &[Speech::Http] };
    let port =
        |speech: &Speech| json!({ "name": speech.name(), "port": speech.port(), "targetPort": speech.port(), "protocol": "TCP" });
    let ports: Vec<Value> = spoken.iter().map(port).collect();
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": role.app(), "namespace": seat.namespace(), "labels": { "app": role.app() } },
        "spec": { "selector": { "app": role.app() }, "ports": ports },
    })
}

/// Labels that the injector gives to a pod of this workload.
pub fn labels(role: Role) -> Value {
    json!({
        "app": role.service(), "version": role.version(), "security.istio.io/tlsMode": "istio",
        "service.istio.io/canonical-name": role.service(), "service.istio.io/canonical-revision": role.version(),
    })
}

/// A workload that serves or calls at the address of its seat.
pub fn workload(seat: Seat) -> Value {
    let Seat { spot, role } = seat;
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "WorkloadEntry",
        "metadata": {
            "name": format!("{}-{}-{}", role.service(), role.version(), spot.name()),
            "namespace": seat.namespace(), "labels": labels(role),
        },
        "spec": {
            "address": seat.ip().to_string(), "labels": labels(role), "serviceAccount": role.account(), "weight": 1,
            "network": spot.name(), "locality": format!("{}/{}", spot.region(), spot.zone()),
        },
    })
}

/// The same as a pod, as the kubelet of a node would tell of it. Calls of the Service itself do not reach it: an EndpointSlice
/// may not hold a loopback address.
pub fn pod(seat: Seat, is_ready: bool) -> Value {
    let Seat { spot, role } = seat;
    let mut labels = labels(role);
    // there is no node to take it from
    labels["istio-locality"] = format!("{}.{}", spot.region(), spot.zone()).into();
    let container = |name: &str| json!({ "name": name, "image": "example/of-nothing" });
    let ip = seat.ip().to_string();
    let condition = |kind: &str, is_so: bool| json!({ "type": kind, "status": if is_so { "True" } else { "False" } });
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": format!("{}-v1-pod", role.app()), "namespace": seat.namespace(), "labels": labels },
        "spec": { "serviceAccountName": role.account(), "containers": [container(role.app()), container("istio-proxy")] },
        "status": {
            "phase": "Running", "podIP": ip, "podIPs": [{ "ip": ip }],
            "conditions": [condition("Ready", is_ready), condition("ContainersReady", is_ready)],
        },
    })
}

/// What a cluster holds besides where it has a second version: its workload, and listeners of their own for both.
pub fn canary(spot: Spot) -> Vec<Value> {
    let listeners = [Role::Server, Role::Canary].map(|role| {
        let mut sidecar = sidecar(Seat { spot, role });
        sidecar["spec"]["workloadSelector"]["labels"]["version"] = role.version().into();
        sidecar
    });
    let seat = Seat { spot, role: Role::Canary };
    listeners.into_iter().chain([deployment(seat), workload(seat)]).collect()
}

/// No traffic is captured here, so every listener is told its own address.
fn sidecar(seat: Seat) -> Value {
    let Seat { spot, role } = seat;
    let ip = role.ip(spot).to_string();
    let port = |speech: Speech| json!({ "number": speech.port(), "name": speech.name(), "protocol": speech.name().to_ascii_uppercase() });
    let inward = |speech: Speech| {
        let backend = spot.backend(role, speech).to_string();
        json!({ "port": port(speech), "bind": ip, "captureMode": "NONE", "defaultEndpoint": backend })
    };
    let outward = |speech: Speech, bind: &str| {
        let host = if speech == Speech::Http { "*" } else { PORTS_HOST };
        json!({ "port": port(speech), "bind": bind, "captureMode": "NONE", "hosts": [format!("*/{host}")] })
    };
    let selector = json!({ "labels": { "app": role.service() } });
    let spec = match role {
        Role::Server | Role::Canary => {
            let outside = spot.address(0, if role == Role::Server { 121 } else { 122 });
            json!({
                "workloadSelector": selector,
                "ingress": Speech::ALL.map(inward),
                "egress": [outward(Speech::Http, &outside.to_string())],
            })
        }
        Role::Client | Role::Gateway => json!({
            "workloadSelector": selector,
            "egress": Speech::ALL.map(|speech| outward(speech, &ip)),
        }),
    };
    let metadata = json!({ "name": role.app(), "namespace": seat.namespace() });
    json!({ "apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "metadata": metadata, "spec": spec })
}
