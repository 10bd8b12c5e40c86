//! What is planned in one cluster, read back from its objects.

use std::collections::BTreeMap;

use istio_objects::{Object, Tree, reserved};
use mesh_model::names::ClusterName;

/// Planned objects of one cluster.
pub(super) struct Planned<'a> {
    /// the hostname of the destination
    pub(super) hostname: &'a str,
    /// all objects
    pub(super) objects: &'a [Object],
}

/// The hostname that the objects are about.
pub(super) fn hostname(objects: &BTreeMap<ClusterName, Vec<Object>>) -> Option<String> {
    objects.values().flatten().find_map(|object| {
        strings(object, &["spec", "hosts"]).next().filter(|_| object.kind.kind == "ServiceEntry").map(str::to_owned)
    })
}

impl<'a> Planned<'a> {
    pub(super) fn new(hostname: &'a str, objects: &'a [Object]) -> Self {
        Self { hostname, objects }
    }

    /// Objects of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &'a Object> {
        self.objects.iter().filter(move |object| object.kind.kind == kind)
    }

    /// The Service behind the destination, as its name and namespace, if the cluster's own pods serve.
    pub(super) fn service(&self) -> Option<(&'a str, &'a str)> {
        let exposed = self.of_kind("Gateway").find_map(gateway_server).map(|server| server.host);
        let host = exposed.or_else(|| {
            self.of_kind("DestinationRule").filter(|_| self.target_port().is_some()).find_map(|rule| {
                let server_name = at(rule, &["spec", "trafficPolicy", "tls", "sni"]).and_then(text)?;
                server_name.split_once("_._.").map(|(_, host)| host)
            })
        })?;
        let mut parts = host.split('.');
        Some((parts.next()?, parts.next()?))
    }

    /// The port of the cluster's own pods, if they serve and call.
    pub(super) fn target_port(&self) -> Option<&'a str> {
        let selects_pods =
            |entry: &&Object| !labels(entry, &["spec", "workloadSelector", "labels"]).contains_key(reserved::DESTINATION_LABEL);
        self.of_kind("ServiceEntry").filter(selects_pods).find_map(|entry| {
            let Some(Tree::List(ports)) = at(entry, &["spec", "ports"]) else { return None };
            ports.iter().find_map(|port| match port {
                Tree::Map(port) => match port.get("targetPort") {
                    Some(Tree::Number(number)) => Some(number.as_str()),
                    _ => None,
                },
                _ => None,
            })
        })
    }
}

/// What a Gateway of ours exposes.
#[derive(Clone, Copy)]
pub(super) struct GatewayServer<'a> {
    /// the full name of the Service
    pub(super) host: &'a str,
    pub(super) port: i64,
}

/// The one server that a Gateway of ours has.
pub(super) fn gateway_server(gateway: &Object) -> Option<GatewayServer<'_>> {
    let Some(Tree::List(servers)) = at(gateway, &["spec", "servers"]) else { return None };
    let Some(Tree::Map(server)) = servers.first() else { return None };
    let (Some(Tree::List(hosts)), Some(Tree::Map(port))) = (server.get("hosts"), server.get("port")) else { return None };
    let Some(Tree::Number(port)) = port.get("number") else { return None };
    Some(GatewayServer { host: hosts.iter().find_map(text)?, port: port.as_str().parse().ok()? })
}

/// A member of an object.
pub(super) fn at<'t>(object: &'t Object, path: &[&str]) -> Option<&'t Tree> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(object.body.get(*first)?, |tree, key| match tree {
        Tree::Map(members) => members.get(*key),
        _ => None,
    })
}

fn text(tree: &Tree) -> Option<&str> {
    match tree {
        Tree::String(text) => Some(text),
        _ => None,
    }
}

/// Known strings of a list in an object.
pub(super) fn strings<'t>(object: &'t Object, path: &[&str]) -> impl Iterator<Item = &'t str> + use<'t> {
    let elements: &[Tree] = match at(object, path) {
        Some(Tree::List(elements)) => elements,
        _ => &[],
    };
    elements.iter().filter_map(text)
}

/// Known labels in an object. Istio reads those of a WorkloadEntry's metadata as the workload's too.
pub(super) fn labels<'t>(object: &'t Object, path: &[&str]) -> BTreeMap<&'t str, &'t str> {
    let members = match at(object, path) {
        Some(Tree::Map(members)) => Some(members),
        _ => None,
    };
    members.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), text(value)?))).collect()
}
