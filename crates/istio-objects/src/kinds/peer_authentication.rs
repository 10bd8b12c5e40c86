//! `PeerAuthentication` of `security.istio.io`.

use super::macros::kind;
use super::value::ToTree;
use crate::Tree;

kind! {
    security:
    /// What workloads take from callers: those of a namespace, or of the cluster where it is the root namespace.
    PeerAuthentication {
        /// mutual TLS alone, or plain text too
        mode: MutualTlsMode => "spec.mtls.mode",
    }
}

/// What workloads take from callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MutualTlsMode {
    /// `STRICT`: mutual TLS alone
    Strict,
    /// `PERMISSIVE`: plain text too
    Permissive,
}

impl ToTree for MutualTlsMode {
    fn to_tree(&self) -> Tree {
        Tree::from(match self {
            Self::Strict => "STRICT",
            Self::Permissive => "PERMISSIVE",
        })
    }
}
