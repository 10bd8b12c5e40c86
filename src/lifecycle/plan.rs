//! Planning: configuration in, planned state out. Live clusters may veto or warn, never shape a value.

use std::collections::BTreeMap;

use kube_apply::{Standing, Taker};
use mesh_model::names::ClusterName;
use mesh_model::{AttributePath, Code, Finding, Findings};
use mesh_translate::{Objects, Rights};
use tf_server::{PlanRequest, Planned};
use tf_value::schema::Mode;
use tf_value::{Diagnostic, Diagnostics, Path, Value};

use super::goals::Goal;
use super::handover::Taking;
use super::meet::{Asking, meet_clusters};
use super::private::{Notes, inputs_digest};
use super::render::{Rendered, render};
use super::rights::Wishes;
use super::state::{Drift, Record, changed, drift_value, with};
use super::verdicts::{self, Met};
use super::{IntentKind, IntentResource, Shape, Transition, protect};
use crate::schema::HANDLING;
use crate::session::{Inventories, Session};
use crate::settings::Rerender;

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// to be applied
    Plan,
    /// to know the state that an import has
    Import,
}

impl<K: IntentKind> IntentResource<K> {
    pub(super) async fn plan_change(&self, purpose: Purpose, request: PlanRequest) -> Planned {
        let session = match self.configured.session() {
            Ok(session) => session,
            Err(diagnostics) => return Planned { diagnostics, ..Planned::default() },
        };
        let coming = self.taking(purpose, &request, &session);
        let prior = request.prior.clone();
        coming.iter().for_each(|taking| session.hand_overs.plan(taking));
        let planned = self.plan_in(purpose, &session, request).await;
        if let Some(taking) = &coming {
            match &planned.value {
                None => session.hand_overs.refuse(taking),
                Some(value) if prior.as_ref() == Some(value) => session.hand_overs.forget(taking),
                Some(_) => {}
            }
        }
        planned
    }

    /// Whose objects the planned call may take, besides those of the resource itself and of the one that it replaces.
    fn taking(&self, purpose: Purpose, request: &PlanRequest, session: &Session) -> Option<Taking> {
        let own = self.written_claim(&request.config, session).filter(|_| purpose == Purpose::Plan)?;
        let mut takeover = Wishes::read(&request.config).0.takeover(&own).unwrap_or_default();
        let replaced = session.leaving.claims();
        let before = request.prior.as_ref().and_then(|prior| self.claim_of(prior, session).ok());
        takeover.retain(|claim| !replaced.contains(claim) && before.as_ref() != Some(claim));
        // a private nonce without a prior state is that of the instance which this one replaces
        let is_new = request.prior.is_none() && Notes::read(&request.private).instance.is_none();
        let taking = if is_new { Taking::create(&own, takeover) } else { Taking::update(&own, takeover) };
        (!taking.is_empty()).then_some(taking)
    }

