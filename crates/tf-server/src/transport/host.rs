//! The go-plugin services beside the provider: nothing but being there and leaving.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tf_proto::health::health_server::HealthServer;
use tf_proto::health::{HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus, health_server};
use tf_proto::plugin::grpc_broker_server::{GrpcBroker, GrpcBrokerServer};
use tf_proto::plugin::grpc_controller_server::{GrpcController, GrpcControllerServer};
use tf_proto::plugin::grpc_stdio_server::{GrpcStdio, GrpcStdioServer};
use tf_proto::plugin::{ConnInfo, Empty, StdioData};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

/// The service name whose health go-plugin asks for.
const PLUGIN: &str = "plugin";

/// Answers that the plugin is well.
pub(super) struct Health;

impl Health {
    pub(super) fn service() -> HealthServer<Self> {
        HealthServer::new(Self)
    }
}

#[async_trait]
impl health_server::Health for Health {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match request.into_inner().service.as_str() {
            PLUGIN | "" => Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() })),
            other => Err(Status::not_found(format!("no service named {other:?}"))),
        }
    }
}

/// Lets the core end the process.
pub(super) struct Controller(CancellationToken);

impl Controller {
    pub(super) fn service(leaving: CancellationToken) -> GrpcControllerServer<Self> {
        GrpcControllerServer::new(Self(leaving))
    }
}

#[async_trait]
impl GrpcController for Controller {
    async fn shutdown(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        tracing::debug!("the core asked to leave");
        self.0.cancel();
        Ok(Response::new(Empty {}))
    }
}

/// Keeps the core's output stream open and silent.
pub(super) struct Stdio(CancellationToken);

impl Stdio {
    pub(super) fn service(leaving: CancellationToken) -> GrpcStdioServer<Self> {
        GrpcStdioServer::new(Self(leaving))
    }
}

#[async_trait]
impl GrpcStdio for Stdio {
    async fn stream_stdio(&self, _: Request<Empty>) -> Result<Response<BoxStream<StdioData>>, Status> {
        Ok(Response::new(Box::pin(Silence::until(&self.0, ()))))
    }
}

/// Keeps the core's broker stream open and silent.
pub(super) struct Broker(CancellationToken);

impl Broker {
    pub(super) fn service(leaving: CancellationToken) -> GrpcBrokerServer<Self> {
        GrpcBrokerServer::new(Self(leaving))
    }
}

#[async_trait]
impl GrpcBroker for Broker {
    async fn start_stream(&self, request: Request<Streaming<ConnInfo>>) -> Result<Response<BoxStream<ConnInfo>>, Status> {
        // dropping the input would reset the stream
        Ok(Response::new(Box::pin(Silence::until(&self.0, request))))
    }
}

/// A stream without items that ends when the process is about to leave.
struct Silence<T, K> {
    end: Pin<Box<WaitForCancellationFutureOwned>>,
    _kept: K,
    items: PhantomData<fn() -> T>,
}

impl<T, K> Silence<T, K> {
    fn until(leaving: &CancellationToken, kept: K) -> Self {
        Self { end: Box::pin(leaving.clone().cancelled_owned()), _kept: kept, items: PhantomData }
    }
}

impl<T, K: Unpin> Stream for Silence<T, K> {
    type Item = Result<T, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.end.as_mut().poll(cx).map(|()| None)
    }
}
