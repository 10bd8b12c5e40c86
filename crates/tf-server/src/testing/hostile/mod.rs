//! Requests that no core sends: parts of real ones, values by chance, damaged bytes. To each of them a provider gives an
//! answer, if only a refusal: it never panics, and it takes no memory that a request only claims to need.
//!
//! ```text
//! seed ─► Dice ─► request as bytes ─► (damage) ─► message ─► Server ─► verdict
//! ```
//!
//! A stack that overflows and memory that is not there end the process: [`is_watched`] therefore runs a test once more in a
//! process of its own, with a limit to its memory, and tells the request that ended it.

mod dice;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::Command;

use prost::Message;
use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::provider_server::Provider as _;
use tf_value::codec::{json, msgpack};
use tf_value::{Type, Value};
use tonic::{Code, Request};

use self::dice::Dice;
use super::schema::Catalogue;
use super::{Core, Instance};
use crate::Server;

/// Where the process that is watched notes the request that it is about to send.
const NOTE: &str = "GLOO_HOSTILE_NOTE";

/// Address space of that process, in KiB: many times what it needs, and a fraction of what 2^32 elements take.
const LIMIT: usize = 3 << 20;

/// Part of every diagnostic that stands for a panic.
const PANICKED: &str = "stopped unexpectedly";

/// Part of every diagnostic about a value that is none of its schema.
const MISUNDERSTOOD: &str = "does not match";

macro_rules! rpcs {
    ($($rpc:ident),* $(,)?) => {
        /// Every call that answers with one message.
        const RPCS: &[&str] = &[$(stringify!($rpc)),*];

        /// The answer as bytes; `None` when the bytes are no message, which the transport refuses by itself.
        async fn call(server: Server, rpc: &str, bytes: &[u8]) -> Option<Result<Vec<u8>, String>> {
            match rpc {
                $(stringify!($rpc) => {
                    let request = proto::$rpc::Request::decode(bytes).ok()?;
                    let answer = tokio::spawn(async move { server.$rpc(Request::new(request)).await }).await;
                    Some(match answer {
                        Ok(Ok(response)) => Ok(response.into_inner().encode_to_vec()),
                        // what this provider does not have at all
                        Ok(Err(status)) if status.code() == Code::Unimplemented => Ok(Vec::new()),
                        Ok(Err(status)) => Err(format!("a status instead of diagnostics: {status}")),
                        Err(panic) => Err(panic.to_string()),
                    })
                })*
                _ => None,
            }
        }
    };
}

rpcs![
    validate_provider_config,
    validate_resource_config,
    validate_data_resource_config,
    configure_provider,
    upgrade_resource_state,
    upgrade_resource_identity,
    read_resource,
    plan_resource_change,
    apply_resource_change,
    import_resource_state,
    move_resource_state,
    read_data_source,
    call_function,
    // from here on nothing is read, or nothing is there
    get_metadata,
    get_provider_schema,
    get_resource_identity_schemas,
    get_functions,
    stop_provider,
    generate_resource_config,
    validate_ephemeral_resource_config,
    open_ephemeral_resource,
    renew_ephemeral_resource,
    close_ephemeral_resource,
    validate_list_resource_config,
    validate_action_config,
    plan_action,
];

/// How many of them read their request.
const READING: usize = 13;

/// What became of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// that were messages, and answered
    pub answered: usize,
    /// whose values were those of their schemas, so that the provider itself looked at them
    pub understood: usize,
}

/// Whom the code of a provider may trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// its panics are defects
    Nobody,
    /// it may rely on what core checks; its panics are diagnostics
    Core,
}

/// Sends hostile requests to one provider.
pub struct Hostile<'a> {
    server: Server,
    catalogue: &'a Catalogue,
    dice: Dice,
    /// what requests are made of: states of resources and their private bytes
    seeds: Vec<(String, Value, Vec<u8>)>,
    without: Vec<&'static str>,
    trusts: Trust,
    /// written in place: a file that is cut off and written anew goes to the disk each time
    note: Option<File>,
}

