//! May core accept this plan?

use tf_value::schema::{Attribute, Kind, Nesting, Schema};
use tf_value::{Path, Value};

use super::show::show;
use super::{Rule, Verdict, Violation, is_computed, member, resolve};

/// Every reason for core to refuse `planned`. `prior` is null on create, `config` and `planned` are null on destroy.
/// `requires_replace` are the paths whose change asks for replacement; core ignores them on create.
#[must_use]
pub fn plan_valid(schema: &Schema, prior: &Value, config: &Value, planned: &Value, requires_replace: &[Path]) -> Vec<Violation> {
    let mut verdict = Verdict::default();
    let root = Path::root();
    match (config.is_null(), planned.is_null()) {
        (true, true) => {}
        (true, false) => verdict.add(Rule::Presence, &root, "planned for existence, but the configuration wants absence"),
        (false, true) => verdict.add(Rule::Presence, &root, "planned for absence, but the configuration wants existence"),
        (false, false) if planned.is_unknown() => verdict.add(Rule::Presence, &root, "the whole object is planned unknown"),
        (false, false) => check_object(&schema.attributes, prior, config, planned, &root, &mut verdict),
    }
    if !prior.is_null() {
        for path in requires_replace {
            if resolve(prior, path).is_none() && resolve(planned, path).is_none() {
                verdict.add(Rule::ReplacePath, path, "there is nothing at this path, neither in the prior state nor in the plan");
            }
        }
    }
    verdict.0
}

fn check_object(attributes: &[Attribute], prior: &Value, config: &Value, planned: &Value, path: &Path, verdict: &mut Verdict) {
    for attribute in attributes {
        let name = attribute.name.as_str();
        let path = path.attribute(name);
        check_attribute(attribute, member(prior, name), member(config, name), member(planned, name), &path, verdict);
    }
}

fn check_attribute(attribute: &Attribute, prior: &Value, config: &Value, planned: &Value, path: &Path, verdict: &mut Verdict) {
    let sensitive = attribute.sensitive;
    if attribute.write_only {
        if !planned.is_null() {
            verdict.add(Rule::WriteOnly, path, "a write-only attribute has a planned value");
        }
        return;
    }
    if planned == config {
        return;
    }
    // the provider may say: what is configured means the same as what is there
    if !config.is_null() && !prior.is_null() && planned == prior {
        return;
    }
    if config.is_null() {
        if !is_computed(attribute) {
            let found = show(planned, sensitive);
            verdict.add(Rule::NotComputed, path, format!("planned {found}, but it is not configured and not computed"));
        }
        return;
    }
    match &attribute.kind {
        Kind::Nested(nesting, attributes) => check_nested(*nesting, attributes, prior, config, planned, path, verdict),
        Kind::Value(_) => {
            let (found, wanted) = (show(planned, sensitive), show(config, sensitive));
            let detail = if prior.is_null() {
                format!("planned {found}, but configured {wanted}")
            } else {
                format!("planned {found}, but configured {wanted} and before {}", show(prior, sensitive))
            };
            verdict.add(Rule::MatchesConfig, path, detail);
        }
    }
}

/// `config` is not null and differs from `planned`.
fn check_nested(
    nesting: Nesting,
    attributes: &[Attribute],
    prior: &Value,
    config: &Value,
    planned: &Value,
    path: &Path,
    verdict: &mut Verdict,
) {
    if planned.is_null() {
        return verdict.add(Rule::Presence, path, "planned for absence, but the configuration wants existence");
    }
    if config.is_unknown() {
        return verdict.add(Rule::MatchesConfig, path, "planned known, but the configuration is not known yet");
    }
    if planned.is_unknown() {
        return verdict.add(Rule::NestedUnknown, path, "planned unknown, but the configuration is known");
    }
    match (nesting, config, planned) {
        (Nesting::Single, Value::Map(_), Value::Map(_)) => check_object(attributes, prior, config, planned, path, verdict),
        (Nesting::List, Value::List(configured), Value::List(elements)) => {
            if configured.len() != elements.len() {
                let detail = format!("{} planned, but {} configured", elements.len(), configured.len());
                return verdict.add(Rule::Count, path, detail);
            }
            for (index, (config, planned)) in configured.iter().zip(elements).enumerate() {
                let prior = prior.as_elements().and_then(|before| before.get(index)).unwrap_or(&Value::Null);
                check_element(attributes, prior, config, planned, &path.index(index), verdict);
            }
        }
        (Nesting::Map, Value::Map(configured), Value::Map(entries)) => {
            for (key, planned) in entries {
                match configured.get(key) {
                    Some(config) => {
                        let prior = prior.as_map().and_then(|before| before.get(key)).unwrap_or(&Value::Null);
                        check_element(attributes, prior, config, planned, &path.key(key), verdict);
                    }
                    None => verdict.add(Rule::Keys, &path.key(key), "planned, but not configured"),
                }
            }
            for key in configured.keys().filter(|key| !entries.contains_key(*key)) {
                verdict.add(Rule::Keys, &path.key(key), "configured, but not planned");
            }
        }
        (Nesting::Set, Value::Set(configured), Value::Set(elements)) => {
            check_set(attributes, configured, elements, path, verdict);
        }
        _ => verdict.add(Rule::Type, path, "the planned value is of another shape than the configured one"),
    }
}

fn check_element(attributes: &[Attribute], prior: &Value, config: &Value, planned: &Value, path: &Path, verdict: &mut Verdict) {
    if planned == config || (!config.is_null() && !prior.is_null() && planned == prior) {
        return;
    }
    match (config.is_null(), planned.is_null()) {
        (true, _) => verdict.add(Rule::Presence, path, "planned for existence, but the configuration wants absence"),
        (false, true) => verdict.add(Rule::Presence, path, "planned for absence, but the configuration wants existence"),
        (false, false) if planned.is_unknown() => {
            verdict.add(Rule::NestedUnknown, path, "planned unknown, but the configuration is known");
        }
        (false, false) => check_object(attributes, prior, config, planned, path, verdict),
    }
}

/// Set elements have no identity: each planned one must be a possible plan of some configured one, and the reverse.
fn check_set(attributes: &[Attribute], configured: &[Value], planned: &[Value], path: &Path, verdict: &mut Verdict) {
    if configured.len() != planned.len() {
        let detail = format!("{} planned, but {} configured", planned.len(), configured.len());
        return verdict.add(Rule::Count, path, detail);
    }
    let plans = |config: &Value, planned: &Value| {
        let mut verdict = Verdict::default();
        check_element(attributes, &Value::Null, config, planned, path, &mut verdict);
        verdict.0.is_empty()
    };
    if planned.iter().any(|planned| !configured.iter().any(|config| plans(config, planned))) {
        verdict.add(Rule::SetElements, path, "a planned element corresponds to no configured element");
    }
    if configured.iter().any(|config| !planned.iter().any(|planned| plans(config, planned))) {
        verdict.add(Rule::SetElements, path, "a configured element corresponds to no planned element");
    }
}
