//! What is planned in one cluster, read back from its objects.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use istio_objects::{Object, Tree, reserved};

use crate::Objects;

/// Planned objects of one cluster.
pub(super) struct Planned<'a> {
    /// the hostname of the destination
    pub(super) hostname: &'a str,
    /// all objects
    pub(super) objects: &'a [Arc<Object>],
}

/// The hostname that the objects are about.
pub(super) fn hostname(objects: &Objects) -> Option<String> {
    objects.values().flatten().find_map(|object| {
        strings(object, &["spec", "hosts"]).next().filter(|_| object.kind.kind == "ServiceEntry").map(str::to_owned)
    })
}

impl<'a> Planned<'a> {
    pub(super) fn new(hostname: &'a str, objects: &'a [Arc<Object>]) -> Self {
        Self { hostname, objects }
    }

    /// Objects of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &'a Object> {
        self.objects.iter().map(|object| &**object).filter(move |object| object.kind.kind == kind)
    }

    /// The Service behind the destination, as its name and namespace, if the cluster's own pods serve.
    pub(super) fn service(&self) -> Option<(&'a str, &'a str)> {
        let exposed = self.of_kind("Gateway").find_map(gateway_server).map(|server| server.host);
        let host = exposed.or_else(|| {
            self.of_kind("DestinationRule").filter(|_| self.serves()).find_map(|rule| {
                let policy = at(rule, &["spec", "trafficPolicy"])?;
                let policy = members(policy, "portLevelSettings").first().unwrap_or(policy);
                let server_name = member(member(policy, "tls")?, "sni").and_then(text)?;
                server_name.split_once("_._.").map(|(_, host)| host)
            })
        })?;
        let mut parts = host.split('.');
        Some((parts.next()?, parts.next()?))
    }

    /// Whether the cluster's own pods serve and call.
    pub(super) fn serves(&self) -> bool {
        self.of_kind("ServiceEntry").any(selects_pods)
    }

    /// Ports of the cluster's own pods, if they serve and call.
    pub(super) fn target_ports(&self) -> BTreeSet<&'a str> {
        let ports = |entry: &'a Object| at(entry, &["spec"]).map_or(&[][..], |spec| members(spec, "ports"));
        let target = |port: &'a Tree| match member(port, "targetPort") {
            Some(Tree::Number(number)) => Some(number.as_str()),
            _ => None,
        };
        self.of_kind("ServiceEntry").filter(|entry| selects_pods(entry)).flat_map(ports).filter_map(target).collect()
    }
}

fn selects_pods(entry: &Object) -> bool {
    !labels(entry, &["spec", "workloadSelector", "labels"]).contains_key(reserved::DESTINATION_LABEL)
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
    let server = members(at(gateway, &["spec"])?, "servers").first()?;
    let Some(Tree::Number(port)) = member(member(server, "port")?, "number") else { return None };
    Some(GatewayServer { host: members(server, "hosts").iter().find_map(text)?, port: port.as_str().parse().ok()? })
}

/// A member of an object.
pub(super) fn at<'t>(object: &'t Object, path: &[&str]) -> Option<&'t Tree> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(object.body.get(*first)?, |tree, key| member(tree, key))
}

fn member<'t>(tree: &'t Tree, key: &str) -> Option<&'t Tree> {
    match tree {
        Tree::Map(members) => members.get(key),
        _ => None,
    }
}

/// Elements of a list that a member is.
fn members<'t>(tree: &'t Tree, key: &str) -> &'t [Tree] {
    elements(member(tree, key))
}

fn elements(tree: Option<&Tree>) -> &[Tree] {
    match tree {
        Some(Tree::List(elements)) => elements,
        _ => &[],
    }
}

fn text(tree: &Tree) -> Option<&str> {
    match tree {
        Tree::String(text) => Some(text),
        _ => None,
    }
}

/// Known strings of a list in an object.
pub(super) fn strings<'t>(object: &'t Object, path: &[&str]) -> impl Iterator<Item = &'t str> + use<'t> {
    elements(at(object, path)).iter().filter_map(text)
}

/// Known labels in an object. Istio reads those of a WorkloadEntry's metadata as the workload's too.
pub(super) fn labels<'t>(object: &'t Object, path: &[&str]) -> BTreeMap<&'t str, &'t str> {
    let members = match at(object, path) {
        Some(Tree::Map(members)) => Some(members),
        _ => None,
    };
    members.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), text(value)?))).collect()
}
