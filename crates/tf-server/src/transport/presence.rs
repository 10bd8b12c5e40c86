//! Whether the core is still there. A core that is killed cannot say so; without this
//! its provider would stay behind forever, perhaps still writing.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Time for the core to come back after its last connection closed. A local connection
/// does not break by itself, so this only bridges a reconnect.
const ABSENCE_LIMIT: Duration = Duration::from_secs(2);

/// Counts admitted connections.
#[derive(Clone)]
pub(super) struct Presence(watch::Sender<usize>);

/// One admitted connection; counted until dropped.
pub(super) struct Present(watch::Sender<usize>);

impl Presence {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    pub(super) fn enter(&self) -> Present {
        self.0.send_modify(|count| *count += 1);
        Present(self.0.clone())
    }

    /// Makes the process leave when the core was there and has gone.
    pub(super) fn leave_with_core(&self, leaving: CancellationToken) {
        let mut count = self.0.subscribe();
        tokio::spawn(async move {
            loop {
                // waiting fails only when the senders are gone, that is at the end
                let came = count.wait_for(|count| *count > 0).await.is_ok();
                if !came || count.wait_for(|count| *count == 0).await.is_err() {
                    return;
                }
                let back = tokio::time::timeout(ABSENCE_LIMIT, count.wait_for(|count| *count > 0)).await;
                if back.is_err() {
                    tracing::info!("the core has gone");
                    leaving.cancel();
                    return;
                }
            }
        });
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
