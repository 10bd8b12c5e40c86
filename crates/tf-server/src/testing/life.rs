//! The life of one resource under core: plan twice, apply, destroy. How it comes into the state is in `arrive`.

use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::provider_server::Provider as Service;
use tf_value::schema::{Attribute, Kind, Schema};
use tf_value::{Diagnostics, Path, Step, Value};

use super::client::{self, decode, encode};
use super::core::{received, sent};
use super::{Action, Core, Failure, Input, Instance, Outcome, Plan, proposed_new};
use crate::oracle::{self, Stage, object_compatible, plan_valid};
use crate::plan::null_unknown;

/// The answer to one `PlanResourceChange`.
struct Answer {
    planned: Value,
    requires_replace: Vec<Path>,
    private: Vec<u8>,
    identity: Option<Value>,
    diagnostics: Diagnostics,
}

impl Core {
    /// What core and the provider say about a configuration.
    ///
    /// # Errors
    /// A violation; the provider's errors are in the result.
    pub async fn validate(&self, type_name: &str, config: impl Into<Input> + Send) -> Result<Diagnostics, Failure> {
        let schema = self.resource_schema(type_name);
        let config = match config.into().configuration(schema) {
            Ok(config) => config,
            Err(diagnostics) => return Ok(diagnostics),
        };
        self.validate_value(type_name, &config).await
    }

    async fn validate_value(&self, type_name: &str, config: &Value) -> Result<Diagnostics, Failure> {
        let request = proto::validate_resource_config::Request {
            type_name: type_name.to_owned(),
            config: encode(&self.resource_schema(type_name).ty(), config),
            client_capabilities: self.capabilities(),
        };
        let response = received(self.server.validate_resource_config(sent(&request)).await)?;
        client::diagnostics(response.diagnostics)
    }

    /// Plans what leads from `instance` to `config`.
    ///
    /// # Errors
    /// Errors of the configuration or of the plan, and every violation of core's rules.
    pub async fn plan(
        &self,
        type_name: &str,
        instance: Option<&Instance>,
        config: impl Into<Input> + Send,
    ) -> Result<Plan, Failure> {
        self.plan_ignoring(type_name, instance, config, &[]).await
    }

    /// The same with `ignore_changes` for these top-level attributes: the provider sees their prior values as configured.
    ///
    /// # Errors
    /// As [`Core::plan`].
    pub async fn plan_ignoring(
        &self,
        type_name: &str,
        instance: Option<&Instance>,
        config: impl Into<Input> + Send,
        ignored: &[&str],
    ) -> Result<Plan, Failure> {
        let schema = self.resource_schema(type_name);
        let mut config = config.into().configuration(schema)?;
        let (prior, identity, tainted, prior_private) = match instance {
            Some(instance) => {
                let identity = self.load_identity(instance).await?;
                (self.load(instance).await?, identity, instance.tainted, instance.private.as_slice())
            }
            None => (Value::Null, None, false, [].as_slice()),
        };
        if let (Value::Map(members), false) = (&mut config, prior.is_null()) {
            members.extend(ignored.iter().map(|name| ((*name).to_owned(), prior.get(name).clone())));
        }
        let mut diagnostics = self.validate_value(type_name, &config).await?;
        succeed(diagnostics.clone())?;
        // a tainted instance is deleted and made anew, whatever the provider would say about an update
        let planned_from = if tainted { &Value::Null } else { &prior };
        let (private, identity) = if tainted { ([].as_slice(), None) } else { (prior_private, identity) };
        let mut answer = self.ask(type_name, planned_from, &config, private, identity.as_ref()).await?;
        let mut requires_replace = Vec::new();
        let action = match () {
            () if tainted => Action::Replace,
            () if prior.is_null() => Action::Create,
            () => {
                let paths = std::mem::take(&mut answer.requires_replace);
                requires_replace = paths.into_iter().filter(|path| differs(schema, &prior, &answer.planned, path)).collect();
                match (requires_replace.is_empty(), answer.planned == prior) {
                    (true, true) => Action::NoOp,
                    (true, false) => Action::Update,
                    (false, _) => Action::Replace,
                }
            }
        };
        diagnostics.extend(answer.diagnostics);
        if action == Action::Replace && !tainted {
            // core hands on what the first half said
            let (private, identity) = (std::mem::take(&mut answer.private), answer.identity.take());
            answer = self.ask(type_name, &Value::Null, &config, &private, identity.as_ref()).await?;
            diagnostics.extend(answer.diagnostics);
        }
        let Answer { planned, private, identity, .. } = answer;
        let (type_name, instance) = (type_name.to_owned(), instance.cloned());
        Ok(Plan { type_name, action, instance, prior, config, planned, private, identity, requires_replace, diagnostics })
    }

