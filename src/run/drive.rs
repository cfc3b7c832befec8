//! Carries out the effects of one job, one after the other, and feeds the answers back to `job::step`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::catalog::ImageRef;
use crate::event::{Event, JobEvent};
use crate::l402::{CheckedChallenge, Expected, check};
use crate::ledger::{
    BatchKey, Committed, DurableIntent, JobEnd, JobState, Ledger, LedgerError, NewIntent, Next, PaidPurchase,
    PaymentKey, PendingJob, Reason, Record,
};
use crate::manifest::image::{self, ImageProblem};
use crate::money::Msat;
use crate::origin::{self, HttpAnswer, HttpFailure, Origin, Request, read_ask};
use crate::payer::{NodeInfo, NodeProblem, PayRefusal, Payer, SendOutcome, SendReport};
use crate::plan::ContentHash;
use crate::time::UnixMs;

use super::admission::Twins;
use super::breaker::Breaker;
use super::gate::Gate;
use super::job::{Asked, Effect, Facts, Input, Moment, Seen, Sighting, State, Waiting, step};
use super::pace::{Class, Pace};
use super::sighting::sight;
use super::{Clock, Run, RunError};

/// An invoice must live at least this long for its payment to finish.
const INVOICE_LIFE_MS_MIN: i64 = 30_000;
/// A look-up that nothing else bounds is followed this long before it is asked anew.
const TRACK_MS: u64 = 60_000;
/// Another process's identical purchase is asked about again after this long.
const TWIN_POLL_MS: u64 = 5_000;
/// Bodies up to this size are kept in memory between ask and redeem; larger ones are read back from the ledger.
const BODY_KEPT_MAX: usize = 64 * 1024;

/// What all jobs of a run share.
pub(super) struct Shared {
    pub(super) batch: Option<BatchKey>,
    pub(super) pace: Pace,
    pub(super) slots: Semaphore,
    pub(super) gate: Gate,
    pub(super) breaker: Breaker,
    pub(super) twins: Twins,
    /// Jobs that hold a place among the jobs in flight.
    pub(super) in_flight: Cell<usize>,
    /// The node that pays; none in a run that buys nothing.
    pub(super) node: Option<NodeInfo>,
    /// How far the node's clock is ahead of ours.
    pub(super) node_ahead_ms: Cell<i64>,
    /// The first limit that was reached.
    pub(super) limit_hit: RefCell<Option<(Reason, String)>>,
    /// Admission pauses because too many payments are in doubt.
    pub(super) doubt_paused: Cell<bool>,
    /// Nothing but doubt is left, and the run has waited long enough.
    pub(super) gave_up: Cell<bool>,
    pub(super) give_up: Notify,
    /// Something changed that the run's loop cannot see by itself: a place is free, or the node is in trouble.
    pub(super) stirred: Notify,
}

impl Shared {
    /// A payment slot of a node that is ready to pay; none once the gate is closed.
    async fn slot(&self) -> Option<SemaphorePermit<'_>> {
        loop {
            if !self.gate.opened().await {
                return None;
            }
            let slot = self.slots.acquire().await.ok()?;
            // It may have fallen into trouble while this one stood in line.
            if !self.gate.is_paused() && self.gate.closed().is_none() {
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
    /// What asking needs; an open job of an earlier run never asks.
    pub(super) pending: Option<Box<PendingJob>>,
}

/// A place among the jobs in flight, given back when dropped.
struct Place<'a>(&'a Shared);

impl<'a> Place<'a> {
    fn take(shared: &'a Shared) -> Self {
        shared.in_flight.set(shared.in_flight.get().saturating_add(1));
        Self(shared)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.in_flight.set(self.0.in_flight.get().saturating_sub(1));
        self.0.stirred.notify_one();
    }
}

/// The hands of one job: what it holds while it is under way.
pub(super) struct Driver<'r, L, P, O, C> {
    pub(super) run: &'r Run<'r, L, P, O, C>,
    pub(super) shared: &'r Shared,
    job: Job,
    place: Option<Place<'r>>,
    slot: Option<SemaphorePermit<'r>>,
    request: Option<Rc<Request>>,
    /// It was asked for in this run.
    asked: bool,
    /// It cannot be asked for now, and goes back to the queue.
    put_back: bool,
}

