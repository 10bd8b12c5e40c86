//! The one lifecycle that all intent resources share. A resource only says what its configuration means
//! ([`IntentKind`]); planning, writing, reading, importing and upgrading are the same for all.

mod apply;
mod goals;
mod handover;
mod import;
mod meet;
mod plan;
mod private;
mod protect;
mod read;
mod reliance;
mod render;
mod rights;
mod state;
mod taking;
mod verdicts;

pub(crate) use goals::Goals;
pub(crate) use handover::HandOvers;
pub(crate) use import::none_stored;
pub(crate) use reliance::{Reliance, Users};
pub(crate) use state::Record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use istio_objects::{Claim, ObjectKey, annotation, reserved};
use mesh_model::names::{ClusterName, Namespace, OwnerId};
use mesh_model::{Code, Findings, LeafPath};
use mesh_translate::Objects;
use tf_server::{
    Applied, ApplyRequest, BoxFuture, Cx, ImportBy, Imported, MoveSource, Moved, PlanRequest, Planned, Private, Resource,
};
use tf_value::schema::{ForImport, IdentityAttribute, IdentitySchema, Schema};
use tf_value::{Diagnostic, Diagnostics, Reader, Type, Value};
use tokio_util::sync::CancellationToken;

use self::private::Notes;
use crate::schema::arguments;
use crate::session::{Configured, PerCluster, Session};
use crate::settings::decode_duration;

/// What a resource type means. Everything here is pure.
pub(crate) trait IntentKind: Send + Sync + 'static {
    /// Full type name.
    const TYPE: &'static str;

    /// The arguments that decide the identity; a change of the identity replaces the resource.
    const IDENTITY: &'static [&'static str];

    /// The argument that an object is written in; `None`: it follows from several.
    const WRITTEN_IN: Option<&'static str> = None;

    /// Arguments and computed attributes.
    fn schema(&self) -> Schema;

    /// Which intent a configuration is, if that is known; cheap.
    fn identify(&self, config: &Value) -> Option<Identity>;

    /// What a configuration means. Total: whatever is wrong is a finding.
    fn interpret(&self, config: &Value) -> Interpretation;

    /// The kinds of objects that may hold the stored intent, from which import restores the configuration. In each cluster
    /// one object does: the first of the first kind that the resource has there. Empty: the resource stores none.
    fn anchors(&self) -> &'static [&'static str];

    /// What an import id (without the owner's prefix) names.
    ///
    /// # Errors
    /// Says how an id reads.
    fn parse_id(&self, id: &str) -> Result<Identity, String>;

    /// The configuration of a resource of which no stored intent was found, from the objects that carry its claim, or from
    /// all of its owner.
    ///
    /// # Errors
    /// Says why there is none.
    fn restore(&self, identity: &Identity, claimed: &Owned, owned: &Owned) -> Result<Value, String>;

    /// The members of the identity besides `owner`.
    const NAMES: &'static [(&'static str, ForImport, &'static str)];

    /// What an id says, by member of [`Self::NAMES`]; asked for valid ids.
    fn names_of(&self, id: &str) -> Vec<(&'static str, Option<String>)>;

    /// The id that an identity means; parsed like one that a user wrote.
    fn id_of(&self, identity: &Value) -> String;

    /// The state that a resource of another provider becomes, which holds nothing yet; `None`: there is no way from that
    /// type.
    fn take_in(&self, source: &MoveSource) -> Option<Result<Value, Diagnostics>> {
        let _ = source;
        None
    }

    /// What to say about a replacement. `given_up` is the claim of the instance that goes, unless the new one takes its
    /// objects over.
    fn replacement(&self, prior: &Value, planned: &Value, given_up: Option<&Claim>) -> Findings {
        let _ = (prior, planned, given_up);
        Findings::new()
    }

    /// What the clusters have to say, where this resource has what a destination would have.
    fn placed(&self, findings: Findings) -> Findings {
        findings
    }

    /// What no order of writes carries: changes that take two updates.
    fn transition(&self, transition: &Transition<'_>) -> Findings {
        let _ = transition;
        Findings::new()
    }

    /// What other states may rely on and goes with this change; `None` is planned where the resource goes.
    fn reliance(&self, prior: &Value, planned: Option<&Value>, owner: &OwnerId) -> Option<Reliance> {
        let _ = (prior, planned, owner);
        None
    }

    /// Computed attributes of its own that tell whose it is, into those that have no owner.
    fn sign(&self, computed: &mut BTreeMap<&'static str, Value>, owner: &OwnerId) {
        let _ = (computed, owner);
    }

    /// What must not happen to a protected resource in an update.
    fn guard(&self, prior: &Value, planned: &Value, before: &PerCluster, after: &Objects) -> Findings {
        let _ = (prior, planned, before, after);
        Findings::new()
    }
}

