//! A provider of notes in a folder, never shipped: the acceptance tests run it under the real CLIs to see what they do with
//! identities, moves and write-only values.
//!
//! Each `toy_note` is a file `<name>.json`; `history` has a line for every create and delete. `toy_letter` is the type that
//! notes once had.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};
use tf_server::transport::{Mode, Options};
use tf_server::{
    Applied, ApplyRequest, BoxFuture, Cx, DataSource, Function, ImportBy, Imported, MoveSource, Moved, PlanRequest, Planned,
    Private, Provider, Resource, write_only_change,
};
use tf_value::schema::{Attribute, IdentityAttribute, IdentitySchema, Kind, Schema};
use tf_value::{Diagnostic, Diagnostics, Type, Value};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let options = Options { name: "toy", source: "example/gloo", mode: Mode::Plugin, leaving: CancellationToken::new() };
    tf_server::serve(Arc::new(Toy::default()), options)
}

#[derive(Default)]
struct Toy {
    folder: Arc<Mutex<PathBuf>>,
}

impl Provider for Toy {
    fn schema(&self) -> Schema {
        let attributes = vec![Attribute::required("folder", Type::String, "Where the notes are.")];
        Schema { version: 0, description: "Notes in a folder.".to_owned(), attributes }
    }

    fn validate(&self, _: &Value) -> Diagnostics {
        Diagnostics::new()
    }

    fn configure<'a>(&'a self, _: &'a Cx, _: &'a str, config: Value) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async move {
            let folder = config.get("folder").as_str().map(PathBuf::from).unwrap_or_default();
            *self.folder.lock().unwrap_or_else(PoisonError::into_inner) = folder;
            Diagnostics::new()
        })
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        let sheet = |is_note| Arc::new(Sheet { folder: Arc::clone(&self.folder), is_note }) as Arc<dyn Resource>;
        vec![sheet(true), sheet(false)]
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        Vec::new()
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        Vec::new()
    }
}

/// A note, or a letter: that one calls its name a title.
struct Sheet {
    folder: Arc<Mutex<PathBuf>>,
    is_note: bool,
}

fn name_of(state: &Value) -> &str {
    [state.get("name"), state.get("title")].into_iter().find_map(Value::as_str).unwrap_or_default()
}

fn failed(error: impl std::fmt::Display) -> Diagnostics {
    Diagnostic::error("File trouble", error.to_string()).into()
}

impl Sheet {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.lock().unwrap_or_else(PoisonError::into_inner).join(format!("{name}.json"))
    }

    fn tell(&self, what: &str, name: &str) -> std::io::Result<()> {
        let history = self.file("history").with_extension("");
        let mut history = std::fs::File::options().create(true).append(true).open(history)?;
        writeln!(history, "{what} {name}")
    }

    fn load(&self, name: &str) -> Option<Json> {
        serde_json::from_slice(&std::fs::read(self.file(name)).ok()?).ok()
    }

    /// Text and secrets as they are to be, into the file.
    fn write(&self, request: &ApplyRequest) -> std::io::Result<Value> {
        let planned = request.planned.as_ref().expect("only a delete has no plan");
        let prior = request.prior.as_ref().unwrap_or(&Value::Null);
        let name = name_of(planned);
        let mut file = self.load(name).unwrap_or_else(|| json!({ "pins": [] }));
        file["text"] = json!(planned.get("text").as_str());
        if let Some(key) = write_only_change(prior, planned, &request.config, "key") {
            file["key"] = json!(key.as_str());
        }
        let elements = |object: &Value| object.get("locks").as_elements().unwrap_or_default().to_vec();
        let (before, locks, configured) = (elements(prior), elements(planned), elements(&request.config));
        for (index, (lock, config)) in locks.iter().zip(&configured).enumerate() {
            let prior = before.get(index).unwrap_or(&Value::Null);
            if let Some(pin) = write_only_change(prior, lock, config, "pin") {
                file[format!("pin {index}")] = json!(pin.as_number().map(ToString::to_string));
            }
        }
        let Value::Map(mut members) = planned.clone() else { panic!("a plan is an object") };
        members.insert("serial".to_owned(), Value::string(format!("serial-{name}")));
        std::fs::write(self.file(name), file.to_string())?;
        Ok(Value::Map(members))
    }

    fn applied(&self, request: &ApplyRequest) -> Applied {
        match self.write(request) {
            Ok(state) => Applied { state: Some(state), ..Applied::default() },
            Err(error) => Applied { diagnostics: failed(error), ..Applied::default() },
        }
    }

    /// The state of what is there, with `state` for what the file does not tell.
    fn seen(&self, state: Value) -> Option<Value> {
        let file = self.load(name_of(&state))?;
        let Value::Map(mut members) = state else { return None };
        members.insert("text".to_owned(), file["text"].as_str().map_or(Value::Null, Value::string));
        Some(Value::Map(members))
    }

    fn bare(&self, name: &str) -> Value {
        let members = self.schema().attributes.into_iter().map(|attribute| {
            let value = match attribute.name.as_str() {
                "name" | "title" => Value::string(name),
                "serial" => Value::string(format!("serial-{name}")),
                _ => Value::Null,
            };
            (attribute.name, value)
        });
        Value::map(members)
    }
}

