//! The schema of identities: what names a resource of a type in the outside world, for good.

use std::collections::BTreeSet;

use super::Violation;
use crate::{Path, Type};

/// Schema of the object that names a resource. Core keeps it beside the state and imports by it (Terraform 1.12 and
/// OpenTofu 1.12 or newer); clients that do not know identities never ask for it.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentitySchema {
    /// version of the identities that this schema describes, apart from the version of the state
    pub version: u64,
    /// all attributes
    pub attributes: Vec<IdentityAttribute>,
}

/// One attribute of an identity.
#[derive(Clone, Debug, PartialEq)]
pub struct IdentityAttribute {
    /// snake_case name
    pub name: String,
    /// Markdown
    pub description: String,
    /// bool, number, string, or a list of these
    pub ty: Type,
    /// what an import block has to say about it
    pub for_import: ForImport,
}

/// What an import block has to say about an attribute of an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForImport {
    /// must be there
    Required,
    /// may be left out; the provider completes it
    Optional,
}

impl IdentityAttribute {
    /// An attribute that an import block must have.
    #[must_use]
    pub fn required(name: &str, ty: Type, description: &str) -> Self {
        Self { name: name.to_owned(), description: description.to_owned(), ty, for_import: ForImport::Required }
    }

    /// An attribute that an import block may have; the provider completes it where it has not.
    #[must_use]
    pub fn optional(name: &str, ty: Type, description: &str) -> Self {
        Self { for_import: ForImport::Optional, ..Self::required(name, ty, description) }
    }
}

impl IdentitySchema {
    /// Version 0 with these attributes.
    #[must_use]
    pub fn new(attributes: Vec<IdentityAttribute>) -> Self {
        Self { version: 0, attributes }
    }

    /// The type of a whole identity.
    #[must_use]
    pub fn ty(&self) -> Type {
        Type::object(self.attributes.iter().map(|attribute| (attribute.name.clone(), attribute.ty.clone())))
    }

    /// All rules that this schema breaks, in the order of its attributes.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut report =
            |path: &Path, problem: &str| violations.push(Violation { path: path.clone(), problem: problem.to_owned() });
        if i64::try_from(self.version).is_err() {
            report(&Path::root(), "the version does not fit a 64-bit integer");
        }
        if !self.attributes.iter().any(|attribute| attribute.for_import == ForImport::Required) {
            report(&Path::root(), "no attribute is required for import: an empty identity would name something");
        }
        let mut names = BTreeSet::new();
        for attribute in &self.attributes {
            let path = Path::of(&attribute.name);
            if !names.insert(&attribute.name) {
                report(&path, "there is another attribute of this name");
            }
            if !super::lint::is_valid_name(&attribute.name) {
                report(&path, super::lint::NAME_PROBLEM);
            }
            let is_allowed = match &attribute.ty {
                Type::List(element) => is_primitive(element),
                ty => is_primitive(ty),
            };
            if !is_allowed {
                report(&path, "an identity holds bools, numbers, strings and lists of these only");
            }
        }
        violations
    }
}

fn is_primitive(ty: &Type) -> bool {
    matches!(ty, Type::Bool | Type::Number | Type::String)
}
