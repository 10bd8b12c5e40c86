//! # What it does
//! Keeps requests in the client's own cluster and sends them on in the order of ranks when its pods fail.
//!
//! # Renders
//! `failoverPriority` of the DestinationRule, highest rank first: an endpoint's priority is the first label in which it
//! differs from the client. Clients and pods carry no rank label, so what carries one comes after the cluster's own pods, and
//! a higher rank after a lower one. Each WorkloadEntry carries the label of its rank. The ServiceEntry asks for near endpoints
//! too (`PreferClose`, since Istio 1.25), which holds even while the DestinationRule is missing.
//!
//! # Interacts with
//! `outlier_detection`, without which istiod computes no priorities.

use istio_objects::kinds::{LocalitySetting, RankLabel, ServiceEntry, TrafficPolicy, WorkloadEntry};

use super::{Feature, Slice};
use crate::ir::{Entry, Host, PortPolicy};

pub(super) const FEATURE: Feature = Feature {
    name: "failover",
    slices: &[
        Slice::TrafficPolicy(policy, &["policy.loadBalancer.simple", "policy.loadBalancer.localityLbSetting"]),
        Slice::WorkloadEntry(entry, &["spec.labels[gloo-terraform-rank/*]", "spec.locality"]),
        Slice::ServiceEntry(host, &["metadata.annotations[networking.istio.io/traffic-distribution]"]),
    ],
};

fn policy(policy: &PortPolicy) -> TrafficPolicy {
    let ranks = (1..=policy.highest_rank).rev().map(RankLabel::key);
    let near = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"].map(str::to_owned);
    TrafficPolicy {
        load_balancer: Some(policy.load_balancer.clone()),
        locality: Some(LocalitySetting { failover_priority: ranks.chain(near).collect() }),
        ..TrafficPolicy::default()
    }
}

fn entry(entry: &Entry) -> WorkloadEntry {
    WorkloadEntry { rank: Some(RankLabel(entry.rank.clone())), locality: entry.region.clone(), ..WorkloadEntry::default() }
}

fn host(_: &Host) -> ServiceEntry {
    ServiceEntry { traffic_distribution: Some("PreferClose".to_owned()), ..ServiceEntry::default() }
}
