//! Carries out the effects of one job, one after the other, and feeds the answers back to `job::step`.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::catalog::DedupPolicy;
use crate::error::Hinted;
use crate::event::{Changing, Event, JobEvent};
use crate::ledger::{
    Committed, DurableIntent, Ledger, LedgerError, PaidPurchase, PaymentKey, PendingJob, Record, Recorded,
    RefundRecord, Transition,
};
use crate::money::Msat;
use crate::origin::{self, HttpFailure, Origin, POLL_RETRY_AFTER_MS_MAX};
use crate::payer::{NodeProblem, PayRefusal, Payer, ProblemKind, Promises, SendOutcome, SendReport};
use crate::plan::ContentHash;
use crate::purchase::{HttpAnswer, JobState, Reason, Request};
use crate::time::UnixMs;

use super::admission::{Aside, IdenticalRequests};
use super::balance::Balance;
use super::bounds::{Bounds, Buying};
use super::node_health::NodeHealth;
use super::pace::{Class, Pace};
use super::payment_lookup::look_up;
use super::refund::Claims;
use super::{Clock, Run, RunError};
use crate::life::{
    Effect, Facts, Input, Moment, PaymentFate, PaymentLookup, Sending, State, Tries, Waiting, outlives_a_payment, step,
};

/// A look-up that nothing else bounds is followed this long before it is asked anew.
const TRACK_MS: u64 = 60_000;
/// While a run drains, a job that waits for its host looks this often whether that makes sense.
const DRAIN_LOOK_MS: u64 = 1_000;
/// A repeated redeem looks this often whether its identical request is made.
const IDENTICAL_LOOK_MS: i64 = 2_000;
/// Bodies up to this size are kept in memory between ask and redeem; larger ones are read back from the ledger.
const BODY_KEPT_MAX: usize = 64 * 1024;

type HttpResult = Result<HttpAnswer, HttpFailure>;

/// What all jobs of a run share.
pub(super) struct Shared {
    pub(super) pace: Pace,
    pub(super) slots: Semaphore,
    pub(super) node_health: NodeHealth,
    pub(super) bounds: Bounds,
    /// Hosts whose poll addresses do not answer: each is told of once, until it answers again.
    pub(super) silent: RefCell<HashSet<String>>,
    pub(super) identical: IdenticalRequests,
    /// Refunds to claim.
    pub(super) claims: Claims,
    /// Jobs that hold a place among the jobs in flight.
    pub(super) in_flight: Cell<usize>,
    /// What is left to buy, and who waits for the node.
    pub(super) balance: Balance,
    /// What it buys, and through which node; none in a run that buys nothing.
    pub(super) buying: Option<Buying>,
    /// How far the node's clock is ahead of ours.
    pub(super) node_ahead_ms: Cell<i64>,
    /// The first limit that was reached.
    pub(super) limit_hit: RefCell<Option<(Reason, String)>>,
    /// Jobs that a person gave up and whose node has still to be asked whether they settled after all: nothing is bought in their
    /// place before that.
    pub(super) abandoned_lookups: Cell<usize>,
    /// The node was asked which payment it has settled last, if that was needed.
    pub(super) has_asked_for_witness: Cell<bool>,
    /// Nothing but doubt is left, and the run has waited long enough.
    pub(super) doubt_timed_out: Cell<bool>,
    pub(super) doubt_timeout: Notify,
    /// Something changed that the run's loop cannot see by itself: a place is free, or the node is in trouble.
    pub(super) wake: Notify,
}

impl Shared {
    /// A payment slot of a node that is ready to pay; none once the gate is closed.
    pub(super) async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        loop {
            let waits = self.balance.wait();
            self.wake.notify_one();
            if !self.node_health.opened().await {
                return None;
            }
            drop(waits);
            let slot = self.slots.acquire().await.ok()?;
            // It may have fallen into trouble while this one stood in line.
            if self.node_health.is_open() {
                return Some(slot);
            }
        }
    }
}

