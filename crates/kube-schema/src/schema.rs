//! The schema of a version, compiled: a structural schema with its value validations and its rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::format::Format;
use crate::number::Num;
use crate::pattern::Pattern;
use crate::rules::Rule;
use crate::verdict::Unchecked;

/// Deeper ones are no schema: those of Gateway API are 15 deep.
const MAX_DEPTH: usize = 48;

/// One node of a schema. Nodes of `allOf` and its like are of the same form, without a type.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    pub(crate) kind: Option<Kind>,
    pub(crate) nullable: bool,
    pub(crate) properties: BTreeMap<String, Self>,
    pub(crate) additional: Additional,
    pub(crate) items: Option<Box<Self>>,
    pub(crate) default: Option<Value>,
    pub(crate) preserves_unknown: bool,
    pub(crate) is_embedded: bool,
    /// whether rules see `apiVersion`, `kind` and the name: an object, the whole one or an embedded one
    pub(crate) has_meta: bool,
    pub(crate) list: ListType,
    pub(crate) checks: Checks,
    pub(crate) rules: Vec<Rule>,
}

/// The type of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    /// `x-kubernetes-int-or-string`
    IntOrString,
}

/// What keys an object may have besides its properties.
#[derive(Debug, Default)]
pub(crate) enum Additional {
    /// none
    #[default]
    Unknown,
    /// any
    Any,
    /// with values of a schema
    Schema(Box<Schema>),
}

/// What tells the items of a list apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum ListType {
    #[default]
    Atomic,
    Set,
    Map(Vec<String>),
}

/// Value validations.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    pub(crate) one_among: Option<Vec<Value>>,
    pub(crate) required: Vec<String>,
    pub(crate) format: Option<Format>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) length: Bounds,
    pub(crate) items: Bounds,
    pub(crate) members: Bounds,
    pub(crate) minimum: Option<Limit>,
    pub(crate) maximum: Option<Limit>,
    pub(crate) multiple_of: Option<Num>,
    pub(crate) is_unique: bool,
    pub(crate) all_of: Vec<Schema>,
    pub(crate) any_of: Vec<Schema>,
    pub(crate) one_of: Vec<Schema>,
    pub(crate) not: Option<Box<Schema>>,
}

/// How many there may be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) min: Option<u64>,
    pub(crate) max: Option<u64>,
}

/// The end of a range of numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) at: Num,
    /// whether the end itself is outside
    pub(crate) is_exclusive: bool,
}

/// Reads schemas, and gathers what of them is not understood.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) unchecked: Vec<Unchecked>,
    path: String,
    depth: usize,
    /// inside `not`, `anyOf` or `oneOf`, where rules are not allowed
    is_nested: bool,
}

impl Reader {
    /// Reads a node.
    ///
    /// # Errors
    /// When it is none; the text says why.
    pub(crate) fn read(&mut self, json: &Value) -> Result<Schema, String> {
        let Value::Object(json) = json else { return Err(format!("{} is no schema", self.place())) };
        if self.depth >= MAX_DEPTH {
            return Err(format!("{} is more than {MAX_DEPTH} deep", self.place()));
        }
        self.depth += 1;
        let schema = self.node(json);
        self.depth -= 1;
        schema
    }

    fn place(&self) -> &str {
        if self.path.is_empty() { "the schema" } else { &self.path }
    }

