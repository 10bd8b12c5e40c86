//! Virtual destinations.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::facts::{decode_backend, optional};
use super::failover::{Around, check_is_client, decode_failover};
use super::mesh::{check_member, check_no_short_name, check_outside_clusters, decode_argument, decode_member};
use super::reader::{Object, Read, Sink, Value, all, check_unique, shown, sound};
use super::scalars::{decode_duration, decode_port, decode_visibility};
use super::shapes::{OUTLIER_DETECTION, OVERLAY, PORT, RETRIES, TCP_KEEPALIVE, VIRTUAL_DESTINATION};
use super::subsets::{check_backends, check_ports, check_server_names, decode_subsets};
use super::{MAX_BACKENDS, MAX_CLUSTERS, MAX_LIST, MAX_PORTS};
use crate::facts::{Backend, ClusterFacts};
use crate::finding::Code;
use crate::intent::{
    LoadBalancer, OutlierDetection, Overlay, Port, Protocol, Retries, ServicePort, TcpKeepalive, VirtualDestination, VirtualMesh,
};
use crate::names::{ClusterName, Hostname, IntentName, Namespace, PortName};
use crate::text::quoted;
use crate::{Input, Leaf, derived};

/// Most probes, and most seconds, that Linux takes for a silent connection.
const MAX_PROBES: u32 = 127;
const MAX_KEEPALIVE: u32 = 32_767;
/// Most retries of one request.
const MAX_ATTEMPTS: u32 = 100;
/// Longest reason for ignoring a finding, in bytes.
const MAX_REASON: usize = 200;
/// Most errors in a row.
const MAX_CONSECUTIVE: u32 = 1_000_000;

