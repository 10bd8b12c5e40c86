//! Applying: the planned bytes are written in safe waves, and the state says what landed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use istio_objects::{Change, Claim, Manifest, ObjectKey, Operation, Wave, is_under, reserved};
use kube_apply::{Adopt, Census, Cleared, Instance, Request, Standing};
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings, Severity};
use mesh_translate::Rights;
use tf_server::{Applied, ApplyRequest, Cx, Private};
use tf_value::{Diagnostic, Diagnostics, Value};
use tokio_util::sync::CancellationToken;

use super::handover::{Creating, Parted, Taking};
use super::meet::{Asking, meet_clusters};
use super::private::{Notes, Residues, new_nonce};
use super::rights::Wishes;
use super::state::{Drift, Landed, Record, applied_value, changed, digest, drift_value, residues, with};
use super::{IntentKind, IntentResource, Shape, limited, protect};
use crate::session::{Announcement, Inventories, PerCluster, Session};

/// Arguments that are for one apply: no import restores them.
const TRANSIENT: &[&str] = &["takeover_from", "adopt"];

/// How long an apply may begin new writes, unless `timeouts` says otherwise.
const WRITE_LIMIT: Duration = Duration::from_secs(300);

impl<K: IntentKind> IntentResource<K> {
    pub(super) async fn apply_change(&self, cx: &Cx, request: ApplyRequest) -> Applied {
        let ApplyRequest { config, prior, planned, private } = request;
        let kept = Notes::read(&private).dropped().write();
        match self.try_apply(cx, &config, prior.as_ref(), planned, private).await {
            Ok(applied) => applied,
            // nothing was written: a create leaves nothing, and of an update the state before is kept
            Err(diagnostics) => {
                Applied { private: if prior.is_some() { kept } else { Private::new() }, state: prior, diagnostics }
            }
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
        let began = session.begin_to_apply();
        let planned = planned.ok_or_else(|| not_known("the planned state"))?;
        if let Some(name) = ["manifests", "applied", "id", "drift"].into_iter().find(|name| !planned.get(name).is_wholly_known())
        {
            return Err(not_known(name));
        }
        let goal = Record::read(&planned)?;
        let before = prior.map(Record::read).transpose()?.unwrap_or_default();
        let claim = self.claim_of(&planned, &session)?;
        let takeover = Wishes::read(config).0.takeover(&claim).unwrap_or_default();
        let taking = match prior {
            None => Taking::create(&claim, takeover),
            Some(_) => Taking::update(&claim, takeover),
        };
        let creating = session.hand_overs.begin(&taking).ok_or_else(|| created_twice(&claim))?;
        let operation = if prior.is_some() { "update" } else { "create" };
        let cancel = limited(cx, config, operation, WRITE_LIMIT);
        creating.alone(&cancel).await;
        let mut notes = Notes::read(&private);
        // a create is a new instance, also one that replaces another
        let mut known = notes.instance.take().filter(|_| prior.is_some());
        let moved = notes.adopts;
        if prior.is_some() && known.is_none() && !moved {
            // a provider that died in an apply leaves the state before without its private bytes: the objects still know
            known = Census::take(&session.fleet, &claim).await.sole().map(str::to_owned);
        }
        // as the plan has it: what others have stays theirs while nothing else is to be done
        let is_idle = prior.is_some_and(|prior| changed(prior, &planned).next().is_none());
        let meeting = Meeting { exists: prior.is_some(), instance: known.as_deref(), is_moved: moved, is_idle };
        let Granted { takeover, adopt, announcement, inventories } =
            self.meet_before_writing(&session, config, (&claim, &goal), meeting).await?;
        let nonce = known.unwrap_or_else(new_nonce);
        notes.instance = Some(nonce.clone());
        notes.owner = Some(claim.owner.to_string());
        let notes = notes.settled();
        let instance = Instance { nonce, anchors: self.anchors(&goal) };
        let annotations = self.state_annotations(config, &instance.anchors);
        // what held notes until now loses them
        let noted = self.anchors(&before).into_values().chain(annotations.keys().cloned()).collect();
        let to_write = changes(&before, &goal, &noted, &instance.anchors, &notes.residues, &session);
        let gives_up = prior.is_some() && to_write.iter().any(|change| matches!(change.operation, Operation::Delete(_)));
        let waves = in_order(to_write, &goal.manifests, &inventories);
        let request = Request {
            pauses: mesh_translate::pauses(&waves),
            settle: session.settings.settle,
            takeover,
            adopt,
            handed_over: creating.leaving(),
            instance: Some(instance),
            prior: before.manifests.clone(),
            shown_drift: before.drift.clone(),
            residues: notes.residues.clone(),
            state_annotations: annotations,
            clusters_order: session.settings.clusters_order.clone(),
            ..Request::new(claim.clone(), waves)
        };
        let cook = |findings: Findings| self.cook(&findings);
        // what the update gives up may be what another call of this run takes over; two that take from each other do not wait
        let parts = gives_up && taking.is_empty();
        if parts {
            session.hand_overs.expect(&claim, began, &cancel).await;
        }
        let mut cleared = clear(&session, request.clone(), &creating, &cancel).await.map_err(cook)?;
        let mut _parted = None;
        if parts {
            let parted = session.hand_overs.part(&claim, None, &cancel).await;
            let parted = parted.map_err(|taker| self.cook(&vec![not_handed_over(&claim, &taker)]))?;
            if parted.has_waited {
                cleared = kube_apply::preflight(&session.fleet, request).await.map_err(cook)?;
            }
            _parted = Some(parted);
        }
        let outcome = kube_apply::write(&session.fleet, cleared, &cancel).await;
        cancel.cancel();
        let mut diagnostics = self.cook(&outcome.findings);
        if outcome.is_complete {
            creating.finish();
            announcement.keep();
            let private = Notes { adopts: false, residues: Residues::new(), ..notes }.write();
            return Ok(Applied { state: Some(planned), private, diagnostics });
        }
        if prior.is_none() {
            let deletions = mesh_translate::order(deletions(&goal, &session), &PerCluster::new());
            // an interrupt ends the create, not the clean-up
            let rest = kube_apply::rollback(&session.fleet, outcome, &deletions, &CancellationToken::new()).await;
            diagnostics.extend(self.cook(&rest.findings));
            return Ok(Applied { state: None, private: Private::new(), diagnostics });
        }
        announcement.keep();
        let mut state = planned;
        let (mut applied, mut drift) = landed_state(&goal, &outcome.landed);
        if drift.is_empty() {
            applied.extend(unnoted(&outcome.landed, &self.anchors(&goal)));
        }
        // what others have by now is planned so
        drift.extend(goal.drift.clone());
        with(&mut state, "applied", applied_value(&applied));
        with(&mut state, "drift", drift_value(&drift));
        let residues = residues(&before, &goal, &notes.residues, &outcome.landed);
        Ok(Applied { state: Some(state), private: Notes { residues, ..notes }.write(), diagnostics })
    }

    pub(super) async fn apply_delete(&self, cx: &Cx, request: ApplyRequest) -> Applied {
        let ApplyRequest { prior, private, .. } = request;
        let Some(prior) = prior else { return Applied::default() };
        match self.try_delete(cx, &prior, &Notes::read(&private)).await {
            Ok(Deleted { left: None, diagnostics }) => Applied { diagnostics, ..Applied::default() },
            Ok(Deleted { left: Some(state), diagnostics }) => Applied { state: Some(state), private, diagnostics },
            // nothing was deleted: the state before is kept
            Err(diagnostics) => Applied { state: None, private, diagnostics },
        }
    }

    async fn try_delete(&self, cx: &Cx, prior: &Value, notes: &Notes) -> Result<Deleted, Diagnostics> {
        let session = self.configured.session()?;
        let began = session.begin_to_apply();
        // also where no plan was asked: the first half of a replacement
        if protect::is_on(prior) {
            return Err(self.cook(&vec![protect::destruction(K::TYPE, prior)]));
        }
        // the plan may be old
        let mut relied_on = self.relied_on(&session, prior, None).await;
        relied_on.retain(|finding| finding.code.severity() == Severity::Error);
        if !relied_on.is_empty() {
            return Err(self.cook(&relied_on));
        }
        let before = Record::read(prior)?;
        if before.manifests.values().all(Vec::is_empty) && before.drift.is_empty() {
            let findings = notes.adopts.then(|| never_applied(prior)).into_iter().collect();
            return Ok(Deleted { left: None, diagnostics: self.cook(&findings) });
        }
        let claim = self.claim_of(prior, &session)?;
        let instance = notes.instance.clone().map(|nonce| Instance { nonce, anchors: BTreeMap::new() });
        let request = Request {
            instance,
            prior: before.manifests.clone(),
            shown_drift: before.drift.clone(),
            clusters_order: session.settings.clusters_order.clone(),
            ..Request::new(claim.clone(), mesh_translate::order(deletions(&before, &session), &PerCluster::new()))
        };
        let cancel = limited(cx, prior, "delete", WRITE_LIMIT);
        let cook = |findings: Findings| self.cook(&findings);
        session.hand_overs.expect(&claim, began, &cancel).await;
        let mut cleared = kube_apply::preflight(&session.fleet, request.clone()).await.map_err(cook)?;
        // the last moment before the first deletion: what other calls of this run are about to take stays
        let nonce = notes.instance.as_deref().unwrap_or_default();
        let parted = session.hand_overs.part(&claim, Some(nonce), &cancel).await;
        let parted: Parted = parted.map_err(|taker| self.cook(&vec![not_handed_over(&claim, &taker)]))?;
        if parted.has_waited {
            cleared = kube_apply::preflight(&session.fleet, request).await.map_err(cook)?;
        }
        let mut outcome = kube_apply::write(&session.fleet, cleared, &cancel).await;
        cancel.cancel();
        if !parted.takers.is_empty() {
            outcome.findings.retain(|finding| finding.code != Code::ClaimMoved);
        }
        let diagnostics = self.cook(&summarised(std::mem::take(&mut outcome.findings)));
        if outcome.is_complete {
            if !parted.takers.contains(&claim) {
                session.withdraw(&claim);
            }
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
    async fn meet_before_writing<'a>(
        &self,
        session: &'a Session,
        config: &Value,
        (claim, goal): (&Claim, &Record),
        meeting: Meeting<'_>,
    ) -> Result<Granted<'a>, Diagnostics> {
        let (wishes, mut findings) = Wishes::read(config);
        findings.extend(wishes.against(claim));
        let (Some(takeover), Some(adopt)) = (wishes.takeover(claim), wishes.adopt) else {
            return Err(not_known("`takeover_from` or `adopt`"));
        };
        let Meeting { exists, instance, is_moved: moved, is_idle } = meeting;
        let granted = match (adopt, moved) {
            (true, _) => Adopt::Instances,
            (false, true) => Adopt::Unclaimed,
            (false, false) => Adopt::Nothing,
        };
        let shape = self.kind.interpret(config).shape;
        let is_near = matches!(&shape, Shape::Objects(objects) if !mesh_translate::looks_around(objects));
        let (announcement, others) = session.announce(claim, &goal.manifests, is_near);
        let inventories = Inventories::new();
        let granted = Granted { takeover: takeover.clone(), adopt: granted, announcement, inventories };
        let Shape::Objects(objects) = shape else { return Ok(granted) };
        let asking = Asking {
            session,
            rights: Rights { claim, takeover: Some(takeover), adopt: Some(adopt || moved) },
            takes_instances: Some(adopt),
            instance,
            exists,
            changes: !is_idle,
            others: &others,
            leaving: &BTreeSet::new(),
        };
        let (met, inventories) = meet_clusters(&asking, &objects).await;
        findings.extend(self.kind.placed(met));
        // warnings were shown by the plan
        findings.retain(|finding| finding.code.severity() == Severity::Error);
        if findings.is_empty() {
            return Ok(Granted { inventories, ..granted });
        }
        Err(self.cook(&findings))
    }

    /// The object of each cluster that carries the mark of a complete instance: one that holds the stored intent, or the
    /// first; none where somebody else has it.
    fn anchors(&self, goal: &Record) -> BTreeMap<ClusterName, ObjectKey> {
        let anchor = |manifests: &[Manifest]| {
            let kinds = self.kind.anchors();
            let rank = |key: &ObjectKey| kinds.iter().position(|kind| *kind == key.kind).unwrap_or(kinds.len());
            manifests.iter().map(Manifest::key).min_by_key(|key| (rank(key), *key)).cloned()
        };
        let anchors = goal.manifests.iter().filter_map(|(cluster, manifests)| Some((cluster.clone(), anchor(manifests)?)));
        anchors.filter(|(cluster, key)| !goal.is_given_up(&format!("{cluster}/{key}"))).collect()
    }

    /// The stored intent, for every object that holds one.
    fn state_annotations(&self, config: &Value, anchors: &BTreeMap<ClusterName, ObjectKey>) -> Annotations {
        let holders = anchors.values().filter(|key| self.kind.anchors().contains(&key.kind.as_str()));
        let Some(intent) = crate::stored_intent::encode(&self.written(config, TRANSIENT)) else { return Annotations::new() };
        holders.map(|key| (key.clone(), BTreeMap::from([(reserved::INTENT_ANNOTATION.to_owned(), intent.clone())]))).collect()
    }
}

/// What the clusters let a resource do.
struct Granted<'a> {
    takeover: BTreeSet<Claim>,
    adopt: Adopt,
    announcement: Announcement<'a>,
    /// what there is in clusters that get objects
    inventories: Inventories,
}

