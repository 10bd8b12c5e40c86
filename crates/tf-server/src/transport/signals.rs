//! Signals. A terminal sends Ctrl-C to the whole process group; the core then asks
//! politely by `StopProvider` and collects what the running calls made. A plugin that
//! dies of the same Ctrl-C takes that with it, so here the signal does nothing.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{GRACE_AFTER_SHUTDOWN, GRACE_AFTER_TERMINATION, Mode};

/// Installed handlers; from here on no signal ends the process by itself.
pub(super) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
}

enum Event {
    Interrupt,
    Terminate,
}

impl Signals {
    /// # Errors
    /// The operating system refused a handler.
    pub(super) fn install() -> io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
        }
        #[cfg(windows)]
        {
            Ok(Self { interrupt: tokio::signal::windows::ctrl_c()? })
        }
    }

    #[cfg(unix)]
    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.interrupt.recv() => Event::Interrupt,
            _ = self.terminate.recv() => Event::Terminate,
        }
    }

    #[cfg(windows)]
    async fn next(&mut self) -> Event {
        self.interrupt.recv().await;
        Event::Interrupt
    }
}

/// When the process leaves at the latest.
pub(super) struct Goodbye {
    leaving: CancellationToken,
    grace: Arc<OnceLock<Duration>>,
}

impl Goodbye {
    /// Returns when the process is leaving and the time for answers under way is over.
    pub(super) async fn grace_over(&self) {
        self.leaving.cancelled().await;
        let grace = self.grace.get().copied().unwrap_or(GRACE_AFTER_SHUTDOWN);
        tokio::time::sleep(grace).await;
        tracing::warn!("leaving with calls still running");
    }
}

/// Lets signals end the process as `mode` wants it.
pub(super) fn watch(mut signals: Signals, mode: Mode, leaving: CancellationToken) -> Goodbye {
    let grace = Arc::new(OnceLock::new());
    let goodbye = Goodbye { leaving: leaving.clone(), grace: Arc::clone(&grace) };
    tokio::spawn(async move {
        loop {
            match (signals.next().await, mode) {
                (Event::Interrupt, Mode::Plugin) => {
                    tracing::debug!("interrupt left to the core");
                }
                (Event::Interrupt, Mode::Debug) => leaving.cancel(),
                (Event::Terminate, _) => {
                    tracing::info!("asked to terminate");
                    // the first reason to leave decides how long it may take
                    if !leaving.is_cancelled() {
                        let _ = grace.set(GRACE_AFTER_TERMINATION);
                    }
                    leaving.cancel();
                }
            }
        }
    });
    goodbye
}
