//! Objects that change hands between two calls of one run. A resource was renamed without a `moved` block, so that one run
//! destroys it under the old address and creates it under the new one; or another resource takes its objects over
//! (`takeover_from`) while the run destroys it or moves it to another host.
//!
//! Every call that may take objects of a claim is announced where that claim meets: the create with the same claim, and
//! every create and update that names it in `takeover_from`. Whichever call comes first, the objects stay: the call that
//! leaves waits for all that take, and then finds what is left of its own. When one of them fails, it keeps its state and
//! its objects. One that comes before anything is known of a taker goes ahead when the calls that core began with it had time to
//! come; a taker that comes now waits for its end.
//!
//! Contract: waits end by notification, by cancellation, or by a bound. A taker waits for calls that are under way, and
//! these wait for nobody; so nobody waits for a call that waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use istio_objects::Claim;
use kube_apply::progress::{Teller, Wait};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a create waits for the delete of the instance that has its objects.
pub(super) const CREATE_WAITS: Duration = Duration::from_secs(10);
/// How long a delete waits for a taker that was planned and has not come.
pub(super) const DELETE_WAITS: Duration = Duration::from_secs(30);

/// When those that take are known, after the first call of a run: core begins everything that waits for nothing at once, in any
/// order, so a delete may come before a create was planned.
const CALLS_COME: Duration = Duration::from_millis(500);

/// Where those who have objects of a claim meet those who take them.
#[derive(Debug, Default)]
pub(crate) struct HandOvers(Mutex<BTreeMap<Claim, watch::Sender<Meeting>>>);

#[derive(Debug, Default)]
struct Meeting {
    /// who takes objects of this claim, by the claim of the taker
    takers: BTreeMap<Claim, Progress>,
    /// nonces of the instances whose delete waits
    leaving: BTreeSet<String>,
    /// calls that met nobody, or are relieved, and delete by now
    going: usize,
}

/// How far a taker has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    /// planned, and not begun
    is_planned: bool,
    /// calls under way
    running: usize,
    /// whether the last call that ended has taken all
    ended: Option<bool>,
}

/// Who takes what: one create or update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taking {
    own: Claim,
    from: BTreeSet<Claim>,
}

/// A call that takes and is under way. Dropped before [`Creating::finish`], it has failed.
#[derive(Debug)]
pub(super) struct Creating {
    own: Claim,
    meetings: BTreeMap<Claim, watch::Sender<Meeting>>,
    is_done: bool,
}

/// A call that deletes objects of a claim, and that takers wait for.
#[derive(Debug)]
struct Going(watch::Sender<Meeting>);

/// A call that waits for takers.
#[derive(Debug)]
struct Leaving {
    meeting: watch::Sender<Meeting>,
    /// its instance, when that goes as a whole
    nonce: Option<String>,
    claim: Claim,
}

/// Leave to delete what is still one's own.
#[derive(Debug)]
pub(super) struct Parted {
    /// takers that have what they wanted, by their claims
    pub(super) takers: BTreeSet<Claim>,
    /// whether time has passed, so that what was seen before may be wrong
    pub(super) has_waited: bool,
    _going: Going,
}

impl Progress {
    fn is_coming(&self) -> bool {
        self.is_planned || self.running > 0
    }
}

impl Taking {
    /// A create takes what another instance with its claim has, and what it takes over.
    pub(super) fn create(own: &Claim, takeover: BTreeSet<Claim>) -> Self {
        Self { own: own.clone(), from: takeover.into_iter().chain([own.clone()]).collect() }
    }

    /// An update takes what it takes over.
    pub(super) fn update(own: &Claim, takeover: BTreeSet<Claim>) -> Self {
        Self { own: own.clone(), from: takeover }
    }

    /// Whether there is nobody to take from.
    pub(super) fn is_empty(&self) -> bool {
        self.from.is_empty()
    }
}

impl HandOvers {
    fn meeting(&self, claim: &Claim) -> watch::Sender<Meeting> {
        let mut meetings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        meetings.entry(claim.clone()).or_insert_with(|| watch::Sender::new(Meeting::default())).clone()
    }

    fn at_each(&self, taking: &Taking, change: impl Fn(&mut Progress)) {
        for claim in &taking.from {
            self.meeting(claim).send_modify(|meeting| change(meeting.takers.entry(taking.own.clone()).or_default()));
        }
    }

    /// It was planned.
    pub(super) fn plan(&self, taking: &Taking) {
        self.at_each(taking, |taker| taker.is_planned = true);
    }

