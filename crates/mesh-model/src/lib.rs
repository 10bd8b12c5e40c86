//! mesh-model