/// One live object of the provider's owner.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// which object
    pub(crate) key: ObjectKey,
    /// whose it is
    pub(crate) claim: Claim,
    /// as it is
    pub(crate) json: Arc<serde_json::Value>,
}

impl Live {
    /// The intent stored on it.
    pub(crate) fn stored_intent(&self) -> Option<&str> {
        annotation(&self.json, reserved::INTENT_ANNOTATION)
    }
}

/// An update, from what was last written to what is planned.
pub(crate) struct Transition<'a> {
    /// the state before
    pub(crate) prior: &'a Value,
    /// the state that is planned
    pub(crate) planned: &'a Value,
    /// what was last written
    pub(crate) before: &'a PerCluster,
    /// what the configuration means
    pub(crate) after: &'a Objects,
}

/// Live objects by cluster.
pub(crate) type Owned = BTreeMap<ClusterName, Vec<Live>>;

/// Which intent a resource is: part of its claim and of its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// namespace, unless it is one of the whole mesh
    pub(crate) namespace: Option<Namespace>,
    /// name, unique among those of the type in the namespace
    pub(crate) name: String,
    /// the attribute `id`
    pub(crate) id: String,
}

impl Identity {
    /// The claim of this intent's objects.
    pub(crate) fn claim(&self, owner: &OwnerId, resource_type: &str) -> Claim {
        Claim {
            owner: owner.clone(),
            resource_type: resource_type.to_owned(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }
}

/// What a configuration means.
pub(crate) struct Interpretation {
    /// which intent it is; `None` while its name is unknown or wrong
    pub(crate) identity: Option<Identity>,
    /// computed attributes of its own, by name
    pub(crate) computed: BTreeMap<&'static str, Value>,
    /// its objects
    pub(crate) shape: Shape,
    /// what is to be said about it
    pub(crate) findings: Findings,
    /// warnings that are not to be said of what it meets either
    pub(crate) ignored: BTreeSet<Code>,
}

impl Interpretation {
    /// What is to be said of these findings.
    pub(crate) fn heeded(&self, mut findings: Findings) -> Findings {
        findings.retain(|finding| !self.ignored.contains(&finding.code));
        findings
    }
}

/// The objects of an intent.
pub(crate) enum Shape {
    /// known, though leaves may not be; the clusters are those that the resource is applied to
    Objects(Objects),
    /// which objects there are depends on this leaf
    Unknown(LeafPath),
    /// the configuration is wrong; the findings say how
    Invalid,
}

/// A resource type with the shared lifecycle.
pub(crate) struct IntentResource<K> {
    kind: K,
    /// the kind's, made once for all calls
    schema: Schema,
    ty: Type,
    configured: Arc<Configured>,
}

impl<K: IntentKind> IntentResource<K> {
    /// The resource of `kind`.
    pub(crate) fn new(kind: K, configured: &Arc<Configured>) -> Self {
        let schema = kind.schema();
        Self { kind, ty: schema.ty(), schema, configured: Arc::clone(configured) }
    }

    /// The claim of a resource in the state.
    fn claim_of(&self, state: &Value, session: &Session) -> Result<Claim, Diagnostic> {
        let id = state.get("id").as_str().unwrap_or_default();
        let identity = self.kind.parse_id(id).map_err(|problem| Diagnostic::error("Damaged state", problem))?;
        Ok(identity.claim(&session.settings.owner, K::TYPE))
    }

    /// The arguments as they were written, but for those named in `without`.
    fn written(&self, config: &Value, without: &[&str]) -> Value {
        let arguments: BTreeSet<&str> = arguments(&self.schema.attributes).filter(|name| !without.contains(name)).collect();
        let attributes = config.as_map().into_iter().flatten();
        Value::map(
            attributes.filter(|(name, _)| arguments.contains(name.as_str())).map(|(name, value)| (name.clone(), value.clone())),
        )
    }

    /// The claim of a configuration.
    fn written_claim(&self, config: &Value, session: &Session) -> Option<Claim> {
        Some(self.kind.identify(config)?.claim(&session.settings.owner, K::TYPE))
    }

    fn cook(&self, findings: &Findings) -> Diagnostics {
        let mut diagnostics = Diagnostics::new();
        diagnostics.extend(findings.iter().map(|finding| crate::cook::cook(finding, &self.ty)));
        diagnostics
    }
}

impl<K: IntentKind> Resource for IntentResource<K> {
    fn type_name(&self) -> &'static str {
        K::TYPE
    }

    fn schema(&self) -> Schema {
        self.schema.clone()
    }

    fn validate<'a>(&'a self, _cx: &'a Cx, config: &'a Value) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async move {
            let mut findings = self.kind.interpret(config).findings;
            // what is merely unknown is said once, by the plan
            findings.retain(|finding| finding.code != Code::UnknownShape);
            findings.extend(rights::Wishes::read(config).1);
            let mut diagnostics = self.cook(&findings);
            let timeouts = Reader::root(config).attribute("timeouts");
            for operation in ["create", "read", "update", "delete"] {
                decode_duration(&timeouts.attribute(operation), &mut diagnostics);
            }
            diagnostics
        })
    }

    fn plan<'a>(&'a self, _cx: &'a Cx, request: PlanRequest) -> BoxFuture<'a, Planned> {
        Box::pin(self.plan_change(plan::Purpose::Plan, request))
    }

    fn plan_destroy<'a>(&'a self, _cx: &'a Cx, prior: &'a Value, _private: &'a Private) -> BoxFuture<'a, Diagnostics> {
        Box::pin(async move {
            if protect::is_on(prior) {
                return self.cook(&vec![protect::destruction(K::TYPE, prior)]);
            }
            let (Ok(session), Ok(before)) = (self.configured.session(), state::Record::read(prior)) else {
                return Diagnostics::new();
            };
            let mut findings = plan::leave_the_state(&before, &BTreeMap::new(), &session);
            findings.extend(self.relied_on(&session, prior, None).await);
            self.cook(&findings)
        })
    }

    fn create<'a>(&'a self, cx: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(self.apply_change(cx, request))
    }

    fn read<'a>(&'a self, cx: &'a Cx, state: Value, private: Private) -> BoxFuture<'a, Applied> {
        Box::pin(self.refresh(cx, state, private))
    }

    fn update<'a>(&'a self, cx: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(self.apply_change(cx, request))
    }

    fn delete<'a>(&'a self, cx: &'a Cx, request: ApplyRequest) -> BoxFuture<'a, Applied> {
        Box::pin(self.apply_delete(cx, request))
    }

    fn import<'a>(&'a self, _cx: &'a Cx, by: &'a ImportBy) -> BoxFuture<'a, Result<Vec<Imported>, Diagnostics>> {
        Box::pin(self.import_by(by))
    }

    fn identity_schema(&self) -> Option<IdentitySchema> {
        let owner = IdentityAttribute::optional(
            "owner",
            Type::String,
            "Owner of the state, as in the provider block. Default for import: that of the provider.",
        );
        let names = K::NAMES.iter().map(|(name, for_import, description)| IdentityAttribute {
            for_import: *for_import,
            ..IdentityAttribute::required(name, Type::String, description)
        });
        Some(IdentitySchema::new([owner].into_iter().chain(names).collect()))
    }

    fn identity(&self, state: &Value) -> Option<Value> {
        let session = self.configured.session().ok()?;
        let id = state.get("id").as_str()?;
        self.kind.parse_id(id).ok()?;
        let owner = Value::string(session.settings.owner.as_str());
        let names = self.kind.names_of(id).into_iter().map(|(name, part)| (name, part.map_or(Value::Null, Value::string)));
        Some(Value::map([("owner", owner)].into_iter().chain(names)))
    }

    fn move_state(&self, source: &MoveSource) -> Option<Result<Moved, Diagnostics>> {
        let moved = self.kind.take_in(source)?;
        Some(moved.map(|state| Moved { state, private: Notes { adopts: true, ..Notes::default() }.write() }))
    }

    fn upgrade(&self, from: u64, _state: serde_json::Value) -> Result<serde_json::Value, Diagnostics> {
        // version 0 is the first; a change of shape adds its step here
        Err(tf_value::Diagnostic::error(
            "State of an unknown version",
            format!("The state of this {} has schema version {from}, which no release of the provider wrote.\n\nRestore the state from a backup, or import the resource anew.", K::TYPE),
        )
        .into())
    }
}

/// The time that `timeouts` gives to `operation`.
fn time_limit(config: &Value, operation: &str, default: Duration) -> Duration {
    let timeouts = Reader::root(config).attribute("timeouts");
    decode_duration(&timeouts.attribute(operation), &mut Diagnostics::new()).unwrap_or(default)
}

/// A token that is cancelled with the call, and after the time that `timeouts` gives to `operation`.
fn limited(cx: &Cx, config: &Value, operation: &str, default: Duration) -> CancellationToken {
    let limit = time_limit(config, operation, default);
    let token = cx.cancel.child_token();
    let timer = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = timer.cancelled() => {}
            () = tokio::time::sleep(limit) => timer.cancel(),
        }
    });
    token
}
