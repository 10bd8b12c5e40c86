//! What the provider foretells, beside what real Envoys do: random situations of each recording, once everything that fails is
//! ejected.
//!
//! Clients start anew in every situation: an ejection that ended earlier makes later ones longer. Pods of a cluster that is not
//! the client's die all or none: connections through a gateway stay with one pod each, so that shares among them are chance.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use acceptance_tests::{Rig, World};
use rig::mesh::envoy::Envoy;
use rig::mesh::fleet::{Canary, Fleet};
use rig::mesh::layout::Role;
use rig::mesh::traffic::{Calls, EVENTUALLY};
use rig::wait::is_so_by;
use serde_json::{Value, json};

use crate::changes::{ALL, Case};
use crate::check::until_served;
use crate::config::{destination, folders};
use crate::live::Stage;
use crate::scenarios::{Configuration, Scene, configurations};
use crate::subsets::in_two_clusters;

/// Situations of a recording with single pods, if it has as many. With several pods it is all of them: they differ by few.
const SITUATIONS: usize = 24;
/// Situations of a configuration on a running mesh: its clients need longer to start.
const LIVE_SITUATIONS: usize = 12;
/// Calls of a client in a situation.
const CALLS: usize = 200;
/// The same where several clusters share them by chance: a difference of [`TOLERANCE`] is then more than four deviations.
const SHARED_CALLS: usize = 1500;
/// Pods of each cluster, in the case that has several.
const PODS: u8 = 8;
/// By how many percent a share may differ from the table.
const TOLERANCE: f64 = 5.0;
/// Makes the same situations each time.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A configuration with a recording, and the clusters that serve in it.
pub struct Subject {
    pub name: &'static str,
    pub configuration: Configuration,
    /// Pods of each cluster.
    pub pods: u8,
    backends: &'static [&'static str],
    /// Most situations.
    most: usize,
}

/// What is dead.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Situation {
    gateways: BTreeSet<&'static str>,
    /// so many pods
    applications: BTreeMap<&'static str, u8>,
}

/// Shares in percent by cluster, for each situation, by client.
type Foretold = BTreeMap<String, Vec<BTreeMap<String, f64>>>;

/// Those whose situations are compared.
pub fn subjects() -> Vec<Subject> {
    let subject = |configuration: Configuration| {
        let (two, three): (&[_], &[_]) = (&["east", "west"], &["east", "west", "north"]);
        let (name, pods, backends) = match configuration.name {
            "two" => ("foreseen-two", 1, two),
            "three" => ("foreseen-three", 1, three),
            "three-ranked" => ("foreseen-three-ranked", 1, three),
            "three-tight" => ("foreseen-three-tight", 1, three),
            "three-spread" => ("foreseen-three-spread", 1, three),
            "three-named" => ("foreseen-three-named", 1, three),
            "three-versions" => ("foreseen-three-versions", 1, three),
            "three-services" => ("foreseen-three-services", 1, three),
            // its ejections outlast the calls
            "two-defaults" => ("foreseen-pods", PODS, two),
            _ => return None,
        };
        let most = if pods > 1 { usize::MAX } else { SITUATIONS };
        Some(Subject { name, configuration, pods, backends, most })
    };
    configurations().into_iter().filter_map(subject).collect()
}

/// The same on a running mesh, with the shipped settings.
pub fn live() -> Vec<Case> {
    vec![
        ("foreseen-live-ranked", |stage| play("failover = { order = [\"north\", \"west\"] }", stage)),
        ("foreseen-live-locality", |stage| {
            play(
                "failover = { locality = [{ from = \"us-east-1\", to = \"us-west-2\" }, { from = \"eu-north-1\", to = \"us-east-1\" }] }",
                stage,
            );
        }),
        ("foreseen-live-spread", |stage| {
            play(
                "failover = { spread = { east = { east = 50, west = 30, north = 20 }, west = { east = 60, north = 40 }, north = { north = 90, west = 10 } } }",
                stage,
            );
        }),
        ("foreseen-live-subsets", |stage| {
            let configuration = Configuration::of("", in_two_clusters(""), &ALL);
            compare(Configuration { canaries: &["east", "north"], ..configuration }, stage);
        }),
    ]
}

fn play(lines: &str, stage: &Stage) {
    compare(Configuration::of("", destination(&ALL, &format!("  {lines}\n")), &ALL), stage);
}

