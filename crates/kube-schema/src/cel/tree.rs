//! Expressions.

use crate::cel::functions::Function;
use crate::cel::value::Val;
use crate::pattern::Pattern;

/// An expression.
#[derive(Debug)]
pub(crate) enum Expr {
    /// a literal
    Literal(Val<'static>),
    /// a variable, or the name of a type
    Name(String),
    /// `of.field`, `has(of.field)`, `of.?field`
    Select {
        of: Box<Self>,
        field: String,
        form: Access,
    },
    /// `of[at]`, `of[?at]`
    Index {
        of: Box<Self>,
        at: Box<Self>,
        is_optional: bool,
    },
    /// `[a, ?b]`: whether an item is optional
    List(Vec<(Self, bool)>),
    /// `{a: b, ?c: d}`
    Map(Vec<(Self, Self, bool)>),
    Not(Box<Self>),
    Negate(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    If(Box<Self>, Box<Self>, Box<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
    /// a function; the first argument of a method is what it is called on
    Call {
        function: &'static Function,
        arguments: Vec<Self>,
    },
    /// a regular expression on a text
    Match {
        form: MatchForm,
        text: Box<Self>,
        pattern: MatchPattern,
        limit: Option<Box<Self>>,
    },
    /// a macro over a list or a map
    Fold(Box<Fold>),
    /// `cel.bind(name, value, body)`
    Bind {
        name: String,
        value: Box<Self>,
        body: Box<Self>,
    },
    /// `value.optMap(name, body)`; `is_flat`: `optFlatMap`
    OptMap {
        value: Box<Self>,
        name: String,
        body: Box<Self>,
        is_flat: bool,
    },
}

/// How a field is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// an error where it is absent
    Plain,
    /// whether it is there
    Test,
    /// an optional value
    Optional,
}

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// What is asked of a regular expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MatchForm {
    Matches,
    Find,
    FindAll,
}

/// A regular expression, compiled with the rule where it is a literal.
#[derive(Debug)]
pub(crate) enum MatchPattern {
    Literal(Pattern),
    Computed(Box<Expr>),
}

/// A macro over a list or a map.
#[derive(Debug)]
pub(crate) struct Fold {
    pub(crate) form: FoldForm,
    pub(crate) over: Expr,
    /// the name of the position or of the key, where there are two names
    pub(crate) key: Option<String>,
    pub(crate) name: String,
    pub(crate) filter: Option<Expr>,
    pub(crate) body: Expr,
}

/// What a macro does with the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoldForm {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
    /// a list of the results, from two names
    TransformList,
    /// a map of the results by their keys
    TransformMap,
}
