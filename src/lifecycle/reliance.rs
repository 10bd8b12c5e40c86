//! What other states rely on: a resource that others refer to does not go while their objects are there.
//!
//! Contract: asks the clusters only where something goes, and judges by the intents that are stored on live objects. Objects of
//! this owner do not count: what of its own state refers to the resource is planned in the same run, and core orders the two.

use std::collections::{BTreeMap, BTreeSet};

use istio_objects::{Claim, annotation, reserved};
use kube_apply::Standing;
use kube_apply::port::Kinds;
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings};
use serde_json::Value as Json;
use tf_value::Value;

use super::{IntentKind, IntentResource};
use crate::session::Session;
use crate::stored_intent;

/// What goes, and how those are known who use it.
pub(crate) struct Reliance {
    /// where users may have objects
    pub(crate) looked_in: BTreeSet<ClusterName>,
    /// where they must have none any more
    pub(crate) lost: BTreeSet<ClusterName>,
    /// whether a stored intent uses it
    pub(crate) is_use: Box<dyn Fn(&Json) -> bool + Send + Sync>,
    /// what to say about those that do
    pub(crate) refusal: fn(&Users) -> Finding,
}

/// Who uses it, and in which of the clusters that are lost.
pub(crate) type Users = BTreeMap<Claim, BTreeSet<ClusterName>>;

impl<K: IntentKind> IntentResource<K> {
    /// Who of other states still relies on what goes with this change; `None` is planned where all of it goes.
    pub(super) async fn relied_on(&self, session: &Session, prior: &Value, planned: Option<&Value>) -> Findings {
        match self.kind.reliance(prior, planned, &session.settings.owner) {
            Some(reliance) => reliance.judge(session).await,
            None => Findings::new(),
        }
    }
}

impl Reliance {
    async fn judge(&self, session: &Session) -> Findings {
        let (mut uses, mut holds) = (BTreeSet::new(), Users::new());
        let mut silent = Vec::new();
        for cluster in self.looked_in.iter().filter(|cluster| session.standing(cluster) != Standing::Decommissioned) {
            let Some(Ok(objects)) = session.fleet.inventory(cluster, &Kinds::All).await else {
                silent.push(cluster.as_str());
                continue;
            };
            for object in &objects {
                let Some(claim) = Claim::on(object).filter(|claim| claim.owner != session.settings.owner) else { continue };
                let intent = annotation(object, reserved::INTENT_ANNOTATION).and_then(|text| stored_intent::read(text).ok());
                if intent.is_some_and(|intent| (self.is_use)(&intent)) {
                    uses.insert(claim.clone());
                }
                if self.lost.contains(cluster) {
                    holds.entry(claim).or_default().insert(cluster.clone());
                }
            }
        }
        holds.retain(|claim, _| uses.contains(claim));
        let mut findings: Findings = (!holds.is_empty()).then(|| (self.refusal)(&holds)).into_iter().collect();
        if !silent.is_empty() {
            findings.push(Finding::new(
                Code::ClusterSkipped,
                AttributePath::default(),
                format!("Whether other states still rely on what goes was not asked of: {}.", silent.join(", ")),
                "They do not answer, or the provider block says nothing of how they are reached.",
                "Make them answer, or put them back into the provider block until this is applied, and plan again, if other states may \
                 have resources there.",
            ));
        }
        findings
    }
}
