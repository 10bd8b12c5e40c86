//! Functions: pure texts for people and for other resources of a configuration.

pub(crate) mod foresight;
pub(crate) mod role;
