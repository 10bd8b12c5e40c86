//! # What it does
//! Sends requests to the destination itself, by named routes: safe methods apart from all others, because more failures of
//! theirs may be repeated. Where the destination has subsets, each route, and connections of ports without requests, are split
//! among those that have a weight.
//!
//! # Renders
//! Routes of the VirtualService: name, match, destinations.
//!
//! # Interacts with
//! `retries` and `timeout`, which fill the same routes; `subsets`, whose names they are.

use istio_objects::kinds::{HttpMatch, HttpRoute, PortMatches, RouteDestination, TcpRoute};

use super::{Feature, Slice};
use crate::ir::{ConnectionRoute, Destinations, Route};

pub(super) const FEATURE: Feature = Feature {
    name: "routing",
    slices: &[
        Slice::HttpRoute(route, &["route.name", "route.match", "route.route"]),
        Slice::TcpRoute(connections, &["route.match", "route.route"]),
    ],
};

fn route(route: &Route) -> HttpRoute {
    let methods: Vec<HttpMatch> = route.methods.iter().map(|method| HttpMatch::Method((*method).to_owned())).collect();
    HttpRoute {
        name: Some(route.name.to_owned()),
        matches: (!methods.is_empty()).then_some(methods),
        destination: Some(destination(&route.destinations)),
        ..HttpRoute::default()
    }
}

fn connections(route: &ConnectionRoute) -> TcpRoute {
    TcpRoute { ports: Some(PortMatches(route.ports.clone())), destination: Some(destination(&route.destinations)) }
}

fn destination(destinations: &Destinations) -> RouteDestination {
    match destinations {
        Destinations::Host(host) => RouteDestination::Host(host.clone()),
        Destinations::Subsets(host, shares) => RouteDestination::Subsets(host.clone(), shares.clone()),
    }
}
