//! The lifecycle under failure: writes are broken at the n-th one, for every n.

mod folders;
pub(crate) mod forbidden;
pub(crate) mod memory;
mod model;
mod rig;
mod writers;
mod writes;