    /// One `PlanResourceChange` with its judgement.
    async fn ask(
        &self,
        type_name: &str,
        prior: &Value,
        config: &Value,
        private: &[u8],
        identity: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let schema = self.resource_schema(type_name);
        let ty = schema.ty();
        let request = proto::plan_resource_change::Request {
            type_name: type_name.to_owned(),
            prior_state: encode(&ty, prior),
            proposed_new_state: encode(&ty, &proposed_new(schema, prior, config)),
            config: encode(&ty, config),
            prior_private: private.to_vec(),
            provider_meta: None,
            client_capabilities: self.capabilities(),
            prior_identity: self.identity_sent(type_name, identity),
        };
        let response = received(self.server.plan_resource_change(sent(&request)).await)?;
        let diagnostics = client::diagnostics(response.diagnostics)?;
        succeed(diagnostics.clone())?;
        if response.legacy_type_system || response.deferred.is_some() {
            return Err(Failure::violation("a plan of the legacy type system, or a deferred one"));
        }
        let planned = decode(&ty, response.planned_state)?;
        let requires_replace = response.requires_replace.iter().map(client::path).collect::<Result<Vec<_>, _>>()?;
        let violations = plan_valid(schema, prior, config, &planned, &requires_replace);
        let mut violations: Vec<String> = violations.iter().map(|violation| format!("invalid plan: {violation}")).collect();
        let planned_identity = self.identity_answered(type_name, response.planned_identity)?;
        let replaces = requires_replace.iter().any(|path| differs(schema, prior, &planned, path));
        if !prior.is_null() && !replaces && identity.is_some() && self.knows_identity && planned_identity.as_ref() != identity {
            violations.push("invalid plan: the identity would change without a replacement".to_owned());
        }
        if !violations.is_empty() {
            return Err(Failure { diagnostics, violations });
        }
        let private = response.planned_private;
        Ok(Answer { planned, requires_replace, private, identity: planned_identity, diagnostics })
    }

    /// Plans the destruction of `instance`.
    ///
    /// # Errors
    /// The provider refuses, or plans something else than absence.
    pub async fn plan_destroy(&self, instance: &Instance) -> Result<Plan, Failure> {
        let type_name = instance.type_name.clone();
        let ty = self.resource_schema(&type_name).ty();
        let prior = self.load(instance).await?;
        let identity = self.load_identity(instance).await?;
        let request = proto::plan_resource_change::Request {
            type_name: type_name.clone(),
            prior_state: encode(&ty, &prior),
            proposed_new_state: encode(&ty, &Value::Null),
            config: encode(&ty, &Value::Null),
            prior_private: instance.private.clone(),
            provider_meta: None,
            client_capabilities: self.capabilities(),
            prior_identity: self.identity_sent(&type_name, identity.as_ref()),
        };
        let response = received(self.server.plan_resource_change(sent(&request)).await)?;
        let diagnostics = client::diagnostics(response.diagnostics)?;
        succeed(diagnostics.clone())?;
        if !decode(&ty, response.planned_state)?.is_null() {
            return Err(Failure::violation("a destroy was planned, but the planned state is not null"));
        }
        let identity = self.identity_answered(&type_name, response.planned_identity)?;
        Ok(Plan {
            type_name,
            action: Action::Delete,
            instance: Some(instance.clone()),
            prior,
            config: Value::Null,
            planned: Value::Null,
            private: response.planned_private,
            identity,
            requires_replace: Vec::new(),
            diagnostics,
        })
    }

    /// Applies a plan whose configuration is wholly known.
    ///
    /// # Panics
    /// When the configuration of the plan holds unknown values; then [`Core::apply_with`] is to be used.
    pub async fn apply(&self, plan: &Plan) -> Outcome {
        self.apply_with(plan, plan.config.clone()).await
    }

    /// Applies a plan with the configuration as it turned out: `config` has values in place of the unknown ones.
    ///
    /// # Panics
    /// When `config` is no such configuration: a mistake of the test.
    pub async fn apply_with(&self, plan: &Plan, config: impl Into<Input> + Send) -> Outcome {
        let config = self.turned_out(plan, config.into());
        match plan.action {
            Action::NoOp => Outcome { instance: plan.instance.clone(), ..Outcome::default() },
            Action::Delete => self.delete(plan, plan.private.clone(), plan.identity.as_ref()).await,
            Action::Create | Action::Update => self.settle(plan, &plan.prior, &config).await,
            Action::Replace => {
                let private = plan.instance.as_ref().map(|instance| instance.private.clone()).unwrap_or_default();
                let deleted = self.delete(plan, private, None).await;
                if deleted.diagnostics.has_errors() || !deleted.violations.is_empty() {
                    return deleted;
                }
                let created = self.settle(plan, &Value::Null, &config).await;
                let mut diagnostics = deleted.diagnostics;
                diagnostics.extend(created.diagnostics);
                Outcome { diagnostics, ..created }
            }
        }
    }

