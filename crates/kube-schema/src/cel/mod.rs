//! CEL, the language of rules, with Kubernetes' functions.
//!
//! Contract: an expression is compiled or refused with the reason: a function that is not known here is refused when the rule is
//! read, not when it is first called. Evaluation takes at most the steps that it is given, whatever the expression is; depth is
//! bounded when it is read.

pub(crate) mod duration;
mod eval;
mod functions;
mod net;
mod ops;
mod parse;
mod quantity;
mod scope;
mod text;
pub(crate) mod time;
mod token;
mod tree;
pub(crate) mod url;
mod value;

pub(crate) use eval::{Scope, evaluate};
pub(crate) use parse::parse;
pub(crate) use scope::free_names;
pub(crate) use tree::Expr;
pub(crate) use value::{Fail, Val};

#[cfg(test)]
mod tests;
