//! The plan engine: turns what core proposes into what the resource plans, in a fixed order.
//!
//! ```text
//! proposal of core → defaults → write-only nulled → same meaning? prior words → changed? computed become unknown
//!   → the resource's own plan → replacement paths of schema and resource → self-check against core's rules (debug builds)
//! ```
//!
//! Everything but the resource's own plan is pure.

mod replace;
mod rewrite;
mod sets;
mod steps;

use tf_value::schema::Schema;
use tf_value::{Diagnostic, Diagnostics, Path, Value};

pub(crate) use steps::{fill_config, null_unknown, null_write_only, write_only_set};

use self::sets::Computed;
use crate::bug;
use crate::oracle::plan_valid;
use crate::{Cx, PlanRequest, Private, Resource};

/// What core asks for one resource that is to exist.
pub(crate) struct Proposal {
    pub(crate) config: Value,
    pub(crate) prior: Option<Value>,
    pub(crate) proposed: Value,
    pub(crate) private: Private,
}

/// The answer of the engine.
pub(crate) struct Outcome {
    /// null after errors that leave no plan
    pub(crate) planned: Value,
    /// sorted, each once
    pub(crate) requires_replace: Vec<Path>,
    pub(crate) private: Private,
    pub(crate) diagnostics: Diagnostics,
}

/// Plans a create or an update.
pub(crate) async fn plan(resource: &dyn Resource, schema: &Schema, cx: &Cx, proposal: Proposal) -> Outcome {
    let Proposal { config, prior, proposed, private } = proposal;
    let mut diagnostics = Diagnostics::new();

    let filled = steps::fill_config(schema, &config, &mut diagnostics);
    if diagnostics.has_errors() {
        return Outcome { planned: Value::Null, requires_replace: Vec::new(), private, diagnostics };
    }
    let proposed = null_write_only(schema, steps::fill_proposal(schema, &config, proposed));
    let filled = null_write_only(schema, filled);
    let realign = |proposed, computed| {
        let prior = prior.as_ref().unwrap_or(&Value::Null);
        sets::realign(&schema.attributes, prior, &filled, proposed, computed)
    };
    let normalise = |proposed| match &prior {
        Some(prior) => resource.normalise(prior, proposed),
        None => proposed,
    };
    let proposed = normalise(realign(proposed, Computed::Prior));
    let proposed = if prior.as_ref() == Some(&proposed) {
        proposed
    } else {
        normalise(realign(steps::mark_unknown(schema, &config, proposed), Computed::Unknown))
    };

    let request = PlanRequest { config: config.clone(), prior: prior.clone(), proposed, private };
    let planned = resource.plan(cx, request).await;
    diagnostics.extend(planned.diagnostics);
    let value = match planned.value {
        Some(value) => null_write_only(schema, value),
        None => {
            if !diagnostics.has_errors() {
                diagnostics.push(bug("The plan of the resource holds neither a value nor an error."));
            }
            Value::Null
        }
    };
    if diagnostics.has_errors() {
        return Outcome { planned: value, requires_replace: Vec::new(), private: planned.private, diagnostics };
    }

    let mut requires_replace = Vec::new();
    if let Some(prior) = &prior {
        requires_replace = replace::replaced_paths(schema, prior, &value);
        requires_replace.extend(planned.requires_replace);
        requires_replace.sort();
        requires_replace.dedup();
    }
    if cfg!(any(debug_assertions, feature = "testing")) {
        let prior = prior.as_ref().unwrap_or(&Value::Null);
        for violation in plan_valid(schema, prior, &config, &value, &requires_replace) {
            diagnostics.push(violation_found("Invalid plan", &violation));
        }
    }
    Outcome { planned: value, requires_replace, private: planned.private, diagnostics }
}

/// A violated rule as a message.
pub(crate) fn violation_found(summary: &str, violation: &crate::oracle::Violation) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        summary,
        format!("The provider broke a rule of Terraform: {violation}. This is a bug in the provider; please report it."),
    );
    if violation.path.steps().is_empty() { diagnostic } else { diagnostic.at(violation.path.clone()) }
}

#[cfg(test)]
mod tests;
