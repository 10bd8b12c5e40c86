//! `GetMetadata`: the names of everything on offer.

use crate::Server;

pub(crate) struct Response {
    pub(crate) resources: Vec<&'static str>,
    pub(crate) data_sources: Vec<&'static str>,
    pub(crate) functions: Vec<&'static str>,
}

pub(crate) fn call(server: &Server) -> Response {
    let shared = &server.shared;
    Response {
        resources: shared.resources.keys().copied().collect(),
        data_sources: shared.data_sources.keys().copied().collect(),
        functions: shared.functions.keys().copied().collect(),
    }
}