/// One job under way.
pub(super) struct Job {
    pub(super) facts: Facts,
    pub(super) content: ContentHash,
    pub(super) price: Msat,
    pub(super) state: JobState,
    /// The actual routing fee, once this run knows it.
    pub(super) fee: Option<Msat>,
    /// What asking needs; an open job of an earlier run never asks.
    pub(super) pending: Option<Box<PendingJob>>,
}

/// Whether a job in that state may still be bought: its payment is not made.
const fn is_left(state: JobState) -> bool {
    match state {
        JobState::Pending | JobState::Running => true,
        JobState::InDoubt
        | JobState::Paid
        | JobState::Delivered
        | JobState::Downloaded
        | JobState::Refused
        | JobState::Failed
        | JobState::RefundOffered
        | JobState::Refunded
        | JobState::Lost => false,
    }
}

/// A place among the jobs in flight, given back when dropped.
struct InFlight<'a>(&'a Shared);

impl<'a> InFlight<'a> {
    fn take(shared: &'a Shared) -> Self {
        shared.in_flight.set(shared.in_flight.get().saturating_add(1));
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
        self.0.wake.notify_one();
    }
}

/// That a job is still to be looked back at, until it is dropped.
struct LooksBack<'a>(&'a Shared);

impl<'a> LooksBack<'a> {
    fn begin(shared: &'a Shared) -> Self {
        shared.abandoned_lookups.set(shared.abandoned_lookups.get().saturating_add(1));
        Self(shared)
    }
}

impl Drop for LooksBack<'_> {
    fn drop(&mut self) {
        self.0.abandoned_lookups.set(self.0.abandoned_lookups.get().saturating_sub(1));
        self.0.wake.notify_one();
    }
}

/// The hands of one job: what it holds while it is under way.
pub(super) struct Driver<'r, L, P, O, C> {
    pub(super) run: &'r Run<'r, L, P, O, C>,
    pub(super) shared: &'r Shared,
    pub(super) job: Job,
    place: Option<InFlight<'r>>,
    looks_back: Option<LooksBack<'r>>,
    pub(super) slot: Option<SemaphorePermit<'r>>,
    pub(super) request: Option<Rc<Request>>,
    /// It was asked for in this run.
    pub(super) asked: bool,
    /// It cannot be asked for now, and goes back to the queue, with what was tried of it.
    put_back: Option<Tries>,
    /// It may not begin now, and maybe later in this run.
    pub(super) later: bool,
    /// Its poll address answers whoever shows the credential.
    gated: bool,
}

impl<'r, L: Ledger, P: Payer, O: Origin, C: Clock> Driver<'r, L, P, O, C> {
    pub(super) fn new(run: &'r Run<'r, L, P, O, C>, shared: &'r Shared, job: Job) -> Self {
        let place = Some(InFlight::take(shared));
        Self {
            run,
            shared,
            job,
            place,
            looks_back: None,
            slot: None,
            request: None,
            asked: false,
            put_back: None,
            later: false,
            gated: false,
        }
    }

    /// As one whose purchase a person gave up, until its first record or its end.
    pub(super) fn looking_back(mut self) -> Self {
        self.looks_back = Some(LooksBack::begin(self.shared));
        self
    }