impl<'a> Hostile<'a> {
    /// Requests to the provider of `core`, with texts that mean something to it, from these instances.
    ///
    /// # Panics
    /// When an instance is none of the provider's.
    #[must_use]
    pub fn new(core: &'a Core, seed: u64, words: &[&str], instances: &[Instance]) -> Self {
        let Core { server, catalogue, .. } = core;
        let seed_of = |instance: &Instance| {
            let ty = core.resource_schema(&instance.type_name).ty();
            let state = json::decode_state(&ty, &instance.state).unwrap_or_else(|error| panic!("{error}"));
            (instance.type_name.clone(), state, instance.private.clone())
        };
        let seeds: Vec<_> = instances.iter().map(seed_of).collect();
        let note = std::env::var_os(NOTE).map(|path| File::create(path).expect("the one who watches can read the note"));
        let pool = seeds.iter().map(|(name, state, _)| (core.resource_schema(name).ty(), state.clone()));
        let dice = Dice::new(seed, words, pool.collect());
        Self { server: server.clone(), catalogue, dice, seeds, without: Vec::new(), trusts: Trust::Nobody, note }
    }

    /// The code behind the server may panic: what it was promised is not kept. The server still answers.
    #[must_use]
    pub fn trusting(self) -> Self {
        Self { trusts: Trust::Core, ..self }
    }

