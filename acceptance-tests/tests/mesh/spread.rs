//! Cases in which the requests of a client are spread over clusters by percent.

use rig::mesh::fleet::Canary;
use rig::mesh::names;
use rig::mesh::traffic::Traffic;

use crate::changes::{ALL, Case, change, end, traffic};
use crate::check::{all_by, errors_at_most, until_by};
use crate::config::{QUICK, destination};
use crate::hostnames::named;
use crate::live::Stage;
use crate::subsets::split;

/// All of them, by name.
pub fn all() -> Vec<Case> {
    vec![
        ("spread", spread),
        ("spread-small", spread_small),
        ("spread-by-hostname", spread_by_hostname),
        ("spread-of-subsets", spread_of_subsets),
        ("spread-of-subsets-by-hostname", spread_of_subsets_by_hostname),
    ]
}

/// How many calls tell shares.
const CALLS: usize = 500;

/// Shares are kept, what is dead is taken over by the others, and shares come, change and go under traffic of three clients, of
/// which west ranks and north has no backend.
fn spread(stage: &Stage) {
    let backends = ["east", "west"];
    let of = |failover: &str| destination(&backends, &format!("{QUICK}{failover}"));
    let shares = |east: &str, north: &str| of(&format!("  failover = {{ spread = {{ east = {east}, north = {north} }} }}\n"));
    let (most, sixty) = ("{ east = 80, west = 20 }", "{ east = 60, west = 40 }");
    let world = stage.applied(&shares(most, "{ east = 70, west = 30 }"));
    let traffic = traffic(stage);
    share(stage, "80 percent", &traffic[0], 80);
    share(stage, "70 percent without a backend of its own", &traffic[2], 70);
    all_by(&traffic[1].more(CALLS), "west");

    let marks: Vec<usize> = traffic.iter().map(Traffic::mark).collect();
    stage.mesh.fleet().backend("east").die();
    traffic.iter().for_each(|one| until_by(one, "west"));
    // several ends of an ejection
    traffic.iter().for_each(|one| drop(one.more(400)));
    stage.mesh.fleet().backend("east").revive().expect("its address is free");
    for (one, mark) in [&traffic[0], &traffic[2]].into_iter().zip([marks[0], marks[2]]) {
        one.wait_until("east serves again", 1, |seen| seen.is_served() && seen.by == "east");
        stage.figures.note("east dies and comes back", one.since(mark));
        errors_at_most(&one.since(mark), 0, "while a cluster that has a share is dead");
    }
    share(stage, "80 percent again", &traffic[0], 80);

    let ranks = of("");
    for (what, resources, percent) in [
        ("80 to 50 percent", shares("{ east = 50, west = 50 }", sixty), 50),
        ("to ranks", ranks.clone(), 100),
        ("from ranks", shares(most, sixty), 80),
        ("its own pods are left out", shares("{ west = 100 }", "{ west = 100 }"), 0),
        ("to ranks from there", ranks, 100),
    ] {
        change(stage, &world, &resources, &traffic, what);
        share(stage, &format!("then east serves {percent} percent"), &traffic[0], percent);
    }
    end(stage, &world, traffic);
}

/// A retry asks for another endpoint six times: it finds one that has a tenth of the requests, and may miss one that has a hundredth.
fn spread_small(stage: &Stage) {
    let of = |east: usize| {
        let shares = format!("{{ east = {{ east = {east}, west = {} }} }}", 100 - east);
        destination(&["east", "west"], &format!("{QUICK}  failover = {{ spread = {shares} }}\n"))
    };
    let world = stage.applied(&of(90));
    let traffic = traffic(stage);
    let dies = || {
        let mark = traffic[0].mark();
        stage.mesh.fleet().backend("east").die();
        until_by(&traffic[0], "west");
        traffic[0].more(400);
        stage.mesh.fleet().backend("east").revive().expect("its address is free");
        traffic[0].wait_until("east serves again", 1, |seen| seen.is_served() && seen.by == "east");
        traffic[0].since(mark)
    };
    let calls = dies();
    stage.figures.note("90 percent die", &calls);
    errors_at_most(&calls, 0, "while another cluster has a tenth");
    change(stage, &world, &of(99), &traffic, "90 to 99 percent");
    let calls = dies();
    stage.figures.note("99 percent die", &calls);
    assert!(calls.errors() > 0, "if a hundredth is found at once, the guide says too much: {calls}");
    drop(traffic);
    world.destroy();
}

