//! Functions, by name and number of arguments.

use crate::cel::duration;
use crate::cel::net;
use crate::cel::ops::{compare, equal, no_overload};
use crate::cel::quantity;
use crate::cel::text;
use crate::cel::time;
use crate::cel::url;
use crate::cel::value::{Outcome, Val, error};

/// A function. A method has what it is called on as its first argument.
#[derive(Debug)]
pub(crate) struct Function {
    name: &'static str,
    is_method: bool,
    /// without what a method is called on
    count: usize,
    pub(crate) body: for<'v> fn(&[Val<'v>]) -> Outcome<'v>,
}

/// Names of types, as they are written and as they are called.
pub(crate) const TYPES: &[(&str, &str)] = &[
    ("bool", "bool"),
    ("int", "int"),
    ("uint", "uint"),
    ("double", "double"),
    ("string", "string"),
    ("bytes", "bytes"),
    ("list", "list"),
    ("map", "map"),
    ("null_type", "null_type"),
    ("type", "type"),
];

const fn global(name: &'static str, count: usize, body: for<'v> fn(&[Val<'v>]) -> Outcome<'v>) -> Function {
    Function { name, is_method: false, count, body }
}

const fn method(name: &'static str, count: usize, body: for<'v> fn(&[Val<'v>]) -> Outcome<'v>) -> Function {
    Function { name, is_method: true, count, body }
}

/// All of them.
static FUNCTIONS: &[Function] = &[
    global("size", 1, size),
    method("size", 0, size),
    global("int", 1, int),
    global("uint", 1, uint),
    global("double", 1, double),
    global("string", 1, string),
    global("bool", 1, boolean),
    global("dyn", 1, |values| Ok(values[0].clone())),
    global("type", 1, |values| Ok(Val::Type(values[0].type_name()))),
    global("duration", 1, duration::duration),
    global("timestamp", 1, time::timestamp),
    method("getHours", 0, |values| duration::part(values, 3_600_000_000_000, None)),
    method("getMinutes", 0, |values| duration::part(values, 60_000_000_000, None)),
    method("getSeconds", 0, |values| duration::part(values, 1_000_000_000, None)),
    method("getMilliseconds", 0, |values| duration::part(values, 1_000_000, Some(1000))),
    // texts
    method("contains", 1, |values| text::test(values, "contains", |text, part| text.contains(part))),
    method("startsWith", 1, |values| text::test(values, "startsWith", |text, part| text.starts_with(part))),
    method("endsWith", 1, |values| text::test(values, "endsWith", |text, part| text.ends_with(part))),
    method("lowerAscii", 0, |values| text::map(values, "lowerAscii", |text| text.to_ascii_lowercase())),
    method("upperAscii", 0, |values| text::map(values, "upperAscii", |text| text.to_ascii_uppercase())),
    method("trim", 0, |values| text::map(values, "trim", |text| text.trim().to_owned())),
    method("reverse", 0, reverse),
    method("charAt", 1, text::char_at),
    method("substring", 1, text::substring),
    method("substring", 2, text::substring),
    method("indexOf", 1, |values| text::index_of(values, false)),
    method("indexOf", 2, |values| text::index_of(values, false)),
    method("lastIndexOf", 1, |values| text::index_of(values, true)),
    method("lastIndexOf", 2, |values| text::index_of(values, true)),
    method("replace", 2, text::replace),
    method("replace", 3, text::replace),
    method("split", 1, text::split),
    method("split", 2, text::split),
    method("join", 0, text::join),
    method("join", 1, text::join),
    // lists
    method("isSorted", 0, is_sorted),
    method("sum", 0, sum),
    method("min", 0, |values| extreme(values, true)),
    method("max", 0, |values| extreme(values, false)),
    global("sets.contains", 2, |values| sets(values, false, true)),
    global("sets.equivalent", 2, |values| sets(values, true, true)),
    global("sets.intersects", 2, |values| sets(values, false, false)),
    // optional values
    global("optional.of", 1, |values| Ok(Val::Optional(Some(values[0].clone().into())))),
    global("optional.none", 0, |_| Ok(Val::Optional(None))),
    method("hasValue", 0, |values| match &values[0] {
        Val::Optional(inner) => Ok(Val::Bool(inner.is_some())),
        other => no_overload("hasValue", &[other]),
    }),
    method("value", 0, |values| match &values[0] {
        Val::Optional(Some(inner)) => Ok(inner.as_ref().clone()),
        Val::Optional(None) => error("optional.none() dereference"),
        other => no_overload("value", &[other]),
    }),
    method("orValue", 1, |values| match &values[0] {
        Val::Optional(Some(inner)) => Ok(inner.as_ref().clone()),
        Val::Optional(None) => Ok(values[1].clone()),
        other => no_overload("orValue", &[other]),
    }),
    method("or", 1, |values| match &values[0] {
        Val::Optional(None) => Ok(values[1].clone()),
        Val::Optional(Some(_)) => Ok(values[0].clone()),
        other => no_overload("or", &[other]),
    }),
    // URLs
    global("isURL", 1, url::is_url),
    global("url", 1, url::url),
    method("getScheme", 0, |values| url::part(values, |url| url.scheme.clone())),
    method("getHost", 0, |values| url::part(values, |url| url.host.clone())),
    method("getHostname", 0, |values| url::part(values, |url| url.hostname().to_owned())),
    method("getPort", 0, |values| url::part(values, |url| url.port().to_owned())),
    // addresses
    global("isIP", 1, net::is_ip),
    global("ip", 1, net::ip),
    global("isCIDR", 1, net::is_cidr),
    global("cidr", 1, net::cidr),
    method("family", 0, net::family),
    method("containsIP", 1, net::contains_ip),
    method("containsCIDR", 1, net::contains_cidr),
    method("prefixLength", 0, net::prefix_length),
    method("ip", 0, net::address),
    method("masked", 0, net::masked),
    // quantities
    global("isQuantity", 1, quantity::is_quantity),
    global("quantity", 1, quantity::quantity),
    method("isGreaterThan", 1, |values| quantity::compare(values).map(|order| Val::Bool(order.is_gt()))),
    method("isLessThan", 1, |values| quantity::compare(values).map(|order| Val::Bool(order.is_lt()))),
    method("compareTo", 1, |values| quantity::compare(values).map(|order| Val::Int(order as i64))),
    method("sign", 0, quantity::sign),
];

/// Whether functions begin with this name and a dot.
pub(crate) fn is_space(name: &str) -> bool {
    name == "cel" || ["optional", "sets", "math", "strings", "lists", "base64", "format", "ip"].contains(&name)
}

impl Function {
    /// The function of this name that takes so many arguments.
    pub(crate) fn find(name: &str, is_method: bool, count: usize) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|function| function.name == name && function.is_method == is_method && function.count == count)
    }
}

fn size<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let count = match &values[0] {
        Val::Text(text) => text.chars().count(),
        Val::Bytes(bytes) => bytes.len(),
        Val::List(items) => items.len(),
        Val::Items(items, _) => items.len(),
        Val::Map(entries) => entries.len(),
        Val::Object(members, _) => members.len(),
        other => return no_overload("size", &[other]),
    };
    Ok(Val::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

/// Ends of the doubles that are whole numbers of 64 bits: `2^63`.
const INT_END: f64 = 9_223_372_036_854_775_808.0;

fn int<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Int(value) => Ok(Val::Int(*value)),
        Val::UInt(value) => i64::try_from(*value).map(Val::Int).or_else(|_| error("integer overflow")),
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked; towards zero, like there")]
        Val::Double(value) if *value > -INT_END && *value < INT_END => Ok(Val::Int(*value as i64)),
        Val::Double(_) => error("integer overflow"),
        Val::Text(text) => match text.parse() {
            Ok(value) => Ok(Val::Int(value)),
            Err(_) => error(format!("{text:?} is no whole number")),
        },
        Val::Time(nanos) => Ok(Val::Int(i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or(i64::MAX))),
        other => no_overload("int", &[other]),
    }
}

fn uint<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::UInt(value) => Ok(Val::UInt(*value)),
        Val::Int(value) => u64::try_from(*value).map(Val::UInt).or_else(|_| error("unsigned integer overflow")),
        Val::Text(text) => match text.parse() {
            Ok(value) => Ok(Val::UInt(value)),
            Err(_) => error(format!("{text:?} is no whole number")),
        },
        other => no_overload("uint", &[other]),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as a double, like there")]
fn double<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Double(value) => Ok(Val::Double(*value)),
        Val::Int(value) => Ok(Val::Double(*value as f64)),
        Val::UInt(value) => Ok(Val::Double(*value as f64)),
        Val::Text(text) => match text.parse() {
            Ok(value) => Ok(Val::Double(value)),
            Err(_) => error(format!("{text:?} is no number")),
        },
        other => no_overload("double", &[other]),
    }
}

