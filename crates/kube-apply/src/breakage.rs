//! Breaks the writes of a fleet on purpose, at the n-th one and never by time. For tests: behind the feature `breakage`.
//!
//! Contract: a [`Breaker`] counts applies and deletes over all clusters that it decorates, in the order in which they
//! start, from 1. A [`Break`] says what happens at one of them. Everything else passes unchanged.
//!
//! ```text
//! kill:before:3    the process ends before the third write has any effect
//! kill:between:3   … after its temporary file is on disk and before that gets its name, or before a removed file's folder is tidied
//! kill:after:3     … after its effect, before anybody knows
//! full:before:3    the write fails as on a full disk, without an effect
//! full:between:3   … after the temporary file was written
//! full:after:3     … after its effect
//! silence:after:3  the effect happened, the answer was lost
//! refuse:before:3  the cluster says no
//! hang:before:3    the write waits until the run is cancelled
//! hang:after:3     the same, after its effect
//! pause:before:3   the write waits until it is released
//! ```

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::pending;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use istio_objects::{Change, Claim, ObjectKey};
use mesh_model::names::{ClusterName, OwnerId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::port::{Answer, Cluster, Kinds, LiveObject, Remark, Seen, Write};
use crate::{Class, ClusterError};

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// the process ends
    Kill,
    /// the disk is full
    Full,
    /// no answer comes
    Silence,
    /// the cluster refuses
    Refuse,
    /// it waits until the run is cancelled
    Hang,
    /// it waits until [`Breaker::release`]
    Pause,
}

/// When, seen from the effect of the write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// before it
    Before,
    /// in the middle of the file work
    Between,
    /// after it
    After,
}

/// One planned breakage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    /// what happens
    pub act: Act,
    /// when
    pub moment: Moment,
    /// at which write; the first is 1
    pub write: usize,
}

impl FromStr for Break {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no breakage: it reads like kill:before:3");
        let parts: Vec<&str> = text.split(':').collect();
        let [act, moment, write] = parts.as_slice() else { return Err(wrong()) };
        let act = match *act {
            "kill" => Act::Kill,
            "full" => Act::Full,
            "silence" => Act::Silence,
            "refuse" => Act::Refuse,
            "hang" => Act::Hang,
            "pause" => Act::Pause,
            _ => return Err(wrong()),
        };
        let moment = match *moment {
            "before" => Moment::Before,
            "between" if matches!(act, Act::Kill | Act::Full) => Moment::Between,
            "after" => Moment::After,
            _ => return Err(wrong()),
        };
        let write = write.parse().ok().filter(|write| *write > 0).ok_or_else(wrong)?;
        Ok(Self { act, moment, write })
    }
}

/// How a killed process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// SIGKILL
    Real,
    /// nothing is ever answered again; the test drops the provider
    Simulated,
}

/// What a test is asked or told.
pub type Call = Box<dyn Fn() + Send + Sync>;

/// Counts writes and breaks those that are planned to break; shared by all clusters of a fleet.
pub struct Breaker {
    breaks: Vec<Break>,
    death: Death,
    /// told when a breakage is reached, before it happens
    announce: Call,
    /// ends when a pause shall end
    resume: Arc<dyn Fn() + Send + Sync>,
    writes: AtomicUsize,
    reached: CancellationToken,
    released: CancellationToken,
    dead: CancellationToken,
}

impl Breaker {
    /// A breaker inside a test: a kill is simulated, and a pause ends with [`Self::release`].
    #[must_use]
    pub fn simulated(breaks: Vec<Break>) -> Arc<Self> {
        Self::build(breaks, Death::Simulated, Box::new(|| {}), Arc::new(|| {}))
    }

    /// A breaker of a whole process: a kill is SIGKILL. `announce` is called when a breakage is reached; a pause ends when
    /// `resume` does.
    #[must_use]
    pub fn real(breaks: Vec<Break>, announce: Call, resume: Arc<dyn Fn() + Send + Sync>) -> Arc<Self> {
        Self::build(breaks, Death::Real, announce, resume)
    }

