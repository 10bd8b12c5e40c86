//! # What it does
//! Limits a whole request, retries included.
//!
//! # Renders
//! `timeout` of every route, from `timeout`; absent: no limit.
//!
//! # Interacts with
//! `retries`: tries end when the request's time is over.

use istio_objects::kinds::HttpRoute;

use super::{Feature, Slice};
use crate::ir::Route;

pub(super) const FEATURE: Feature = Feature { name: "timeout", slices: &[Slice::HttpRoute(route, &["route.timeout"])] };

fn route(route: &Route) -> HttpRoute {
    HttpRoute { timeout: route.timeout.clone(), ..HttpRoute::default() }
}