    /// It was planned, and there is nothing to do.
    pub(super) fn forget(&self, taking: &Taking) {
        self.at_each(taking, |taker| taker.is_planned = false);
    }

    /// It was planned and refused: it does not come.
    pub(super) fn refuse(&self, taking: &Taking) {
        self.at_each(taking, |taker| {
            taker.is_planned = false;
            taker.ended = Some(false);
        });
    }

    /// It begins; `None`: another create of the same claim is under way.
    pub(super) fn begin(&self, taking: &Taking) -> Option<Creating> {
        let Taking { own, from } = taking;
        let mut creating = Creating { own: own.clone(), meetings: BTreeMap::new(), is_done: false };
        // its own claim first: there it may be turned away
        for claim in from.get(own).into_iter().chain(from.iter().filter(|claim| *claim != own)) {
            let meeting = self.meeting(claim);
            let mut is_first = false;
            meeting.send_modify(|meeting| {
                let taker = meeting.takers.entry(own.clone()).or_default();
                is_first = claim != own || taker.running == 0;
                if is_first {
                    taker.is_planned = false;
                    taker.running += 1;
                }
            });
            if !is_first {
                return None;
            }
            creating.meetings.insert(claim.clone(), meeting);
        }
        Some(creating)
    }

    /// Lets those that take objects of the claim become known, in a run that began to write then.
    pub(super) async fn expect(&self, claim: &Claim, began: Instant, cancel: &CancellationToken) {
        let mut meeting = self.meeting(claim).subscribe();
        tokio::select! {
            _ = meeting.wait_for(|meeting| !meeting.takers.is_empty()) => {}
            () = tokio::time::sleep_until(began + CALLS_COME) => {}
            () = cancel.cancelled() => {}
        }
    }

    /// A call is about to delete objects of the claim; `nonce` is that of an instance that goes as a whole. Waits for all
    /// that take them.
    ///
    /// # Errors
    /// The claim of a taker that failed, or that had not ended when the call was cancelled: the objects are to stay.
    pub(super) async fn part(&self, claim: &Claim, nonce: Option<&str>, cancel: &CancellationToken) -> Result<Parted, Claim> {
        let meeting = self.meeting(claim);
        let leaving = Leaving { meeting: meeting.clone(), nonce: nonce.map(str::to_owned), claim: claim.clone() };
        let mut has_waited = false;
        loop {
            let mut now = None;
            meeting.send_modify(|here| {
                let takers = || here.takers.iter().filter(|(taker, _)| leaving.minds(taker));
                if takers().any(|(_, taker)| taker.is_coming()) {
                    here.leaving.extend(leaving.nonce.clone());
                } else if let Some((failed, _)) = takers().find(|(_, taker)| taker.ended == Some(false)) {
                    now = Some(Err(failed.clone()));
                } else {
                    let done = takers().filter(|(_, taker)| taker.ended == Some(true));
                    now = Some(Ok(done.map(|(taker, _)| taker.clone()).collect::<BTreeSet<Claim>>()));
                    here.going += 1;
                }
            });
            if let Some(now) = now {
                let mut takers = now?;
                // an own create that ended before is this very instance
                takers.retain(|taker| has_waited || taker != claim);
                let has_waited = has_waited || !takers.is_empty();
                return Ok(Parted { takers, has_waited, _going: Going(meeting.clone()) });
            }
            has_waited = true;
            leaving.settled(cancel).await?;
        }
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        self.0.send_modify(|meeting| meeting.going -= 1);
    }
}

impl Creating {
    /// Waits until no call deletes objects of these claims: what it has left is to be seen whole. Such a call waits for nobody.
    pub(super) async fn alone(&self, cancel: &CancellationToken) {
        for meeting in self.meetings.values() {
            let mut meeting = meeting.subscribe();
            tokio::select! {
                _ = meeting.wait_for(|meeting| meeting.going == 0) => {}
                () = cancel.cancelled() => {}
            }
        }
    }

    /// The instances of its own claim that wait to be relieved of their objects.
    pub(super) fn leaving(&self) -> BTreeSet<String> {
        self.meetings.get(&self.own).map(|meeting| meeting.borrow().leaving.clone()).unwrap_or_default()
    }