impl<'r, L: Ledger, P: Payer, O: Origin, C: Clock> Driver<'r, L, P, O, C> {
    pub(super) fn new(run: &'r Run<'r, L, P, O, C>, shared: &'r Shared, job: Job) -> Self {
        let place = Some(Place::take(shared));
        Self { run, shared, job, place, slot: None, request: None, asked: false, put_back: false }
    }

    /// Drives the job until it is at its end, or this run does nothing more with it. Gives a job back that could not be
    /// asked for so far and may be later.
    pub(super) async fn drive(
        mut self,
        mut state: State,
        mut input: Input,
    ) -> Result<Option<Box<PendingJob>>, RunError> {
        loop {
            let moment = Moment {
                now: self.run.clock.now(),
                draining: self.run.control.draining(),
                facts: &self.job.facts,
                bounds: &self.run.settings.bounds,
            };
            let effect;
            (state, effect) = step(state, input, &moment);
            if self.place.is_none() && !is_of_doubt(&effect) {
                self.place = Some(Place::take(self.shared));
            }
            input = match effect {
                Effect::Ask => Input::Asked(self.ask().await?),
                Effect::Commit(record) => Input::Committed(self.commit(*record).await?),
                Effect::Send(intent) => match self.send(&intent).await {
                    Some(report) => Input::Sent(report),
                    None => break,
                },
                Effect::LookUp(intent) => Input::Sighted(self.look(&intent, None).await?),
                Effect::Track(intent) => match self.track(&intent).await? {
                    Some(sighting) => Input::Sighted(sighting),
                    None => break,
                },
                Effect::Redeem(purchase) => Input::Answer(self.redeem(&purchase).await?),
                Effect::Poll(_, poll) => Input::Answer(self.poll(&poll.url).await),
                Effect::Wait(until, waiting) => match self.wait(until, waiting).await {
                    true => Input::Waited,
                    false => break,
                },
                Effect::Stop => break,
                Effect::Defect(state) => return Err(RunError::Defect(format!("unexpected input when {state}"))),
            };
        }
        self.leave();
        Ok(self.job.pending.filter(|_| self.put_back))
    }

    /// Frees the job's twins, unless its purchase is still open.
    fn leave(&self) {
        if !self.asked && self.job.state == JobState::Pending {
            self.shared.twins.withdraw(self.job.content, self.job.facts.key);
            return;
        }
        let open = matches!(self.job.state, JobState::Running | JobState::InDoubt | JobState::Paid);
        if !open {
            let window_s = self.job.facts.endpoint.dedup_window_s;
            self.shared.twins.end(self.job.content, self.job.facts.key, self.run.clock.now(), window_s);
        }
    }

    async fn commit(&mut self, record: Record) -> Result<Committed, LedgerError> {
        let now = self.run.clock.now();
        let change = Change::of(&record);
        let committed = self.run.ledger.commit(now, record).await?;
        if let Committed::IntentRefused(_) = committed {
            // The slot goes to a job that can use it.
            self.slot = None;
            return Ok(committed);
        }
        if let Some(change) = change {
            self.announce(change, now);
        }
        Ok(committed)
    }

    fn announce(&mut self, change: Change, now: UnixMs) {
        self.note(&change, now);
        let from = std::mem::replace(&mut self.job.state, change.state);
        let event = Event::Job(JobEvent {
            id: self.job.facts.id.clone(),
            take: self.job.facts.take,
            endpoint: self.job.facts.endpoint.name.clone(),
            from,
            state: change.state,
            reason: change.reason,
            next: Next::of(change.state, change.reason),
            price_msat: self.job.price,
            fee_msat: change.fee,
            url: change.url,
            error: change.error,
            at: now,
        });
        self.run.listener.hear(&event);
    }