/// Who meets the clusters before the first write.
#[derive(Clone, Copy)]
struct Meeting<'a> {
    /// whether the resource is in the state
    exists: bool,
    /// its instance, as far as it is known
    instance: Option<&'a str>,
    /// whether it was moved here from another provider
    is_moved: bool,
    /// whether no object is to change
    is_idle: bool,
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

fn created_twice(claim: &Claim) -> Diagnostic {
    Diagnostic::error(
        "Two resources of one identity",
        format!(
            "Another resource of this configuration is just being created as {claim}.\n\nBoth would write the same objects; nothing was written for this one.\n\nGive them different names or namespaces, or remove one of them."
        ),
    )
}

fn not_handed_over(claim: &Claim, taker: &Claim) -> Finding {
    let (what, fix) = if claim == taker {
        (
            format!(
                "The objects of {claim} were to become those of the resource that this run creates with the same namespace and name, and it was not created."
            ),
            "Correct what kept the other resource from being created, and apply again. A renamed resource is better moved:\n\n  moved {\n    from = <old address>\n    to   = <new address>\n  }",
        )
    } else {
        (
            format!("Objects of {claim} were to be taken over by {taker} in this run, and that failed."),
            "Correct what kept the other resource from taking them, and apply again.",
        )
    };
    let why = "They were kept, so that no client loses them; this resource stays in the state as it was.";
    Finding::new(Code::HandOverFailed, AttributePath::default(), what, why, fix)
}

