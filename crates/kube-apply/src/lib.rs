//! Makes clusters equal to sealed manifests, safely, or says exactly what landed.
//!
//! ```text
//! refresh ──► drift                                        (list, get)
//! verdicts ──► Findings of a plan                          (dry-run)
//! Request ──► preflight ──► Cleared ──► write ──► Outcome  (get, dry-run │ apply, delete)
//!                 └► Findings: nothing was written            └► rollback (a failed create)
//! ```
//!
//! Invariants:
//! - Before [`preflight()`] has passed on all clusters, nothing is written on any: [`Cleared`] is made nowhere else.
//! - Somebody else's object is never written or deleted: every write is guarded by what preflight saw.
//! - What an [`Outcome`] says landed is what is there, under every single failure.
//! - Clusters come in kinds behind one port, [`port::Cluster`]; the engine does not know which.
//!
//! Knows no intents, no HCL, no translation.
//!
//! ```
//! use std::collections::{BTreeMap, BTreeSet};
//! use std::path::Path;
//! use std::sync::Arc;
//!
//! use istio_objects::{Change, Claim, Manifest, Operation};
//! use kube_apply::{DirectoryCluster, Fleet, Member, Request, preflight, refresh, write};
//! use mesh_model::names::{ClusterName, OwnerId};
//! use tokio_util::sync::CancellationToken;
//!
//! async fn create(claim: Claim, manifest: Manifest) -> Result<(), Box<dyn std::error::Error>> {
//!     let (east, owner): (ClusterName, OwnerId) = ("east".parse()?, claim.owner.clone());
//!     // once per configured provider; opens nothing
//!     let cluster = DirectoryCluster::new(east.clone(), Path::new("clusters/east"), owner.clone());
//!     let members = BTreeMap::from([(east.clone(), Member::Ready(Arc::new(cluster)))]);
//!     let fleet = Fleet::new(owner, members, BTreeSet::new());
//!
//!     // apply: the waves come from the plan, everything else in the request has a default
//!     let change = Change { cluster: east.clone(), operation: Operation::Create(manifest.clone()) };
//!     let request = Request::new(claim.clone(), vec![vec![change]]);
//!     let cleared = match preflight(&fleet, request).await {
//!         Ok(cleared) => cleared,
//!         Err(findings) => return Err(format!("nothing was written: {findings:?}").into()),
//!     };
//!     let outcome = write(&fleet, cleared, &CancellationToken::new()).await;
//!     assert!(outcome.is_complete, "{:?}", outcome.findings);
//!
//!     // read
//!     let prior = outcome.landed.iter().map(|(c, objects)| (c.clone(), objects.values().cloned().collect())).collect();
//!     let refreshed = refresh(&fleet, &claim, &prior).await;
//!     assert!(refreshed.drift.is_empty() && refreshed.present == 1);
//!     Ok(())
//! }
//! ```

pub mod authors;
#[cfg(any(test, feature = "breakage"))]
pub mod breakage;
mod directory;
mod drift;
mod error;
mod fleet;
mod instance;
mod ownership;
mod parallel;
pub mod port;
mod preflight;
pub mod progress;
mod refresh;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod verdict;
mod write;
pub mod yaml;

// what a folder holds is also made without one, for delivery by others
pub use directory::{DirectoryCluster, file_of};
pub use drift::{MISSING, drift_lines, printable};
pub use error::{Class, ClusterError, Words};
pub use fleet::{Fleet, Member, Owned, Standing};
pub use instance::{Census, Instance, nonce_of};
pub use ownership::Residue;
pub use preflight::{Adopt, Cleared, OnUnreachable, Request, preflight};
pub use refresh::{LEFTOVER, Refreshed, Taker, forgotten, is_missing, refresh, refresh_instance, taker, unconfigured};
pub use verdict::verdicts;
pub use write::{Outcome, rollback, write};

/// The first 16 bytes of a SHA-256, in hexadecimal digits.
fn hex_digest(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
