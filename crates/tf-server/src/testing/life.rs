//! The life of one resource under core: load, plan twice, apply, refresh, import, destroy.

use serde_json::Value as Json;
use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::provider_server::Provider as Service;
use tf_value::schema::Schema;
use tf_value::{Diagnostics, Path, Value, codec};

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

    /// The state of `instance` at the current schema.
    ///
    /// # Errors
    /// The provider cannot upgrade it.
    pub async fn load(&self, instance: &Instance) -> Result<Value, Failure> {
        let schema = self.resource_schema(&instance.type_name);
        let mut state = instance.state.clone();
        if let (Json::Object(members), true) = (&mut state, instance.schema_version == schema.version) {
            members.retain(|name, _| schema.attributes.iter().any(|attribute| attribute.name == *name));
        }
        let request = proto::upgrade_resource_state::Request {
            type_name: instance.type_name.clone(),
            version: i64::try_from(instance.schema_version).expect("schema versions are small"),
            raw_state: Some(proto::RawState { json: state.to_string().into_bytes(), ..Default::default() }),
        };
        let response = received(self.server.upgrade_resource_state(sent(&request)).await)?;
        succeed(client::diagnostics(response.diagnostics)?)?;
        let state = decode(&schema.ty(), response.upgraded_state)?;
        if state.is_null() || !state.is_wholly_known() {
            return Err(Failure::violation("an upgraded state is null or not wholly known"));
        }
        Ok(state)
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
        let schema = self.resource_schema(type_name);
        let config = config.into().configuration(schema)?;
        let mut diagnostics = self.validate_value(type_name, &config).await?;
        succeed(diagnostics.clone())?;
        let (prior, tainted, prior_private) = match instance {
            Some(instance) => (self.load(instance).await?, instance.tainted, instance.private.as_slice()),
            None => (Value::Null, false, [].as_slice()),
        };
        // a tainted instance is deleted and made anew, whatever the provider would say about an update
        let planned_from = if tainted { &Value::Null } else { &prior };
        let private = if tainted { [].as_slice() } else { prior_private };
        let mut answer = self.ask(type_name, schema, planned_from, &config, private).await?;
        let mut requires_replace = Vec::new();
        let action = match () {
            () if tainted => Action::Replace,
            () if prior.is_null() => Action::Create,
            () => {
                let paths = std::mem::take(&mut answer.requires_replace);
                requires_replace = paths.into_iter().filter(|path| differs(&prior, &answer.planned, path)).collect();
                match (requires_replace.is_empty(), answer.planned == prior) {
                    (true, true) => Action::NoOp,
                    (true, false) => Action::Update,
                    (false, _) => Action::Replace,
                }
            }
        };
        diagnostics.extend(answer.diagnostics);
        if action == Action::Replace && !tainted {
            answer = self.ask(type_name, schema, &Value::Null, &config, &[]).await?;
            diagnostics.extend(answer.diagnostics);
        }
        let Answer { planned, private, .. } = answer;
        let (type_name, instance) = (type_name.to_owned(), instance.cloned());
        Ok(Plan { type_name, action, instance, prior, config, planned, private, requires_replace, diagnostics })
    }

    /// One `PlanResourceChange` with its judgement.
    async fn ask(
        &self,
        type_name: &str,
        schema: &Schema,
        prior: &Value,
        config: &Value,
        private: &[u8],
    ) -> Result<Answer, Failure> {
        let ty = schema.ty();
        let request = proto::plan_resource_change::Request {
            type_name: type_name.to_owned(),
            prior_state: encode(&ty, prior),
            proposed_new_state: encode(&ty, &proposed_new(schema, prior, config)),
            config: encode(&ty, config),
            prior_private: private.to_vec(),
            provider_meta: None,
            client_capabilities: self.capabilities(),
            prior_identity: None,
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
        if !violations.is_empty() {
            let violations = violations.iter().map(|violation| format!("invalid plan: {violation}")).collect();
            return Err(Failure { diagnostics, violations });
        }
        Ok(Answer { planned, requires_replace, private: response.planned_private, diagnostics })
    }

    /// Plans the destruction of `instance`.
    ///
    /// # Errors
    /// The provider refuses, or plans something else than absence.
    pub async fn plan_destroy(&self, instance: &Instance) -> Result<Plan, Failure> {
        let type_name = instance.type_name.clone();
        let ty = self.resource_schema(&type_name).ty();
        let prior = self.load(instance).await?;
        let request = proto::plan_resource_change::Request {
            type_name: type_name.clone(),
            prior_state: encode(&ty, &prior),
            proposed_new_state: encode(&ty, &Value::Null),
            config: encode(&ty, &Value::Null),
            prior_private: instance.private.clone(),
            provider_meta: None,
            client_capabilities: self.capabilities(),
            prior_identity: None,
        };
        let response = received(self.server.plan_resource_change(sent(&request)).await)?;
        let diagnostics = client::diagnostics(response.diagnostics)?;
        succeed(diagnostics.clone())?;
        if !decode(&ty, response.planned_state)?.is_null() {
            return Err(Failure::violation("a destroy was planned, but the planned state is not null"));
        }
        Ok(Plan {
            type_name,
            action: Action::Delete,
            instance: Some(instance.clone()),
            prior,
            config: Value::Null,
            planned: Value::Null,
            private: response.planned_private,
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
        let schema = self.resource_schema(&plan.type_name);
        let config = match config.into() {
            Input::Value(Value::Null) => Value::Null,
            config => config.configuration(schema).unwrap_or_else(|wrong| panic!("{}", Failure::from(wrong))),
        };
        assert!(config.is_wholly_known(), "a configuration is wholly known during apply");
        match plan.action {
            Action::NoOp => Outcome { instance: plan.instance.clone(), ..Outcome::default() },
            Action::Delete => self.change(plan, &plan.prior, &Value::Null, &Value::Null, plan.private.clone()).await,
            Action::Create | Action::Update => self.settle(plan, schema, &plan.prior, &config).await,
            Action::Replace => {
                let private = plan.instance.as_ref().map(|instance| instance.private.clone()).unwrap_or_default();
                let deleted = self.change(plan, &plan.prior, &Value::Null, &Value::Null, private).await;
                if deleted.diagnostics.has_errors() || !deleted.violations.is_empty() {
                    return deleted;
                }
                let created = self.settle(plan, schema, &Value::Null, &config).await;
                let mut diagnostics = deleted.diagnostics;
                diagnostics.extend(created.diagnostics);
                Outcome { diagnostics, ..created }
            }
        }
    }

    /// The second plan, and its apply.
    async fn settle(&self, plan: &Plan, schema: &Schema, prior: &Value, config: &Value) -> Outcome {
        let before = if prior.is_null() { None } else { plan.instance.clone() };
        let private = before.as_ref().map(|instance| instance.private.as_slice()).unwrap_or_default();
        let failed = |failure: Failure| {
            let Failure { diagnostics, violations } = failure;
            Outcome { instance: before.clone(), diagnostics, violations }
        };
        let answer = match self.ask(&plan.type_name, schema, prior, config, private).await {
            Ok(answer) => answer,
            Err(failure) => return failed(failure),
        };
        let mut violations: Vec<String> = object_compatible(schema, &plan.planned, &answer.planned, Stage::SecondPlan)
            .iter()
            .map(|violation| format!("inconsistent final plan: {violation}"))
            .collect();
        if !prior.is_null() && answer.requires_replace.iter().any(|path| differs(prior, &answer.planned, path)) {
            violations.push("inconsistent final plan: an update has become a replacement".to_owned());
        }
        if !violations.is_empty() {
            return failed(Failure { diagnostics: answer.diagnostics, violations });
        }
        self.change(plan, prior, config, &answer.planned, answer.private).await
    }

    /// One `ApplyResourceChange` with its judgement.
    async fn change(&self, plan: &Plan, prior: &Value, config: &Value, planned: &Value, private: Vec<u8>) -> Outcome {
        let schema = self.resource_schema(&plan.type_name);
        let ty = schema.ty();
        let before = if prior.is_null() { None } else { plan.instance.clone() };
        let request = proto::apply_resource_change::Request {
            type_name: plan.type_name.clone(),
            prior_state: encode(&ty, prior),
            planned_state: encode(&ty, planned),
            config: encode(&ty, config),
            planned_private: private,
            provider_meta: None,
            planned_identity: None,
        };
        let answer = received(self.server.apply_resource_change(sent(&request)).await).and_then(|response| {
            let diagnostics = client::diagnostics(response.diagnostics)?;
            Ok((decode(&ty, response.new_state)?, response.private, diagnostics))
        });
        let (state, private, diagnostics) = match answer {
            Ok(answer) => answer,
            Err(Failure { diagnostics, violations }) => return Outcome { instance: before, diagnostics, violations },
        };
        let failed = diagnostics.has_errors();
        let mut violations = Vec::new();
        if !state.is_wholly_known() {
            violations.push("something is unknown after apply".to_owned());
        }
        let state = null_unknown(state);
        if !failed {
            let broken = object_compatible(schema, planned, &state, Stage::Applied);
            violations.extend(broken.iter().map(|violation| format!("inconsistent result after apply: {violation}")));
        }
        let instance = match (state.is_null(), failed) {
            (true, true) => before,
            (true, false) => None,
            (false, _) => match self.instance(&plan.type_name, &state, private) {
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
        Outcome { instance, diagnostics, violations }
    }

    fn instance(&self, type_name: &str, state: &Value, private: Vec<u8>) -> Result<Instance, Failure> {
        let schema = self.resource_schema(type_name);
        let state = codec::json::encode(&schema.ty(), state)
            .map_err(|error| Failure::violation(format!("a state cannot be stored: {error}")))?;
        let (type_name, schema_version) = (type_name.to_owned(), schema.version);
        Ok(Instance { type_name, schema_version, state, private, tainted: false })
    }

    /// Reads what is there; `None` when it is gone.
    ///
    /// # Errors
    /// The provider cannot read it, or says something unknown.
    pub async fn refresh(&self, instance: &Instance) -> Result<Option<Instance>, Failure> {
        let ty = self.resource_schema(&instance.type_name).ty();
        let current = self.load(instance).await?;
        let request = proto::read_resource::Request {
            type_name: instance.type_name.clone(),
            current_state: encode(&ty, &current),
            private: instance.private.clone(),
            provider_meta: None,
            client_capabilities: self.capabilities(),
            current_identity: None,
        };
        let response = received(self.server.read_resource(sent(&request)).await)?;
        succeed(client::diagnostics(response.diagnostics)?)?;
        if response.deferred.is_some() {
            return Err(Failure::violation("a read was deferred"));
        }
        let state = decode(&ty, response.new_state)?;
        if !state.is_wholly_known() {
            return Err(Failure::violation("something is unknown after a read"));
        }
        if state.is_null() {
            return Ok(None);
        }
        let read = self.instance(&instance.type_name, &state, response.private)?;
        Ok(Some(Instance { tainted: instance.tainted, ..read }))
    }

    /// Imports what `id` names, and reads it.
    ///
    /// # Errors
    /// Nothing is found, or it cannot be read.
    pub async fn import(&self, type_name: &str, id: &str) -> Result<Vec<Instance>, Failure> {
        let request = proto::import_resource_state::Request {
            type_name: type_name.to_owned(),
            id: id.to_owned(),
            client_capabilities: self.capabilities(),
            identity: None,
        };
        let response = received(self.server.import_resource_state(sent(&request)).await)?;
        succeed(client::diagnostics(response.diagnostics)?)?;
        let mut instances = Vec::new();
        for found in response.imported_resources {
            let state = decode(&self.resource_schema(&found.type_name).ty(), found.state)?;
            if state.is_null() || !state.is_wholly_known() {
                return Err(Failure::violation("an imported state is null or not wholly known"));
            }
            let instance = self.instance(&found.type_name, &state, found.private)?;
            instances.extend(self.refresh(&instance).await?);
        }
        if instances.is_empty() {
            return Err(Failure::violation("what was imported is not there"));
        }
        Ok(instances)
    }

    /// Plans and applies the destruction of `instance`.
    pub async fn destroy(&self, instance: &Instance) -> Outcome {
        match self.plan_destroy(instance).await {
            Ok(plan) => self.apply(&plan).await,
            Err(Failure { diagnostics, violations }) => Outcome { instance: Some(instance.clone()), diagnostics, violations },
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

fn succeed(diagnostics: Diagnostics) -> Result<(), Failure> {
    if diagnostics.has_errors() { Err(diagnostics.into()) } else { Ok(()) }
}

/// Whether the value at `path` really changes, or may change.
fn differs(prior: &Value, planned: &Value, path: &Path) -> bool {
    let (prior, planned) = (oracle::resolve(prior, path), oracle::resolve(planned, path));
    let (prior, planned) = (prior.unwrap_or(&Value::Null), planned.unwrap_or(&Value::Null));
    !planned.is_wholly_known() || prior != planned
}
