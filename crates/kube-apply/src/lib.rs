//! kube-apply
mod directory;
pub mod drift;
mod error;
mod ownership;
pub mod port;
pub mod yaml;
pub use directory::DirectoryCluster;
pub use drift::drift_lines;
pub use error::{Class, ClusterError};

/// The first 16 bytes of the SHA-256 of a text, in hexadecimal digits.
fn hex_digest(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