    /// Drives the job until it is at its end, or this run does nothing more with it. Gives a job back that could not be
    /// asked for so far and may be later.
    pub(super) async fn drive(mut self, mut state: State, mut input: Input) -> Result<Option<Aside>, RunError> {
        let promises = self.run.payer.map_or(Promises::NONE, Payer::promises);
        loop {
            let moment = Moment {
                now: self.run.clock.now(),
                promises: &promises,
                draining: self.run.control.draining(),
                facts: &self.job.facts,
                bounds: &self.run.settings.bounds,
            };
            let effect;
            (state, effect) = step(state, input, &moment);
            if self.place.is_none() && !is_of_doubt(&effect) {
                self.place = Some(InFlight::take(self.shared));
            }
            input = match effect {
                Effect::Ask => Input::Asked(self.ask().await?),
                Effect::Commit(record) => Input::Committed(self.commit(*record).await?),
                Effect::Send(intent) => match self.send(&intent).await? {
                    Some(report) => Input::Sent(report),
                    None => break,
                },
                Effect::LookUp(intent) => Input::LookedUp(self.look(&intent, None).await?),
                Effect::Track(intent) => match self.track(&intent).await? {
                    Some(lookup) => Input::LookedUp(lookup),
                    None => break,
                },
                Effect::Redeem(purchase, sending) => match self.redeem(&purchase, sending).await? {
                    Some(answer) => Input::Answer(answer),
                    None => break,
                },
                Effect::Poll(purchase, poll) => match self.poll(&purchase, &poll.url).await {
                    Some(answer) => Input::Answer(answer),
                    None => break,
                },
                Effect::Wait(until, waiting) => match self.wait(until, waiting).await {
                    true => Input::Waited,
                    false => break,
                },
                Effect::SetAside(tries) => {
                    self.put_back = Some(tries);
                    break;
                }
                Effect::Stop => break,
                Effect::Defect(state) => return Err(RunError::Defect(format!("unexpected input when {state}"))),
            };
        }
        self.leave().await?;
        Ok(self.job.pending.zip(self.put_back).map(|(job, tries)| Aside { job, tries }))
    }

    /// Frees the job's identical requests, unless its purchase is still open, and counts what was waited for in vain.
    async fn leave(&self) -> Result<(), LedgerError> {
        let key = self.job.facts.key;
        self.shared.bounds.end(key);
        if !self.asked && self.job.state == JobState::Pending {
            self.shared.identical.withdraw(self.job.content, key);
            return Ok(());
        }
        let now = self.run.clock.now();
        let open = matches!(self.job.state, JobState::Running | JobState::InDoubt | JobState::Paid);
        if !open {
            self.end_identicals_wait(now);
        }
        if self.job.state == JobState::Paid && !self.run.control.draining() {
            self.run.ledger.commit(now, Record::LeftUndelivered(key)).await?;
        }
        Ok(())
    }

    /// Its identical requests need wait no longer than the cache.
    fn end_identicals_wait(&self, now: UnixMs) {
        let window_ms = match self.job.facts.endpoint.dedup_policy() {
            DedupPolicy::Window(_) => self.job.facts.endpoint.window_ms(),
            DedupPolicy::Never | DedupPolicy::Answer => 0,
        };
        self.shared.identical.end(self.job.content, self.job.facts.key, now.plus_ms(window_ms), now);
    }

    async fn commit(&mut self, record: Record) -> Result<Committed, LedgerError> {
        let now = self.run.clock.now();
        let offered = offered(&record);
        let begins = matches!(record, Record::Intend(_));
        let Recorded { committed, transition } = self.run.ledger.commit(now, record).await?;
        self.looks_back = None;
        if begins {
            self.shared.bounds.end(self.job.facts.key);
        } else {
            // The ledger counts a payment as held until its answer is durable: only then may another begin.
            self.slot = None;
        }
        if let Committed::IntentRefused(_) = committed {
            // The slot goes to a job that can use it.
            self.slot = None;
            return Ok(committed);
        }
        if let Committed::NotItsOwn = committed {
            return Ok(committed);
        }
        if let Some(payment) = offered {
            self.shared.claims.offered(payment);
        }
        // What changes of a purchase may make room for another.
        self.shared.wake.notify_one();
        if let Some(transition) = transition {
            self.announce(transition, now);
        }
        Ok(committed)
    }

