//! A provider of things that live in memory, with every kind of attribute and with faults on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tf_value::schema::{Attribute, FunctionSchema, IdentityAttribute, IdentitySchema, Kind, Nesting, Parameter, Schema};
use tf_value::{Diagnostic, Diagnostics, Path, Reader, Tf, Type, Value};
use tokio::sync::mpsc::UnboundedSender;

use super::note::Note;
use crate::{
    Applied, ApplyRequest, BoxFuture, Cx, DataSource, Function, FunctionError, ImportBy, Imported, PlanRequest, Planned, Private,
    Provider, Resource,
};

/// What goes wrong in the next call of the kind that it names; afterwards all is well again.
#[derive(Clone, Debug, Default)]
pub(crate) enum Fault {
    #[default]
    None,
    /// create panics before anything is recorded
    PanicInCreate,
    /// create panics after the object exists and is recorded
    PanicAfterCheckpoint,
    /// create fails with nothing left
    FailCreate,
    /// create fails after the object exists
    FailAfterCreate,
    /// create gives neither state nor error
    LoseCreate,
    /// the result has an unknown value
    LeaveUnknown,
    /// the result differs from the plan
    BreakPromise,
    /// the result is no value of the schema
    WrongType,
    /// create says that it has begun and waits until it is cancelled
    WaitForCancel(UnboundedSender<()>),
    /// update panics
    PanicInUpdate,
    /// delete fails and says that nothing is left
    FailDelete,
    /// delete leaves the object without a word
    LeaveOnDelete,
    /// delete panics
    PanicInDelete,
    /// read fails
    FailRead,
    /// read panics
    PanicInRead,
    /// plan panics
    PanicInPlan,
    /// plan changes a configured value
    PlanOtherValue,
    /// plan gives neither value nor error
    PlanNothing,
    /// plan names a path that does not exist
    PlanWrongPath,
    /// plan_destroy refuses
    RefuseDestroy,
    /// the identity is another one
    OtherIdentity,
    /// the identity is of another type
    WrongIdentity,
    /// the identity panics
    PanicInIdentity,
}

/// What exists outside of Terraform.
#[derive(Debug, Default)]
pub(crate) struct World {
    things: Mutex<BTreeMap<String, Value>>,
    fault: Mutex<Fault>,
    numbers: Mutex<i64>,
    configured: Mutex<Option<Value>>,
    /// so many identities are right before one is wrong
    pub(super) whole_identities: Mutex<usize>,
    /// write-only values of notes, as they were written last
    pub(super) keys: Mutex<BTreeMap<String, Value>>,
    /// creates and deletes of notes in their order
    pub(super) history: Mutex<Vec<String>>,
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn break_with(&self, fault: Fault) {
        *locked(&self.fault) = fault;
    }

    /// The fault, if `applies` says that it is one of this call.
    pub(super) fn fault(&self, applies: impl Fn(&Fault) -> bool) -> Fault {
        let mut fault = locked(&self.fault);
        if applies(&fault) { std::mem::take(&mut *fault) } else { Fault::None }
    }

    pub(crate) fn things(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        locked(&self.things)
    }

    pub(crate) fn configured(&self) -> Option<Value> {
        locked(&self.configured).clone()
    }

    pub(super) fn next_number(&self) -> i64 {
        let mut number = locked(&self.numbers);
        *number += 1;
        *number
    }
}

pub(crate) struct Toy {
    world: Arc<World>,
}

impl Toy {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world }
    }
}

impl Provider for Toy {
    fn schema(&self) -> Schema {
        let attributes = vec![
            Attribute::optional("region", Type::String, "where").default(Value::string("here")),
            Attribute::optional("strict", Type::Bool, "refuse everything"),
        ];
        Schema { version: 0, description: "A toy.".to_owned(), attributes }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        if *config.get("strict") == Value::Bool(true) {
            diagnostics.error(&Path::of("strict"), "Too strict", "Nothing would work. Remove the attribute.");
        }
        diagnostics
    }

