//! Cases whose objects stand still while backends and proxies die: played live and from recordings. Letters are those of the
//! experiments that the translation rests on.

use rig::mesh::echo::Mood;
use rig::mesh::fleet::Fleet;
use rig::mesh::layout::{PORT, Speech};
use rig::mesh::seeds::PORTS_HOST;

use crate::check::{all_by, connections_of_gateway, errors_at_most, local_traffic, nobody_notices, until_by, until_served};
use crate::config::{HOST, QUICK, destination, destination_with};
use crate::ports;
use crate::report::Figures;

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
}

/// What happens with a configuration.
pub struct Scenario {
    pub name: &'static str,
    /// Name of the configuration.
    pub of: &'static str,
    pub play: fn(&Fleet, &Figures),
}

/// Each has one recording.
pub fn configurations() -> Vec<Configuration> {
    let three = |lines: &str| destination(&["east", "west", "north"], &format!("{QUICK}{lines}"));
    let order = "  failover = { order = [\"north\", \"west\"] }\n";
    let east: &[&str] = &["east"];
    let of = |name, resources, clients| Configuration { name, host: HOST.to_owned(), resources, clients };
    let ports = Configuration {
        name: "ports",
        host: format!("{PORTS_HOST}:{PORT}"),
        resources: destination_with(&Speech::ALL, &["east", "west"], QUICK),
        clients: &["east", "west", "north"],
    };
    vec![
        of("two", destination(&["east", "west"], QUICK), &["east", "west", "north"]),
        of("two-defaults", destination(&["east", "west"], ""), east),
        ports,
        of("three", three(""), east),
        of("three-ranked", three(order), east),
        of("three-tight", three(&format!("{order}{TIGHT}")), east),
    ]
}

/// All of them.
pub fn all() -> [Scenario; 13] {
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
fn local_first(fleet: &Fleet, figures: &Figures) {
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
fn local_app_dies(fleet: &Fleet, figures: &Figures) {
    nobody_notices(&local_traffic(fleet, "east"), fleet, figures);
}

/// D: what may have run is not repeated, so that each ejection costs the answers that lead to it, and each end of one again.
fn posts(fleet: &Fleet, figures: &Figures) {
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
fn local_sidecar_dies(fleet: &Fleet, figures: &Figures) {
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
fn client_only(fleet: &Fleet, figures: &Figures) {
    until_served(fleet, "north");
    let calls = fleet.calls("north", HOST, 100);
    figures.note("north", &calls);
    assert_eq!((calls.errors(), calls.served_by("north")), (0, 0), "{calls}");
    assert!(calls.served_by("east") > 20 && calls.served_by("west") > 20, "two regions share equally: {calls}");
}

/// H5, Z2: clusters take over in the declared order and give back.
fn ranks(fleet: &Fleet, figures: &Figures) {
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

/// J3a: when every backend is dead, gateways do not send requests to each other.
fn no_loop(fleet: &Fleet, figures: &Figures) {
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
fn defaults(fleet: &Fleet, figures: &Figures) {
    let traffic = local_traffic(fleet, "east");
    let mark = traffic.mark();
    fleet.backend("east").die();
    until_by(&traffic, "west");
    traffic.more(200);
    figures.takeover("app dead, defaults", &traffic.since(mark), "west");
    errors_at_most(&traffic.since(mark), 0, "with the defaults");
}

/// R10, Z5: a gateway hangs, so that nothing tells that it does not answer.
fn hung_gateway(fleet: &Fleet, figures: &Figures) {
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
fn app_errors(fleet: &Fleet, figures: &Figures) {
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