pub(super) fn decode_destination(value: &Value<'_>, sink: &mut Sink) -> Read<VirtualDestination> {
    let destination = value.top_level(sink, &VIRTUAL_DESTINATION)?;
    let (mesh, members) = decode_argument(&destination.get("virtual_mesh"), sink);
    let members = members.as_ref();
    let namespace = destination.get("namespace").name::<Namespace>(sink);
    let name = destination.get("name").name::<IntentName>(sink);
    let hostname = decode_hostname(&destination.get("hostname"), &name, &namespace, &mesh, sink);
    let ports = decode_ports(&destination.get("ports"), sink);
    let backends = decode_backends(&destination.get("backends"), members, sink);
    let subsets_value = destination.get("subsets");
    let subsets = optional(&subsets_value, sink, decode_subsets).map(Option::unwrap_or_default);
    if let (Ok(backends), Ok(subsets)) = (&backends, &subsets) {
        check_backends(&destination.get("backends"), backends, subsets, sink);
    }
    if let (Ok(ports), Ok(hostname), Ok(subsets)) = (&ports, &hostname, &subsets)
        && !subsets.is_empty()
    {
        check_ports(&destination.get("ports"), ports, sink);
        check_server_names(&subsets_value, hostname, ports, subsets, sink);
    }
    let clients_value = destination.get("clients");
    let clients = optional(&clients_value, sink, |value, sink| decode_clients(value, members, sink));

    let serving: Option<BTreeSet<ClusterName>> =
        backends.as_ref().ok().map(|backends| backends.iter().map(|backend| backend.cluster.clone()).collect());
    let around = Around {
        mesh: mesh.as_ref().ok(),
        members,
        clients: match &clients {
            Ok(Some(clients)) => Some(clients),
            Ok(None) => members,
            Err(_) => None,
        },
        serving: serving.as_ref(),
    };
    let client_namespace =
        optional(&destination.get("client_namespace"), sink, |value, sink| decode_client_namespace(value, around, sink));
    let hostname = hostname.and_then(|hostname| {
        let of_backends = backends.iter().flatten().map(|backend| &backend.namespace);
        let of_clients = client_namespace.iter().flatten().flat_map(BTreeMap::values);
        let namespaces = namespace.iter().chain(of_backends).chain(of_clients);
        check_no_short_name(hostname.as_str(), &destination.get("hostname"), namespaces, sink).map(|()| hostname)
    });
    let failover = decode_failover(&destination.get("failover"), &destination.get("max_failover_targets"), around, sink);
    let outlier_detection = decode_outlier_detection(&destination.get("outlier_detection"), sink);
    let timeout = optional(&destination.get("timeout"), sink, |value, sink| value.leaf(sink, decode_duration));
    let retries = decode_retries(&destination.get("retries"), timeout.as_ref().ok().and_then(Option::as_ref), sink);
    let connect_timeout = optional(&destination.get("connect_timeout"), sink, |value, sink| value.leaf(sink, decode_duration));
    let tcp_keepalive = optional(&destination.get("tcp_keepalive"), sink, decode_keepalive);
    let load_balancer = optional(&destination.get("load_balancer"), sink, |value, sink| value.leaf(sink, decode_load_balancer));
    let export_to = optional(&destination.get("export_to"), sink, decode_export_to);
    let overlays = optional(&destination.get("overlays"), sink, |value, sink| decode_overlays(value, members, sink));
    let ignored = optional(&destination.get("ignore_findings"), sink, decode_ignored);

    let mesh = mesh?;
    let clients = clients?.unwrap_or_else(|| mesh.clusters.keys().cloned().collect());
    Ok(VirtualDestination {
        namespace: namespace?,
        name: name?,
        hostname: hostname?,
        ports: ports?,
        backends: backends?,
        subsets: subsets?,
        clients,
        client_namespace: client_namespace?.unwrap_or_default(),
        failover: failover?,
        outlier_detection: outlier_detection?,
        retries: retries?,
        timeout: timeout?,
        connect_timeout: connect_timeout?.unwrap_or(Duration::from_secs(1).into()),
        tcp_keepalive: tcp_keepalive?,
        load_balancer: load_balancer?.unwrap_or(LoadBalancer::default().into()),
        export_to: export_to?.unwrap_or_else(|| vec!["*".to_owned().into()]),
        overlays: overlays?.unwrap_or_default(),
        ignored: ignored?.unwrap_or_default(),
        mesh,
    })
}

/// The hostname, or the default one where all that it is made of could be read.
fn decode_hostname(
    value: &Value<'_>,
    name: &Read<IntentName>,
    namespace: &Read<Namespace>,
    mesh: &Read<VirtualMesh>,
    sink: &mut Sink,
) -> Read<Hostname> {
    static NONE: BTreeMap<ClusterName, ClusterFacts> = BTreeMap::new();
    let hostname = match (value.set(), name, namespace, mesh) {
        (Some(value), ..) => value.name::<Hostname>(sink)?,
        (None, Ok(name), Ok(namespace), Ok(mesh)) => {
            let text = format!("{name}.{namespace}.{}", mesh.hostname_suffix);
            text.parse().map_err(|_| {
                let what = format!("The default hostname, <name>.<namespace>.<hostname suffix>, has {} characters.", text.len());
                value.report(sink, Code::InvalidValue, what, "A hostname has at most 253.")
            })?
        }
        (None, Err(reported), ..) | (None, _, Err(reported), _) | (None, _, _, Err(reported)) => return Err(*reported),
    };
    let members = mesh.as_ref().map_or(&NONE, |mesh| &mesh.clusters);
    check_outside_clusters(hostname.as_str(), value, members, sink)?;
    if derived::is_serving_host(hostname.as_str()) {
        let what = format!("{:?} begins with {}.", hostname.as_str(), derived::SERVING_LABEL);
        let why = "Gateways know what serves a destination by such a name where its Services differ.";
        return Err(value.report(sink, Code::InvalidValue, what, why));
    }
    Ok(hostname)
}