    /// What a change of this job means for the others.
    fn note(&self, change: &Change, now: UnixMs) {
        let endpoint = &self.job.facts.endpoint.name;
        match (change.state, change.reason) {
            (JobState::Delivered, _) => self.shared.breaker.delivered(endpoint),
            (JobState::Paid, Reason::None) => self.shared.gate.settled(),
            (JobState::Paid, Reason::Processing) => {}
            (JobState::Paid | JobState::Lost | JobState::RefundOffered, _) => {
                if self.shared.breaker.undelivered(endpoint, self.job.facts.key) {
                    let cause = format!(
                        "{endpoint} took {} payments in a row and delivered none so far: it gets no more until it delivers",
                        self.run.settings.max_undelivered
                    );
                    self.run.listener.hear(&Event::Paused { cause });
                }
            }
            (JobState::Pending, Reason::BatchLimit | Reason::DayLimit | Reason::MonthLimit) => {
                let message = change.error.clone().unwrap_or_default();
                self.shared.limit_hit.borrow_mut().get_or_insert((change.reason, message));
            }
            (JobState::Pending, Reason::InsufficientBalance | Reason::NodeUnusable) => {
                self.trouble(change.error.as_deref().unwrap_or("the node could not pay"), now);
            }
            (
                JobState::Pending
                | JobState::Running
                | JobState::InDoubt
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
        if self.shared.node.is_none() {
            return;
        }
        if self.shared.gate.trouble(cause, now, self.run.settings.node_patience_ms) {
            self.shared.stirred.notify_one();
            self.run.listener.hear(&Event::Paused { cause: cause.to_owned() });
        }
    }

    /// Asks for a challenge and checks it. It holds a payment slot from before the request on, so that the payment can
    /// start at once: credentials live ten minutes.
    async fn ask(&mut self) -> Result<Asked, LedgerError> {
        let Some(pending) = self.job.pending.take() else { return Ok(Asked::NotAdmitted) };
        let asked = self.ask_for(&pending).await;
        self.job.pending = Some(pending);
        if !matches!(asked, Ok(Asked::Ready(_))) {
            self.slot = None;
        }
        asked
    }

    async fn ask_for(&mut self, pending: &PendingJob) -> Result<Asked, LedgerError> {
        if let Some(refused) = over_its_limit(pending) {
            return Ok(refused);
        }
        let request = match Request::build(&pending.endpoint, &pending.params, load_image) {
            Ok(request) => Rc::new(request),
            Err(problem) => return Ok(image_refusal(&problem)),
        };
        if pending.endpoint.dedup_window_s > 0 && !self.apart_from_twins(pending, &request).await? {
            return Ok(Asked::NotAdmitted);
        }
        let answer = loop {
            if !self.slot_and_turn(&request).await {
                return Ok(Asked::NotAdmitted);
            }
            self.asked = true;
            let answer = self.run.origin.ask(&request).await;
            if !self.shared.gate.is_paused() {
                break answer;
            }
            // The node fell into trouble meanwhile: this challenge cannot be paid at once, and is dropped.
            self.slot = None;
        };
        let now = self.run.clock.now();
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                let (reason, message) = (Reason::OriginUnreachable, failure.to_string());
                return Ok(Asked::Retry { after_ms: None, reason, message });
            }
        };
        self.heed(&request, &answer, now);
        let asked = self.challenge(pending, &request, &answer, now);
        self.request = Some(request);
        Ok(asked)
    }

    fn challenge(&self, pending: &PendingJob, request: &Request, answer: &HttpAnswer, now: UnixMs) -> Asked {
        let Some(node) = &self.shared.node else { return Asked::NotAdmitted };
        let challenge = match read_ask(answer) {
            origin::Asked::Challenge(challenge) => challenge,
            origin::Asked::Refused { reason, message } => return Asked::Refused(reason, message),
            origin::Asked::Retry { after_ms, reason, message } => return Asked::Retry { after_ms, reason, message },
        };
        let expected = Expected {
            price: pending.price,
            network: node.network,
            now: now.plus_ms(self.shared.node_ahead_ms.get()),
            min_lifetime_ms: INVOICE_LIFE_MS_MIN,
        };
        match check(challenge, &expected) {
            Ok(checked) => Asked::Ready(Box::new(self.intent(pending, request, checked, node, now))),
            Err(refusal) => Asked::Refused(Reason::from(&refusal), refusal.to_string()),
        }
    }

