//! Functions of texts. Positions count characters, not bytes.

use crate::cel::ops::{equal, no_overload};
use crate::cel::value::{Fail, Outcome, Val, error};

pub(crate) fn test<'v>(values: &[Val<'v>], name: &str, body: fn(&str, &str) -> bool) -> Outcome<'v> {
    match (&values[0], &values[1]) {
        (Val::Text(text), Val::Text(part)) => Ok(Val::Bool(body(text, part))),
        (a, b) => no_overload(name, &[a, b]),
    }
}

pub(crate) fn map<'v>(values: &[Val<'v>], name: &str, body: fn(&str) -> String) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => Ok(Val::text(body(text))),
        other => no_overload(name, &[other]),
    }
}

fn text_of<'a>(value: &'a Val<'_>, name: &str) -> Result<&'a str, Fail> {
    match value {
        Val::Text(text) => Ok(text),
        other => no_overload(name, &[other]),
    }
}

/// A position in a text of `length` characters, or its end.
fn position(value: &Val<'_>, length: usize, name: &str) -> Result<usize, Fail> {
    match value {
        Val::Int(position) => match usize::try_from(*position) {
            Ok(position) if position <= length => Ok(position),
            _ => error(format!("index out of range: {position}")),
        },
        other => no_overload(name, &[other]),
    }
}

pub(crate) fn char_at<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let text = text_of(&values[0], "charAt")?;
    let at = position(&values[1], text.chars().count(), "charAt")?;
    Ok(Val::text(text.chars().nth(at).map_or_else(String::new, String::from)))
}

pub(crate) fn substring<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let text = text_of(&values[0], "substring")?;
    let length = text.chars().count();
    let start = position(&values[1], length, "substring")?;
    let end = values.get(2).map_or(Ok(length), |end| position(end, length, "substring"))?;
    if start > end {
        return error(format!("invalid substring range. start: {start}, end: {end}"));
    }
    Ok(Val::text(text.chars().skip(start).take(end - start).collect::<String>()))
}

pub(crate) fn index_of<'v>(values: &[Val<'v>], is_last: bool) -> Outcome<'v> {
    let found = if let Val::Text(text) = &values[0] {
        let part = text_of(&values[1], "indexOf")?;
        let chars: Vec<char> = text.chars().collect();
        let part: Vec<char> = part.chars().collect();
        let offset = values.get(2).map(|offset| position(offset, chars.len(), "indexOf")).transpose()?;
        let fits = |at: &usize| chars[*at..].starts_with(&part);
        let last = chars.len().saturating_sub(part.len());
        match (part.len() <= chars.len(), is_last) {
            (false, _) => None,
            (true, false) => (offset.unwrap_or(0)..=last).find(fits),
            (true, true) => (0..=offset.unwrap_or(last).min(last)).rev().find(fits),
        }
    } else {
        let Some(elements) = values[0].elements().filter(|_| values.len() == 2) else {
            return no_overload("indexOf", &[&values[0], &values[1]]);
        };
        let mut found = None;
        for (at, element) in elements?.iter().enumerate() {
            if (is_last || found.is_none()) && equal(element, &values[1])? {
                found = Some(at);
            }
        }
        found
    };
    Ok(Val::Int(found.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)))
}

pub(crate) fn replace<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let (text, from, to) = (text_of(&values[0], "replace")?, text_of(&values[1], "replace")?, text_of(&values[2], "replace")?);
    Ok(Val::text(match values.get(3) {
        None => text.replace(from, to),
        Some(Val::Int(limit)) => match usize::try_from(*limit) {
            Ok(limit) => text.replacen(from, to, limit),
            Err(_) => text.replace(from, to),
        },
        Some(other) => return no_overload("replace", &[other]),
    }))
}

pub(crate) fn split<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let (text, separator) = (text_of(&values[0], "split")?, text_of(&values[1], "split")?);
    let limit = match values.get(2) {
        None => -1,
        Some(Val::Int(limit)) => *limit,
        Some(other) => return no_overload("split", &[other]),
    };
    let parts: Vec<Val<'v>> = match (limit, separator) {
        (0, _) => Vec::new(),
        (limit, "") => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let mut chars = text.chars();
            let mut parts = Vec::new();
            while parts.len() + 1 < limit
                && let Some(c) = chars.next()
            {
                parts.push(Val::text(c));
            }
            if !chars.as_str().is_empty() {
                parts.push(Val::text(chars.as_str()));
            }
            parts
        }
        (limit, separator) => match usize::try_from(limit) {
            Ok(limit) => text.splitn(limit, separator).map(Val::text).collect(),
            Err(_) => text.split(separator).map(Val::text).collect(),
        },
    };
    Ok(Val::list(parts))
}

pub(crate) fn join<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let separator = values.get(1).map_or(Ok(""), |separator| text_of(separator, "join"))?;
    let Some(elements) = values[0].elements() else { return no_overload("join", &[&values[0]]) };
    let elements = elements?;
    let parts = elements.iter().map(|element| text_of(element, "join")).collect::<Result<Vec<&str>, Fail>>()?;
    Ok(Val::text(parts.join(separator)))
}
