//! Attributes that several resources and data sources share. Their descriptions are the registry docs.

use tf_value::Type;
use tf_value::schema::{Attribute, Kind, Mode};

/// Who writes the attributes of a shared shape: the user (arguments) or the provider (results of data sources).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// arguments
    Argument,
    /// results
    Result,
}

impl Side {
    fn required(self, name: &str, kind: impl Into<Kind>, description: &str) -> Attribute {
        match self {
            Self::Argument => Attribute::required(name, kind, description),
            Self::Result => Attribute::computed(name, kind, description),
        }
    }

    fn optional(self, name: &str, kind: impl Into<Kind>, description: &str) -> Attribute {
        match self {
            Self::Argument => Attribute::optional(name, kind, description),
            Self::Result => Attribute::computed(name, kind, description),
        }
    }
}

/// What translation needs to know of one cluster.
pub(crate) fn facts(side: Side) -> Vec<Attribute> {
    vec![
        side.required("istio_version", Type::String, "Minor release of the cluster's Istio: `1.28`."),
        side.required("trust_domain", Type::String, "SPIFFE trust domain of its workloads: `cluster.local`."),
        side.optional("revision", Type::String, "Revision of its control plane. Default `default`."),
        side.optional("cluster_domain", Type::String, "DNS suffix of its Services. Default `cluster.local`."),
        side.optional("root_namespace", Type::String, "Istio's root namespace. Default `istio-system`."),
        side.optional("network", Type::String, "Istio network of its workloads, if it has one."),
        side.optional("region", Type::String, "Region of its nodes; failover ranks by it. Null: not known."),
        side.optional(
            "dns_capture",
            Type::Bool,
            "Whether sidecars answer DNS for hostnames of ServiceEntries (`ISTIO_META_DNS_CAPTURE`). Null: not known.",
        ),
        side.optional(
            "gateways",
            Kind::list(vec![
                side.optional(
                    "addresses",
                    Type::list(Type::String),
                    "IP addresses where other clusters reach the gateway. One of `addresses` and `hostname` is set.",
                ),
                side.optional(
                    "hostname",
                    Type::String,
                    "DNS name where other clusters reach the gateway; their istiod resolves it. Takes `network` of the cluster, `region` of its clients, and the definitions of Gateway API there; failover tells rank 1 from all others.",
                ),
                side.optional("port", Type::Number, "Port where other clusters reach the gateway. Default 15443."),
                side.optional("namespace", Type::String, "Namespace of the gateway's workload. Default: `root_namespace`."),
                side.optional(
                    "selector",
                    Type::map(Type::String),
                    "Labels of the gateway's workload. Default `{ istio = \"eastwestgateway\" }`.",
                ),
                side.optional(
                    "exposed_hosts",
                    Type::list(Type::String),
                    "Hosts that Gateways of others already pass through there, such as `*.local`. Nothing is written for hosts among them.",
                ),
            ]),
            "East-west gateways: where other clusters reach this one.",
        ),
    ]
}

/// A Service of one cluster that serves a destination.
pub(crate) fn backend(side: Side) -> Vec<Attribute> {
    vec![
        side.required("cluster", Type::String, "Cluster of the Service."),
        side.required("namespace", Type::String, "Namespace of the Service."),
        side.required("service", Type::String, "Name of the Service."),
        side.required(
            "ports",
            Kind::list(vec![
                side.required("number", Type::Number, "Port of the Service."),
                side.optional("name", Type::String, "Name of the port."),
                side.required("target_port", Type::Number, "Port of the pods."),
                side.optional(
                    "protocol",
                    Type::String,
                    "Protocol as Istio reads it from `appProtocol` or the name's prefix: `http`, `http2`, `grpc`, `tls`, `tcp`. Null: not said.",
                ),
            ]),
            "TCP ports of the Service.",
        ),
        side.required("selector", Type::map(Type::String), "Selector of the Service."),
        side.required(
            "canonical_name",
            Type::String,
            "Value of the label `service.istio.io/canonical-name` on its pods; the injector takes it from `app.kubernetes.io/name`, `app` or the workload's name.",
        ),
        side.required("service_accounts", Type::list(Type::String), "Service accounts of its pods; clients accept exactly these."),
    ]
}

