//! Applying: the planned bytes are written in safe waves, and the state says what landed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use istio_objects::{Change, Claim, Manifest, ObjectKey, Operation, reserved};
use kube_apply::{Request, Standing};
use mesh_model::Severity;
use mesh_model::names::ClusterName;
use tf_server::{Applied, ApplyRequest, Cx, Private};
use tf_value::{Diagnostic, Diagnostics, Value};
use tokio_util::sync::CancellationToken;

use super::meet::meet_clusters;
use super::state::{Drift, Record, applied_value, digest, drift_value, with};
use super::{IntentKind, IntentResource, Shape, limited};
use crate::session::{PerCluster, Session};

/// How long an apply may begin new writes, unless `timeouts` says otherwise.
const WRITE_LIMIT: Duration = Duration::from_secs(300);

impl<K: IntentKind> IntentResource<K> {
    pub(super) async fn apply_change(&self, cx: &Cx, request: ApplyRequest) -> Applied {
        let ApplyRequest { config, prior, planned, private } = request;
        match self.try_apply(cx, &config, prior.as_ref(), planned, private).await {
            Ok(applied) => applied,
            // nothing was written: a create leaves nothing, and of an update the state before is kept
            Err(diagnostics) => Applied { state: None, private: Private::new(), diagnostics },
        }
    }

    async fn try_apply(
        &self,
        cx: &Cx,
        config: &Value,
        prior: Option<&Value>,
        planned: Option<Value>,
        private: Private,
    ) -> Result<Applied, Diagnostics> {
        let session = self.configured.session()?;
        let planned = planned.ok_or_else(|| not_known("the planned state"))?;
        if let Some(name) = ["manifests", "applied", "id"].into_iter().find(|name| !planned.get(name).is_wholly_known()) {
            return Err(not_known(name));
        }
        let goal = Record::read(&planned)?;
        let before = prior.map(Record::read).transpose()?.unwrap_or_default();
        let claim = self.claim(&planned, &session)?;
        self.meet_before_writing(&session, config, &claim, &goal).await?;
        let notes = self.state_annotations(config, &goal);
        let to_write = changes(&before, &goal, &notes, &session);
        let request = Request {
            prior: before.manifests.clone(),
            shown_drift: before.drift.clone(),
            state_annotations: notes,
            clusters_order: session.settings.clusters_order.clone(),
            ..Request::new(claim, mesh_translate::order(to_write))
        };
        let operation = if prior.is_some() { "update" } else { "create" };
        let cancel = limited(cx, config, operation, WRITE_LIMIT);
        let cleared = kube_apply::preflight(&session.fleet, request).await.map_err(|findings| self.cook(&findings))?;
        let outcome = kube_apply::write(&session.fleet, cleared, &cancel).await;
        cancel.cancel();
        let mut diagnostics = self.cook(&outcome.findings);
        if outcome.is_complete {
            return Ok(Applied { state: Some(planned), private, diagnostics });
        }
        if prior.is_none() {
            let deletions = mesh_translate::order(changes(&goal, &Record::default(), &Annotations::new(), &session));
            // an interrupt ends the create, not the clean-up
            let rest = kube_apply::rollback(&session.fleet, outcome, &deletions, &CancellationToken::new()).await;
            diagnostics.extend(self.cook(&rest.findings));
            return Ok(Applied { state: None, private: Private::new(), diagnostics });
        }
        let mut state = planned;
        let (applied, drift) = landed_state(&goal, &outcome.landed);
        with(&mut state, "applied", applied_value(&applied));
        with(&mut state, "drift", drift_value(&drift));
        Ok(Applied { state: Some(state), private, diagnostics })
    }

