//! The smallest provider that shows what the transport does. `terraform_version` of
//! ConfigureProvider says what to do.

use std::path::PathBuf;
use std::process::ExitCode;

use tf_proto::tfplugin6::provider_server::Provider;
use tf_proto::tfplugin6::{
    Diagnostic, Schema, ServerCapabilities, configure_provider, get_provider_schema, read_resource, schema, stop_provider,
    validate_provider_config,
};
use tf_server::transport::{Mode, Options, serve};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};

/// Set in the environment: be the provider. The value `debug` asks for debug mode.
pub(crate) const SWITCH: &str = "TRANSPORT_TEST_PLUGIN";

/// Commands in `ConfigureProvider.Request.terraform_version`.
pub(crate) const LOG: &str = "write a line of each level";
pub(crate) const PANIC: &str = "panic";
pub(crate) const HANG: &str = "never answer";
pub(crate) const WAIT: &str = "answer only when the process leaves";

/// What a core starts: this very program.
pub(crate) fn program() -> PathBuf {
    std::env::current_exe().expect("runs from a file")
}

pub(crate) fn run() -> ExitCode {
    let debug = std::env::var(SWITCH).is_ok_and(|value| value == "debug");
    let leaving = CancellationToken::new();
    let options = Options {
        name: "gloo",
        source: "example/gloo",
        mode: if debug { Mode::Debug } else { Mode::Plugin },
        leaving: leaving.clone(),
    };
    serve(Small { leaving }, options)
}

struct Small {
    leaving: CancellationToken,
}

#[async_trait]
impl Provider for Small {
    async fn get_provider_schema(
        &self,
        _: Request<get_provider_schema::Request>,
    ) -> Result<Response<get_provider_schema::Response>, Status> {
        let empty = Schema { version: 0, block: Some(schema::Block::default()) };
        Ok(Response::new(get_provider_schema::Response {
            provider: Some(empty.clone()),
            data_source_schemas: [("gloo_nothing".to_owned(), empty)].into(),
            server_capabilities: Some(ServerCapabilities { get_provider_schema_optional: true, ..Default::default() }),
            ..Default::default()
        }))
    }

    async fn validate_provider_config(
        &self,
        _: Request<validate_provider_config::Request>,
    ) -> Result<Response<validate_provider_config::Response>, Status> {
        Ok(Response::new(validate_provider_config::Response::default()))
    }

    async fn configure_provider(
        &self,
        request: Request<configure_provider::Request>,
    ) -> Result<Response<configure_provider::Response>, Status> {
        let mut diagnostics = Vec::new();
        match request.into_inner().terraform_version.as_str() {
            LOG => {
                let _span = tracing::info_span!("call", resource = "gloo_thing").entered();
                tracing::trace!("at trace");
                tracing::debug!("at debug");
                tracing::info!("at info");
                tracing::warn!(attempt = 2, "at warn");
                tracing::error!("at error");
            }
            PANIC => panic!("first line\nsecond line"),
            HANG => {
                tracing::error!("hanging");
                std::future::pending().await
            }
            WAIT => {
                tracing::error!("waiting");
                self.leaving.cancelled().await;
                diagnostics.push(Diagnostic { summary: "cut short".to_owned(), ..Default::default() });
            }
            _ => {}
        }
        Ok(Response::new(configure_provider::Response { diagnostics }))
    }

    /// Gives private data back.
    async fn read_resource(&self, request: Request<read_resource::Request>) -> Result<Response<read_resource::Response>, Status> {
        let private = request.into_inner().private;
        Ok(Response::new(read_resource::Response { private, ..Default::default() }))
    }

    async fn stop_provider(&self, _: Request<stop_provider::Request>) -> Result<Response<stop_provider::Response>, Status> {
        Ok(Response::new(stop_provider::Response::default()))
    }
}
