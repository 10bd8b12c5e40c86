//! Every finding is proven: a case shows it, and in another case, one step away, it does not appear.

use std::collections::BTreeSet;

use mesh_model::{Code, Severity};

/// Codes in the range of the judgement of inventories that other rooms emit, with the reason.
const ELSEWHERE: [(Code, &str); 3] = [
    (Code::AdoptsObject, "the provider compares with what is live (src/lifecycle/taking.rs); tests/it/arrival.rs"),
    (Code::TakesOver, "only the provider knows what a resource takes over (src/lifecycle/taking.rs); tests/it/ownership.rs"),
    (Code::MetInstance, "only the provider knows the nonce of an instance (src/lifecycle/taking.rs); tests/it/ownership.rs"),
];

/// Whether translation or the judgement of inventories emits it: `GM2nnn` and `GM30nn`. Those of the model (`GM1nnn`) have
/// their tests, accepted values too, in `crates/mesh-model/tests/it/errors.rs`; those of discovery (`GM31nn`) in
/// `crates/mesh-discovery`.
fn is_ours(code: Code) -> bool {
    let is_elsewhere = ELSEWHERE.iter().any(|(other, _)| *other == code);
    ["GM2", "GM30"].iter().any(|range| code.as_str().starts_with(range)) && !is_elsewhere
}

/// Holds a case to what it is the near miss of. One that is refused, or not translated, would miss everything.
pub(crate) fn check(shown: &BTreeSet<Code>, near: &BTreeSet<Code>) -> Result<(), String> {
    if let Some(code) = near.intersection(shown).next() {
        return Err(format!("{code} appears, of which this is a near miss"));
    }
    let stops = |code: &&Code| code.severity() == Severity::Error || **code == Code::UnknownShape;
    match shown.iter().find(stops) {
        Some(code) if !near.is_empty() => Err(format!("{code} appears: a near miss is translated")),
        _ => Ok(()),
    }
}

/// What all cases together lack.
pub(crate) fn missing(shown: &BTreeSet<Code>, near: &BTreeSet<Code>) -> Vec<String> {
    let mut missing = Vec::new();
    for code in Code::ALL.iter().copied().filter(|code| is_ours(*code)) {
        let summary = code.summary();
        if !shown.contains(&code) {
            missing.push(format!("no case shows {code} ({summary})"));
        }
        if !near.contains(&code) {
            missing
                .push(format!("no case just misses {code} ({summary}): one step from a case that shows it, with near: {code}"));
        }
    }
    for (code, why) in ELSEWHERE {
        if shown.contains(&code) {
            missing.push(format!("{code} is listed as one of another room, and a case shows it: {why}"));
        }
    }
    missing
}
