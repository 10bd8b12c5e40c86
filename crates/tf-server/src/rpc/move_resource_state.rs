//! `MoveResourceState`: a `moved` block from a resource of another type. Always refused so far; OpenTofu asks without
//! looking at the capability, so the refusal has to be a good one.

use tf_value::{Diagnostic, Diagnostics};

use crate::Server;

pub(crate) struct Request {
    pub(crate) source_provider_address: String,
    pub(crate) source_type_name: String,
    pub(crate) target_type_name: String,
}

pub(crate) struct Response {
    pub(crate) diagnostics: Diagnostics,
}

pub(crate) fn call(server: &Server, request: &Request) -> Response {
    let Request { source_provider_address, source_type_name, target_type_name } = request;
    let refusal = match server.resource(target_type_name) {
        Err(unknown) => unknown,
        Ok(_) => Diagnostic::error(
            "Resource cannot be moved",
            format!(
                "The state of {source_type_name} (provider {source_provider_address}) cannot become the state of \
                 {target_type_name}. Forget the one with a removed block and take the other over with an import block:\n\n  \
                 removed {{\n    from = {source_type_name}.example\n    lifecycle {{\n      destroy = false\n    }}\n  }}\n\n  \
                 import {{\n    to = {target_type_name}.example\n    id = \"…\"\n  }}"
            ),
        ),
    };
    Response { diagnostics: refusal.into() }
}
