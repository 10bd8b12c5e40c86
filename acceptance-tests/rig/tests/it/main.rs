//! The rig itself: what it starts, what it breaks, and that nothing of it stays.

mod clusters;
mod ends;
mod mesh;
mod proxy;

use std::sync::{OnceLock, RwLock};
use std::time::{Duration, Instant};

use rig::Rig;

/// Read by tests that use `west`, written by the one that breaks it.
static WEST: RwLock<()> = RwLock::new(());

/// The clusters that tests share. Never dropped: the end of this process is what ends them.
fn shared() -> &'static Rig {
    static RIG: OnceLock<Rig> = OnceLock::new();
    RIG.get_or_init(|| Rig::start(&["east", "west"]).unwrap_or_else(|problem| panic!("{problem}")))
}

/// Looks until it is so; panics when it is not within a minute.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let is_so = rig::wait::is_so_by(Instant::now() + Duration::from_secs(60), || Ok(is_so()));
    assert!(is_so.is_ok_and(|is_so| is_so), "not within a minute: {what}");
}
