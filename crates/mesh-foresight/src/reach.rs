//! What answers behind an endpoint: pods of the own cluster, or those behind the gateway of another one.

use std::collections::BTreeSet;

use mesh_model::facts::GatewayFacts;
use mesh_model::hosts::covers;
use mesh_model::names::ClusterName;

use crate::address::Address;
use crate::fleet::{Fleet, Gateway, Member, Service};
use crate::read::{self, Action};
use crate::world::{Fault, World};

/// What a try at an endpoint comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// a pod serves
    Served,
    /// 403: an answer, after which nothing else is tried
    Denied,
    /// no answer of an application
    Failed(Fault, Cause),
}

/// Why nothing serves behind an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// the pods fail
    Pods,
    /// no pod listens on the port that is called
    Port(u16),
    /// the cluster is down
    Cluster,
    /// the gateway is down
    Gateway,
    /// no gateway has the address, or none listens on that port of it
    NoGateway,
    /// the gateway passes no calls with this server name
    ServerName(String),
    /// the cluster has no such Service or no such port of it
    NoService(String),
    /// the Service has no pods
    NoPods,
    /// the client does not accept these SPIFFE ids, which servers may have
    Identity(BTreeSet<String>),
    /// the servers do not accept clients of this trust domain
    TrustDomain(String),
}

/// Who calls, and what it insists on.
pub(crate) struct Caller<'a> {
    pub(crate) member: &'a Member,
    pub(crate) namespace: &'a str,
    pub(crate) account: Option<&'a str>,
    pub(crate) server_name: &'a str,
    /// ids of servers that are accepted; empty: all
    pub(crate) identities: &'a BTreeSet<String>,
}

impl Caller<'_> {
    /// What a well pod of a Service answers on a port, once connected.
    pub(crate) fn answered_by(&self, member: &Member, service: &Service, port: u16) -> Answer {
        let stranger = &self.member.trust_domain;
        let refused: BTreeSet<String> = service.identities.difference(self.identities).cloned().collect();
        if !service.listens(port) {
            return Answer::Failed(Fault::Connection, Cause::Port(port));
        }
        if *stranger != member.trust_domain && !member.accepted_trust_domains.contains(stranger) {
            return Answer::Failed(Fault::Connection, Cause::TrustDomain(stranger.clone()));
        }
        if !self.identities.is_empty() && !refused.is_empty() {
            return Answer::Failed(Fault::Connection, Cause::Identity(refused));
        }
        if self.is_denied(member, service) { Answer::Denied } else { Answer::Served }
    }

    fn is_denied(&self, member: &Member, service: &Service) -> bool {
        let judge = |action| {
            let policies = member.configuration.access.iter().filter(move |policy| {
                policy.action == action
                    && (policy.namespace == service.namespace || policy.namespace == member.root_namespace)
                    && policy.selector.iter().all(|(key, value)| service.labels.get(key) == Some(value))
            });
            let judged = policies.map(|policy| policy.matches(&self.member.trust_domain, self.namespace, self.account));
            judged.collect::<Vec<bool>>()
        };
        let (allowed, denied) = (judge(Action::Allow), judge(Action::Deny));
        denied.contains(&true) || (!allowed.is_empty() && !allowed.contains(&true))
    }

    /// What an entry's address answers, and the cluster behind it.
    pub(crate) fn answered_at<'f>(
        &self,
        fleet: &'f Fleet,
        world: &World,
        address: &Address,
        port: u16,
    ) -> (Option<&'f ClusterName>, Answer) {
        let broken = |cause| Answer::Failed(Fault::Connection, cause);
        let Some((cluster, member, gateway)) = fleet.gateway(address) else { return (None, broken(Cause::NoGateway)) };
        let answer = if world.clusters_down.contains(cluster) {
            broken(Cause::Cluster)
        } else if let Some(fault) = world.gateway_fault(cluster, address) {
            Answer::Failed(fault, Cause::Gateway)
        } else if gateway.port != port {
            broken(Cause::NoGateway)
        } else {
            self.passed(world, cluster, member, gateway)
        };
        (Some(cluster), answer)
    }

    /// What the Service that a server name means answers through a gateway. A gateway that leads to one well pod is as good as
    /// any: proxies see one endpoint, and a connection that met another pod is tried again.
    fn passed(&self, world: &World, cluster: &ClusterName, member: &Member, gateway: &Gateway) -> Answer {
        let broken = |cause| Answer::Failed(Fault::Connection, cause);
        let name = || self.server_name.to_owned();
        let Some((port, subset, host)) = parts(self.server_name) else { return broken(Cause::ServerName(name())) };
        if !passes(member, gateway, host) || !subset.is_none_or(|subset| member.divides(&gateway.namespace, host, subset)) {
            return broken(Cause::ServerName(name()));
        }
        let found = member.service(host, port).or_else(|| member.selected(&gateway.namespace, host, port, subset));
        let Some((service, target)) = found else { return broken(Cause::NoService(format!("{host}:{port}"))) };
        let pods = world.pods_of(cluster);
        match (pods.all, pods.failing) {
            (0, _) => broken(Cause::NoPods),
            _ if !service.has(subset) => broken(Cause::NoPods),
            (all, failing) if failing < all => self.answered_by(member, service, target),
            _ => Answer::Failed(pods.fault, Cause::Pods),
        }
    }
}

