//! Objects made up from a definition, for tests: some that are as it says, and some that are damaged.
//!
//! The same seed gives the same objects.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::pattern::Pattern;

/// A source of choices.
#[derive(Debug)]
pub struct Choices {
    state: u64,
    /// whether lists are as long as they may be
    is_lavish: bool,
}

impl Choices {
    /// Choices that follow from a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed ^ 0x9E37_79B9_7F4A_7C15, is_lavish: false }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    ///
    /// # Panics
    /// When `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).expect("of 64 bits")).expect("below a usize")
    }

    fn is(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.below(all.len())) }
    }
}

/// Makes objects of one version of a kind.
#[derive(Debug)]
pub struct Maker<'a> {
    schema: &'a Value,
    api_version: String,
    kind: String,
    namespace: Option<&'a str>,
    /// texts that the rules compare with
    words: Vec<String>,
    /// nodes with rules or validations, by the way to them
    targets: Vec<Vec<Step>>,
    /// where each rule is
    rules: BTreeMap<String, Vec<Vec<Step>>>,
    patterns: RefCell<BTreeMap<String, Option<Pattern>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Property(String),
    Element,
}

/// Texts that some schema or rule is about.
const TEXTS: [&str; 44] = [
    "a",
    "b",
    "reviews",
    "*",
    "",
    "*.example.com",
    "reviews.bookinfo.svc.cluster.local",
    "a.b/c",
    "10s",
    "0s",
    "500us",
    "1h",
    "-1s",
    "100ms",
    "/",
    "/x",
    "/a//b",
    "/./",
    "/a/../b",
    "/..",
    "/.",
    "/%2f",
    "/#",
    "/%zz",
    "http://a/b",
    "oci://a:1",
    "ftp://x",
    "https://a.example.com",
    "unix:///tmp/x",
    "unix://@x",
    "unix://x/",
    "1.2.3.4",
    "10.0.0.0/8",
    "::1",
    "80",
    "70000",
    "X-Name",
    "x.example.com/name",
    "Service",
    "gateway.networking.k8s.io",
    "2024-01-01T00:00:00Z",
    "aGk=",
    "\u{e9}\u{1F600}",
    "a b",
];

impl<'a> Maker<'a> {
    /// For one version of a definition; `None`: there is no such version. Objects of a kind with a namespace get this one.
    #[must_use]
    pub fn new(definition: &'a Value, version: &str, namespace: &'a str) -> Option<Self> {
        let versions = definition.pointer("/spec/versions")?.as_array()?;
        let schema = versions.iter().find(|all| all["name"] == version)?.pointer("/schema/openAPIV3Schema")?;
        let text = |pointer: &str| definition.pointer(pointer).and_then(Value::as_str);
        let mut maker = Self {
            schema,
            api_version: format!("{}/{version}", text("/spec/group")?),
            kind: text("/spec/names/kind")?.to_owned(),
            namespace: Some(namespace).filter(|_| text("/spec/scope") == Some("Namespaced")),
            words: Vec::new(),
            targets: Vec::new(),
            rules: BTreeMap::new(),
            patterns: RefCell::default(),
        };
        let mut words = BTreeSet::new();
        maker.survey(schema, &mut Vec::new(), &mut words);
        maker.words = words.into_iter().collect();
        Some(maker)
    }

    /// The texts of all rules about what a user writes.
    #[must_use]
    pub fn rules(&self) -> BTreeSet<String> {
        self.rules.keys().cloned().collect()
    }