    fn configure<'a>(&'a self, _: &'a Cx, version: &'a str, config: Value) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async move {
            assert!(!version.is_empty(), "core says its version");
            *locked(&self.world.configured) = Some(config);
            Diagnostics::new()
        })
    }

    fn resources(&self) -> Vec<Arc<dyn Resource>> {
        let world = || Arc::clone(&self.world);
        vec![Arc::new(Thing { world: world() }), Arc::new(Note::new(world())), Arc::new(Note::nameless(world()))]
    }

    fn data_sources(&self) -> Vec<Arc<dyn DataSource>> {
        vec![Arc::new(Lookup)]
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        vec![Arc::new(Join), Arc::new(Echo)]
    }
}

pub(crate) struct Thing {
    world: Arc<World>,
}

/// The nested attributes all have one that the provider fills in and keeps.
fn uid() -> Attribute {
    Attribute::computed("uid", Type::String, "given by the provider").keeps()
}

pub(crate) fn thing_schema() -> Schema {
    let [secret, secret_version] = Attribute::write_only_pair("secret", Type::String, "never stored");
    let single = vec![
        Attribute::required("port", Type::Number, "a port"),
        Attribute::optional("note", Type::String, "a note").default(Value::string("none")),
        uid(),
    ];
    let rules = vec![
        Attribute::required("path", Type::String, "a path"),
        Attribute::optional("weight", Type::Number, "a weight").default(Value::int(1)),
        Attribute::optional("zone", Type::String, "a zone").replaces(),
        uid(),
    ];
    let members = vec![
        Attribute::required("name", Type::String, "a name"),
        Attribute::optional("role", Type::String, "a role").default(Value::string("member")),
        uid(),
    ];
    let by_key = vec![Attribute::optional("value", Type::String, "a value"), uid()];
    let policy = vec![Attribute::optional("level", Type::String, "a level"), uid()];
    let attributes = vec![
        Attribute::computed("id", Type::String, "name in the world").keeps(),
        Attribute::required("name", Type::String, "a name").replaces(),
        Attribute::optional("size", Type::Number, "any number"),
        Attribute::optional("weight", Type::Number, "a number").default(Value::int(10)),
        Attribute::optional("tags", Type::set(Type::String), "words"),
        Attribute::optional("labels", Type::map(Type::String), "words by key"),
        Attribute::optional("sizes", Type::list(Type::Number), "numbers"),
        Attribute::optional("any", Type::Dynamic, "anything"),
        Attribute::optional("host", Type::String, "a host; upper and lower case are the same"),
        Attribute::optional("token", Type::String, "a token").sensitive(),
        secret,
        secret_version,
        Attribute::computed("revision", Type::Number, "counts changes"),
        Attribute::optional("single", Kind::single(single), "one object"),
        Attribute::optional("rules", Kind::list(rules), "objects in order"),
        Attribute::optional("members", Kind::Nested(Nesting::Set, members), "objects without order"),
        Attribute::optional("by_key", Kind::map(by_key), "objects by key"),
        Attribute::optional_computed("policy", Kind::single(policy), "one object, or one by the provider"),
    ];
    Schema { version: 2, description: "A thing.".to_owned(), attributes }
}

impl Thing {
    /// The planned value with everything unknown made up.
    fn made_up(&self, ty: &Type, planned: &Value) -> Value {
        match (ty, planned) {
            (Type::Number, Value::Unknown(_)) => Value::int(self.world.next_number()),
            // a level is the user's alone: an object of the provider's making has none
            (Type::Object(attributes), Value::Unknown(_)) => Value::map(attributes.iter().map(|(name, ty)| {
                let value = if name == "level" { Value::Null } else { self.made_up(ty, planned) };
                (name.as_str(), value)
            })),
            (_, Value::Unknown(_)) => Value::string(format!("made-up-{}", self.world.next_number())),
            (Type::Object(attributes), Value::Map(_)) => {
                Value::map(attributes.iter().map(|(name, ty)| (name.as_str(), self.made_up(ty, planned.get(name)))))
            }
            (Type::Map(ty), Value::Map(entries)) => {
                Value::map(entries.iter().map(|(key, value)| (key.as_str(), self.made_up(ty, value))))
            }
            (Type::List(ty), Value::List(elements)) => {
                Value::List(elements.iter().map(|value| self.made_up(ty, value)).collect())
            }
            (Type::Set(ty), Value::Set(elements)) => Value::set(elements.iter().map(|value| self.made_up(ty, value))),
            _ => planned.clone(),
        }
    }

