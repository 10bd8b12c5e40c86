//! What a cluster's store holds, seen and put back behind the API server's back.
//!
//! An object that is put back has the uid it had, as after the restore of a backup, and the API server sees it as any other
//! change: its next answers tell it. What servers keep for themselves (leases, events, their own registrations) is left out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use xtask::{Problem, Result};

use crate::cluster::Cluster;
use crate::http::ask_in_plain;

/// Where an API server keeps everything.
const ROOT: &str = "/registry/";

/// What comes and goes by itself.
const RESTLESS: [&str; 5] = ["apiregistration.k8s.io/", "events/", "leases/", "masterleases/", "peerserverleases/"];

/// Definitions of kinds.
const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions/";

/// The store takes this many changes at once.
const CHANGES: usize = 100;

/// When an entry of the store was made and last written, in its own count of writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Written {
    /// At its creation; another one when it was deleted and is there again.
    pub created: u64,
    /// At its last write, also one that changed nothing.
    pub changed: u64,
}

/// Everything a store held at a moment, by `<group>/<plural>/<namespace>/<name>` (without a group in the core group).
#[derive(Debug, Clone)]
pub struct Saved(BTreeMap<String, (Written, Value)>);

impl Cluster {
    /// When each entry was written, by `<group>/<plural>/<namespace>/<name>`. Two equal answers mean that nothing was written
    /// in between, not even the same again.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn written(&self) -> Result<BTreeMap<String, Written>> {
        Ok(self.entries(true)?.into_iter().map(|(key, (written, _))| (key, written)).collect())
    }

    /// Everything that is there, for [`Self::load`].
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn save(&self) -> Result<Saved> {
        self.entries(false).map(Saved)
    }

    /// Makes it be there again, and nothing else; whether that changed a definition, so that a kind may not answer for a moment.
    ///
    /// # Errors
    /// When the store refuses.
    pub fn load(&self, saved: &Saved) -> Result<bool> {
        let now = self.written()?;
        let key = |key: &String| BASE64_STANDARD.encode(format!("{ROOT}{key}"));
        let gone = now.keys().filter(|name| !saved.0.contains_key(*name));
        let deletions = gone.clone().map(|name| json!({ "requestDeleteRange": { "key": key(name) } }));
        let changed = saved.0.iter().filter(|(name, (written, _))| now.get(*name) != Some(written));
        let puts = changed.clone().map(|(name, (_, value))| json!({ "requestPut": { "key": key(name), "value": value } }));
        let changes: Vec<Value> = deletions.chain(puts).collect();
        let definitions = gone.chain(changed.map(|(name, _)| name)).any(|name| name.starts_with(DEFINITIONS));
        for part in changes.chunks(CHANGES) {
            self.ask_store("txn", &json!({ "success": part }))?;
        }
        Ok(definitions)
    }

    fn entries(&self, is_keys_only: bool) -> Result<BTreeMap<String, (Written, Value)>> {
        let [from, to] = [ROOT, "/registry0"].map(|key| BASE64_STANDARD.encode(key));
        let answer = self.ask_store("range", &json!({ "key": from, "range_end": to, "keys_only": is_keys_only }))?;
        let Value::Object(mut answer) = answer else { return Err(Problem::new("the store's answer is no object")) };
        let Some(Value::Array(all)) = answer.remove("kvs") else { return Err(Problem::new("the store is empty")) };
        let entries = all.into_iter().map(entry).collect::<Option<BTreeMap<_, _>>>();
        let mut entries = entries.ok_or_else(|| Problem::new("an entry of the store cannot be read"))?;
        entries.retain(|key, _| !RESTLESS.iter().any(|prefix| key.starts_with(prefix)));
        Ok(entries)
    }

    fn ask_store(&self, what: &str, question: &Value) -> Result<Value> {
        ask_in_plain(self.store(), &format!("/v3/kv/{what}"), question)
    }
}

fn entry(mut entry: Value) -> Option<(String, (Written, Value))> {
    let key = BASE64_STANDARD.decode(entry["key"].as_str()?).ok()?;
    let key = String::from_utf8(key).ok()?.strip_prefix(ROOT)?.to_owned();
    let number = |name: &str| entry[name].as_str()?.parse().ok();
    let written = Written { created: number("create_revision")?, changed: number("mod_revision")? };
    Some((key, (written, entry["value"].take())))
}