    async fn plan_in(&self, purpose: Purpose, session: &Session, request: PlanRequest) -> Planned {
        let PlanRequest { config, prior, proposed, private } = request;
        let mut interpretation = self.kind.interpret(&config);
        self.kind.sign(&mut interpretation.computed, &session.settings.owner);
        let mut diagnostics = self.cook(&interpretation.findings);
        let claim = interpretation.identity.as_ref().map(|identity| identity.claim(&session.settings.owner, K::TYPE));
        let (wishes, findings) = Wishes::read(&config);
        diagnostics.extend(self.cook(&findings));
        let record = prior.as_ref().and_then(|prior| Record::read(prior).ok()).unwrap_or_default();
        let nothing = BTreeMap::new();
        let kept = if let Shape::Objects(objects) = &interpretation.shape { objects } else { &nothing };
        diagnostics.extend(self.cook(&leave_the_state(&record, kept, session)));
        let rendered = match (&interpretation.shape, &claim, &session.settings.default_labels) {
            (Shape::Invalid, _, _) => return Planned { diagnostics, ..Planned::default() },
            (Shape::Unknown(leaf), _, _) => Rendered::unknown(leaf.clone()),
            (Shape::Objects(objects), Some(claim), Some(labels)) => render(objects, claim, labels),
            (Shape::Objects(_), None, _) => Rendered::unknown(mesh_model::LeafPath("name".to_owned())),
            (Shape::Objects(_), _, None) => Rendered::unknown(mesh_model::LeafPath("default_labels".to_owned())),
        };
        if let Some(leaf) = &rendered.hidden_by
            && !interpretation.findings.iter().any(|finding| finding.code == Code::UnknownShape)
        {
            diagnostics.extend(self.cook(&vec![hidden(leaf)]));
        }
        let notes = Notes { planned: self.inputs(&config, session), ..Notes::read(&private) };
        if let Some(changed) = owner_changed(&notes, session, K::TYPE) {
            diagnostics.push(changed);
            return Planned { diagnostics, ..Planned::default() };
        }
        let fresh = rendered.manifests.clone();
        let rendered = self.settle(rendered, &notes, &config, prior.as_ref(), session, &mut diagnostics);
        // what was rendered by another version and stays is not written
        let is_fresh = rendered.manifests == fresh;

        let mut value = proposed;
        with(
            &mut value,
            "id",
            interpretation.identity.as_ref().map_or_else(Value::unknown, |identity| Value::string(identity.id.clone())),
        );
        for (name, computed) in &interpretation.computed {
            with(&mut value, name, computed.clone());
        }
        with(&mut value, "manifests", rendered.manifests);
        with(&mut value, "applied", rendered.applied);
        let rights = claim.as_ref().map(|claim| Rights {
            claim,
            takeover: wishes.takeover(claim),
            adopt: if notes.adopts { Some(true) } else { wishes.adopt },
        });
        let given_up = taken_for_good(&record.drift, rights.as_ref(), wishes.adopt);
        match &given_up {
            Some(gone) => {
                diagnostics.extend(self.cook(&gone_findings(gone)));
                with(&mut value, "drift", drift_value(gone));
            }
            None => with(&mut value, "drift", Value::unknown()),
        }

        if prior.is_some() && interpretation.identity.is_none() {
            diagnostics.extend(self.cook(&vec![may_be_another(K::IDENTITY)]));
        }
        let is_known = interpretation.identity.is_some();
        let moved = is_known && prior.as_ref().is_some_and(|prior| prior.get("id") != value.get("id"));
        if moved && notes.adopts && prior.is_some() {
            diagnostics.extend(self.cook(&vec![renamed_while_moved(K::IDENTITY)]));
        }
        if moved && let Some(prior) = &prior {
            let old = self.claim_of(prior, session).ok();
            session.leaving.note_all(old.clone());
            if protect::is_on(prior) {
                diagnostics.extend(self.cook(&vec![protect::replacement(prior, K::IDENTITY)]));
            } else if let Some(old) = &old {
                let takes = rights.as_ref().is_some_and(|rights| rights.takeover.as_ref().is_none_or(|all| all.contains(old)));
                diagnostics.extend(self.cook(&self.kind.replacement(prior, &value, (!takes).then_some(old))));
            }
        } else if let (Some(prior), Shape::Objects(objects)) = (&prior, &interpretation.shape)
            && protect::is_on(prior)
        {
            diagnostics.extend(self.cook(&self.kind.guard(prior, &value, &record.manifests, objects)));
        }
        if let (Some(prior), Shape::Objects(objects)) = (&prior, &interpretation.shape) {
            let transition = Transition { prior, planned: &value, before: &record.manifests, after: objects };
            diagnostics.extend(self.cook(&interpretation.heeded(self.kind.transition(&transition))));
        }
        if let Some(prior) = prior.as_ref().filter(|_| purpose == Purpose::Plan) {
            diagnostics.extend(self.cook(&self.relied_on(session, prior, Some(&value)).await));
        }
        let mut is_announced = false;
        if let (Shape::Objects(objects), Some(claim), Some(rights)) = (&interpretation.shape, &claim, rights) {
            diagnostics.extend(self.cook(&wishes.against(claim)));
            let changes = prior.as_ref().is_none_or(|prior| changed(prior, &value).next().is_some());
            let asking = Asking {
                session,
                rights,
                takes_instances: wishes.adopt,
                instance: prior.as_ref().and(notes.instance.as_deref()),
                exists: prior.is_some(),
                changes,
                others: &Inventories::new(),
                leaving: &session.leaving.claims(),
            };
            let goal = Goal {
                claim,
                takeover: asking.rights.takeover.as_ref(),
                exists: match &prior {
                    Some(_) => (!moved).then_some(true),
                    // private bytes without a prior state are those of the instance that this one replaces
                    None => private.is_empty().then_some(false),
                },
                objects,
                given_up: given_up.as_ref(),
                leaving: asking.leaving,
            };
            let wanted = if purpose == Purpose::Plan { session.goals.announce(&goal) } else { Ok(()) };
            is_announced = purpose == Purpose::Plan && wanted.is_ok();
            let (mut findings, inventories) = meet_clusters(&asking, objects).await;
            findings.extend(wanted.err().into_iter().flatten());
            // in the walk of an apply the preflight tries the same, and does not write before the answer
            if changes && is_fresh && purpose == Purpose::Plan && !session.applies() {
                let met = Met { findings: &findings, inventories: &inventories };
                let verdicts = verdicts::try_changes(&asking, &met, &record, objects, K::WRITTEN_IN).await;
                findings.extend(verdicts);
            }
            diagnostics.extend(self.cook(&interpretation.heeded(self.kind.placed(findings))));
        }
        let requires_replace = if moved { K::IDENTITY.iter().map(|name| Path::of(name)).collect() } else { Vec::new() };
        let failed = diagnostics.has_errors();
        if failed && is_announced {
            claim.iter().for_each(|claim| session.goals.forget(claim));
        }
        Planned { value: (!failed).then_some(value), requires_replace, private: notes.write(), diagnostics }
    }

