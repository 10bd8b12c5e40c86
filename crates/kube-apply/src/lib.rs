//! kube-apply
mod error;
mod ownership;
pub mod port;
pub mod yaml;
pub use error::{Class, ClusterError};
