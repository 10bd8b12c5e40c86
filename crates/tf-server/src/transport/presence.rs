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
pub(super) struct Presence(watch::Sender<Count>);

/// One admitted connection; counted until dropped.
pub(super) struct Present(watch::Sender<Count>);

/// A watcher sees only the newest count, so a visit must show after it has ended too.
#[derive(Default)]
struct Count {
    present: usize,
    ever: u64,
}

impl Presence {
    pub(super) fn new() -> Self {
        Self(watch::Sender::default())
    }

    pub(super) fn enter(&self) -> Present {
        self.0.send_modify(|count| {
            count.present += 1;
            count.ever += 1;
        });
        Present(self.0.clone())
    }

    /// Makes the process leave when the core was there and has gone.
    pub(super) fn leave_with_core(&self, leaving: CancellationToken) {
        let mut count = self.0.subscribe();
        tokio::spawn(async move {
            loop {
                // waiting fails only when the senders are gone, that is at the end
                let Ok(seen) = count.wait_for(|count| count.ever > 0 && count.present == 0).await.map(|count| count.ever) else {
                    return;
                };
                let back = tokio::time::timeout(ABSENCE_LIMIT, count.wait_for(|count| count.ever > seen)).await;
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
        self.0.send_modify(|count| count.present -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_core_that_came_and_went_unseen_has_gone() {
        let (presence, leaving) = (Presence::new(), CancellationToken::new());
        presence.leave_with_core(leaving.clone());
        drop(presence.enter());
        let left = tokio::time::timeout(2 * ABSENCE_LIMIT, leaving.cancelled()).await;
        assert!(left.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_core_that_is_to_come_or_comes_back_is_waited_for() {
        let (presence, leaving) = (Presence::new(), CancellationToken::new());
        presence.leave_with_core(leaving.clone());
        tokio::time::sleep(2 * ABSENCE_LIMIT).await;
        drop(presence.enter());
        tokio::time::sleep(ABSENCE_LIMIT / 2).await;
        let back = presence.enter();
        tokio::time::sleep(2 * ABSENCE_LIMIT).await;
        assert!(!leaving.is_cancelled());
        drop(back);
        let left = tokio::time::timeout(2 * ABSENCE_LIMIT, leaving.cancelled()).await;
        assert!(left.is_ok());
    }
}
