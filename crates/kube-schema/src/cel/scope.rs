//! Which names an expression takes from outside.

use std::collections::BTreeSet;

use crate::cel::tree::{Expr, MatchPattern};

/// The names that are bound nowhere in an expression.
pub(crate) fn free_names(expr: &Expr) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    walk(expr, &mut Vec::new(), &mut names);
    names
}

fn walk<'e>(expr: &'e Expr, bound: &mut Vec<&'e str>, free: &mut BTreeSet<&'e str>) {
    match expr {
        Expr::Literal(_) => {}
        Expr::Name(name) => {
            if !bound.contains(&name.as_str()) {
                free.insert(name);
            }
        }
        Expr::Select { of, .. } => walk(of, bound, free),
        Expr::Index { of, at, .. } => [of, at].into_iter().for_each(|expr| walk(expr, bound, free)),
        Expr::List(items) => items.iter().for_each(|(item, _)| walk(item, bound, free)),
        Expr::Map(entries) => entries.iter().flat_map(|(key, value, _)| [key, value]).for_each(|expr| walk(expr, bound, free)),
        Expr::Not(inner) | Expr::Negate(inner) => walk(inner, bound, free),
        Expr::And(a, b) | Expr::Or(a, b) | Expr::Binary(_, a, b) => [a, b].into_iter().for_each(|expr| walk(expr, bound, free)),
        Expr::If(a, b, c) => [a, b, c].into_iter().for_each(|expr| walk(expr, bound, free)),
        Expr::Call { arguments, .. } => arguments.iter().for_each(|expr| walk(expr, bound, free)),
        Expr::Match { text, pattern, limit, .. } => {
            walk(text, bound, free);
            if let MatchPattern::Computed(pattern) = pattern {
                walk(pattern, bound, free);
            }
            if let Some(limit) = limit {
                walk(limit, bound, free);
            }
        }
        Expr::Fold(fold) => {
            walk(&fold.over, bound, free);
            let length = bound.len();
            bound.extend(fold.key.as_deref());
            bound.push(&fold.name);
            fold.filter.iter().chain([&fold.body]).for_each(|expr| walk(expr, bound, free));
            bound.truncate(length);
        }
        Expr::Bind { name, value, body } | Expr::OptMap { value, name, body, .. } => {
            walk(value, bound, free);
            bound.push(name);
            walk(body, bound, free);
            bound.pop();
        }
    }
}
