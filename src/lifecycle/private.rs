//! What the provider keeps beside a state and nobody sees.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};

use kube_apply::Residue;
use mesh_model::names::OwnerId;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tf_server::Private;

/// Private state of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// digest of everything that the stored manifests were rendered from; `None`: not known, rendering decides
    pub(crate) inputs: Option<String>,
    /// nonce of the instance, as on its objects; `None`: not created yet, or by a version that had none
    pub(crate) instance: Option<String>,
    /// `inputs` of a planned state: it counts once that is the state. When an apply is refused or its process dies, the
    /// state before is kept with the planned private bytes
    pub(crate) planned: Option<String>,
    /// who the state acted for when it was last written
    pub(crate) owner: Option<String>,
    /// whether the next apply takes objects that nobody claims: the state came from another provider
    pub(crate) adopts: bool,
    /// what failed updates were to take off objects and did not, by `<cluster>/<Kind>/<namespace>/<name>`
    pub(crate) residues: Residues,
}

/// Labels and annotations that are still to be taken off, by object.
pub(crate) type Residues = BTreeMap<String, Residue>;

impl Notes {
    /// Reads private bytes; those of another version say nothing.
    pub(crate) fn read(private: &Private) -> Self {
        let json: Json = serde_json::from_slice(private).unwrap_or_default();
        let text = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
        let adopts = json.get("adopts").and_then(Json::as_bool).unwrap_or_default();
        let residues = json.get("residues").and_then(Json::as_object).into_iter().flatten();
        Self {
            inputs: text("inputs"),
            instance: text("instance"),
            planned: text("planned"),
            owner: text("owner"),
            adopts,
            residues: residues.map(|(object, names)| (object.clone(), residue(names))).collect(),
        }
    }

    /// Those of a planned state, when the state before is kept.
    pub(crate) fn dropped(self) -> Self {
        Self { planned: None, ..self }
    }

    /// Those of a planned state, as they are when it has become the state.
    pub(crate) fn settled(self) -> Self {
        Self { inputs: self.planned, planned: None, ..self }
    }

    /// The private bytes.
    pub(crate) fn write(&self) -> Private {
        let Self { inputs, instance, planned, owner, adopts, residues } = self;
        let mut json = json!({ "inputs": inputs, "instance": instance, "owner": owner });
        if let Some(planned) = planned {
            json["planned"] = planned.as_str().into();
        }
        if *adopts {
            json["adopts"] = true.into();
        }
        for (object, Residue { labels, annotations }) in residues {
            json["residues"][object] = json!({ "labels": labels, "annotations": annotations });
        }
        json.to_string().into_bytes()
    }
}

fn residue(names: &Json) -> Residue {
    let of = |member: &str| {
        let names = names.get(member).and_then(Json::as_array).into_iter().flatten();
        names.filter_map(Json::as_str).map(str::to_owned).collect()
    };
    Residue { labels: of("labels"), annotations: of("annotations") }
}

/// The digest of what manifests are rendered from: the arguments and what the provider block adds to every object.
pub(crate) fn inputs_digest(arguments: &Json, owner: &OwnerId, default_labels: &BTreeMap<String, String>) -> String {
    let inputs = json!({ "arguments": arguments, "owner": owner.as_str(), "labels": default_labels });
    let digest = Sha256::digest(inputs.to_string());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A nonce for a new instance: 128 random bits.
pub(crate) fn new_nonce() -> String {
    // each state of the standard library's hash maps has fresh random keys from the operating system
    let word = || RandomState::new().hash_one(0_u8);
    // a letter in front: no YAML reader takes it for a number
    format!("i{:016x}{:016x}", word(), word())
}
