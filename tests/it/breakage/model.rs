//! The write engine as a model: random old and new configurations on clusters in memory, every prefix of the writes, every
//! single failure. `cargo xt soak` runs many more than `cargo test` does.

#![allow(clippy::print_stdout, reason = "what `cargo xt soak` reports")]

use std::time::Instant;

use kube_apply::breakage::{Act, Break, Breaker, Moment};
use serde_json::{Value as Json, json};
use tf_server::testing::Instance;

use super::forbidden::{Objects, forbidden};
use super::memory::Memory;
use super::rig::{CLUSTERS, Journey, apply_once, forgotten};
use crate::support::{DESTINATION, backend, destination, mesh, set};

const OBJECT: &str = "gloo_istio_object";

/// Broken runs of an ordinary test.
const RUNS: usize = 150;

/// A stream of choices; the seed repeats it.
struct Choices(u64);

impl Choices {
    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn of<T: Clone>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())].clone()
    }

    /// A part of the clusters that is not empty.
    fn clusters(&mut self) -> Vec<&'static str> {
        let bits = 1 + self.below(7);
        CLUSTERS.into_iter().enumerate().filter(|(bit, _)| bits & (1 << bit) != 0).map(|(_, cluster)| cluster).collect()
    }

    fn destination(&mut self) -> Json {
        let backends: Vec<&str> = self.clusters();
        let mut mesh = mesh();
        if !backends.contains(&"north") && self.below(3) == 0 {
            mesh["clusters"].as_object_mut().unwrap().remove("north");
        }
        let members: Vec<&str> = CLUSTERS.into_iter().filter(|cluster| mesh["clusters"].get(cluster).is_some()).collect();
        for (cluster, digit) in [("east", 1), ("west", 2)] {
            let addresses =
                [json!([format!("203.0.113.{digit}0")]), json!([format!("203.0.113.{digit}0"), format!("203.0.113.{digit}1")])];
            mesh["clusters"][cluster]["gateways"][0]["addresses"] = self.of(&addresses);
        }
        let mut config = set(destination(), "/virtual_mesh", mesh);
        config["backends"] = backends.iter().map(|cluster| backend(cluster)).collect();
        config["hostname"] =
            self.of(&[json!("reviews.mesh.internal"), json!("reviews.mesh.internal"), json!("r.example.internal")]);
        config["ports"] = self.of(&[json!([{ "number": 9080 }]), json!([{ "number": 80, "service_port": 9080 }])]);
        config["timeout"] = self.of(&[Json::Null, json!("3s")]);
        config["clients"] = match self.below(3) {
            0 => json!(self.clusters().into_iter().filter(|cluster| members.contains(cluster)).collect::<Vec<_>>()),
            _ => Json::Null,
        };
        if config["clients"] == json!([]) {
            config["clients"] = Json::Null;
        }
        let mut order = backends.clone();
        if self.below(2) == 0 {
            order.reverse();
        }
        config["failover"] = self.of(&[Json::Null, json!({ "order": order })]);
        let is_client = |cluster: &str| members.contains(&cluster) && !backends.contains(&cluster);
        if is_client("north") && config["clients"].is_null() {
            config["client_namespace"] = self.of(&[Json::Null, json!({ "north": "edge" })]);
        }
        config
    }

    fn object(&mut self) -> Json {
        json!({
            "clusters": self.clusters(),
            "manifest": {
                "apiVersion": "networking.istio.io/v1",
                "kind": "ServiceEntry",
                "metadata": { "name": "elsewhere", "namespace": "bookinfo", "labels": self.of(&[json!({}), json!({ "team": "blue" })]) },
                "spec": {
                    "hosts": ["a.example.com"],
                    "location": "MESH_EXTERNAL",
                    "resolution": self.of(&["DNS", "NONE"]),
                    "ports": [{ "number": self.of(&[443, 8443]), "name": "tls", "protocol": "TLS" }],
                },
            },
        })
    }

    fn journey(&mut self) -> Journey {
        let type_name = self.of(&[DESTINATION, DESTINATION, DESTINATION, OBJECT]);
        let mut config = |is_there: bool| match (is_there, type_name) {
            (false, _) => None,
            (true, DESTINATION) => Some(self.destination()),
            (true, _) => Some(self.object()),
        };
        let (before, goal) = (config(true), config(true));
        let (before, goal) = match self.below(8) {
            0 => (None, goal),
            1 => (before, None),
            _ => (before, goal),
        };
        Journey { name: "random", type_name, before, disturb: |_| {}, goal }
    }
}