    /// Waits until the deletes of all these instances are there; `false`: they did not come in time.
    pub(super) async fn wait(&self, nonces: &BTreeSet<String>, cancel: &CancellationToken) -> bool {
        let Some(meeting) = self.meetings.get(&self.own) else { return false };
        let mut meeting = meeting.subscribe();
        let wait = Wait::new(format!("the delete of {} that gives its objects away in this run", self.own), Some(CREATE_WAITS));
        let met = async {
            tokio::select! {
                met = meeting.wait_for(|meeting| nonces.is_subset(&meeting.leaving)) => met.is_ok(),
                () = cancel.cancelled() => false,
                () = tokio::time::sleep(CREATE_WAITS) => false,
            }
        };
        Teller::default().over(wait, met).await
    }

    /// The objects are there, and its own.
    pub(super) fn finish(mut self) {
        self.is_done = true;
    }
}

impl Drop for Creating {
    fn drop(&mut self) {
        for meeting in self.meetings.values() {
            meeting.send_modify(|meeting| {
                let taker = meeting.takers.entry(self.own.clone()).or_default();
                taker.running -= 1;
                taker.ended = Some(self.is_done);
            });
        }
    }
}

impl Leaving {
    /// Whether this call waits for the taker: a create with the same claim takes from an instance that goes, and is refused by
    /// one that stays.
    fn minds(&self, taker: &Claim) -> bool {
        self.nonce.is_some() || *taker != self.claim
    }