fn decode_ports(value: &Value<'_>, sink: &mut Sink) -> Read<Vec<Port>> {
    let items = value.filled_list(sink, MAX_PORTS)?;
    let ports: Vec<_> = items.iter().map(|item| decode_destination_port(item, sink)).collect();
    let numbers =
        sound(&ports, &items).map(|(port, item)| (port.number, format!("Port {}", port.number), item.path().attribute("number")));
    let numbers = check_unique(sink, numbers, "A hostname has each port once.");
    let names =
        sound(&ports, &items).map(|(port, item)| (&port.name, format!("Port name {}", port.name), item.path().attribute("name")));
    let names = check_unique(sink, names, "The ports of a hostname have different names.");
    numbers?;
    names?;
    all(ports)
}

fn decode_destination_port(value: &Value<'_>, sink: &mut Sink) -> Read<Port> {
    let port = value.object(sink, &PORT)?;
    let number = decode_port(&port.get("number"), sink);
    let protocol = optional(&port.get("protocol"), sink, decode_protocol).map(|protocol| protocol.unwrap_or(Protocol::Http));
    let name = optional(&port.get("name"), sink, |value, sink| value.name::<PortName>(sink));
    let service_port = decode_service_port(&port, sink);
    let (number, protocol) = (number?, protocol?);
    Ok(Port {
        number,
        name: name?.unwrap_or_else(|| PortName::of(protocol, number)),
        protocol,
        service_port: service_port?.unwrap_or(ServicePort::Number(number)),
    })
}

fn decode_service_port(port: &Object<'_>, sink: &mut Sink) -> Read<Option<ServicePort>> {
    let (by_number, by_name) = (port.get("service_port"), port.get("service_port_name"));
    let number = optional(&by_number, sink, decode_port);
    let name = optional(&by_name, sink, |value, sink| value.name::<PortName>(sink));
    match (number?, name?) {
        (Some(_), Some(_)) => {
            let what = "service_port and service_port_name are both set.";
            Err(by_name.report(sink, Code::ConflictingArguments, what, "A port has one port of the Services behind it."))
        }
        (number, name) => Ok(number.map(ServicePort::Number).or(name.map(ServicePort::Name))),
    }
}

fn decode_protocol(value: &Value<'_>, sink: &mut Sink) -> Read<Protocol> {
    let text = value.string(sink)?;
    if let Some(protocol) = Protocol::ALL.into_iter().find(|protocol| protocol.as_str() == text) {
        return Ok(protocol);
    }
    if text == "udp" {
        let why = "Istio's proxies carry no UDP.";
        return Err(value.report(sink, Code::Unsupported, "Protocol udp is not supported.", why));
    }
    let what = format!("{} is no protocol of a destination.", quoted(text));
    let why = match text {
        "https" => "TLS that applications speak themselves is \"tls\"; Istio encrypts \"http\" by itself.".to_owned(),
        "grpc-web" => "It is \"http\".".to_owned(),
        "mongo" | "mysql" | "redis" => "It is \"tcp\".".to_owned(),
        _ => format!("One of: {}.", Protocol::ALL.map(|protocol| format!("{:?}", protocol.as_str())).join(", ")),
    };
    Err(value.report(sink, Code::InvalidValue, what, why))
}

pub(super) fn decode_backends(value: &Value<'_>, members: Option<&BTreeSet<ClusterName>>, sink: &mut Sink) -> Read<Vec<Backend>> {
    let items = value.filled_list(sink, MAX_BACKENDS)?;
    let backends: Vec<_> = items.iter().map(|item| decode_backend(item, members, sink)).collect();
    let entries = sound(&backends, &items).map(|(backend, item)| {
        let Backend { cluster, namespace, service, .. } = backend;
        ((cluster, namespace, service), format!("Service {namespace}/{service} of cluster {cluster}"), item.path())
    });
    check_unique(sink, entries, "A Service of a cluster is one backend.")?;
    all(backends)
}