    fn store(&self, request: &ApplyRequest) -> (String, Value) {
        let planned = request.planned.as_ref().expect("only a delete has no plan");
        let state = self.made_up(&thing_schema().ty(), planned);
        let id = state.get("id").as_str().expect("an id is kept or made up").to_owned();
        self.world.things().insert(id.clone(), state.clone());
        (id, state)
    }
}

fn error(summary: &str) -> Diagnostics {
    Diagnostic::error(summary, "A fault of the toy.").into()
}

impl Resource for Thing {
    fn type_name(&self) -> &'static str {
        "toy_thing"
    }

    fn schema(&self) -> Schema {
        thing_schema()
    }

    fn validate<'a>(&'a self, _: &'a Cx, config: &'a Value) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async move {
            let mut diagnostics = Diagnostics::new();
            let root = Reader::root(config);
            for list in ["rules", "members"] {
                let Tf::Known(elements) = root.attribute(list).elements() else { continue };
                for element in elements {
                    let name = element.attribute(if list == "rules" { "path" } else { "name" });
                    if name.string() == Tf::Known("bad") {
                        diagnostics.error(&name.path, "Bad name", "Choose another one.");
                    }
                }
            }
            if root.attribute("name").string() == Tf::Known("panic in validate") {
                panic!("validate was asked to panic");
            }
            if root.attribute("name").string() == Tf::Known("path by hand") {
                diagnostics.error(&Path::of("members").attribute("name"), "Bad name", "Choose another one.");
            }
            diagnostics
        })
    }

    /// The same host in other letters is no change.
    fn normalise(&self, prior: &Value, proposed: Value) -> Value {
        let Value::Map(mut members) = proposed else { return proposed };
        if let Some(before) = prior.get("host").as_str()
            && members["host"].as_str().is_some_and(|host| host.eq_ignore_ascii_case(before))
        {
            members.insert("host".to_owned(), Value::string(before));
        }
        Value::Map(members)
    }

    fn plan<'a>(&'a self, _: &'a Cx, request: PlanRequest) -> BoxFuture<'a, Planned> {
        Box::pin(async move {
            let PlanRequest { config: _, prior: _, proposed, private } = request;
            let Value::Map(mut members) = proposed else { panic!("a proposal is an object") };
            let mut planned = Planned { private, ..Planned::default() };
            match self.world.fault(|fault| {
                matches!(fault, Fault::PanicInPlan | Fault::PlanOtherValue | Fault::PlanNothing | Fault::PlanWrongPath)
            }) {
                Fault::PanicInPlan => panic!("plan was asked to panic"),
                Fault::PlanOtherValue => drop(members.insert("name".to_owned(), Value::string("another"))),
                Fault::PlanNothing => return planned,
                Fault::PlanWrongPath => planned.requires_replace.push(Path::of("rules").index(99)),
                _ => {}
            }
            planned.value = Some(Value::Map(members));
            planned
        })
    }

    fn plan_destroy<'a>(&'a self, _: &'a Cx, _: &'a Value, _: &'a Private) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async move {
            match self.world.fault(|fault| matches!(fault, Fault::RefuseDestroy)) {
                Fault::RefuseDestroy => error("Destroy refused"),
                _ => Diagnostics::new(),
            }
        })
    }

    fn create<'a>(&'a self, cx: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            assert!(!cx.cancel.is_cancelled(), "a new call starts with a fresh token");
            match self.world.fault(|_| true) {
                Fault::PanicInCreate => panic!("create was asked to panic"),
                Fault::FailCreate => return Applied { diagnostics: error("Create failed"), ..Applied::default() },
                Fault::LoseCreate => return Applied::default(),
                Fault::PanicAfterCheckpoint => {
                    let (_, state) = self.store(&request);
                    cx.checkpoint(state, b"checkpoint".to_vec());
                    panic!("create was asked to panic late");
                }
                Fault::FailAfterCreate => {
                    let (_, state) = self.store(&request);
                    return Applied { state: Some(state), private: Vec::new(), diagnostics: error("Create half done") };
                }
                Fault::WaitForCancel(begun) => {
                    let planned = request.planned.clone().expect("a create has a plan");
                    begun.send(()).expect("the test listens");
                    cx.cancel.cancelled().await;
                    return Applied { state: Some(planned), private: Vec::new(), diagnostics: error("Cancelled") };
                }
                Fault::LeaveUnknown => {
                    let state = request.planned.clone();
                    return Applied { state, ..Applied::default() };
                }
                Fault::BreakPromise => {
                    let (_, state) = self.store(&request);
                    let Value::Map(mut members) = state else { panic!("a state is an object") };
                    members.insert("weight".to_owned(), Value::int(-1));
                    return Applied { state: Some(Value::Map(members)), ..Applied::default() };
                }
                Fault::WrongType => {
                    let (_, state) = self.store(&request);
                    cx.checkpoint(state, Vec::new());
                    return Applied { state: Some(Value::Bool(true)), ..Applied::default() };
                }
                _ => {}
            }
            let (_, state) = self.store(&request);
            Applied { state: Some(state), private: b"created".to_vec(), diagnostics: Diagnostics::new() }
        })
    }

    fn read<'a>(&'a self, _: &'a Cx, state: Value, private: Private) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            match self.world.fault(|fault| matches!(fault, Fault::FailRead | Fault::PanicInRead)) {
                Fault::FailRead => return Applied { diagnostics: error("Read failed"), ..Applied::default() },
                Fault::PanicInRead => panic!("read was asked to panic"),
                _ => {}
            }
            let id = state.get("id").as_str().unwrap_or_default().to_owned();
            let state = self.world.things().get(&id).cloned();
            Applied { state, private, diagnostics: Diagnostics::new() }
        })
    }

    fn update<'a>(&'a self, _: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            if let Fault::PanicInUpdate = self.world.fault(|fault| matches!(fault, Fault::PanicInUpdate)) {
                panic!("update was asked to panic");
            }
            let (_, state) = self.store(&request);
            let private = [request.private.as_slice(), b"+updated"].concat();
            Applied { state: Some(state), private, diagnostics: Diagnostics::new() }
        })
    }

    fn delete<'a>(&'a self, _: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            let prior = request.prior.expect("a delete has a prior state");
            match self.world.fault(|fault| matches!(fault, Fault::FailDelete | Fault::LeaveOnDelete | Fault::PanicInDelete)) {
                Fault::FailDelete => return Applied { diagnostics: error("Delete failed"), ..Applied::default() },
                Fault::LeaveOnDelete => return Applied { state: Some(prior), ..Applied::default() },
                Fault::PanicInDelete => panic!("delete was asked to panic"),
                _ => {}
            }
            self.world.things().remove(prior.get("id").as_str().expect("a state has an id"));
            Applied::default()
        })
    }

    fn import<'a>(&'a self, _: &'a Cx, by: &'a ImportBy) -> BoxFuture<'a, Result<Vec<Imported>, Diagnostics>> {
        Box::pin(async move {
            let things = self.world.things();
            let state = match by {
                ImportBy::Id(id) if id == "refused" => return Err(error("Import refused")),
                ImportBy::Id(id) => things.get(id).cloned(),
                ImportBy::Identity(identity) => {
                    let mut named = things.values().filter(|thing| thing.get("name") == identity.get("name"));
                    named.find(|_| [&Value::Null, &Value::string("here")].contains(&identity.get("place"))).cloned()
                }
            };
            Ok(state.map(|state| Imported { state, private: b"imported".to_vec() }).into_iter().collect())
        })
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        let place = IdentityAttribute::optional("place", Type::String, "where it is");
        Some(IdentitySchema::new(vec![IdentityAttribute::required("name", Type::String, "its name"), place]))
    }

    fn identity(&self, state: &Value) -> Option<Value> {
        let mut whole = locked(&self.world.whole_identities);
        let is_due = *whole == 0;
        *whole = whole.saturating_sub(1);
        drop(whole);
        let name = match self
            .world
            .fault(|fault| is_due && matches!(fault, Fault::OtherIdentity | Fault::WrongIdentity | Fault::PanicInIdentity))
        {
            Fault::OtherIdentity => Value::string("another"),
            Fault::WrongIdentity => Value::int(1),
            Fault::PanicInIdentity => panic!("identity was asked to panic"),
            _ => state.get("name").clone(),
        };
        Some(Value::map([("name", name), ("place", Value::string("here"))]))
    }

    /// Version 1 had `title` for `name`; version 0 is not known any more.
    fn upgrade(&self, from: u64, mut state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        if from == 0 {
            return Err(error("Version 0 is too old"));
        }
        let members = state.as_object_mut().expect("a state is an object");
        let title = members.remove("title").unwrap_or_default();
        members.insert("name".to_owned(), title);
        Ok(state)
    }
}