    fn intent(
        &self,
        pending: &PendingJob,
        request: &Request,
        checked: CheckedChallenge,
        node: &NodeInfo,
        now: UnixMs,
    ) -> NewIntent {
        let (challenge, invoice) = checked.into_parts();
        NewIntent {
            job: pending.key,
            request: request.clone(),
            scheme: challenge.scheme,
            token: challenge.token,
            challenge: challenge.params,
            invoice: challenge.invoice,
            hash: invoice.hash,
            amount: invoice.amount,
            fee_limit: pending.fee_ceiling,
            payee: invoice.payee,
            network: invoice.network,
            node: node.id.clone(),
            invoice_expires_at: invoice.expires_at,
            credential_expires_at: now.plus_ms(self.run.settings.credential_life_ms),
            caps: self.run.settings.budget.caps(now),
        }
    }

    /// Identical requests of other batches and processes: none of them open, and the window since the last one over. An
    /// open one is waited for only so long: nobody may ever carry its batch on.
    async fn apart_from_twins(&self, pending: &PendingJob, request: &Request) -> Result<bool, LedgerError> {
        let window_ms = i64::from(pending.endpoint.dedup_window_s).saturating_mul(1_000);
        let wait_ms = i64::try_from(self.run.settings.wait_doubt_ms).unwrap_or(i64::MAX);
        let patience_ends = self.run.clock.now().plus_ms(wait_ms.max(window_ms));
        loop {
            let Some(twin) = self.run.ledger.twin(pending.key, &request.digest()).await? else { return Ok(true) };
            let left_ms = window_ms.saturating_sub(self.run.clock.now().since_ms(twin.last_at));
            if !twin.open && left_ms <= 0 {
                return Ok(true);
            }
            if twin.open && self.run.clock.now() >= patience_ends {
                return Ok(false);
            }
            let left_ms = u64::try_from(left_ms).unwrap_or(0);
            let wait_ms = if twin.open { TWIN_POLL_MS.max(left_ms) } else { left_ms };
            if !self.unless_draining(self.run.clock.sleep_ms(wait_ms)).await {
                return Ok(false);
            }
        }
    }

    /// A payment slot and the host's turn, both at once. Nobody sits on a slot while a host wants to be left alone: the
    /// slots belong to all hosts.
    async fn slot_and_turn(&mut self, request: &Request) -> bool {
        let (clock, pace) = (self.run.clock, &self.shared.pace);
        loop {
            if pace.blocked_until(&request.url, clock.now()).is_some() {
                if !self.asked {
                    self.put_back = true;
                    return false;
                }
                if !self.unless_draining(pace.unblocked(clock, &request.url)).await {
                    return false;
                }
            }
            if !self.take_slot().await {
                return false;
            }
            let mut its_turn = false;
            if !self.unless_draining(async { its_turn = pace.ask_turn(clock, &request.url).await }).await {
                return false;
            }
            if its_turn {
                return true;
            }
            self.slot = None;
        }
    }

    /// A payment slot, with the node ready to pay.
    async fn take_slot(&mut self) -> bool {
        if self.slot.is_none() {
            let mut slot = None;
            if !self.unless_draining(async { slot = self.shared.slot().await }).await {
                return false;
            }
            self.slot = slot;
        }
        if self.shared.breaker.is_open(&self.job.facts.endpoint.name) {
            self.put_back = !self.asked;
            return false;
        }
        self.slot.is_some() && self.shared.limit_hit.borrow().is_none()
    }

    /// Whether the future came to its end before the run was told to drain.
    async fn unless_draining(&self, future: impl Future<Output = ()>) -> bool {
        if self.run.control.draining() {
            return false;
        }
        tokio::select! {
            biased;
            () = self.run.control.until_draining() => false,
            () = future => true,
        }
    }

