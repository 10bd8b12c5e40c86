//! `gloo_virtual_destination`: one hostname for a service that lives in several clusters.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::Claim;
use mesh_model::decode::{self, Outcome};
use mesh_model::names::{IntentName, Namespace};
use mesh_model::{Findings, Input};
use mesh_translate::Objects;
use tf_value::schema::{Attribute, ForImport, Kind, Schema};
use tf_value::{Reader, Tf, Type, Value};

use super::{change, passage};
use crate::lifecycle::{Identity, IntentKind, Interpretation, Owned, Record, Shape, Transition, none_stored};
use crate::schema::{HANDLING, Side, backend, computed, mesh, ownership, timeouts};
use crate::session::PerCluster;

/// The resource.
pub(crate) struct VirtualDestination;

impl IntentKind for VirtualDestination {
    const TYPE: &'static str = "gloo_virtual_destination";
    const IDENTITY: &'static [&'static str] = &["namespace", "name"];

    fn schema(&self) -> Schema {
        let mut attributes = vec![
            Attribute::required(
                "virtual_mesh",
                Kind::single(mesh(Side::Argument)),
                "The mesh that it belongs to: `gloo_virtual_mesh.<name>.mesh`, or the same shape written by hand.",
            ),
            Attribute::required(
                "namespace",
                Type::String,
                "Namespace of the destination. Its objects are there in clusters that only call; where pods serve, they are in the namespace of these pods.",
            )
            .replaces(),
            Attribute::required("name", Type::String, "Name of the destination.").replaces(),
            Attribute::optional_computed(
                "hostname",
                Type::String,
                "What clients call. Default `<name>.<namespace>.<hostname suffix of the mesh>`. A change moves the destination: the new hostname works before the old one goes.",
            ),
            Attribute::required(
                "ports",
                Kind::list(vec![
                    Attribute::required("number", Type::Number, "Port that clients call."),
                    Attribute::optional(
                        "protocol",
                        Type::String,
                        "Application protocol: `http`, `http2`, `grpc`, `tls` (of the applications, carried through as it is, by clients that ask for the hostname) or `tcp`. Default `http`.",
                    ),
                    Attribute::optional("name", Type::String, "Name of the port. Default `<protocol>-<number>`."),
                    Attribute::optional("service_port", Type::Number, "Port of the Services behind it. Default: `number`."),
                    Attribute::optional(
                        "service_port_name",
                        Type::String,
                        "Name of the port of the Services behind it, where its number is another one in each cluster. Excludes `service_port`.",
                    ),
                ]),
                "Ports of the hostname.",
            ),
            Attribute::required(
                "backends",
                Kind::list(serving_backend()),
                "Services that serve it: `data.gloo_service.<name>.backends`, several of them joined by `concat`, or the same shape written by hand. Namespace, name, ports and cluster domain may be others in each cluster. The order has no meaning; `failover` ranks.",
            ),
            subsets(),
            Attribute::optional(
                "clients",
                Type::set(Type::String),
                "Clusters whose workloads may call it. Default: every member of the mesh.",
            ),
            Attribute::optional(
                "client_namespace",
                Type::map(Type::String),
                "Namespace of its objects in clusters that only call, where it is not `namespace`, by cluster.",
            ),
            failover(),
            Attribute::optional(
                "max_failover_targets",
                Type::Number,
                "How many other clusters serve a client at most: the best-ranked ones. Of clusters that share a rank, each client keeps some of its own, the same ones in every plan. Default: all.",
            ),
            outlier_detection(),
            retries(),
            Attribute::optional("timeout", Type::String, "Limit of a whole request, tries included. Default: none."),
            Attribute::optional(
                "connect_timeout",
                Type::String,
                "Limit of connecting to an endpoint; failover waits for it. Default `1s`.",
            ),
            tcp_keepalive(),
            Attribute::optional(
                "load_balancer",
                Type::String,
                "Choice among endpoints of one rank: `least_request` (of two, the one with fewer open requests, so that a slow cluster gets less), `round_robin` or `random`. Default `least_request`.",
            ),
            Attribute::optional(
                "export_to",
                Type::set(Type::String),
                "Namespaces that see the hostname. Default `[\"*\"]`: all.",
            ),
            Attribute::optional(
                "overlays",
                Kind::list(vec![
                    Attribute::required("kind", Type::String, "Kind of the objects: `DestinationRule`."),
                    Attribute::required(
                        "merge_patch",
                        Type::String,
                        "JSON merge patch (RFC 7386), best written with `jsonencode`: its members replace those of the object, null removes.",
                    ),
                    Attribute::optional("cluster", Type::String, "The cluster whose objects are meant. Default: all."),
                ]),
                "Members laid over the objects, in this order, for what no argument says. `metadata.name`, `metadata.namespace`, `apiVersion`, `kind` and labels and annotations of the provider stay as they are. What an overlay breaks is not found by the checks of the plan.",
            ),
            ignore_findings("the hostname", "the ServiceEntry"),
            timeouts(),
        ];
        attributes.extend(ownership());
        attributes.extend(computed("`<namespace>/<name>`."));
        Schema {
            version: 0,
            description: "One hostname for a service that lives in several clusters: local pods first, other clusters when those fail, ranked by you or by region.".to_owned(),
            attributes,
        }
    }

    fn identify(&self, config: &Value) -> Option<Identity> {
        written_identity(&Reader::root(config))
    }

    fn interpret(&self, config: &Value) -> Interpretation {
        let root = Reader::root(config);
        let decoded = decode::virtual_destination(&input(config));
        let (mut findings, mut ignored) = (decoded.findings, BTreeSet::new());
        let (hostname, shape) = match decoded.outcome {
            Outcome::Intent(intent) => {
                let translation = mesh_translate::translate(&intent);
                findings.extend(translation.findings);
                ignored.extend(intent.ignored.keys().copied());
                let failed = findings.iter().any(|finding| finding.code.severity() == mesh_model::Severity::Error);
                let shape = if failed { Shape::Invalid } else { Shape::Objects(translation.objects) };
                (Value::string(intent.hostname.to_string()), shape)
            }
            Outcome::UnknownShape(leaf) => {
                let hostname = match root.attribute("hostname").value {
                    Value::Null => default_hostname(&root),
                    other => other.clone(),
                };
                (hostname, Shape::Unknown(leaf))
            }
            Outcome::Invalid => (Value::unknown(), Shape::Invalid),
        };
        findings.retain(|finding| !ignored.contains(&finding.code));
        Interpretation {
            identity: written_identity(&root),
            computed: BTreeMap::from([("hostname", hostname)]),
            shape,
            findings,
            ignored,
        }
    }

    fn anchors(&self) -> &'static [&'static str] {
        &["ServiceEntry"]
    }

    fn parse_id(&self, id: &str) -> Result<Identity, String> {
        let reads = "The id of a virtual destination is `<namespace>/<name>`: `bookinfo/reviews`.";
        let (namespace, name) = id.split_once('/').ok_or_else(|| format!("{id:?} has no namespace.\n\n{reads}"))?;
        let namespace: Namespace = namespace.parse().map_err(|error| format!("{error}.\n\n{reads}"))?;
        let name: IntentName = name.parse().map_err(|error| format!("{error}.\n\n{reads}"))?;
        Ok(identity(namespace, &name))
    }

    fn restore(&self, _identity: &Identity, claimed: &Owned, _owned: &Owned) -> Result<Value, String> {
        Err(none_stored(claimed))
    }

    const NAMES: &'static [(&'static str, ForImport, &'static str)] = &[
        ("namespace", ForImport::Required, "Namespace of its objects."),
        ("name", ForImport::Required, "Name of the destination."),
    ];

    fn names_of(&self, id: &str) -> Vec<(&'static str, Option<String>)> {
        let (namespace, name) = id.split_once('/').unwrap_or((id, ""));
        vec![("namespace", Some(namespace.to_owned())), ("name", Some(name.to_owned()))]
    }

    fn id_of(&self, identity: &Value) -> String {
        let part = |name| identity.get(name).as_str().unwrap_or_default();
        format!("{}/{}", part("namespace"), part("name"))
    }

    fn replacement(&self, prior: &Value, planned: &Value, given_up: Option<&Claim>) -> Findings {
        change::destination_replaced(prior, planned, given_up)
    }

    fn transition(&self, transition: &Transition<'_>) -> Findings {
        let Transition { prior, planned, before, after } = *transition;
        let refused = mesh_translate::check_subsets(before, after);
        let manifests = planned.get("manifests");
        if !refused.is_empty() || !manifests.is_wholly_known() || manifests == prior.get("manifests") {
            return refused;
        }
        let intent = |state| decode::virtual_destination(&input(state)).outcome;
        let goal = Record::read(planned).map(|record| record.manifests);
        match (intent(prior), intent(planned), goal) {
            (Outcome::Intent(old), Outcome::Intent(new), Ok(goal)) => passage::findings(&old, &new, before, &goal),
            _ => refused,
        }
    }

    fn guard(&self, prior: &Value, planned: &Value, before: &PerCluster, after: &Objects) -> Findings {
        change::backends_lost(prior, planned, before, after)
    }
}

