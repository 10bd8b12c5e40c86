//! Importing: a resource is found in the clusters by its claim, and its configuration in the intent stored there.

use std::collections::BTreeMap;

use istio_objects::{Claim, object_key, reserved};
use kube_apply::port::Kinds;
use mesh_model::names::ClusterName;
use tf_server::{Cx, Imported, PlanRequest};
use tf_value::{Diagnostic, Diagnostics, Type, Value};

use super::{Identity, IntentKind, IntentResource, Live};
use crate::settings::Session;

impl<K: IntentKind> IntentResource<K> {
    pub(super) async fn import_by_id(&self, cx: &Cx, id: &str) -> Result<Vec<Imported>, Diagnostics> {
        let session = self.configured.session()?;
        let (owner, rest) = id.split_once("//").map_or((None, id), |(owner, rest)| (Some(owner), rest));
        if let Some(owner) = owner
            && owner != session.settings.owner.as_str()
        {
            return Err(Diagnostic::error(
                "Import of another owner's resource",
                format!("The id names the owner {owner:?}; this provider acts for {:?}.\n\nAn object has one owner. Import it with the provider whose `owner` is {owner:?}.", session.settings.owner.as_str()),
            )
            .into());
        }
        let identity = self.kind.parse_id(rest).map_err(|problem| Diagnostic::error("Invalid import id", problem))?;
        let claim = identity.claim(&session.settings.owner, K::TYPE);
        let live = find(&session, &claim).await?;
        let config = self.configuration(&identity, &live, &claim)?;
        // the state of an import is what a create with this configuration would plan; the read that follows compares
        // it with what is there
        let proposed = config.clone();
        let planned = self.plan_change(cx, PlanRequest { config, prior: None, proposed, private: Vec::new() }).await;
        match planned.value {
            Some(state) if state.is_wholly_known() => Ok(vec![Imported { state, private: planned.private }]),
            _ => Err(planned.diagnostics),
        }
    }

    fn configuration(
        &self,
        identity: &Identity,
        live: &BTreeMap<ClusterName, Vec<Live>>,
        claim: &Claim,
    ) -> Result<Value, Diagnostics> {
        let Some(anchor) = self.kind.anchor() else {
            return self.kind.restore(identity, live).map_err(|problem| not_found(&problem, claim));
        };
        let objects = live.values().flatten().filter(|object| object.key.kind == anchor);
        let stored =
            objects.filter_map(|object| object.json.pointer("/metadata/annotations")?.get(reserved::INTENT_ANNOTATION)?.as_str());
        let Some(text) = stored.max() else {
            let seen: Vec<String> = live
                .iter()
                .flat_map(|(cluster, objects)| objects.iter().map(move |object| format!("{cluster}/{}", object.key)))
                .collect();
            let seen = if seen.is_empty() {
                "no cluster holds an object of it".to_owned()
            } else {
                format!("objects of it: {}", seen.join(", "))
            };
            return Err(not_found(&format!("No stored intent was found; {seen}."), claim));
        };
        crate::stored_intent::decode(text, &self.kind.schema().ty()).map_err(|problem| not_found(&problem, claim))
    }
}

async fn find(session: &Session, claim: &Claim) -> Result<BTreeMap<ClusterName, Vec<Live>>, Diagnostics> {
    let mut found = BTreeMap::new();
    let text = claim.to_string();
    for name in session.fleet.clusters() {
        let Some(answer) = session.fleet.inventory(name, &Kinds::All).await else {
            return Err(Diagnostic::error(
                "Cluster is not known yet",
                format!("How to reach cluster {name} is known only after apply, so the import cannot look there.\n\nApply what the cluster's connection comes from first, then import."),
            )
            .into());
        };
        let objects = answer.map_err(|error| crate::cook::cook(&error.finding(), &Type::object::<String>([])))?;
        let ours = objects.into_iter().filter(|json| {
            let annotations = json.pointer("/metadata/annotations");
            annotations.and_then(|map| map.get(reserved::CLAIM_ANNOTATION)?.as_str()) == Some(text.as_str())
        });
        found.insert(name.clone(), ours.filter_map(|json| Some(Live { key: object_key(&json)?, json })).collect());
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