    fn node(&mut self, json: &Map<String, Value>) -> Result<Schema, String> {
        let is = |name: &str| json.get(name) == Some(&Value::Bool(true));
        let kind = match json.get("type").and_then(Value::as_str) {
            _ if is("x-kubernetes-int-or-string") => Some(Kind::IntOrString),
            Some("object") => Some(Kind::Object),
            Some("array") => Some(Kind::Array),
            Some("string") => Some(Kind::String),
            Some("integer") => Some(Kind::Integer),
            Some("number") => Some(Kind::Number),
            Some("boolean") => Some(Kind::Boolean),
            Some("") | None => None,
            Some(other) => return Err(format!("{} has the type {other:?}, which there is not", self.place())),
        };
        let mut properties = BTreeMap::new();
        for (name, property) in json.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let dot = if self.path.is_empty() { "" } else { "." };
            properties.insert(name.clone(), self.below(&format!("{dot}{name}"), property)?);
        }
        let additional = match json.get("additionalProperties") {
            Some(Value::Bool(true)) => Additional::Any,
            Some(schema @ Value::Object(_)) => Additional::Schema(Box::new(self.below("[]", schema)?)),
            _ => Additional::Unknown,
        };
        let items = match json.get("items") {
            Some(items) => Some(Box::new(self.below("[]", items)?)),
            None => None,
        };
        let keys = json.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
        let list = match json.get("x-kubernetes-list-type").and_then(Value::as_str) {
            Some("set") => ListType::Set,
            Some("map") => ListType::Map(texts(keys)),
            _ => ListType::Atomic,
        };
        Ok(Schema {
            kind,
            nullable: is("nullable"),
            properties,
            additional,
            items,
            default: json.get("default").filter(|default| !default.is_null()).cloned(),
            preserves_unknown: is("x-kubernetes-preserve-unknown-fields"),
            is_embedded: is("x-kubernetes-embedded-resource"),
            has_meta: self.path.is_empty() && !self.is_nested || is("x-kubernetes-embedded-resource"),
            list,
            checks: self.checks(json, kind)?,
            rules: self.rules(json),
        })
    }

    fn below(&mut self, step: &str, json: &Value) -> Result<Schema, String> {
        let length = self.path.len();
        self.path.push_str(step);
        let schema = self.read(json);
        self.path.truncate(length);
        schema
    }

    fn checks(&mut self, json: &Map<String, Value>, kind: Option<Kind>) -> Result<Checks, String> {
        let count = |name: &str| json.get(name).and_then(Value::as_u64);
        let bounds = |min: &str, max: &str| Bounds { min: count(min), max: count(max) };
        let number = |name: &str| match json.get(name) {
            Some(Value::Number(number)) => Some(Num::of(number)),
            _ => None,
        };
        let limit = |name: &str, exclusive: &str| {
            Some(Limit { at: number(name)?, is_exclusive: json.get(exclusive) == Some(&Value::Bool(true)) })
        };
        let pattern =
            match json.get("pattern").and_then(Value::as_str).filter(|pattern| !pattern.is_empty()).map(Pattern::compile) {
                Some(Ok(pattern)) => Some(pattern),
                Some(Err(why)) => {
                    let rule = json.get("pattern").and_then(Value::as_str).unwrap_or_default();
                    self.leave(rule, why);
                    None
                }
                None => None,
            };
        let format = json.get("format").and_then(Value::as_str).unwrap_or_default();
        let format = match Format::of(format, kind) {
            Ok(format) => format,
            Err(why) => {
                self.leave(&format!("format: {format}"), why);
                None
            }
        };
        Ok(Checks {
            one_among: json.get("enum").and_then(Value::as_array).filter(|all| !all.is_empty()).cloned(),
            required: texts(json.get("required").and_then(Value::as_array)),
            format,
            pattern,
            length: bounds("minLength", "maxLength"),
            items: bounds("minItems", "maxItems"),
            members: bounds("minProperties", "maxProperties"),
            minimum: limit("minimum", "exclusiveMinimum"),
            maximum: limit("maximum", "exclusiveMaximum"),
            multiple_of: number("multipleOf"),
            is_unique: json.get("uniqueItems") == Some(&Value::Bool(true)),
            all_of: self.alternatives(json, "allOf", self.is_nested)?,
            any_of: self.alternatives(json, "anyOf", true)?,
            one_of: self.alternatives(json, "oneOf", true)?,
            not: match json.get("not") {
                Some(not) => Some(Box::new(self.nested(not, true)?)),
                None => None,
            },
        })
    }

    fn alternatives(&mut self, json: &Map<String, Value>, name: &str, is_nested: bool) -> Result<Vec<Schema>, String> {
        let all = json.get(name).and_then(Value::as_array).into_iter().flatten();
        all.map(|schema| self.nested(schema, is_nested)).collect()
    }

    fn nested(&mut self, json: &Value, is_nested: bool) -> Result<Schema, String> {
        let before = std::mem::replace(&mut self.is_nested, is_nested);
        let schema = self.read(json);
        self.is_nested = before;
        schema
    }

    fn rules(&mut self, json: &Map<String, Value>) -> Vec<Rule> {
        let all = json.get("x-kubernetes-validations").and_then(Value::as_array).filter(|_| !self.is_nested);
        let mut rules = Vec::new();
        for json in all.into_iter().flatten() {
            let text = json.get("rule").and_then(Value::as_str).unwrap_or_default();
            match Rule::compile(text, json, &self.path) {
                Ok(rule) => rules.push(rule),
                Err(why) => self.leave(text, why),
            }
        }
        rules
    }

    fn leave(&mut self, rule: &str, why: String) {
        let unchecked = Unchecked { path: self.path.clone(), rule: rule.to_owned(), why };
        if !self.unchecked.contains(&unchecked) {
            self.unchecked.push(unchecked);
        }
    }
}

impl Schema {
    /// The schema of a key; `None`: there is none for it.
    pub(crate) fn member(&self, key: &str) -> Option<&Self> {
        self.properties.get(key).or(match &self.additional {
            Additional::Schema(schema) => Some(schema),
            Additional::Any | Additional::Unknown => None,
        })
    }
}

fn texts(list: Option<&Vec<Value>>) -> Vec<String> {
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