    /// The digest of what is rendered from; `None` while part of it is unknown.
    fn inputs(&self, config: &Value, session: &Session) -> Option<String> {
        let json = crate::stored_intent::to_json(&self.written(config, HANDLING))?;
        Some(inputs_digest(&json, &session.settings.owner, session.settings.default_labels.as_ref()?))
    }

    /// Whether the arguments may turn out to be those of the state, once all of them are known.
    fn may_equal(&self, config: &Value, prior: &Value) -> bool {
        let arguments = self.schema.attributes.iter().filter(|attribute| attribute.mode != Mode::Computed);
        arguments.filter(|argument| !HANDLING.contains(&argument.name.as_str())).all(|argument| {
            let written = config.get(&argument.name);
            let is_chosen = argument.mode == Mode::OptionalComputed && written.is_null();
            is_chosen || may_equal(written, prior.get(&argument.name))
        })
    }

    /// Keeps the stored manifests of an unchanged intent, so that a newer provider does not rewrite a whole fleet unasked.
    fn settle(
        &self,
        rendered: Rendered,
        notes: &Notes,
        config: &Value,
        prior: Option<&Value>,
        session: &Session,
        diagnostics: &mut Diagnostics,
    ) -> Rendered {
        let Some(prior) = prior else { return rendered };
        let unchanged = notes.planned.is_some() && notes.planned == notes.inputs;
        let stored = prior.get("manifests");
        let may_stay =
            notes.planned.is_none() && session.settings.rerender != Some(Rerender::Always) && self.may_equal(config, prior);
        if may_stay && !stored.is_null() {
            return uncertain(rendered, prior);
        }
        if !unchanged || *stored == rendered.manifests || stored.is_null() {
            return rendered;
        }
        match session.settings.rerender {
            Some(Rerender::Always) => rendered,
            // the choice itself is not known: the objects are shown after apply
            None => Rendered::unknown(mesh_model::LeafPath("rerender".to_owned())),
            Some(Rerender::OnChange) => {
                diagnostics.push(Diagnostic::warning(
                    "Objects rendered by another version are kept",
                    format!("This version of the provider renders {} differently from the one that wrote its objects; its configuration is unchanged, so the objects stay as they are.\n\nThey are rendered anew when the configuration changes. To see and apply the difference now, write in the provider block:\n\n  rerender = \"always\"", K::TYPE),
                ));
                let applied = super::state::Record::read(prior).map_or_else(
                    |_| prior.get("applied").clone(),
                    |record| {
                        super::state::applied_value(
                            &record
                                .manifests
                                .iter()
                                .map(|(cluster, manifests)| (cluster.clone(), super::state::digest(manifests)))
                                .collect(),
                        )
                    },
                );
                Rendered { manifests: stored.clone(), applied, hidden_by: None }
            }
        }
    }
}

/// What came from another provider has to be written here once, under its name, before it can get another.
fn renamed_while_moved(identity: &[&str]) -> Finding {
    Finding::new(
        Code::InvalidValue,
        identity.first().map(|name| AttributePath::of(name)).unwrap_or_default(),
        "The configuration describes another object than the resource that was moved here.",
        "The moved object is in no state of this provider yet, so nothing would ever delete it.",
        "Describe the same kind, namespace and name as before and apply; change them afterwards.",
    )
}

/// A state of another owner: its claims, and the identity that core holds, are the other owner's.
pub(super) fn owner_changed(notes: &Notes, session: &Session, resource_type: &str) -> Option<Diagnostic> {
    let (before, now) = (notes.owner.as_deref()?, session.settings.owner.as_str());
    (before != now).then(|| {
        Diagnostic::error(
            "Owner changed",
            format!("This {resource_type} was written for the owner {before:?}, and the provider acts for {now:?} now.\n\nThe owner is in the claim of every object, so this state has nothing any more that it may write or delete. Nothing was changed.\n\nPut the owner back:\n\n  owner = {before:?}\n\nTo hand the objects over to the new owner in place, forget the resource and create it anew:\n\n  terraform state rm <its address>\n\nwith, in the resource, for one apply:\n\n  takeover_from = [{before:?}]"),
        )
    })
}

