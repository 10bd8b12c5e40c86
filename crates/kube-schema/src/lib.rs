//! What an API server would say to an object of a custom kind, told from the kind's definition alone.
//!
//! ```text
//! CustomResourceDefinition (JSON) → Definition → check(object, before) → Verdict (violations, unchecked)
//! ```
//!
//! Contract: the verdict is that of `kube-apiserver` with `fieldValidation=Strict`: unknown fields, nulls, defaults, the
//! schema, list keys, metadata, and the CEL rules in `x-kubernetes-validations`. Never a panic, whatever the definition and
//! the object are; a rule ends after a bounded number of steps. What cannot be judged here is never passed over: it is in
//! [`Verdict::unchecked`], with the rule and the reason.
//!
//! Behaviour is that of Kubernetes 1.36 as read in its sources and as measured by the differential test in `kube-cluster`.

mod cel;
mod check;
mod compose;
mod definition;
mod format;
mod lists;
mod metadata;
mod number;
mod pattern;
mod place;
mod prepare;
mod rules;
mod schema;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod verdict;

pub use definition::Definition;
pub use verdict::{Unchecked, Verdict, Violation};

#[cfg(test)]
mod tests;
