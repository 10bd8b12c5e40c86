//! A page of a list, read item by item: only one of them is a tree at a time. Pure.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// What is made of an item.
pub(crate) type Make<T> = dyn Fn(Value) -> Option<T> + Send + Sync;

/// What a page holds.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// where the next page begins
    pub(crate) next: Option<String>,
}

/// Reads a page; `None`: it is none.
pub(crate) fn read<T, F: Fn(Value) -> Option<T>>(text: &[u8], make: &F) -> Option<Page<T>> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let page = Whole(make).deserialize(&mut json).ok()?;
    json.end().is_ok().then_some(page)
}

struct Whole<'a, F>(&'a F);

impl<'de, T, F: Fn(Value) -> Option<T>> DeserializeSeed<'de> for Whole<'_, F> {
    type Value = Page<T>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Page<T>, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, T, F: Fn(Value) -> Option<T>> Visitor<'de> for Whole<'_, F> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Page<T>, A::Error> {
        let (mut items, mut next) = (None, None);
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "metadata" => {
                    let metadata: Value = members.next_value()?;
                    next = metadata.get("continue").and_then(Value::as_str).filter(|token| !token.is_empty()).map(str::to_owned);
                }
                "items" => items = Some(members.next_value_seed(Items(self.0))?),
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        items.map(|items| Page { items, next }).ok_or_else(|| A::Error::missing_field("items"))
    }
}

struct Items<'a, F>(&'a F);

impl<'de, T, F: Fn(Value) -> Option<T>> DeserializeSeed<'de> for Items<'_, F> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Vec<T>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, T, F: Fn(Value) -> Option<T>> Visitor<'de> for Items<'_, F> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("items")
    }

    // Go writes an empty list so
    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = elements.next_element::<Map<String, Value>>()? {
            items.extend((self.0)(Value::Object(item)));
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_or_refused() {
        let names = |text: &str| {
            let name = |item: Value| item["name"].as_str().map(str::to_owned);
            read(text.as_bytes(), &name).map(|page| (page.items, page.next))
        };
        let page = r#"{"kind": "L", "metadata": {"continue": "t", "x": 1}, "items": [{"name": "a"}, {}, {"name": "b"}]}"#;
        assert_eq!(names(page), Some((vec!["a".to_owned(), "b".to_owned()], Some("t".to_owned()))));
        assert_eq!(names(r#"{"items": null, "metadata": {"continue": ""}}"#), Some((Vec::new(), None)));
        for wrong in [
            "",
            "[]",
            "<html>",
            r#"{"metadata": {}}"#,
            r#"{"items": [{"name": "a"}"#,
            r#"{"items": []} x"#,
            r#"{"items": {}}"#,
            r#"{"items": [null]}"#,
            r#"{"items": [{"name": "a"}, "b"]}"#,
        ] {
            assert_eq!(names(wrong), None, "{wrong}");
        }
    }
}
