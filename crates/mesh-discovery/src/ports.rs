//! Ports of a Service, as Istio reads them.

use std::collections::BTreeSet;

use mesh_model::Code;
use mesh_model::facts::BackendPort;
use mesh_model::names::PortNumber;
use serde_json::Value;

use crate::inventory::Object;
use crate::read;
use crate::verdict::Verdicts;
use crate::workload::{Member, workload_names};

/// Names that Istio knows, in lower case.
const PROTOCOLS: [&str; 11] = ["grpc", "grpc-web", "http", "http2", "https", "mongo", "mysql", "redis", "tcp", "tls", "udp"];

/// Ports on which the server speaks first, where sniffing would wait for ever.
const SERVER_FIRST: [i64; 4] = [25, 53, 3306, 27017];

/// The protocol of a port: `appProtocol`, else the part of the name before `-`; `None` where Istio looks at the traffic.
pub(crate) fn protocol(app_protocol: Option<&str>, name: Option<&str>, number: i64) -> Option<String> {
    let text = match app_protocol {
        Some("kubernetes.io/h2c") => return Some("http2".to_owned()),
        Some("kubernetes.io/ws") => return Some("http".to_owned()),
        Some("kubernetes.io/wss") => return Some("https".to_owned()),
        Some(protocol) => protocol,
        None => name.unwrap_or(""),
    };
    let text = text.to_ascii_lowercase();
    if text.starts_with("grpc-web") {
        return Some("grpc-web".to_owned());
    }
    let prefix = text.split('-').next().unwrap_or(&text);
    if PROTOCOLS.contains(&prefix) {
        return Some(prefix.to_owned());
    }
    SERVER_FIRST.contains(&number).then(|| "tcp".to_owned())
}

/// The TCP ports of a Service by number, with the target ports of its members; what cannot be resolved becomes a finding.
pub(crate) fn ports(service: Object<'_>, members: &[Member<'_>], verdicts: &mut Verdicts<'_>) -> Vec<BackendPort> {
    let mut ports = Vec::new();
    for port in read::list(service.value, &["spec", "ports"]) {
        if !matches!(read::text(port, &["protocol"]), None | Some("TCP")) {
            continue;
        }
        let Some(number) = read::number(port, &["port"]).and_then(PortNumber::new) else {
            port_finding(service, "a port has no number".to_owned(), verdicts);
            continue;
        };
        let name = read::text(port, &["name"]);
        let protocol = protocol(read::text(port, &["appProtocol"]), name, i64::from(number.get()));
        if protocol.as_deref() == Some("udp") {
            continue;
        }
        match target_port(port, number, members) {
            Ok(target_port) => ports.push(BackendPort { number, name: name.map(str::to_owned), target_port, protocol }),
            Err(what) => port_finding(service, format!("port {number}: {what}"), verdicts),
        }
    }
    ports.sort_by(|a, b| (a.number, &a.name).cmp(&(b.number, &b.name)));
    ports.dedup();
    ports
}

fn target_port(port: &Value, number: PortNumber, members: &[Member<'_>]) -> Result<PortNumber, String> {
    let name = match read::at(port, &["targetPort"]) {
        None | Some(Value::Null) => return Ok(number),
        Some(Value::String(name)) => name.as_str(),
        // Kubernetes takes 0 for "the same"
        Some(value) if value.as_i64() == Some(0) => return Ok(number),
        Some(value) => {
            return value.as_i64().and_then(PortNumber::new).ok_or_else(|| "its targetPort is no port number".to_owned());
        }
    };
    let numbers: BTreeSet<PortNumber> = members.iter().filter_map(|member| container_port(member, name)).collect();
    match (numbers.first(), numbers.len()) {
        (Some(number), 1) => Ok(*number),
        (None, _) => Err(format!("no container of {} has a port named {name:?}", workload_names(members))),
        _ => {
            let each: BTreeSet<String> = members
                .iter()
                .filter_map(|member| Some(format!("{} in {}", container_port(member, name)?, member.workload)))
                .collect();
            Err(format!("the port named {name:?} is {}", each.into_iter().collect::<Vec<_>>().join(", ")))
        }
    }
}

fn container_port(member: &Member<'_>, name: &str) -> Option<PortNumber> {
    member
        .containers()
        .flat_map(|container| read::list(container, &["ports"]))
        .filter(|port| read::text(port, &["name"]) == Some(name))
        .filter(|port| matches!(read::text(port, &["protocol"]), None | Some("TCP")))
        .filter_map(|port| read::number(port, &["containerPort"]).and_then(PortNumber::new))
        .min()
}

fn port_finding(service: Object<'_>, what: String, verdicts: &mut Verdicts<'_>) {
    let object = format!("Service/{}/{}", service.namespace, service.name);
    verdicts.object(
        Code::TargetPortUnclear,
        &object,
        format!("{object} in cluster {}: {what}.", verdicts.cluster),
        "Local pods are called on the target port, which has to be one number for all of them. The port is left out of `ports`.",
        "Give the Service a numeric targetPort, or write the backend by hand with `ports = [{ number = 9080, target_port = 9080 }]`.",
    );
}

#[cfg(test)]
mod tests {
    use super::protocol;

    #[test]
    fn protocols_are_read_as_istio_does() {
        let of = |app_protocol, name| protocol(app_protocol, name, 9080);
        for (app_protocol, name, expected) in [
            (None, Some("http"), Some("http")),
            (None, Some("http2-web"), Some("http2")),
            (None, Some("HTTPS-x"), Some("https")),
            (None, Some("grpc-web-x"), Some("grpc-web")),
            (None, Some("grpcweb"), None),
            (None, Some("httpx"), None),
            (None, None, None),
            (Some("tcp"), Some("http"), Some("tcp")),
            (Some("kubernetes.io/ws"), None, Some("http")),
            (Some("example.com/own"), Some("http"), None),
        ] {
            assert_eq!(of(app_protocol, name).as_deref(), expected, "{app_protocol:?} {name:?}");
        }
        assert_eq!(protocol(None, Some("db"), 3306).as_deref(), Some("tcp"));
        assert_eq!(protocol(None, Some("http"), 3306).as_deref(), Some("http"));
    }
}