    fn build(breaks: Vec<Break>, death: Death, announce: Call, resume: Arc<dyn Fn() + Send + Sync>) -> Arc<Self> {
        let [reached, released, dead] = [0; 3].map(|_| CancellationToken::new());
        Arc::new(Self { breaks, death, announce, resume, writes: AtomicUsize::new(0), reached, released, dead })
    }

    /// The cluster with its writes counted and broken.
    #[must_use]
    pub fn decorate(self: &Arc<Self>, inner: Arc<dyn Cluster>) -> Arc<dyn Cluster> {
        Arc::new(Breaking { inner, breaker: Arc::clone(self) })
    }

    /// How many writes have started.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// Ends when a breakage is reached.
    pub async fn reached(&self) {
        self.reached.cancelled().await;
    }

    /// Whether a breakage was reached.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.reached.is_cancelled()
    }

    /// Ends every pause.
    pub fn release(&self) {
        self.released.cancel();
    }

    /// Ends when the process would have ended.
    pub async fn died(&self) {
        self.dead.cancelled().await;
    }

    fn at(&self, write: usize, moment: Moment) -> Option<Act> {
        let planned = self.breaks.iter().find(|planned| planned.write == write && planned.moment == moment);
        planned.map(|planned| planned.act)
    }

    fn reach(&self) {
        (self.announce)();
        self.reached.cancel();
    }

    /// The end of the process, as far as this breaker can bring it about.
    fn die(&self) {
        match self.death {
            Death::Real => {
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                loop {
                    std::thread::park();
                }
            }
            Death::Simulated => self.dead.cancel(),
        }
    }

    /// The middle of the file work of a write.
    fn strike_files(&self, write: usize) -> std::io::Result<()> {
        match self.at(write, Moment::Between) {
            None => Ok(()),
            Some(Act::Kill) => {
                self.reach();
                self.die();
                // nothing of the file work that would follow may happen any more
                std::panic::resume_unwind(Box::new("the process was killed"))
            }
            Some(_) => {
                self.reach();
                Err(std::io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()))
            }
        }
    }
}

impl std::fmt::Debug for Breaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Breaker").field("breaks", &self.breaks).field("writes", &self.writes()).finish_non_exhaustive()
    }
}

/// Which write the current work belongs to.
#[derive(Clone)]
struct Strike {
    breaker: Arc<Breaker>,
    write: usize,
}

tokio::task_local! {
    static TASK: Strike;
}

thread_local! {
    static THREAD: RefCell<Option<Strike>> = const { RefCell::new(None) };
}

/// Takes the breakage of the current task along to the thread that does its file work.
pub(crate) fn carried<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let strike = TASK.try_with(Clone::clone).ok();
    move || {
        THREAD.with(|thread| thread.replace(strike));
        work()
    }
}

/// To be called in the middle of file work.
pub(crate) fn between_files() -> std::io::Result<()> {
    let strike = THREAD.with(|thread| thread.borrow().clone());
    strike.map_or(Ok(()), |strike| strike.breaker.strike_files(strike.write))
}

struct Breaking {
    inner: Arc<dyn Cluster>,
    breaker: Arc<Breaker>,
}

impl Breaking {
    async fn read<T>(&self, answer: Answer<'_, T>) -> Result<T, ClusterError> {
        let answer = if self.breaker.dead.is_cancelled() { pending().await } else { answer.await };
        if self.breaker.dead.is_cancelled() { pending().await } else { answer }
    }

