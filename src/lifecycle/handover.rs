//! Objects that change hands between two instances of one claim inside one process: a resource was renamed without a
//! `moved` block, so that one run destroys it under the old address and creates it under the new one.
//!
//! Whichever call comes first, the objects stay: the create waits for the delete, briefly; the delete waits for a create
//! that is under way or was planned in this process, and then finds nothing of its own left. When the create fails, the
//! delete keeps its state and its objects. A delete that comes before anything is known of the create deletes.
//!
//! Contract: waits end by notification, by cancellation, or by a bound; nobody waits for an instance that waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use istio_objects::Claim;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long a create waits for the delete of the instance that has its objects.
pub(super) const CREATE_WAITS: Duration = Duration::from_secs(10);
/// How long a delete waits for a create that was planned and has not come.
pub(super) const DELETE_WAITS: Duration = Duration::from_secs(30);

/// Where the instances of one claim meet.
#[derive(Debug, Default)]
pub(crate) struct HandOvers(Mutex<BTreeMap<Claim, watch::Sender<Meeting>>>);

#[derive(Debug, Default)]
struct Meeting {
    /// a create was planned and has not come
    is_planned: bool,
    create: Progress,
    /// nonces of the instances whose delete waits
    leaving: BTreeSet<String>,
    /// deletes that met nobody and are under way
    going: usize,
}

/// How far a create has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Progress {
    #[default]
    None,
    Running,
    Done,
    Failed,
}

/// A create that is under way. Dropped before [`Creating::finish`], it has failed.
#[derive(Debug)]
pub(super) struct Creating {
    meeting: watch::Sender<Meeting>,
    is_done: bool,
}

/// What a delete meets.
#[derive(Debug)]
pub(super) enum Met {
    /// no create of the claim; one that comes now waits for the end of this delete
    Nobody(Going),
    /// a create that has failed: the objects are to stay
    Failed,
    /// one that is coming
    Create(Leaving),
}

/// A delete that met nobody and is under way.
#[derive(Debug)]
pub(super) struct Going(watch::Sender<Meeting>);

/// A delete that waits for a create.
#[derive(Debug)]
pub(super) struct Leaving {
    meeting: watch::Sender<Meeting>,
    nonce: String,
}

/// How a wait for a create ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// it has the objects
    Done,
    /// it failed, or did not end before the delete was cancelled
    Failed,
    /// it was planned and never came
    Absent,
}

impl HandOvers {
    fn meeting(&self, claim: &Claim) -> watch::Sender<Meeting> {
        let mut meetings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meetings.entry(claim.clone()).or_insert_with(|| watch::Sender::new(Meeting::default())).clone()
    }

    /// A create of the claim was planned.
    pub(super) fn plan(&self, claim: &Claim) {
        self.meeting(claim).send_modify(|meeting| meeting.is_planned = true);
    }

    /// A planned create was refused: it does not come.
    pub(super) fn refuse(&self, claim: &Claim) {
        self.meeting(claim).send_modify(|meeting| {
            meeting.is_planned = false;
            if meeting.create != Progress::Running {
                meeting.create = Progress::Failed;
            }
        });
    }

    /// A create begins; `None`: another one of the same claim is under way.
    pub(super) fn begin(&self, claim: &Claim) -> Option<Creating> {
        let meeting = self.meeting(claim);
        let mut is_first = false;
        meeting.send_modify(|meeting| {
            is_first = meeting.create != Progress::Running;
            if is_first {
                meeting.create = Progress::Running;
                meeting.is_planned = false;
            }
        });
        is_first.then(|| Creating { meeting, is_done: false })
    }

    /// A delete is about to delete the objects of the instance with this nonce.
    pub(super) fn leave(&self, claim: &Claim, nonce: &str) -> Met {
        let meeting = self.meeting(claim);
        let mut met = None;
        meeting.send_modify(|now| {
            met = Some(if now.create == Progress::Running || now.is_planned {
                now.leaving.insert(nonce.to_owned());
                Met::Create(Leaving { meeting: meeting.clone(), nonce: nonce.to_owned() })
            } else if now.create == Progress::Failed {
                Met::Failed
            } else {
                now.going += 1;
                Met::Nobody(Going(meeting.clone()))
            });
        });
        met.expect("the closure runs once")
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.0.send_modify(|meeting| meeting.going -= 1);
    }
}

impl Creating {
    /// Waits until no delete of the claim is under way: what it has left is to be seen whole. Such a delete waits for nobody.
    pub(super) async fn alone(&self, cancel: &CancellationToken) {
        let mut meeting = self.meeting.subscribe();
        tokio::select! {
            _ = meeting.wait_for(|meeting| meeting.going == 0) => {}
            () = cancel.cancelled() => {}
        }
    }

    /// The instances that wait to be relieved of their objects.
    pub(super) fn leaving(&self) -> BTreeSet<String> {
        self.meeting.borrow().leaving.clone()
    }

