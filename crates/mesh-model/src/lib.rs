//! What a user can mean: names, facts and intents of a mesh, and the findings about them.
//!
//! ```text
//! Input (attribute values, with unknowns) → decode → intent + Findings
//! ```
//!
//! Invalid intents cannot be constructed, only reported. Nothing here knows HCL, Terraform, YAML, clients or Istio's field
//! names.

pub mod decode;
pub mod derived;
pub mod encode;
pub mod facts;
pub mod finding;
pub mod hosts;
pub mod input;
pub mod intent;
mod json;
mod leaf;
pub mod names;
mod text;

pub use finding::{Code, Finding, Findings, Severity};
pub use input::{AttributePath, Input};
pub use json::NoJson;
pub use leaf::{Leaf, LeafPath};