    pub(super) async fn apply_delete(&self, cx: &Cx, request: ApplyRequest) -> Applied {
        let ApplyRequest { prior, private, .. } = request;
        let Some(prior) = prior else { return Applied::default() };
        match self.try_delete(cx, &prior).await {
            Ok(Deleted { left: None, diagnostics }) => Applied { diagnostics, ..Applied::default() },
            Ok(Deleted { left: Some(state), diagnostics }) => Applied { state: Some(state), private, diagnostics },
            // nothing was deleted: the state before is kept
            Err(diagnostics) => Applied { state: None, private, diagnostics },
        }
    }

    async fn try_delete(&self, cx: &Cx, prior: &Value) -> Result<Deleted, Diagnostics> {
        let session = self.configured.session()?;
        let before = Record::read(prior)?;
        if before.manifests.values().all(Vec::is_empty) && before.drift.is_empty() {
            return Ok(Deleted { left: None, diagnostics: Diagnostics::new() });
        }
        let claim = self.claim(prior, &session)?;
        let announced = claim.clone();
        let to_delete = changes(&before, &Record::default(), &Annotations::new(), &session);
        let request = Request {
            prior: before.manifests.clone(),
            shown_drift: before.drift.clone(),
            clusters_order: session.settings.clusters_order.clone(),
            ..Request::new(claim, mesh_translate::order(to_delete))
        };
        let cancel = limited(cx, prior, "delete", WRITE_LIMIT);
        let cleared = kube_apply::preflight(&session.fleet, request).await.map_err(|findings| self.cook(&findings))?;
        let outcome = kube_apply::write(&session.fleet, cleared, &cancel).await;
        cancel.cancel();
        let diagnostics = self.cook(&outcome.findings);
        if outcome.is_complete {
            session.announced.withdraw(&announced);
            return Ok(Deleted { left: None, diagnostics });
        }
        // the state keeps naming every object, so that the next destroy finds them; what is gone already is no error there
        let (applied, drift) = landed_state(&before, &outcome.landed);
        let mut state = prior.clone();
        with(&mut state, "applied", applied_value(&applied));
        with(&mut state, "drift", drift_value(&drift));
        Ok(Deleted { left: Some(state), diagnostics })
    }

    /// The checks of the plan once more, on what the clusters hold now and on what other resources are about to write.
    async fn meet_before_writing(
        &self,
        session: &Session,
        config: &Value,
        claim: &Claim,
        goal: &Record,
    ) -> Result<(), Diagnostics> {
        let Shape::Objects(objects) = self.kind.interpret(config).shape else { return Ok(()) };
        let others = session.announced.announce(claim, &goal.manifests);
        let mut findings = meet_clusters(session, &objects, claim, true, &others, &BTreeSet::new()).await;
        // warnings were shown by the plan
        findings.retain(|finding| finding.code.severity() == Severity::Error);
        if findings.is_empty() {
            return Ok(());
        }
        session.announced.withdraw(claim);
        Err(self.cook(&findings))
    }

    fn claim(&self, state: &Value, session: &Session) -> Result<Claim, Diagnostics> {
        let identity = self
            .kind
            .parse_id(state.get("id").as_str().unwrap_or_default())
            .map_err(|problem| Diagnostic::error("Damaged state", problem))?;
        Ok(identity.claim(&session.settings.owner, K::TYPE))
    }

    /// The stored intent, for every object that holds one.
    fn state_annotations(&self, config: &Value, goal: &Record) -> Annotations {
        let schema = self.kind.schema();
        let arguments: BTreeSet<&str> = crate::schema::arguments(&schema.attributes).collect();
        let attributes = config.as_map().into_iter().flatten();
        let stored = Value::map(
            attributes.filter(|(name, _)| arguments.contains(name.as_str())).map(|(name, value)| (name.clone(), value.clone())),
        );
        let (Some(anchor), Some(intent)) = (self.kind.anchor(), crate::stored_intent::encode(&stored)) else {
            return Annotations::new();
        };
        let anchors = goal.manifests.values().flatten().map(Manifest::key).filter(|key| key.kind == anchor);
        anchors.map(|key| (key.clone(), BTreeMap::from([(reserved::INTENT_ANNOTATION.to_owned(), intent.clone())]))).collect()
    }
}