/// A resource that came from another provider, destroyed before it was ever applied here.
fn never_applied(state: &Value) -> Finding {
    Finding::new(
        Code::ObjectsForgotten,
        AttributePath::default(),
        format!("{} was forgotten, not deleted.", state.get("id").as_str().unwrap_or("The object")),
        "It was moved here from another provider and never applied, so nothing says in which clusters it is this resource's.",
        "Delete it by hand if nobody needs it.",
    )
}

/// Preflight; a create that meets the objects of another instance waits for its delete in this run.
async fn clear(
    session: &Session,
    mut request: Request,
    creating: &Creating,
    cancel: &CancellationToken,
) -> Result<Cleared, Findings> {
    let refused = match kube_apply::preflight(&session.fleet, request.clone()).await {
        Ok(cleared) => return Ok(cleared),
        Err(findings) => findings,
    };
    let mut errors = refused.iter().filter(|finding| finding.code.severity() == Severity::Error);
    if !errors.all(|finding| finding.code == Code::OtherInstance) {
        return Err(refused);
    }
    let own = request.instance.as_ref().map(|instance| instance.nonce.as_str());
    let others = Census::take(&session.fleet, &request.claim).await.others(own);
    if !creating.wait(&others, cancel).await {
        return Err(summarised(refused));
    }
    request.handed_over = others;
    kube_apply::preflight(&session.fleet, request).await
}

