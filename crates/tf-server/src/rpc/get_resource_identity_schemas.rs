//! `GetResourceIdentitySchemas`: no resource has an identity schema yet.

pub(crate) struct Response;

pub(crate) fn call() -> Response {
    Response
}
