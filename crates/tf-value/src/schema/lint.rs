//! The rules that core (`InternalValidate`) and the wire put on schemas, and one of our own: a write-only attribute has a
//! version beside it. One violation would disable the whole provider, so a test of every provider checks that there is none.

use std::collections::BTreeSet;
use std::fmt;

use super::{Attribute, FunctionSchema, Kind, Mode, Nesting, Schema};
use crate::{Path, Type, Value};

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// the provider block
    Provider,
    /// a resource
    Resource,
    /// a data source
    DataSource,
}

/// A rule that a schema breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// the attribute, or the parameter of a function; the root for the schema itself
    pub path: Path,
    /// what is wrong with it
    pub problem: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.steps().is_empty() { f.write_str(&self.problem) } else { write!(f, "{}: {}", self.path, self.problem) }
    }
}

impl Schema {
    /// All rules that this schema breaks, in the order of its attributes.
    #[must_use]
    pub fn violations(&self, place: Place) -> Vec<Violation> {
        let mut lint = Lint { place, violations: Vec::new() };
        if i64::try_from(self.version).is_err() {
            lint.report(&Path::root(), "the version does not fit a 64-bit integer");
        }
        if place != Place::Resource && self.version != 0 {
            lint.report(&Path::root(), "only a resource has a state, hence a version");
        }
        lint.attributes(&Path::root(), &self.attributes, Within::default());
        for attribute in self.attributes.iter().filter(|attribute| place.reserves(&attribute.name)) {
            lint.report(&Path::of(&attribute.name), "the name is a meta-argument of core, nobody could set it");
        }
        lint.violations
    }
}

impl FunctionSchema {
    /// All rules that this schema breaks, in the order of its parameters.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut lint = Lint { place: Place::Provider, violations: Vec::new() };
        let mut names = BTreeSet::new();
        for parameter in self.parameters.iter().chain(&self.variadic) {
            let path = Path::of(&parameter.name);
            lint.name(&path, &parameter.name);
            if !names.insert(&parameter.name) {
                lint.report(&path, "there is another parameter of this name");
            }
            lint.ty(&path, &parameter.ty);
        }
        lint.ty(&Path::root(), &self.returns);
        lint.violations
    }
}

impl Place {
    fn reserves(self, name: &str) -> bool {
        match self {
            Self::Provider => {
                ["alias", "count", "depends_on", "for_each", "lifecycle", "locals", "source", "version"].contains(&name)
            }
            Self::Resource | Self::DataSource => {
                ["connection", "count", "depends_on", "for_each", "lifecycle", "locals", "provider", "provisioner"]
                    .contains(&name)
            }
        }
    }
}

/// What surrounds an attribute.
#[derive(Clone, Copy, Default)]
struct Within {
    is_in_set: bool,
    is_in_collection: bool,
    is_in_write_only: bool,
}

pub(super) const NAME_PROBLEM: &str = "the name does not match [a-z][a-z0-9_]*";

pub(super) fn is_valid_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

struct Lint {
    place: Place,
    violations: Vec<Violation>,
}

impl Lint {
    fn report(&mut self, path: &Path, problem: impl Into<String>) {
        self.violations.push(Violation { path: path.clone(), problem: problem.into() });
    }

    fn attributes(&mut self, path: &Path, attributes: &[Attribute], within: Within) {
        let mut names = BTreeSet::new();
        for attribute in attributes {
            let path = path.attribute(&attribute.name);
            if !names.insert(&attribute.name) {
                self.report(&path, "there is another attribute of this name");
            }
            self.attribute(&path, attribute, within);
        }
        if self.place == Place::Resource && !within.is_in_write_only {
            self.pairs(path, attributes);
        }
    }

