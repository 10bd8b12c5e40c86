//! The service of the wire: every method delegates to its file in [`crate::rpc`]; what this provider does not have is
//! refused in words.

use tf_proto::tfplugin6 as proto;
use tf_proto::tfplugin6::provider_server::Provider;
use tonic::{Request, Response, Status};

use crate::{Server, rpc};

type Answer<T> = Result<Response<T>, Status>;

fn answer<T>(response: impl Into<T>) -> Answer<T> {
    Ok(Response::new(response.into()))
}

fn refusal<T>(what: &str) -> Answer<T> {
    Err(Status::unimplemented(format!("this provider has no {what}; a newer version of it may")))
}

#[tonic::async_trait]
impl Provider for Server {
    async fn get_metadata(&self, _: Request<proto::get_metadata::Request>) -> Answer<proto::get_metadata::Response> {
        answer(rpc::get_metadata::call(self))
    }

    async fn get_provider_schema(
        &self,
        _: Request<proto::get_provider_schema::Request>,
    ) -> Answer<proto::get_provider_schema::Response> {
        answer(rpc::get_provider_schema::call(self))
    }

    async fn get_resource_identity_schemas(
        &self,
        _: Request<proto::get_resource_identity_schemas::Request>,
    ) -> Answer<proto::get_resource_identity_schemas::Response> {
        answer(rpc::get_resource_identity_schemas::call(self))
    }

    async fn get_functions(&self, _: Request<proto::get_functions::Request>) -> Answer<proto::get_functions::Response> {
        answer(rpc::get_functions::call(self))
    }

    async fn validate_provider_config(
        &self,
        request: Request<proto::validate_provider_config::Request>,
    ) -> Answer<proto::validate_provider_config::Response> {
        answer(rpc::validate_provider_config::call(self, request.into_inner().into()).await)
    }

    async fn validate_resource_config(
        &self,
        request: Request<proto::validate_resource_config::Request>,
    ) -> Answer<proto::validate_resource_config::Response> {
        answer(rpc::validate_resource_config::call(self, request.into_inner().into()).await)
    }

    async fn validate_data_resource_config(
        &self,
        request: Request<proto::validate_data_resource_config::Request>,
    ) -> Answer<proto::validate_data_resource_config::Response> {
        answer(rpc::validate_data_resource_config::call(self, request.into_inner().into()).await)
    }

    async fn configure_provider(
        &self,
        request: Request<proto::configure_provider::Request>,
    ) -> Answer<proto::configure_provider::Response> {
        answer(rpc::configure_provider::call(self, request.into_inner().into()).await)
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<proto::upgrade_resource_state::Request>,
    ) -> Answer<proto::upgrade_resource_state::Response> {
        answer(rpc::upgrade_resource_state::call(self, request.into_inner().into()).await)
    }

    async fn read_resource(&self, request: Request<proto::read_resource::Request>) -> Answer<proto::read_resource::Response> {
        answer(rpc::read_resource::call(self, request.into_inner().into()).await)
    }

    async fn plan_resource_change(
        &self,
        request: Request<proto::plan_resource_change::Request>,
    ) -> Answer<proto::plan_resource_change::Response> {
        answer(rpc::plan_resource_change::call(self, request.into_inner().into()).await)
    }

    async fn apply_resource_change(
        &self,
        request: Request<proto::apply_resource_change::Request>,
    ) -> Answer<proto::apply_resource_change::Response> {
        answer(rpc::apply_resource_change::call(self, request.into_inner().into()).await)
    }

    async fn import_resource_state(
        &self,
        request: Request<proto::import_resource_state::Request>,
    ) -> Answer<proto::import_resource_state::Response> {
        answer(rpc::import_resource_state::call(self, request.into_inner().into()).await)
    }

    async fn move_resource_state(
        &self,
        request: Request<proto::move_resource_state::Request>,
    ) -> Answer<proto::move_resource_state::Response> {
        answer(rpc::move_resource_state::call(self, request.into_inner().into()).await)
    }

    async fn read_data_source(
        &self,
        request: Request<proto::read_data_source::Request>,
    ) -> Answer<proto::read_data_source::Response> {
        answer(rpc::read_data_source::call(self, request.into_inner().into()).await)
    }

    async fn call_function(&self, request: Request<proto::call_function::Request>) -> Answer<proto::call_function::Response> {
        answer(rpc::call_function::call(self, request.into_inner().into()).await)
    }

    async fn stop_provider(&self, _: Request<proto::stop_provider::Request>) -> Answer<proto::stop_provider::Response> {
        answer(rpc::stop_provider::call(self))
    }

    async fn upgrade_resource_identity(
        &self,
        request: Request<proto::upgrade_resource_identity::Request>,
    ) -> Answer<proto::upgrade_resource_identity::Response> {
        answer(rpc::upgrade_resource_identity::call(self, request.into_inner().into()).await)
    }

    async fn generate_resource_config(
        &self,
        _: Request<proto::generate_resource_config::Request>,
    ) -> Answer<proto::generate_resource_config::Response> {
        refusal("configuration generator")
    }

    async fn validate_ephemeral_resource_config(
        &self,
        _: Request<proto::validate_ephemeral_resource_config::Request>,
    ) -> Answer<proto::validate_ephemeral_resource_config::Response> {
        refusal("ephemeral resources")
    }

    async fn open_ephemeral_resource(
        &self,
        _: Request<proto::open_ephemeral_resource::Request>,
    ) -> Answer<proto::open_ephemeral_resource::Response> {
        refusal("ephemeral resources")
    }

    async fn renew_ephemeral_resource(
        &self,
        _: Request<proto::renew_ephemeral_resource::Request>,
    ) -> Answer<proto::renew_ephemeral_resource::Response> {
        refusal("ephemeral resources")
    }

    async fn close_ephemeral_resource(
        &self,
        _: Request<proto::close_ephemeral_resource::Request>,
    ) -> Answer<proto::close_ephemeral_resource::Response> {
        refusal("ephemeral resources")
    }

    async fn validate_list_resource_config(
        &self,
        _: Request<proto::validate_list_resource_config::Request>,
    ) -> Answer<proto::validate_list_resource_config::Response> {
        refusal("list resources")
    }

    async fn list_resource(
        &self,
        _: Request<proto::list_resource::Request>,
    ) -> Answer<tonic::codegen::BoxStream<proto::list_resource::Event>> {
        refusal("list resources")
    }

    async fn validate_action_config(
        &self,
        _: Request<proto::validate_action_config::Request>,
    ) -> Answer<proto::validate_action_config::Response> {
        refusal("actions")
    }

    async fn plan_action(&self, _: Request<proto::plan_action::Request>) -> Answer<proto::plan_action::Response> {
        refusal("actions")
    }

    async fn invoke_action(
        &self,
        _: Request<proto::invoke_action::Request>,
    ) -> Answer<tonic::codegen::BoxStream<proto::invoke_action::Event>> {
        refusal("actions")
    }
}
