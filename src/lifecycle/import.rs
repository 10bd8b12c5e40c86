//! Importing: a resource is found in the clusters by its claim, and its configuration in the intent stored there.

use std::collections::BTreeMap;

use istio_objects::{Claim, object_key};
use kube_apply::port::Kinds;
use tf_server::{ImportBy, Imported, PlanRequest};
use tf_value::{Diagnostic, Diagnostics, Type, Value};

use super::plan::Purpose;
use super::private::Notes;
use super::{Identity, IntentKind, IntentResource, Live, Owned};
use crate::session::Session;

impl<K: IntentKind> IntentResource<K> {
    pub(super) async fn import_by(&self, by: &ImportBy) -> Result<Vec<Imported>, Diagnostics> {
        match by {
            ImportBy::Id(id) => {
                let (owner, rest) = id.split_once("//").map_or((None, id.as_str()), |(owner, rest)| (Some(owner), rest));
                self.import_named(owner, rest).await
            }
            ImportBy::Identity(identity) => self.import_named(identity.get("owner").as_str(), &self.kind.id_of(identity)).await,
        }
    }

    async fn import_named(&self, owner: Option<&str>, rest: &str) -> Result<Vec<Imported>, Diagnostics> {
        let session = self.configured.session()?;
        if let Some(owner) = owner
            && owner != session.settings.owner.as_str()
        {
            return Err(Diagnostic::error(
                "Import of another owner's resource",
                format!("The import names the owner {owner:?}; this provider acts for {:?}.\n\nAn object has one owner. Import it with the provider whose `owner` is {owner:?}, or create the resource here and take its objects over:\n\n  takeover_from = [{owner:?}]", session.settings.owner.as_str()),
            )
            .into());
        }
        let identity = self.kind.parse_id(rest).map_err(|problem| Diagnostic::error("Invalid import id", problem))?;
        let claim = identity.claim(&session.settings.owner, K::TYPE);
        let owned = owned(&session).await?;
        let config = self.configuration(&identity, &owned, &claim)?;
        // the state of an import is what a create with this configuration would plan; the read that follows compares
        // it with what is there
        let proposed = config.clone();
        let planned = self.plan_change(Purpose::Import, PlanRequest { config, prior: None, proposed, private: Vec::new() }).await;
        match planned.value {
            Some(state) if state.is_wholly_known() => {
                let mut notes = Notes::read(&planned.private).settled();
                notes.instance = instance(&owned, &claim);
                notes.owner = Some(claim.owner.to_string());
                Ok(vec![Imported { state, private: notes.write() }])
            }
            _ => Err(planned.diagnostics),
        }
    }

    fn configuration(&self, identity: &Identity, owned: &Owned, claim: &Claim) -> Result<Value, Diagnostics> {
        let claimed: Owned = owned
            .iter()
            .map(|(cluster, objects)| (cluster.clone(), objects.iter().filter(|live| live.claim == *claim).cloned().collect()))
            .collect();
        let objects = claimed.values().flatten().filter(|live| self.kind.anchors().contains(&live.key.kind.as_str()));
        let Some(text) = objects.filter_map(Live::stored_intent).max() else {
            return self.kind.restore(identity, &claimed, owned).map_err(|problem| not_found(&problem, claim));
        };
        crate::stored_intent::decode(text, &self.ty).map_err(|problem| not_found(&problem, claim))
    }
}

/// That no stored intent was found, and what was.
pub(crate) fn none_stored(claimed: &Owned) -> String {
    let seen: Vec<String> = claimed
        .iter()
        .flat_map(|(cluster, objects)| objects.iter().map(move |object| format!("{cluster}/{}", object.key)))
        .collect();
    let seen = if seen.is_empty() {
        "no cluster holds an object of it".to_owned()
    } else {
        format!("objects of it: {}", seen.join(", "))
    };
    format!("No stored intent was found; {seen}.")
}

/// The instance that an import continues: the one that wrote most of what is there.
fn instance(owned: &Owned, claim: &Claim) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let claimed = owned.values().flatten().filter(|live| live.claim == *claim);
    for nonce in claimed.filter_map(|live| kube_apply::nonce_of(&live.json)) {
        *counts.entry(nonce).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(nonce, _)| nonce.to_owned())
}

/// Every object of this owner, by cluster.
async fn owned(session: &Session) -> Result<Owned, Diagnostics> {
    let mut found = Owned::new();
    for name in session.fleet.clusters() {
        let Some(answer) = session.fleet.inventory(name, &Kinds::All).await else {
            return Err(Diagnostic::error(
                "Cluster is not known yet",
                format!("How to reach cluster {name} is known only after apply, so the import cannot look there.\n\nApply what the cluster's connection comes from first, then import."),
            )
            .into());
        };
        let objects = answer.map_err(|error| crate::cook::cook(&error.finding(), &Type::object::<String>([])))?;
        let live = objects.into_iter().filter_map(|json| {
            let claim = Claim::on(&json)?;
            Some(Live { key: object_key(&json)?, claim, json })
        });
        found.insert(name.clone(), live.filter(|live| live.claim.owner == session.settings.owner).collect());
    }
    Ok(found)
}

fn not_found(problem: &str, claim: &Claim) -> Diagnostics {
    Diagnostic::error(
        "Nothing to import",
        format!("{problem}\n\nImport looks in every cluster of the provider block for objects with the claim {claim:?}. Check the id, the provider's `owner` and `clusters`, or create the resource instead.", claim = claim.to_string()),
    )
    .into()
}
