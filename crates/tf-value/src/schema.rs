//! The schema model: what a provider declares about its configuration, resources, data sources and functions.

mod identity;
mod lint;

use crate::{Type, Value};

pub use identity::{ForImport, IdentityAttribute, IdentitySchema};
pub use lint::{Place, Violation};

/// One schema: of the provider block, a resource or a data source.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// version of the state that this schema describes
    pub version: u64,
    /// Markdown, for the registry page
    pub description: String,
    /// top-level attributes; nested blocks are never used
    pub attributes: Vec<Attribute>,
}

/// One attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// snake_case name
    pub name: String,
    /// Markdown, for the registry page
    pub description: String,
    /// type or nested attributes
    pub kind: Kind,
    /// who sets it
    pub mode: Mode,
    /// value of an optional attribute that is not set; shown as computed on the wire
    pub default: Option<Value>,
    /// hidden in the CLI's output
    pub sensitive: bool,
    /// never stored
    pub write_only: bool,
    /// a text makes the attribute deprecated
    pub deprecated: Option<String>,
    /// what a change means
    pub on_change: OnChange,
    /// for computed attributes: planned as in the prior state instead of unknown
    pub keep: bool,
}

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// a value of a plain type
    Value(Type),
    /// nested attributes
    Nested(Nesting, Vec<Attribute>),
}

/// How nested attributes repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// one object
    Single,
    /// objects in order
    List,
    /// objects without order
    Set,
    /// objects by key
    Map,
}

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// the user, always
    Required,
    /// the user, or nobody (or the default)
    Optional,
    /// the user, else the provider
    OptionalComputed,
    /// the provider
    Computed,
}

/// What a changed value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// an update in place
    Update,
    /// a replacement
    Replace,
}

impl Attribute {
    fn new(name: &str, kind: Kind, mode: Mode, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            kind,
            mode,
            default: None,
            sensitive: false,
            write_only: false,
            deprecated: None,
            on_change: OnChange::Update,
            keep: false,
        }
    }

    /// An attribute that the user must set.
    #[must_use]
    pub fn required(name: &str, kind: impl Into<Kind>, description: &str) -> Self {
        Self::new(name, kind.into(), Mode::Required, description)
    }

    /// An attribute that the user may set.
    #[must_use]
    pub fn optional(name: &str, kind: impl Into<Kind>, description: &str) -> Self {
        Self::new(name, kind.into(), Mode::Optional, description)
    }

    /// An attribute that the provider sets unless the user does.
    #[must_use]
    pub fn optional_computed(name: &str, kind: impl Into<Kind>, description: &str) -> Self {
        Self::new(name, kind.into(), Mode::OptionalComputed, description)
    }

    /// An attribute that only the provider sets.
    #[must_use]
    pub fn computed(name: &str, kind: impl Into<Kind>, description: &str) -> Self {
        Self::new(name, kind.into(), Mode::Computed, description)
    }

    /// The same with a default value.
    #[must_use]
    pub fn default(mut self, value: Value) -> Self {
        self.default = Some(value);
        self
    }

    /// The same; a change replaces the resource.
    #[must_use]
    pub fn replaces(mut self) -> Self {
        self.on_change = OnChange::Replace;
        self
    }

    /// The same; hidden in output.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// The same; the prior value is planned where nothing is configured.
    #[must_use]
    pub fn keeps(mut self) -> Self {
        self.keep = true;
        self
    }

    /// The same; never stored.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// The write-only attribute `<name>_wo` and its companion `<name>_wo_version`: nobody can see a write-only value
    /// change, so a changed version is the word to write it again.
    #[must_use]
    pub fn write_only_pair(name: &str, kind: impl Into<Kind>, description: &str) -> [Self; 2] {
        let value = format!("{name}_wo");
        let version = format!("{value}_version");
        let about = format!("Change this number to have `{value}` written again; the value itself is stored nowhere.");
        let description = format!(
            "{description} Write-only: it is sent, but never stored in plan or state (Terraform 1.11, OpenTofu 1.11 or newer). \
             Change `{version}` to have it written again."
        );
        [Self::optional(&value, kind, &description).write_only().sensitive(), Self::optional(&version, Type::Number, &about)]
    }

    /// The same, deprecated; `text` says what to use instead.
    #[must_use]
    pub fn deprecated(mut self, text: &str) -> Self {
        self.deprecated = Some(text.to_owned());
        self
    }

    /// Whether the user must set it: `required` on the wire.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.mode == Mode::Required
    }

    /// Whether the user may set it: `optional` on the wire.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        matches!(self.mode, Mode::Optional | Mode::OptionalComputed)
    }

    /// Whether the provider sets it where the user does not: `computed` on the wire, which a default makes it too.
    #[must_use]
    pub fn is_computed(&self) -> bool {
        matches!(self.mode, Mode::Computed | Mode::OptionalComputed) || self.default.is_some()
    }
}

impl From<Type> for Kind {
    fn from(ty: Type) -> Self {
        Self::Value(ty)
    }
}

impl Kind {
    /// One nested object.
    #[must_use]
    pub fn single(attributes: Vec<Attribute>) -> Self {
        Self::Nested(Nesting::Single, attributes)
    }

    /// A list of nested objects.
    #[must_use]
    pub fn list(attributes: Vec<Attribute>) -> Self {
        Self::Nested(Nesting::List, attributes)
    }

    /// A set of nested objects.
    #[must_use]
    pub fn set(attributes: Vec<Attribute>) -> Self {
        Self::Nested(Nesting::Set, attributes)
    }

    /// A map of nested objects.
    #[must_use]
    pub fn map(attributes: Vec<Attribute>) -> Self {
        Self::Nested(Nesting::Map, attributes)
    }

    /// The type of the values.
    #[must_use]
    pub fn ty(&self) -> Type {
        match self {
            Self::Value(ty) => ty.clone(),
            Self::Nested(nesting, attributes) => {
                let object = Type::object(attributes.iter().map(|attribute| (attribute.name.clone(), attribute.kind.ty())));
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => Type::list(object),
                    Nesting::Set => Type::set(object),
                    Nesting::Map => Type::map(object),
                }
            }
        }
    }
}

impl Schema {
    /// The top-level attribute of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// The type of a whole configuration or state.
    #[must_use]
    pub fn ty(&self) -> Type {
        Type::object(self.attributes.iter().map(|attribute| (attribute.name.clone(), attribute.kind.ty())))
    }
}

/// A function of the provider.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionSchema {
    /// one line
    pub summary: String,
    /// Markdown
    pub description: String,
    /// positional parameters
    pub parameters: Vec<Parameter>,
    /// parameter for the remaining arguments
    pub variadic: Option<Parameter>,
    /// type of the result
    pub returns: Type,
}

/// A parameter of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// name, for messages and docs
    pub name: String,
    /// Markdown
    pub description: String,
    /// type of the argument
    pub ty: Type,
    /// whether null may be passed
    pub allow_null: bool,
    /// whether unknown may be passed (else core answers unknown by itself)
    pub allow_unknown: bool,
}