fn compare(configuration: Configuration, stage: &Stage) {
    let subject = Subject { name: "", configuration, pods: 1, backends: &ALL, most: LIVE_SITUATIONS };
    let canaries = stage.furnished(&subject.configuration);
    let scene = Scene { fleet: stage.mesh.fleet(), canaries: &canaries, figures: stage.figures };
    let situations = subject.situations();
    let foretold = subject.foretell(stage.rig, &stage.mesh.program().version, &situations);
    let world = stage.applied(&subject.configuration.resources);
    ALL.iter().for_each(|client| until_served(stage.mesh.fleet(), client));
    subject.compare(&scene, &situations, &foretold);
    canaries.values().for_each(|second| second.backend().revive().expect("its address is free"));
    stage.mesh.fleet().heal().expect("everything starts again");
    stage.settle();
    world.assert_clean();
    world.destroy();
}

impl Subject {
    /// Some of all situations, in an order in which gateways change seldom.
    pub fn situations(&self) -> Vec<Situation> {
        let mut situations = vec![Situation { gateways: BTreeSet::new(), applications: BTreeMap::new() }];
        for cluster in self.backends {
            let is_only_client = self.configuration.clients == [*cluster];
            let dead = if is_only_client { (0..=self.pods).collect() } else { vec![0, self.pods] };
            // nobody's calls pass the gateway of the only client's cluster
            let gateways = if is_only_client && self.pods > 1 { &[false][..] } else { &[false, true] };
            let with = |situation: &Situation, gateway: bool, dead: u8| {
                let mut situation = situation.clone();
                situation.gateways.extend(gateway.then_some(*cluster));
                situation.applications.insert(cluster, dead);
                situation
            };
            let each = |situation: Situation| -> Vec<Situation> {
                dead.iter().flat_map(|dead| gateways.iter().map(|gateway| with(&situation, *gateway, *dead))).collect()
            };
            situations = situations.into_iter().flat_map(each).collect();
        }
        let mut state = SEED;
        for end in (1..situations.len()).rev() {
            // xorshift
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            situations.swap(end, usize::try_from(state % (end as u64 + 1)).expect("it is an index"));
        }
        situations.truncate(self.most);
        situations.sort();
        situations
    }

    /// What the provider says of them.
    pub fn foretell(&self, rig: &Rig, istio: &str, situations: &[Situation]) -> Foretold {
        let world = World::empty(rig);
        let scenario = |(index, situation): (usize, &Situation)| json!({ "name": format!("{index}"), "gateways_down": situation.gateways, "dead_pods": situation.applications });
        let scenarios: Vec<Value> = situations.iter().enumerate().map(scenario).collect();
        world.write("situations.json", &Value::from(scenarios).to_string());
        let pods: BTreeMap<&str, u8> = self.backends.iter().map(|cluster| (*cluster, self.pods)).collect();
        let asked = format!(
            r#"
data "gloo_failover" "foreseen" {{
  destination = gloo_virtual_destination.reviews
  pods        = {}
  scenarios   = jsondecode(file("${{path.module}}/situations.json"))
}}

output "foreseen" {{
  value = {{ for name, client in data.gloo_failover.foreseen.clients : name => client.scenarios[*].shares }}
}}
"#,
            json!(pods)
        );
        world.config(&(folders(&world, istio, &self.configuration) + &self.configuration.resources + &asked));
        world.step();
        let outcome = world.run(&["output", "-json", "foreseen"]);
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", outcome.stdout, outcome.stderr))
    }

