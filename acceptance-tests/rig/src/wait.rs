//! Waiting for what tells nobody when it is ready: a process, a server, a request.

use std::time::{Duration, Instant};

use xtask::Result;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until it is so; `false` when it is not by `end`.
///
/// # Errors
/// That of looking.
pub fn is_so_by(end: Instant, mut is_so: impl FnMut() -> Result<bool>) -> Result<bool> {
    while !is_so()? {
        if Instant::now() > end {
            return Ok(false);
        }
        // it is not so yet, and nobody tells when it is
        std::thread::sleep(PAUSE);
    }
    Ok(true)
}