    fn announce(&mut self, to: Transition, now: UnixMs) {
        self.note(&to, now);
        let from = std::mem::replace(&mut self.job.state, to.state);
        match (self.job.pending.is_some(), is_left(from), is_left(to.state)) {
            (true, true, false) => self.shared.balance.bought(self.job.price),
            (true, false, true) => self.shared.balance.left_again(self.job.price),
            (true, true, true) | (true, false, false) | (false, ..) => {}
        }
        self.job.fee = to.fee.or(self.job.fee);
        let Facts { id, take, endpoint, .. } = &self.job.facts;
        let (endpoint, price, fee) = (&*endpoint.name, self.job.price, self.job.fee);
        let event = JobEvent::of(&Changing { id, take: *take, endpoint, from, price, fee }, to, now);
        self.run.listener.hear(&Event::Job(event));
    }

    /// What a change of this job means for the others.
    fn note(&self, change: &Transition, now: UnixMs) {
        match (change.state, change.reason) {
            (JobState::Paid, Reason::None) => self.shared.node_health.settled(),
            (JobState::Paid, Reason::Processing) => {
                if self.job.facts.endpoint.dedup_policy() == DedupPolicy::Answer {
                    self.end_identicals_wait(now);
                }
            }
            // Nothing is sent for it any more.
            (JobState::Paid, Reason::UnknownAnswer) => self.end_identicals_wait(now),
            (JobState::Pending, Reason::BatchLimit | Reason::DayLimit | Reason::MonthLimit) => {
                let message = change.error.clone().unwrap_or_default();
                self.shared.limit_hit.borrow_mut().get_or_insert((change.reason, message));
            }
            (JobState::Pending, reason @ (Reason::InsufficientBalance | Reason::NodeUnusable)) => {
                if reason == Reason::InsufficientBalance {
                    self.shared.balance.fell_short();
                }
                self.trouble(change.error.as_deref().unwrap_or("the node could not pay"), now);
            }
            (
                JobState::Pending
                | JobState::Running
                | JobState::InDoubt
                | JobState::Paid
                | JobState::Lost
                | JobState::RefundOffered
                | JobState::Delivered
                | JobState::Downloaded
                | JobState::Refused
                | JobState::Failed
                | JobState::Refunded,
                _,
            ) => {}
        }
    }

    fn trouble(&self, cause: &str, now: UnixMs) {
        // A run that buys nothing admits nothing.
        if self.shared.buying.is_none() {
            return;
        }
        if self.shared.node_health.trouble(cause, now, self.run.settings.node_patience_ms) {
            self.shared.wake.notify_one();
            self.run.listener.hear(&Event::Paused { cause: cause.to_owned() });
        }
    }

    /// Whether the future came to its end before the run was told to drain.
    pub(super) async fn unless_draining(&self, future: impl Future<Output = ()>) -> bool {
        if self.run.control.draining() {
            return false;
        }
        tokio::select! {
            biased;
            () = self.run.control.until_draining() => false,
            () = future => true,
        }
    }

    /// Whether nothing begins any more in this run: whoever is not asked yet is not asked, and no challenge is paid.
    pub(super) fn is_over(&self) -> bool {
        let Self { run: Run { control, .. }, shared, .. } = self;
        control.draining() || control.stopped_buying() || shared.node_health.is_shut()
    }

    /// Whether the future came to its end while something could still begin.
    pub(super) async fn unless_over(&self, future: impl Future<Output = ()>) -> bool {
        if self.is_over() {
            return false;
        }
        tokio::select! {
            biased;
            () = self.run.control.until_draining() => false,
            () = self.run.control.until_not_buying() => false,
            () = self.shared.node_health.until_shut() => false,
            () = future => true,
        }
    }