/// Every object, without the nonces of instances.
fn objects(clusters: &Memory) -> Objects {
    let mut objects = clusters.objects();
    for object in objects.values_mut() {
        let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
        annotations.retain(|name, _| !["instance", "complete"].iter().any(|end| *name == format!("state.gloo-terraform/{end}")));
    }
    objects
}

/// All broken runs of one journey; how many there were.
async fn check(journey: &Journey) -> usize {
    let quiet = Breaker::simulated(Vec::new());
    let start = Memory::new();
    let instance: Option<Instance> = match &journey.before {
        Some(before) => {
            let core = start.core(&quiet).await;
            // some random configurations are refused: they make no journey
            let Ok(plan) = core.plan(journey.type_name, None, before.clone()).await else { return 0 };
            core.apply(&plan).await.success().unwrap()
        }
        None => None,
    };
    let breaker = Breaker::simulated(Vec::new());
    let goal = start.copy();
    let Ok(Some(outcome)) = apply_once(&goal.core(&breaker).await, journey, instance.as_ref()).await else { return 0 };
    let end_instance = outcome.success().unwrap();
    let (old, new) = (objects(&start), objects(&goal));
    let mut runs = 0;
    for write in 1..=breaker.writes() {
        for (act, moment) in [
            (Act::Kill, Moment::Before),
            (Act::Refuse, Moment::Before),
            (Act::Full, Moment::After),
            (Act::Silence, Moment::After),
        ] {
            runs += 1;
            let label = format!("{act:?} {moment:?} write {write}");
            let breaker = Breaker::simulated(vec![Break { act, moment, write }]);
            let fakes = start.copy();
            let core = fakes.core(&breaker).await;
            let outcome = tokio::select! {
                outcome = apply_once(&core, journey, instance.as_ref()) => Some(outcome.unwrap().unwrap()),
                () = breaker.died() => None,
            };
            let now = objects(&fakes);
            assert_eq!(forbidden(&old, &new, &now), forbidden(&old, &new, &old), "{label}: a forbidden cut");
            let mut left = match &outcome {
                Some(outcome) => {
                    assert!(outcome.violations.is_empty(), "{label}: {:?}", outcome.violations);
                    outcome.instance.clone()
                }
                None => instance.clone().map(forgotten),
            };
            // a failed run tells what landed, so one more suffices; a killed one says nothing
            let allowed = if act == Act::Kill { 2 } else { 1 };
            let mut applies = 0;
            loop {
                let core = fakes.core(&quiet).await;
                let Some(outcome) = apply_once(&core, journey, left.as_ref()).await.unwrap_or_else(|f| panic!("{label}: {f}"))
                else {
                    break;
                };
                applies += 1;
                assert!(applies <= allowed, "{label}: {applies} applies do not suffice");
                left = outcome.success().unwrap_or_else(|failure| panic!("{label}: {failure}"));
            }
            assert_eq!(objects(&fakes), new, "{label}");
            if journey.goal.is_some() {
                assert_eq!(left.map(|left| left.state), end_instance.clone().map(|end| end.state), "{label}: the state");
            }
        }
    }
    runs
}

#[tokio::test(start_paused = true)]
async fn random_journeys_reach_their_goal_after_every_single_failure() {
    let number = |name: &str, default: usize| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (wanted, seed) = (number("GLOO_SOAK_RUNS", RUNS), number("GLOO_SOAK_SEED", 1));
    let start = Instant::now();
    let (mut runs, mut journeys) = (0, 0);
    while runs < wanted {
        // every journey has a seed of its own, which repeats it alone
        let mine = seed + journeys;
        let journey = Choices(mine as u64).journey();
        let shown = Shown { seed: mine, journey: &journey };
        runs += check(&journey).await;
        std::mem::forget(shown);
        journeys += 1;
    }
    println!("soak: {journeys} journeys, {runs} broken runs, seed {seed}, {:.1} s", start.elapsed().as_secs_f64());
}

/// Says what failed, when it is dropped by a panic.
struct Shown<'a> {
    seed: usize,
    journey: &'a Journey,
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        println!(
            "repeat with GLOO_SOAK_SEED={}; {}\nbefore: {}\ngoal: {}",
            self.seed,
            self.journey.type_name,
            self.journey.before.clone().unwrap_or_default(),
            self.journey.goal.clone().unwrap_or_default()
        );
    }
}
