//! Cases whose objects stand still while backends and proxies die: played live and from recordings. Letters are those of the
//! experiments that the translation rests on.

use rig::mesh::echo::Mood;
use rig::mesh::fleet::{Canaries, Fleet};
use rig::mesh::layout::{PORT, Speech, Spot};
use rig::mesh::seeds::{self, PORTS_HOST};
use serde_json::Value;

use crate::changes::ALL;
use crate::check::{all_by, connections_of_gateway, errors_at_most, local_traffic, nobody_notices, until_by, until_served};
use crate::config::{HOST, QUICK, destination, destination_with};
use crate::report::Figures;
use crate::{hostnames, ports, services, subsets};

/// Limits with which a gateway that hangs is left behind: nothing else ends a request that waits for it.
const TIGHT: &str = "  timeout = \"5s\"\n  retries = { per_try_timeout = \"1s\", retry_on_reset = true }\n";

/// What the provider is told, and whose calls it is for.
pub struct Configuration {
    pub name: &'static str,
    /// What clients call, with a port of HTTP.
    pub host: String,
    /// Resources and data sources.
    pub resources: String,
    /// Clusters whose clients call.
    pub clients: &'static [&'static str],
    /// Whether istiod has to find gateways by their hostnames. What it tells proxies are addresses.
    pub has_hostnames: bool,
    /// Clusters with a second version of the application.
    pub canaries: &'static [&'static str],
    /// Objects of clusters that are not those of their start, by cluster.
    pub objects: Vec<(&'static str, Value)>,
}

/// What plays a scenario.
pub struct Scene<'a> {
    pub fleet: &'a Fleet,
    pub canaries: &'a Canaries,
    pub figures: &'a Figures,
}

/// What happens with a configuration.
pub struct Scenario {
    pub name: &'static str,
    /// Name of the configuration.
    pub of: &'static str,
    pub play: fn(&Scene),
}

/// Each has one recording.
pub fn configurations() -> Vec<Configuration> {
    let three = |lines: &str| destination(&["east", "west", "north"], &format!("{QUICK}{lines}"));
    let order = "  failover = { order = [\"north\", \"west\"] }\n";
    let spread = "  failover = { spread = { east = { east = 50, west = 30, north = 20 } } }\n";
    let east: &[&str] = &["east"];
    let of = Configuration::of;
    let ports = Configuration {
        host: format!("{PORTS_HOST}:{PORT}"),
        ..of("ports", destination_with(&Speech::ALL, &["east", "west"], QUICK), &["east", "west", "north"])
    };
    let named = Configuration {
        has_hostnames: true,
        ..of("three-named", hostnames::named(&["east", "west", "north"], &format!("{QUICK}{order}")), east)
    };
    vec![
        of("two", destination(&["east", "west"], QUICK), &["east", "west", "north"]),
        of("two-defaults", destination(&["east", "west"], ""), east),
        ports,
        of("three", three(""), east),
        of("three-ranked", three(order), east),
        of("three-tight", three(&format!("{order}{TIGHT}")), east),
        of("three-spread", three(spread), east),
        named,
        Configuration { canaries: &["east", "north"], ..of("three-versions", subsets::in_two_clusters(QUICK), east) },
        Configuration {
            canaries: &["west"],
            objects: services::two().map(|service| ("west", service)).into(),
            ..of("three-services", services::together(&ALL, true), &ALL)
        },
    ]
}

