//! Whose object it is.

use std::fmt;
use std::str::FromStr;

use mesh_model::names::{Namespace, OwnerId};
use sha2::{Digest as _, Sha256};

/// Labels and annotations by which objects are told apart, ours and those of Istio that we write.
pub mod reserved {
    /// Label by which a state's objects are listed; see [`super::Claim::owner_label`].
    pub const OWNER_LABEL: &str = "gloo-terraform/owner";
    /// Annotation that holds the claim.
    pub const CLAIM_ANNOTATION: &str = "gloo-terraform/claim";
    /// Label of everything that belongs to one destination.
    pub const DESTINATION_LABEL: &str = "gloo-terraform/destination";
    /// Label with the canonical name of a workload: the injector puts it on every pod, and Services normally do not select it.
    pub const CANONICAL_NAME_LABEL: &str = "service.istio.io/canonical-name";
    /// The label that makes istiod speak mutual TLS to a workload.
    pub const TLS_MODE_LABEL: &str = "security.istio.io/tlsMode";
    /// Prefix of rank labels: `gloo-terraform-rank/1`.
    pub const RANK_PREFIX: &str = "gloo-terraform-rank/";
    /// Prefix of the annotations that are not part of `manifests`: the stored intent and what the engine notes for itself.
    pub const STATE_PREFIX: &str = "state.gloo-terraform/";
    /// Annotation with the stored intent, from which import restores the configuration.
    pub const INTENT_ANNOTATION: &str = "state.gloo-terraform/intent";
    /// Annotation with the random nonce of the instance, one created resource of one state, that wrote the object.
    pub const INSTANCE_ANNOTATION: &str = "state.gloo-terraform/instance";
    /// Annotation on one object of each cluster, written last: the nonce of an instance whose create has finished.
    pub const COMPLETE_ANNOTATION: &str = "state.gloo-terraform/complete";

    /// Whether a label or annotation has one of the provider's prefixes: it is nobody else's then.
    #[must_use]
    pub fn is_ours(name: &str) -> bool {
        name.starts_with("gloo-terraform/") || name.starts_with(RANK_PREFIX) || name.starts_with(STATE_PREFIX)
    }
}

/// `<owner>//<type>/<namespace>/<name>`: which resource of which owner an object belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claim {
    /// who the state acts for
    pub owner: OwnerId,
    /// Terraform resource type
    pub resource_type: String,
    /// namespace of the intent; `None` for those of the whole mesh
    pub namespace: Option<Namespace>,
    /// name of the intent
    pub name: String,
}

/// The annotation `name` of a Kubernetes object in JSON form, when it is a text.
#[must_use]
pub fn annotation<'a>(object: &'a serde_json::Value, name: &str) -> Option<&'a str> {
    object.get("metadata")?.get("annotations")?.get(name)?.as_str()
}

impl Claim {
    /// The claim on a Kubernetes object in JSON form, if it has a readable one.
    #[must_use]
    pub fn on(object: &serde_json::Value) -> Option<Self> {
        annotation(object, reserved::CLAIM_ANNOTATION)?.parse().ok()
    }

    /// Value of [`reserved::OWNER_LABEL`]: a readable prefix of the owner and a hash of all of it, at most 63 characters.
    #[must_use]
    pub fn owner_label(owner: &OwnerId) -> String {
        let readable: String = owner.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(46).collect();
        let hash: String = Sha256::digest(owner.as_str()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{hash}", readable.trim_end_matches('-'))
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let namespace = self.namespace.as_ref().map_or("-", Namespace::as_str);
        write!(f, "{}//{}/{namespace}/{}", self.owner, self.resource_type, self.name)
    }
}

impl FromStr for Claim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("{text:?} is no claim: it reads <owner>//<type>/<namespace or ->/<name>");
        let (owner, rest) = text.split_once("//").ok_or_else(invalid)?;
        let mut parts = rest.splitn(3, '/');
        let (Some(resource_type), Some(namespace), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(invalid());
        };
        // a claim is shown, and read again from what was shown
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(invalid());
        }
        Ok(Self {
            owner: owner.parse().map_err(|_| invalid())?,
            resource_type: resource_type.to_owned(),
            namespace: if namespace == "-" { None } else { Some(namespace.parse().map_err(|_| invalid())?) },
            name: name.to_owned(),
        })
    }
}