/// One finding for all objects of which the same is said.
fn summarised(findings: Findings) -> Findings {
    let mut told: Findings = Findings::new();
    let mut more: BTreeMap<usize, usize> = BTreeMap::new();
    for finding in findings {
        let is_same = |other: &Finding| other.code == finding.code && other.why == finding.why && other.fix == finding.fix;
        let summed_up = matches!(finding.code, Code::ClaimMoved | Code::OtherInstance);
        match told.iter().position(is_same).filter(|_| summed_up) {
            Some(position) => *more.entry(position).or_default() += 1,
            None => told.push(finding),
        }
    }
    for (position, count) in more {
        told[position].what.push_str(&format!(" (and so with {count} more objects)"));
    }
    told
}

/// The changes in their order. What is to be created and exists, because it is taken over, is ordered by the change that it
/// is: as an update of what is there.
fn in_order(mut changes: Vec<Change>, goal: &PerCluster, inventories: &Inventories) -> Vec<Wave> {
    let mut existing = BTreeMap::new();
    for Change { cluster, operation } in &mut changes {
        let Operation::Create(new) = operation else { continue };
        let is_it = |live: &&Arc<serde_json::Value>| is_under(live, new.key());
        let live = inventories.get(cluster).and_then(|live| live.iter().find(is_it));
        if let Some(old) = live.and_then(|live| Manifest::from_stored(new.key().clone(), &live.to_string()).ok()) {
            existing.insert((cluster.clone(), new.key().clone()), new.clone());
            *operation = Operation::Update { old, new: new.clone() };
        }
    }
    let mut waves = mesh_translate::order(changes, goal);
    for change in waves.iter_mut().flatten() {
        if let Some(new) = existing.remove(&(change.cluster.clone(), change.key().clone())) {
            change.operation = Operation::Create(new);
        }
    }
    waves
}

