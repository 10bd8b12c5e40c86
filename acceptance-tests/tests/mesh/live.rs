//! Cases on a running mesh: the provider writes, istiod tells, Envoy does.

use std::process::ExitCode;
use std::time::Instant;

use acceptance_tests::{Rig, World};
use rig::Saved;
use rig::mesh::fleet::Canaries;
use rig::mesh::istiod::Program;
use rig::mesh::layout::{Role, Spot};
use rig::mesh::names;
use rig::mesh::recording::Recording;
use rig::mesh::replay::validate_all;
use rig::mesh::{Member, Mesh};
use xtask::mesh::NO_ISTIOD;
use xtask::term::{Ink, say};
use xtask::{Problem, Result};

use crate::changes;
use crate::check::until_host_served;
use crate::config::{DESTINATION, digest_of, provider};
use crate::replay::path;
use crate::report::{Bench, Figures, Report};
use crate::scenarios::{self, Configuration, Scenario, Scene};
use crate::{brownfield, foreign, foreseen, hostnames, services, spread, start, subsets, timeline, traps};

/// What a live case is given.
pub struct Stage<'a> {
    pub mesh: &'a Mesh,
    pub rig: &'a Rig,
    pub figures: &'a Figures,
    /// Whether what comes of it is kept.
    pub is_recorded: bool,
}

impl Stage<'_> {
    /// A working directory over the mesh's API servers with these resources, applied.
    pub fn applied(&self, resources: &str) -> World {
        let world = World::empty(self.rig);
        self.configure(&world, resources);
        world.apply(&world.plan());
        world
    }

    /// Clusters hold what this configuration needs, with the second versions, which are gone when they are dropped.
    pub fn furnished(&self, configuration: &Configuration) -> Canaries {
        for (cluster, object) in &configuration.objects {
            self.mesh.rig().cluster(cluster).api().apply(object).expect("nobody finds anything wrong with it");
        }
        self.canaries(configuration.canaries)
    }

    /// A second version in each of these clusters.
    pub fn canaries(&self, clusters: &[&'static str]) -> Canaries {
        let spots = clusters.iter().map(|cluster| Spot::of(cluster).expect("it is known"));
        let canaries = spots.map(|spot| (spot.name(), self.mesh.add_canary(spot).expect("nothing has its addresses"))).collect();
        self.settle();
        canaries
    }

    /// Writes the configuration anew.
    pub fn configure(&self, world: &World, resources: &str) {
        world.config(&(provider(self.mesh) + resources));
    }

    /// Every proxy has taken what istiod has for it, and refused nothing; Envoy's validation finds nothing wrong with it either.
    pub fn settle(&self) {
        let settled = self.mesh.settle().and_then(|()| {
            let folder = tempfile::tempdir().map_err(|error| Problem::new(format!("no temporary folder: {error}")))?;
            validate_all(&Recording::of(self.mesh, "")?, folder.path())
        });
        settled.unwrap_or_else(|problem| panic!("{problem}"));
    }
}

pub fn run(filters: &[&str], is_recorded: bool) -> Result<ExitCode> {
    let ink = Ink::stdout();
    let Some(program) = Program::find()? else {
        say(&ink.loud(NO_ISTIOD));
        return Ok(ExitCode::FAILURE);
    };
    let bench = Bench::new()?;
    std::panic::set_hook(Box::new(|_| {}));
    let mut report = Report::new(if is_recorded { "record" } else { "live" }, filters);
    if !is_recorded && report.takes(start::NAME) {
        report.case(start::NAME, &bench.rig.transcript, start::start_and_kill);
    }
    if !is_recorded && report.takes(foreign::NAME) {
        let rig = bench.fresh();
        report.case(foreign::NAME, &rig.transcript, |figures| foreign::foreign_cluster(&program, &rig, figures));
    }
    let start = Instant::now();
    let mesh = Mesh::start(&program, &["east", "west", "north"].map(Member::serving))?;
    say(&ink.dim(&format!("mesh: {}", start::started(&mesh, start))));
    let begin: Vec<Saved> = mesh.rig().clusters().map(rig::Cluster::save).collect::<Result<_>>()?;
    let mut case = |name: &str, play: &dyn Fn(&Stage)| {
        if !report.takes(name) {
            return Ok(());
        }
        let rig = bench.fresh();
        report.case(name, &rig.transcript, |figures| play(&Stage { mesh: &mesh, rig: &rig, figures, is_recorded }));
        put_back(&mesh, &begin)
    };
    if is_recorded {
        for configuration in scenarios::configurations() {
            case(configuration.name, &|stage| record(stage, &configuration))?;
        }
    } else {
        for scenario in scenarios::all() {
            case(scenario.name, &|stage| played(stage, &scenario))?;
        }
        let changing = [
            changes::all(),
            hostnames::all(),
            services::all(),
            spread::all(),
            subsets::all(),
            foreseen::live(),
            brownfield::all(),
            traps::all(),
        ];
        for (name, play) in changing.concat() {
            case(name, &play)?;
        }
    }
    case(timeline::CASE.0, &timeline::CASE.1)?;
    report.end()
}

fn played(stage: &Stage, scenario: &Scenario) {
    let configuration = scenario.configuration();
    let (world, canaries) = started_with(stage, &configuration);
    (scenario.play)(&Scene { fleet: stage.mesh.fleet(), canaries: &canaries, figures: stage.figures });
    stage.settle();
    world.assert_clean();
    world.destroy();
}

/// Keeps what the proxies were told.
fn record(stage: &Stage, configuration: &Configuration) {
    let (world, canaries) = started_with(stage, configuration);
    let recording = recording(stage, &world, &canaries, configuration);
    let path = path(stage.rig, configuration);
    let folder = path.parent().expect("a file has a folder");
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, recording.text()));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    stage.figures.note("recorded", path.display());
    world.destroy();
}

/// Applied, served, and found in order.
fn started_with(stage: &Stage, configuration: &Configuration) -> (World, Canaries) {
    assert!(!configuration.has_hostnames || names::are_given(), "only root can give istiod a resolver of its own");
    let canaries = stage.furnished(configuration);
    let world = stage.applied(&configuration.resources);
    world.assert_clean();
    configuration.clients.iter().for_each(|cluster| until_host_served(stage.mesh.fleet(), cluster, &configuration.host));
    stage.settle();
    (world, canaries)
}

/// What the proxies that the configuration's clients meet were told.
fn recording(stage: &Stage, world: &World, canaries: &Canaries, configuration: &Configuration) -> Recording {
    let objects = digest_of(&world.state().manifests(DESTINATION));
    let recording = Recording::of(stage.mesh, &objects).and_then(|recording| recording.with_canaries(canaries));
    let mut recording = recording.unwrap_or_else(|problem| panic!("{problem}"));
    let is_client = |name: &str| name.ends_with(&format!("/{}", Role::Client.app()));
    recording.proxies.retain(|name, _| !is_client(name) || configuration.clients.iter().any(|client| name.starts_with(client)));
    recording
}

/// The mesh as it was at its start, whatever the case did.
fn put_back(mesh: &Mesh, begin: &[Saved]) -> Result<()> {
    for (cluster, saved) in mesh.rig().clusters().zip(begin) {
        cluster.load(saved)?;
    }
    mesh.fleet().heal()?;
    // told by the case that caused them
    mesh.forget_refusals();
    mesh.settle().map_err(|problem| Problem::new(format!("the mesh is not well: {problem}")))
}