    /// Waits until the deletes of all these instances are there; `false`: they did not come in time.
    pub(super) async fn wait(&self, nonces: &BTreeSet<String>, cancel: &CancellationToken) -> bool {
        let mut meeting = self.meeting.subscribe();
        tokio::select! {
            met = meeting.wait_for(|meeting| nonces.is_subset(&meeting.leaving)) => met.is_ok(),
            () = cancel.cancelled() => false,
            () = tokio::time::sleep(CREATE_WAITS) => false,
        }
    }

    /// The objects are there, and this instance's.
    pub(super) fn finish(mut self) {
        self.is_done = true;
    }
}

impl Drop for Creating {
    fn drop(&mut self) {
        let progress = if self.is_done { Progress::Done } else { Progress::Failed };
        self.meeting.send_modify(|meeting| meeting.create = progress);
    }
}

impl Leaving {
    /// Waits for the create. One that is under way has all the time that the delete has.
    pub(super) async fn settled(&self, cancel: &CancellationToken) -> Settled {
        let mut meeting = self.meeting.subscribe();
        let coming = async {
            let mut watched = self.meeting.subscribe();
            let began = watched.wait_for(|meeting| !meeting.is_planned);
            if tokio::time::timeout(DELETE_WAITS, began).await.is_err() {
                return;
            }
            std::future::pending().await
        };
        tokio::select! {
            settled = meeting.wait_for(|meeting| !meeting.is_planned && meeting.create != Progress::Running) => match settled {
                Ok(meeting) if meeting.create == Progress::Done => Settled::Done,
                _ => Settled::Failed,
            },
            () = coming => Settled::Absent,
            () = cancel.cancelled() => Settled::Failed,
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.meeting.send_modify(|meeting| {
            meeting.leaving.remove(&self.nonce);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        "me/prod//gloo_virtual_destination/shop/cart".parse().expect("a claim")
    }

    fn nonces(nonces: &[&str]) -> BTreeSet<String> {
        nonces.iter().map(|nonce| (*nonce).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_create_waits_for_the_delete() {
        let (meetings, cancel) = (HandOvers::default(), CancellationToken::new());
        let creating = meetings.begin(&claim()).expect("nobody else creates");
        assert!(meetings.begin(&claim()).is_none(), "a second create of one claim");
        let wanted = nonces(&["a"]);
        let waiting = creating.wait(&wanted, &cancel);
        let leaving = async {
            let Met::Create(leaving) = meetings.leave(&claim(), "a") else { panic!("a create is under way") };
            leaving
        };
        let (met, leaving) = tokio::join!(waiting, leaving);
        assert!(met);
        assert_eq!(creating.leaving(), wanted);
        let (settled, ()) = tokio::join!(leaving.settled(&cancel), async { creating.finish() });
        assert_eq!(settled, Settled::Done);
        drop(leaving);
        assert!(matches!(meetings.leave(&claim(), "b"), Met::Nobody(_)), "the hand-over is over");
    }

    #[tokio::test]
    async fn a_delete_waits_for_a_planned_create_and_keeps_all_when_that_fails() {
        let (meetings, cancel) = (HandOvers::default(), CancellationToken::new());
        meetings.plan(&claim());
        let Met::Create(leaving) = meetings.leave(&claim(), "a") else { panic!("a create was planned") };
        let create = async {
            let creating = meetings.begin(&claim()).expect("nobody else creates");
            assert_eq!(creating.leaving(), nonces(&["a"]));
        };
        let (settled, ()) = tokio::join!(leaving.settled(&cancel), create);
        assert_eq!(settled, Settled::Failed);
        drop(leaving);
        assert!(matches!(meetings.leave(&claim(), "a"), Met::Failed));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let (meetings, cancel) = (HandOvers::default(), CancellationToken::new());
        let creating = meetings.begin(&claim()).expect("nobody else creates");
        assert!(!creating.wait(&nonces(&["a"]), &cancel).await);
        creating.finish();
        meetings.plan(&claim());
        let Met::Create(leaving) = meetings.leave(&claim(), "a") else { panic!("a create was planned") };
        assert_eq!(leaving.settled(&cancel).await, Settled::Absent);
        cancel.cancel();
        assert_eq!(leaving.settled(&cancel).await, Settled::Failed);
        let creating = meetings.begin(&claim()).expect("nobody else creates");
        assert!(!creating.wait(&nonces(&["b"]), &cancel).await, "cancelled");
    }

    #[tokio::test]
    async fn a_create_waits_for_the_end_of_a_delete_that_met_nobody() {
        let (meetings, cancel) = (HandOvers::default(), CancellationToken::new());
        let Met::Nobody(going) = meetings.leave(&claim(), "a") else { panic!("nothing is known of a create") };
        let creating = meetings.begin(&claim()).expect("nobody else creates");
        let order = Mutex::new(Vec::new());
        let create = async {
            creating.alone(&cancel).await;
            order.lock().expect("no panic").push("create");
        };
        let delete = async {
            order.lock().expect("no panic").push("delete");
            drop(going);
        };
        tokio::join!(biased; create, delete);
        assert_eq!(*order.lock().expect("no panic"), ["delete", "create"]);
        cancel.cancel();
        creating.alone(&cancel).await;
    }
}
