//! The provider under the in-process core, on directory clusters in temporary folders.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "tests")]

mod arrival;
mod breakage;
mod destination;
mod federation;
mod foresight;
mod functions;
mod hostile;
mod istio_object;
mod kubernetes;
mod lists;
mod mesh;
mod objects;
mod overlaps;
mod ownership;
mod passage;
mod provider_block;
mod relay;
mod renditions;
mod rerender;
mod residue;
mod schemas;
mod service;
mod soak;
mod subsets;
mod support;
mod verdicts;
