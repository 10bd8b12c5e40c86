//! # What it does
//! Keeps requests in the client's own cluster and sends them on in the order of ranks when its pods fail; or spreads them over
//! clusters by percent.
//!
//! # Renders
//! `failoverPriority` of the DestinationRule, highest rank first: an endpoint's priority is the first label in which it
//! differs from the client. Clients and pods carry no rank label, so what carries one comes after the cluster's own pods, and
//! a higher rank after a lower one. Each WorkloadEntry carries the label of its rank. The ServiceEntry asks for near endpoints
//! too (`PreferClose`, since Istio 1.25), which holds even while the DestinationRule is missing.
//!
//! Where a client reaches another cluster by a hostname, ranks are told by localities: endpoints that stand for a network have
//! no labels. Each entry then has a region that stands for its rank, and `failover` names that of rank 1 as the one that comes
//! after the client's own; all later ranks share the place behind it.
//!
//! Where the requests of a client are spread, all endpoints have one priority, and `distribute` gives shares to regions: that of
//! the cluster's own pods, and one for each other cluster, which its entries have. istiod leaves endpoints of all other regions
//! out. Envoy takes from the share of a region what fails there, and the others get it in proportion.
//!
//! # Interacts with
//! `outlier_detection`, without which istiod computes no priorities, and no share of what is dead goes to others.

use istio_objects::kinds::{LocalitySetting, RankLabel, ServiceEntry, TrafficPolicy, WorkloadEntry};
use mesh_model::names::Region;
use mesh_model::{Leaf, derived};

use super::{Feature, Slice};
use crate::ir::{Entry, Host, PortPolicy, RankedBy, Ranks};

pub(super) const FEATURE: Feature = Feature {
    name: "failover",
    slices: &[
        Slice::TrafficPolicy(policy, &["policy.loadBalancer.simple", "policy.loadBalancer.localityLbSetting"]),
        Slice::WorkloadEntry(entry, &["spec.labels[gloo-terraform-rank/*]", "spec.locality"]),
        Slice::ServiceEntry(host, &["metadata.annotations[networking.istio.io/traffic-distribution]"]),
    ],
};

fn policy(policy: &PortPolicy) -> TrafficPolicy {
    let locality = match &policy.ranks {
        Ranks::Labels { highest } => {
            let ranks = (1..=*highest).rev().map(RankLabel::key);
            let near = ["topology.kubernetes.io/region", "topology.kubernetes.io/zone"].map(str::to_owned);
            LocalitySetting::FailoverPriority(ranks.chain(near).collect())
        }
        Ranks::Localities { from } => LocalitySetting::Failover { from: from.clone(), to: region_of(1).to_string() },
        Ranks::Shares(shares) => LocalitySetting::Distribute(shares.clone()),
    };
    TrafficPolicy { load_balancer: Some(policy.load_balancer.clone()), locality: Some(locality), ..TrafficPolicy::default() }
}

fn entry(entry: &Entry) -> WorkloadEntry {
    match &entry.ranked_by {
        RankedBy::Label { region } => {
            WorkloadEntry { rank: Some(RankLabel(entry.rank.clone())), locality: region.clone(), ..WorkloadEntry::default() }
        }
        RankedBy::Locality => {
            WorkloadEntry { locality: Some(entry.rank.map(|rank| region_of(*rank))), ..WorkloadEntry::default() }
        }
        RankedBy::Share => {
            let region = derived::share_region(&entry.cluster);
            WorkloadEntry { locality: Some(Leaf::Known(region)), ..WorkloadEntry::default() }
        }
    }
}

/// The region that stands for a rank. Istio has two places behind the client's own region: one that is named, and all others.
fn region_of(rank: u32) -> Region {
    derived::rank_region(rank.min(RANKS_BY_LOCALITY))
}

/// How many ranks localities tell apart.
pub(crate) const RANKS_BY_LOCALITY: u32 = 2;

fn host(_: &Host) -> ServiceEntry {
    ServiceEntry { traffic_distribution: Some("PreferClose".to_owned()), ..ServiceEntry::default() }
}
