//! Attributes of every object, each with an example as written in HCL.

/// What an object can have.
#[derive(Debug)]
pub(super) struct Shape {
    /// name and example of every attribute
    attributes: &'static [(&'static str, &'static str)],
}

impl Shape {
    pub(super) fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(own, _)| *own == name)
    }

    pub(super) fn example(&self, name: &str) -> &'static str {
        self.attributes.iter().find(|(own, _)| *own == name).map_or("…", |(_, example)| example)
    }

    /// `a, b, c`
    pub(super) fn names(&self) -> String {
        self.attributes.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

const CLUSTERS: &str = "{ east = data.gloo_cluster.east.facts, west = data.gloo_cluster.west.facts }";

pub(super) static VIRTUAL_MESH: Shape = Shape {
    attributes: &[
        ("name", "\"prod\""),
        ("hostname_suffix", "\"mesh.internal\""),
        ("clusters", CLUSTERS),
        ("accepted_trust_domains", "{ east = data.gloo_cluster.east.accepted_trust_domains }"),
        ("owner", "\"platform/prod\""),
    ],
};

pub(super) static MANAGED_MESH: Shape = Shape {
    attributes: &[
        ("name", "\"prod\""),
        ("hostname_suffix", "\"mesh.internal\""),
        ("clusters", CLUSTERS),
        ("accepted_trust_domains", "{ east = data.gloo_cluster.east.accepted_trust_domains }"),
        ("federation", "{ exports = data.gloo_service.reviews.backends }"),
        ("mtls", "{ mode = \"strict\" }"),
    ],
};

pub(super) static FEDERATION: Shape = Shape {
    attributes: &[
        ("exports", "concat(data.gloo_service.reviews.backends, data.gloo_service.ratings.backends)"),
        ("hostname_suffix", "\"global\""),
        ("client_namespace", "{ west = \"istio-system\" }"),
        ("tcp_keepalive", "{ time = \"300s\" }"),
        ("ignore_findings", "{ GM2013 = \"CoreDNS answers for these names\" }"),
    ],
};

pub(super) static MUTUAL_TLS: Shape = Shape { attributes: &[("mode", "\"strict\"")] };

pub(super) static CLUSTER_FACTS: Shape = Shape {
    attributes: &[
        ("istio_version", "\"1.28\""),
        ("trust_domain", "\"cluster.local\""),
        ("revision", "\"default\""),
        ("cluster_domain", "\"cluster.local\""),
        ("root_namespace", "\"istio-system\""),
        ("network", "\"net-east\""),
        ("region", "\"us-east-1\""),
        ("dns_capture", "true"),
        ("gateways", "[{ addresses = [\"203.0.113.10\"] }]"),
    ],
};

pub(super) static GATEWAY: Shape = Shape {
    attributes: &[
        ("addresses", "[\"203.0.113.10\"]"),
        ("hostname", "\"eastwest.example.com\""),
        ("port", "15443"),
        ("namespace", "\"istio-system\""),
        ("selector", "{ istio = \"eastwestgateway\" }"),
        ("exposed_hosts", "[\"*.local\"]"),
    ],
};

pub(super) static BACKEND: Shape = Shape {
    attributes: &[
        ("cluster", "\"east\""),
        ("namespace", "\"bookinfo\""),
        ("service", "\"reviews\""),
        ("ports", "[{ number = 9080, target_port = 9080 }]"),
        ("selector", "{ app = \"reviews\" }"),
        ("canonical_name", "\"reviews\""),
        ("service_accounts", "[\"bookinfo-reviews\"]"),
        ("subsets", "[\"v1\"]"),
    ],
};

pub(super) static BACKEND_PORT: Shape =
    Shape { attributes: &[("number", "9080"), ("name", "\"http\""), ("target_port", "9080"), ("protocol", "\"http\"")] };

pub(super) static VIRTUAL_DESTINATION: Shape = Shape {
    attributes: &[
        ("virtual_mesh", "gloo_virtual_mesh.prod.mesh"),
        ("namespace", "\"bookinfo\""),
        ("name", "\"reviews\""),
        ("hostname", "\"reviews.mesh.internal\""),
        ("ports", "[{ number = 9080 }]"),
        ("backends", "data.gloo_service.reviews.backends"),
        (
            "subsets",
            "{ v1 = { labels = { version = \"v1\" }, weight = 90 }, v2 = { labels = { version = \"v2\" }, weight = 10 } }",
        ),
        ("clients", "[\"east\", \"west\"]"),
        ("client_namespace", "{ west = \"frontend\" }"),
        ("failover", "{ order = [\"east\", \"west\"] }"),
        ("max_failover_targets", "3"),
        ("outlier_detection", "{ interval = \"5s\" }"),
        ("retries", "{ attempts = 3 }"),
        ("timeout", "\"10s\""),
        ("connect_timeout", "\"1s\""),
        ("tcp_keepalive", "{ time = \"300s\" }"),
        ("load_balancer", "\"least_request\""),
        ("export_to", "[\"*\"]"),
        ("overlays", "[{ kind = \"DestinationRule\", merge_patch = jsonencode({ spec = { … } }) }]"),
        ("ignore_findings", "{ GM2013 = \"CoreDNS answers for the hostname\" }"),
    ],
};

pub(super) static SUBSET: Shape = Shape { attributes: &[("labels", "{ version = \"v1\" }"), ("weight", "90")] };

pub(super) static OVERLAY: Shape = Shape {
    attributes: &[
        ("kind", "\"DestinationRule\""),
        ("merge_patch", "jsonencode({ spec = { trafficPolicy = { connectionPool = { tcp = { maxConnections = 100 } } } } })"),
        ("cluster", "\"east\""),
    ],
};

pub(super) static PORT: Shape = Shape {
    attributes: &[
        ("number", "9080"),
        ("protocol", "\"http\""),
        ("name", "\"http-9080\""),
        ("service_port", "9080"),
        ("service_port_name", "\"http\""),
    ],
};

pub(super) static FAILOVER: Shape = Shape {
    attributes: &[
        ("order", "[\"east\", \"west\"]"),
        ("locality", "[{ from = \"us-east-1\", to = \"us-west-2\" }]"),
        ("only", "true"),
        ("per_client", "{ east = [\"west\", \"north\"] }"),
        ("spread", "{ east = { east = 80, west = 20 } }"),
    ],
};

pub(super) static LOCALITY_RULE: Shape = Shape { attributes: &[("from", "\"us-east-1\""), ("to", "\"us-west-2\"")] };

pub(super) static OUTLIER_DETECTION: Shape = Shape {
    attributes: &[
        ("consecutive_errors", "5"),
        ("consecutive_local_origin_failures", "5"),
        ("consecutive_gateway_errors", "5"),
        ("interval", "\"5s\""),
        ("base_ejection_time", "\"30s\""),
        ("max_ejection_percent", "100"),
    ],
};

pub(super) static TCP_KEEPALIVE: Shape = Shape { attributes: &[("probes", "9"), ("time", "\"300s\""), ("interval", "\"75s\"")] };

pub(super) static RETRIES: Shape = Shape {
    attributes: &[("attempts", "3"), ("per_try_timeout", "\"500ms\""), ("retry_unavailable", "true"), ("retry_on_reset", "true")],
};
