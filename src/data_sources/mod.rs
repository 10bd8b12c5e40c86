//! The data sources: facts of live clusters, pinned in the plan.

pub(crate) mod cluster;
pub(crate) mod failover;
mod read;
pub(crate) mod service;
