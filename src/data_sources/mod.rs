//! The data sources: facts of live clusters, pinned in the plan.

pub(crate) mod cluster;
pub(crate) mod failover;
pub(crate) mod objects;
mod read;
mod scope;
pub(crate) mod service;
pub(crate) mod services;
pub(crate) mod workloads;
