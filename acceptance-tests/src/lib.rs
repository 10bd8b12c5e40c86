//! Acceptance tests: the built provider under the real CLIs, terraform and tofu.
//!
//! ```text
//! tests/main.rs ─ cases/*.rs ─► World ─ sealed CLI process ─► provider process ─► Site: cluster folders, or API servers
//!                                 └► Plan · State · Diagnostics · Cluster      (what is asserted on)
//! ```
//!
//! Invariants: every case runs once per CLI and site, in folders of its own or on servers that it has to itself, with nothing
//! of the user's set-up; a case that fails shows every command it ran and what that printed.
//!
//! ```no_run
//! # use acceptance_tests::{Action, Rig, World};
//! # fn case(rig: &Rig) {
//! let world = World::quickstart(rig);
//! let plan = world.step(); // plan, apply, then two plans that must be empty
//! assert_eq!(plan.action("gloo_virtual_mesh.prod"), Action::Create);
//! # }
//! ```

pub mod breakage;
pub mod cluster;
pub mod diagnostics;
pub mod directory;
pub mod live;
pub mod plan;
pub mod server;
pub mod site;
pub mod suite;
pub mod world;

pub use breakage::Running;
pub use cluster::{Cluster, Snapshot};
pub use diagnostics::{Diagnostic, Diagnostics, Severity};
pub use directory::Directory;
pub use live::Live;
pub use plan::{Action, Plan, State};
pub use site::{Site, SiteKind};
pub use suite::{Case, Rig, Transcript};
pub use world::{Checkpoint, Outcome, World};
