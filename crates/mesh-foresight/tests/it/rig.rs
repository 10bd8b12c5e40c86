//! The three clusters of the experiments, with objects written by hand as they were applied there.

use std::collections::BTreeMap;
use std::sync::Arc;

use istio_objects::{Kind, Object, Tree};
use mesh_foresight::{Fleet, Forecast, Request, Routed, Share, Unforeseen, World};
use mesh_model::Leaf;
use mesh_model::facts::{Backend, BackendPort, ClusterFacts, GatewayAddress, GatewayFacts};
use mesh_model::intent::VirtualMesh;
use mesh_model::names::{ClusterName, HostnameSuffix, PortNumber};
use serde_json::{Value, json};

pub(crate) const HOST: &str = "reviews.mesh.internal";
pub(crate) const SERVICE: &str = "reviews.bookinfo.svc.cluster.local";

pub(crate) fn cluster(name: &str) -> ClusterName {
    name.parse().expect("a cluster name")
}

/// Clusters and their objects.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) objects: BTreeMap<ClusterName, Vec<Value>>,
    pub(crate) facts: BTreeMap<ClusterName, ClusterFacts>,
    pub(crate) backends: Vec<Backend>,
}

impl Rig {
    /// East, west and north serve; east calls, with west at rank 1 and north at rank 2.
    pub(crate) fn new() -> Self {
        let places = [("east", "us-east1", 1), ("west", "us-west1", 2), ("north", "eu-north1", 3)];
        let facts = places.map(|(name, region, number)| (cluster(name), facts(region, number)));
        let backends = places.map(|(name, _, _)| backend(name));
        let exposed = places.map(|(name, _, _)| (cluster(name), vec![gateway(SERVICE)]));
        let mut rig = Self { objects: exposed.into(), facts: facts.into(), backends: backends.into() };
        rig.add("east", [host(), rule(), routes(), entry("west", 2, 1), entry("north", 3, 2)]);
        rig
    }

    /// Without the pods of a cluster.
    pub(crate) fn client_only(mut self, name: &str) -> Self {
        self.backends.retain(|backend| backend.cluster != cluster(name));
        self
    }

    pub(crate) fn add(&mut self, name: &str, objects: impl IntoIterator<Item = Value>) {
        self.objects.entry(cluster(name)).or_default().extend(objects);
    }

    /// Lays members over the objects of a kind in a cluster (RFC 7386).
    pub(crate) fn with(mut self, name: &str, kind: &str, patch: &Value) -> Self {
        let objects = self.objects.get_mut(&cluster(name)).expect("the cluster is there");
        objects.iter_mut().filter(|object| object["kind"] == kind).for_each(|object| lay(object, patch));
        self
    }

    pub(crate) fn without(mut self, name: &str, kind: &str) -> Self {
        self.objects.get_mut(&cluster(name)).expect("the cluster is there").retain(|object| object["kind"] != kind);
        self
    }

    pub(crate) fn read(&self) -> Result<Fleet, Unforeseen> {
        let object = |object: &Value| Arc::new(parse(object));
        let objects = self.objects.iter().map(|(name, objects)| (name.clone(), objects.iter().map(object).collect()));
        let mesh = VirtualMesh {
            name: "prod".parse().expect("a name"),
            hostname_suffix: HostnameSuffix::default(),
            clusters: self.facts.clone(),
            accepted_trust_domains: BTreeMap::new(),
        };
        Fleet::read(&objects.collect(), &mesh, &self.backends)
    }