/// The arguments that say what is written.
fn input(state: &Value) -> Input {
    crate::input::attributes(state, &[HANDLING, &["id", "manifests", "applied", "drift"]].concat())
}

/// The hostname by default, as far as its parts are known.
fn default_hostname(root: &Reader<'_>) -> Value {
    let part = |reader: Reader<'_>| match reader.string() {
        Tf::Known(text) => Some(text.to_owned()),
        Tf::Null | Tf::Unknown => None,
    };
    let mesh = root.attribute("virtual_mesh");
    let suffix = match mesh.attribute("hostname_suffix").value {
        Value::Null => Some("mesh.internal".to_owned()),
        _ => part(mesh.attribute("hostname_suffix")),
    };
    match (part(root.attribute("name")), part(root.attribute("namespace")), suffix) {
        (Some(name), Some(namespace), Some(suffix)) => Value::string(format!("{name}.{namespace}.{suffix}")),
        _ => Value::unknown(),
    }
}

fn identity(namespace: Namespace, name: &IntentName) -> Identity {
    Identity { id: format!("{namespace}/{name}"), namespace: Some(namespace), name: name.to_string() }
}

fn written_identity(root: &Reader<'_>) -> Option<Identity> {
    let (Tf::Known(namespace), Tf::Known(name)) = (root.attribute("namespace").string(), root.attribute("name").string()) else {
        return None;
    };
    let name: IntentName = name.parse().ok()?;
    Some(identity(namespace.parse().ok()?, &name))
}