impl Member {
    /// A Service by its full name, with the port of its pods.
    fn service(&self, host: &str, port: u16) -> Option<(&Service, u16)> {
        let service = self.services.iter().find(|service| service.host == host)?;
        let (_, _, target) = service.ports.iter().find(|(number, _, _)| *number == port)?;
        Some((service, *target))
    }

    /// Whether a policy that a gateway sees tells of a subset of a host: its server name is passed then.
    fn divides(&self, viewer: &str, host: &str, subset: &str) -> bool {
        self.configuration.policies.iter().any(|policy| {
            policy.host == host
                && read::is_visible(&policy.export_to, &policy.namespace, viewer)
                && policy.subset(subset).is_some()
        })
    }

    /// The Service whose pods serve a subset of a ServiceEntry that a gateway sees; of several, one that has such pods. Entries of
    /// that host are passed over: a gateway that sends calls on to other gateways is a loop, whatever serves in the end.
    fn selected(&self, viewer: &str, host: &str, port: u16, subset: Option<&str>) -> Option<(&Service, u16)> {
        let entry = self.configuration.hosts.iter().find(|entry| {
            entry.names.iter().any(|name| name == host) && read::is_visible(&entry.export_to, &entry.namespace, viewer)
        })?;
        let port = entry.ports.iter().find(|other| other.number == port)?;
        let mut services = self.services.iter().filter(|service| {
            service.namespace == entry.namespace && read::is_selected(entry.selector.as_ref(), &service.labels)
        });
        let service = services.clone().find(|service| service.has(subset)).or_else(|| services.next())?;
        Some((service, port.target))
    }
}

/// Where gateways listen for calls of other clusters, wherever these reach them.
const LISTENING_PORT: u16 = 15443;

/// Whether a gateway passes calls of a host: by a Gateway that is planned, or by those of others.
fn passes(member: &Member, gateway: &Gateway, host: &str) -> bool {
    let planned = member.configuration.gateways.iter().filter(|object| {
        object.namespace == gateway.namespace && object.selector.iter().all(|(key, value)| gateway.labels.get(key) == Some(value))
    });
    let hosts =
        planned.flat_map(|object| &object.servers).filter(|(port, _)| *port == LISTENING_PORT).flat_map(|(_, hosts)| hosts);
    hosts.chain(&gateway.passed).any(|pattern| covers(GatewayFacts::passed_name(pattern), host))
}

/// Port, subset and host of a server name: `outbound_.9080_._.reviews.bookinfo.svc.cluster.local`, with a subset
/// `outbound_.9080_.v1_.…`.
fn parts(server_name: &str) -> Option<(u16, Option<&str>, &str)> {
    let (port, rest) = server_name.strip_prefix("outbound_.")?.split_once("_.")?;
    let (subset, host) = rest.split_once("_.")?;
    Some((port.parse().ok()?, (!subset.is_empty()).then_some(subset), host))
}