    /// Applies a replacement with `create_before_destroy`: the new one is created while the old one is still there; then
    /// the old one, deposed, is planned for destruction and deleted. If nothing new came to be, the old one is current again.
    ///
    /// # Panics
    /// When the plan is no replacement, or as [`Core::apply_with`].
    pub async fn apply_create_first(&self, plan: &Plan, config: impl Into<Input> + Send) -> Outcome {
        let config = self.turned_out(plan, config.into());
        assert_eq!(plan.action, Action::Replace, "only a replacement creates before it destroys");
        let old = plan.instance.clone().expect("a replacement has an instance");
        let created = self.settle(plan, &Value::Null, &config).await;
        if created.diagnostics.has_errors() || !created.violations.is_empty() {
            return match created.instance {
                Some(_) => Outcome { deposed: Some(old), ..created },
                None => Outcome { instance: Some(old), ..created },
            };
        }
        let deleted = self.destroy(&old).await;
        let mut diagnostics = created.diagnostics;
        diagnostics.extend(deleted.diagnostics);
        Outcome { instance: created.instance, deposed: deleted.instance, diagnostics, violations: deleted.violations }
    }

    /// The configuration as it turned out, wholly known.
    fn turned_out(&self, plan: &Plan, config: Input) -> Value {
        let schema = self.resource_schema(&plan.type_name);
        let config = match config {
            Input::Value(Value::Null) => Value::Null,
            config => config.configuration(schema).unwrap_or_else(|wrong| panic!("{}", Failure::from(wrong))),
        };
        assert!(config.is_wholly_known(), "a configuration is wholly known during apply");
        config
    }

    async fn delete(&self, plan: &Plan, private: Vec<u8>, identity: Option<&Value>) -> Outcome {
        let nothing = Answer {
            planned: Value::Null,
            requires_replace: Vec::new(),
            private,
            identity: identity.cloned(),
            diagnostics: Diagnostics::new(),
        };
        self.change(plan, &plan.prior, &Value::Null, nothing).await
    }

    /// The second plan, and its apply.
    async fn settle(&self, plan: &Plan, prior: &Value, config: &Value) -> Outcome {
        let schema = self.resource_schema(&plan.type_name);
        let before = if prior.is_null() { None } else { plan.instance.clone() };
        let private = before.as_ref().map(|instance| instance.private.as_slice()).unwrap_or_default();
        let failed = |failure: Failure| {
            let Failure { diagnostics, violations } = failure;
            Outcome { instance: before.clone(), deposed: None, diagnostics, violations }
        };
        let identity = match &before {
            Some(instance) => self.load_identity(instance).await,
            None => Ok(None),
        };
        let identity = match identity {
            Ok(identity) => identity,
            Err(failure) => return failed(failure),
        };
        let answer = match self.ask(&plan.type_name, prior, config, private, identity.as_ref()).await {
            Ok(answer) => answer,
            Err(failure) => return failed(failure),
        };
        let mut violations: Vec<String> = object_compatible(schema, &plan.planned, &answer.planned, Stage::SecondPlan)
            .iter()
            .map(|violation| format!("inconsistent final plan: {violation}"))
            .collect();
        if !prior.is_null() && answer.requires_replace.iter().any(|path| differs(schema, prior, &answer.planned, path)) {
            violations.push("inconsistent final plan: an update has become a replacement".to_owned());
        }
        if plan.identity.is_some() && answer.identity != plan.identity {
            violations.push("inconsistent final plan: another identity".to_owned());
        }
        if !violations.is_empty() {
            return failed(Failure { diagnostics: answer.diagnostics, violations });
        }
        self.change(plan, prior, config, answer).await
    }