impl Configuration {
    /// One in which clusters are as at their start.
    pub fn of(name: &'static str, resources: String, clients: &'static [&'static str]) -> Self {
        let host = HOST.to_owned();
        Self { name, host, resources, clients, has_hostnames: false, canaries: &[], objects: Vec::new() }
    }

    /// What a cluster holds besides, or otherwise.
    pub fn objects_in(&self, cluster: &str) -> impl Iterator<Item = Value> {
        let objects = self.objects.iter().filter(move |(holder, _)| *holder == cluster).map(|(_, object)| object.clone());
        let second = self.canaries.iter().filter(move |holder| **holder == cluster).filter_map(|holder| Spot::of(holder));
        objects.chain(second.flat_map(seeds::canary))
    }
}

/// All of them.
pub fn all() -> [Scenario; 17] {
    [
        Scenario { name: "local-first", of: "two", play: local_first },
        Scenario { name: "local-app-dies", of: "two", play: local_app_dies },
        Scenario { name: "posts", of: "two", play: posts },
        Scenario { name: "local-sidecar-dies", of: "two", play: local_sidecar_dies },
        Scenario { name: "client-only", of: "two", play: client_only },
        Scenario { name: "app-errors", of: "two", play: app_errors },
        Scenario { name: "defaults", of: "two-defaults", play: defaults },
        Scenario { name: "ports", of: "ports", play: ports::each_at_home },
        Scenario { name: "grpc-app-dies", of: "ports", play: ports::grpc_app_dies },
        Scenario { name: "connections", of: "ports", play: ports::connections },
        Scenario { name: "no-loop", of: "three", play: no_loop },
        Scenario { name: "ranks", of: "three-ranked", play: ranks },
        Scenario { name: "hung-gateway", of: "three-tight", play: hung_gateway },
        Scenario { name: "shares", of: "three-spread", play: shares },
        Scenario { name: "ranks-by-hostname", of: "three-named", play: ranks },
        Scenario { name: "versions", of: "three-versions", play: versions },
        Scenario { name: "two-services", of: "three-services", play: services::pods_die },
    ]
}

impl Scenario {
    /// What it is played with.
    ///
    /// # Panics
    /// When its configuration is not in the list.
    pub fn configuration(&self) -> Configuration {
        configurations().into_iter().find(|one| one.name == self.of).unwrap_or_else(|| panic!("no configuration {}", self.of))
    }
}

/// A: each client is served by its own cluster, with the identities of both sides.
fn local_first(&Scene { fleet, figures, .. }: &Scene) {
    for cluster in ["east", "west"] {
        until_served(fleet, cluster);
        let calls = fleet.calls(cluster, HOST, 50);
        figures.note(cluster, &calls);
        all_by(&calls, cluster);
        let peer = &calls.0[0].peer;
        assert!(peer.contains("By=spiffe://cluster.local/ns/bookinfo/sa/bookinfo-reviews"), "{peer}");
        assert!(peer.contains("URI=spiffe://cluster.local/ns/bookinfo/sa/bookinfo-productpage"), "{peer}");
    }
}

/// D, M4: the application dies behind a living sidecar; nobody notices, not at re-admissions either, and it comes back.
fn local_app_dies(&Scene { fleet, figures, .. }: &Scene) {
    nobody_notices(&local_traffic(fleet, "east"), fleet, figures);
}

/// D: what may have run is not repeated, so that each ejection costs the answers that lead to it, and each end of one again.
fn posts(&Scene { fleet, figures, .. }: &Scene) {
    until_served(fleet, "east");
    let traffic = fleet.posts("east", HOST);
    until_by(&traffic, "east");
    let mark = traffic.mark();
    fleet.backend("east").die();
    until_by(&traffic, "west");
    let first = traffic.since(mark);
    figures.takeover("until another cluster serves", &first, "west");
    errors_at_most(&first, 8, "until the dead application is taken out");
    let mark = traffic.mark();
    traffic.more(600);
    figures.note("with two ends of an ejection", traffic.since(mark));
    assert!(
        traffic.since(mark).errors() > 0,
        "if ends of ejections cost nothing, the guide says too much: {}",
        traffic.since(mark)
    );
    fleet.backend("east").revive().expect("its address is free");
    until_by(&traffic, "east");
}

/// D, V5: the local sidecar is killed, with the connections that are open to it.
fn local_sidecar_dies(&Scene { fleet, figures, .. }: &Scene) {
    let traffic = local_traffic(fleet, "east");
    let mark = traffic.mark();
    fleet.proxy("east/reviews").kill().expect("it runs");
    until_by(&traffic, "west");
    traffic.more(400);
    let calls = traffic.since(mark);
    figures.takeover("sidecar dead", &calls, "west");
    errors_at_most(&calls, calls.0.len() / 100, "while the local sidecar is dead");
    let mark = traffic.mark();
    fleet.heal().expect("it starts again");
    until_by(&traffic, "east");
    figures.takeover("healed", &traffic.since(mark), "east");
    errors_at_most(&traffic.since(mark), 0, "while it comes back");
}

/// G: a cluster without a backend of the destination, though one runs there, is served by the others.
fn client_only(&Scene { fleet, figures, .. }: &Scene) {
    until_served(fleet, "north");
    let calls = fleet.calls("north", HOST, 100);
    figures.note("north", &calls);
    assert_eq!((calls.errors(), calls.served_by("north")), (0, 0), "{calls}");
    assert!(calls.served_by("east") > 20 && calls.served_by("west") > 20, "two regions share equally: {calls}");
}

/// H5, Z2: clusters take over in the declared order and give back.
fn ranks(&Scene { fleet, figures, .. }: &Scene) {
    let traffic = local_traffic(fleet, "east");
    fleet.backend("east").die();
    until_by(&traffic, "north");
    let mark = traffic.mark();
    fleet.proxy("north/istio-eastwestgateway").kill().expect("it runs");
    until_by(&traffic, "west");
    traffic.more(300);
    figures.takeover("gateway of rank 1 dead", &traffic.since(mark), "west");
    errors_at_most(&traffic.since(mark), traffic.since(mark).0.len() / 100, "while the gateway of rank 1 is dead");
    let mark = traffic.mark();
    fleet.heal().expect("everything starts again");
    until_by(&traffic, "east");
    figures.takeover("healed", &traffic.since(mark), "east");
    figures.note("order", traffic.all().order().join(" "));
    errors_at_most(&traffic.since(mark), 0, "while everything comes back");
}

/// Each cluster serves its share; when one is dead the others get its share in proportion, and give it back.
fn shares(&Scene { fleet, figures, .. }: &Scene) {
    until_served(fleet, "east");
    let traffic = fleet.traffic("east", HOST);
    let kept = |what: &str, percents: [(&str, usize); 3]| {
        let calls = traffic.more(500);
        figures.note(what, &calls);
        for (cluster, percent) in percents {
            let served = calls.served_by(cluster) * 100 / calls.0.len();
            assert!(served.abs_diff(percent) <= 5, "{what}, and {cluster} served {served}: {calls}");
        }
    };
    kept("50, 30 and 20 percent", [("east", 50), ("west", 30), ("north", 20)]);
    fleet.backend("west").die();
    traffic.wait_until("west is taken out", 60, |seen| seen.is_served() && seen.by != "west");
    kept("west is dead", [("east", 71), ("west", 0), ("north", 29)]);
    fleet.heal().expect("everything lives again");
    traffic.wait_until("west serves again", 1, |seen| seen.by == "west");
    kept("healed", [("east", 50), ("west", 30), ("north", 20)]);
    errors_at_most(&traffic.all(), 0, "while a cluster that has a share dies and comes back");
}

/// I: what dies of a version is taken over by those that have the version, west has the first one alone, and nothing else moves.
fn versions(&Scene { fleet, canaries, figures }: &Scene) {
    until_served(fleet, "east");
    let traffic = fleet.traffic("east", HOST);
    let kept = |what: &str, percents: &[(&str, usize)]| {
        let calls = traffic.more(1000);
        figures.note(what, &calls);
        let named: usize = percents.iter().map(|(by, _)| calls.served_by(by)).sum();
        assert_eq!(named, calls.0.len(), "{what}, and others answered: {calls}");
        for (by, percent) in percents {
            // chance chooses the version: this is more than four deviations
            assert!((calls.served_by(by) * 100 / named).abs_diff(*percent) <= 7, "{what}, and {by}: {calls}");
        }
    };
    let well = [("east", 70), ("east-v2", 30)];
    kept("70 and 30 percent", &well);
    canaries["east"].backend().die();
    traffic.wait_until("the second version of east is taken out", 60, |seen| seen.is_served() && seen.by != "east-v2");
    kept("the second version is dead in east", &[("east", 70), ("north-v2", 30)]);
    fleet.backend("east").die();
    traffic.wait_until("the first one is taken out too", 60, |seen| seen.is_served() && !seen.by.starts_with("east"));
    kept("and the first one", &[("west", 35), ("north", 35), ("north-v2", 30)]);
    canaries["east"].backend().revive().expect("its address is free");
    fleet.heal().expect("everything lives again");
    traffic.wait_until("east serves alone again", 100, |seen| seen.is_served() && seen.by.starts_with("east"));
    kept("healed", &well);
    errors_at_most(&traffic.all(), 0, "while versions die and come back");
}

/// J3a: when every backend is dead, gateways do not send requests to each other.
fn no_loop(&Scene { fleet, figures, .. }: &Scene) {
    until_served(fleet, "east");
    let clusters = ["east", "west", "north"];
    clusters.iter().for_each(|cluster| fleet.backend(cluster).die());
    let traffic = fleet.traffic("east", HOST);
    traffic.wait_until("everything is dead", 20, |seen| !seen.is_served());
    let calls = traffic.more(100);
    for cluster in clusters {
        let count = connections_of_gateway(fleet, cluster);
        figures.note(&format!("connections made by the gateway of {cluster}"), count);
        // each call is tried four times at most, each try is one connection at most
        assert!(count <= 4 * (calls.0.len() + traffic.mark()), "{count} connections made by the gateway of {cluster}");
    }
    fleet.heal().expect("everything lives again");
    until_by(&traffic, "east");
    figures.note("all dead, then healed", traffic.all());
}

/// What is shipped: the application dies and comes back after the first ejection of half a minute.
fn defaults(&Scene { fleet, figures, .. }: &Scene) {
    let traffic = local_traffic(fleet, "east");
    let mark = traffic.mark();
    fleet.backend("east").die();
    until_by(&traffic, "west");
    traffic.more(200);
    figures.takeover("app dead, defaults", &traffic.since(mark), "west");
    errors_at_most(&traffic.since(mark), 0, "with the defaults");
}

/// R10, Z5: a gateway hangs, so that nothing tells that it does not answer.
fn hung_gateway(&Scene { fleet, figures, .. }: &Scene) {
    until_served(fleet, "east");
    let traffic = fleet.traffic("east", HOST);
    fleet.backend("east").die();
    until_by(&traffic, "north");
    let mark = traffic.mark();
    fleet.proxy("north/istio-eastwestgateway").stop().expect("it runs");
    until_by(&traffic, "west");
    traffic.more(300);
    let calls = traffic.since(mark);
    let longest = calls.0.iter().map(|seen| seen.took.as_millis()).max().unwrap_or_default();
    figures.note("gateway of rank 1 hangs", format!("the longest call took {longest} ms"));
    figures.takeover("gateway of rank 1 hangs", &calls, "west");
    errors_at_most(&calls, 5, "when a gateway hangs");
    fleet.proxy("north/istio-eastwestgateway").cont().expect("it hangs");
    until_by(&traffic, "north");
}

/// M: answers of a remote application that say 500 are its answers: they are delivered, and nobody is taken out.
fn app_errors(&Scene { fleet, figures, .. }: &Scene) {
    until_served(fleet, "east");
    let traffic = fleet.traffic("east", HOST);
    fleet.backend("east").die();
    until_by(&traffic, "west");
    fleet.backend("west").is(Mood::Fails(500));
    traffic.wait_until("west answers 500", 20, |seen| seen.status == 500);
    let mark = traffic.mark();
    traffic.more(100);
    let calls = traffic.since(mark);
    figures.note("remote application answers 500", &calls);
    let delivered = calls.0.iter().filter(|seen| seen.status == 500 && seen.by == "west").count();
    assert_eq!(delivered, calls.0.len(), "{calls}");
    let mark = traffic.mark();
    fleet.backend("west").is(Mood::Well);
    until_by(&traffic, "west");
    let after = traffic.since(mark);
    assert!(after.0.iter().all(|seen| seen.by == "west"), "{after}");
}
