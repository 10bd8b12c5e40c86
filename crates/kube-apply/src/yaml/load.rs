//! YAML text → JSON values.
//!
//! Contract: every document of the text, or an error with its line; never half of it. Aliases are expanded within a budget.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::{Map, Value};

use super::scalar;

/// How many values the aliases of a text may stand for: aliases of aliases must not fill the memory.
const MAX_ALIASED: usize = 1_000_000;
/// How many lists and mappings may be in each other: as many as in JSON that is read. What lies deeper, nobody could read again
/// from the text that it is kept as.
const MAX_DEPTH: usize = 127;

/// Why a text is no YAML that Kubernetes would take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct YamlError {
    /// which line, counted from 1
    pub line: usize,
    /// what is wrong there
    pub reason: String,
}

/// All documents of a text, in order. An empty document is `null`.
///
/// # Errors
/// Invalid YAML, and what has no JSON form: duplicate keys, keys that are no scalars, merge keys, foreign tags.
pub fn load(text: &str) -> Result<Vec<Value>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = granit_parser::options! {
        emit_comments: false,
        simple_key_max_lookahead: 1 << 20,
    };
    let mut loader = Loader { events: Parser::new_from_str_with_options(text, options), anchors: BTreeMap::new(), aliased: 0 };
    let mut documents = Vec::new();
    while let Some((event, span)) = loader.next()? {
        match event {
            Event::StreamStart | Event::DocumentEnd => {}
            Event::DocumentStart(..) => loader.anchors.clear(),
            Event::StreamEnd => break,
            node => documents.push(loader.value(node, span)?),
        }
    }
    Ok(documents)
}

struct Loader<E> {
    events: E,
    /// each anchored node
    anchors: BTreeMap<usize, (Value, Size)>,
    /// how many values aliases stood for so far
    aliased: usize,
}

/// How large a value is.
#[derive(Clone, Copy)]
struct Size {
    /// how many values it consists of, itself included
    count: usize,
    /// how many lists and mappings are in each other
    depth: usize,
}

/// A list or mapping that is not closed yet.
struct Open {
    anchor: usize,
    size: Size,
    content: Content,
}

enum Content {
    Sequence(Vec<Value>),
    /// members, and the key whose value comes next
    Mapping(Map<String, Value>, Option<String>),
}

impl Open {
    fn new(anchor: usize, content: Content) -> Self {
        Self { anchor, size: Size { count: 1, depth: 1 }, content }
    }

    fn push(&mut self, value: Value, Size { count, depth }: Size) {
        self.size = Size { count: self.size.count + count, depth: self.size.depth.max(depth + 1) };
        match &mut self.content {
            Content::Sequence(elements) => elements.push(value),
            Content::Mapping(members, key) => {
                members.insert(key.take().expect("a value of a mapping follows its key"), value);
            }
        }
    }
}

impl<'input, E: Iterator<Item = Result<(Event<'input>, Span), ScanError>>> Loader<E> {
    fn next(&mut self) -> Result<Option<(Event<'input>, Span)>, YamlError> {
        self.events.next().transpose().map_err(|error| YamlError { line: error.marker().line(), reason: error.info() })
    }