fn decode_overlays(value: &Value<'_>, members: Option<&BTreeSet<ClusterName>>, sink: &mut Sink) -> Read<Vec<Overlay>> {
    let items = value.list(sink, MAX_LIST)?;
    let decode = |item: &Value<'_>, sink: &mut Sink| {
        let overlay = item.object(sink, &OVERLAY)?;
        let kind = overlay.get("kind").string(sink);
        let cluster = optional(&overlay.get("cluster"), sink, |value, sink| decode_member(value, members, sink));
        let patch = overlay.get("merge_patch").leaf(sink, decode_patch);
        Ok(Overlay { kind: kind?.to_owned(), cluster: cluster?, patch: patch? })
    };
    let overlays = items.iter().map(|item| decode(item, sink)).collect();
    all(overlays)
}

fn decode_patch(value: &Value<'_>, sink: &mut Sink) -> Read<BTreeMap<String, Input>> {
    let text = value.string(sink)?;
    let problem = match serde_json::from_str(text) {
        Ok(json @ serde_json::Value::Object(_)) => match Input::from_json(&json) {
            Input::Map(members) => return Ok(members),
            _ => "it is no object".to_owned(),
        },
        Ok(_) => "it is no object".to_owned(),
        Err(error) => error.to_string(),
    };
    let why = "A merge patch is the JSON of an object: its members replace those of the same name, null removes.";
    Err(value.report(sink, Code::InvalidValue, format!("This is no merge patch: {problem}."), why))
}

fn decode_clients(value: &Value<'_>, members: Option<&BTreeSet<ClusterName>>, sink: &mut Sink) -> Read<BTreeSet<ClusterName>> {
    let items = value.filled_list(sink, MAX_CLUSTERS)?;
    let clients: Vec<_> = items.iter().map(|item| decode_member(item, members, sink)).collect();
    let entries = sound(&clients, &items).map(|(name, item)| (name, format!("Cluster {name}"), item.path()));
    check_unique(sink, entries, "clients is a set.")?;
    clients.into_iter().collect()
}

pub(super) fn decode_client_namespace(
    value: &Value<'_>,
    around: Around<'_>,
    sink: &mut Sink,
) -> Read<BTreeMap<ClusterName, Namespace>> {
    let items = value.map(sink, MAX_CLUSTERS)?;
    let namespaces = items
        .into_iter()
        .map(|(key, item)| {
            let cluster = item.key(sink, key).and_then(|name| check_member(name, &item, around.members, sink));
            let namespace = item.name::<Namespace>(sink);
            let (cluster, namespace) = (cluster?, namespace?);
            check_is_client(&cluster, &item, around.clients, sink);
            Ok((cluster, namespace))
        })
        .collect();
    Ok(all(namespaces)?.into_iter().collect())
}

/// Codes with reasons. The reason is required: whoever reads the object asks for it.
pub(super) fn decode_ignored(value: &Value<'_>, sink: &mut Sink) -> Read<BTreeMap<Code, String>> {
    let items = value.map(sink, Code::ALL.len())?;
    let decode = |(key, item): (&str, Value<'_>), sink: &mut Sink| {
        let reason = item.string(sink).and_then(|reason| {
            let is_sentence = !reason.trim().is_empty() && reason.len() <= MAX_REASON && !reason.contains(char::is_control);
            if is_sentence {
                return Ok(reason.trim().to_owned());
            }
            let what = format!(
                "The reason why {key} is ignored is {}.",
                if reason.trim().is_empty() { "empty" } else { "no line of text" }
            );
            let why = format!("It is written on the objects: one line of at most {MAX_REASON} bytes.");
            Err(item.report(sink, Code::InvalidValue, what, why))
        });
        let code = match Code::of(key) {
            Some(code) if code.may_be_ignored() => Ok(code),
            Some(code) => {
                let what = format!("{code} ({}) cannot be ignored.", code.summary());
                Err(item.report(
                    sink,
                    Code::InvalidValue,
                    what,
                    "What is an error, or tells of what has happened, is always shown.",
                ))
            }
            None => {
                let what = format!("{} is no code of a finding.", quoted(key));
                Err(item.report(sink, Code::InvalidValue, what, "Codes are in the guide \"findings\": GM2013."))
            }
        };
        Ok((code?, reason?))
    };
    let ignored: Vec<_> = items.into_iter().map(|item| decode(item, sink)).collect();
    Ok(all(ignored)?.into_iter().collect())
}