    fn survey(&mut self, schema: &Value, path: &mut Vec<Step>, words: &mut BTreeSet<String>) {
        let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
        for text in rules.into_iter().flatten().filter_map(|rule| rule["rule"].as_str()) {
            for quote in ['\'', '"'] {
                let quoted = text.split(quote).skip(1).step_by(2);
                words.extend(quoted.filter(|word| word.len() < 30).map(str::to_owned));
            }
        }
        let is_status = path.first() == Some(&Step::Property("status".to_owned()));
        for text in rules.into_iter().flatten().filter_map(|rule| rule["rule"].as_str()).filter(|_| !is_status) {
            self.rules.entry(text.trim().to_owned()).or_default().push(path.clone());
        }
        if !path.is_empty() && !is_status {
            // more often where rules are
            let weight = 1 + 3 * rules.map_or(0, Vec::len).min(4);
            (0..weight).for_each(|_| self.targets.push(path.clone()));
        }
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                path.push(Step::Property(name.clone()));
                self.survey(property, path, words);
                path.pop();
            }
        }
        for name in ["items", "additionalProperties"] {
            if let Some(element @ Value::Object(_)) = schema.get(name) {
                path.push(Step::Element);
                self.survey(element, path, words);
                path.pop();
            }
        }
    }

    /// An object that is about as the schema says, with much at one place of it.
    pub fn make(&self, name: &str, choices: &mut Choices) -> Value {
        let target = choices.pick(&self.targets).cloned().unwrap_or_default();
        self.make_at(&target, name, choices)
    }

    /// The same, with much at a place that a rule is about.
    pub fn make_for(&self, rule: &str, name: &str, choices: &mut Choices) -> Value {
        let target = self.rules.get(rule).and_then(|places| choices.pick(places)).cloned().unwrap_or_default();
        self.make_at(&target, name, choices)
    }

    fn make_at(&self, target: &[Step], name: &str, choices: &mut Choices) -> Value {
        choices.is_lavish = choices.is(3);
        let mut object = self.value(self.schema, target, 0, choices);
        object["apiVersion"] = json!(self.api_version);
        object["kind"] = json!(self.kind);
        object["metadata"] = json!({"name": name, "labels": {"app": "made-up"}});
        if let Some(namespace) = self.namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        if let Some(members) = object.as_object_mut() {
            members.remove("status");
        }
        object
    }

    fn value(&self, schema: &Value, target: &[Step], depth: usize, choices: &mut Choices) -> Value {
        let get = |name: &str| schema.get(name);
        if let Some(all) = get("enum").and_then(Value::as_array)
            && let Some(one) = choices.pick(all)
        {
            return one.clone();
        }
        if get("x-kubernetes-int-or-string") == Some(&json!(true)) {
            return if choices.is(50) { json!(choices.below(100)) } else { json!(format!("{}%", choices.below(100))) };
        }
        let kind = get("type").and_then(Value::as_str).unwrap_or_default();
        match kind {
            "object" => self.object(schema, target, depth, choices),
            "array" => {
                let Some(items) = get("items") else { return json!([]) };
                let least = get("minItems").and_then(Value::as_u64).map_or(0, |least| usize::try_from(least).unwrap_or(0));
                let wanted = if target.is_empty() { choices.below(4) } else { 1 + choices.below(2) };
                let target = target.get(1..).unwrap_or_default();
                let most = get("maxItems").and_then(Value::as_u64).map_or(40, |most| usize::try_from(most).unwrap_or(40).min(64));
                let is_lavish = choices.is_lavish && depth < 5;
                let count = if is_lavish || target.len() < 2 && depth > 4 && choices.is(4) { most } else { wanted.max(least) };
                let mut all: Vec<Value> = (0..count).map(|_| self.value(items, target, depth + 1, choices)).collect();
                if let [first, .., last] = all.as_mut_slice()
                    && choices.is(15)
                {
                    *last = first.clone();
                }
                Value::Array(all)
            }
            "boolean" => json!(choices.is(50)),
            "integer" | "number" => number(schema, kind, choices),
            _ => json!(self.text(schema, choices)),
        }
    }

    fn object(&self, schema: &Value, target: &[Step], depth: usize, choices: &mut Choices) -> Value {
        let mut members = Map::new();
        if let Some(element @ Value::Object(_)) = schema.get("additionalProperties") {
            let below = target.get(1..).unwrap_or_default();
            for _ in 0..choices.below(3) {
                let key = if choices.is(4) { "x".repeat(260) } else { self.text(&json!({}), choices) };
                members.insert(key, self.value(element, below, depth + 1, choices));
            }
            return Value::Object(members);
        }
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let names = |schema: &Value| -> Vec<String> {
            let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let required = names(schema);
        let wanted = match target.first() {
            Some(Step::Property(name)) => Some(name.as_str()),
            _ => None,
        };
        // much where the target is reached, little on the way to it
        let percent = if wanted.is_some() {
            4
        } else {
            [45, 30, 12, 5][depth.saturating_sub(2).min(3)].max(if target.is_empty() { 30 } else { 0 })
        };
        let percent = if depth > 8 { 3 } else { percent };
        let is_status = |name: &str| depth == 0 && name != "spec";
        for (name, property) in properties.iter().filter(|(name, _)| !is_status(name)) {
            if wanted == Some(name) || required.contains(name) || choices.is(percent) {
                let below = if wanted == Some(name) { &target[1..] } else { &[] };
                members.insert(name.clone(), self.value(property, below, depth + 1, choices));
            }
        }
        self.unite(properties, &mut members, depth, choices);
        let alternatives = schema.get("oneOf").and_then(Value::as_array).cloned().unwrap_or_default();
        let all: Vec<String> = alternatives.iter().flat_map(&names).collect();
        if !all.is_empty() && choices.is(95) {
            let there = alternatives.iter().map(&names).find(|names| names.iter().any(|name| wanted == Some(name.as_str())));
            let chosen = there.unwrap_or_else(|| choices.pick(&alternatives).map(&names).unwrap_or_default());
            members.retain(|name, _| !all.contains(name) || chosen.contains(name));
            for name in chosen {
                if !members.contains_key(&name)
                    && let Some(property) = properties.get(&name)
                {
                    members.insert(name, self.value(property, &[], depth + 1, choices));
                }
            }
        }
        Value::Object(members)
    }

    /// Where a member names another one, that one is mostly there, and the others that it could name are not.
    fn unite(&self, properties: &Map<String, Value>, members: &mut Map<String, Value>, depth: usize, choices: &mut Choices) {
        let names =
            properties.get("type").and_then(|kind| kind["enum"].as_array()).into_iter().flatten().filter_map(Value::as_str);
        let named: Vec<&String> = names.filter_map(|name| properties.keys().find(|key| key.eq_ignore_ascii_case(name))).collect();
        if named.is_empty() || choices.is(25) {
            return;
        }
        let there = named.iter().find(|name| members.contains_key(**name)).copied();
        let Some(chosen) = there.or_else(|| choices.pick(&named).copied()) else { return };
        members.retain(|name, _| name == chosen || !named.contains(&name));
        if !members.contains_key(chosen) {
            members.insert(chosen.clone(), self.value(&properties[chosen], &[], depth + 1, choices));
        }
        let kinds = properties["type"]["enum"].as_array().into_iter().flatten();
        let kind = kinds.filter_map(Value::as_str).find(|kind| kind.eq_ignore_ascii_case(chosen));
        members.insert("type".to_owned(), json!(kind));
    }

    fn text(&self, schema: &Value, choices: &mut Choices) -> String {
        let mut patterns = self.patterns.borrow_mut();
        let pattern = schema
            .get("pattern")
            .and_then(Value::as_str)
            .and_then(|text| patterns.entry(text.to_owned()).or_insert_with(|| Pattern::compile(text).ok()).as_ref());
        let length = |name: &str| schema.get(name).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
        let least = length("minLength").unwrap_or(0);
        let fits = |text: &str| pattern.is_none_or(|pattern| pattern.matches(text)) && text.chars().count() >= least;
        if choices.is(2)
            && let Some(most) = length("maxLength")
        {
            return "x".repeat((most + choices.below(2)).min(5000));
        }
        let is_time = schema.get("format").is_some_and(|format| format == "date-time");
        if is_time && choices.is(90) {
            return "2024-01-01T00:00:00Z".to_owned();
        }
        for _ in 0..40 {
            let text = match choices.below(10) {
                0..=1 => ["a", "b", "c", "reviews"][choices.below(4)],
                2..=5 => choices.pick(&self.words).map_or("a", String::as_str),
                _ => TEXTS[choices.below(TEXTS.len())],
            };
            if fits(text) {
                return text.to_owned();
            }
        }
        "a".to_owned()
    }
}

