//! How a resource comes into the state other than by creation: loaded, read, imported, moved; and the identities on the way.

use serde_json::Value as Json;
use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::provider_server::Provider as Service;
use tf_value::schema::{ForImport, IdentityAttribute, IdentitySchema};
use tf_value::{Diagnostic, Diagnostics, Type, Value, codec};

use super::client::{self, decode, encode};
use super::core::{received, sent};
use super::life::succeed;
use super::{Core, Failure, Input, Instance};
use crate::identity::continues;
use crate::plan::write_only_set;

impl Core {
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

    /// Reads what is there; `None` when it is gone.
    ///
    /// # Errors
    /// The provider cannot read it, or says something unknown.
    pub async fn refresh(&self, instance: &Instance) -> Result<Option<Instance>, Failure> {
        let ty = self.resource_schema(&instance.type_name).ty();
        let current = self.load(instance).await?;
        let identity = self.load_identity(instance).await?;
        let request = proto::read_resource::Request {
            type_name: instance.type_name.clone(),
            current_state: encode(&ty, &current),
            private: instance.private.clone(),
            provider_meta: None,
            client_capabilities: self.capabilities(),
            current_identity: self.identity_sent(&instance.type_name, identity.as_ref()),
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
        let found = self.identity_answered(&instance.type_name, response.new_identity)?;
        if let Some(missing) = self.identity_missing(&instance.type_name, found.as_ref(), "after a read") {
            return Err(Failure::violation(missing));
        }
        if self.knows_identity && identity.is_some() && found != identity {
            return Err(Failure::violation("a read found another identity"));
        }
        let read = self.instance(&instance.type_name, &state, response.private, found.as_ref())?;
        Ok(Some(Instance { tainted: instance.tainted, ..read }))
    }

    /// Imports what `id` names, and reads it.
    ///
    /// # Errors
    /// Nothing is found, or it cannot be read.
    pub async fn import(&self, type_name: &str, id: &str) -> Result<Vec<Instance>, Failure> {
        self.import_what(type_name, id, None).await
    }

    /// Imports what `identity` names, and reads it. Attributes that are left out are null.
    ///
    /// # Errors
    /// Nothing is found, it cannot be read, or the identity is not one of the schema.
    ///
    /// # Panics
    /// When the resource has no identity.
    pub async fn import_by_identity(&self, type_name: &str, identity: impl Into<Input> + Send) -> Result<Vec<Instance>, Failure> {
        let schema = self.identity_schema(type_name).unwrap_or_else(|| panic!("{type_name} has no identity"));
        let identity = identity.into().argument(&schema.ty()).map_err(|(path, problem)| {
            Failure::from(Diagnostics::from(Diagnostic::error("Invalid import identity", problem).at(path)))
        })?;
        let is_missing = |attribute: &&IdentityAttribute| {
            attribute.for_import == ForImport::Required && identity.get(&attribute.name).is_null()
        };
        if let Some(missing) = schema.attributes.iter().find(is_missing) {
            let detail = format!("The attribute \"{}\" is required.", missing.name);
            return Err(Diagnostics::from(Diagnostic::error("Invalid import identity", detail)).into());
        }
        self.import_what(type_name, "", Some(identity)).await
    }

    async fn import_what(&self, type_name: &str, id: &str, identity: Option<Value>) -> Result<Vec<Instance>, Failure> {
        let request = proto::import_resource_state::Request {
            type_name: type_name.to_owned(),
            id: id.to_owned(),
            client_capabilities: self.capabilities(),
            identity: self.identity_sent(type_name, identity.as_ref()),
        };
        let response = received(self.server.import_resource_state(sent(&request)).await)?;
        succeed(client::diagnostics(response.diagnostics)?)?;
        let mut instances = Vec::new();
        for found in response.imported_resources {
            let state = decode(&self.resource_schema(&found.type_name).ty(), found.state)?;
            if state.is_null() || !state.is_wholly_known() {
                return Err(Failure::violation("an imported state is null or not wholly known"));
            }
            let imported = self.identity_answered(&found.type_name, found.identity)?;
            if let (Some(asked), Some(imported)) = (&identity, &imported)
                && !continues(asked, imported)
            {
                return Err(Failure::violation("what was imported has another identity than was asked for"));
            }
            let instance = self.instance(&found.type_name, &state, found.private, imported.as_ref())?;
            instances.extend(self.refresh(&instance).await?);
        }
        if instances.is_empty() {
            return Err(Failure::violation("what was imported is not there"));
        }
        Ok(instances)
    }

    /// What a `moved` block makes of an instance of another type, whose state the provider `provider_address` wrote; not
    /// read yet.
    ///
    /// # Errors
    /// The provider refuses, or gives no state of the target type.
    pub async fn moved(&self, provider_address: &str, source: &Instance, target: &str) -> Result<Instance, Failure> {
        let raw = |json: &Json| proto::RawState { json: json.to_string().into_bytes(), ..Default::default() };
        let version = |version: u64| i64::try_from(version).expect("schema versions are small");
        let request = proto::move_resource_state::Request {
            source_provider_address: provider_address.to_owned(),
            source_type_name: source.type_name.clone(),
            source_schema_version: version(source.schema_version),
            source_state: Some(raw(&source.state)),
            target_type_name: target.to_owned(),
            source_private: source.private.clone(),
            source_identity: source.identity.as_ref().filter(|_| self.knows_identity).map(raw),
            source_identity_schema_version: version(source.identity_version),
        };
        let response = received(self.server.move_resource_state(sent(&request)).await)?;
        succeed(client::diagnostics(response.diagnostics)?)?;
        let state = decode(&self.resource_schema(target).ty(), response.target_state)?;
        if state.is_null() || !state.is_wholly_known() {
            return Err(Failure::violation("a moved state is null or not wholly known"));
        }
        if let Some(broken) = self.write_only_violation(target, &state) {
            return Err(Failure::violation(broken));
        }
        let identity = self.identity_answered(target, response.target_identity)?;
        self.instance(target, &state, response.target_private, identity.as_ref())
    }

    pub(super) fn instance(
        &self,
        type_name: &str,
        state: &Value,
        private: Vec<u8>,
        identity: Option<&Value>,
    ) -> Result<Instance, Failure> {
        let stored = |ty: &Type, value: &Value| {
            codec::json::encode(ty, value).map_err(|error| Failure::violation(format!("it cannot be stored: {error}")))
        };
        if let Some(broken) = self.write_only_violation(type_name, state) {
            return Err(Failure::violation(broken));
        }
        let schema = self.resource_schema(type_name);
        let mut instance = Instance::new(type_name, schema.version, stored(&schema.ty(), state)?);
        instance.private = private;
        if let (Some(schema), Some(identity)) = (self.identity_schema(type_name), identity) {
            instance.identity = Some(stored(&schema.ty(), identity)?);
            instance.identity_version = schema.version;
        }
        Ok(instance)
    }

    /// Core looks through everything that it stores for write-only values.
    fn write_only_violation(&self, type_name: &str, state: &Value) -> Option<String> {
        let path = write_only_set(&self.resource_schema(type_name).attributes, state).into_iter().next()?;
        Some(format!("the write-only attribute {path} has a value in a state"))
    }

    /// The identity schema of a resource, if it has one and this core knows what that is.
    #[must_use]
    pub fn identity_schema(&self, type_name: &str) -> Option<&IdentitySchema> {
        self.catalogue.identities.get(type_name).filter(|_| self.knows_identity)
    }

    /// The stored identity at the current identity schema.
    pub(super) async fn load_identity(&self, instance: &Instance) -> Result<Option<Value>, Failure> {
        let Some(schema) = self.identity_schema(&instance.type_name) else { return Ok(None) };
        // Terraform asks for what is not there, too
        let json = instance.identity.as_ref().map(|identity| identity.to_string().into_bytes()).unwrap_or_default();
        let request = proto::upgrade_resource_identity::Request {
            type_name: instance.type_name.clone(),
            version: i64::try_from(instance.identity_version).expect("schema versions are small"),
            raw_identity: Some(proto::RawState { json, ..Default::default() }),
        };
        let response = received(self.server.upgrade_resource_identity(sent(&request)).await)?;
        succeed(client::diagnostics(response.diagnostics)?)?;
        let data = response.upgraded_identity.and_then(|identity| identity.identity_data);
        let identity = decode(&schema.ty(), data)?;
        if instance.identity.is_none() && identity.is_null() {
            return Ok(None);
        }
        if identity.is_null() || !identity.is_wholly_known() {
            return Err(Failure::violation("an upgraded identity is null or not wholly known"));
        }
        Ok(Some(identity))
    }

    pub(super) fn identity_sent(&self, type_name: &str, identity: Option<&Value>) -> Option<proto::ResourceIdentityData> {
        let (schema, identity) = (self.identity_schema(type_name)?, identity?);
        Some(proto::ResourceIdentityData { identity_data: encode(&schema.ty(), identity) })
    }

    /// The identity in an answer. A core that does not know identities does not look.
    pub(super) fn identity_answered(
        &self,
        type_name: &str,
        identity: Option<proto::ResourceIdentityData>,
    ) -> Result<Option<Value>, Failure> {
        let data = identity.and_then(|identity| identity.identity_data).filter(|_| self.knows_identity);
        let Some(schema) = self.identity_schema(type_name) else {
            return match data {
                Some(_) => Err(Failure::violation(format!("an identity of {type_name}, which has no identity schema"))),
                None => Ok(None),
            };
        };
        let identity = decode(&schema.ty(), data)?;
        if !identity.is_wholly_known() {
            return Err(Failure::violation("an identity is not wholly known"));
        }
        Ok(Some(identity).filter(|identity| !identity.is_null()))
    }

    /// What core says when a resource with an identity schema came without identity.
    pub(super) fn identity_missing(&self, type_name: &str, identity: Option<&Value>, when: &str) -> Option<String> {
        let schema = self.identity_schema(type_name)?;
        let required = |attribute: &&IdentityAttribute| attribute.for_import == ForImport::Required;
        let Some(identity) = identity else { return Some(format!("there is no identity {when}")) };
        let missing = schema.attributes.iter().filter(required).find(|attribute| identity.get(&attribute.name).is_null())?;
        Some(format!("the identity has no \"{}\" {when}", missing.name))
    }
}
