//! Planning: configuration in, planned state out. Live clusters may veto or warn, never shape a value.

use std::collections::BTreeSet;

use mesh_model::{AttributePath, Code, Finding};
use tf_server::{Cx, PlanRequest, Planned};
use tf_value::{Diagnostic, Diagnostics, Path, Value};

use super::meet::meet_clusters;
use super::private::{Notes, inputs_digest};
use super::render::{Rendered, render};
use super::state::with;
use super::{IntentKind, IntentResource, Shape};
use crate::schema::arguments;
use crate::session::{Inventories, Session};
use crate::settings::Rerender;

impl<K: IntentKind> IntentResource<K> {
    pub(super) async fn plan_change(&self, _cx: &Cx, request: PlanRequest) -> Planned {
        let session = match self.configured.session() {
            Ok(session) => session,
            Err(diagnostics) => return Planned { diagnostics, ..Planned::default() },
        };
        let PlanRequest { config, prior, proposed, private } = request;
        let interpretation = self.kind.interpret(&config);
        let mut diagnostics = self.cook(&interpretation.findings);
        let claim = interpretation.identity.as_ref().map(|identity| identity.claim(&session.settings.owner, K::TYPE));
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
        let notes = Notes { inputs: self.inputs(&config, &session) };
        let (rendered, notes) = self.settle(rendered, notes, prior.as_ref(), &Notes::read(&private), &session, &mut diagnostics);

        let mut value = proposed;
        with(
            &mut value,
            "id",
            interpretation.identity.as_ref().map_or_else(Value::unknown, |identity| Value::string(identity.id.clone())),
        );
        for (name, computed) in interpretation.computed {
            with(&mut value, name, computed);
        }
        with(&mut value, "manifests", rendered.manifests);
        with(&mut value, "applied", rendered.applied);
        with(&mut value, "drift", Value::map::<String>([]));

        let moved = prior.as_ref().is_some_and(|prior| prior.get("id") != value.get("id"));
        if moved && let Some(old) = prior.as_ref().and_then(|prior| self.claim_of(prior, &session)) {
            session.leaving.note(old);
        }
        if let (Shape::Objects(objects), Some(claim)) = (&interpretation.shape, &claim) {
            let changes = prior
                .as_ref()
                .is_none_or(|prior| ["manifests", "applied", "drift"].iter().any(|name| prior.get(name) != value.get(name)));
            diagnostics.extend(
                self.cook(
                    &meet_clusters(&session, objects, claim, changes, &Inventories::new(), &session.leaving.claims()).await,
                ),
            );
        }
        let requires_replace = if moved { K::IDENTITY.iter().map(|name| Path::of(name)).collect() } else { Vec::new() };
        let failed = diagnostics.has_errors();
        Planned { value: (!failed).then_some(value), requires_replace, private: notes.write(), diagnostics }
    }

    /// The digest of what is rendered from; `None` while part of it is unknown.
    fn inputs(&self, config: &Value, session: &Session) -> Option<String> {
        let schema = self.kind.schema();
        let names: BTreeSet<&str> = arguments(&schema.attributes).filter(|name| *name != "timeouts").collect();
        let attributes = config.as_map()?;
        let arguments = Value::map(
            attributes
                .iter()
                .filter(|(name, _)| names.contains(name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        let json = crate::stored_intent::to_json(&arguments)?;
        Some(inputs_digest(&json, &session.settings.owner, session.settings.default_labels.as_ref()?))
    }

    /// Keeps the stored manifests of an unchanged intent, so that a newer provider does not rewrite a whole fleet unasked.
    fn settle(
        &self,
        rendered: Rendered,
        notes: Notes,
        prior: Option<&Value>,
        before: &Notes,
        session: &Session,
        diagnostics: &mut Diagnostics,
    ) -> (Rendered, Notes) {
        let Some(prior) = prior else { return (rendered, notes) };
        let unchanged = notes.inputs.is_some() && notes.inputs == before.inputs;
        let stored = prior.get("manifests");
        if !unchanged || *stored == rendered.manifests || stored.is_null() {
            return (rendered, notes);
        }
        match session.settings.rerender {
            Some(Rerender::Always) => (rendered, notes),
            // the choice itself is not known: the objects are shown after apply
            None => (Rendered::unknown(mesh_model::LeafPath("rerender".to_owned())), notes),
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
                (Rendered { manifests: stored.clone(), applied, hidden_by: None }, notes)
            }
        }
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
