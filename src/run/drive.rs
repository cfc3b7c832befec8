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
use crate::payer::{NodeInfo, Payer, SendOutcome, SendReport};
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
    /// Nothing but doubt is left, and the run has waited long enough.
    pub(super) gave_up: Cell<bool>,
    pub(super) give_up: Notify,
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
struct Place<'a>(&'a Cell<usize>);

impl<'a> Place<'a> {
    fn take(count: &'a Cell<usize>) -> Self {
        count.set(count.get().saturating_add(1));
        Self(count)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
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
}

impl<'r, L: Ledger, P: Payer, O: Origin, C: Clock> Driver<'r, L, P, O, C> {
    pub(super) fn new(run: &'r Run<'r, L, P, O, C>, shared: &'r Shared, job: Job) -> Self {
        let place = Some(Place::take(&shared.in_flight));
        Self { run, shared, job, place, slot: None, request: None }
    }

    /// Drives the job until it is at its end, or this run does nothing more with it.
    pub(super) async fn drive(mut self, mut state: State, mut input: Input) -> Result<(), RunError> {
        loop {
            let moment = Moment {
                now: self.run.clock.now(),
                draining: self.run.control.draining(),
                facts: &self.job.facts,
                bounds: &self.run.settings.bounds,
            };
            let effect;
            (state, effect) = step(state, input, &moment);
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
        Ok(())
    }

    /// Frees the job's twins, unless its purchase is still open.
    fn leave(&self) {
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
        if self.shared.gate.trouble(cause, now, self.run.settings.node_patience_ms) {
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
        if !self.take_slot().await || !self.my_turn(&request).await {
            return Ok(Asked::NotAdmitted);
        }
        let answer = self.run.origin.ask(&request).await;
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

    /// Identical requests of other batches and processes: none of them open, and the window since the last one over.
    async fn apart_from_twins(&self, pending: &PendingJob, request: &Request) -> Result<bool, LedgerError> {
        let window_ms = i64::from(pending.endpoint.dedup_window_s).saturating_mul(1_000);
        loop {
            let Some(twin) = self.run.ledger.twin(pending.key, &request.digest()).await? else { return Ok(true) };
            let left_ms = window_ms.saturating_sub(self.run.clock.now().since_ms(twin.last_at));
            if !twin.open && left_ms <= 0 {
                return Ok(true);
            }
            let left_ms = u64::try_from(left_ms).unwrap_or(0);
            let wait_ms = if twin.open { TWIN_POLL_MS.max(left_ms) } else { left_ms };
            if !self.unless_draining(self.run.clock.sleep_ms(wait_ms)).await {
                return Ok(false);
            }
        }
    }

    /// A payment slot, with the node ready to pay.
    async fn take_slot(&mut self) -> bool {
        if self.slot.is_none() {
            let mut slot = None;
            let acquired = self
                .unless_draining(async {
                    if self.shared.gate.opened().await {
                        slot = self.shared.slots.acquire().await.ok();
                    }
                })
                .await;
            if !acquired {
                return false;
            }
            self.slot = slot;
        }
        let admitted =
            !self.shared.breaker.is_open(&self.job.facts.endpoint.name) && self.shared.limit_hit.borrow().is_none();
        self.slot.is_some() && admitted
    }

    async fn my_turn(&self, request: &Request) -> bool {
        self.unless_draining(self.shared.pace.turn(self.run.clock, &request.url, Class::Ask, None)).await
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
        self.slot = None;
        self.heed_node_time(report.node_time);
        if let SendOutcome::Refused(crate::payer::PayRefusal::Node(problem)) = &report.outcome {
            self.trouble(&problem.to_string(), self.run.clock.now());
        }
        Some(report)
    }

    fn heed_node_time(&self, node_time: Option<UnixMs>) {
        if let Some(node_time) = node_time {
            self.shared.node_ahead_ms.set(node_time.since_ms(self.run.clock.now()));
        }
    }

    async fn look(&mut self, intent: &DurableIntent, track_ms: Option<u64>) -> Result<Sighting, LedgerError> {
        self.slot = None;
        let Some(payer) = self.run.payer else {
            let problem = crate::payer::NodeProblem::Unreachable("no node is configured".to_owned());
            return Ok(Sighting { seen: Seen::Unknown(problem), node_time: None });
        };
        let sighting = sight(self.run.ledger, payer, intent, track_ms).await?;
        self.heed_node_time(sighting.node_time);
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
        self.place = Some(Place::take(&self.shared.in_flight));
        Ok(sighting)
    }

    async fn redeem(&mut self, purchase: &PaidPurchase) -> Result<Result<HttpAnswer, HttpFailure>, LedgerError> {
        self.slot = None;
        let request = self.request(purchase.payment()).await?;
        let latest = purchase.intent().credential_expires_at().plus_ms(-self.run.settings.bounds.lifetime_ms_min);
        self.shared.pace.turn(self.run.clock, &request.url, Class::Redeem, Some(latest)).await;
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
                let waited = tokio::select! {
                    biased;
                    () = self.shared.give_up.notified() => false,
                    waited = self.unless_draining(sleep) => waited,
                };
                self.place = Some(Place::take(&self.shared.in_flight));
                waited
            }
        }
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
