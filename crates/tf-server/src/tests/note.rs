//! A second toy: its identity is known only after create, it takes other states over, and it keeps secrets.

use std::sync::Arc;

use tf_value::schema::{Attribute, IdentityAttribute, IdentitySchema, Kind, Schema};
use tf_value::{Diagnostic, Diagnostics, Type, Value};

use super::toy::{World, locked};
use crate::{
    Applied, ApplyRequest, BoxFuture, Cx, ImportBy, Imported, MoveSource, Moved, PlanRequest, Planned, Private, Resource,
    write_only_change,
};

pub(super) struct Note {
    world: Arc<World>,
    type_name: &'static str,
}

impl Note {
    pub(super) fn new(world: Arc<World>) -> Self {
        Self { world, type_name: "toy_note" }
    }

    /// The same as a type that announces no identity schema.
    pub(super) fn nameless(world: Arc<World>) -> Self {
        Self { world, type_name: "toy_nameless" }
    }

    /// Writes what is to be written of the write-only value `name` of one object.
    fn write(&self, place: &str, objects: (&Value, &Value, &Value), name: &str) {
        let (prior, planned, config) = objects;
        if let Some(value) = write_only_change(prior, planned, config, name) {
            locked(&self.world.keys).insert(place.to_owned(), value.clone());
        }
    }

    fn store(&self, request: &ApplyRequest) -> Applied {
        let planned = request.planned.as_ref().expect("only a delete has no plan");
        let prior = request.prior.as_ref().unwrap_or(&Value::Null);
        let Value::Map(mut members) = planned.clone() else { panic!("a plan is an object") };
        let id = match planned.get("id").as_str() {
            Some(id) => id.to_owned(),
            None => format!("note-{}", self.world.next_number()),
        };
        members.insert("id".to_owned(), Value::string(id.as_str()));
        self.write(&id, (prior, planned, &request.config), "key");
        let locks = planned.get("locks").as_elements().unwrap_or_default();
        let configured = request.config.get("locks").as_elements().unwrap_or_default();
        let before = prior.get("locks").as_elements().unwrap_or_default();
        for (index, (lock, config)) in locks.iter().zip(configured).enumerate() {
            let prior = before.get(index).unwrap_or(&Value::Null);
            self.write(&format!("{id}/{index}"), (prior, lock, config), "pin");
        }
        let state = Value::Map(members);
        self.world.things().insert(id, state.clone());
        Applied { state: Some(state), ..Applied::default() }
    }
}

impl Resource for Note {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn schema(&self) -> Schema {
        let [pin, pin_version] = Attribute::write_only_pair("pin", Type::Number, "opens the lock");
        let [key, key_version] = Attribute::write_only_pair("key", Type::String, "opens the note");
        let attributes = vec![
            Attribute::computed("id", Type::String, "its number").keeps(),
            Attribute::required("text", Type::String, "what it says"),
            Attribute::optional("paper", Type::String, "what it is written on").replaces(),
            Attribute::optional("locks", Kind::list(vec![pin, pin_version]), "more keys"),
            key,
            key_version,
        ];
        Schema { version: 0, description: "A note.".to_owned(), attributes }
    }

    fn validate<'a>(&'a self, _: &'a Cx, config: &'a Value) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async move {
            match config.get("key_wo").as_str() {
                Some("weak") => Diagnostic::error("Weak key", "Choose another one.").into(),
                _ => Diagnostics::new(),
            }
        })
    }

    fn plan<'a>(&'a self, _: &'a Cx, request: PlanRequest) -> BoxFuture<'a, Planned> {
        Box::pin(async move {
            let mut planned = Planned { value: Some(request.proposed), private: request.private, ..Planned::default() };
            // the configuration has the value, nothing else has it
            if request.config.get("key_wo").as_str() == Some("new lock") {
                planned.requires_replace.push(tf_value::Path::of("key_wo"));
            }
            planned
        })
    }

    fn plan_destroy<'a>(&'a self, _: &'a Cx, _: &'a Value, _: &'a Private) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async { Diagnostics::new() })
    }

    fn create<'a>(&'a self, _: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            let text = request.config.get("text").as_str().unwrap_or_default().to_owned();
            locked(&self.world.history).push(format!("create {text}"));
            match text.as_str() {
                "fails" => Applied { diagnostics: Diagnostic::error("Create failed", "A fault.").into(), ..Applied::default() },
                "half" => {
                    Applied { diagnostics: Diagnostic::error("Create half done", "A fault.").into(), ..self.store(&request) }
                }
                _ => self.store(&request),
            }
        })
    }

    fn read<'a>(&'a self, _: &'a Cx, state: Value, private: Private) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            let state = state.get("id").as_str().and_then(|id| self.world.things().get(id).cloned());
            Applied { state, private, diagnostics: Diagnostics::new() }
        })
    }

    fn update<'a>(&'a self, _: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move { self.store(&request) })
    }

    fn delete<'a>(&'a self, _: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            let prior = request.prior.expect("a delete has a prior state");
            let text = prior.get("text").as_str().unwrap_or_default();
            locked(&self.world.history).push(format!("delete {text}"));
            if text == "sticks" {
                return Applied { diagnostics: Diagnostic::error("Delete failed", "A fault.").into(), ..Applied::default() };
            }
            self.world.things().remove(prior.get("id").as_str().expect("a state has an id"));
            Applied::default()
        })
    }

    fn import<'a>(&'a self, _: &'a Cx, by: &'a ImportBy) -> BoxFuture<'a, Result<Vec<Imported>, Diagnostics>> {
        Box::pin(async move {
            let id = match by {
                ImportBy::Id(id) => id.as_str(),
                ImportBy::Identity(identity) => identity.get("id").as_str().expect("a required attribute is set"),
            };
            let state = self.world.things().get(id).cloned();
            Ok(state.map(|state| Imported { state, private: Vec::new() }).into_iter().collect())
        })
    }

    fn upgrade(&self, _: u64, state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        Ok(state)
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        let attributes = vec![IdentityAttribute::required("id", Type::String, "its number")];
        (self.type_name == "toy_note").then_some(IdentitySchema { version: 1, attributes })
    }

    fn identity(&self, state: &Value) -> Option<Value> {
        Some(Value::map([("id", state.get("id").clone())]))
    }

    /// Version 0 had `number` for `id`.
    fn upgrade_identity(&self, _: u64, identity: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        Ok(serde_json::json!({ "id": format!("note-{}", identity["number"]) }))
    }

    /// Takes over `paper_note` of any provider whose address ends in `/paper`: its number, and its text where it has one.
    fn move_state(&self, source: &MoveSource) -> Option<Result<Moved, Diagnostics>> {
        if !source.provider_address.ends_with("/paper") || source.type_name != "paper_note" {
            return None;
        }
        let Some(number) = source.state["number"].as_u64() else {
            return Some(Err(Diagnostic::error("Note cannot be taken over", "It has no number.").into()));
        };
        let (text, key) = match source.state["text"].as_str() {
            Some("panic") => panic!("move_state was asked to panic"),
            Some("unknown") => (Value::unknown(), Value::Null),
            Some(text) => (Value::string(text), Value::string("would leak")),
            None => (Value::Null, Value::Null),
        };
        let state = Value::map([("id", Value::string(format!("note-{number}"))), ("text", text), ("key_wo", key)]);
        let private = format!("{} {:?}", source.schema_version, source.identity).into_bytes();
        Some(Ok(Moved { state, private }))
    }
}