fn number(schema: &Value, kind: &str, choices: &mut Choices) -> Value {
    let end = |name: &str| schema.get(name).and_then(Value::as_i64);
    let (least, most) = (end("minimum"), end("maximum"));
    let numbers = [0, 1, 2, 80, 443, 65535, -1, 100, 65536];
    let mut value = numbers[choices.below(numbers.len())];
    if choices.is(92) {
        value = value.clamp(least.unwrap_or(0), most.unwrap_or(i64::MAX).max(least.unwrap_or(0)));
    }
    if kind == "number" && choices.is(40) { json!(f64::from(i32::try_from(value).unwrap_or(0)) + 0.5) } else { json!(value) }
}

/// Damages an object at one place.
pub fn damage(object: &mut Value, choices: &mut Choices) {
    let mut count = 0;
    let root = if choices.is(92) { "/spec" } else { "/metadata/labels" };
    let Some(root) = object.pointer_mut(root) else { return };
    visit(root, &mut |_| count += 1);
    let (mut at, how) = (choices.below(count.max(1)), choices.below(22));
    visit(root, &mut |value| {
        if at == 0 {
            damage_here(value, how, choices);
        }
        at = at.wrapping_sub(1);
    });
}

fn visit(value: &mut Value, body: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| visit(item, body)),
        Value::Object(members) => members.values_mut().for_each(|member| visit(member, body)),
        _ => {}
    }
    body(value);
}

