//! What cases say about calls.

use std::time::Instant;

use rig::mesh::fleet::Fleet;
use rig::mesh::layout::Role;
use rig::mesh::traffic::{Calls, EVENTUALLY, Traffic};
use rig::wait::is_so_by;

use crate::config::HOST;
use crate::report::Figures;

/// Waits until the client of a cluster is served.
pub fn until_served(fleet: &Fleet, cluster: &str) {
    until_host_served(fleet, cluster, HOST);
}

/// The same for this host.
pub fn until_host_served(fleet: &Fleet, cluster: &str, host: &str) {
    let mut last = Calls::default();
    let is_served = is_so_by(Instant::now() + EVENTUALLY, || {
        last = fleet.calls(cluster, host, 1);
        Ok(last.errors() == 0)
    });
    assert_eq!(is_served, Ok(true), "{host} is not served in {cluster}: {last}");
}

/// Waits until this backend alone answers: so many calls in a row.
pub fn until_by(traffic: &Traffic, backend: &str) {
    traffic.wait_until(&format!("{backend} answers"), 20, |seen| seen.is_served() && seen.by == backend);
}

/// Traffic of a cluster's client, which its own backend serves by now.
pub fn local_traffic(fleet: &Fleet, cluster: &str) -> Traffic {
    until_served(fleet, cluster);
    let traffic = fleet.traffic(cluster, HOST);
    until_by(&traffic, cluster);
    traffic
}

/// All were served, all by this one.
pub fn all_by(calls: &Calls, backend: &str) {
    assert_eq!((calls.errors(), calls.served_by(backend)), (0, calls.0.len()), "not all by {backend}: {calls}");
}

/// At most so many were not served.
pub fn errors_at_most(calls: &Calls, limit: usize, when: &str) {
    assert!(calls.errors() <= limit, "more than {limit} errors {when}: {calls}");
}

/// How many connections a gateway made; none of them to another gateway, which it may know, but nothing leads there.
pub fn connections_of_gateway(fleet: &Fleet, cluster: &str) -> usize {
    let page = fleet.proxy(&format!("{cluster}/{}", Role::Gateway.app())).page("/clusters").expect("the gateway answers");
    let count = |line: &str| line.split_once("::cx_total::").and_then(|(_, count)| count.parse::<usize>().ok());
    let to_others: usize = page.lines().filter(|line| line.contains(".15.1:15443::")).filter_map(count).sum();
    assert_eq!(to_others, 0, "connections of the gateway of {cluster} to other gateways");
    page.lines().filter_map(count).sum()
}

/// The application of east dies behind its sidecar for several ejections and comes back; traffic that it served loses nothing.
pub fn nobody_notices(traffic: &Traffic, fleet: &Fleet, figures: &Figures) {
    let mark = traffic.mark();
    fleet.backend("east").die();
    until_by(traffic, "west");
    // several ends of an ejection
    traffic.more(400);
    figures.takeover("app dead", &traffic.since(mark), "west");
    errors_at_most(&traffic.since(mark), 0, "while the local application is dead");
    let mark = traffic.mark();
    fleet.backend("east").revive().expect("its address is free");
    until_by(traffic, "east");
    figures.takeover("healed", &traffic.since(mark), "east");
    errors_at_most(&traffic.since(mark), 0, "while it comes back");
}