/// Endpoints behind hostnames have shares too, while ranks beyond the first are one there.
fn spread_by_hostname(stage: &Stage) {
    assert!(names::are_given(), "only root can give istiod a resolver of its own");
    let spread = format!("{QUICK}  failover = {{ spread = {{ east = {{ east = 50, west = 30, north = 20 }} }} }}\n");
    let world = stage.applied(&named(&ALL, QUICK));
    let traffic = traffic(stage);
    change(stage, &world, &named(&ALL, &spread), &traffic, "from ranks");
    share(stage, "50 percent", &traffic[0], 50);
    let calls = traffic[0].more(CALLS);
    stage.figures.note("three clusters", &calls);
    for (cluster, percent) in [("west", 30), ("north", 20)] {
        assert!((calls.served_by(cluster) * 100 / calls.0.len()).abs_diff(percent) <= 5, "{cluster}: {calls}");
    }
    let mark = traffic[0].mark();
    stage.mesh.fleet().backend("west").die();
    traffic[0].wait_until("west is taken out", 60, |seen| seen.is_served() && seen.by != "west");
    stage.figures.note("west dies", traffic[0].since(mark));
    errors_at_most(&traffic[0].since(mark), 0, "while the others take over");
    stage.mesh.fleet().heal().expect("everything lives again");
    traffic[0].wait_until("west serves again", 1, |seen| seen.is_served() && seen.by == "west");
    until_by(&traffic[1], "west");
    change(stage, &world, &named(&ALL, QUICK), &traffic, "to ranks");
    share(stage, "then east serves all", &traffic[0], 100);
    world.assert_clean();
    drop(traffic);
    world.destroy();
}

/// Each of two versions has the shares, under traffic of three clients. A cluster in which one is dead, or missing, leaves its share of
/// that version to the others. Shares come, go, and move from one cluster to another that has served nothing.
fn spread_of_subsets(stage: &Stage) {
    let canaries = stage.canaries(&ALL);
    let of = |failover: &str| destination(&ALL, &format!("{}{failover}", split(&[("v1", 50), ("v2", 50)])));
    let shares = |of_east: &str| of(&format!("  failover = {{ spread = {{ east = {of_east} }} }}\n"));
    let three = of(THREE);
    let world = stage.applied(&of(""));
    let traffic = traffic(stage);
    change(stage, &world, &three, &traffic, "from ranks");
    shares_of_versions(stage, &traffic[0], "60, 30 and 10 percent", SHARES, SHARES);
    a_version_dies(stage, &canaries["west"], &traffic[0]);
    change(stage, &world, &without_second_version(&three), &traffic, "west ends to have the second version");
    shares_of_versions(stage, &traffic[0], "west has the first version alone", SHARES, WITHOUT_WEST);
    for (what, resources, percents) in [
        ("west has both", three, SHARES),
        ("to west alone", shares("{ west = 100 }"), [("east", 0), ("west", 100), ("north", 0)]),
        ("to north alone", shares("{ north = 100 }"), [("east", 0), ("west", 0), ("north", 100)]),
        ("to ranks", of(""), [("east", 100), ("west", 0), ("north", 0)]),
    ] {
        change(stage, &world, &resources, &traffic, what);
        shares_of_versions(stage, &traffic[0], what, percents, percents);
    }
    end(stage, &world, traffic);
}

