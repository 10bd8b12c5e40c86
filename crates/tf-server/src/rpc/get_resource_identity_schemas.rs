//! `GetResourceIdentitySchemas`: the schemas of the resources that have an identity.

use std::sync::Arc;

use crate::Server;
use crate::server::Shared;

pub(crate) struct Response(pub(crate) Arc<Shared>);

pub(crate) fn call(server: &Server) -> Response {
    Response(Arc::clone(&server.shared))
}
