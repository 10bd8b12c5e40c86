//! Recordings played on real Envoys, without istiod.

use std::path::PathBuf;
use std::process::ExitCode;

use acceptance_tests::{Rig, World};
use rig::mesh::recording::Recording;
use rig::mesh::replay::Replay;
use xtask::Result;

use crate::config::{DESTINATION, digest_of, folders};
use crate::foreseen;
use crate::report::{Bench, Report};
use crate::scenarios::{self, Configuration, Scene};

/// The file of a configuration's recording.
pub fn path(rig: &Rig, configuration: &Configuration) -> PathBuf {
    rig.root.join("acceptance-tests/recordings").join(format!("{}.json", configuration.name))
}

pub fn run(filters: &[&str]) -> Result<ExitCode> {
    let bench = Bench::new()?;
    std::panic::set_hook(Box::new(|_| {}));
    let mut report = Report::new("replay", filters);
    for scenario in scenarios::all() {
        if report.takes(scenario.name) {
            let rig = bench.fresh();
            report.case(scenario.name, &rig.transcript, |figures| {
                let recording = matching(&rig, &scenario.configuration());
                let replay = Replay::start(&recording).unwrap_or_else(|problem| panic!("{problem}"));
                (scenario.play)(&Scene { fleet: replay.fleet(), canaries: replay.canaries(), figures });
            });
        }
    }
    for subject in foreseen::subjects() {
        if report.takes(subject.name) {
            let rig = bench.fresh();
            report.case(subject.name, &rig.transcript, |figures| {
                let recording = matching(&rig, &subject.configuration).with_pods(subject.pods);
                let situations = subject.situations();
                let foretold = subject.foretell(&rig, &recording.istio, &situations);
                let replay = Replay::start(&recording).unwrap_or_else(|problem| panic!("{problem}"));
                let scene = Scene { fleet: replay.fleet(), canaries: replay.canaries(), figures };
                subject.compare(&scene, &situations, &foretold);
            });
        }
    }
    report.end()
}

/// The recording, which must be of the objects that the provider plans today.
///
/// # Panics
/// When there is none, or it is of other objects.
fn matching(rig: &Rig, configuration: &Configuration) -> Recording {
    let path = path(rig, configuration);
    let renew = format!("With pilot-discovery, `cargo xt record {}` makes it anew; review the difference.", configuration.name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}. {renew}", path.display()));
    let recording = Recording::parse(&text).unwrap_or_else(|problem| panic!("{}: {problem}. {renew}", path.display()));
    let world = World::empty(rig);
    let provider = folders(&world, &recording.istio, configuration);
    world.config(&(provider + &configuration.resources));
    let planned = digest_of(&world.plan().manifests(DESTINATION));
    assert_eq!(
        planned,
        recording.objects,
        "the provider plans other objects than those of the recording {}. {renew}",
        path.display()
    );
    recording
}
