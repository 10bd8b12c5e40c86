//! Operators.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::cel::tree::Operator;
use crate::cel::value::{Fail, Outcome, Val, error};
use crate::number::{Num, same};
use crate::schema::ListType;

/// No operator of the name is for these types.
pub(crate) fn no_overload<T>(name: &str, values: &[&Val<'_>]) -> Result<T, Fail> {
    let types: Vec<&str> = values.iter().map(|value| value.type_name()).collect();
    Err(Fail::Unsupported(format!("`{name}` of {}", types.join(" and "))))
}

/// The value of an operator.
pub(crate) fn operate<'v>(operator: Operator, a: &Val<'v>, b: &Val<'v>) -> Outcome<'v> {
    let order = |accepts: fn(Ordering) -> bool, name: &str| match compare(a, b) {
        Some(order) => Ok(Val::Bool(order.is_some_and(accepts))),
        None => no_overload(name, &[a, b]),
    };
    match operator {
        Operator::Equal => Ok(Val::Bool(equal(a, b)?)),
        Operator::NotEqual => Ok(Val::Bool(!equal(a, b)?)),
        Operator::Less => order(Ordering::is_lt, "<"),
        Operator::LessOrEqual => order(Ordering::is_le, "<="),
        Operator::Greater => order(Ordering::is_gt, ">"),
        Operator::GreaterOrEqual => order(Ordering::is_ge, ">="),
        Operator::In => contains(b, a),
        Operator::Add => add(a, b),
        Operator::Subtract => subtract(a, b),
        Operator::Multiply | Operator::Divide | Operator::Remainder => multiply(operator, a, b),
    }
}

fn contains<'v>(all: &Val<'v>, one: &Val<'v>) -> Outcome<'v> {
    if let Some(elements) = all.elements() {
        for element in elements? {
            if equal(&element, one)? {
                return Ok(Val::Bool(true));
            }
        }
        return Ok(Val::Bool(false));
    }
    match (all, one) {
        (Val::Object(..), Val::Text(key)) => Ok(Val::Bool(all.field(key)?.is_some())),
        (Val::Map(entries), key) => {
            for (there, _) in entries.iter() {
                if equal(there, key)? {
                    return Ok(Val::Bool(true));
                }
            }
            Ok(Val::Bool(false))
        }
        _ => no_overload("in", &[one, all]),
    }
}

/// Whether two values are one. Numbers are compared by value, whatever their types.
pub(crate) fn equal(a: &Val<'_>, b: &Val<'_>) -> Result<bool, Fail> {
    if let Some(order) = compare(a, b) {
        return Ok(order == Some(Ordering::Equal));
    }
    Ok(match (a, b) {
        (Val::Null, Val::Null) => true,
        (Val::Type(a), Val::Type(b)) => a == b,
        (Val::Ip(a), Val::Ip(b)) => a == b,
        (Val::Cidr(a), Val::Cidr(b)) => a == b,
        (Val::Url(a), Val::Url(b)) => a == b,
        (Val::Quantity(a), Val::Quantity(b)) => a == b,
        (Val::Opaque(a), Val::Opaque(b)) => same(a, b),
        (Val::Object(a, schema), Val::Object(b, _)) if schema.preserves_unknown => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (Val::Optional(a), Val::Optional(b)) => match (a, b) {
            (None, None) => true,
            (Some(a), Some(b)) => equal(a, b)?,
            _ => false,
        },
        (a, b) => match (a.elements(), b.elements(), a.entries(), b.entries()) {
            (Some(left), Some(right), ..) => equal_lists(a, b, &left?, &right?)?,
            (_, _, Some(left), Some(right)) => {
                let (left, right) = (left?, right?);
                left.len() == right.len() && all_found(&left, &right, |a, b| Ok(equal(&a.0, &b.0)? && equal(&a.1, &b.1)?))?
            }
            _ => false,
        },
    })
}

/// Lists that are sets or have keys have no order.
fn equal_lists(a: &Val<'_>, b: &Val<'_>, left: &[Val<'_>], right: &[Val<'_>]) -> Result<bool, Fail> {
    let has_no_order = |list: &Val<'_>| matches!(list, Val::Items(_, schema) if schema.list != ListType::Atomic);
    if left.len() != right.len() {
        return Ok(false);
    }
    if has_no_order(a) || has_no_order(b) {
        return all_found(left, right, equal);
    }
    for (a, b) in left.iter().zip(right) {
        if !equal(a, b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn all_found<T>(left: &[T], right: &[T], is_same: impl Fn(&T, &T) -> Result<bool, Fail>) -> Result<bool, Fail> {
    'left: for a in left {
        for b in right {
            if is_same(a, b)? {
                continue 'left;
            }
        }
        return Ok(false);
    }
    Ok(true)
}

/// The order of two values; `None`: they have none, `Some(None)`: one of them is no number.
#[expect(clippy::option_option, reason = "two reasons for nothing")]
pub(crate) fn compare(a: &Val<'_>, b: &Val<'_>) -> Option<Option<Ordering>> {
    Some(match (a, b) {
        (Val::Int(a), Val::Int(b)) => Some(a.cmp(b)),
        (Val::UInt(a), Val::UInt(b)) => Some(a.cmp(b)),
        (Val::Int(a), Val::UInt(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Val::UInt(a), Val::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Val::Int(_) | Val::UInt(_) | Val::Double(_), Val::Int(_) | Val::UInt(_) | Val::Double(_)) => {
            double(a)?.partial_cmp(&double(b)?)
        }
        (Val::Text(a), Val::Text(b)) => Some(a.cmp(b)),
        (Val::Bytes(a), Val::Bytes(b)) => Some(a.cmp(b)),
        (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
        (Val::Duration(a), Val::Duration(b)) => Some(a.cmp(b)),
        (Val::Time(a), Val::Time(b)) => Some(a.cmp(b)),
        _ => return None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "as a double, like there")]
fn double(value: &Val<'_>) -> Option<f64> {
    match value {
        Val::Int(value) => Some(Num::Int(*value).as_f64()),
        Val::UInt(value) => Some(*value as f64),
        Val::Double(value) => Some(*value),
        _ => None,
    }
}

pub(crate) fn add<'v>(a: &Val<'v>, b: &Val<'v>) -> Outcome<'v> {
    let overflow = || Fail::Error("integer overflow".to_owned());
    Ok(match (a, b) {
        (Val::Int(a), Val::Int(b)) => Val::Int(a.checked_add(*b).ok_or_else(overflow)?),
        (Val::UInt(a), Val::UInt(b)) => Val::UInt(a.checked_add(*b).ok_or_else(overflow)?),
        (Val::Double(a), Val::Double(b)) => Val::Double(a + b),
        (Val::Text(a), Val::Text(b)) => Val::text(format!("{a}{b}")),
        (Val::Bytes(a), Val::Bytes(b)) => Val::Bytes([a.as_ref(), b.as_ref()].concat().into()),
        (Val::Duration(a), Val::Duration(b)) => Val::Duration(a.checked_add(*b).ok_or_else(overflow)?),
        (Val::Time(time), Val::Duration(duration)) | (Val::Duration(duration), Val::Time(time)) => {
            Val::Time(time + i128::from(*duration))
        }
        (a, b) => match (a, a.elements(), b.elements()) {
            // a list with keys is merged, not extended
            (Val::Items(_, schema), ..) if schema.list != ListType::Atomic => return no_overload("+", &[a, b]),
            (_, Some(left), Some(right)) => {
                let mut all = left?;
                all.extend(right?);
                Val::List(Arc::new(all))
            }
            _ => return no_overload("+", &[a, b]),
        },
    })
}

fn subtract<'v>(a: &Val<'v>, b: &Val<'v>) -> Outcome<'v> {
    let overflow = || Fail::Error("integer overflow".to_owned());
    Ok(match (a, b) {
        (Val::Int(a), Val::Int(b)) => Val::Int(a.checked_sub(*b).ok_or_else(overflow)?),
        (Val::UInt(a), Val::UInt(b)) => Val::UInt(a.checked_sub(*b).ok_or_else(overflow)?),
        (Val::Double(a), Val::Double(b)) => Val::Double(a - b),
        (Val::Duration(a), Val::Duration(b)) => Val::Duration(a.checked_sub(*b).ok_or_else(overflow)?),
        (Val::Time(a), Val::Time(b)) => Val::Duration(i64::try_from(a - b).map_err(|_| overflow())?),
        (Val::Time(time), Val::Duration(duration)) => Val::Time(time - i128::from(*duration)),
        _ => return no_overload("-", &[a, b]),
    })
}

fn multiply<'v>(operator: Operator, a: &Val<'v>, b: &Val<'v>) -> Outcome<'v> {
    let is_by_zero = matches!(b, Val::Int(0) | Val::UInt(0));
    if is_by_zero && operator != Operator::Multiply {
        return error(if operator == Operator::Divide { "division by zero" } else { "modulus by zero" });
    }
    let value = match (operator, a, b) {
        (Operator::Multiply, Val::Int(a), Val::Int(b)) => a.checked_mul(*b).map(Val::Int),
        (Operator::Divide, Val::Int(a), Val::Int(b)) => a.checked_div(*b).map(Val::Int),
        (Operator::Remainder, Val::Int(a), Val::Int(b)) => a.checked_rem(*b).map(Val::Int),
        (Operator::Multiply, Val::UInt(a), Val::UInt(b)) => a.checked_mul(*b).map(Val::UInt),
        (Operator::Divide, Val::UInt(a), Val::UInt(b)) => a.checked_div(*b).map(Val::UInt),
        (Operator::Remainder, Val::UInt(a), Val::UInt(b)) => a.checked_rem(*b).map(Val::UInt),
        (Operator::Multiply, Val::Double(a), Val::Double(b)) => Some(Val::Double(a * b)),
        (Operator::Divide, Val::Double(a), Val::Double(b)) => Some(Val::Double(a / b)),
        _ => return no_overload("*", &[a, b]),
    };
    value.ok_or_else(|| Fail::Error("integer overflow".to_owned()))
}