struct Lookup;

impl DataSource for Lookup {
    fn type_name(&self) -> &'static str {
        "toy_lookup"
    }

    fn schema(&self) -> Schema {
        let attributes = vec![
            Attribute::required("name", Type::String, "what to look up"),
            Attribute::optional("limit", Type::Number, "at most so many").default(Value::int(2)),
            Attribute::computed("found", Type::list(Type::String), "what was found"),
        ];
        Schema { version: 0, description: "Looks up.".to_owned(), attributes }
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        if config.get("name").as_str() == Some("bad") {
            diagnostics.error(&Path::of("name"), "Bad name", "Choose another one.");
        }
        diagnostics
    }

    fn read<'a>(&'a self, _: &'a Cx, config: Value) -> BoxFuture<'a, Applied> {
        Box::pin(async move {
            let name = config.get("name").as_str().expect("a required argument is set").to_owned();
            let Value::Map(mut members) = config else { panic!("a configuration is an object") };
            let limit = members["limit"].as_number().and_then(tf_value::Number::as_i64).expect("a default is filled in");
            let found = (0..limit).take(100).map(|number| format!("{name}-{number}"));
            members.insert("found".to_owned(), Value::strings(found));
            match name.as_str() {
                "missing" => return Applied { diagnostics: error("Nothing found"), ..Applied::default() },
                "silent" => return Applied::default(),
                "unknown" => drop(members.insert("found".to_owned(), Value::unknown())),
                "panic" => panic!("the lookup was asked to panic"),
                _ => {}
            }
            Applied { state: Some(Value::Map(members)), ..Applied::default() }
        })
    }
}