/// What of the drift stays: objects that somebody else has, and that this resource does not take back; `None`: that depends
/// on what is known only after apply.
fn taken_for_good(drift: &Drift, rights: Option<&Rights<'_>>, adopt: Option<bool>) -> Option<Drift> {
    let stays = |lines: &[String]| match kube_apply::taker(lines) {
        Some(Taker::Claim(claim)) => Some(!rights?.takeover.as_ref()?.contains(&claim)),
        Some(Taker::Instance) => rights.and(adopt).map(|adopt| !adopt),
        None => Some(false),
    };
    let mut gone = Drift::new();
    for (object, lines) in drift {
        if stays(lines)? {
            gone.insert(object.clone(), lines.clone());
        }
    }
    Some(gone)
}

/// Core does not let an update become a replacement: what the apply says then is not the provider's to choose.
fn may_be_another(identity: &[&str]) -> Finding {
    let what = identity.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
    Finding::new(
        Code::UnknownShape,
        identity.first().map(|name| AttributePath::of(name)).unwrap_or_default(),
        format!("Whether this is still the same resource depends on {what}, which is known only after apply."),
        "It is planned as an update. If it turns out to be another one, the apply ends with \"Provider produced inconsistent \
         final plan\" before anything of it is changed.",
        "Plan again in that case: the new plan shows the replacement. To know it at once, write kind, namespace and name as \
         literals or variables.",
    )
}

/// What lies in clusters that are never contacted any more leaves the state and is not deleted, but for clusters in which the
/// plan keeps it.
pub(super) fn leave_the_state(before: &Record, kept: &Objects, session: &Session) -> Findings {
    let is_kept = |cluster: &ClusterName| kept.get(cluster).is_some_and(|objects| !objects.is_empty());
    let holds = before.manifests.iter().filter(|(cluster, manifests)| !manifests.is_empty() && !is_kept(cluster));
    let gone = holds.filter(|(cluster, _)| session.standing(cluster) == Standing::Decommissioned);
    gone.map(|(cluster, manifests)| kube_apply::forgotten(cluster, manifests.len())).collect()
}

/// One finding for all that one other has.
fn gone_findings(gone: &Drift) -> Findings {
    let mut by_taker: BTreeMap<Taker, Vec<&str>> = BTreeMap::new();
    for (object, lines) in gone {
        if let Some(taker) = kube_apply::taker(lines) {
            by_taker.entry(taker).or_default().push(object);
        }
    }
    let findings = by_taker.into_iter().map(|(taker, objects)| {
        let (who, back) = match taker {
            Taker::Claim(claim) => (claim.to_string(), format!("takeover_from = [\"{claim}\"]")),
            Taker::Instance => ("another instance with this owner".to_owned(), "adopt = true".to_owned()),
        };
        let more = if objects.len() == 1 { String::new() } else { format!(" and {} more", objects.len() - 1) };
        let belong = if objects.len() == 1 { "belongs" } else { "belong" };
        Finding::new(
            Code::ClaimMoved,
            AttributePath::default(),
            format!("{}{more} {belong} to {who} now.", objects[0]),
            "They were taken over. This resource does not write them any more, and its destroy leaves them alone.",
            format!("Remove this resource from the configuration, or take the objects back:\n\n  {back}"),
        )
    });
    findings.collect()
}

/// What is rendered, where it is what is stored too; the rest is known when it is known whether the intent changed.
fn uncertain(rendered: Rendered, prior: &Value) -> Rendered {
    let same_or_unknown = |new: &Value, old: &Value| match (new.as_map(), old.as_map()) {
        (Some(new), Some(old)) if new.keys().eq(old.keys()) => Value::map(
            new.iter()
                .map(|(key, value)| (key.clone(), if old.get(key) == Some(value) { value.clone() } else { Value::unknown() })),
        ),
        _ => Value::unknown(),
    };
    Rendered {
        manifests: same_or_unknown(&rendered.manifests, prior.get("manifests")),
        applied: same_or_unknown(&rendered.applied, prior.get("applied")),
        hidden_by: rendered.hidden_by,
    }
}

/// Whether a value may turn out to be the other one.
fn may_equal(value: &Value, known: &Value) -> bool {
    match (value, known) {
        (Value::Unknown(_), _) => true,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| may_equal(a, b)),
        // a member that turns out to be null is none
        (Value::Map(a), Value::Map(b)) => a.keys().chain(b.keys()).all(|key| {
            let of = |map: &BTreeMap<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
            may_equal(&of(a), &of(b))
        }),
        (Value::Set(_) | Value::Dynamic(_), _) if !value.is_wholly_known() => true,
        _ => value == known,
    }
}

fn hidden(leaf: &mesh_model::LeafPath) -> Finding {
    Finding::new(
        Code::UnknownShape,
        AttributePath::default(),
        format!("Which objects there are depends on `{leaf}`, which is known only after apply."),
        "The plan cannot show them; apply writes what this configuration says once the value is known.",
        "To see them in the plan, give the value as a literal or a variable, or create what it comes from first.",
    )
}
