//! Values, bytes and texts by chance. The same seed gives the same ones.

use serde_json::{Value as Json, json};
use tf_value::{Number, Type, Value};

/// Deepest value that is made by chance; damage makes deeper ones.
const DEPTH: usize = 6;

/// What readers of bytes stumble over: lengths that are not there, containers in containers, halves of things.
const BOMBS: [&[u8]; 12] = [
    // msgpack: arrays, maps, texts, bytes and extensions of 2^32-1
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x0c",
    // an unknown value whose refinements end too early, and one with a prefix of no text
    b"\xc7\x03\x0c\x82\x01\xc2",
    b"\xc7\x04\x0c\x81\x02\xa1\xff",
    // a dynamic value whose type is one
    b"\x92\xc4\x09\"dynamic\"\xc0",
    // JSON
    b"[[[[[[[[[[[[[[[[",
    b"{\"type\":[\"list\",",
    b"1e999999999",
    // protobuf: a field of 2^32 bytes
    b"\x0a\xff\xff\xff\xff\x0f",
];

const NUMBERS: [&str; 10] =
    ["0", "1", "-1", "80", "65536", "0.5", "9223372036854775807", "-9223372036854775809", "1e400", "0.1000000000000000000001"];

pub(super) struct Dice {
    state: u64,
    /// texts that mean something to the provider
    words: Vec<String>,
    /// values that places of any type may have
    pool: Vec<(Type, Value)>,
}

impl Dice {
    pub(super) fn new(seed: u64, words: &[&str], pool: Vec<(Type, Value)>) -> Self {
        let common = ["", "a", "é", "${x}", "-", "*", ".", "..", "../../x", "\0", "\u{202e}", "1s", "-1s", "null", "{", "[]"];
        let words = common.iter().chain(words).map(|word| (*word).to_owned());
        Self { state: seed, words: words.collect(), pool }
    }

    /// splitmix64
    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).expect("a length fits");
        usize::try_from(self.roll() % end).expect("it is below a length")
    }

    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn one<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    pub(super) fn word(&mut self) -> String {
        let at = self.below(self.words.len());
        let word = self.words[at].clone();
        match self.below(12) {
            0 => word.repeat(300),
            1 => format!("{word}{}", self.word()),
            _ => word,
        }
    }

    pub(super) fn version(&mut self) -> i64 {
        *self.one(&[0, 0, 0, 1, 2, -1, i64::MAX, i64::MIN])
    }

    pub(super) fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(40);
        (0..length).map(|_| self.byte()).collect()
    }

    fn byte(&mut self) -> u8 {
        self.roll().to_le_bytes()[0]
    }

    /// The bytes, changed in one to four places.
    pub(super) fn damaged(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.byte()),
                2 => drop(bytes.splice(at..at, self.one(&BOMBS).iter().copied())),
                3 => {
                    let part = bytes[self.below(at + 1)..at].to_vec();
                    let to = self.below(bytes.len() + 1);
                    drop(bytes.splice(to..to, part));
                }
                4 if !bytes.is_empty() => {
                    let one = self.one(&BOMBS)[0];
                    let repeated = std::iter::repeat_n(one, self.below(3000));
                    drop(bytes.splice(at..at, repeated));
                }
                _ => {
                    let byte = self.byte();
                    if let Some(place) = bytes.get_mut(at) {
                        *place = byte;
                    }
                }
            }
        }
        bytes
    }

    /// A value of the type.
    pub(super) fn value(&mut self, ty: &Type) -> Value {
        self.value_within(ty, DEPTH)
    }

    fn value_within(&mut self, ty: &Type, depth: usize) -> Value {
        let Some(depth) = depth.checked_sub(1) else { return Value::Null };
        match self.below(16) {
            0 => return Value::Null,
            1 => return Value::unknown(),
            _ => {}
        }
        let length = self.below(4);
        match ty {
            Type::Bool => Value::Bool(self.once_in(2)),
            Type::Number => Value::Number(Number::parse(self.one::<&str>(&NUMBERS)).expect("they are numbers")),
            Type::String => Value::string(self.word()),
            Type::Dynamic if !self.pool.is_empty() && self.once_in(2) => {
                let at = self.below(self.pool.len());
                let (ty, value) = self.pool[at].clone();
                let value = self.changed(&ty, &value);
                Value::dynamic(ty, value)
            }
            Type::Dynamic => {
                let ty = self.ty(depth);
                let value = self.value_within(&ty, depth);
                Value::dynamic(ty, value)
            }
            Type::List(element) => Value::List((0..length).map(|_| self.value_within(element, depth)).collect()),
            Type::Set(element) => Value::set((0..length).map(|_| self.value_within(element, depth)).collect::<Vec<_>>()),
            Type::Map(element) => {
                Value::map((0..length).map(|_| (self.word(), self.value_within(element, depth))).collect::<Vec<_>>())
            }
            Type::Object(attributes) => {
                let entries = attributes.iter().map(|(name, ty)| (name.clone(), self.value_within(ty, depth)));
                Value::map(entries.collect::<Vec<_>>())
            }
            Type::Tuple(types) => Value::List(types.iter().map(|ty| self.value_within(ty, depth)).collect()),
        }
    }

    fn ty(&mut self, depth: usize) -> Type {
        match self.below(if depth == 0 { 4 } else { 9 }) {
            0 => Type::Bool,
            1 => Type::Number,
            2 | 3 => Type::String,
            4 => Type::list(self.ty(depth - 1)),
            5 => Type::set(self.ty(depth - 1)),
            6 => Type::map(self.ty(depth - 1)),
            7 => Type::Tuple((0..self.below(3)).map(|_| self.ty(depth - 1)).collect()),
            _ => Type::object((0..self.below(3)).map(|_| (self.word(), self.ty(depth - 1))).collect::<Vec<_>>()),
        }
    }

    /// The value with another part at one place.
    pub(super) fn changed(&mut self, ty: &Type, value: &Value) -> Value {
        if self.once_in(8) {
            return self.value(ty);
        }
        match (ty, value) {
            (Type::String, Value::String(text)) if !self.once_in(3) => Value::string(self.changed_text(text)),
            (Type::List(_) | Type::Tuple(_) | Type::Set(_), Value::List(elements) | Value::Set(elements))
                if !elements.is_empty() =>
            {
                let at = self.below(elements.len());
                let mut elements = elements.clone();
                if let Some(ty) = ty.element(at) {
                    elements[at] = self.changed(ty, &elements[at]);
                }
                if matches!(ty, Type::Set(_)) { Value::set(elements) } else { Value::List(elements) }
            }
            (Type::Map(_) | Type::Object(_), Value::Map(entries)) if !entries.is_empty() => {
                let at = self.below(entries.len());
                let mut entries = entries.clone();
                if let Some((name, inner)) = entries.iter_mut().nth(at) {
                    match ty {
                        Type::Map(ty) => *inner = self.changed(ty, inner),
                        Type::Object(types) => *inner = types.get(name).map_or(Value::Null, |ty| self.changed(ty, inner)),
                        _ => {}
                    }
                }
                Value::Map(entries)
            }
            (Type::Dynamic, Value::Dynamic(inner)) => {
                let (ty, value) = inner.as_ref();
                Value::dynamic(ty.clone(), self.changed(ty, value))
            }
            _ => self.value(ty),
        }
    }
}