    /// Compares all of them.
    pub fn compare(&self, scene: &Scene, situations: &[Situation], foretold: &Foretold) {
        let Scene { fleet, figures, .. } = scene;
        let mut down = BTreeSet::new();
        let (mut compared, mut shared, mut largest, mut wrong) = (0, 0, 0.0_f64, Vec::new());
        for (index, situation) in situations.iter().enumerate() {
            self.arrange(scene, situation, &mut down);
            for client in self.configuration.clients {
                let expected = &foretold[*client][index];
                let is_whole = expected.is_empty() || expected.values().any(|share| *share > 99.9);
                let count = if is_whole { CALLS } else { SHARED_CALLS };
                let calls = settled(fleet, client, &self.configuration.host, count);
                compared += 1;
                shared += usize::from(expected.len() > 1);
                match difference(&calls, expected) {
                    Some(points) if points <= TOLERANCE => largest = largest.max(points),
                    _ => wrong.push(format!("{client}, {situation:?}: foretold {expected:?}, seen {calls}")),
                }
            }
        }
        figures.note("situations of a client", compared);
        figures.note("of these, with several clusters that serve", shared);
        figures.note("largest difference", format!("{largest:.1} points"));
        assert!(wrong.is_empty(), "{} of {compared} situations are not as foretold:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// Kills and revives until it is so, second versions with the first ones. `down`: gateways that are dead.
    fn arrange(&self, &Scene { fleet, canaries, .. }: &Scene, situation: &Situation, down: &mut BTreeSet<&'static str>) {
        for cluster in self.backends {
            let gateway = fleet.proxy(&format!("{cluster}/{}", Role::Gateway.app()));
            match (down.contains(cluster), situation.gateways.contains(cluster)) {
                (false, true) => end(gateway),
                (true, false) => begin(gateway),
                (true, true) | (false, false) => {}
            }
            let dead = usize::from(situation.applications[cluster]);
            for (number, pod) in fleet.pods(cluster).enumerate() {
                if number < dead { pod.die() } else { pod.revive().expect("its address is free") }
            }
            match canaries.get(cluster).map(Canary::backend) {
                Some(second) if dead > 0 => second.die(),
                second => second.into_iter().for_each(|second| second.revive().expect("its address is free")),
            }
        }
        down.clone_from(&situation.gateways);
        let clients = self.configuration.clients.iter();
        let clients: Vec<&Envoy> = clients.map(|client| fleet.proxy(&format!("{client}/{}", Role::Client.app()))).collect();
        clients.iter().for_each(|client| end(client));
        clients.iter().for_each(|client| begin(client));
    }
}

/// Kills a proxy, and waits until it is gone.
fn end(proxy: &Envoy) {
    proxy.kill().expect("it was started");
    let is_gone = is_so_by(Instant::now() + EVENTUALLY, || Ok(!proxy.is_live()));
    assert_eq!(is_gone, Ok(true), "{} answers after it was killed", proxy.seat().name());
}

/// Starts a proxy that is gone, and waits until it is live.
fn begin(proxy: &Envoy) {
    let is_live = is_so_by(Instant::now() + EVENTUALLY, || {
        proxy.heal()?;
        Ok(proxy.is_live())
    });
    assert_eq!(is_live, Ok(true), "{} is not live", proxy.seat().name());
}

/// Calls of which no try met what fails: everything that does is out.
fn settled(fleet: &Fleet, client: &str, host: &str, count: usize) -> Calls {
    let mut calls = Calls::default();
    let is_settled = is_so_by(Instant::now() + EVENTUALLY, || {
        let mut is_quiet = |count| {
            let before = retries(fleet, client)?;
            calls = fleet.calls(client, host, count);
            xtask::Result::Ok(retries(fleet, client)? == before)
        };
        Ok(is_quiet(CALLS)? && (count == CALLS || is_quiet(count)?))
    });
    assert_eq!(is_settled, Ok(true), "calls of {client} go on to meet what fails: {calls}");
    calls
}

/// How often the sidecar of a client has tried again.
fn retries(fleet: &Fleet, client: &str) -> xtask::Result<u64> {
    let page = fleet.proxy(&format!("{client}/{}", Role::Client.app())).page("/stats?filter=upstream_rq_retry")?;
    let counts = page.lines().filter_map(|line| line.split_once(".upstream_rq_retry: ")?.1.trim().parse::<u64>().ok());
    Ok(counts.sum())
}

/// The largest difference between shares and the table; `None`: somebody served who should not, or some got no answer where all
/// should, or one where nobody should.
fn difference(calls: &Calls, expected: &BTreeMap<String, f64>) -> Option<f64> {
    let percent = |count: usize| count as f64 * 100.0 / calls.0.len() as f64;
    let mut by: BTreeMap<&str, usize> = BTreeMap::new();
    for (server, count) in calls.by() {
        // a second version names itself `<cluster>-v2`
        *by.entry(server.split('-').next().unwrap_or(server)).or_default() += count;
    }
    let lost = 100.0 - expected.values().sum::<f64>();
    let is_right = by.keys().all(|server| expected.contains_key(*server)) && (lost > TOLERANCE || calls.errors() == 0);
    let served = expected.iter().map(|(server, share)| percent(by.get(server.as_str()).copied().unwrap_or_default()) - share);
    is_right.then(|| served.chain([percent(calls.errors()) - lost]).map(f64::abs).fold(0.0, f64::max))
}