    fn coming<'a>(&self, here: &'a Meeting) -> Option<&'a Claim> {
        here.takers.iter().find(|(claim, taker)| self.minds(claim) && taker.is_coming()).map(|(claim, _)| claim)
    }

    /// Waits until no taker is coming any more: those that are under way have all the time that the call has, those that
    /// were planned a bounded one.
    async fn settled(&self, cancel: &CancellationToken) -> Result<(), Claim> {
        let mut here = self.meeting.subscribe();
        let mut planned = self.meeting.subscribe();
        let absent = async {
            let begun = planned.wait_for(|meeting| !meeting.takers.values().any(|taker| taker.is_planned));
            if tokio::time::timeout(DELETE_WAITS, begun).await.is_err() {
                self.meeting.send_modify(|meeting| meeting.takers.values_mut().for_each(|taker| taker.is_planned = false));
            }
            std::future::pending::<()>().await;
        };
        let settled = async {
            tokio::select! {
                _ = here.wait_for(|meeting| self.coming(meeting).is_none()) => Ok(()),
                () = absent => Ok(()),
                () = cancel.cancelled() => match self.coming(&self.meeting.borrow()) {
                    Some(taker) => Err(taker.clone()),
                    None => Ok(()),
                },
            }
        };
        // one that is under way has the time that its own call has
        let wait = Wait::new(format!("those that take objects of {} over in this run", self.claim), None);
        Teller::default().over(wait, settled).await
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(nonce) = &self.nonce {
            self.meeting.send_modify(|meeting| {
                meeting.leaving.remove(nonce);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        "me/prod//gloo_virtual_destination/shop/cart".parse().expect("a claim")
    }

    fn other() -> Claim {
        "me/prod//gloo_virtual_destination/shop/basket".parse().expect("a claim")
    }

    fn create() -> Taking {
        Taking::create(&claim(), BTreeSet::new())
    }

    /// The other one takes over from the claim.
    fn takeover() -> Taking {
        Taking::create(&other(), BTreeSet::from([claim()]))
    }

    fn nonces(nonces: &[&str]) -> BTreeSet<String> {
        nonces.iter().map(|nonce| (*nonce).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_create_waits_for_the_delete() {
        let (meetings, cancel, own) = (HandOvers::default(), CancellationToken::new(), claim());
        let creating = meetings.begin(&create()).expect("nobody else creates");
        assert!(meetings.begin(&create()).is_none(), "a second create of one claim");
        let wanted = nonces(&["a"]);
        let (parted, ()) = tokio::join!(meetings.part(&own, Some("a"), &cancel), async {
            assert!(creating.wait(&wanted, &cancel).await);
            assert_eq!(creating.leaving(), wanted);
            creating.finish();
        });
        let parted = parted.expect("the create was done");
        assert_eq!((parted.takers, parted.has_waited), (BTreeSet::from([claim()]), true));
        let alone = meetings.part(&own, Some("b"), &cancel).await.expect("the hand-over is over");
        assert_eq!((alone.takers, alone.has_waited), (BTreeSet::new(), false));
    }

    #[tokio::test]
    async fn a_delete_waits_for_a_planned_taker_and_keeps_all_when_that_fails() {
        for taking in [create(), takeover(), Taking::update(&other(), BTreeSet::from([claim()]))] {
            let (meetings, cancel, own) = (HandOvers::default(), CancellationToken::new(), claim());
            meetings.plan(&taking);
            let (parted, ()) = tokio::join!(biased; meetings.part(&own, Some("a"), &cancel), async {
                let creating = meetings.begin(&taking).expect("nobody else creates");
                assert_eq!(creating.leaving(), nonces(if taking == create() { &["a"] } else { &[] }));
            });
            assert_eq!(parted.map(|_| ()), Err(taking.own.clone()));
            assert_eq!(meetings.part(&own, Some("a"), &cancel).await.map(|_| ()), Err(taking.own));
        }
    }

    #[tokio::test]
    async fn a_delete_waits_for_all_that_take_over() {
        let (meetings, cancel, own) = (HandOvers::default(), CancellationToken::new(), claim());
        let third: Claim = "me/prod//gloo_virtual_destination/shop/third".parse().expect("a claim");
        let first = meetings.begin(&takeover()).expect("nobody else creates");
        let second = Taking::update(&third, BTreeSet::from([claim()]));
        meetings.plan(&second);
        let (parted, ()) = tokio::join!(biased; meetings.part(&own, Some("a"), &cancel), async {
            first.finish();
            tokio::task::yield_now().await;
            meetings.begin(&second).expect("an update").finish();
        });
        assert_eq!(parted.expect("both took what they wanted").takers, BTreeSet::from([other(), third]));
        let late = meetings.part(&own, Some("a"), &cancel).await.expect("both are done");
        assert!(late.has_waited, "what was seen before they were done is not to be trusted");
    }

    #[tokio::test]
    async fn what_has_nothing_to_do_is_not_waited_for() {
        let (meetings, cancel, own) = (HandOvers::default(), CancellationToken::new(), claim());
        meetings.plan(&takeover());
        meetings.forget(&takeover());
        assert!(!meetings.part(&own, Some("a"), &cancel).await.expect("nobody comes").has_waited);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let (meetings, cancel, own) = (HandOvers::default(), CancellationToken::new(), claim());
        let creating = meetings.begin(&create()).expect("nobody else creates");
        let log = kube_apply::testing::Log::new();
        assert!(!creating.wait(&nonces(&["a"]), &cancel).await);
        let told = format!("waiting for the delete of {own} that gives its objects away in this run: 2 s by now, 10 s at most");
        assert_eq!(log.lines(), [told]);
        creating.finish();
        for taking in [create(), takeover()] {
            meetings.plan(&taking);
            let parted = meetings.part(&own, Some("a"), &cancel).await.expect("it never came");
            assert!(parted.has_waited && !parted.takers.contains(&other()));
        }
        meetings.plan(&takeover());
        cancel.cancel();
        assert_eq!(meetings.part(&own, Some("a"), &cancel).await.map(|_| ()), Err(other()));
        meetings.forget(&takeover());
        let creating = meetings.begin(&create()).expect("nobody else creates");
        assert!(!creating.wait(&nonces(&["b"]), &cancel).await, "cancelled");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_planned_a_moment_after_the_delete_came_is_waited_for() {
        let (meetings, cancel, own) = (HandOvers::default(), CancellationToken::new(), claim());
        let began = tokio::time::Instant::now();
        meetings.expect(&own, began, &cancel).await;
        assert_eq!(began.elapsed(), CALLS_COME, "nobody came");
        let again = tokio::time::Instant::now();
        meetings.expect(&own, began, &cancel).await;
        assert_eq!(again.elapsed(), Duration::ZERO, "later calls of the run wait no more");
        let planned = async {
            tokio::time::sleep(CALLS_COME / 2).await;
            meetings.plan(&takeover());
        };
        tokio::join!(meetings.expect(&own, again, &cancel), planned);
        assert_eq!(again.elapsed(), CALLS_COME / 2);
        cancel.cancel();
        assert_eq!(meetings.part(&own, Some("a"), &cancel).await.map(|_| ()), Err(other()));
    }

    #[tokio::test]
    async fn a_taker_waits_for_the_end_of_a_delete_that_met_nobody() {
        for taking in [create(), takeover()] {
            let (meetings, cancel, own) = (HandOvers::default(), CancellationToken::new(), claim());
            let going = meetings.part(&own, Some("a"), &cancel).await.expect("nothing is known of a taker");
            let creating = meetings.begin(&taking).expect("nobody else creates");
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
}