    /// The value that begins with this event. Not recursive: depth costs no stack.
    fn value(&mut self, mut event: Event<'input>, mut span: Span) -> Result<Value, YamlError> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            let awaits_key = matches!(open.last(), Some(Open { content: Content::Mapping(_, None), .. }));
            let closed = if awaits_key && event != Event::MappingEnd {
                open.last_mut().expect("a mapping awaits the key").accept_key(event, span)?;
                None
            } else {
                match event {
                    Event::Scalar(text, style, anchor, tag) => {
                        Some((scalar_value(&text, style, tag.as_deref(), span)?, Size { count: 1, depth: 0 }, anchor))
                    }
                    Event::Alias(anchor) => {
                        let node = self.anchors.get(&anchor);
                        let (value, size) = node.ok_or_else(|| at(span, "an alias stands inside its own anchor"))?;
                        self.aliased = self.aliased.saturating_add(size.count);
                        if self.aliased > MAX_ALIASED {
                            return Err(at(span, format!("aliases stand for more than {MAX_ALIASED} values")));
                        }
                        check_depth(open.len() + size.depth, span)?;
                        Some((value.clone(), *size, 0))
                    }
                    Event::SequenceStart(_, anchor, tag) => {
                        check_tag(tag.as_deref(), "seq", span)?;
                        check_depth(open.len() + 1, span)?;
                        open.push(Open::new(anchor, Content::Sequence(Vec::new())));
                        None
                    }
                    Event::MappingStart(_, anchor, tag) => {
                        check_tag(tag.as_deref(), "map", span)?;
                        check_depth(open.len() + 1, span)?;
                        open.push(Open::new(anchor, Content::Mapping(Map::new(), None)));
                        None
                    }
                    Event::SequenceEnd | Event::MappingEnd => open.pop().map(|open| match open.content {
                        Content::Sequence(elements) => (Value::Array(elements), open.size, open.anchor),
                        Content::Mapping(members, _) => (Value::Object(members), open.size, open.anchor),
                    }),
                    other => return Err(at(span, format!("unexpected {other:?}"))),
                }
            };
            if let Some((value, size, anchor)) = closed {
                if anchor != 0 {
                    self.anchors.insert(anchor, (value.clone(), size));
                }
                match open.last_mut() {
                    Some(parent) => parent.push(value, size),
                    None => return Ok(value),
                }
            }
            (event, span) = self.next()?.ok_or_else(|| at(span, "the text ends in the middle of a value"))?;
        }
    }
}

impl Open {
    fn accept_key(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        let Event::Scalar(text, style, 0, None) = event else {
            return Err(at(span, "a key must be a plain or quoted text"));
        };
        if text == "<<" && style == ScalarStyle::Plain {
            return Err(at(span, "merge keys (<<) are not supported"));
        }
        let Content::Mapping(members, key) = &mut self.content else {
            return Err(at(span, "a key outside a mapping"));
        };
        if members.contains_key(&*text) {
            return Err(at(span, format!("the key {text:?} occurs twice in one mapping")));
        }
        *key = Some(text.into_owned());
        Ok(())
    }
}

fn scalar_value(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Value, YamlError> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain {
            scalar::resolve(text).map_err(|reason| at(span, reason))
        } else {
            Ok(Value::String(text.to_owned()))
        };
    };
    if tag.parts() == ("", "!") || tag.parts() == ("!", "") {
        return Ok(Value::String(text.to_owned()));
    }
    match tag.core_suffix() {
        Some("str") => Ok(Value::String(text.to_owned())),
        Some(kind @ ("int" | "float" | "bool" | "null")) => {
            let value = scalar::resolve(text).map_err(|reason| at(span, reason))?;
            let fits = match kind {
                "bool" => value.is_boolean(),
                "null" => value.is_null(),
                _ => value.is_number(),
            };
            if fits { Ok(value) } else { Err(at(span, format!("{text:?} is no {kind}"))) }
        }
        _ => Err(at(span, format!("the tag {} has no JSON form", tag.original()))),
    }
}

fn check_depth(depth: usize, span: Span) -> Result<(), YamlError> {
    if depth > MAX_DEPTH { Err(at(span, format!("more than {MAX_DEPTH} lists and mappings are in each other"))) } else { Ok(()) }
}

fn check_tag(tag: Option<&Tag>, expected: &str, span: Span) -> Result<(), YamlError> {
    match tag {
        Some(tag) if tag.core_suffix() != Some(expected) => Err(at(span, format!("the tag {} has no JSON form", tag.original()))),
        _ => Ok(()),
    }
}

fn at(span: Span, reason: impl Into<String>) -> YamlError {
    YamlError { line: span.start.line(), reason: reason.into() }
}
