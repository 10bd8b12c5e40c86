//! The data sources: facts of live clusters, pinned in the plan.

pub(crate) mod cluster;
mod read;
pub(crate) mod service;