/// A Service that serves the destination, or some of its subsets.
fn serving_backend() -> Vec<Attribute> {
    let mut attributes = backend(Side::Argument);
    attributes.push(Attribute::optional(
        "subsets",
        Type::set(Type::String),
        "Subsets of the destination that it has pods of: `merge(<backend>, { subsets = [\"v1\"] })`. Default: all of them.",
    ));
    attributes
}

fn subsets() -> Attribute {
    Attribute::optional(
        "subsets",
        Kind::map(vec![
            Attribute::required(
                "labels",
                Type::map(Type::String),
                "Labels of its pods in every cluster: `{ version = \"v2\" }`. No two subsets may have labels of which one's select the other's pods too.",
            ),
            Attribute::required(
                "weight",
                Type::Number,
                "Percent of the requests, and of the connections of ports that carry no requests; those of all subsets are 100 together. 0: it is prepared everywhere and gets none, which is how a canary begins.",
            ),
        ]),
        "Parts of the pods, by name, among which calls are split in every client cluster: a canary, or versions side by side. Each fails over by itself, to the same subset of other clusters. Ports of `tls` cannot be split. A subset comes with weight 0 and goes with weight 0: calls cannot leave one that goes and turn to one that comes in the same apply. Default: none.",
    )
}

fn failover() -> Attribute {
    Attribute::optional(
        "failover",
        Kind::single(vec![
            Attribute::optional("order", Type::list(Type::String), "Clusters one after the other. Excludes `locality`."),
            Attribute::optional(
                "locality",
                Kind::list(vec![
                    Attribute::required("from", Type::String, "Region of the client."),
                    Attribute::required(
                        "to",
                        Type::String,
                        "Region that serves next; several entries of one `from` count in their order.",
                    ),
                ]),
                "Regions one after the other, by the client's region.",
            ),
            Attribute::optional(
                "only",
                Type::Bool,
                "Whether clusters that no rule names get no traffic at all. Default `false`: they come last.",
            ),
            Attribute::optional(
                "per_client",
                Type::map(Type::list(Type::String)),
                "Clusters one after the other for single client clusters, by client.",
            ),
            Attribute::optional(
                "spread",
                Type::map(Type::map(Type::Number)),
                "Percent of the requests of single client clusters, by client, by the cluster that serves: `{ east = { east = 80, west = 20 } }`. They make 100 for each client. When a cluster fails the others take over its share; one that is left out serves never, the client's own one too. Clients that are not named here rank.",
            ),
        ]),
        "Who serves when the client's own cluster fails, which comes first unless `spread` says otherwise. Default: clusters of the same region, then all others in equal share.",
    )
}