    /// A write-only value and the version that says when to write it again belong together.
    fn pairs(&mut self, path: &Path, attributes: &[Attribute]) {
        let find = |name: &str| attributes.iter().find(|attribute| attribute.name == name);
        for attribute in attributes {
            let path = path.attribute(&attribute.name);
            if attribute.write_only {
                let version = find(&format!("{}_version", attribute.name));
                let is_version = |version: &Attribute| {
                    let is_settable = matches!(version.mode, Mode::Required | Mode::Optional);
                    version.kind == Kind::Value(Type::Number) && is_settable && !version.write_only
                };
                if !attribute.name.ends_with("_wo") {
                    self.report(&path, "the name of a write-only attribute ends in `_wo`");
                } else if !version.is_some_and(is_version) {
                    let problem = format!("a write-only attribute needs a number `{}_version` that users set", attribute.name);
                    self.report(&path, problem);
                }
            } else if let Some(value) = attribute.name.strip_suffix("_version")
                && value.ends_with("_wo")
                && !find(value).is_some_and(|value| value.write_only)
            {
                self.report(&path, format!("the version of a write-only attribute `{value}`, which is not there"));
            }
        }
    }

    fn attribute(&mut self, path: &Path, attribute: &Attribute, within: Within) {
        self.name(path, &attribute.name);
        if attribute.deprecated.as_ref().is_some_and(String::is_empty) {
            self.report(path, "the deprecation has no text");
        }
        if attribute.keep && !matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed) {
            self.report(path, "`keep` is for computed attributes only");
        }
        if let Some(default) = &attribute.default {
            self.default(path, attribute, default);
        }
        self.write_only(path, attribute, within);
        match &attribute.kind {
            Kind::Value(ty) => {
                self.ty(path, ty);
                if within.is_in_collection && ty.has_dynamic() {
                    self.report(path, "`dynamic` inside nested attributes that repeat: all elements need one type");
                }
            }
            Kind::Nested(_, attributes) if attributes.is_empty() => self.report(path, "there are no nested attributes"),
            Kind::Nested(nesting, attributes) => {
                let within = Within {
                    is_in_set: within.is_in_set || *nesting == Nesting::Set,
                    is_in_collection: within.is_in_collection || *nesting != Nesting::Single,
                    is_in_write_only: within.is_in_write_only || attribute.write_only,
                };
                self.attributes(path, attributes, within);
            }
        }
    }

    fn default(&mut self, path: &Path, attribute: &Attribute, default: &Value) {
        if attribute.mode != Mode::Optional {
            self.report(path, "a default is for optional attributes only");
        }
        if default.is_null() || !default.is_wholly_known() {
            self.report(path, "the default is null or unknown");
        }
        if let Err(error) = default.conform(&attribute.kind.ty()) {
            self.report(path, format!("the default does not conform to the type: {error}"));
        }
    }

    fn write_only(&mut self, path: &Path, attribute: &Attribute, within: Within) {
        if !attribute.write_only {
            if within.is_in_write_only {
                self.report(path, "all attributes inside a write-only one are write-only");
            }
            return;
        }
        if self.place != Place::Resource {
            self.report(path, "only attributes of a resource are write-only");
        }
        if within.is_in_set {
            self.report(path, "a write-only attribute cannot be inside a set");
        }
        if matches!(&attribute.kind, Kind::Nested(Nesting::Set, _)) {
            self.report(path, "a set of nested attributes cannot be write-only");
        }
        if matches!(attribute.mode, Mode::Computed | Mode::OptionalComputed) || attribute.default.is_some() {
            self.report(path, "a write-only attribute cannot be computed or have a default");
        }
    }

    fn name(&mut self, path: &Path, name: &str) {
        if !is_valid_name(name) {
            self.report(path, NAME_PROBLEM);
        }
    }

    fn ty(&mut self, path: &Path, ty: &Type) {
        match ty {
            Type::Bool | Type::Number | Type::String | Type::Dynamic => {}
            Type::List(element) | Type::Set(element) | Type::Map(element) => {
                if element.has_dynamic() {
                    self.report(path, format!("`dynamic` inside a {ty}: all elements need one type"));
                } else {
                    self.ty(path, element);
                }
            }
            Type::Object(attributes) => attributes.values().for_each(|ty| self.ty(path, ty)),
            Type::Tuple(elements) => elements.iter().for_each(|ty| self.ty(path, ty)),
        }
    }
}
