//! `StopProvider`: cancels what runs and keeps serving; core still waits for the answers.

use crate::Server;

pub(crate) struct Response;

pub(crate) fn call(server: &Server) -> Response {
    tracing::info!("stop requested: cancelling the calls in flight");
    server.stop();
    Response
}
