//! Facts of clusters and Services.

use std::collections::BTreeSet;

use super::reader::{Read, Sink, Value, all, check_unique, sound};
use super::scalars::{decode_address, decode_backend_protocol, decode_exposed_host, decode_port, decode_selector};
use super::shapes::{BACKEND, BACKEND_PORT, CLUSTER_FACTS, GATEWAY};
use super::subsets::decode_backend_subsets;
use super::{MAX_GATEWAYS, MAX_LIST, MAX_PORTS};
use crate::facts::{Backend, BackendPort, ClusterFacts, GatewayAddress, GatewayFacts};
use crate::finding::Code;
use crate::names::{ClusterName, Namespace, PortName, PortNumber, ServiceAccount, ServiceName};

/// What of an optional value is there.
pub(super) fn optional<T>(
    value: &Value<'_>,
    sink: &mut Sink,
    read: impl FnOnce(&Value<'_>, &mut Sink) -> Read<T>,
) -> Read<Option<T>> {
    value.set().map(|value| read(value, sink)).transpose()
}

pub(super) fn decode_cluster(value: &Value<'_>, sink: &mut Sink) -> Read<ClusterFacts> {
    let facts = value.object(sink, &CLUSTER_FACTS)?;
    let istio_version = facts.get("istio_version").name(sink);
    let trust_domain = facts.get("trust_domain").name(sink);
    let revision = optional(&facts.get("revision"), sink, |value, sink| value.name(sink));
    let cluster_domain = optional(&facts.get("cluster_domain"), sink, |value, sink| value.name(sink));
    let root_namespace = optional(&facts.get("root_namespace"), sink, |value, sink| value.name(sink))
        .map(|namespace| namespace.unwrap_or_else(Namespace::istio_system));
    let network = optional(&facts.get("network"), sink, |value, sink| value.leaf(sink, |value, sink| value.name(sink)));
    let region = optional(&facts.get("region"), sink, |value, sink| value.leaf(sink, |value, sink| value.name(sink)));
    let dns_capture = optional(&facts.get("dns_capture"), sink, |value, sink| value.leaf(sink, |value, sink| value.bool(sink)));
    let gateways = optional(&facts.get("gateways"), sink, |value, sink| {
        let items = value.list(sink, MAX_GATEWAYS)?;
        // where the root namespace is wrong, gateways are judged all the same
        let root = root_namespace.clone().unwrap_or_else(|_| Namespace::istio_system());
        let gateways: Vec<_> = items.iter().map(|item| decode_gateway(item, &root, sink)).collect();
        check_gateways_differ(&items, &gateways, sink)?;
        all(gateways)
    });
    Ok(ClusterFacts {
        istio_version: istio_version?,
        revision: revision?.unwrap_or_default(),
        trust_domain: trust_domain?,
        cluster_domain: cluster_domain?.unwrap_or_default(),
        root_namespace: root_namespace?,
        network: network?,
        region: region?,
        dns_capture: dns_capture?,
        gateways: gateways?.unwrap_or_default(),
    })
}

fn decode_gateway(value: &Value<'_>, root: &Namespace, sink: &mut Sink) -> Read<GatewayFacts> {
    let gateway = value.object(sink, &GATEWAY)?;
    let addresses = gateway.get("addresses");
    let hostname = gateway.get("hostname");
    let address = match (addresses.set(), hostname.set()) {
        (Some(list), None) => decode_addresses(list, sink).map(GatewayAddress::Addresses),
        (None, Some(name)) => name.leaf(sink, |value, sink| value.name(sink)).map(GatewayAddress::Hostname),
        // one of them may turn out null
        (Some(list), Some(name)) if list.is_unknown() || name.is_unknown() => {
            Err(sink.unknown_shape(if list.is_unknown() { list.path() } else { name.path() }))
        }
        (Some(_), Some(name)) => {
            let fix = format!("Remove hostname, or remove addresses. With addresses alone: {}", addresses.example());
            let what = "The gateway has addresses and a hostname.";
            Err(sink.report(Code::ConflictingArguments, name.path(), what, "Each of them says where it is reached.", fix))
        }
        (None, None) => {
            let fix = format!("Write {} or {}.", addresses.example(), hostname.example());
            let what = "The gateway has neither addresses nor a hostname.";
            Err(sink.report(Code::MissingArgument, value.path(), what, "Other clusters could not reach it.", fix))
        }
    };
    let port = optional(&gateway.get("port"), sink, |value, sink| value.leaf(sink, decode_port));
    let namespace = optional(&gateway.get("namespace"), sink, |value, sink| value.name(sink));
    let selector = optional(&gateway.get("selector"), sink, decode_selector);
    let exposed_hosts = optional(&gateway.get("exposed_hosts"), sink, |value, sink| {
        let items = value.list(sink, MAX_LIST)?;
        all(items.iter().map(|item| decode_exposed_host(item, sink)).collect())
    });
    Ok(GatewayFacts {
        namespace: namespace?.unwrap_or_else(|| root.clone()),
        selector: selector?.unwrap_or_else(GatewayFacts::default_selector),
        address: address?,
        port: port?.unwrap_or(PortNumber::EAST_WEST.into()),
        exposed_hosts: exposed_hosts?.unwrap_or_default(),
    })
}

fn decode_addresses(value: &Value<'_>, sink: &mut Sink) -> Read<Vec<crate::Leaf<std::net::IpAddr>>> {
    let items = value.filled_list(sink, MAX_GATEWAYS)?;
    let addresses: Vec<_> = items.iter().map(|item| item.leaf(sink, decode_address)).collect();
    let known = sound(&addresses, &items).filter_map(|(leaf, item)| leaf.known().map(|ip| (ip, ip, item.path())));
    check_unique(sink, known, "Each address is one way to the gateway.")?;
    all(addresses)
}

/// Two gateways of a cluster at one address and port are one gateway.
fn check_gateways_differ(items: &[Value<'_>], gateways: &[Read<GatewayFacts>], sink: &mut Sink) -> Read<()> {
    let mut known = Vec::new();
    for (gateway, item) in sound(gateways, items) {
        let Some(port) = gateway.port.known() else { continue };
        match &gateway.address {
            GatewayAddress::Addresses(addresses) => {
                known.extend(addresses.iter().filter_map(|ip| ip.known()).map(|ip| (format!("{ip} port {port}"), item.path())));
            }
            GatewayAddress::Hostname(name) => {
                known.extend(name.known().map(|name| (format!("{name} port {port}"), item.path())));
            }
        }
    }
    check_unique(sink, known.iter().map(|(text, path)| (text, text, path.clone())), "They would be one gateway.")
}

/// A backend; where the members of the mesh are known, its cluster is one of them.
pub(super) fn decode_backend(value: &Value<'_>, members: Option<&BTreeSet<ClusterName>>, sink: &mut Sink) -> Read<Backend> {
    let backend = value.object(sink, &BACKEND)?;
    let cluster_value = backend.get("cluster");
    let cluster = cluster_value.name(sink);
    let namespace = backend.get("namespace").name::<Namespace>(sink);
    let service = backend.get("service").name::<ServiceName>(sink);
    let named = namespace.as_ref().ok().zip(service.as_ref().ok());
    let cluster = cluster.and_then(|cluster| check_serves(cluster, &cluster_value, named, members, sink));
    let ports = decode_backend_ports(&backend.get("ports"), sink);
    let selector = decode_selector(&backend.get("selector"), sink);
    let canonical_name = backend.get("canonical_name").leaf(sink, |value, sink| value.name(sink));
    let service_accounts = backend.get("service_accounts").filled_list(sink, MAX_LIST).and_then(|items| {
        let accounts: Vec<_> =
            items.iter().map(|item| item.leaf(sink, |value, sink| value.name::<ServiceAccount>(sink))).collect();
        let known = sound(&accounts, &items).filter_map(|(leaf, item)| leaf.known().map(|name| (name, name, item.path())));
        check_unique(sink, known, "Each service account is one identity of the pods.")?;
        all(accounts)
    });
    let subsets = decode_backend_subsets(&backend.get("subsets"), sink);
    Ok(Backend {
        cluster: cluster?,
        namespace: namespace?,
        service: service?,
        ports: ports?,
        selector: selector?,
        canonical_name: canonical_name?,
        service_accounts: service_accounts?,
        subsets: subsets?,
    })
}

fn check_serves(
    cluster: ClusterName,
    value: &Value<'_>,
    named: Option<(&Namespace, &ServiceName)>,
    members: Option<&BTreeSet<ClusterName>>,
    sink: &mut Sink,
) -> Read<ClusterName> {
    let Some(members) = members.filter(|members| !members.contains(&cluster)) else {
        return Ok(cluster);
    };
    let members = super::reader::names(members);
    let backend = named.map_or("A backend".to_owned(), |(namespace, service)| format!("Backend {namespace}/{service}"));
    let what = format!("{backend} is in cluster {cluster}, which is no member of the virtual mesh; its members are {members}.");
    let service = named.map_or("reviews", |(_, service)| service.as_str());
    let fix = format!(
        "Add it to clusters of the virtual mesh, {cluster} = data.gloo_cluster.{cluster}.facts, or leave such backends out: \
         [for backend in data.gloo_service.{service}.backends : backend if backend.cluster != \"{cluster}\"]"
    );
    Err(sink.report(Code::UnknownCluster, value.path(), what, "Nothing is known about it, and nothing is written there.", fix))
}

fn decode_backend_ports(value: &Value<'_>, sink: &mut Sink) -> Read<Vec<BackendPort>> {
    let items = value.filled_list(sink, MAX_PORTS)?;
    let ports: Vec<_> = items.iter().map(|item| decode_backend_port(item, sink)).collect();
    let is_udp = |port: &BackendPort| port.protocol.as_deref() == Some("udp");
    // a Service may have one number for TCP and for UDP
    let numbers = sound(&ports, &items)
        .map(|(port, item)| ((port.number, is_udp(port)), format!("Port {}", port.number), item.path().attribute("number")));
    let numbers = check_unique(sink, numbers, "A Service has each port once.");
    let names = sound(&ports, &items).filter_map(|(port, item)| {
        port.name.as_ref().map(|name| (name, format!("Port name {name}"), item.path().attribute("name")))
    });
    let names = check_unique(sink, names, "The ports of a Service have different names.");
    numbers?;
    names?;
    all(ports)
}

fn decode_backend_port(value: &Value<'_>, sink: &mut Sink) -> Read<BackendPort> {
    let port = value.object(sink, &BACKEND_PORT)?;
    let number = decode_port(&port.get("number"), sink);
    let name = optional(&port.get("name"), sink, |value, sink| value.name::<PortName>(sink));
    let target_port = decode_port(&port.get("target_port"), sink);
    let protocol = optional(&port.get("protocol"), sink, decode_backend_protocol);
    Ok(BackendPort {
        number: number?,
        name: name?.map(|name| name.as_str().to_owned()),
        target_port: target_port?,
        protocol: protocol?,
    })
}