/// What must happen so that nothing is left.
fn deletions(before: &Record, session: &Session) -> Vec<Change> {
    changes(before, &Record::default(), &BTreeSet::new(), &BTreeMap::new(), &Residues::new(), session)
}

/// What must happen so that the clusters hold the goal: what differs from the state, what the last refresh saw drift,
/// and what a failed apply left unfinished. Objects that are `noted` hold what no manifest shows.
fn changes(
    before: &Record,
    goal: &Record,
    noted: &BTreeSet<ObjectKey>,
    anchors: &BTreeMap<ClusterName, ObjectKey>,
    residues: &Residues,
    session: &Session,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let drifted = before.drifted_clusters();
    let clusters: BTreeSet<&ClusterName> = before.manifests.keys().chain(goal.manifests.keys()).chain(&drifted).collect();
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
                    let object = format!("{cluster}/{key}");
                    if old == manifest && goal.is_given_up(&object) {
                        continue;
                    }
                    let drifted = before.drift.contains_key(&object) || residues.contains_key(&object);
                    let is_noted = noted.contains(*key) || anchors.get(cluster) == Some(*key);
                    if old == manifest && landed && !drifted && !is_noted {
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
fn landed_state(goal: &Record, landed: &Landed) -> (BTreeMap<ClusterName, String>, Drift) {
    let nothing = BTreeMap::new();
    let mut applied = BTreeMap::new();
    let mut drift = Drift::new();
    // a cluster that the resource leaves may still hold objects: their deletion stays pending
    let clusters: BTreeSet<&ClusterName> = goal.manifests.keys().chain(landed.keys()).collect();
    for cluster in clusters {
        let holds = landed.get(cluster).unwrap_or(&nothing);
        if goal.manifests.contains_key(cluster) {
            applied.insert(cluster.clone(), digest(holds.values()));
        }
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

/// `applied` where all manifests are there and a write failed nevertheless: what is missing is a note on the object that holds
/// notes. No manifest shows it, so the digest leaves that object out, and the next plan writes it again. Clusters where somebody else
/// has that object are not among them.
fn unnoted(
    landed: &BTreeMap<ClusterName, BTreeMap<ObjectKey, Manifest>>,
    anchors: &BTreeMap<ClusterName, ObjectKey>,
) -> BTreeMap<ClusterName, String> {
    let noted = |(cluster, holds): (&ClusterName, &BTreeMap<ObjectKey, Manifest>)| {
        let anchor = anchors.get(cluster)?;
        Some((cluster.clone(), digest(holds.iter().filter(|(key, _)| *key != anchor).map(|(_, manifest)| manifest))))
    };
    landed.iter().filter_map(noted).collect()
}