impl Resource for Sheet {
    fn type_name(&self) -> &'static str {
        if self.is_note { "toy_note" } else { "toy_letter" }
    }

    fn schema(&self) -> Schema {
        let mut attributes = vec![
            Attribute::required(if self.is_note { "name" } else { "title" }, Type::String, "Its name.").replaces(),
            Attribute::optional("text", Type::String, "What it says."),
            Attribute::computed("serial", Type::String, "Given by the provider.").keeps(),
        ];
        if self.is_note {
            let mut lock = vec![Attribute::optional("colour", Type::String, "What it looks like.")];
            lock.extend(Attribute::write_only_pair("pin", Type::Number, "Opens the lock."));
            attributes.push(Attribute::optional("locks", Kind::list(lock), "More keys."));
            attributes.extend(Attribute::write_only_pair("key", Type::String, "Opens the note."));
        }
        Schema { version: 0, description: "A sheet of paper.".to_owned(), attributes }
    }

    fn validate<'a>(&'a self, _: &'a Cx, _: &'a Value) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async { Diagnostics::new() })
    }

    fn plan<'a>(&'a self, _: &'a Cx, request: PlanRequest) -> BoxFuture<'a, Planned> {
        let PlanRequest { proposed, private, .. } = request;
        Box::pin(async move { Planned { value: Some(proposed), private, ..Planned::default() } })
    }

    fn plan_destroy<'a>(&'a self, _: &'a Cx, _: &'a Value, _: &'a Private) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async { Diagnostics::new() })
    }

    fn create<'a>(&'a self, _: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            let name = request.planned.as_ref().map(name_of).unwrap_or_default();
            match self.tell("create", name) {
                Ok(()) => self.applied(&request),
                Err(error) => Applied { diagnostics: failed(error), ..Applied::default() },
            }
        })
    }

    fn read<'a>(&'a self, _: &'a Cx, state: Value, private: Private) -> BoxFuture<'a, Applied> {
        Box::pin(async move { Applied { state: self.seen(state), private, diagnostics: Diagnostics::new() } })
    }

    fn update<'a>(&'a self, _: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move { self.applied(&request) })
    }

    fn delete<'a>(&'a self, _: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            let name = request.prior.as_ref().map(name_of).unwrap_or_default();
            match self.tell("delete", name).and_then(|()| std::fs::remove_file(self.file(name))) {
                Ok(()) => Applied::default(),
                Err(error) => Applied { diagnostics: failed(error), ..Applied::default() },
            }
        })
    }

    fn import<'a>(&'a self, _: &'a Cx, by: &'a ImportBy) -> BoxFuture<'a, Result<Vec<Imported>, Diagnostics>> {
        Box::pin(async move {
            let name = match by {
                ImportBy::Id(id) => id.as_str(),
                ImportBy::Identity(identity) => name_of(identity),
            };
            let state = self.seen(self.bare(name));
            Ok(state.map(|state| Imported { state, private: Private::new() }).into_iter().collect())
        })
    }

    fn upgrade(&self, _: u64, state: Json) -> Result<Json, Diagnostics> {
        Ok(state)
    }

    /// The serial of a note is not known before create, so its identity is not either.
    fn identity_schema(&self) -> Option<IdentitySchema> {
        if !self.is_note {
            return Some(IdentitySchema::new(vec![IdentityAttribute::required("title", Type::String, "Its title.")]));
        }
        let name = IdentityAttribute::required("name", Type::String, "Its name.");
        let serial = IdentityAttribute::optional("serial", Type::String, "Given by the provider.");
        Some(IdentitySchema { version: 1, attributes: vec![name, serial] })
    }

    /// Version 0 is what a letter has: OpenTofu 1.12 leaves the identity of the source at a moved state.
    fn upgrade_identity(&self, _: u64, identity: Json) -> Result<Json, Diagnostics> {
        Ok(json!({ "name": identity["title"] }))
    }

    fn identity(&self, state: &Value) -> Option<Value> {
        let names: &[&str] = if self.is_note { &["name", "serial"] } else { &["title"] };
        Some(Value::map(names.iter().map(|name| (*name, state.get(name).clone()))))
    }

    fn move_state(&self, source: &MoveSource) -> Option<Result<Moved, Diagnostics>> {
        if !self.is_note || source.type_name != "toy_letter" {
            return None;
        }
        let text = |name: &str| source.state[name].as_str().map_or(Value::Null, Value::string);
        let state = Value::map([("name", text("title")), ("text", text("text")), ("serial", text("serial"))]);
        Some(Ok(Moved { state, private: source.private.clone() }))
    }
}
