//! Plans and states as the CLI shows them in JSON (`show -json`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::Diagnostics;

/// What a plan does with one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Nothing.
    NoOp,
    /// A new resource.
    Create,
    /// A data source, read at apply.
    Read,
    /// A change in place.
    Update,
    /// Removal.
    Delete,
    /// Removal, then creation.
    Replace,
    /// Creation, then removal.
    CreateThenDelete,
    /// Removal from the state alone.
    Forget,
}

impl Action {
    fn read(actions: &Value) -> Self {
        let words: Vec<&str> = actions.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match words.as_slice() {
            ["no-op"] => Self::NoOp,
            ["create"] => Self::Create,
            ["read"] => Self::Read,
            ["update"] => Self::Update,
            ["delete"] => Self::Delete,
            ["delete", "create"] => Self::Replace,
            ["create", "delete"] => Self::CreateThenDelete,
            ["forget"] => Self::Forget,
            other => panic!("the CLI plans {other:?}, which this harness does not know"),
        }
    }
}

/// A saved plan that succeeded.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The saved file.
    pub file: PathBuf,
    /// Whether the CLI says that there is anything to do (exit code 2).
    pub has_changes: bool,
    /// Warnings of the plan.
    pub diagnostics: Diagnostics,
    /// `show -json` of the file.
    pub json: Value,
}

impl Plan {
    /// What happens to every resource and data source that the plan mentions.
    pub fn actions(&self) -> BTreeMap<String, Action> {
        let changes = list(&self.json["resource_changes"]);
        changes.map(|one| (address(one), Action::read(&one["change"]["actions"]))).collect()
    }

    /// Only those to which something happens.
    pub fn changed(&self) -> BTreeMap<String, Action> {
        self.actions().into_iter().filter(|(_, action)| *action != Action::NoOp).collect()
    }

    /// What happens to one resource; one that the plan does not mention is left alone.
    pub fn action(&self, wanted: &str) -> Action {
        self.actions().get(wanted).copied().unwrap_or(Action::NoOp)
    }

    /// The planned attributes of a resource (unknown ones are absent).
    ///
    /// # Panics
    /// When the plan does not mention it.
    pub fn after(&self, wanted: &str) -> &Value {
        &self.change(wanted)["after"]
    }

    /// Whether the attribute at a JSON pointer (`/manifests`), or a part of it, is unknown.
    ///
    /// # Panics
    /// When the plan does not mention the resource.
    pub fn is_unknown(&self, wanted: &str, pointer: &str) -> bool {
        self.change(wanted)["after_unknown"].pointer(pointer).is_some_and(holds_true)
    }

    /// The planned objects of a resource by manifest key, parsed; unknown ones are absent.
    ///
    /// # Panics
    /// When a manifest is no JSON, or the plan does not mention the resource.
    pub fn manifests(&self, wanted: &str) -> BTreeMap<String, Value> {
        parse_manifests(&self.after(wanted)["manifests"])
    }

    /// The drift lines that the refresh of this plan found, by object.
    pub fn drift(&self, wanted: &str) -> BTreeMap<String, Value> {
        list(&self.json["resource_drift"])
            .filter(|one| address(one) == wanted)
            .filter_map(|one| one["change"]["after"]["drift"].as_object())
            .flatten()
            .map(|(key, lines)| (key.clone(), lines.clone()))
            .collect()
    }

    /// Fails unless there is nothing to do.
    ///
    /// # Panics
    /// When there is, naming it.
    pub fn assert_empty(&self, when: &str) {
        assert!(!self.has_changes, "{when} the plan is not empty: {:?}, drift {}", self.changed(), self.json["resource_drift"]);
    }

    fn change(&self, wanted: &str) -> &Value {
        let found = list(&self.json["resource_changes"]).find(|one| address(one) == wanted);
        &found.unwrap_or_else(|| panic!("the plan does not mention {wanted}, only {:?}", self.actions()))["change"]
    }
}

/// A state (`show -json`).
#[derive(Debug, Clone)]
pub struct State {
    /// The whole answer.
    pub json: Value,
}

impl State {
    /// Addresses of all resources, data sources too.
    pub fn addresses(&self) -> Vec<String> {
        self.resources().map(address).collect()
    }

    /// The attributes of one resource.
    ///
    /// # Panics
    /// When it is not in the state.
    pub fn values(&self, wanted: &str) -> &Value {
        let found = self.resources().find(|one| address(one) == wanted);
        &found.unwrap_or_else(|| panic!("{wanted} is not in the state, only {:?}", self.addresses()))["values"]
    }

    /// The stored objects of a resource by manifest key, parsed.
    ///
    /// # Panics
    /// When a manifest is no JSON, or the resource is not in the state.
    pub fn manifests(&self, wanted: &str) -> BTreeMap<String, Value> {
        parse_manifests(&self.values(wanted)["manifests"])
    }

    /// The clusters on which the resource has landed.
    ///
    /// # Panics
    /// When the resource is not in the state.
    pub fn applied(&self, wanted: &str) -> Vec<String> {
        self.values(wanted)["applied"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    /// The state without what names a moment or a version, for comparing two of them.
    pub fn resources(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["values"]["root_module"]["resources"])
    }
}

fn parse_manifests(value: &Value) -> BTreeMap<String, Value> {
    let texts = value.as_object().into_iter().flatten().filter_map(|(key, text)| Some((key, text.as_str()?)));
    texts
        .map(|(key, text)| {
            let parsed = serde_json::from_str(text).unwrap_or_else(|error| panic!("the manifest {key} is no JSON: {error}"));
            (key.clone(), parsed)
        })
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn address(one: &Value) -> String {
    one["address"].as_str().unwrap_or_default().to_owned()
}

fn holds_true(value: &Value) -> bool {
    match value {
        Value::Bool(is_unknown) => *is_unknown,
        Value::Array(items) => items.iter().any(holds_true),
        Value::Object(members) => members.values().any(holds_true),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn plan() -> Plan {
        let json = json!({
            "resource_changes": [{
                "address": "a.b",
                "change": {
                    "actions": ["delete", "create"],
                    "after": { "manifests": { "east/K/ns/n": "{\"kind\":\"K\"}" } },
                    "after_unknown": { "manifests": { "west/K/ns/n": true }, "id": false }
                }
            }],
            "resource_drift": [{ "address": "a.b", "change": { "after": { "drift": { "east/K/ns/n": "spec.x" } } } }]
        });
        Plan { file: PathBuf::new(), has_changes: true, diagnostics: Diagnostics::default(), json }
    }

    #[test]
    fn a_plan_is_read() {
        let plan = plan();
        assert_eq!(plan.action("a.b"), Action::Replace);
        assert_eq!(plan.action("a.c"), Action::NoOp);
        assert_eq!(plan.manifests("a.b")["east/K/ns/n"]["kind"], "K");
        assert!(plan.is_unknown("a.b", "/manifests"));
        assert!(!plan.is_unknown("a.b", "/id"));
        assert_eq!(plan.drift("a.b").len(), 1);
    }

    #[test]
    #[should_panic(expected = "the plan is not empty")]
    fn a_change_is_not_empty() {
        plan().assert_empty("now");
    }
}
