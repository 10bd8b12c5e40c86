//! What a client's proxy is told: the host, its route, its policy, its endpoints.

use std::collections::BTreeSet;

use mesh_model::names::ClusterName;

use crate::envoy::Assignment;
use crate::fleet::{Fleet, Member};
use crate::forecast::{NoRoute, Request, Via};
use crate::istiod::{self, Chosen, Served};
use crate::reach::Caller;
use crate::read::{self, Host, HostPort, Policy, PortPolicy, Protocol, Route, RouteTable, Target};
use crate::share::Share;
use crate::world::World;

/// A part of a client's requests.
pub(crate) struct Part<'f> {
    /// how many of them
    pub(crate) share: Share,
    pub(crate) subset: Option<String>,
    /// where they go
    pub(crate) upstream: Result<Upstream<'f>, NoRoute>,
}

/// A host, or a subset of one, as one client sees it.
pub(crate) struct Upstream<'f> {
    pub(crate) route: Route,
    pub(crate) policy: PortPolicy,
    pub(crate) protocol: Protocol,
    pub(crate) assignment: Assignment,
    /// where each endpoint leads
    pub(crate) ways: Vec<(Option<&'f ClusterName>, Via)>,
}

impl<'f> Upstream<'f> {
    /// Where requests go, in the parts that their route divides them into.
    pub(crate) fn find(fleet: &'f Fleet, world: &World, request: &Request<'_>) -> Result<Vec<Part<'f>>, NoRoute> {
        let (cluster, member) = fleet.members.get_key_value(request.cluster).ok_or(NoRoute::NameUnknown)?;
        let table = table(member, request);
        let takes = |route: &&Route| route.methods.is_empty() || route.methods.iter().any(|method| method == request.method);
        let of_requests = match table {
            Some(table) => table.routes.iter().find(takes).cloned(),
            None => Some(Route::default()),
        };
        let name = of_requests.as_ref().and_then(|route| route.host.clone()).unwrap_or_else(|| request.host.to_owned());
        resolve(world, cluster, member, request)?;
        let served = served(member, request, &name)?;
        let route = match (of_requests, served.port.protocol) {
            (_, Protocol::Bytes) => table.and_then(|table| stream(table, request.port)).unwrap_or_default(),
            (Some(route), Protocol::Http | Protocol::Grpc) => route,
            (None, Protocol::Http | Protocol::Grpc) => return Err(NoRoute::NotRouted),
        };
        let whole: u128 = route.targets.iter().map(|target| u128::from(target.weight)).sum();
        let part = |Target { subset, weight }: &Target| Part {
            share: Share::of((*weight).into(), whole),
            subset: subset.clone(),
            upstream: Self::of(fleet, world, request, (cluster, member), &served, (&name, subset.as_deref()), &route),
        };
        Ok(route.targets.iter().filter(|target| target.weight > 0).map(part).collect())
    }

    fn of(
        fleet: &'f Fleet,
        world: &World,
        request: &Request<'_>,
        (cluster, member): (&'f ClusterName, &'f Member),
        served: &Served<'_>,
        (name, subset): (&str, Option<&str>),
        route: &Route,
    ) -> Result<Self, NoRoute> {
        let rule = rule(member, request, name, served);
        let chosen: Chosen<'_> = match subset {
            None => None,
            Some(subset) => {
                let told = rule.and_then(|rule| rule.subset(subset)).ok_or(NoRoute::SubsetUnknown)?;
                Some((subset, &told.labels))
            }
        };
        let policy = rule.map(|rule| rule.of_port(served.port.number, subset)).unwrap_or_default();
        let server_name = match policy.tls.as_ref().and_then(|tls| tls.server_name.clone()) {
            Some(name) => name,
            None => format!("outbound_.{}_.{}_.{name}", served.port.number, subset.unwrap_or_default()),
        };
        // what the policy lists stands in the place of what the host lists
        let listed = policy.tls.as_ref().map(|tls| tls.identities.as_slice()).filter(|listed| !listed.is_empty());
        let identities: BTreeSet<String> = listed.unwrap_or(served.identities).iter().cloned().collect();
        let caller = Caller {
            member,
            namespace: request.namespace,
            account: request.account,
            server_name: &server_name,
            identities: &identities,
        };
        let found = istiod::endpoints(fleet, world, (cluster, member), (served, chosen), &caller);
        let (assignment, candidates) = istiod::assign(member, &policy, served.prefers_close, found);
        if candidates.is_empty() {
            return Err(NoRoute::NoEndpoints);
        }
        let ways = candidates.into_iter().map(|candidate| (candidate.cluster, candidate.via)).collect();
        Ok(Self { route: route.clone(), policy, protocol: served.port.protocol, assignment, ways })
    }
}