fn decode_outlier_detection(value: &Value<'_>, sink: &mut Sink) -> Read<OutlierDetection> {
    if value.set().is_none() {
        return Ok(OutlierDetection::default());
    }
    let detection = value.object(sink, &OUTLIER_DETECTION)?;
    let mut number = |name, least, most| {
        optional(&detection.get(name), sink, |value, sink| value.leaf(sink, |value, sink| value.integer(sink, least, most)))
    };
    let errors = number("consecutive_errors", 1, MAX_CONSECUTIVE);
    let local_origin_failures = number("consecutive_local_origin_failures", 1, MAX_CONSECUTIVE);
    let gateway_errors = number("consecutive_gateway_errors", 0, MAX_CONSECUTIVE);
    let max_ejection_percent = number("max_ejection_percent", 0, 100);
    let mut duration = |name| optional(&detection.get(name), sink, |value, sink| value.leaf(sink, decode_duration));
    let interval = duration("interval");
    let base_ejection_time = duration("base_ejection_time");
    let (both, single) =
        (detection.get("consecutive_errors"), ["consecutive_local_origin_failures", "consecutive_gateway_errors"]);
    if both.set().is_some() && single.iter().any(|name| detection.get(name).set().is_some()) {
        let what = format!("{} says both of them, and one is said besides.", shown(&both.path()));
        let fix = format!("Keep consecutive_errors, or write {} instead.", single.join(" and "));
        sink.report(
            Code::ConflictingArguments,
            both.path(),
            what,
            "consecutive_errors counts failed connections, and answers 502, 503 and 504.",
            fix,
        );
    }
    let errors = errors?;
    let default = OutlierDetection::default();
    Ok(OutlierDetection {
        consecutive_local_origin_failures: local_origin_failures?
            .or_else(|| errors.clone())
            .unwrap_or(default.consecutive_local_origin_failures),
        consecutive_gateway_errors: gateway_errors?.or(errors).unwrap_or(default.consecutive_gateway_errors),
        interval: interval?.unwrap_or(default.interval),
        base_ejection_time: base_ejection_time?.unwrap_or(default.base_ejection_time),
        max_ejection_percent: max_ejection_percent?
            .map_or(default.max_ejection_percent, |leaf| leaf.map(|percent| u8::try_from(*percent).unwrap_or(100))),
    })
}

pub(super) fn decode_keepalive(value: &Value<'_>, sink: &mut Sink) -> Read<TcpKeepalive> {
    let keepalive = value.object(sink, &TCP_KEEPALIVE)?;
    let probes = optional(&keepalive.get("probes"), sink, |value, sink| {
        value.leaf(sink, |value, sink| value.integer(sink, 1, MAX_PROBES))
    });
    let mut duration = |name| optional(&keepalive.get(name), sink, |value, sink| value.leaf(sink, decode_seconds));
    let (time, interval) = (duration("time"), duration("interval"));
    Ok(TcpKeepalive { probes: probes?, time: time?, interval: interval? })
}

/// A duration for which the kernel of a client counts seconds.
fn decode_seconds(value: &Value<'_>, sink: &mut Sink) -> Read<Duration> {
    let duration = decode_duration(value, sink)?;
    if duration.subsec_nanos() == 0 && duration.as_secs() <= u64::from(MAX_KEEPALIVE) {
        return Ok(duration);
    }
    let what = format!("{} is not a number of whole seconds up to {MAX_KEEPALIVE}.", shown(&value.path()));
    Err(value.report(sink, Code::InvalidValue, what, "Systems count the time between probes in whole seconds."))
}

