//! # What it does
//! Encrypts calls with the workloads' own certificates from end to end, and tells the gateway which Service is meant.
//!
//! # Renders
//! `tls` of the DestinationRule: `ISTIO_MUTUAL`, the Service's server name, and the SPIFFE ids of all that serve, local pods
//! included; the ids on the ServiceEntry too.
//!
//! # Interacts with
//! `exposure`: the gateway of a serving cluster passes exactly this server name.

use istio_objects::kinds::{ClientTls, ServiceEntry, TrafficPolicy};

use super::{Feature, Slice};
use crate::ir::{Host, PortPolicy};

pub(super) const FEATURE: Feature = Feature {
    name: "mutual_tls",
    slices: &[Slice::TrafficPolicy(policy, &["policy.tls"]), Slice::ServiceEntry(host, &["spec.subjectAltNames"])],
};

fn policy(policy: &PortPolicy) -> TrafficPolicy {
    let tls = ClientTls { sni: policy.sni.clone(), subject_alt_names: policy.identities.clone() };
    TrafficPolicy { tls: Some(tls), ..TrafficPolicy::default() }
}

fn host(host: &Host) -> ServiceEntry {
    ServiceEntry { subject_alt_names: Some(host.identities.clone()), ..ServiceEntry::default() }
}
