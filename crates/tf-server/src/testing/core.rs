//! The parts of core that are about the provider as a whole; `life` has the life of a resource.

use std::sync::Arc;

use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::provider_server::Provider as Service;
use tf_value::schema::Schema;
use tf_value::{Diagnostics, Value};
use tonic::{Request, Response, Status};

use super::client::{self, carried, encode};
use super::schema::{self, Catalogue};
use super::{Failure, Input};
use crate::{FunctionError, Provider, Server};

/// Core with one provider.
pub struct Core {
    pub(super) server: Server,
    pub(super) catalogue: Catalogue,
    /// whether this core knows write-only attributes
    pub write_only_attributes_allowed: bool,
    /// whether this core knows identities
    pub knows_identity: bool,
}

/// The answer, through its bytes. A status is never allowed: core could not say where the trouble lies.
pub(super) fn received<M: prost::Message + Default>(answer: Result<Response<M>, Status>) -> Result<M, Failure> {
    match answer {
        Ok(response) => Ok(carried(&response.into_inner())),
        Err(status) => Err(Failure::violation(format!("a status instead of diagnostics: {status}"))),
    }
}

pub(super) fn sent<M: prost::Message + Default>(message: &M) -> Request<M> {
    Request::new(carried(message))
}

impl Core {
    /// Starts `provider` and reads its schemas.
    ///
    /// # Panics
    /// When core would refuse the provider for its schemas.
    pub async fn new(provider: Arc<dyn Provider>) -> Self {
        let server = Server::new(provider);
        let response = server.get_provider_schema(sent(&proto::get_provider_schema::Request {})).await;
        let response = received(response).unwrap_or_else(|failure| panic!("no schemas: {failure}"));
        let request = sent(&proto::get_resource_identity_schemas::Request {});
        let identities = received(server.get_resource_identity_schemas(request).await);
        let identities = identities.unwrap_or_else(|failure| panic!("no identity schemas: {failure}"));
        let catalogue =
            schema::read(response, identities).unwrap_or_else(|problem| panic!("core refuses the provider: {problem}"));
        Self { server, catalogue, write_only_attributes_allowed: true, knows_identity: true }
    }

    /// The service, to call it directly.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The schema of a resource as the wire shows it.
    ///
    /// # Panics
    /// When there is no such resource.
    #[must_use]
    pub fn resource_schema(&self, type_name: &str) -> &Schema {
        self.catalogue.resources.get(type_name).unwrap_or_else(|| panic!("no resource {type_name}"))
    }

    pub(super) fn capabilities(&self) -> Option<proto::ClientCapabilities> {
        let write_only_attributes_allowed = self.write_only_attributes_allowed;
        Some(proto::ClientCapabilities { deferral_allowed: false, write_only_attributes_allowed })
    }

    /// Validates and configures the provider; the result is its warnings.
    ///
    /// # Errors
    /// Errors of the configuration.
    pub async fn configure(&self, config: impl Into<Input> + Send) -> Result<Diagnostics, Failure> {
        let schema = &self.catalogue.provider;
        let config = encode(&schema.ty(), &config.into().configuration(schema)?);
        let request = proto::validate_provider_config::Request { config: config.clone() };
        let response = received(self.server.validate_provider_config(sent(&request)).await)?;
        let mut diagnostics = client::diagnostics(response.diagnostics)?;
        if diagnostics.has_errors() {
            return Err(diagnostics.into());
        }
        let client_capabilities = self.capabilities();
        let request = proto::configure_provider::Request { terraform_version: "1.14.0".to_owned(), config, client_capabilities };
        let response = received(self.server.configure_provider(sent(&request)).await)?;
        diagnostics.extend(client::diagnostics(response.diagnostics)?);
        if diagnostics.has_errors() { Err(diagnostics.into()) } else { Ok(diagnostics) }
    }

    /// Validates and reads a data source.
    ///
    /// # Errors
    /// Errors of the configuration or of the read; a result that is null or not wholly known.
    ///
    /// # Panics
    /// When there is no such data source.
    pub async fn read_data(&self, type_name: &str, config: impl Into<Input> + Send) -> Result<(Value, Diagnostics), Failure> {
        let schema = self.catalogue.data_sources.get(type_name).unwrap_or_else(|| panic!("no data source {type_name}"));
        let ty = schema.ty();
        let config = encode(&ty, &config.into().configuration(schema)?);
        let type_name = type_name.to_owned();
        let request = proto::validate_data_resource_config::Request { type_name: type_name.clone(), config: config.clone() };
        let response = received(self.server.validate_data_resource_config(sent(&request)).await)?;
        let mut diagnostics = client::diagnostics(response.diagnostics)?;
        if diagnostics.has_errors() {
            return Err(diagnostics.into());
        }
        let client_capabilities = self.capabilities();
        let request = proto::read_data_source::Request { type_name, config, provider_meta: None, client_capabilities };
        let response = received(self.server.read_data_source(sent(&request)).await)?;
        diagnostics.extend(client::diagnostics(response.diagnostics)?);
        if diagnostics.has_errors() {
            return Err(diagnostics.into());
        }
        let state = client::decode(&ty, response.state)?;
        if state.is_null() || !state.is_wholly_known() {
            return Err(Failure::violation("the result of a data source is null or not wholly known"));
        }
        Ok((state, diagnostics))
    }

    /// Calls a function; null and unknown arguments are handled as core does, before the call.
    ///
    /// # Errors
    /// What the function, or core in its place, has against the arguments.
    ///
    /// # Panics
    /// When there is no such function, or the provider answers with something that core cannot read.
    pub async fn call(&self, name: &str, arguments: Vec<Input>) -> Result<Value, FunctionError> {
        let function = self.catalogue.functions.get(name).unwrap_or_else(|| panic!("no function {name}"));
        let parameters = function.parameters.iter().chain(std::iter::repeat(function.variadic.as_ref()).flatten());
        let mut encoded = Vec::new();
        for (position, (argument, parameter)) in arguments.into_iter().zip(parameters).enumerate() {
            let at = |text: String| FunctionError { text, argument: i64::try_from(position).ok() };
            let value = argument.argument(&parameter.ty).map_err(|(_, problem)| at(problem))?;
            if value.is_null() && !parameter.allow_null {
                return Err(at("argument must not be null".to_owned()));
            }
            if !value.is_wholly_known() && !parameter.allow_unknown {
                return Ok(Value::unknown());
            }
            encoded.extend(encode(&parameter.ty, &value));
        }
        let request = proto::call_function::Request { name: name.to_owned(), arguments: encoded };
        let response = received(self.server.call_function(sent(&request)).await).unwrap_or_else(|failure| panic!("{failure}"));
        if let Some(proto::FunctionError { text, function_argument }) = response.error {
            return Err(FunctionError { text, argument: function_argument });
        }
        Ok(client::decode(&function.returns, response.result).unwrap_or_else(|failure| panic!("{failure}")))
    }

    /// Interrupts the calls in flight, as Ctrl-C does.
    ///
    /// # Panics
    /// When the provider does not answer.
    pub async fn stop(&self) {
        let response = received(self.server.stop_provider(sent(&proto::stop_provider::Request {})).await);
        response.unwrap_or_else(|failure| panic!("{failure}"));
    }
}
