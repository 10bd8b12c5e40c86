//! # What it does
//! Says on the object itself which warnings its owner overruled, and why.
//!
//! # Renders
//! An annotation of the ServiceEntry, from `ignore_findings`: `GM2013: CoreDNS answers for the hostname`.
//!
//! # Interacts with
//! Nothing.

use istio_objects::kinds::ServiceEntry;

use super::{Feature, Slice};
use crate::ir::Host;

pub(super) const FEATURE: Feature = Feature {
    name: "ignored_findings",
    slices: &[Slice::ServiceEntry(host, &["metadata.annotations[gloo-terraform/ignored-findings]"])],
};

fn host(host: &Host) -> ServiceEntry {
    let lines: Vec<String> = host.ignored.iter().map(|(code, reason)| format!("{code}: {reason}")).collect();
    ServiceEntry { ignored_findings: (!lines.is_empty()).then(|| lines.join("\n")), ..ServiceEntry::default() }
}
