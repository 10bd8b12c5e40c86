//! # What it does
//! Tries a failed request again, on another endpoint and in another cluster, which hides a failover from callers.
//!
//! # Renders
//! `retries` of every route, from `retries`. Failures where the request cannot have run are always repeated. An answer 503 is
//! repeated for safe methods, and for all with `retry_unavailable`; a connection that broke only with `retry_on_reset`.
//!
//! # Interacts with
//! `failover`: `retryRemoteLocalities` lets a retry leave the cluster before ejection has happened, from the second one on.

use istio_objects::kinds::{HttpRetries, HttpRoute};
use mesh_model::Leaf;

use super::{Feature, Slice};
use crate::ir::Route;

/// Failures after which the request has not run.
const NOT_RUN: &str = "connect-failure,refused-stream,unavailable,cancelled";

pub(super) const FEATURE: Feature = Feature { name: "retries", slices: &[Slice::HttpRoute(route, &["route.retries"])] };

fn route(route: &Route) -> HttpRoute {
    let retries = match &route.attempts {
        Leaf::Known(0) => Leaf::Known(HttpRetries::Off),
        Leaf::Known(attempts) => Leaf::Known(HttpRetries::On {
            attempts: *attempts,
            per_try_timeout: route.per_try_timeout.clone(),
            retry_on: retry_on(&route.retry_unavailable, &route.retry_on_reset),
        }),
        // none and some retries have different members
        Leaf::Unknown(path) => Leaf::Unknown(path.clone()),
    };
    HttpRoute { retries: Some(retries), ..HttpRoute::default() }
}

fn retry_on(unavailable: &Leaf<bool>, reset: &Leaf<bool>) -> Leaf<String> {
    let mut conditions = NOT_RUN.to_owned();
    for (knob, condition) in [(unavailable, ",503"), (reset, ",reset")] {
        match knob {
            Leaf::Known(true) => conditions.push_str(condition),
            Leaf::Known(false) => {}
            Leaf::Unknown(path) => return Leaf::Unknown(path.clone()),
        }
    }
    Leaf::Known(conditions)
}