impl Dice {
    /// The text with another part: of a JSON document one member, of any other one some bytes.
    fn changed_text(&mut self, text: &str) -> String {
        match serde_json::from_str::<Json>(text) {
            Ok(mut document) if document.is_object() && !self.once_in(6) => {
                self.change_document(&mut document);
                document.to_string()
            }
            _ => String::from_utf8_lossy(&self.damaged(text.as_bytes().to_vec())).into_owned(),
        }
    }

    fn change_document(&mut self, document: &mut Json) {
        let count = match &*document {
            Json::Array(elements) => elements.len(),
            Json::Object(members) => members.len(),
            _ => 0,
        };
        if count == 0 || self.once_in(6) {
            let word = self.word();
            let leaves =
                [json!(null), json!(true), json!(-1), json!(1e300), json!(word), json!([word]), json!({ "": word }), json!({})];
            *document = self.one(&leaves).clone();
            return;
        }
        let at = self.below(count);
        match document {
            Json::Array(elements) if self.once_in(6) => drop(elements.remove(at)),
            Json::Array(elements) => self.change_document(&mut elements[at]),
            Json::Object(members) => {
                let name = members.keys().nth(at).cloned().unwrap_or_default();
                if self.once_in(6) {
                    members.remove(&name);
                } else if let Some(inner) = members.get_mut(&name) {
                    self.change_document(inner);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_of_its_type_and_again_the_same() {
        let ty = Type::object([("a", Type::list(Type::Dynamic)), ("b", Type::set(Type::String)), ("c", Type::map(Type::Number))]);
        let pool = || vec![(Type::map(Type::String), Value::map([("a", Value::string("{\"b\": [1, {}]}"))]))];
        let (mut dice, mut same) = (Dice::new(1, &["x"], pool()), Dice::new(1, &["x"], pool()));
        for _ in 0..500 {
            let value = dice.value(&ty);
            assert_eq!(value, same.value(&ty));
            assert_eq!(value.conform(&ty), Ok(()));
            let changed = dice.changed(&ty, &value);
            assert_eq!(changed.conform(&ty), Ok(()));
            assert_eq!(changed, same.changed(&ty, &value));
            assert_eq!(dice.damaged(b"some bytes".to_vec()), same.damaged(b"some bytes".to_vec()));
        }
    }
}
