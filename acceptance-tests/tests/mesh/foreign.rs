//! A case with a cluster that somebody else set up: its trust domain, its domain and the namespace of its Services are others. It
//! needs a mesh of its own.

use acceptance_tests::Rig;
use rig::dev::discovered_in;
use rig::mesh::istiod::Program;
use rig::mesh::layout::{FOREIGN, NAMESPACE, Speech, Spot};
use rig::mesh::seeds::PORTS_HOST;
use rig::mesh::traffic::Traffic;
use rig::mesh::{Member, Mesh};

use crate::changes::change;
use crate::check::{errors_at_most, until_by, until_host_served};
use crate::config::{QUICK, with_ports};
use crate::live::Stage;
use crate::report::Figures;

/// Name of the case.
pub const NAME: &str = "foreign-cluster";

/// The foreign cluster comes under traffic, each cluster serves for the other when its own application dies, and it goes. Nothing
/// repeats connections of the port of TCP: while the cluster comes and goes, none may be refused.
pub fn foreign_cluster(program: &Program, rig: &Rig, figures: &Figures) {
    let members = [Member::serving("east").accepting(&["south.example"]), Member::serving(FOREIGN).accepting(&["cluster.local"])];
    let mesh = Mesh::start(program, &members).unwrap_or_else(|problem| panic!("{problem}"));
    let stage = Stage { mesh: &mesh, rig, figures, is_recorded: false };
    let fleet = mesh.fleet();
    let world = stage.applied(&backends("data.gloo_service.reviews.backends"));
    let both = backends("concat(data.gloo_service.reviews.backends, data.gloo_service.foreign.backends)");
    let [http, tcp] = [Speech::Http, Speech::Tcp].map(|speech| format!("{PORTS_HOST}:{}", speech.port()));
    ["east", FOREIGN].iter().for_each(|cluster| until_host_served(fleet, cluster, &http));
    let connections = ["east", FOREIGN].map(|cluster| fleet.speaking(Speech::Tcp, cluster, &tcp));
    connections.iter().for_each(|one| until_by(one, "east"));
    stage.settle();
    let calls = ["east", FOREIGN].map(|cluster| fleet.traffic(cluster, &http));
    let traffic: Vec<Traffic> = calls.into_iter().chain(connections).collect();
    change(&stage, &world, &both, &traffic, "the foreign cluster serves too");
    [1, 3].iter().for_each(|at| until_by(&traffic[*at], FOREIGN));
    for (client, own, other) in [(0, "east", FOREIGN), (1, FOREIGN, "east")] {
        let mark = traffic[client].mark();
        fleet.backend(own).die();
        until_by(&traffic[client], other);
        traffic[client].more(200);
        fleet.backend(own).revive().expect("its address is free");
        until_by(&traffic[client], own);
        figures.takeover(&format!("{own} dies and comes back"), &traffic[client].since(mark), other);
        errors_at_most(&traffic[client].since(mark), 0, "while the other one serves");
        until_by(&traffic[client + 2], own);
    }
    change(&stage, &world, &backends("data.gloo_service.reviews.backends"), &traffic, "it serves no more");
    world.assert_clean();
    drop(traffic);
    world.destroy();
}

/// The destination with these backends.
fn backends(list: &str) -> String {
    let namespace = Spot::of(FOREIGN).expect("it is known").namespace();
    let lines = format!("{QUICK}  client_namespace = {{ {FOREIGN} = {namespace:?} }}\n");
    let resources = discovered_in(&["east", FOREIGN], list, NAMESPACE, PORTS_HOST, &lines);
    let resources = with_ports(&[Speech::Http, Speech::Tcp], &resources);
    let clusters = "  clusters = { for name, cluster in data.gloo_cluster.all : name => cluster.facts }\n";
    assert!(resources.contains(clusters), "the mesh is written otherwise: {resources}");
    let accepted =
        "  accepted_trust_domains = { for name, cluster in data.gloo_cluster.all : name => cluster.accepted_trust_domains }\n";
    format!(
        "data \"gloo_service\" \"foreign\" {{\n  namespace = \"{namespace}\"\n  name      = \"reviews\"\n}}\n\n{}",
        resources.replace(clusters, &format!("{clusters}{accepted}"))
    )
}