fn boolean<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Bool(value) => Ok(Val::Bool(*value)),
        Val::Text(text) => match text.as_ref() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Val::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Val::Bool(false)),
            text => error(format!("{text:?} is no boolean")),
        },
        other => no_overload("bool", &[other]),
    }
}

fn string<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match &values[0] {
        Val::Text(text) => Ok(Val::Text(text.clone())),
        Val::Int(value) => Ok(Val::text(value.to_string())),
        Val::UInt(value) => Ok(Val::text(value.to_string())),
        Val::Bool(value) => Ok(Val::text(value.to_string())),
        Val::Ip(address) => Ok(Val::text(address.to_string())),
        Val::Cidr(cidr) => Ok(Val::text(cidr.to_string())),
        other => no_overload("string", &[other]),
    }
}

fn reverse<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    match (&values[0], values[0].elements()) {
        (Val::Text(text), _) => Ok(Val::text(text.chars().rev().collect::<String>())),
        (_, Some(elements)) => Ok(Val::list(elements?.into_iter().rev().collect())),
        (other, None) => no_overload("reverse", &[other]),
    }
}

fn is_sorted<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let Some(elements) = values[0].elements() else { return no_overload("isSorted", &[&values[0]]) };
    let elements = elements?;
    for pair in elements.windows(2) {
        match compare(&pair[0], &pair[1]) {
            Some(order) if order.is_none_or(|order| order.is_gt()) => return Ok(Val::Bool(false)),
            Some(_) => {}
            None => return no_overload("isSorted", &[&values[0]]),
        }
    }
    Ok(Val::Bool(true))
}

