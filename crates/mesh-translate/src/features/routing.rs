//! # What it does
//! Sends requests to the destination itself, by named routes: safe methods apart from all others, because more failures of
//! theirs may be repeated.
//!
//! # Renders
//! Routes of the VirtualService: name, match, destination.
//!
//! # Interacts with
//! `retries` and `timeout`, which fill the same routes.

use istio_objects::kinds::{HttpMatch, HttpRoute, RouteDestination};

use super::{Feature, Slice};
use crate::ir::Route;

pub(super) const FEATURE: Feature =
    Feature { name: "routing", slices: &[Slice::HttpRoute(route, &["route.name", "route.match", "route.route"])] };

fn route(route: &Route) -> HttpRoute {
    let methods: Vec<HttpMatch> = route.methods.iter().map(|method| HttpMatch::Method((*method).to_owned())).collect();
    HttpRoute {
        name: Some(route.name.to_owned()),
        matches: (!methods.is_empty()).then_some(methods),
        destination: Some(RouteDestination { host: route.hostname.clone() }),
        ..HttpRoute::default()
    }
}