/// Whom the servers of a mesh accept.
pub(crate) fn accepted_trust_domains(side: Side) -> Attribute {
    side.optional(
        "accepted_trust_domains",
        Kind::from(Type::map(Type::list(Type::String))),
        "Trust domains besides its own whose workloads the servers of a member accept, by member: `{ for name, cluster in data.gloo_cluster.all : name => cluster.accepted_trust_domains }`. Needed where trust domains differ.",
    )
}

/// The attributes of `virtual_mesh`: a mesh with the facts of its members.
pub(crate) fn mesh(side: Side) -> Vec<Attribute> {
    vec![
        side.required("name", Type::String, "Name of the mesh."),
        side.optional("hostname_suffix", Type::String, "What default hostnames end with. Default `mesh.internal`."),
        side.required("clusters", Kind::map(facts(side)), "Members by name, with their facts."),
        accepted_trust_domains(side),
        side.optional(
            "owner",
            Kind::from(Type::String),
            "Owner of the state that declares the mesh: what of other states uses the mesh is found by it, before the mesh goes. Changes no object.",
        ),
    ]
}

/// The attributes that every resource computes.
pub(crate) fn computed(id: &str) -> Vec<Attribute> {
    vec![
        Attribute::computed("id", Type::String, id).keeps(),
        Attribute::computed(
            "manifests",
            Type::map(Type::String),
            "Every object that is written, as canonical JSON, by `<cluster>/<Kind>/<namespace>/<name>`; `*/…` stands for all clusters of `applied` when the object is the same in each of them.",
        ),
        Attribute::computed("applied", Type::map(Type::String), "Digest of what each cluster holds."),
        Attribute::computed(
            "drift",
            Type::map(Type::list(Type::String)),
            "What the last refresh found changed in the clusters: one line for each field, by `<cluster>/<Kind>/<namespace>/<name>`. The next apply repairs exactly these.",
        ),
    ]
}

/// The arguments that say whose objects a resource may take, and whether it may go.
pub(crate) fn ownership() -> Vec<Attribute> {
    vec![
        Attribute::optional(
            "takeover_from",
            Type::set(Type::String),
            "Whose objects it takes over in place, without deleting them: an owner (`team-a/prod`), whose resource of the same type, namespace and name is meant, or a whole claim (`<owner>//<type>/<namespace>/<name>`, as the annotation `gloo-terraform/claim` has it). For one apply; entries that match nothing do no harm. Default: nobody.",
        ),
        Attribute::optional(
            "adopt",
            Type::Bool,
            "Whether it takes objects that exist under its names: those that nobody claims, and those that another instance with the same owner, namespace and name wrote. They are overwritten; the plan warns of what changes. Default `false`.",
        ),
        Attribute::optional(
            "deletion_protection",
            Type::Bool,
            "Whether a destroy or a replacement is refused, also with `-target` and when the resource is no longer in the configuration. To switch it off, apply `false` first. Default `false`.",
        ),
    ]
}

/// Arguments that say how a resource is handled, not what its objects are.
pub(crate) const HANDLING: &[&str] = &["timeouts", "takeover_from", "adopt", "deletion_protection"];

/// The argument `timeouts`.
pub(crate) fn timeouts() -> Attribute {
    let limit = |name: &str, what: &str| Attribute::optional(name, Type::String, what);
    Attribute::optional(
        "timeouts",
        Kind::single(vec![
            limit("create", "Limit of a create. Default `5m`."),
            limit("read", "Limit of a refresh. Default `1m`."),
            limit("update", "Limit of an update. Default `5m`."),
            limit("delete", "Limit of a delete. Default `5m`."),
        ]),
        "Limits of the operations, as durations: `30s`, `5m`. When one is reached, no further write is begun.",
    )
}

/// Names of the attributes that a user can set: the configuration without what only the provider writes.
pub(crate) fn arguments(attributes: &[Attribute]) -> impl Iterator<Item = &str> {
    attributes.iter().filter(|attribute| attribute.mode != Mode::Computed).map(|attribute| attribute.name.as_str())
}