fn sum<'v>(values: &[Val<'v>]) -> Outcome<'v> {
    let Some(elements) = values[0].elements() else { return no_overload("sum", &[&values[0]]) };
    let mut total = None;
    for element in elements? {
        total = Some(match total {
            None => element,
            Some(total) => crate::cel::ops::add(&total, &element)?,
        });
    }
    Ok(total.unwrap_or(Val::Int(0)))
}

fn extreme<'v>(values: &[Val<'v>], is_least: bool) -> Outcome<'v> {
    let Some(elements) = values[0].elements() else { return no_overload("min", &[&values[0]]) };
    let mut best: Option<Val<'v>> = None;
    for element in elements? {
        best = Some(match best {
            None => element,
            Some(best) => match compare(&element, &best) {
                Some(Some(order)) if order.is_lt() == is_least && order.is_ne() => element,
                Some(_) => best,
                None => return no_overload("min", &[&element]),
            },
        });
    }
    best.map_or_else(|| error("min/max called on empty list"), Ok)
}

/// `is_all`: every element of the second list is in the first, and with `is_mutual` the other way round too; else: one is.
fn sets<'v>(values: &[Val<'v>], is_mutual: bool, is_all: bool) -> Outcome<'v> {
    let (Some(a), Some(b)) = (values[0].elements(), values[1].elements()) else {
        return no_overload("sets", &[&values[0], &values[1]]);
    };
    let (a, b) = (a?, b?);
    let holds = |all: &[Val<'v>], one: &Val<'v>| {
        for element in all {
            if equal(element, one)? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let (mut found, mut missing) = (false, false);
    for element in &b {
        let is_there = holds(&a, element)?;
        found |= is_there;
        missing |= !is_there;
    }
    if is_mutual {
        for element in &a {
            missing |= !holds(&b, element)?;
        }
    }
    Ok(Val::Bool(if is_all { !missing } else { found }))
}
