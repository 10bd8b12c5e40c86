//! Whether clients have the family of the addresses that stand for other clusters.

use std::collections::BTreeSet;
use std::net::IpAddr;

use mesh_model::{AttributePath, Code, Finding, Findings};
use serde_json::Value;

use super::live::{Inventory, listed};
use super::planned::{self, Planned};

pub(super) fn check(planned: &Planned<'_>, inventory: &Inventory<'_>, findings: &mut Findings) {
    let addresses: BTreeSet<IpAddr> =
        planned.of_kind("WorkloadEntry").filter_map(|entry| planned::string(entry, &["spec", "address"])?.parse().ok()).collect();
    for (name, is_family) in [("IPv4", IpAddr::is_ipv4 as fn(&IpAddr) -> bool), ("IPv6", IpAddr::is_ipv6)] {
        let strange: Vec<String> = addresses.iter().filter(|address| is_family(address)).map(ToString::to_string).collect();
        if strange.is_empty() || has_family(inventory, is_family) != Some(false) {
            continue;
        }
        findings.push(
            Finding::new(
                Code::AddressFamilyDiffers,
                AttributePath::of("virtual_mesh").attribute("clusters"),
                format!(
                    "No pod in cluster {} has an {name} address; gateways that it would call have: {}.",
                    inventory.cluster,
                    listed(strange.iter().map(String::as_str))
                ),
                "Sidecars there cannot reach them, unless something on the way translates addresses.",
                "Name addresses of the other family in the facts: gateways = [{ addresses = [\"203.0.113.20\"] }]",
            )
            .in_cluster(inventory.cluster),
        );
    }
}

/// Whether some pod has an address of a family; `None` where no pod shows its addresses.
fn has_family(inventory: &Inventory<'_>, is_family: fn(&IpAddr) -> bool) -> Option<bool> {
    let mut families = inventory
        .of_kind("Pod")
        .flat_map(|pod| pod.list("/status/podIPs"))
        .filter_map(|address| address.get("ip").and_then(Value::as_str)?.parse().ok())
        .map(|address| is_family(&address))
        .peekable();
    families.peek()?;
    Some(families.any(|is_it| is_it))
}
