//! From an expression to its value.

use std::sync::Arc;

use crate::cel::functions::TYPES;
use crate::cel::ops::{equal, no_overload, operate};
use crate::cel::tree::{Access, Expr, Fold, FoldForm, MatchForm, MatchPattern};
use crate::cel::value::{Fail, Outcome, Val, error};
use crate::pattern::Pattern;

/// The variables of an expression, the innermost last.
pub(crate) type Scope<'v> = Vec<(&'v str, Val<'v>)>;

/// The value of an expression. `fuel` is the number of steps that are left.
pub(crate) fn evaluate<'v>(expr: &'v Expr, scope: Scope<'v>, fuel: &mut u64) -> Outcome<'v> {
    Evaluation { scope, fuel }.value(expr)
}

struct Evaluation<'v, 'f> {
    scope: Scope<'v>,
    fuel: &'f mut u64,
}

impl<'v> Evaluation<'v, '_> {
    fn burn(&mut self, steps: usize) -> Result<(), Fail> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        *self.fuel = self.fuel.checked_sub(steps).ok_or(Fail::TooLong)?;
        Ok(())
    }

    fn value(&mut self, expr: &'v Expr) -> Outcome<'v> {
        self.burn(1)?;
        match expr {
            Expr::Literal(literal) => Ok(Val::of_literal(literal)),
            Expr::Name(name) => self.name(name),
            Expr::Select { of, field, form } => self.select(of, field, *form),
            Expr::Index { of, at, is_optional } => self.index(of, at, *is_optional),
            Expr::List(items) => self.list(items),
            Expr::Map(entries) => self.map(entries),
            Expr::Not(inner) => match self.value(inner)? {
                Val::Bool(value) => Ok(Val::Bool(!value)),
                other => no_overload("!", &[&other]),
            },
            Expr::Negate(inner) => match self.value(inner)? {
                Val::Int(value) => value.checked_neg().map(Val::Int).ok_or_else(|| Fail::Error("integer overflow".to_owned())),
                Val::Double(value) => Ok(Val::Double(-value)),
                other => no_overload("-", &[&other]),
            },
            Expr::And(a, b) => self.logic(a, b, false),
            Expr::Or(a, b) => self.logic(a, b, true),
            Expr::If(condition, then, otherwise) => match self.value(condition)? {
                Val::Bool(true) => self.value(then),
                Val::Bool(false) => self.value(otherwise),
                other => no_overload("?", &[&other]),
            },
            Expr::Binary(operator, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                self.burn(weight(&a) + weight(&b))?;
                operate(*operator, &a, &b)
            }
            Expr::Call { function, arguments } => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    let value = self.value(argument)?;
                    self.burn(weight(&value))?;
                    values.push(value);
                }
                (function.body)(&values)
            }
            Expr::Match { form, text, pattern, limit } => self.matching(*form, text, pattern, limit.as_deref()),
            Expr::Fold(fold) => self.fold(fold),
            Expr::Bind { name, value, body } => {
                let value = self.value(value)?;
                self.with(name, value, body)
            }
            Expr::OptMap { value, name, body, is_flat } => match self.value(value)? {
                Val::Optional(None) => Ok(Val::Optional(None)),
                Val::Optional(Some(inner)) => {
                    let mapped = self.with(name, inner.as_ref().clone(), body)?;
                    Ok(if *is_flat { mapped } else { Val::Optional(Some(Arc::new(mapped))) })
                }
                other => no_overload("optMap", &[&other]),
            },
        }
    }

    fn name(&self, name: &str) -> Outcome<'v> {
        if let Some((_, value)) = self.scope.iter().rev().find(|(bound, _)| *bound == name) {
            return Ok(value.clone());
        }
        match TYPES.iter().find(|(written, _)| *written == name) {
            Some((_, name)) => Ok(Val::Type(name)),
            None => Err(Fail::Unsupported(format!("the name `{name}`"))),
        }
    }

    fn with(&mut self, name: &'v str, value: Val<'v>, body: &'v Expr) -> Outcome<'v> {
        self.scope.push((name, value));
        let result = self.value(body);
        self.scope.pop();
        result
    }

    /// `&&` and `||`: an error of one side does not matter where the other decides.
    fn logic(&mut self, a: &'v Expr, b: &'v Expr, deciding: bool) -> Outcome<'v> {
        let bool_of = |value: Outcome<'v>| match value {
            Ok(Val::Bool(value)) => Ok(value),
            Ok(other) => no_overload(if deciding { "||" } else { "&&" }, &[&other]),
            Err(fail) => Err(fail),
        };
        let left = bool_of(self.value(a));
        match left {
            Ok(value) if value == deciding => Ok(Val::Bool(value)),
            Ok(_) => bool_of(self.value(b)).map(Val::Bool),
            Err(Fail::Error(error)) => match bool_of(self.value(b))? {
                value if value == deciding => Ok(Val::Bool(value)),
                _ => Err(Fail::Error(error)),
            },
            Err(fail) => Err(fail),
        }
    }

    fn select(&mut self, of: &'v Expr, field: &str, form: Access) -> Outcome<'v> {
        let value = self.value(of)?;
        let is_optional = matches!(value, Val::Optional(_));
        let found = value.field(field)?;
        match (form, found) {
            (Access::Test, found) => Ok(Val::Bool(found.is_some())),
            (Access::Plain, Some(found)) if !is_optional => Ok(found),
            (Access::Plain, None) if !is_optional => error(format!("no such key: {field}")),
            (_, found) => Ok(Val::Optional(found.map(Arc::new))),
        }
    }

    fn index(&mut self, of: &'v Expr, at: &'v Expr, is_optional: bool) -> Outcome<'v> {
        let (mut of, at) = (self.value(of)?, self.value(at)?);
        self.burn(weight(&of))?;
        let mut is_optional = is_optional;
        if let Val::Optional(inner) = of {
            is_optional = true;
            match inner {
                None => return Ok(Val::Optional(None)),
                Some(inner) => of = inner.as_ref().clone(),
            }
        }
        let found = if let Some(elements) = of.elements() {
            let position = match &at {
                Val::Int(position) => usize::try_from(*position).ok(),
                Val::UInt(position) => usize::try_from(*position).ok(),
                _ => return no_overload("[]", &[&of, &at]),
            };
            position.map(|position| elements.map(|mut all| (position < all.len()).then(|| all.swap_remove(position))))
        } else {
            match (&of, &at) {
                (Val::Object(..), Val::Text(key)) => Some(of.field(key)),
                (Val::Map(entries), key) => {
                    let mut found = None;
                    for (there, value) in entries.iter() {
                        if equal(there, key)? {
                            found = Some(value.clone());
                        }
                    }
                    Some(Ok(found))
                }
                _ => return no_overload("[]", &[&of, &at]),
            }
        };
        match (is_optional, found.transpose()?.flatten()) {
            (false, Some(found)) => Ok(found),
            (false, None) if of.elements().is_some() => error("index out of bounds"),
            (false, None) => error("no such key"),
            (true, found) => Ok(Val::Optional(found.map(Arc::new))),
        }
    }

    fn list(&mut self, items: &'v [(Expr, bool)]) -> Outcome<'v> {
        let mut values = Vec::with_capacity(items.len());
        for (item, is_optional) in items {
            match (self.value(item)?, is_optional) {
                (Val::Optional(inner), true) => values.extend(inner.map(|inner| inner.as_ref().clone())),
                (value, _) => values.push(value),
            }
        }
        Ok(Val::list(values))
    }

    fn map(&mut self, entries: &'v [(Expr, Expr, bool)]) -> Outcome<'v> {
        let mut all: Vec<(Val<'v>, Val<'v>)> = Vec::with_capacity(entries.len());
        for (key, value, is_optional) in entries {
            let (key, value) = (self.value(key)?, self.value(value)?);
            let value = match (value, is_optional) {
                (Val::Optional(None), true) => continue,
                (Val::Optional(Some(inner)), true) => inner.as_ref().clone(),
                (value, _) => value,
            };
            self.burn(all.len())?;
            insert(&mut all, key, value)?;
        }
        Ok(Val::Map(Arc::new(all)))
    }

    fn matching(&mut self, form: MatchForm, text: &'v Expr, pattern: &'v MatchPattern, limit: Option<&'v Expr>) -> Outcome<'v> {
        let text = self.value(text)?;
        let limit = limit.map(|limit| self.value(limit)).transpose()?;
        let computed;
        let pattern = match pattern {
            MatchPattern::Literal(pattern) => pattern,
            MatchPattern::Computed(pattern) => match self.value(pattern)? {
                Val::Text(pattern) => {
                    self.burn(1000)?;
                    computed = Pattern::compile(&pattern).map_err(Fail::Unsupported)?;
                    &computed
                }
                other => return no_overload("matches", &[&text, &other]),
            },
        };
        let Val::Text(text) = text else { return no_overload("matches", &[&text]) };
        self.burn(text.len() / 16)?;
        Ok(match form {
            MatchForm::Matches => Val::Bool(pattern.matches(&text)),
            MatchForm::Find => Val::text(pattern.regex.find(&text).map_or("", |found| found.as_str())),
            MatchForm::FindAll => {
                let limit = match limit {
                    None => usize::MAX,
                    Some(Val::Int(limit)) => usize::try_from(limit).unwrap_or(usize::MAX),
                    Some(other) => return no_overload("findAll", &[&other]),
                };
                Val::list(pattern.regex.find_iter(&text).take(limit).map(|found| Val::text(found.as_str())).collect())
            }
        })
    }

    fn fold(&mut self, fold: &'v Fold) -> Outcome<'v> {
        let over = self.value(&fold.over)?;
        self.burn(weight(&over))?;
        let pairs: Vec<(Val<'v>, Val<'v>)> = if let Some(elements) = over.elements() {
            let position = |position: usize| Val::Int(i64::try_from(position).unwrap_or(i64::MAX));
            elements?.into_iter().enumerate().map(|(at, element)| (position(at), element)).collect()
        } else if let Some(entries) = over.entries() {
            // one name for a map is that of its keys
            let is_by_key = fold.key.is_none();
            entries?.into_iter().map(|(key, value)| if is_by_key { (Val::Null, key) } else { (key, value) }).collect()
        } else {
            return no_overload("a macro", &[&over]);
        };
        let mut gathered = Gathered::default();
        for (key, value) in pairs {
            let depth = self.scope.len();
            if let Some(name) = &fold.key {
                self.scope.push((name, key.clone()));
            }
            self.scope.push((&fold.name, value.clone()));
            let filter = fold.filter.as_ref().map(|filter| self.value(filter)).transpose();
            let result = match filter {
                Ok(Some(Val::Bool(false))) => None,
                Ok(None | Some(Val::Bool(true))) => Some(self.value(&fold.body)),
                Ok(Some(other)) => Some(no_overload("a macro", &[&other])),
                Err(fail) => Some(Err(fail)),
            };
            self.scope.truncate(depth);
            let Some(result) = result else { continue };
            if let Some(decided) = gathered.take(fold.form, key, value, result)? {
                return Ok(Val::Bool(decided));
            }
        }
        gathered.finish(fold.form)
    }
}

/// What a macro has found so far.
#[derive(Default)]
struct Gathered<'v> {
    values: Vec<Val<'v>>,
    entries: Vec<(Val<'v>, Val<'v>)>,
    count: usize,
    /// an error that does not matter if a later element decides
    error: Option<String>,
}

impl<'v> Gathered<'v> {
    /// Takes the result for one element; returns the value of the macro where that decides it.
    fn take(&mut self, form: FoldForm, key: Val<'v>, value: Val<'v>, result: Outcome<'v>) -> Result<Option<bool>, Fail> {
        let result = match result {
            Err(Fail::Error(error)) if matches!(form, FoldForm::All | FoldForm::Exists) => {
                self.error.get_or_insert(error);
                return Ok(None);
            }
            result => result?,
        };
        match (form, result) {
            (FoldForm::All, Val::Bool(false)) => return Ok(Some(false)),
            (FoldForm::Exists, Val::Bool(true)) => return Ok(Some(true)),
            (FoldForm::ExistsOne, Val::Bool(true)) => self.count += 1,
            (FoldForm::Filter, Val::Bool(true)) => self.values.push(value),
            (FoldForm::All | FoldForm::Exists | FoldForm::ExistsOne | FoldForm::Filter, Val::Bool(_)) => {}
            (FoldForm::Map | FoldForm::TransformList, result) => self.values.push(result),
            (FoldForm::TransformMap, result) => insert(&mut self.entries, key, result)?,
            (_, other) => return no_overload("a macro", &[&other]),
        }
        Ok(None)
    }

    fn finish(self, form: FoldForm) -> Outcome<'v> {
        if let Some(error) = self.error {
            return Err(Fail::Error(error));
        }
        Ok(match form {
            FoldForm::All => Val::Bool(true),
            FoldForm::Exists => Val::Bool(false),
            FoldForm::ExistsOne => Val::Bool(self.count == 1),
            FoldForm::Filter | FoldForm::Map | FoldForm::TransformList => Val::list(self.values),
            FoldForm::TransformMap => Val::Map(Arc::new(self.entries)),
        })
    }
}

fn insert<'v>(entries: &mut Vec<(Val<'v>, Val<'v>)>, key: Val<'v>, value: Val<'v>) -> Result<(), Fail> {
    for (there, _) in entries.iter() {
        if equal(there, &key)? {
            return error("a key is there twice");
        }
    }
    entries.push((key, value));
    Ok(())
}

/// About how many steps it takes to look at a value.
fn weight(value: &Val<'_>) -> usize {
    match value {
        Val::Text(text) => text.len() / 64,
        Val::Bytes(bytes) => bytes.len() / 64,
        Val::List(items) => items.len(),
        Val::Map(entries) => entries.len(),
        Val::Items(items, _) => items.len(),
        Val::Object(members, _) => members.len(),
        _ => 0,
    }
}