    /// Sends a payment, in a slot. None: the run leaves before anything was sent.
    async fn send(&mut self, intent: &DurableIntent) -> Option<SendReport> {
        let payer = self.run.payer?;
        if self.slot.is_none() {
            // The same invoice again; its first send is on record, so a run that ends here loses nothing.
            self.slot = Some(self.shared.slots.acquire().await.ok()?);
        }
        let report = payer.send(intent, self.run.settings.payment_patience_ms).await;
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
        self.slot = None;
        Some(report)
    }

    /// A problem of the whole node pauses admission; words about one payment do not.
    fn heed_problem(&self, problem: &NodeProblem) {
        match problem {
            NodeProblem::Unreachable(_)
            | NodeProblem::Certificate(_)
            | NodeProblem::Locked
            | NodeProblem::Starting
            | NodeProblem::Macaroon(_)
            | NodeProblem::NotSynced => self.trouble(&problem.to_string(), self.run.clock.now()),
            NodeProblem::Other(_) => {}
        }
    }

    fn heed_node_time(&self, node_time: Option<UnixMs>) {
        if let Some(node_time) = node_time {
            self.shared.node_ahead_ms.set(node_time.since_ms(self.run.clock.now()));
        }
    }

    async fn look(&mut self, intent: &DurableIntent, track_ms: Option<u64>) -> Result<Sighting, LedgerError> {
        self.slot = None;
        let Some(payer) = self.run.payer else {
            let problem = NodeProblem::Unreachable("no node is configured".to_owned());
            return Ok(Sighting { seen: Seen::Unknown(problem), node_time: None });
        };
        let sighting = sight(self.run.ledger, payer, intent, track_ms).await?;
        // A stream's date is that of its beginning, and a broken stream is no news of the node.
        if track_ms.is_none() {
            self.heed_node_time(sighting.node_time);
            if let Seen::Unknown(problem) = &sighting.seen {
                self.heed_problem(problem);
            }
        }
        Ok(sighting)
    }

    /// Follows a payment without a slot and without a place. None: the run does not wait for it any more.
    async fn track(&mut self, intent: &DurableIntent) -> Result<Option<Sighting>, LedgerError> {
        (self.slot, self.place) = (None, None);
        if self.run.control.draining() || self.shared.gave_up.get() {
            return Ok(None);
        }
        let (control, shared) = (&self.run.control, self.shared);
        let sighting = tokio::select! {
            biased;
            () = control.until_draining() => None,
            () = shared.give_up.notified() => None,
            sighting = self.look(intent, Some(TRACK_MS)) => Some(sighting?),
        };
        Ok(sighting)
    }

    async fn redeem(&mut self, purchase: &PaidPurchase) -> Result<Result<HttpAnswer, HttpFailure>, LedgerError> {
        self.slot = None;
        let request = self.request(purchase.payment()).await?;
        // Once the credential has ended there is nothing left to be in time for.
        let ends_at = purchase.intent().credential_expires_at();
        let latest = ends_at.plus_ms(-self.run.settings.bounds.lifetime_ms_min);
        let latest = (ends_at > self.run.clock.now()).then_some(latest);
        self.shared.pace.turn(self.run.clock, &request.url, Class::Redeem, latest).await;
        let answer = self.run.origin.redeem(&request, purchase.credential()).await;
        if let Ok(answer) = &answer {
            self.heed(&request, answer, self.run.clock.now());
        }
        if request.body.len() <= BODY_KEPT_MAX {
            self.request = Some(request);
        }
        Ok(answer)
    }

    /// The exact request: as it was asked, or as the intent holds it.
    async fn request(&mut self, payment: PaymentKey) -> Result<Rc<Request>, LedgerError> {
        match self.request.take() {
            Some(request) => Ok(request),
            None => Ok(Rc::new(self.run.ledger.request(payment).await?)),
        }
    }

    async fn poll(&mut self, url: &url::Url) -> Result<HttpAnswer, HttpFailure> {
        self.shared.pace.turn(self.run.clock, url, Class::Poll, None).await;
        let answer = self.run.origin.poll(url).await?;
        self.heed_url(url, &answer, self.run.clock.now());
        Ok(answer)
    }

