//! Clusters of kind `kubernetes`: the port of `kube-apply` on real API servers.
//!
//! ```text
//! Access ──► connect (kube-rs: kubeconfig, TLS, proxies) ──► transport (bounds, time, credentials) ──► cluster (the port)
//! ```
//!
//! Invariants:
//! - Nothing is opened before the first question; there is no discovery: kinds and paths are known.
//! - What is written is the manifest and the state annotations, by server-side apply as `gloo-terraform:<owner>`, each write
//!   conditional on what was read. A change of the status alone is no conflict.
//! - No token, key, certificate or line of a kubeconfig is in a message, a log line or a debug text.
//! - A silent server is waited for once.

mod access;
mod cluster;
mod connect;
mod exec;
mod kinds;
mod listing;
mod nearby;
mod object;
mod page;
mod proxy;
mod role;
mod status;
#[cfg(test)]
mod tests;
mod transport;

pub use access::{Access, Auth, ExecPlugin, Host, KubeconfigSource, Pod, Secret};
pub use cluster::{KubeCluster, outside};
pub use kinds::{KINDS, Known, Purpose};
pub use role::{RoleName, Use, inventory_line};
pub use transport::Limits;
