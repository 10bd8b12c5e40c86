//! What is waited for, said in the log.
//!
//! Contract: a wait that lasts is told at `info`, and again every [`EVERY`]: what is waited for, for how long by now, and for
//! how long at most. Many that wait for one thing tell it once. Nothing here changes what is done; no line holds a credential
//! or a value of an object.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Time between two lines about one wait.
pub const EVERY: Duration = Duration::from_secs(10);

/// How long a wait lasts before it is told.
pub const GRACE: Duration = Duration::from_secs(2);

/// Something that is waited for.
#[derive(Clone, Debug)]
pub struct Wait {
    /// as it reads after "waiting for"
    what: String,
    since: Instant,
    end: Option<Instant>,
}

impl Wait {
    /// A wait that begins now and takes so long at most; `None`: what is waited for has a bound of its own.
    #[must_use]
    pub fn new(what: impl Into<String>, at_most: Option<Duration>) -> Self {
        let since = Instant::now();
        Self { what: what.into(), since, end: at_most.map(|at_most| since + at_most) }
    }

    /// The same, begun at an earlier time.
    #[must_use]
    pub fn since(self, since: Instant) -> Self {
        Self { since, end: self.end.map(|end| end - (self.since - since)), ..self }
    }
}

/// Tells waits; those who share one do not repeat each other.
#[derive(Debug, Default)]
pub struct Teller(Mutex<BTreeMap<String, Instant>>);

impl Teller {
    /// Awaits the work. While it lasts, tells what is waited for.
    pub async fn over<T>(&self, wait: Wait, work: impl Future<Output = T>) -> T {
        self.over_changing(&wait, || wait.what.clone(), work).await
    }

    /// The same, of something that changes while it is waited for.
    pub async fn over_changing<T>(&self, wait: &Wait, what: impl Fn() -> String, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let mut next = wait.since + GRACE;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep_until(next) => {
                    self.look(&Wait { what: what(), ..wait.clone() });
                    next = Instant::now() + EVERY;
                }
            }
        }
    }

    /// Tells of a wait that looks by itself from time to time, when it is due.
    pub fn look(&self, wait: &Wait) {
        let now = Instant::now();
        if now < wait.since + GRACE {
            return;
        }
        {
            let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // those that ended are not told again
            told.retain(|_, last| now < *last + EVERY);
            if told.contains_key(&wait.what) {
                return;
            }
            told.insert(wait.what.clone(), now);
        }
        let waited = (now - wait.since).as_secs();
        match wait.end {
            Some(end) => {
                tracing::info!("waiting for {}: {waited} s by now, {} s at most", wait.what, (end - wait.since).as_secs())
            }
            None => tracing::info!("waiting for {}: {waited} s by now", wait.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Log;

    #[tokio::test(start_paused = true)]
    async fn a_wait_is_told_when_it_lasts_and_then_every_ten_seconds() {
        let (log, teller) = (Log::new(), Teller::default());
        let wait = |what: &str| Wait::new(what, Some(Duration::from_secs(30)));
        teller.over(wait("a moment"), tokio::time::sleep(Duration::from_secs(1))).await;
        assert_eq!(log.lines(), [""; 0], "what is over at once is not told");
        let work = || tokio::time::sleep(Duration::from_secs(23));
        // two that wait for one thing, and one for another
        tokio::join!(teller.over(wait("x"), work()), teller.over(wait("x"), work()), teller.over(wait("y"), work()));
        let of = |what: &str| {
            let seconds = [2, 12, 22];
            seconds.map(|waited| format!("waiting for {what}: {waited} s by now, 30 s at most"))
        };
        let lines = log.lines();
        for what in ["x", "y"] {
            let told: Vec<&String> = lines.iter().filter(|line| line.contains(&format!("for {what}:"))).collect();
            assert_eq!(told, of(what).iter().collect::<Vec<_>>());
        }
        assert_eq!(lines.len(), 6, "{lines:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_waited_for_may_change_and_has_a_bound_of_its_own() {
        let (log, teller) = (Log::new(), Teller::default());
        let count = Mutex::new(0);
        let what = || {
            let mut count = count.lock().expect("no panic");
            *count += 1;
            format!("{count} of 3")
        };
        teller.over_changing(&Wait::new("", None), what, tokio::time::sleep(Duration::from_secs(13))).await;
        assert_eq!(log.lines(), ["waiting for 1 of 3: 2 s by now", "waiting for 2 of 3: 12 s by now"]);
    }
}