    /// Sends a payment, in a slot. None: the run leaves before anything was sent.
    async fn send(&mut self, intent: &DurableIntent) -> Result<Option<SendReport>, LedgerError> {
        let Some(payer) = self.run.payer else { return Ok(None) };
        if self.slot.is_none() {
            // The same invoice again; its first send is on record, so a run that ends here loses nothing.
            self.slot = self.shared.slots.try_acquire().ok();
        }
        if self.slot.is_none() {
            let Ok(slot) = self.shared.slots.acquire().await else { return Ok(None) };
            self.slot = Some(slot);
            // What was seen before it stood in line is old: an earlier POST may have arrived since, the node may have lost its
            // history, or the time is over in which what it would pay for could be redeemed.
            let PaymentLookup { fate: seen, node_time } = look_up(self.run.ledger, payer, intent, None).await?;
            let unpaid = matches!(seen, PaymentFate::NotFound | PaymentFate::Failed(_));
            let in_time = outlives_a_payment(intent, node_time, self.run.clock.now(), &self.run.settings.bounds);
            if !(unpaid && in_time) {
                self.slot = None;
                let why = if unpaid { "it came too late for that" } else { "the node says otherwise now" };
                let outcome = SendOutcome::InDoubt(format!("not sent again: {why}"));
                return Ok(Some(SendReport { answered: false, outcome, node_time }));
            }
        }
        let patience_ms = self.run.settings.payment_patience_ms.max(payer.promises().patience_ms_min);
        let report = payer.send(intent, patience_ms).await;
        match &report.outcome {
            SendOutcome::Refused(PayRefusal::Node(problem)) => self.heed_problem(problem),
            // Was it this payment, or the node? Known before the slot is free, so that not one job after the other runs
            // into a node that is gone.
            SendOutcome::InDoubt(_) => {
                if let Err(problem) = payer.node().await {
                    self.heed_problem(&problem);
                }
            }
            SendOutcome::Settled(_)
            | SendOutcome::PreimageKnown(_)
            | SendOutcome::Failed(_)
            | SendOutcome::Refused(_)
            | SendOutcome::InFlight => {}
        }
        Ok(Some(report))
    }

    /// A problem of the whole node pauses admission; words about one payment do not.
    pub(super) fn heed_problem(&self, problem: &NodeProblem) {
        match problem.kind {
            ProblemKind::Unreachable(_)
            | ProblemKind::Certificate(_)
            | ProblemKind::Locked
            | ProblemKind::Starting
            | ProblemKind::Denied(_)
            | ProblemKind::NotSynced => self.trouble(&problem.told(), self.run.clock.now()),
            ProblemKind::Other(_) => {}
        }
    }

    fn heed_node_time(&self, node_time: Option<UnixMs>) {
        if let Some(node_time) = node_time {
            self.shared.node_ahead_ms.set(node_time.since_ms(self.run.clock.now()));
        }
    }

    async fn look(&mut self, intent: &DurableIntent, track_ms: Option<u64>) -> Result<PaymentLookup, LedgerError> {
        self.slot = None;
        let Some(payer) = self.run.payer else {
            let problem = ProblemKind::Unreachable("no node is configured".to_owned());
            return Ok(PaymentLookup { fate: PaymentFate::Unknown(problem.into()), node_time: None });
        };
        let lookup = look_up(self.run.ledger, payer, intent, track_ms).await?;
        // A stream's date is that of its beginning, and a broken stream is no news of the node.
        if track_ms.is_none() {
            self.heed_node_time(lookup.node_time);
            if let PaymentFate::Unknown(problem) = &lookup.fate {
                self.heed_problem(problem);
            }
        }
        Ok(lookup)
    }

    /// Follows a payment without a slot and without a place. None: the run does not wait for it any more.
    async fn track(&mut self, intent: &DurableIntent) -> Result<Option<PaymentLookup>, LedgerError> {
        (self.slot, self.place) = (None, None);
        if self.run.control.draining() || self.shared.doubt_timed_out.get() {
            return Ok(None);
        }
        let (control, shared) = (&self.run.control, self.shared);
        let lookup = tokio::select! {
            biased;
            () = control.until_draining() => None,
            () = shared.doubt_timeout.notified() => None,
            lookup = self.look(intent, Some(TRACK_MS)) => Some(lookup?),
        };
        Ok(lookup)
    }

