//! Cases in which calls are split among versions of what serves.

use rig::mesh::fleet::Canary;
use rig::mesh::layout::{Role, Speech};
use rig::mesh::seeds::PORTS_HOST;
use rig::mesh::traffic::{Calls, Traffic};

use acceptance_tests::World;

use crate::changes::{ALL, Case, change, end, traffic};
use crate::check::errors_at_most;
use crate::config::{QUICK, destination, destination_with};
use crate::live::Stage;

/// All of them, by name.
pub fn all() -> Vec<Case> {
    vec![("subsets", subsets), ("subsets-of-connections", subsets_of_connections)]
}

/// Lines of a destination with these subsets and weights.
pub fn split(weights: &[(&str, u32)]) -> String {
    format!("{QUICK}{}", weighted(weights))
}

fn weighted(weights: &[(&str, u32)]) -> String {
    let subset =
        |(name, weight): &(&str, u32)| format!("    {name} = {{ labels = {{ version = {name:?} }}, weight = {weight} }}\n");
    format!("  subsets = {{\n{}  }}\n", weights.iter().map(subset).collect::<String>())
}

/// A destination of which west has no second version, that gets 30 percent of the calls.
pub fn in_two_clusters(lines: &str) -> String {
    let some = ": merge(backend, { subsets = backend.cluster == \"west\" ? [\"v1\"] : null }) if";
    destination(&ALL, &format!("{lines}{}", weighted(&[("v1", 70), ("v2", 30)]))).replace(": backend if", some)
}

fn is_second(by: &str) -> bool {
    by.ends_with(Role::Canary.version())
}

/// Percent of the calls that the second version answered.
fn share(calls: &Calls) -> usize {
    100 * calls.0.iter().filter(|seen| is_second(&seen.by)).count() / calls.0.len()
}

/// Each client's calls from now on are split so, none is lost, and all are served by its own cluster.
fn is_split(stage: &Stage, traffic: &[Traffic], what: &str, percent: std::ops::RangeInclusive<usize>) {
    for (one, cluster) in traffic.iter().zip(ALL) {
        let calls = one.more(500);
        stage.figures.note(&format!("{what}, {cluster}"), &calls);
        errors_at_most(&calls, 0, what);
        assert!(percent.contains(&share(&calls)), "{what}: {} % of {calls}", share(&calls));
        assert!(calls.0.iter().all(|seen| seen.by.starts_with(cluster)), "{what}: {calls}");
    }
}

/// I: a second version comes without calls, gets more and more, and replaces the first one, under traffic of all clients. Where it
/// dies, that of other clusters answers its part alone. At the end there are no subsets again.
fn subsets(stage: &Stage) {
    let canaries = stage.canaries(&ALL);
    let of = |weights: &[(&str, u32)]| destination(&ALL, &split(weights));
    let world = stage.applied(&destination(&ALL, QUICK));
    let traffic = traffic(stage);
    change(stage, &world, &of(&[("v1", 100), ("v2", 0)]), &traffic, "subsets come");
    is_split(stage, &traffic, "the second version has no calls", 0..=0);
    change(stage, &world, &of(&[("v1", 90), ("v2", 10)]), &traffic, "90 to 10");
    is_split(stage, &traffic, "90 to 10", 4..=17);
    dies_and_comes_back(stage, &canaries["east"], &traffic[0]);
    change(stage, &world, &of(&[("v1", 50), ("v2", 50)]), &traffic, "50 to 50");
    is_split(stage, &traffic, "50 to 50", 40..=60);
    let fewer = |backends: &[&str]| destination(backends, &split(&[("v1", 50), ("v2", 50)]));
    for (what, backends) in
        [("north ends to serve", &["east", "west"][..]), ("only north serves", &["north"]), ("all do again", &ALL)]
    {
        change(stage, &world, &fewer(backends), &traffic, what);
    }
    is_split(stage, &traffic, "50 to 50 again", 40..=60);
    change(stage, &world, &of(&[("v1", 0), ("v2", 100)]), &traffic, "0 to 100");
    is_split(stage, &traffic, "0 to 100", 100..=100);
    change(stage, &world, &of(&[("v2", 100)]), &traffic, "the first version goes");
    is_refused(stage, &world, &of(&[("v1", 100)]));
    change(stage, &world, &of(&[("v1", 0), ("v2", 100)]), &traffic, "it comes again");
    change(stage, &world, &of(&[("v1", 100)]), &traffic, "calls turn to it, and the second one goes, at once");
    is_split(stage, &traffic, "the first version alone", 0..=0);
    change(stage, &world, &destination(&ALL, QUICK), &traffic, "subsets go");
    is_split(stage, &traffic, "without subsets", 1..=99);
    end(stage, &world, traffic);
}

/// The second version of a cluster: others answer its part, and nothing else.
fn dies_and_comes_back(stage: &Stage, canary: &Canary, traffic: &Traffic) {
    let mark = traffic.mark();
    canary.backend().die();
    let is_taken_over = |by: &str| by == "east" || (is_second(by) && !by.starts_with("east"));
    traffic.wait_until("other clusters answer the part of the second version", 100, |seen| is_taken_over(&seen.by));
    let calls = traffic.more(500);
    stage.figures.note("the second version is dead in east", traffic.since(mark));
    errors_at_most(&traffic.since(mark), 0, "while one version is dead");
    assert!((3..=18).contains(&share(&calls)), "{} % of {calls}", share(&calls));
    assert!(calls.0.iter().all(|seen| is_taken_over(&seen.by)), "only its own part leaves the cluster: {calls}");
    let mark = traffic.mark();
    canary.backend().revive().expect("its address is free");
    traffic.wait_until("it answers itself again", 100, |seen| seen.by.starts_with("east"));
    stage.figures.note("and back", traffic.since(mark));
    errors_at_most(&traffic.since(mark), 0, "while it comes back");
}

/// Calls cannot leave a subset that goes and turn to one that comes in one update: the plan says so.
fn is_refused(stage: &Stage, world: &World, resources: &str) {
    stage.configure(world, resources);
    let refused = world.plan_refused().to_string();
    assert!(refused.contains("GM4023") && refused.contains("weight = 0"), "{refused}");
}

/// I: connections of a port without requests are split too, each one as a whole.
fn subsets_of_connections(stage: &Stage) {
    let _canaries = stage.canaries(&ALL);
    let of = |weights: &[(&str, u32)]| destination_with(&[Speech::Http, Speech::Tcp], &ALL, &split(weights));
    let world = stage.applied(&of(&[("v1", 50), ("v2", 50)]));
    let host = format!("{PORTS_HOST}:{}", Speech::Tcp.port());
    let traffic = ALL.map(|cluster| stage.mesh.fleet().speaking(Speech::Tcp, cluster, &host));
    traffic.iter().for_each(|one| one.wait_until("it is served", 20, |seen| seen.is_served()));
    stage.settle();
    is_split(stage, &traffic, "50 to 50", 40..=60);
    change(stage, &world, &of(&[("v1", 100), ("v2", 0)]), &traffic, "100 to 0");
    is_split(stage, &traffic, "100 to 0", 0..=0);
    world.assert_clean();
    drop(traffic);
    world.destroy();
}