    async fn write<T>(&self, key: &ObjectKey, cancel: &CancellationToken, effect: Answer<'_, T>) -> Result<T, ClusterError> {
        if self.breaker.dead.is_cancelled() {
            pending::<()>().await;
        }
        let write = self.breaker.writes.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(act) = self.breaker.at(write, Moment::Before) {
            self.strike(act, key, cancel).await?;
        }
        let strike = Strike { breaker: Arc::clone(&self.breaker), write };
        let result = TASK.scope(strike, effect).await;
        if self.breaker.dead.is_cancelled() {
            pending::<()>().await;
        }
        if let Some(act) = self.breaker.at(write, Moment::After) {
            self.strike(act, key, cancel).await?;
        }
        result
    }

    async fn strike(&self, act: Act, key: &ObjectKey, cancel: &CancellationToken) -> Result<(), ClusterError> {
        self.breaker.reach();
        let failed = |class, what: &str| {
            let what = format!("writing {key} failed: {what}");
            Err(ClusterError::new(class, self.inner.name(), what, "A test wants it.", "Apply again.").at(key))
        };
        match act {
            Act::Kill => {
                self.breaker.die();
                pending().await
            }
            Act::Full => failed(Class::Io, "no space left on device"),
            Act::Silence => failed(Class::Unreachable, "no answer"),
            Act::Refuse => failed(Class::Forbidden, "refused"),
            Act::Hang => {
                cancel.cancelled().await;
                Ok(())
            }
            Act::Pause => {
                match self.breaker.death {
                    Death::Simulated => self.breaker.released.cancelled().await,
                    Death::Real => {
                        let resume = Arc::clone(&self.breaker.resume);
                        // a crash of the test's own call ends the pause too
                        let _ = tokio::task::spawn_blocking(move || resume()).await;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Cluster for Breaking {
    fn name(&self) -> &ClusterName {
        self.inner.name()
    }

    fn get<'a>(&'a self, key: &'a ObjectKey) -> Answer<'a, Option<LiveObject>> {
        Box::pin(self.read(self.inner.get(key)))
    }

    fn list_owned<'a>(&'a self, owner: &'a OwnerId) -> Answer<'a, Vec<LiveObject>> {
        Box::pin(self.read(self.inner.list_owned(owner)))
    }

    fn unlisted(&self) -> std::collections::BTreeSet<String> {
        self.inner.unlisted()
    }

    fn inventory<'a>(&'a self, kinds: &'a Kinds) -> Answer<'a, Vec<Arc<Value>>> {
        Box::pin(self.read(self.inner.inventory(kinds)))
    }

    fn near<'a>(&'a self, keys: &'a BTreeSet<ObjectKey>, claim: &'a Claim) -> Answer<'a, Vec<Arc<Value>>> {
        Box::pin(self.read(self.inner.near(keys, claim)))
    }

    fn forget_inventory(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.inner.forget_inventory()
    }

    fn look<'a>(&'a self, change: &'a Change) -> Answer<'a, (Option<LiveObject>, Vec<Remark>)> {
        Box::pin(self.read(self.inner.look(change)))
    }

    fn dry_run<'a>(&'a self, change: &'a Change) -> Answer<'a, Vec<Remark>> {
        Box::pin(self.read(self.inner.dry_run(change)))
    }

    fn apply<'a>(&'a self, write: &'a Write, cancel: &'a CancellationToken) -> Answer<'a, LiveObject> {
        Box::pin(self.write(write.manifest.key(), cancel, self.inner.apply(write, cancel)))
    }

    fn delete<'a>(&'a self, key: &'a ObjectKey, seen: &'a Seen, cancel: &'a CancellationToken) -> Answer<'a, ()> {
        Box::pin(self.write(key, cancel, self.inner.delete(key, seen, cancel)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breakages_read_as_documented() {
        let read = |text: &str| text.parse::<Break>();
        assert_eq!(read("kill:before:3"), Ok(Break { act: Act::Kill, moment: Moment::Before, write: 3 }));
        assert_eq!(read("full:between:1"), Ok(Break { act: Act::Full, moment: Moment::Between, write: 1 }));
        for wrong in ["kill:before:0", "kill:before", "hang:between:1", "boom:after:1", "kill:later:1", "kill:after:x"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
