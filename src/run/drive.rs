//! Carries out the effects of one job, one after the other, and feeds the answers back to `life::step`.

use std::rc::Rc;

use tokio::sync::SemaphorePermit;

use crate::catalog::DedupPolicy;
use crate::event::{Changing, Event};
use crate::ledger::{
    Committed, HeldBack, IntentRefusal, Ledger, LedgerError, PaymentKey, PendingJob, Record, Recorded, RefundRecord,
    Transition,
};
use crate::life::{Effect, Facts, Input, Moment, State, Tries, Waiting, step};
use crate::money::Msat;
use crate::origin::Origin;
use crate::payer::{Payer, Promises};
use crate::plan::ContentHash;
use crate::purchase::{Body, JobState, Reason, Request};
use crate::time::UnixMs;

use super::admission::Aside;
use super::shared::{InFlight, LooksBack, MayAsk, Shared};
use super::slot::SlotAfter;
use super::{Clock, Run, RunError};

/// One job under way.
pub(super) struct Job {
    pub(super) facts: Facts,
    /// By what its identical requests of this run are known.
    pub(super) request: ContentHash,
    /// Its price by the plan.
    pub(super) price: Msat,
    /// That is the most that it may cost: within a cap, or at an endpoint whose token serves several jobs.
    pub(super) is_capped: bool,
    /// What the seller was paid, once this run knows it.
    pub(super) amount: Option<Msat>,
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

/// The hands of one job: what it holds while it is under way.
pub(super) struct Driver<'r, L, P, O, C> {
    pub(super) run: &'r Run<'r, L, P, O, C>,
    pub(super) shared: &'r Shared,
    pub(super) job: Job,
    pub(super) place: Option<InFlight<'r>>,
    looks_back: Option<LooksBack<'r>>,
    /// It may be asked for, and may wait for a slot.
    pub(super) permit: Option<MayAsk<'r>>,
    /// Its payment slot.
    pub(super) slot: Option<SemaphorePermit<'r>>,
    pub(super) request: Option<Rc<Request>>,
    /// The header that was to go with a request that is read back.
    pub(super) bypass: Option<String>,
    /// It was asked for in this run.
    pub(super) asked: bool,
    /// How many payments the run had left open when it was last looked whether this one may begin.
    pub(super) left_open: u64,
    /// It cannot be asked for now, and goes back to the queue, with what was tried of it.
    put_back: Option<Tries>,
    /// It may not begin now, and maybe later in this run.
    pub(super) later: bool,
    /// What its next request needs cannot be had: this run does nothing more with it, and nothing counts against the origin.
    pub(super) withheld: bool,
    /// Its poll address answers whoever shows the credential.
    pub(super) gated: bool,
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
            permit: None,
            slot: None,
            request: None,
            bypass: None,
            asked: false,
            left_open: 0,
            put_back: None,
            later: false,
            withheld: false,
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
                // The one redeem more is not used up by a request that cannot leave.
                Effect::Commit(record) if self.cannot_replay(&record).await? => break,
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
                Effect::Poll(purchase, poll) => match self.poll(&purchase, &poll.url).await? {
                    Some(answer) => Input::Answer(answer),
                    None => break,
                },
                Effect::PollServed(sent, poll) => match self.poll_served(&sent.token, &poll.url).await {
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
    async fn leave(&mut self) -> Result<(), LedgerError> {
        let key = self.job.facts.key;
        self.shared.bounds.end(key);
        self.shared.tokens.end(&self.job.facts.endpoint, key);
        self.leave_slot();
        if !self.asked && self.job.state == JobState::Pending {
            self.shared.identical.withdraw(self.job.request, key);
            return Ok(());
        }
        let now = self.run.clock.now();
        let open = self.job.state.is_open();
        if !open {
            self.end_identicals_wait(now);
        }
        if self.job.state == JobState::Paid && !self.withheld && !self.run.control.draining() {
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
        self.shared.identical.end(self.job.request, self.job.facts.key, now.plus_ms(window_ms), now);
    }

    async fn commit(&mut self, record: Record) -> Result<Committed, LedgerError> {
        let now = self.run.clock.now();
        let offered = offered(&record);
        let (begins, after) = (matches!(record, Record::Intend(_)), SlotAfter::of(&record));
        let (slot, permit) = (&mut self.slot, &mut self.permit);
        let in_line = || {
            if after == SlotAfter::FreeInLine {
                *slot = None;
                permit.iter_mut().for_each(MayAsk::give_on);
            }
        };
        let Recorded { committed, transition } = self.run.ledger.commit_in_line(now, record, in_line).await?;
        self.looks_back = None;
        if begins {
            self.shared.bounds.end(self.job.facts.key);
        }
        match after {
            SlotAfter::Kept => {}
            SlotAfter::LeftOpen => {
                if self.slot.is_some() {
                    self.shared.bounds.leave_open();
                }
                self.leave_slot();
            }
            SlotAfter::FreeInLine | SlotAfter::Free => self.leave_slot(),
        }
        if let Committed::IntentRefused(refusal) = &committed {
            // The slot goes to a job that can use it.
            self.leave_slot();
            self.note_refusal(refusal, now);
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

    /// What keeps this job from being bought now is known to those of its endpoint that come next, before they are asked for.
    fn note_refusal(&self, refusal: &IntentRefusal, now: UnixMs) {
        let IntentRefusal::HeldBack(held @ HeldBack::OriginLimit { .. }) = refusal else { return };
        if let Some(event) = self.shared.bounds.note(&self.job.facts.endpoint.name, Some(held), now) {
            self.run.listener.hear(&event);
        }
    }

    fn announce(&mut self, to: Transition, now: UnixMs) {
        self.note(&to, now);
        let from = std::mem::replace(&mut self.job.state, to.state);
        // One whose rate is shut is not bought in this run.
        let stays_left = is_left(to.state) && to.reason != Reason::PriceChanged;
        // Within a cap the invoice decides, and a token may serve for nothing: a node that holds less may hold enough.
        let least = if self.job.is_capped { Msat::ZERO } else { self.job.price };
        match (self.job.pending.is_some(), is_left(from), stays_left) {
            (true, true, false) => self.shared.balance.bought(least),
            (true, false, true) => self.shared.balance.left_again(least),
            (true, true, true) | (true, false, false) | (false, ..) => {}
        }
        if to.amount == Some(Msat::ZERO) {
            self.shared.served.set(self.shared.served.get().saturating_add(1));
        } else if let (None, Some(amount)) = (self.job.amount, to.amount) {
            let less = if self.job.facts.endpoint.price.is_cap { &self.shared.below_cap } else { &self.shared.cheaper };
            less.set(less.get().and(self.job.price, amount));
        }
        self.job.amount = to.amount.or(self.job.amount);
        self.job.fee = to.fee.or(self.job.fee);
        let Facts { id, take, endpoint, .. } = &self.job.facts;
        let (endpoint, take) = (&*endpoint.name, *take);
        let Job { price, is_capped, amount, fee, .. } = self.job;
        Changing { id, take, endpoint, from, price, is_capped, amount, fee }.announce(to, now, self.run.listener);
    }

    /// Gives its slot back, or its place in the line for one.
    pub(super) fn leave_slot(&mut self) {
        (self.slot, self.permit) = (None, None);
    }

    /// What a change of this job means for the others.
    fn note(&self, change: &Transition, now: UnixMs) {
        match (change.state, change.reason) {
            (JobState::Paid, Reason::None) => self.shared.node_health.settled(),
            (JobState::Delivered, _) => {
                let Facts { key, endpoint, .. } = &self.job.facts;
                self.shared.bounds.delivers(&endpoint.name);
                // From now on its token serves others, where it has bought one.
                self.shared.tokens.end(endpoint, *key);
            }
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
                | JobState::Downloaded
                | JobState::Refused
                | JobState::Failed
                | JobState::Refunded,
                _,
            ) => {}
        }
    }

    pub(super) fn trouble(&self, cause: &str, now: UnixMs) {
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

    /// Makes room among the jobs in flight. Any number may be in doubt.
    pub(super) fn leave_place(&mut self) {
        self.place = None;
        if let Some(request) = self.request.take() {
            self.keep_request(request);
        }
    }

    /// Keeps what may be sent again. A body in a file is read back from the ledger then, which compares it, and makes it anew where it is
    /// not what it was; no job keeps a file open until then.
    pub(super) fn keep_request(&mut self, request: Rc<Request>) {
        match request.body() {
            Body::Held(_) => self.request = Some(request),
            Body::Filed(_) => self.bypass.clone_from(&request.bypass),
        }
    }

    /// Waits, and says whether the job goes on after it.
    async fn wait(&mut self, until: UnixMs, waiting: Waiting) -> bool {
        self.leave_slot();
        let now = self.run.clock.now();
        let sleep = self.run.clock.sleep_ms(u64::try_from(until.since_ms(now)).unwrap_or(0));
        match waiting {
            // Nothing of it is open: it waits to be asked for.
            Waiting::Turn if self.job.state == JobState::Pending => self.unless_over(sleep).await,
            Waiting::Turn | Waiting::Served => self.unless_draining(sleep).await,
            Waiting::Doubt => {
                if self.shared.doubt_timed_out.get() {
                    return false;
                }
                self.leave_place();
                tokio::select! {
                    biased;
                    () = self.shared.doubt_timeout.notified() => false,
                    waited = self.unless_draining(sleep) => waited,
                }
            }
        }
    }
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
        Effect::Ask
        | Effect::Send(_)
        | Effect::Redeem(..)
        | Effect::Poll(..)
        | Effect::PollServed(..)
        | Effect::Wait(_, Waiting::Turn | Waiting::Served) => false,
    }
}

/// The payment whose refund that record offers, where it can be claimed.
const fn offered(record: &Record) -> Option<PaymentKey> {
    match record {
        Record::Refund(payment, RefundRecord::Offered { link: Some(_), .. }) => Some(*payment),
        _ => None,
    }
}
