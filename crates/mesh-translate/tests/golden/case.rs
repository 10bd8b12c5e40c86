//! One case: from its input to the texts of its outputs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use istio_objects::{Claim, Folded, Object, ObjectKey, Sealed, Tree, fold};
use mesh_model::decode::Decoded;
use mesh_model::finding::Severity;
use mesh_model::names::ClusterName;
use mesh_model::{Code, Finding, Findings, Input, decode};
use mesh_translate::{Translation, in_mesh, translate, translate_mesh};
use serde_json::Value;

use crate::{inventory, yaml};

/// How an input says that a value is not known.
const UNKNOWN: &str = "(unknown)";

/// What became of a case.
pub(crate) struct Outcome {
    /// texts by file name
    pub(crate) outputs: Vec<(&'static str, String)>,
    /// codes of its findings
    pub(crate) shown: BTreeSet<Code>,
    /// codes that it is the near miss of
    pub(crate) near: BTreeSet<Code>,
}

/// Runs a case.
pub(crate) fn run(root: &Path, folder: &Path) -> Result<Outcome, String> {
    let case = yaml::read(&folder.join("in.yaml"))?;
    let Value::Object(mut case) = case else { return Err("in.yaml: a map is needed".to_owned()) };
    let mut intent = match case.remove("base") {
        Some(Value::String(base)) => yaml::read(&root.join("base").join(format!("{base}.yaml")))?,
        Some(_) => return Err("in.yaml: base is the name of a file in testdata/base".to_owned()),
        None => Value::Null,
    };
    let [destination, mesh] = ["intent", "mesh"].map(|resource| case.remove(resource));
    let is_mesh = mesh.is_some();
    for patch in destination.into_iter().chain(mesh) {
        yaml::lay_over(&mut intent, patch);
    }
    let inventories = case.remove("inventories");
    let near = case.remove("near").map_or(Ok(BTreeSet::new()), |near| codes(&near))?;
    if let Some(stray) = case.keys().next() {
        return Err(format!("in.yaml: {stray} is none of base, intent, mesh, inventories, near"));
    }
    let intent = input(&intent);
    let decoded = if is_mesh {
        translated(decode::virtual_mesh(&intent), translate_mesh)
    } else {
        translated(decode::virtual_destination(&intent), translate)
    };
    let mut findings = decoded.findings;
    let out = match decoded.outcome {
        decode::Outcome::Invalid => None,
        decode::Outcome::UnknownShape(leaf) => {
            return Ok(outcome(Some(format!("# manifests: (known after apply: {leaf})\n")), &findings, near));
        }
        decode::Outcome::Intent(translation) => {
            findings.extend(translation.findings.clone());
            if let Some(inventories) = inventories {
                let met = inventory::check(&translation, &inventories)?;
                findings.extend(if is_mesh { in_mesh(met) } else { met });
            }
            Some(translation)
        }
    };
    let out = out.filter(|_| !findings.iter().any(|finding| finding.code.severity() == Severity::Error));
    Ok(outcome(out.as_ref().map(manifests), &findings, near))
}

/// What comes of an intent, whatever it is one of.
fn translated<T>(decoded: Decoded<T>, translate: impl Fn(&T) -> Translation) -> Decoded<Translation> {
    let outcome = match decoded.outcome {
        decode::Outcome::Intent(intent) => decode::Outcome::Intent(translate(&intent)),
        decode::Outcome::UnknownShape(leaf) => decode::Outcome::UnknownShape(leaf),
        decode::Outcome::Invalid => decode::Outcome::Invalid,
    };
    Decoded { outcome, findings: decoded.findings }
}

/// A file without content is no file, and what a near miss renders is another case's matter.
fn outcome(out: Option<String>, findings: &Findings, near: BTreeSet<Code>) -> Outcome {
    let shown = findings.iter().map(|finding| finding.code).collect();
    let findings = (!findings.is_empty()).then(|| text(findings));
    let outputs = [("out.yaml", out.filter(|_| near.is_empty())), ("findings.txt", findings)];
    Outcome { outputs: outputs.into_iter().filter_map(|(name, text)| Some((name, text?))).collect(), shown, near }
}

/// One code, or a list of them.
fn codes(value: &Value) -> Result<BTreeSet<Code>, String> {
    let texts = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let code = |text: &Value| text.as_str().and_then(Code::of).ok_or_else(|| format!("in.yaml: near: {text} is no code"));
    texts.iter().map(code).collect()
}

/// The attributes that a YAML document holds.
fn input(value: &Value) -> Input {
    match value {
        Value::String(text) if text == UNKNOWN => Input::Unknown,
        Value::Array(items) => Input::List(items.iter().map(input).collect()),
        Value::Object(members) => Input::Map(members.iter().map(|(key, value)| (key.clone(), input(value))).collect()),
        other => Input::from_json(other),
    }
}

/// The claim of every case.
pub(crate) fn claim() -> Claim {
    "demo/golden//gloo_virtual_destination/bookinfo/reviews".parse().expect("this is a claim")
}

/// Objects by key; those that are the same in every cluster once, under `*`.
fn manifests(translation: &Translation) -> String {
    let clusters: BTreeSet<&ClusterName> = translation.objects.keys().collect();
    let mut by_key: BTreeMap<ObjectKey, Vec<(&ClusterName, &Object)>> = BTreeMap::new();
    for (cluster, objects) in &translation.objects {
        for object in objects {
            by_key.entry(object.key()).or_default().push((cluster, object));
        }
    }
    let mut out = String::new();
    let names: Vec<&str> = clusters.iter().map(|name| name.as_str()).collect();
    let _ = writeln!(out, "# clusters: {}", names.join(", "));
    let sealed: BTreeMap<ClusterName, Vec<Sealed>> = translation
        .objects
        .iter()
        .map(|(cluster, objects)| {
            (cluster.clone(), objects.iter().map(|object| object.seal(&claim(), &BTreeMap::new())).collect())
        })
        .collect();
    if let Folded::Unknown(leaf) = fold(&sealed) {
        let _ = writeln!(out, "# manifests: (known after apply: {leaf})");
    }
    for (key, holders) in by_key {
        let same =
            holders.len() == clusters.len() && holders.len() > 1 && holders.iter().all(|(_, object)| *object == holders[0].1);
        let scopes: Vec<(&str, &Object)> = if same {
            vec![("*", holders[0].1)]
        } else {
            holders.iter().map(|(cluster, object)| (cluster.as_str(), *object)).collect()
        };
        for (scope, object) in scopes {
            let _ = writeln!(out, "{}:", yaml::scalar(&format!("{scope}/{key}")));
            yaml::write(&mut out, &shown(object), 1);
        }
    }
    out
}

/// What an object says, apart from what every one of its kind says.
fn shown(object: &Object) -> Value {
    let mut members = serde_json::Map::new();
    members.insert("labels".to_owned(), serde_json::json!(object.labels));
    if !object.annotations.is_empty() {
        members.insert("annotations".to_owned(), serde_json::json!(object.annotations));
    }
    members.extend(object.body.iter().map(|(key, tree)| (key.clone(), tree_value(tree))));
    Value::Object(members)
}

fn tree_value(tree: &Tree) -> Value {
    match tree {
        Tree::Unknown(leaf) => Value::String(format!("(known after apply: {leaf})")),
        Tree::List(items) => Value::Array(items.iter().map(tree_value).collect()),
        Tree::Map(members) => Value::Object(members.iter().map(|(key, tree)| (key.clone(), tree_value(tree))).collect()),
        other => other.to_json().expect("scalars are known"),
    }
}

fn text(findings: &Findings) -> String {
    let mut text = String::new();
    for finding in findings {
        let Finding { code, path, cluster, object, what, why, fix } = finding;
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let _ = writeln!(text, "{severity} {code} {}\n  at:   {path}", code.summary());
        for (name, value) in [("in:   ", cluster.as_ref().map(ToString::to_string)), ("on:   ", object.clone())] {
            if let Some(value) = value {
                let _ = writeln!(text, "  {name}{value}");
            }
        }
        let _ = writeln!(text, "  what: {what}\n  why:  {why}\n  fix:  {fix}");
    }
    text
}
