//! # What it does
//! Takes endpoints that fail out of load balancing, which is what makes the next rank serve.
//!
//! # Renders
//! `outlierDetection` of the DestinationRule, from `outlier_detection`. Connection failures are counted apart from answers,
//! and an application's 500s eject nothing: a remote cluster is one endpoint, its gateway.
//!
//! # Interacts with
//! `failover`: istiod computes priorities only where there is outlier detection.

use istio_objects::kinds::{self, TrafficPolicy};
use mesh_model::intent::OutlierDetection;

use super::{Feature, Slice};
use crate::ir::PortPolicy;

pub(super) const FEATURE: Feature =
    Feature { name: "outlier_detection", slices: &[Slice::TrafficPolicy(policy, &["policy.outlierDetection"])] };

fn policy(policy: &PortPolicy) -> TrafficPolicy {
    let OutlierDetection {
        consecutive_local_origin_failures,
        consecutive_gateway_errors,
        interval,
        base_ejection_time,
        max_ejection_percent,
    } = policy.outlier_detection.clone();
    let outlier_detection = kinds::OutlierDetection {
        consecutive_local_origin_failures,
        consecutive_gateway_errors,
        interval,
        base_ejection_time,
        max_ejection_percent,
    };
    TrafficPolicy { outlier_detection: Some(outlier_detection), ..TrafficPolicy::default() }
}
