//! Terraform values as they are: types, values, paths, diagnostics, schemas and their wire codecs.
//!
//! ```text
//! wire bytes ⇄ codec (msgpack, JSON) ⇄ Value : Type ⇄ Reader (typed access with a Path) → a provider's own types
//! ```
//!
//! Nothing here knows RPCs, async, Kubernetes or Istio. A value survives decode and encode without loss: numbers of any
//! size keep their decimal text, unknown values stay unknown, sets compare without order.

pub mod codec;
mod diagnostic;
mod number;
mod path;
mod reader;
pub mod schema;
mod types;
mod value;

pub use codec::CodecError;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use number::{Number, NumberError};
pub use path::{Path, Step};
pub use reader::{Reader, Tf};
pub use types::Type;
pub use value::{Refinement, Value};