    fn heed(&self, request: &Request, answer: &HttpAnswer, now: UnixMs) {
        self.heed_url(&request.url, answer, now);
    }

    /// 429 and 503 slow that host, and that host only.
    fn heed_url(&self, url: &url::Url, answer: &HttpAnswer, now: UnixMs) {
        match answer.status {
            429 | 503 => self.shared.pace.slow_down(url, now, origin::retry_after_ms(answer)),
            _ => self.shared.pace.well(url, now),
        }
    }

    /// Waits, and says whether the job goes on after it.
    async fn wait(&mut self, until: UnixMs, waiting: Waiting) -> bool {
        self.slot = None;
        let now = self.run.clock.now();
        let sleep = self.run.clock.sleep_ms(u64::try_from(until.since_ms(now)).unwrap_or(0));
        match waiting {
            Waiting::Turn => self.unless_draining(sleep).await,
            Waiting::Doubt => {
                if self.shared.gave_up.get() {
                    return false;
                }
                self.place = None;
                tokio::select! {
                    biased;
                    () = self.shared.give_up.notified() => false,
                    waited = self.unless_draining(sleep) => waited,
                }
            }
        }
    }
}

/// What a job in doubt does without a place among the jobs in flight. It takes one again when there is news.
fn is_of_doubt(effect: &Effect) -> bool {
    match effect {
        Effect::LookUp(_) | Effect::Track(_) | Effect::Wait(_, Waiting::Doubt) | Effect::Stop | Effect::Defect(_) => {
            true
        }
        Effect::Commit(record) => matches!(**record, Record::Doubt { .. }),
        Effect::Ask | Effect::Send(_) | Effect::Redeem(_) | Effect::Poll(..) | Effect::Wait(_, Waiting::Turn) => false,
    }
}

fn load_image(image: &ImageRef) -> Result<Vec<u8>, ImageProblem> {
    image::load(image)
}

fn image_refusal(problem: &ImageProblem) -> Asked {
    let reason = match problem {
        ImageProblem::Unreadable(_) => Reason::ImageUnreadable,
        ImageProblem::Changed => Reason::ImageChanged,
    };
    Asked::Refused(reason, problem.to_string())
}

fn over_its_limit(pending: &PendingJob) -> Option<Asked> {
    let most = pending.max_cost?;
    let worst = pending.price.checked_add(pending.fee_ceiling);
    if worst.is_some_and(|worst| worst <= most) {
        return None;
    }
    let message = format!(
        "the price of {} and a routing fee of up to {} are above the job's limit of {most}",
        pending.price, pending.fee_ceiling
    );
    Some(Asked::Refused(Reason::JobLimit, message))
}

/// How a record changes what people see of a job.
struct Change {
    state: JobState,
    reason: Reason,
    fee: Option<Msat>,
    url: Option<String>,
    error: Option<String>,
}

impl Change {
    fn of(record: &Record) -> Option<Self> {
        let plain = |state, reason| Self { state, reason, fee: None, url: None, error: None };
        let end = |end: &JobEnd| Self { error: end.error.clone(), ..plain(end.state, end.reason) };
        match record {
            Record::Intend(_) => Some(plain(JobState::Running, Reason::None)),
            Record::SendBegun(_) | Record::SendAnswered { .. } | Record::Answer { .. } | Record::Posted(..) => None,
            Record::Paid { posted, .. } => {
                Some(Self { fee: posted.map(|posted| posted.fee), ..plain(JobState::Paid, Reason::None) })
            }
            Record::Dead { end: job_end, .. } | Record::Ended(_, job_end) => Some(end(job_end)),
            Record::Undelivered { end: job_end, .. } => Some(end(job_end)),
            Record::Doubt { reason, error, .. } => {
                Some(Self { error: error.clone(), ..plain(JobState::InDoubt, *reason) })
            }
            Record::Accepted { .. } => Some(plain(JobState::Paid, Reason::Processing)),
            Record::Delivered { url, .. } => {
                Some(Self { url: Some(url.clone()), ..plain(JobState::Delivered, Reason::None) })
            }
        }
    }
}
