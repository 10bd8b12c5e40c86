//! # What it does
//! Limits how long a client waits for a connection. Without a limit of its own a hung gateway holds each request for Envoy's
//! 10 s before the next rank is tried. Probes keep firewalls between clusters from forgetting silent connections.
//!
//! # Renders
//! `connectionPool.tcp` of the DestinationRule: `connectTimeout` from `connect_timeout`, `tcpKeepalive` from `tcp_keepalive`.
//!
//! # Interacts with
//! `outlier_detection`: a connection that times out is a local-origin failure.

use istio_objects::kinds::{ConnectionPool, TrafficPolicy};

use super::{Feature, Slice};
use crate::ir::PortPolicy;

pub(super) const FEATURE: Feature =
    Feature { name: "connection_pool", slices: &[Slice::TrafficPolicy(policy, &["policy.connectionPool"])] };

fn policy(policy: &PortPolicy) -> TrafficPolicy {
    let connection_pool =
        ConnectionPool { connect_timeout: policy.connect_timeout.clone(), tcp_keepalive: policy.tcp_keepalive.clone() };
    TrafficPolicy { connection_pool: Some(connection_pool), ..TrafficPolicy::default() }
}