fn parameter(name: &str, ty: Type, open: bool) -> Parameter {
    Parameter { name: name.to_owned(), description: name.to_owned(), ty, allow_null: open, allow_unknown: open }
}

struct Join;

impl Function for Join {
    fn name(&self) -> &'static str {
        "join"
    }

    fn schema(&self) -> FunctionSchema {
        FunctionSchema {
            summary: "Joins".to_owned(),
            description: "Joins words.".to_owned(),
            parameters: vec![parameter("separator", Type::String, false)],
            variadic: Some(parameter("words", Type::String, false)),
            returns: Type::String,
        }
    }

    fn call(&self, arguments: Vec<Value>) -> Result<Value, FunctionError> {
        let words: Vec<&str> = arguments.iter().filter_map(Value::as_str).collect();
        let (separator, words) = words.split_first().expect("the first argument is required");
        if let Some(position) = words.iter().position(|word| word.contains(separator)) {
            let argument = i64::try_from(position + 1).ok();
            return Err(FunctionError { text: "The word holds the separator.".to_owned(), argument });
        }
        assert!(*separator != "panic", "join was asked to panic");
        if *separator == "wrong" {
            return Ok(Value::int(1));
        }
        Ok(Value::string(words.join(separator)))
    }
}

struct Echo;

impl Function for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn schema(&self) -> FunctionSchema {
        FunctionSchema {
            summary: "Echoes".to_owned(),
            description: "Gives back what it gets.".to_owned(),
            parameters: vec![parameter("anything", Type::Dynamic, true)],
            variadic: None,
            returns: Type::Dynamic,
        }
    }

    fn call(&self, mut arguments: Vec<Value>) -> Result<Value, FunctionError> {
        Ok(arguments.remove(0))
    }
}