fn decode_load_balancer(value: &Value<'_>, sink: &mut Sink) -> Read<LoadBalancer> {
    let text = value.string(sink)?;
    LoadBalancer::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| {
        let names: Vec<String> = LoadBalancer::ALL.iter().map(|one| quoted(one.as_str()).to_string()).collect();
        let what = format!("{} is no load balancer.", quoted(text));
        value.report(sink, Code::InvalidValue, what, format!("One of: {}.", names.join(", ")))
    })
}

fn decode_retries(value: &Value<'_>, timeout: Option<&Leaf<Duration>>, sink: &mut Sink) -> Read<Retries> {
    if value.set().is_none() {
        return Ok(Retries::default());
    }
    let retries = value.object(sink, &RETRIES)?;
    let attempts_value = retries.get("attempts");
    let attempts =
        optional(&attempts_value, sink, |value, sink| value.leaf(sink, |value, sink| value.integer(sink, 0, MAX_ATTEMPTS)));
    if matches!(attempts, Ok(Some(Leaf::Known(1)))) {
        let why = "Envoy turns to the next cluster only from the second retry on; until an endpoint is ejected, every request to \
                   it fails.";
        let fix = "Write attempts = 2 or more, or attempts = 0 for no retries at all.";
        sink.report(Code::SingleRetry, attempts_value.path(), "There is one retry.", why, fix);
    }
    let per_try_value = retries.get("per_try_timeout");
    let per_try_timeout = optional(&per_try_value, sink, |value, sink| value.leaf(sink, decode_duration));
    if let (Ok(Some(Leaf::Known(per_try))), Some(Leaf::Known(whole))) = (&per_try_timeout, timeout)
        && per_try >= whole
    {
        let what = "One try may take as long as the whole request.";
        let why = "A try that hangs is never given up for another one.";
        let fix = "Make per_try_timeout shorter than timeout: timeout = \"2s\", per_try_timeout = \"500ms\".";
        sink.report(Code::NoEffect, per_try_value.path(), what, why, fix);
    }
    let mut flag = |name| optional(&retries.get(name), sink, |value, sink| value.leaf(sink, |value, sink| value.bool(sink)));
    let retry_unavailable = flag("retry_unavailable");
    let retry_on_reset = flag("retry_on_reset");
    let default = Retries::default();
    Ok(Retries {
        attempts: attempts?.unwrap_or(default.attempts),
        per_try_timeout: per_try_timeout?,
        retry_unavailable: retry_unavailable?.unwrap_or(default.retry_unavailable),
        retry_on_reset: retry_on_reset?.unwrap_or(default.retry_on_reset),
    })
}

fn decode_export_to(value: &Value<'_>, sink: &mut Sink) -> Read<Vec<Leaf<String>>> {
    let items = value.filled_list(sink, MAX_LIST)?;
    let namespaces = all(items.iter().map(|item| item.leaf(sink, decode_visibility)).collect())?;
    let known =
        namespaces.iter().zip(&items).filter_map(|(leaf, item)| leaf.known().map(|name| (name, quoted(name), item.path())));
    check_unique(sink, known, "export_to is a set.")?;
    let everyone = Leaf::Known("*".to_owned());
    if namespaces.len() > 1 && namespaces.contains(&everyone) {
        let fix = "Write export_to = [\"*\"], or name the namespaces alone.";
        let what = "\"*\" is listed with other namespaces.";
        let why = "\"*\" is every namespace; Istio refuses it in company.";
        return Err(sink.report(Code::ConflictingArguments, value.path(), what, why, fix));
    }
    let mut namespaces = namespaces;
    namespaces.sort();
    Ok(namespaces)
}