/// The first VirtualService for a host.
fn table<'m>(member: &'m Member, request: &Request<'_>) -> Option<&'m RouteTable> {
    let tables = member.configuration.route_tables.iter();
    tables
        .filter(|table| read::is_visible(&table.export_to, &table.namespace, request.namespace))
        .find(|table| table.names.iter().any(|name| name == request.host))
}

/// The first route of connections to a port.
fn stream(table: &RouteTable, port: u16) -> Option<Route> {
    let found = table.streams.iter().find(|(ports, _)| ports.is_empty() || ports.contains(&port));
    found.map(|(_, route)| route.clone())
}

fn resolve(world: &World, cluster: &ClusterName, member: &Member, request: &Request<'_>) -> Result<(), NoRoute> {
    let is_service = member.services.iter().any(|service| service.host == request.host);
    if is_service || member.answers_dns != Some(false) || world.resolved.contains(cluster) {
        return Ok(());
    }
    // a name that nothing is configured for is unknown, whoever answers
    let known = host(member, request, request.host).is_some();
    Err(if known { NoRoute::NameNotResolved } else { NoRoute::NameUnknown })
}

fn host<'m>(member: &'m Member, request: &Request<'_>, name: &str) -> Option<&'m Host> {
    let visible = |host: &&Host| {
        host.names.iter().any(|other| other == name) && read::is_visible(&host.export_to, &host.namespace, request.namespace)
    };
    member.configuration.hosts.iter().find(visible)
}

fn served<'m>(member: &'m Member, request: &Request<'_>, name: &str) -> Result<Served<'m>, NoRoute> {
    if let Some(service) = member.services.iter().find(|service| service.host == name) {
        let (number, port_name, target) =
            service.ports.iter().find(|(number, _, _)| *number == request.port).ok_or(NoRoute::PortUnknown)?;
        let port =
            HostPort { number: *number, name: port_name.clone().unwrap_or_default(), target: *target, protocol: Protocol::Http };
        let selector = Some(&service.selector);
        return Ok(Served { namespace: &service.namespace, port, selector, identities: &[], prefers_close: false });
    }
    let host = host(member, request, name).ok_or(NoRoute::NameUnknown)?;
    let port = host.ports.iter().find(|port| port.number == request.port).ok_or(NoRoute::PortUnknown)?;
    Ok(Served {
        namespace: &host.namespace,
        port: port.clone(),
        selector: host.selector.as_ref(),
        identities: &host.identities,
        prefers_close: host.prefers_close,
    })
}

/// The policy of a host, looked for where istiod does: in the client's namespace, the host's and the root one, no other.
fn rule<'m>(member: &'m Member, request: &Request<'_>, name: &str, served: &Served<'_>) -> Option<&'m Policy> {
    let places = [request.namespace, served.namespace, &member.root_namespace];
    places.iter().find_map(|place| {
        member.configuration.policies.iter().find(|policy| {
            policy.namespace == **place
                && policy.host == name
                && read::is_visible(&policy.export_to, &policy.namespace, request.namespace)
        })
    })
}