fn damage_here(value: &mut Value, how: usize, choices: &mut Choices) {
    match (how, &mut *value) {
        (0 | 1, Value::Object(members)) => {
            if let Some(name) = choices.pick(&members.keys().cloned().collect::<Vec<_>>()) {
                members.remove(name);
            }
        }
        (2, Value::Object(members)) => {
            members.insert("surprise".to_owned(), json!({"a": 1}));
        }
        (3, Value::Object(members)) => {
            members.insert(TEXTS[choices.below(TEXTS.len())].to_owned(), json!("x"));
        }
        (4 | 5, Value::Array(items)) if !items.is_empty() => {
            let again = items[choices.below(items.len())].clone();
            items.push(again);
        }
        (6, Value::Array(items)) => items.push(Value::Null),
        (7, Value::Array(items)) => items.clear(),
        (8, Value::Number(_)) => *value = json!([i64::MAX, i64::MIN, 1 << 31, -1, 0][choices.below(5)]),
        (9, Value::Number(_)) => {
            *value = [json!(1.5), json!(1e300), json!(1.0), json!(18_446_744_073_709_551_615_u64)][choices.below(4)].clone()
        }
        (10, Value::String(text)) => *text = "\u{1F600}".repeat([1, 64, 254, 1025][choices.below(4)]),
        (11, Value::String(text)) => *text = "x".repeat([63, 64, 253, 254, 1024, 1025][choices.below(6)]),
        (12..=14, Value::String(text)) => *text = TEXTS[choices.below(TEXTS.len())].to_owned(),
        (15, Value::String(text)) => *text = text.to_uppercase(),
        (16, Value::String(text)) => text.push(['\n', ' ', '\u{0}', '\u{feff}', '*'][choices.below(5)]),
        (17, _) => *value = Value::Null,
        (18, _) => *value = json!("x"),
        (19, _) => *value = json!(7),
        (20, _) => *value = [json!([]), json!({}), json!(true), json!(""), json!([{}])][choices.below(5)].clone(),
        _ => {}
    }
}