/// Annotations that are not part of a manifest, by object.
type Annotations = BTreeMap<ObjectKey, BTreeMap<String, String>>;

/// What a delete left behind.
struct Deleted {
    /// the state of what is left; `None`: nothing is
    left: Option<Value>,
    diagnostics: Diagnostics,
}

fn not_known(what: &str) -> Diagnostics {
    Diagnostic::error(
        "Planned value is not known",
        format!("At apply, {what} is still unknown, so there is nothing that may be written.\n\nThis is a fault of the client or of the provider; nothing was changed. Run the command again with TF_LOG=debug and report its output."),
    )
    .into()
}

/// What must happen so that the clusters hold the goal: what differs from the state, what the last refresh saw drift,
/// and what a failed apply left unfinished.
fn changes(before: &Record, goal: &Record, notes: &Annotations, session: &Session) -> Vec<Change> {
    let mut changes = Vec::new();
    let clusters: BTreeSet<&ClusterName> = before.manifests.keys().chain(goal.manifests.keys()).collect();
    for cluster in clusters {
        if session.standing(cluster) == Standing::Decommissioned {
            continue;
        }
        let old = by_key(&before.manifests, cluster);
        let new = by_key(&goal.manifests, cluster);
        let landed = before.landed(cluster);
        for (key, manifest) in &new {
            let operation = match old.get(key) {
                None => Operation::Create((*manifest).clone()),
                Some(old) => {
                    let drifted = before.drift.contains_key(&format!("{cluster}/{key}"));
                    if old == manifest && landed && !drifted && !notes.contains_key(*key) {
                        continue;
                    }
                    Operation::Update { old: (*old).clone(), new: (*manifest).clone() }
                }
            };
            changes.push(Change { cluster: cluster.clone(), operation });
        }
        for key in old.keys().filter(|key| !new.contains_key(*key)) {
            changes.push(Change { cluster: cluster.clone(), operation: Operation::Delete((*key).clone()) });
        }
        // leftovers: ours by claim, in no state
        let prefix = format!("{cluster}/");
        for key in before.drift.keys().filter_map(|object| object.strip_prefix(&prefix)?.parse::<ObjectKey>().ok()) {
            if !old.contains_key(&key) && !new.contains_key(&key) {
                changes.push(Change { cluster: cluster.clone(), operation: Operation::Delete(key) });
            }
        }
    }
    changes
}

fn by_key<'a>(manifests: &'a PerCluster, cluster: &ClusterName) -> BTreeMap<&'a ObjectKey, &'a Manifest> {
    manifests.get(cluster).into_iter().flatten().map(|manifest| (manifest.key(), manifest)).collect()
}

/// `applied` and `drift` after writes that did not all succeed: `landed` is what each cluster holds now.
fn landed_state(
    goal: &Record,
    landed: &BTreeMap<ClusterName, BTreeMap<ObjectKey, Manifest>>,
) -> (BTreeMap<ClusterName, String>, Drift) {
    let nothing = BTreeMap::new();
    let mut applied = BTreeMap::new();
    let mut drift = Drift::new();
    for cluster in goal.manifests.keys() {
        let holds = landed.get(cluster).unwrap_or(&nothing);
        applied.insert(cluster.clone(), digest(holds.values()));
        let goal = by_key(&goal.manifests, cluster);
        for (key, manifest) in &goal {
            let lines = kube_apply::drift_lines(manifest, holds.get(*key).map(Manifest::value).as_ref());
            if !lines.is_empty() {
                drift.insert(format!("{cluster}/{key}"), lines);
            }
        }
        for key in holds.keys().filter(|key| !goal.contains_key(*key)) {
            drift.insert(format!("{cluster}/{key}"), vec![kube_apply::LEFTOVER.to_owned()]);
        }
    }
    (applied, drift)
}
