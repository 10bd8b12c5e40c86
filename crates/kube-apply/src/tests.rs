//! The engine on clusters in memory and on real folders.
#![allow(clippy::unwrap_used)]

mod breakage;
mod contract;
mod directory;
mod engine;
mod instance;
mod inventory;
mod progress;
mod schemas;
mod support;