/// The same where gateways have hostnames: all of them, which comes with shares or before them, then all but one.
fn spread_of_subsets_by_hostname(stage: &Stage) {
    assert!(names::are_given(), "only root can give istiod a resolver of its own");
    let canaries = stage.canaries(&ALL);
    let of = |clusters: &[&str], failover: &str| named(clusters, &format!("{}{failover}", split(&[("v1", 50), ("v2", 50)])));
    let own = [("east", 100), ("west", 0), ("north", 0)];
    let world = stage.applied(&of(&[], ""));
    let traffic = traffic(stage);
    for (what, resources, percents) in [
        ("all get hostnames, and shares", of(&ALL, THREE), SHARES),
        ("addresses, and ranks", of(&[], ""), own),
        ("shares", of(&[], THREE), SHARES),
        ("west gets a hostname", of(&["west"], THREE), SHARES),
        ("to ranks", of(&["west"], ""), own),
        ("the others get one too", of(&ALL, ""), own),
        ("from ranks", of(&ALL, THREE), SHARES),
    ] {
        change(stage, &world, &resources, &traffic, what);
        shares_of_versions(stage, &traffic[0], what, percents, percents);
    }
    a_version_dies(stage, &canaries["west"], &traffic[0]);
    change(stage, &world, &without_second_version(&of(&ALL, THREE)), &traffic, "west ends to have the second version");
    shares_of_versions(stage, &traffic[0], "west has the first version alone", SHARES, WITHOUT_WEST);
    change(stage, &world, &of(&ALL, THREE), &traffic, "west has both");
    change(stage, &world, &of(&ALL, "  failover = { spread = { east = { west = 100 } } }\n"), &traffic, "to west alone");
    let west = [("east", 0), ("west", 100), ("north", 0)];
    shares_of_versions(stage, &traffic[0], "to west alone", west, west);
    change(stage, &world, &of(&ALL, ""), &traffic, "to ranks again");
    shares_of_versions(stage, &traffic[0], "then east serves all", own, own);

    // ranks of versions behind hostnames
    let mark = traffic[0].mark();
    canaries["east"].backend().die();
    traffic[0].wait_until("others answer for the second version of east", 100, |seen| seen.by != "east-v2");
    let calls = traffic[0].more(CALLS);
    stage.figures.note("the second version is dead in east", &calls);
    assert!(
        calls.0.iter().all(|seen| seen.by == "east" || seen.by.ends_with("-v2")),
        "its part alone leaves the cluster: {calls}"
    );
    canaries["east"].backend().revive().expect("its address is free");
    traffic[0].wait_until("east answers itself again", 100, |seen| seen.by.starts_with("east"));
    errors_at_most(&traffic[0].since(mark), 0, "while a version is dead");
    change(stage, &world, &of(&[], ""), &traffic, "addresses again");
    end(stage, &world, traffic);
}

/// Shares of three clusters, for the client in east.
const THREE: &str = "  failover = { spread = { east = { east = 60, west = 30, north = 10 } } }\n";
/// What comes of them.
const SHARES: Percents = [("east", 60), ("west", 30), ("north", 10)];
/// The same where west does not serve.
const WITHOUT_WEST: Percents = [("east", 86), ("west", 0), ("north", 14)];

/// By cluster.
type Percents = [(&'static str, usize); 3];

/// Of three clusters that have the shares, west has the first version alone.
fn without_second_version(resources: &str) -> String {
    resources.replace(": backend if", ": merge(backend, { subsets = backend.cluster == \"west\" ? [\"v1\"] : null }) if")
}

/// Under shares the second version dies in west, and comes back: others serve its part, and none fails.
fn a_version_dies(stage: &Stage, canary: &Canary, traffic: &Traffic) {
    let mark = traffic.mark();
    canary.backend().die();
    traffic.wait_until("others answer for the second version of west", 100, |seen| seen.by != "west-v2");
    shares_of_versions(stage, traffic, "the second version is dead in west", SHARES, WITHOUT_WEST);
    canary.backend().revive().expect("its address is free");
    traffic.wait_until("it answers again", 1, |seen| seen.by == "west-v2");
    stage.figures.note("it dies and comes back", traffic.since(mark));
    errors_at_most(&traffic.since(mark), 0, "while a version of a cluster that has a share is dead");
}

/// Clusters serve these shares of the calls of the first version and of the second one, and none fails.
fn shares_of_versions(stage: &Stage, traffic: &Traffic, what: &str, first: Percents, second: Percents) {
    let calls = traffic.more(2 * CALLS);
    stage.figures.note(what, &calls);
    errors_at_most(&calls, 0, what);
    for (version, percents) in [("", first), ("-v2", second)] {
        let all: usize = ALL.iter().map(|cluster| calls.served_by(&format!("{cluster}{version}"))).sum();
        for (cluster, percent) in percents {
            let served = calls.served_by(&format!("{cluster}{version}")) * 100 / all;
            assert!(served.abs_diff(percent) <= 5, "{what}, and {cluster}{version} served {served}: {calls}");
        }
    }
}

/// East serves this share of the calls that follow, five points more or less, and none fails.
fn share(stage: &Stage, what: &str, traffic: &Traffic, percent: usize) {
    let calls = traffic.more(CALLS);
    stage.figures.note(what, &calls);
    errors_at_most(&calls, 0, what);
    let served = calls.served_by("east") * 100 / calls.0.len();
    assert!(served.abs_diff(percent) <= 5, "{what}, and east served {served}: {calls}");
}
