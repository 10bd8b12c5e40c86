//! What is wrong with an object, and what could not be judged.

use serde_json::Value;

use crate::place::Place;

/// What a definition says to an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// what an API server would refuse, in the order in which it was found; empty: it would accept
    pub violations: Vec<Violation>,
    /// rules that could not be judged here
    pub unchecked: Vec<Unchecked>,
}

/// One thing that an API server would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// where in the object: `spec.http[0].timeout`; empty: the object itself
    pub path: String,
    /// what is wrong, as the rest of a sentence that begins with the path: `must be a string, not a number`
    pub what: String,
    /// the CEL rule that is not met
    pub rule: Option<String>,
}

/// A rule that an API server would judge and that is not judged here.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unchecked {
    /// where in the schema: `spec.http[].timeout`
    pub path: String,
    /// the rule as the definition has it
    pub rule: String,
    /// why it is not judged
    pub why: String,
}

/// Where verdicts are gathered.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    verdict: Verdict,
    /// the object, and what it was before an update
    object: &'a Value,
    before: Option<&'a Value>,
    /// whether something was found that keeps an API server from judging rules
    blocks_rules: bool,
}

impl<'a> Report<'a> {
    pub(crate) fn new(object: &'a Value, before: Option<&'a Value>) -> Self {
        Self { verdict: Verdict::default(), object, before, blocks_rules: false }
    }

    /// Something wrong at `place`. Where the part at `node` is as it was before the update, it is accepted as it is.
    pub(crate) fn add(&mut self, node: &Place<'_>, path: String, what: String) {
        if !self.is_as_before(node) {
            self.verdict.violations.push(Violation { path, what, rule: None });
        }
    }

    /// The same, of the sort after which an API server leaves the rules unjudged.
    pub(crate) fn add_blocking(&mut self, node: &Place<'_>, path: String, what: String) {
        self.blocks_rules |= !self.is_as_before(node);
        self.add(node, path, what);
    }

    /// A rule that is not met.
    pub(crate) fn add_rule(&mut self, node: &Place<'_>, path: String, what: String, rule: &str) {
        if !self.is_as_before(node) {
            self.verdict.violations.push(Violation { path, what, rule: Some(rule.to_owned()) });
        }
    }

    /// A rule that cannot be judged.
    pub(crate) fn add_unchecked(&mut self, unchecked: Unchecked) {
        if !self.verdict.unchecked.contains(&unchecked) {
            self.verdict.unchecked.push(unchecked);
        }
    }

    pub(crate) fn blocks_rules(&self) -> bool {
        self.blocks_rules
    }

    pub(crate) fn finish(self) -> Verdict {
        self.verdict
    }

    fn is_as_before(&self, node: &Place<'_>) -> bool {
        // items of a list are not told from each other
        let node = node.above_lists();
        self.before.is_some_and(|before| {
            let now = node.find(self.object);
            now.is_some() && now == node.find(before)
        })
    }
}
