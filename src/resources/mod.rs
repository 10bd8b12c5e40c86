//! The resources: what their attributes are and what a configuration means.

mod change;
pub(crate) mod istio_object;
mod moved;
mod passage;
pub(crate) mod virtual_destination;
pub(crate) mod virtual_mesh;