    /// One `ApplyResourceChange` with its judgement.
    async fn change(&self, plan: &Plan, prior: &Value, config: &Value, answer: Answer) -> Outcome {
        let Answer { planned, private, identity: planned_identity, .. } = answer;
        let schema = self.resource_schema(&plan.type_name);
        let ty = schema.ty();
        let before = if prior.is_null() { None } else { plan.instance.clone() };
        let request = proto::apply_resource_change::Request {
            type_name: plan.type_name.clone(),
            prior_state: encode(&ty, prior),
            planned_state: encode(&ty, &planned),
            config: encode(&ty, config),
            planned_private: private,
            provider_meta: None,
            planned_identity: self.identity_sent(&plan.type_name, planned_identity.as_ref()),
        };
        let answer = received(self.server.apply_resource_change(sent(&request)).await).and_then(|response| {
            let diagnostics = client::diagnostics(response.diagnostics)?;
            let identity = self.identity_answered(&plan.type_name, response.new_identity)?;
            Ok((decode(&ty, response.new_state)?, response.private, identity, diagnostics))
        });
        let (state, private, identity, diagnostics) = match answer {
            Ok(answer) => answer,
            Err(Failure { diagnostics, violations }) => {
                return Outcome { instance: before, deposed: None, diagnostics, violations };
            }
        };
        let failed = diagnostics.has_errors();
        let mut violations = Vec::new();
        if !state.is_wholly_known() {
            violations.push("something is unknown after apply".to_owned());
        }
        let state = null_unknown(state);
        if !failed {
            let broken = object_compatible(schema, &planned, &state, Stage::Applied);
            violations.extend(broken.iter().map(|violation| format!("inconsistent result after apply: {violation}")));
            if !state.is_null() {
                violations.extend(self.identity_missing(&plan.type_name, identity.as_ref(), "after apply"));
            }
        }
        if planned_identity.is_some() && identity.is_some() && identity != planned_identity {
            violations.push("inconsistent result after apply: another identity".to_owned());
        }
        let instance = match (state.is_null(), failed) {
            (true, true) => before,
            (true, false) => None,
            (false, _) => match self.instance(&plan.type_name, &state, private, identity.as_ref()) {
                Ok(instance) => {
                    let tainted = failed && prior.is_null();
                    let still = planned.is_null() && before.as_ref().is_some_and(|before| before.tainted);
                    Some(Instance { tainted: tainted || still, ..instance })
                }
                Err(failure) => {
                    violations.extend(failure.violations);
                    before
                }
            },
        };
        Outcome { instance, deposed: None, diagnostics, violations }
    }

    /// Plans and applies the destruction of `instance`.
    pub async fn destroy(&self, instance: &Instance) -> Outcome {
        match self.plan_destroy(instance).await {
            Ok(plan) => self.apply(&plan).await,
            Err(Failure { diagnostics, violations }) => {
                Outcome { instance: Some(instance.clone()), deposed: None, diagnostics, violations }
            }
        }
    }

    /// What `apply` does for one resource: refresh, plan, apply; then a second plan, which must be empty.
    ///
    /// # Errors
    /// Any error or violation; a second plan that is not empty is a violation.
    pub async fn converge(
        &self,
        type_name: &str,
        instance: Option<&Instance>,
        config: impl Into<Input> + Send,
    ) -> Result<Instance, Failure> {
        let config = config.into();
        let refreshed = match instance {
            Some(instance) => self.refresh(instance).await?,
            None => None,
        };
        let plan = self.plan(type_name, refreshed.as_ref(), config.clone()).await?;
        let applied = self.apply(&plan).await.success()?;
        let applied = applied.ok_or_else(|| Failure::violation("an apply left nothing"))?;
        let again = self.refresh(&applied).await?;
        let again = again.ok_or_else(|| Failure::violation("gone right after apply"))?;
        let plan = self.plan(type_name, Some(&again), config).await?;
        if plan.action != Action::NoOp {
            let (action, prior, planned) = (plan.action, plan.prior, plan.planned);
            return Err(Failure::violation(format!("the second plan is {action:?}: from {prior:?} to {planned:?}")));
        }
        Ok(again)
    }
}

pub(super) fn succeed(diagnostics: Diagnostics) -> Result<(), Failure> {
    if diagnostics.has_errors() { Err(diagnostics.into()) } else { Ok(()) }
}

/// Whether the value at `path` really changes, or may change. Nobody can compare a write-only value: naming it is enough.
fn differs(schema: &Schema, prior: &Value, planned: &Value, path: &Path) -> bool {
    let (before, after) = (oracle::resolve(prior, path), oracle::resolve(planned, path));
    let (before, after) = (before.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null));
    !after.is_wholly_known() || before != after || is_write_only(&schema.attributes, path.steps())
}

fn is_write_only(attributes: &[Attribute], path: &[Step]) -> bool {
    let mut names = path.iter().enumerate().filter_map(|(position, step)| match step {
        Step::Attribute(name) => Some((position, name)),
        Step::Key(_) | Step::Index(_) => None,
    });
    let Some((position, name)) = names.next() else { return false };
    let Some(attribute) = attributes.iter().find(|attribute| attribute.name == *name) else { return false };
    attribute.write_only
        || matches!(&attribute.kind, Kind::Nested(_, attributes) if is_write_only(attributes, &path[position + 1..]))
}
