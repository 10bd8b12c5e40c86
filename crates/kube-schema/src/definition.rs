//! A custom kind, as its definition describes it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::check::check;
use crate::lists::check_lists;
use crate::metadata::{Scope, check_embedded, check_metadata};
use crate::place::Place;
use crate::prepare::{add_defaults, check_known};
use crate::rules::{Fuel, check_rules};
use crate::schema::{Reader, Schema};
use crate::verdict::{Report, Unchecked, Verdict};

/// A CustomResourceDefinition. A version is compiled when it is first needed, and once.
#[derive(Debug)]
pub struct Definition {
    name: String,
    group: String,
    kind: String,
    is_namespaced: bool,
    versions: BTreeMap<String, Version>,
}

#[derive(Debug)]
struct Version {
    schema: Value,
    is_served: bool,
    /// whether a write of the object leaves its status alone
    has_status: bool,
    compiled: OnceLock<Result<Box<Compiled>, String>>,
}

#[derive(Debug)]
struct Compiled {
    schema: Schema,
    unchecked: Vec<Unchecked>,
}

impl Definition {
    /// Reads a definition of `apiextensions.k8s.io/v1`.
    ///
    /// # Errors
    /// When it is none; the text says why.
    pub fn read(definition: &Value) -> Result<Self, String> {
        let text = |pointer: &str| {
            let text = definition.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.map(str::to_owned).ok_or_else(|| format!("it has no {}", pointer.trim_start_matches('/').replace('/', ".")))
        };
        if definition.get("apiVersion").and_then(Value::as_str) != Some("apiextensions.k8s.io/v1") {
            return Err("its apiVersion is not apiextensions.k8s.io/v1".to_owned());
        }
        let versions = definition.pointer("/spec/versions").and_then(Value::as_array).ok_or("it has no spec.versions")?;
        let mut all = BTreeMap::new();
        for version in versions {
            let name = version.get("name").and_then(Value::as_str).ok_or("a version has no name")?;
            let version = Version {
                schema: version.pointer("/schema/openAPIV3Schema").cloned().unwrap_or_default(),
                is_served: version.get("served") == Some(&Value::Bool(true)),
                has_status: version.pointer("/subresources/status").is_some_and(Value::is_object),
                compiled: OnceLock::new(),
            };
            all.insert(name.to_owned(), version);
        }
        Ok(Self {
            name: text("/metadata/name")?,
            group: text("/spec/group")?,
            kind: text("/spec/names/kind")?,
            is_namespaced: text("/spec/scope")? == "Namespaced",
            versions: all,
        })
    }

    /// Its own name: `virtualservices.networking.istio.io`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// API group of the kind.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// CamelCase kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Versions in which the kind is served.
    pub fn served(&self) -> impl Iterator<Item = &str> {
        self.versions.iter().filter(|(_, version)| version.is_served).map(|(name, _)| name.as_str())
    }

    /// What an API server with this definition says to an object that is written. `before` is what is there, if the write is
    /// an update: parts that stay as they are are accepted then, whatever the rules have become since. Rules that compare
    /// with what was before (`oldSelf`) are for updates.
    #[must_use]
    pub fn check(&self, object: &Value, before: Option<&Value>) -> Verdict {
        let refuse = |path: &str, what: String| {
            let mut report = Report::new(object, None);
            report.add(&Place::Root, path.to_owned(), what);
            report.finish()
        };
        let version = object.get("apiVersion").and_then(Value::as_str).and_then(|version| version.split_once('/'));
        let version = version.filter(|(group, _)| *group == self.group).map_or("", |(_, version)| version);
        if object.get("kind").and_then(Value::as_str) != Some(&self.kind) {
            return refuse("kind", format!("must be {}", self.kind));
        }
        let Some(version) = self.versions.get(version).filter(|version| version.is_served) else {
            let served: Vec<String> = self.served().map(|version| format!("{}/{version}", self.group)).collect();
            return refuse("apiVersion", format!("must be {}", served.join(" or ")));
        };
        let compiled = match version.compiled() {
            Ok(compiled) => compiled,
            Err(why) => {
                let unchecked = Unchecked { path: String::new(), rule: "the whole schema".to_owned(), why: why.clone() };
                return Verdict { violations: Vec::new(), unchecked: vec![unchecked] };
            }
        };
        let written = |object: &Value| {
            let mut object = object.clone();
            if version.has_status
                && let Some(members) = object.as_object_mut()
            {
                members.remove("status");
            }
            add_defaults(&mut object, &compiled.schema);
            object
        };
        let (now, before) = (written(object), before.map(written));
        let mut report = Report::new(&now, before.as_ref());
        compiled.unchecked.iter().for_each(|unchecked| report.add_unchecked(unchecked.clone()));
        check_known(object, &compiled.schema, &Place::Root, &mut report);
        let scope = if self.is_namespaced { Scope::Namespaced } else { Scope::Cluster };
        if let Some(members) = now.as_object() {
            check_metadata(members, scope, &Place::Root, &mut report);
        }
        check(&now, &compiled.schema, &Place::Root, &mut report);
        check_embedded(&now, &compiled.schema, &Place::Root, &mut report);
        check_lists(&now, &compiled.schema, &Place::Root, &mut report);
        if !report.blocks_rules() {
            check_rules(&now, before.as_ref(), &compiled.schema, &mut Fuel::default(), &mut report);
        }
        report.finish()
    }
}

impl Version {
    fn compiled(&self) -> Result<&Compiled, &String> {
        let compile = || {
            let mut reader = Reader::default();
            let schema = reader.read(&self.schema)?;
            Ok(Box::new(Compiled { schema, unchecked: reader.unchecked }))
        };
        self.compiled.get_or_init(compile).as_ref().map(AsRef::as_ref)
    }
}