    /// Redeems. None: the run ends, and the host wants to be left alone for longer than that.
    async fn redeem(&mut self, purchase: &PaidPurchase, sending: Sending) -> Result<Option<HttpResult>, LedgerError> {
        self.slot = None;
        let mut request = self.request(purchase.payment()).await?;
        // Once the credential has ended there is nothing left to be in time for.
        let ends_at = purchase.intent().credential_expires_at();
        let latest = ends_at.plus_ms(-self.run.settings.bounds.lifetime_ms_min);
        let latest = (ends_at > self.run.clock.now()).then_some(latest);
        if sending == Sending::Again && request.bypass.is_some() {
            request = Rc::new(request.repeated());
        }
        // What an earlier run intended has lost its header, and is as good as repeated.
        if request.bypass.is_none() && !self.past_the_cache(&request, latest).await? {
            return Ok(None);
        }
        if !self.turn(&request.url, Class::Redeem, latest).await {
            return Ok(None);
        }
        let answer = self.run.origin.redeem(&request, purchase.credential()).await;
        if let Ok(answer) = &answer {
            self.heed(&request, answer, self.run.clock.now());
        }
        if request.body.len() <= BODY_KEPT_MAX {
            self.request = Some(request);
        }
        Ok(Some(answer))
    }

    /// A redeem without the header that bypasses the cache, a repeated one above all, waits until no identical request's answer can be
    /// in there, neither of one that is being made nor of one that was. What stays there longest is its own. No wait
    /// outlives `latest`, nor a run's patience. False: the run ends first.
    async fn past_the_cache(&self, request: &Request, latest: Option<UnixMs>) -> Result<bool, LedgerError> {
        let endpoint = &self.job.facts.endpoint;
        if endpoint.dedup_policy() != DedupPolicy::Answer {
            return Ok(true);
        }
        let patience_ms = i64::try_from(self.run.settings.wait_doubt_ms).unwrap_or(i64::MAX);
        let give_up = latest.unwrap_or_else(|| self.run.clock.now().plus_ms(patience_ms));
        loop {
            let Some(identical) = self.run.ledger.identical_request(self.job.facts.key, &request.digest()).await?
            else {
                return Ok(true);
            };
            let now = self.run.clock.now();
            let is_being_made = identical.open && !identical.awaiting;
            let past = if is_being_made {
                now.plus_ms(IDENTICAL_LOOK_MS)
            } else {
                identical.last_at.plus_ms(endpoint.window_ms())
            };
            let left_ms = u64::try_from(past.min(give_up).since_ms(now)).unwrap_or(0);
            if left_ms == 0 {
                return Ok(true);
            }
            if !self.unless_draining(self.run.clock.sleep_ms(left_ms)).await {
                return Ok(false);
            }
        }
    }

    /// The host's turn for what is paid. A run that ends does not sit out the wish of a host to be left alone, unless a
    /// credential would not live to see the next run.
    async fn turn(&self, url: &url::Url, class: Class, latest: Option<UnixMs>) -> bool {
        let (pace, clock) = (&self.shared.pace, self.run.clock);
        let drained_and_blocked = async {
            self.run.control.until_draining().await;
            while latest.is_some() || pace.blocked_until(url, clock.now()).is_none() {
                clock.sleep_ms(DRAIN_LOOK_MS).await;
            }
        };
        tokio::select! {
            biased;
            () = pace.turn(clock, url, class, latest) => true,
            () = drained_and_blocked => false,
        }
    }

    /// The exact request: as it was asked, or as the intent holds it.
    async fn request(&mut self, payment: PaymentKey) -> Result<Rc<Request>, LedgerError> {
        match self.request.take() {
            Some(request) => Ok(request),
            None => Ok(Rc::new(self.run.ledger.request(payment).await?)),
        }
    }