fn outlier_detection() -> Attribute {
    Attribute::optional(
        "outlier_detection",
        Kind::single(vec![
            Attribute::optional(
                "consecutive_errors",
                Type::Number,
                "Both of the next two in one, as Gloo Mesh has it. Answers 500 are not among them: a remote cluster is one endpoint.",
            ),
            Attribute::optional(
                "consecutive_local_origin_failures",
                Type::Number,
                "Connect failures, resets and timeouts in a row that eject an endpoint. Default 5.",
            ),
            Attribute::optional(
                "consecutive_gateway_errors",
                Type::Number,
                "Answers 502, 503 or 504 in a row that eject an endpoint; a remote cluster is one endpoint. 0: never. Default 5.",
            ),
            Attribute::optional("interval", Type::String, "How often endpoints are judged. Default `5s`."),
            Attribute::optional("base_ejection_time", Type::String, "First ejection; it grows with each one. Default `30s`."),
            Attribute::optional(
                "max_ejection_percent",
                Type::Number,
                "Share of all endpoints that may be ejected at a time, 0 to 100. Less than 100 can make failover impossible. Default 100.",
            ),
        ]),
        "When an endpoint is taken out of load balancing. Without it there is no failover, so it is always on.",
    )
}

/// `names`: what is called; `object`: where the reasons are.
pub(super) fn ignore_findings(names: &str, object: &str) -> Attribute {
    let description = format!(
        "Warnings that are not shown, by code, each with the reason: `{{ GM2013 = \"CoreDNS answers for {names}\" }}`. The reasons are written on {object}. Errors cannot be ignored."
    );
    Attribute::optional("ignore_findings", Type::map(Type::String), &description)
}

pub(super) fn tcp_keepalive() -> Attribute {
    Attribute::optional(
        "tcp_keepalive",
        Kind::single(vec![
            Attribute::optional("probes", Type::Number, "How many without an answer end a connection."),
            Attribute::optional(
                "time",
                Type::String,
                "How long a connection is silent before the first one, in whole seconds: `300s`.",
            ),
            Attribute::optional("interval", Type::String, "How long between them, in whole seconds: `75s`."),
        ]),
        "Probes on silent connections, so that firewalls between clusters do not forget them. What is left out is as the clients' systems have it. Default: none.",
    )
}

fn retries() -> Attribute {
    Attribute::optional(
        "retries",
        Kind::single(vec![
            Attribute::optional(
                "attempts",
                Type::Number,
                "Retries of a request; the second is the first that can reach another cluster. Default 3.",
            ),
            Attribute::optional("per_try_timeout", Type::String, "Limit of one try. Default: none."),
            Attribute::optional(
                "retry_unavailable",
                Type::Bool,
                "Repeat requests of every method that were answered 503. Default `false`: those of GET, HEAD and OPTIONS.",
            ),
            Attribute::optional(
                "retry_on_reset",
                Type::Bool,
                "Repeat requests whose connection broke. They may run twice: only for idempotent services. Default `false`.",
            ),
        ]),
        "What is tried again, also in another cluster.",
    )
}
