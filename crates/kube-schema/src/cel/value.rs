//! Values of expressions.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};

use crate::cel::duration;
use crate::cel::net::Cidr;
use crate::cel::quantity::Quantity;
use crate::cel::time;
use crate::cel::url::Url;
use crate::format::Format;
use crate::number::Num;
use crate::schema::{Additional, Kind, Schema};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fail {
    /// an API server ends with the same error, and refuses the object
    Error(String),
    /// what is meant is not known here
    Unsupported(String),
    /// it took more steps than it may
    TooLong,
}

/// What has a value.
pub(crate) type Outcome<'v> = Result<Val<'v>, Fail>;

/// A value. Those of the object and of literals are borrowed.
#[derive(Clone, Debug)]
pub(crate) enum Val<'v> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Double(f64),
    Text(Cow<'v, str>),
    Bytes(Arc<[u8]>),
    List(Arc<Vec<Val<'v>>>),
    /// without repeated keys
    Map(Arc<Vec<(Val<'v>, Val<'v>)>>),
    /// a list of the object
    Items(&'v [Value], &'v Schema),
    /// an object of the object
    Object(&'v Map<String, Value>, &'v Schema),
    /// a part of the object that has no schema
    Opaque(&'v Value),
    /// nanoseconds
    Duration(i64),
    /// nanoseconds since 1970
    Time(i128),
    Type(&'static str),
    Optional(Option<Arc<Val<'v>>>),
    Url(Arc<Url>),
    Ip(IpAddr),
    Cidr(Cidr),
    Quantity(Quantity),
}

/// What of metadata rules see.
static METADATA: LazyLock<Schema> = LazyLock::new(|| {
    let text = || Schema { kind: Some(Kind::String), ..Schema::default() };
    let properties = ["name", "generateName"].map(|name| (name.to_owned(), text()));
    Schema { kind: Some(Kind::Object), properties: properties.into(), ..Schema::default() }
});
static TEXT: LazyLock<Schema> = LazyLock::new(|| Schema { kind: Some(Kind::String), ..Schema::default() });

pub(crate) fn error<T>(what: impl Into<String>) -> Result<T, Fail> {
    Err(Fail::Error(what.into()))
}

impl<'v> Val<'v> {
    /// A part of an object.
    pub(crate) fn of(value: &'v Value, schema: &'v Schema) -> Outcome<'v> {
        let other = || error("the value is not of the type of its schema");
        match (schema.kind, value) {
            (_, Value::Null) if schema.nullable => Ok(Self::Null),
            (_, Value::Null) => error("null where the schema has none"),
            (Some(Kind::Object), Value::Object(members)) => Ok(Self::Object(members, schema)),
            (Some(Kind::Array), Value::Array(items)) => Ok(Self::Items(items, schema)),
            (Some(Kind::Boolean), Value::Bool(value)) => Ok(Self::Bool(*value)),
            (Some(Kind::Number), Value::Number(number)) => Ok(Self::Double(Num::of(number).as_f64())),
            (Some(Kind::Integer | Kind::IntOrString), Value::Number(number)) => match Num::of(number) {
                Num::Int(number) => Ok(Self::Int(number)),
                Num::Float(_) => other(),
            },
            (Some(Kind::IntOrString), Value::String(text)) => Ok(Self::Text(Cow::Borrowed(text))),
            (Some(Kind::String), Value::String(text)) => Self::of_text(text, schema.checks.format),
            (None, value) if schema.preserves_unknown => Ok(Self::Opaque(value)),
            _ => other(),
        }
    }

    fn of_text(text: &'v str, format: Option<Format>) -> Outcome<'v> {
        let or_error = |value: Option<Self>| value.ok_or_else(|| Fail::Error(format!("{text:?} is not of its format")));
        match format {
            Some(Format::Duration) => or_error(duration::parse_lenient(text).map(Self::Duration)),
            Some(Format::Date) => or_error(time::parse_date(text).map(Self::Time)),
            Some(Format::DateTime) => or_error(time::parse(text).map(Self::Time)),
            Some(Format::Byte) => Err(Fail::Unsupported("base64 in rules is not known here".to_owned())),
            _ => Ok(Self::Text(Cow::Borrowed(text))),
        }
    }

    /// The same value, borrowed from a literal.
    pub(crate) fn of_literal(literal: &'v Val<'static>) -> Self {
        match literal {
            Val::Text(text) => Self::Text(Cow::Borrowed(text)),
            other => other.clone(),
        }
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(items))
    }

    /// The name of its type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::UInt(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(_) | Self::Items(..) => "list",
            Self::Map(_) => "map",
            Self::Object(_, schema) if schema.is_map() => "map",
            Self::Object(..) => "object",
            Self::Opaque(_) => "unknown",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Time(_) => "google.protobuf.Timestamp",
            Self::Type(_) => "type",
            Self::Optional(_) => "optional_type",
            Self::Url(_) => "kubernetes.URL",
            Self::Ip(_) => "net.IP",
            Self::Cidr(_) => "net.CIDR",
            Self::Quantity(_) => "kubernetes.Quantity",
        }
    }

    /// The elements of a list; `None`: it is none.
    pub(crate) fn elements(&self) -> Option<Result<Vec<Self>, Fail>> {
        match self {
            Self::List(items) => Some(Ok(items.to_vec())),
            Self::Items(items, schema) => Some(match &schema.items {
                Some(schema) => items.iter().map(|item| Val::of(item, schema)).collect(),
                None => error("the items of the list have no schema"),
            }),
            _ => None,
        }
    }

    /// The keys and values of a map, sorted by key where they are of the object; `None`: it is none.
    pub(crate) fn entries(&self) -> Option<Result<Vec<(Self, Self)>, Fail>> {
        match self {
            Self::Map(entries) => Some(Ok(entries.to_vec())),
            Self::Object(members, schema) => {
                let entries = members.iter().filter_map(|(key, value)| {
                    let value = member_schema(schema, key).map(|schema| Val::of(value, schema))?;
                    Some(value.map(|value| (Self::Text(Cow::Borrowed(key)), value)))
                });
                Some(entries.collect())
            }
            _ => None,
        }
    }

    /// The field or key `name`; `Ok(None)`: there is none.
    pub(crate) fn field(&self, name: &str) -> Result<Option<Self>, Fail> {
        match self {
            Self::Object(members, schema) => {
                let name = if schema.is_map() { Cow::Borrowed(name) } else { unescape(name) };
                let Some(value) = members.get(name.as_ref()) else { return Ok(None) };
                member_schema(schema, &name).map(|schema| Val::of(value, schema)).transpose()
            }
            Self::Map(entries) => {
                let is_it = |key: &Val<'_>| matches!(key, Val::Text(key) if key == name);
                Ok(entries.iter().find(|(key, _)| is_it(key)).map(|(_, value)| value.clone()))
            }
            Self::Optional(None) => Ok(None),
            Self::Optional(Some(inner)) => inner.field(name),
            other => Err(Fail::Unsupported(format!("a field of a value of type {}", other.type_name()))),
        }
    }
}

/// The schema of a member of an object; the members that every object has need none.
fn member_schema<'v>(schema: &'v Schema, key: &str) -> Option<&'v Schema> {
    match key {
        "apiVersion" | "kind" if schema.has_meta => Some(&TEXT),
        "metadata" if schema.has_meta => Some(&METADATA),
        _ => match &schema.additional {
            Additional::Schema(_) if !schema.properties.is_empty() => schema.properties.get(key),
            _ => schema.member(key),
        },
    }
}

/// The name of a field that rules cannot write as it is.
fn unescape(name: &str) -> Cow<'_, str> {
    if !name.contains("__") {
        return Cow::Borrowed(name);
    }
    if let Some(word) = name.strip_prefix("__").and_then(|name| name.strip_suffix("__"))
        && RESERVED.contains(&word)
    {
        return Cow::Borrowed(word);
    }
    let signs = [("__underscores__", "__"), ("__dot__", "."), ("__dash__", "-"), ("__slash__", "/")];
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    'next: while let Some(c) = rest.chars().next() {
        for (escaped, sign) in signs {
            if let Some(after) = rest.strip_prefix(escaped) {
                out.push_str(sign);
                rest = after;
                continue 'next;
            }
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    Cow::Owned(out)
}

/// Words that are no names in CEL.
const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