    /// Leaves these calls out.
    #[must_use]
    pub fn without(self, calls: &[&'static str]) -> Self {
        Self { without: calls.to_vec(), ..self }
    }

    /// Sends so many requests.
    ///
    /// # Panics
    /// When the provider does, or gives no answer in words; with the request.
    pub async fn send(&mut self, requests: usize) -> Tally {
        let mut tally = Tally::default();
        for _ in 0..requests {
            let among = if self.dice.once_in(20) { RPCS } else { &RPCS[..READING] };
            let rpc = *self.dice.one(among);
            if self.without.contains(&rpc) {
                continue;
            }
            let mut bytes = self.request(rpc);
            if self.dice.once_in(5) {
                bytes = self.dice.damaged(bytes);
            }
            if let Some(note) = &mut self.note {
                let written = note.rewind().and_then(|()| writeln!(note, "{}", told(rpc, &bytes)));
                written.expect("the note is a file");
            }
            if let Some(answer) = replay(&self.server, self.trusts, rpc, &bytes).await {
                tally.answered += 1;
                tally.understood += usize::from(!contains(&answer, MISUNDERSTOOD.as_bytes()));
            }
        }
        tally
    }

    fn request(&mut self, rpc: &str) -> Vec<u8> {
        let client_capabilities = Some(proto::ClientCapabilities {
            deferral_allowed: self.dice.once_in(2),
            write_only_attributes_allowed: self.dice.once_in(2),
        });
        match rpc {
            "validate_provider_config" => {
                let config = self.dynamic(&self.catalogue.provider.ty(), None);
                proto::validate_provider_config::Request { config }.encode_to_vec()
            }
            "configure_provider" => {
                let config = self.dynamic(&self.catalogue.provider.ty(), None);
                let terraform_version = self.dice.word();
                proto::configure_provider::Request { terraform_version, config, client_capabilities }.encode_to_vec()
            }
            "validate_data_resource_config" => {
                let (type_name, config) = self.data();
                proto::validate_data_resource_config::Request { type_name, config }.encode_to_vec()
            }
            "read_data_source" => {
                let (type_name, config) = self.data();
                let provider_meta = None;
                proto::read_data_source::Request { type_name, config, provider_meta, client_capabilities }.encode_to_vec()
            }
            "call_function" => {
                let function = self.pick(&self.catalogue.functions.keys().cloned().collect::<Vec<_>>());
                let types: Vec<Type> = self.catalogue.functions.get(&function).map_or_else(
                    || vec![Type::Dynamic; 2],
                    |schema| schema.parameters.iter().map(|parameter| parameter.ty.clone()).collect(),
                );
                let count = types.len() + usize::from(self.dice.once_in(8));
                let of = types.iter().cycle().take(count).cloned().collect::<Vec<_>>();
                let arguments = of.iter().filter_map(|ty| self.dynamic(ty, None)).collect();
                proto::call_function::Request { name: function, arguments }.encode_to_vec()
            }
            _ => self.about_a_resource(rpc, client_capabilities),
        }
    }

    fn about_a_resource(&mut self, rpc: &str, client_capabilities: Option<proto::ClientCapabilities>) -> Vec<u8> {
        let seed = if self.seeds.is_empty() { None } else { Some(self.dice.one(&self.seeds).clone()) };
        let (type_name, state, private) = seed.map_or_else(
            || (self.pick(&self.catalogue.resources.keys().cloned().collect::<Vec<_>>()), None, Vec::new()),
            |(type_name, state, private)| (type_name, Some(state), private),
        );
        let type_name = if self.dice.once_in(20) { self.pick(&[type_name]) } else { type_name };
        let ty = self.catalogue.resources.get(&type_name).map_or(Type::Dynamic, tf_value::schema::Schema::ty);
        let state = state.as_ref();
        let private = if self.dice.once_in(4) { self.dice.damaged(private) } else { private };
        let identity = self.identity(&type_name);
        match rpc {
            "validate_resource_config" => {
                proto::validate_resource_config::Request { config: self.dynamic(&ty, state), type_name, client_capabilities }
                    .encode_to_vec()
            }
            "read_resource" => proto::read_resource::Request {
                current_state: self.dynamic(&ty, state),
                type_name,
                private,
                provider_meta: None,
                client_capabilities,
                current_identity: identity,
            }
            .encode_to_vec(),
            "plan_resource_change" => proto::plan_resource_change::Request {
                prior_state: self.dynamic(&ty, state),
                proposed_new_state: self.dynamic(&ty, state),
                config: self.dynamic(&ty, state),
                type_name,
                prior_private: private,
                provider_meta: None,
                client_capabilities,
                prior_identity: identity,
            }
            .encode_to_vec(),
            "apply_resource_change" => proto::apply_resource_change::Request {
                prior_state: self.dynamic(&ty, state),
                planned_state: self.dynamic(&ty, state),
                config: self.dynamic(&ty, state),
                type_name,
                planned_private: private,
                provider_meta: None,
                planned_identity: identity,
            }
            .encode_to_vec(),
            "import_resource_state" => {
                let identity = if self.dice.once_in(2) { identity } else { None };
                proto::import_resource_state::Request { type_name, id: self.dice.word(), client_capabilities, identity }
                    .encode_to_vec()
            }
            "upgrade_resource_state" => {
                let raw_state = self.raw(&ty, state);
                proto::upgrade_resource_state::Request { type_name, version: self.dice.version(), raw_state }.encode_to_vec()
            }
            "upgrade_resource_identity" => {
                let raw_identity = self.raw(&Type::map(Type::String), None);
                proto::upgrade_resource_identity::Request { type_name, version: self.dice.version(), raw_identity }
                    .encode_to_vec()
            }
            "move_resource_state" => proto::move_resource_state::Request {
                source_provider_address: self.dice.word(),
                source_type_name: self.dice.word(),
                source_schema_version: self.dice.version(),
                source_state: self.raw(&ty, state),
                target_type_name: type_name,
                source_private: private,
                source_identity: self.raw(&Type::map(Type::String), None),
                source_identity_schema_version: self.dice.version(),
            }
            .encode_to_vec(),
            // what has no members that this provider reads
            _ => self.dice.bytes(),
        }
    }

    fn data(&mut self) -> (String, Option<proto::DynamicValue>) {
        let name = self.pick(&self.catalogue.data_sources.keys().cloned().collect::<Vec<_>>());
        let ty = self.catalogue.data_sources.get(&name).map_or(Type::Dynamic, tf_value::schema::Schema::ty);
        let config = self.dynamic(&ty, None);
        (name, config)
    }

    fn identity(&mut self, type_name: &str) -> Option<proto::ResourceIdentityData> {
        let ty = self.catalogue.identities.get(type_name)?.ty();
        let identity_data = self.dynamic(&ty, None);
        Some(proto::ResourceIdentityData { identity_data })
    }

    /// Mostly a name that there is.
    fn pick(&mut self, names: &[String]) -> String {
        if names.is_empty() || self.dice.once_in(20) { self.dice.word() } else { self.dice.one(names).clone() }
    }

    /// A value of the type: as it was, changed, or by chance; as msgpack or JSON; whole or damaged; or nothing.
    fn dynamic(&mut self, ty: &Type, seed: Option<&Value>) -> Option<proto::DynamicValue> {
        if self.dice.once_in(12) {
            return None;
        }
        let value = self.near(ty, seed);
        let as_json = if self.dice.once_in(6) { json::encode(ty, &value).ok() } else { None };
        let mut value = match as_json {
            Some(json) => proto::DynamicValue { msgpack: Vec::new(), json: json.to_string().into_bytes() },
            None => proto::DynamicValue { msgpack: msgpack::encode(ty, &value).unwrap_or_default(), json: Vec::new() },
        };
        if self.dice.once_in(6) {
            value = proto::DynamicValue { msgpack: self.dice.damaged(value.msgpack), json: self.dice.damaged(value.json) };
        }
        Some(value)
    }

    fn raw(&mut self, ty: &Type, seed: Option<&Value>) -> Option<proto::RawState> {
        let value = self.near(ty, seed);
        let json = json::encode(ty, &value).map_or_else(|_| self.dice.bytes(), |json| json.to_string().into_bytes());
        let json = if self.dice.once_in(4) { self.dice.damaged(json) } else { json };
        let flatmap = if self.dice.once_in(20) { [(self.dice.word(), self.dice.word())].into() } else { [].into() };
        Some(proto::RawState { json, flatmap })
    }

    fn near(&mut self, ty: &Type, seed: Option<&Value>) -> Value {
        match seed.filter(|seed| seed.conform(ty).is_ok()) {
            Some(seed) if self.dice.once_in(3) => seed.clone(),
            Some(seed) if !self.dice.once_in(8) => {
                (0..=self.dice.below(3)).fold(seed.clone(), |value, _| self.dice.changed(ty, &value))
            }
            _ => self.dice.value(ty),
        }
    }
}

/// Sends one request, as a failure told it; the answer, where it was a message at all.
///
/// # Panics
/// When the provider does, or gives no answer in words; with the request.
pub async fn replay(server: &Server, trusts: Trust, rpc: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let verdict = match call(server.clone(), rpc, bytes).await {
        None => return None,
        Some(Ok(answer)) if trusts == Trust::Core || !contains(&answer, PANICKED.as_bytes()) => return Some(answer),
        Some(Ok(answer)) => String::from_utf8_lossy(&answer).into_owned(),
        Some(Err(problem)) => problem,
    };
    panic!("{verdict}\nafter the request {}", told(rpc, bytes));
}

/// A request as text: the call and its message in hexadecimal digits.
fn told(rpc: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(format!("{rpc} "), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A request that a failure told.
///
/// # Panics
/// When the text is none.
#[must_use]
pub fn request(text: &str) -> (&str, Vec<u8>) {
    let (rpc, digits) = text.split_once(' ').expect("a call and its message");
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (rpc, (0..digits.len()).step_by(2).map(byte).collect())
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// How many requests, from which seed: as `cargo xt soak` says, else these.
///
/// # Panics
/// When what it says is no number.
#[must_use]
pub fn effort(requests: usize) -> (usize, u64) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    // a request takes a tenth of what a case of the other tests takes
    let asked = number("GLOO_SOAK_CASES").map(|cases| usize::try_from(cases).expect("it fits") * 10);
    (asked.unwrap_or(requests), number("GLOO_SOAK_SEED").unwrap_or(1))
}

/// Whether this is the watched process, which does the work; in any other one the test of this name is run in such a process.
///
/// # Panics
/// When that process fails: with what it printed and its last request.
#[must_use]
pub fn is_watched(test: &str) -> bool {
    if std::env::var_os(NOTE).is_some() {
        return true;
    }
    let name = format!("gloo-hostile-{}-{}", std::process::id(), test.replace(':', "-"));
    let note = std::env::temp_dir().join(name);
    let output = watched(test, &note).output().expect("a shell runs");
    let noted = std::fs::read_to_string(&note).unwrap_or_default();
    // behind the first line is the rest of longer ones
    let last = noted.lines().next().unwrap_or_default();
    // there is none when the test has not come so far
    let _ = std::fs::remove_file(&note);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{errors}\nthe last request was {last}", output.status);
    assert!(out.contains("1 passed"), "there is one test {test}:\n{out}");
    false
}

/// The shell sets the limit, where it can: this takes no unsafe code of ours.
fn watched(test: &str, note: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v {LIMIT} 2>/dev/null; exec \"$0\" \"$@\""));
    command.arg(std::env::current_exe().expect("a test has a file"));
    command.args(["--exact", test, "--test-threads", "1"]).env(NOTE, note);
    command
}
