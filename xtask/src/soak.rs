//! `cargo xt soak`: the tests of hostile input, of names and of the write engine with many more random cases than `cargo xt test`
//! has, and many refreshes in one process.
//!
//! Invariant: the seed is printed before the run, so that a failure can be repeated.

use std::time::{Instant, SystemTime};

use crate::term::{Ink, say, spoken};
use crate::workspace::{Workspace, cargo};
use crate::{Problem, Result};

/// Cases of each test, unless told otherwise.
const CASES: usize = 10_000;

/// Refreshes at most: more say no more about growth.
const REFRESHES: usize = 1_000;

struct Test {
    what: &'static str,
    /// before `cargo test`
    beside: &'static [&'static str],
    cargo: &'static [&'static str],
    most: usize,
}

const TESTS: [Test; 7] = [
    Test {
        what: "messages of damaged values, states and types",
        beside: &[],
        cargo: &["--package", "tf-value", "--test", "all", "--", "hostile::"],
        most: usize::MAX,
    },
    Test {
        what: "times ten requests that no core sends, to the protocol layer alone",
        beside: &[],
        cargo: &["--package", "tf-server", "--lib", "--", "hostile::every_request"],
        most: usize::MAX,
    },
    Test {
        what: "times ten requests that no core sends, to the provider",
        beside: &[],
        cargo: &["--package", "terraform-provider-gloo", "--test", "it", "--", "hostile::"],
        most: usize::MAX,
    },
    Test {
        what: "times a hundred names of objects, from inputs that are made to collide",
        beside: &[],
        cargo: &["--package", "mesh-model", "--lib", "--", "different_inputs_have_different_names"],
        most: usize::MAX,
    },
    Test {
        what: "pairs of raw object sets on the engine, every call broken in one way",
        beside: &[],
        cargo: &["--package", "kube-apply", "--lib", "--", "tests::breakage::"],
        most: usize::MAX,
    },
    Test {
        what: "broken runs of random journeys of the whole provider",
        beside: &[],
        cargo: &["--package", "terraform-provider-gloo", "--test", "it", "--", "breakage::model::", "--nocapture"],
        most: usize::MAX,
    },
    Test {
        what: "refreshes of 200 objects on two real API servers, in one process and among noise",
        beside: &["run", "--quiet", "--package", "rig", "--", "run", "east,west", "cargo"],
        cargo: &["--package", "terraform-provider-gloo", "--test", "it", "--", "soak::", "--nocapture"],
        most: REFRESHES,
    },
];

/// Runs the tests in the release profile.
///
/// # Errors
/// When the number is none, or a test fails.
pub fn run(workspace: &Workspace, cases: Option<&str>) -> Result<()> {
    let cases = match cases {
        None => CASES,
        Some(text) => text.parse().map_err(|_| Problem::new(format!("soak takes a number of cases, not `{text}`")))?,
    };
    // the clock gives a seed that no earlier run had
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |now| now.as_secs());
    let seed = std::env::var("GLOO_SOAK_SEED").unwrap_or_else(|_| seed.to_string());
    let ink = Ink::stdout();
    say(&format!("{cases} cases of each at most; repeat with: GLOO_SOAK_SEED={seed} cargo xt soak {cases}"));
    for test in &TESTS {
        let cases = cases.min(test.most);
        say(&ink.bold(&format!("{cases} {}", test.what)));
        let begun = Instant::now();
        let status = cargo(&workspace.root)
            .args(test.beside)
            .args(["test", "--quiet", "--release"])
            .args(test.cargo)
            .env("GLOO_SOAK_CASES", cases.to_string())
            .env("GLOO_SOAK_RUNS", cases.to_string())
            .env("GLOO_SOAK_REFRESHES", cases.to_string())
            .env("GLOO_SOAK_SEED", &seed)
            .env("PROPTEST_RNG_SEED", &seed)
            // linked in a fraction of the time, and no slower here
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .status()
            .map_err(|error| Problem::new(format!("cannot run cargo: {error}")))?;
        if !status.success() {
            return Err(Problem::new(format!("soak failed; repeat with: GLOO_SOAK_SEED={seed} cargo xt soak {cases}")));
        }
        say(&format!("{} {cases} cases, seed {seed}, {}", ink.good("ok"), spoken(begun.elapsed())));
    }
    Ok(())
}