    /// What becomes of a request from east.
    pub(crate) fn ask(&self, world: &World, change: impl FnOnce(&mut Request<'_>)) -> Forecast {
        let east = cluster("east");
        let mut request = Request { cluster: &east, namespace: "bookinfo", account: None, host: HOST, port: 9080, method: "GET" };
        change(&mut request);
        self.read().expect("everything is modelled").forecast(world, &request)
    }

    pub(crate) fn get(&self, world: &World) -> Routed {
        routed(self.ask(world, |_| {}))
    }

    pub(crate) fn post(&self, world: &World) -> Routed {
        routed(self.ask(world, |request| request.method = "POST"))
    }
}

pub(crate) fn routed(forecast: Forecast) -> Routed {
    match forecast {
        Forecast::Routed(routed) => routed,
        other => panic!("not routed: {other:?}"),
    }
}

/// Shares in whole percent, which they are.
pub(crate) fn percents(routed: &Routed) -> Vec<(String, u128)> {
    let percent = |share: Share| share.basis_points() / 100;
    routed.shares.iter().map(|(cluster, share)| (cluster.to_string(), percent(*share))).collect()
}

fn facts(region: &str, number: u8) -> ClusterFacts {
    ClusterFacts {
        istio_version: "1.30".parse().expect("a version"),
        revision: "default".parse().expect("a revision"),
        trust_domain: "cluster.local".parse().expect("a trust domain"),
        cluster_domain: "cluster.local".parse().expect("a domain"),
        root_namespace: "istio-system".parse().expect("a namespace"),
        network: Some(Leaf::Known(format!("net-{number}").parse().expect("a network"))),
        region: Some(Leaf::Known(region.parse().expect("a region"))),
        dns_capture: Some(Leaf::Known(true)),
        gateways: vec![GatewayFacts {
            namespace: "istio-system".parse().expect("a namespace"),
            selector: GatewayFacts::default_selector(),
            address: GatewayAddress::Addresses(vec![Leaf::Known([127, number, 15, 1].into())]),
            port: Leaf::Known(PortNumber::new(15443).expect("a port")),
            exposed_hosts: Vec::new(),
        }],
    }
}

fn backend(name: &str) -> Backend {
    let port = PortNumber::new(9080).expect("a port");
    Backend {
        cluster: cluster(name),
        namespace: "bookinfo".parse().expect("a namespace"),
        service: "reviews".parse().expect("a Service"),
        ports: vec![BackendPort { number: port, name: Some("http".to_owned()), target_port: port, protocol: None }],
        selector: BTreeMap::from([("app".to_owned(), "reviews".to_owned())]),
        canonical_name: Leaf::Known("reviews".parse().expect("a name")),
        service_accounts: vec![Leaf::Known("bookinfo-reviews".parse().expect("an account"))],
        subsets: None,
    }
}

fn object(kind: &str, name: &str, namespace: &str, spec: Value) -> Value {
    json!({ "kind": kind, "metadata": { "name": name, "namespace": namespace }, "spec": spec })
}

pub(crate) fn gateway(passed: &str) -> Value {
    object(
        "Gateway",
        "vd-eastwest",
        "istio-system",
        json!({
            "selector": { "istio": "eastwestgateway" },
            "servers": [{
                "port": { "number": 15443, "name": "tls", "protocol": "TLS" },
                "tls": { "mode": "AUTO_PASSTHROUGH" },
                "hosts": [passed],
            }],
        }),
    )
}

pub(crate) fn host() -> Value {
    object(
        "ServiceEntry",
        "vd-reviews",
        "bookinfo",
        json!({
            "hosts": [HOST],
            "location": "MESH_INTERNAL",
            "resolution": "STATIC",
            "ports": [{ "number": 9080, "name": "http", "protocol": "HTTP", "targetPort": 9080 }],
            "workloadSelector": { "labels": { "service.istio.io/canonical-name": "reviews" } },
            "subjectAltNames": ["spiffe://cluster.local/ns/bookinfo/sa/bookinfo-reviews"],
            "exportTo": ["bookinfo"],
        }),
    )
}

fn rule() -> Value {
    object(
        "DestinationRule",
        "vd-reviews",
        "bookinfo",
        json!({
            "host": HOST,
            "exportTo": ["bookinfo"],
            "trafficPolicy": {
                "tls": {
                    "mode": "ISTIO_MUTUAL",
                    "sni": format!("outbound_.9080_._.{SERVICE}"),
                    "subjectAltNames": ["spiffe://cluster.local/ns/bookinfo/sa/bookinfo-reviews"],
                },
                "connectionPool": { "tcp": { "connectTimeout": "1s" } },
                "loadBalancer": {
                    "simple": "LEAST_REQUEST",
                    "localityLbSetting": {
                        "enabled": true,
                        "failoverPriority": [
                            "vd.rank/2", "vd.rank/1", "topology.kubernetes.io/region", "topology.kubernetes.io/zone",
                        ],
                    },
                },
                "outlierDetection": {
                    "splitExternalLocalOriginErrors": true,
                    "consecutiveLocalOriginFailures": 5,
                    "consecutiveGatewayErrors": 5,
                    "consecutive5xxErrors": 0,
                    "interval": "1s",
                    "baseEjectionTime": "3s",
                    "maxEjectionPercent": 100,
                },
            },
        }),
    )
}

fn routes() -> Value {
    let retries = json!({
        "attempts": 3,
        "retryOn": "connect-failure,refused-stream,unavailable,cancelled,503",
        "retryRemoteLocalities": true,
    });
    let route = json!({ "route": [{ "destination": { "host": HOST } }], "retries": retries });
    object("VirtualService", "vd-reviews", "bookinfo", json!({ "hosts": [HOST], "http": [route] }))
}

pub(crate) fn entry(target: &str, number: u8, rank: u8) -> Value {
    let mut labels = json!({ "service.istio.io/canonical-name": "reviews", "security.istio.io/tlsMode": "istio" });
    labels[format!("vd.rank/{rank}")] = json!("y");
    let region = ["", "us-east1", "us-west1", "eu-north1"][usize::from(number)];
    object(
        "WorkloadEntry",
        &format!("vd-reviews-{target}"),
        "bookinfo",
        json!({
            "address": format!("127.{number}.15.1"),
            "ports": { "http": 15443 },
            "locality": format!("{region}/{region}-a"),
            "weight": 1,
            "serviceAccount": "bookinfo-reviews",
            "labels": labels,
        }),
    )
}

/// An ALLOW policy for the pods behind the Service; without a principal it allows nobody.
pub(crate) fn allow(principal: Option<&str>) -> Value {
    let mut spec = json!({ "selector": { "matchLabels": { "app": "reviews" } } });
    if let Some(principal) = principal {
        spec["rules"] = json!([{ "from": [{ "source": { "principals": [principal] } }] }]);
    }
    object("AuthorizationPolicy", "allow", "bookinfo", spec)
}

fn lay(value: &mut Value, patch: &Value) {
    match (value, patch) {
        (Value::Object(members), Value::Object(patch)) => {
            for (key, patch) in patch {
                if patch.is_null() {
                    members.remove(key);
                } else {
                    lay(members.entry(key.clone()).or_insert(json!({})), patch);
                }
            }
        }
        (value, patch) => *value = patch.clone(),
    }
}

fn parse(object: &Value) -> Object {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).expect("every object has it");
    let texts = |name: &str| {
        let members = object["metadata"][name].as_object().into_iter().flatten();
        members.map(|(key, value)| (key.clone(), value.as_str().expect("a text").to_owned())).collect()
    };
    let kind = text("/kind");
    let group = match (kind, object["apiVersion"].as_str()) {
        (_, Some(group)) => group,
        ("AuthorizationPolicy", None) => "security.istio.io/v1",
        (_, None) => "networking.istio.io/v1",
    };
    Object {
        kind: Kind::parse(group, kind).expect("a kind"),
        namespace: Some(text("/metadata/namespace").parse().expect("a namespace")),
        name: text("/metadata/name").parse().expect("a name"),
        labels: texts("labels"),
        annotations: texts("annotations"),
        body: BTreeMap::from([("spec".to_owned(), Tree::from_json(&object["spec"]))]),
    }
}
