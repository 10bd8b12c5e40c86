//! A destination as Mermaid text: clients, the ranks by which they go, gateways, pods.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mesh_model::names::ClusterName;

use crate::address::Address;
use crate::fleet::Fleet;
use crate::forecast::{Forecast, Request, State, Way};
use crate::share::Share;
use crate::world::World;

impl Fleet {
    /// The ways of every client of a host, as they are when all is well: solid where requests go, dotted where they go when
    /// those before fail, crossed out where nothing answers. Numbers say the order, percents the shares of several at once. The
    /// same fleet has the same text.
    #[must_use]
    pub fn diagram(&self, base: &World, host: &str, port: u16) -> String {
        let ways: BTreeMap<&ClusterName, Vec<Way>> = self
            .callers(host)
            .into_iter()
            .filter_map(|(cluster, namespace)| {
                let request = Request { cluster, namespace, account: None, host, port, method: "GET" };
                match self.forecast(base, &request) {
                    Forecast::Routed(routed) => Some((cluster, routed.ways)),
                    Forecast::NoClient | Forecast::NoRoute(_) => None,
                }
            })
            .collect();
        let drawing = Drawing { fleet: self, ids: self.clusters().zip(0..).collect(), ways: &ways };
        format!("%% {}\nflowchart LR\n{}{}", label(&format!("{host}:{port}")), drawing.clusters(), drawing.edges())
    }
}

struct Drawing<'a> {
    fleet: &'a Fleet,
    /// names never are ids: an id has a meaning in Mermaid (`end`)
    ids: BTreeMap<&'a ClusterName, usize>,
    ways: &'a BTreeMap<&'a ClusterName, Vec<Way>>,
}

impl Drawing<'_> {
    /// A box for each cluster that takes part, with its clients, gateways and pods.
    fn clusters(&self) -> String {
        let mut text = String::new();
        let called: BTreeSet<Address> = self.ways.values().flatten().filter_map(|way| way.via.address()).collect();
        for (cluster, member) in &self.fleet.members {
            let id = self.ids[cluster];
            let mut nodes: Vec<String> = Vec::new();
            if self.ways.contains_key(cluster) {
                nodes.push(format!("c{id}_clients([\"clients\"])"));
            }
            for (number, address) in self.gateways(cluster).iter().enumerate().filter(|(_, address)| called.contains(*address)) {
                nodes.push(format!("c{id}_gateway{number}{{{{\"gateway {}\"}}}}", label(&address.to_string())));
            }
            if let Some(service) = member.services.first() {
                nodes.push(format!("c{id}_pods[\"{}\"]", label(&service.host)));
            }
            if nodes.is_empty() {
                continue;
            }
            let place = member.region.as_ref().map(|region| format!(", {region}")).unwrap_or_default();
            let _ = writeln!(text, "  subgraph c{id}[\"{}\"]", label(&format!("{cluster}{place}")));
            for node in nodes {
                let _ = writeln!(text, "    {node}");
            }
            let _ = writeln!(text, "  end");
        }
        text
    }

    fn edges(&self) -> String {
        let mut text = String::new();
        let mut entered: BTreeSet<(usize, usize)> = BTreeSet::new();
        for (cluster, ways) in self.ways {
            let id = self.ids[*cluster];
            for way in ways {
                let Some(owner) = &way.cluster else { continue };
                let (target, rank) = (self.ids[owner], way.priority + 1);
                let node = match way.via.address() {
                    None => format!("c{target}_pods"),
                    Some(address) => {
                        let Some(number) = self.gateways(owner).iter().position(|other| *other == address) else { continue };
                        entered.insert((target, number));
                        format!("c{target}_gateway{number}")
                    }
                };
                let arrow = match way.state {
                    State::Serves(_) => "-->",
                    State::Waits => "-.->",
                    State::Denies(_) | State::Ejected(..) | State::Fails(..) | State::Broken(..) => "--x",
                };
                let subset = way.subset.as_ref().map(|subset| format!("{subset}: ")).unwrap_or_default();
                let share = match &way.state {
                    // of each of its endpoints
                    State::Serves(share) | State::Denies(share) | State::Fails(share, ..) => {
                        *share * Share::of(way.endpoints as u128, 1)
                    }
                    State::Waits | State::Ejected(..) | State::Broken(..) => Share::NONE,
                };
                let share = if share.is_none() || share == Share::ALL { String::new() } else { format!(", {share}") };
                let _ = writeln!(text, "  c{id}_clients {arrow}|{}| {node}", label(&format!("{subset}{rank}{share}")));
            }
        }
        for (target, number) in entered {
            let _ = writeln!(text, "  c{target}_gateway{number} --> c{target}_pods");
        }
        text
    }

    /// Addresses of the gateways of a cluster.
    fn gateways(&self, cluster: &ClusterName) -> Vec<Address> {
        self.fleet
            .members
            .get(cluster)
            .into_iter()
            .flat_map(|member| &member.gateways)
            .flat_map(|gateway| gateway.addresses.clone())
            .collect()
    }
}

/// A text inside quotes: whatever Mermaid could read as more than a letter is written by its number.
fn label(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || " .,:_-/".contains(c) => c.to_string(),
            c => format!("#{};", u32::from(c)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn a_hostile_name_stays_inside_its_quotes() {
        assert_eq!(label("reviews.mesh.internal:9080"), "reviews.mesh.internal:9080");
        assert_eq!(label("a\"]\nclick b \"javascript:x\""), "a#34;#93;#10;click b #34;javascript:x#34;");
        assert_eq!(label("#x;<b>`é"), "#35;x#59;#60;b#62;#96;#233;");
    }
}