    /// Polls; once more with the credential where the address stands behind the same gate. It is never paid for. None as
    /// for a redeem.
    async fn poll(&mut self, purchase: &PaidPurchase, url: &url::Url) -> Option<HttpResult> {
        let is_home = origin::is_own_origin(url, &self.job.facts.endpoint.url);
        let credential = Some(purchase.credential()).filter(|_| is_home);
        if !self.turn(url, Class::Poll, None).await {
            return None;
        }
        let mut answer = self.run.origin.poll(url, credential.filter(|_| self.gated)).await;
        if credential.is_some() && !self.gated && matches!(&answer, Ok(answer) if is_gate(answer)) {
            if !self.turn(url, Class::Poll, None).await {
                return None;
            }
            answer = self.run.origin.poll(url, credential).await;
            self.gated = matches!(&answer, Ok(answer) if !is_gate(answer));
        }
        match &answer {
            Ok(answer) => {
                self.shared.silent.borrow_mut().remove(url.authority());
                let after_ms = origin::retry_after_ms(answer).map(|ms| ms.min(POLL_RETRY_AFTER_MS_MAX));
                self.heed_url(url, answer, after_ms, self.run.clock.now());
            }
            Err(failure) => self.say_silent(url, failure),
        }
        Some(answer)
    }

    /// Polls that come to nothing change no job: without a word a run would seem to stand still.
    fn say_silent(&self, url: &url::Url, failure: &HttpFailure) {
        if self.shared.silent.borrow_mut().insert(url.authority().to_owned()) {
            let host = url.host_str().unwrap_or_default();
            let message = format!("{host} does not answer for what it works on: {failure}; it is asked again");
            self.run.listener.hear(&Event::Warning { message });
        }
    }

    pub(super) fn heed(&self, request: &Request, answer: &HttpAnswer, now: UnixMs) {
        self.heed_url(&request.url, answer, origin::retry_after_ms(answer), now);
    }

    /// 429 and 503 slow that host, and that host only.
    fn heed_url(&self, url: &url::Url, answer: &HttpAnswer, after_ms: Option<u64>, now: UnixMs) {
        match answer.status {
            429 | 503 => self.shared.pace.slow_down(url, now, after_ms),
            _ => self.shared.pace.well(url, now),
        }
    }

    /// Waits, and says whether the job goes on after it.
    async fn wait(&mut self, until: UnixMs, waiting: Waiting) -> bool {
        self.slot = None;
        let now = self.run.clock.now();
        let sleep = self.run.clock.sleep_ms(u64::try_from(until.since_ms(now)).unwrap_or(0));
        match waiting {
            // Nothing of it is open: it waits to be asked for.
            Waiting::Turn if self.job.state == JobState::Pending => self.unless_over(sleep).await,
            Waiting::Turn => self.unless_draining(sleep).await,
            Waiting::Doubt => {
                if self.shared.doubt_timed_out.get() {
                    return false;
                }
                self.place = None;
                tokio::select! {
                    biased;
                    () = self.shared.doubt_timeout.notified() => false,
                    waited = self.unless_draining(sleep) => waited,
                }
            }
        }
    }
}

/// An answer that asks for a credential.
const fn is_gate(answer: &HttpAnswer) -> bool {
    matches!(answer.status, 401 | 402)
}

/// What a job in doubt does without a place among the jobs in flight. It takes one again when there is news.
fn is_of_doubt(effect: &Effect) -> bool {
    match effect {
        Effect::LookUp(_)
        | Effect::Track(_)
        | Effect::Wait(_, Waiting::Doubt)
        | Effect::Stop
        | Effect::SetAside(_)
        | Effect::Defect(_) => true,
        Effect::Commit(record) => matches!(**record, Record::Doubt { .. }),
        Effect::Ask | Effect::Send(_) | Effect::Redeem(..) | Effect::Poll(..) | Effect::Wait(_, Waiting::Turn) => false,
    }
}

/// The payment whose refund that record offers, where it can be claimed.
const fn offered(record: &Record) -> Option<PaymentKey> {
    match record {
        Record::Refund(payment, RefundRecord::Offered { link: Some(_), .. }) => Some(*payment),
        _ => None,
    }
}
