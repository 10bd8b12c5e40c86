//! The wire: messages and service traits of the Terraform plugin protocol 6 and of the
//! go-plugin services that share its connection. Data only, no behaviour.
//!
//! The code under `generated/` comes from `proto/` by
//! `cargo run -p xtask --features codegen -- codegen`; it is committed so that no build
//! needs `protoc`. Service traits answer `Unimplemented` for every method that an
//! implementation does not write. Maps are `BTreeMap`: equal values have equal bytes.
//!
//! With the feature `client` each service also has its calling side, for in-process
//! tests.

/// Provider service of Terraform and OpenTofu (`proto/tfplugin6.proto`).
#[rustfmt::skip]
#[allow(clippy::all, missing_docs, unreachable_pub)]
#[path = "generated/tfplugin6.rs"]
pub mod tfplugin6;

/// Housekeeping services of the go-plugin host (`proto/go_plugin.proto`).
#[rustfmt::skip]
#[allow(clippy::all, missing_docs, unreachable_pub)]
#[path = "generated/plugin.rs"]
pub mod plugin;

/// The standard health question (`proto/health.proto`).
#[rustfmt::skip]
#[allow(clippy::all, missing_docs, unreachable_pub)]
#[path = "generated/grpc.health.v1.rs"]
pub mod health;
