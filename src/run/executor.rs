//! The loop of a run: admits jobs, drives them together, and ends when there is nothing left to do or to wait for.

use std::borrow::Cow;
use std::collections::VecDeque;

use futures::FutureExt;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, Semaphore};

use crate::catalog::DedupPolicy;
use crate::error::Hinted;
use crate::event::{Event, Listener};
use crate::ledger::{BatchKey, JobKey, Lack, Ledger, LedgerError, OpenJob, OpenStage, Record};
use crate::money::Msat;
use crate::origin::Origin;
use crate::payer::{NodeInfo, NodeProblem, Payer, ProblemKind, lacks};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::admission::{Aside, HeldJobs, Queue, Turn};
use super::balance::Balance;
use super::bounds::{Bounds, Buying};
use super::clock::SteadyClock;
use super::drive::{Driver, Job};
use super::identical::{IdenticalRequests, request_key};
use super::node_health::NodeHealth;
use super::pace::Pace;
use super::prices::{Cheaper, PriceRefusals};
use super::refund::Claims;
use super::shared::Shared;
use super::tokens::Tokens;
use super::{Clock, Control, DrainCause, Settings};
use crate::life::{Facts, Input, State, resume};

/// So many payment slots are there for one challenge that may stand ready while all of them are taken.
const ASKED_AHEAD_SHARE: usize = 8;

/// All that a run works with. Nothing of a manifest or a catalogue is among it: the ledger holds the jobs.
pub struct Run<'a, L, P, O, C> {
    /// The ledger in which everything is recorded.
    pub ledger: &'a L,
    /// The node; none where nothing is bought and no node is configured.
    pub payer: Option<&'a P>,
    /// The way to every origin.
    pub origin: &'a O,
    /// Tells the time, and waits.
    pub clock: &'a C,
    /// Who hears of what was committed.
    pub listener: &'a dyn Listener,
    /// Limits and bounds.
    pub settings: &'a Settings,
    /// How it is told to stop.
    pub control: Control,
}

/// How a run ended. What became of the jobs is in the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// It was told to stop.
    pub drained: Option<DrainCause>,
    /// It left at once, by a second signal.
    pub left: bool,
    /// The node was unusable for too long; why.
    pub node_unusable: Option<String>,
    /// The first limit that was reached, and its words.
    pub limit_reached: Option<(Reason, String)>,
    /// What was paid with less than the plan says.
    pub cheaper: Cheaper,
    /// What was paid with less than the plan's cap.
    pub below_cap: Cheaper,
    /// Jobs that another one's token served: nothing was paid for them.
    pub served: u64,
    /// Jobs that could not begin, by what endpoints, origins and the node hold in the ledger.
    pub held_back: Vec<HeldJobs>,
}

/// Why a run ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The ledger failed: the outcome of the last commit is unknown, and nothing more was spent.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A defect of this program.
    #[error("internal error: {0}; nothing is lost, the ledger is whole")]
    Defect(String),
}

impl Hinted for RunError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Ledger(error) => error.hint(),
            Self::Defect(_) => Some("please report this".into()),
        }
    }
}

/// So many requests with pictures are built at once.
const BUILDERS: usize = 2;

enum Finished {
    /// A job; what is given back may be asked for later.
    Job(Option<Aside>),
    Probe(Result<NodeInfo, NodeProblem>),
    Balance(Result<Msat, NodeProblem>),
    Claim,
}

/// What is under way. An error ends the run.
type Work<'r> = FuturesUnordered<LocalBoxFuture<'r, Result<Finished, RunError>>>;

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Run<'_, L, P, O, C> {
    /// Brings every open job of the batch (of all batches, with none) on, and buys nothing.
    ///
    /// # Errors
    /// Where the ledger fails; everything durable is safe.
    pub async fn recover(&self, batch: Option<BatchKey>) -> Result<Outcome, RunError> {
        let clock = SteadyClock::new(self.clock);
        let run = self.with_clock(&clock);
        let shared = run.shared(None);
        run.leave_damaged(batch).await?;
        let open = run.ledger.open_jobs(batch).await?;
        shared.claims.found(run.ledger.open_refunds(batch).await?);
        run.work(&shared, None, open).await
    }

    /// Claims the refunds of the batch that can still be claimed or come (of these jobs, where any are named), and does
    /// nothing else.
    ///
    /// # Errors
    /// Where the ledger fails; everything durable is safe.
    pub async fn claim(&self, batch: BatchKey, only: &[String]) -> Result<Outcome, RunError> {
        let clock = SteadyClock::new(self.clock);
        let run = self.with_clock(&clock);
        let shared = run.shared(None);
        let mut wanted = Vec::new();
        for payment in run.ledger.open_refunds(Some(batch)).await? {
            let refund = run.ledger.refund(payment).await?;
            if refund.is_some_and(|refund| only.is_empty() || only.contains(&refund.id)) {
                wanted.push(payment);
            }
        }
        shared.claims.found(wanted);
        run.work(&shared, None, Vec::new()).await
    }

    /// Brings every open job of the batch on, and buys what is pending, through that node.
    ///
    /// # Errors
    /// Where the ledger fails; everything durable is safe.
    pub async fn buy(&self, batch: BatchKey, node: NodeInfo) -> Result<Outcome, RunError> {
        let clock = SteadyClock::new(self.clock);
        let run = self.with_clock(&clock);
        let buying = Buying::new(batch, node, self.settings, clock.now());
        let shared = run.shared(Some(buying));
        for words in run.payer.map(lacks).into_iter().flatten() {
            run.listener.hear(&Event::Warning { message: words.to_owned() });
        }
        run.leave_damaged(Some(batch)).await?;
        let open = run.ledger.open_jobs(Some(batch)).await?;
        shared.claims.found(run.ledger.open_refunds(Some(batch)).await?);
        run.work(&shared, Some(Queue::new(batch)), open).await
    }

    fn with_clock<'b, D>(&'b self, clock: &'b D) -> Run<'b, L, P, O, D> {
        Run {
            ledger: self.ledger,
            payer: self.payer,
            origin: self.origin,
            clock,
            listener: self.listener,
            settings: self.settings,
            control: self.control.clone(),
        }
    }

    fn shared(&self, buying: Option<Buying>) -> Shared {
        let node_time = buying.as_ref().and_then(|buying| buying.node.node_time);
        let ahead_ms = node_time.map_or(0, |node_time| node_time.since_ms(self.clock.now()));
        let slots = self.settings.payments_in_flight.clamp(1, Semaphore::MAX_PERMITS / 2);
        Shared {
            pace: Pace::new(self.settings.requests_per_second),
            slots: Semaphore::new(slots),
            asks: Semaphore::new(slots + slots / ASKED_AHEAD_SHARE),
            builders: Semaphore::new(BUILDERS),
            node_health: NodeHealth::default(),
            bounds: Bounds::default(),
            silent: std::cell::RefCell::default(),
            identical: IdenticalRequests::default(),
            tokens: Tokens::default(),
            claims: Claims::default(),
            in_flight: std::cell::Cell::new(0),
            balance: Balance::of(self.settings.prices.clone()),
            buying,
            node_ahead_ms: std::cell::Cell::new(ahead_ms),
            slots_first_until: std::cell::Cell::new(UnixMs(i64::MIN)),
            cheaper: std::cell::Cell::default(),
            below_cap: std::cell::Cell::default(),
            served: std::cell::Cell::default(),
            price_refusals: PriceRefusals::default(),
            limit_hit: std::cell::RefCell::default(),
            doubt_timed_out: std::cell::Cell::new(false),
            abandoned_lookups: std::cell::Cell::new(0),
            has_asked_for_settlement: std::cell::Cell::new(false),
            doubt_timeout: Notify::new(),
            wake: Notify::new(),
        }
    }

    async fn work(&self, shared: &Shared, mut queue: Option<Queue>, open: Vec<OpenJob>) -> Result<Outcome, RunError> {
        let mut open: VecDeque<OpenJob> = open.into();
        for job in open.iter().filter(|job| keeps_identicals_waiting(job)) {
            shared.identical.resume(job);
        }
        if let Some(queue) = &mut queue {
            // What a person gave up is bought by the queue, if at all, once it is known that it has not settled after all.
            let abandoned = |job: &&OpenJob| matches!(job.stage, OpenStage::Abandoned(_));
            queue.leave_out(open.iter().filter(|job| !abandoned(job)).map(|job| job.key));
        }
        let mut work: Work<'_> = FuturesUnordered::new();
        let mut give_up_at: Option<UnixMs> = None;
        let mut said_draining = false;
        loop {
            self.admit_claims(shared, &work);
            let admission = self.admit(shared, &mut queue, &mut open, &mut work).await?;
            self.look_at_balance(shared, &work);
            let nothing_left = admission.leaves_nothing(shared);
            if nothing_left && work.is_empty() && admission.look().is_none() {
                if shared.claims.look_again() {
                    continue;
                }
                break;
            }
            give_up_at = match admission {
                // It is not known yet whether anything is left.
                Admission::Again => give_up_at,
                Admission::Full | Admission::Later { .. } | Admission::Over => {
                    self.doubt_deadline(shared, &work, nothing_left, give_up_at)
                }
            };
            let probe_at = shared.node_health.next_probe();
            let wake_at = [admission.not_before(), admission.look(), give_up_at, probe_at].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = self.control.until_leaving() => return Ok(self.outcome(shared)),
                () = self.control.until_draining(), if !said_draining => {
                    said_draining = true;
                    self.say_draining();
                }
                () = self.control.until_not_buying(), if !shared.node_health.is_shut() => shared.node_health.shut(),
                Some(finished) = work.next() => self.finished(shared, &mut queue, finished?),
                () = shared.wake.notified() => {}
                () = self.sleep_until(wake_at) => self.wake(shared, &work, give_up_at),
            }
        }
        // What came before anything could begin is news, too.
        if !said_draining
            && self.control.draining()
            && queue.as_ref().is_some_and(|queue| queue.has_left(self.settings))
        {
            self.say_draining();
        }
        let held_back = match &queue {
            // Boxed: what is needed once must not make the whole run larger.
            Some(queue) => Box::pin(queue.held_back(self, shared)).await?,
            None => Vec::new(),
        };
        Ok(Outcome { held_back, ..self.outcome(shared) })
    }

    /// Claims as many refunds as there is room for, beside the jobs.
    fn admit_claims<'r>(&'r self, shared: &'r Shared, work: &Work<'r>) {
        let over = matches!(self.control.drain_cause(), Some(cause) if cause != DrainCause::OneRound);
        if over || shared.doubt_timed_out.get() {
            shared.claims.only_new();
        }
        while let Some(claim) = self.next_claim(shared) {
            work.push(self.claimed(claim).boxed_local());
        }
    }

    /// Claims one. What it alone lacks is said of it, and the others go on.
    async fn claimed(&self, claim: impl Future<Output = Result<(), LedgerError>>) -> Result<Finished, RunError> {
        match claim.await {
            Err(LedgerError::OfJob(lack)) => {
                self.listener.hear(&Event::Warning { message: format!("a refund: {}", lack.told()) });
            }
            result => result?,
        }
        Ok(Finished::Claim)
    }

    /// Admits as many jobs as there is room for: what is open first, then what is pending.
    async fn admit<'r>(
        &'r self,
        shared: &'r Shared,
        queue: &mut Option<Queue>,
        open: &mut VecDeque<OpenJob>,
        work: &mut Work<'r>,
    ) -> Result<Admission, RunError> {
        if matches!(self.control.drain_cause(), Some(cause) if cause != DrainCause::OneRound) {
            open.clear();
        }
        loop {
            if shared.in_flight.get() >= self.settings.jobs_in_flight.max(1) {
                return Ok(Admission::Full);
            }
            if let Some(job) = open.pop_front() {
                work.push(self.resumed(shared, &job));
                continue;
            }
            let over = self.control.draining()
                || shared.doubt_timed_out.get()
                || shared.node_health.is_shut()
                || shared.limit_hit.borrow().is_some();
            let Some(waiting) = queue.as_mut().filter(|_| !over) else { return Ok(Admission::Over) };
            if shared.abandoned_lookups.get() > 0 {
                return Ok(Admission::Later { free: None, look: None });
            }
            let mut ended = Vec::new();
            let turn = beside(work, &mut ended, self.turn(shared, waiting)).await?;
            let is_old = !ended.is_empty();
            for finished in ended {
                self.finished(shared, queue, finished);
            }
            match turn {
                Turn::Job(job) => work.push(self.bought(shared, job)),
                // What has ended may be put back, or have made room.
                Turn::NotBefore { .. } | Turn::Exhausted if is_old => {
                    shared.wake.notify_one();
                    return Ok(Admission::Again);
                }
                Turn::NotBefore { free, look } => return Ok(Admission::Later { free, look }),
                Turn::Exhausted => return Ok(Admission::Over),
            }
        }
    }

    /// What there is to admit; nothing while the node is in trouble.
    async fn turn(&self, shared: &Shared, queue: &mut Queue) -> Result<Turn, LedgerError> {
        if !shared.node_health.is_paused() {
            return queue.next(self, shared).await;
        }
        let is_exhausted = queue.is_exhausted(self.ledger, self.settings, shared, self.clock.now()).await?;
        Ok(if is_exhausted { Turn::Exhausted } else { Turn::NotBefore { free: None, look: None } })
    }

    fn resumed<'r>(&'r self, shared: &'r Shared, job: &OpenJob) -> LocalBoxFuture<'r, Result<Finished, RunError>> {
        let (state, input) = resume(job);
        let work = Job {
            facts: Facts { key: job.key, id: job.id.clone(), take: job.take, endpoint: job.endpoint.clone() },
            request: job.content,
            price: job.price,
            is_capped: job.endpoint.is_capped(),
            amount: amount_of(&job.stage),
            state: job.state,
            fee: None,
            pending: None,
        };
        let mut driver = Driver::new(self, shared, work);
        if let OpenStage::Abandoned(_) = job.stage {
            driver = driver.looking_back();
        }
        self.driven(driver, state, input)
    }

    fn bought<'r>(
        &'r self,
        shared: &'r Shared,
        Aside { job, tries }: Aside,
    ) -> LocalBoxFuture<'r, Result<Finished, RunError>> {
        let work = Job {
            facts: Facts { key: job.key, id: job.id.clone(), take: job.take, endpoint: job.endpoint.clone() },
            request: request_key(&job),
            price: job.price,
            is_capped: job.endpoint.is_capped(),
            amount: None,
            state: JobState::Pending,
            fee: None,
            pending: Some(job),
        };
        let driver = Driver::new(self, shared, work);
        self.driven(driver, State::Planned(tries), Input::Start)
    }

    /// Drives one job. What it alone lacks is said of it, and the others go on.
    fn driven<'r>(
        &'r self,
        driver: Driver<'r, L, P, O, C>,
        state: State,
        input: Input,
    ) -> LocalBoxFuture<'r, Result<Finished, RunError>> {
        let (key, id) = (driver.job.facts.key, driver.job.facts.id.clone());
        let (shared, endpoint) = (driver.shared, driver.job.facts.endpoint.clone());
        let drive = async move {
            match driver.drive(state, input).await {
                Err(RunError::Ledger(LedgerError::OfJob(lack))) => {
                    // Others may buy the token that it does not buy.
                    shared.tokens.end(&endpoint, key);
                    self.stuck(key, &id, &lack).await?;
                    Ok(Finished::Job(None))
                }
                result => result.map(Finished::Job),
            }
        };
        drive.boxed_local()
    }

    async fn stuck(&self, job: JobKey, id: &str, lack: &Lack) -> Result<(), LedgerError> {
        let record = Record::Stuck { job, reason: lack.reason(), error: lack.told() };
        match self.ledger.commit(self.clock.now(), record).await {
            // Where not even that can be written into its row, it is said all the same.
            Ok(_) | Err(LedgerError::OfJob { .. }) => {}
            Err(error) => return Err(error),
        }
        self.listener.hear(&Event::Warning { message: format!("{id}: {}", lack.told()) });
        Ok(())
    }

    /// Says of each open job whose row cannot be read that it is a person's.
    async fn leave_damaged(&self, batch: Option<BatchKey>) -> Result<(), LedgerError> {
        for job in self.ledger.damaged_jobs(batch).await? {
            self.stuck(job.key, &job.id, &job.lack).await?;
        }
        Ok(())
    }

    /// With nothing left but doubt, and what waits for a job in doubt, a run waits a stated time and ends.
    fn doubt_deadline(
        &self,
        shared: &Shared,
        work: &Work<'_>,
        nothing_left: bool,
        so_far: Option<UnixMs>,
    ) -> Option<UnixMs> {
        let only_doubt = nothing_left && !work.is_empty() && shared.in_flight.get() == 0;
        if !only_doubt || shared.doubt_timed_out.get() {
            return None;
        }
        let wait_ms = i64::try_from(self.settings.wait_doubt_ms).unwrap_or(i64::MAX);
        Some(so_far.unwrap_or_else(|| self.clock.now().plus_ms(wait_ms)))
    }

    fn finished(&self, shared: &Shared, queue: &mut Option<Queue>, finished: Finished) {
        match finished {
            Finished::Job(job) => {
                if let (Some(job), Some(queue)) = (job, queue) {
                    queue.put_back(job);
                }
            }
            Finished::Probe(result) => self.probed(shared, result),
            Finished::Balance(held) => self.looked_at_balance(shared, held),
            Finished::Claim => {}
        }
    }

    fn probed(&self, shared: &Shared, result: Result<NodeInfo, NodeProblem>) {
        // It began before nothing more was to be bought.
        if shared.node_health.is_shut() {
            return;
        }
        let expected = shared.buying.as_ref().map(|buying| &buying.node.id);
        let cause = match result {
            Ok(node) if expected.is_some_and(|id| *id != node.id) => "another node answers at this address".to_owned(),
            Ok(node) if !node.synced => {
                let advise = |payer: &P| payer.advise(ProblemKind::NotSynced);
                self.payer.map_or(NodeProblem::from(ProblemKind::NotSynced), advise).told()
            }
            Ok(_) => {
                shared.node_health.reopen();
                self.listener.hear(&Event::Resumed);
                return;
            }
            Err(problem) => problem.told(),
        };
        shared.node_health.reopen();
        if shared.node_health.trouble(&cause, self.clock.now(), self.settings.node_patience_ms)
            && shared.node_health.closed().is_some()
        {
            self.listener.hear(&Event::Paused { cause: format!("{cause}; nothing more is bought in this run") });
        }
    }

    /// Where the channels could not send so much, and nothing is under way that might give money back: looks how much they hold.
    fn look_at_balance<'r>(&'r self, shared: &'r Shared, work: &Work<'r>) {
        let is_alone = shared.node_health.is_paused() && work.len() == shared.balance.waiting();
        if let Some(payer) = self.payer.filter(|_| is_alone && shared.balance.takes_look()) {
            work.push(async move { Ok(Finished::Balance(payer.balance().await)) }.boxed_local());
        }
    }

    /// Waits for no money that does not come: where nothing that is left can be bought, nothing more is bought in this run.
    fn looked_at_balance(&self, shared: &Shared, held: Result<Msat, NodeProblem>) {
        let too_little = held.ok().and_then(|held| shared.balance.too_little(held));
        if let Some(cause) = too_little.filter(|_| !shared.node_health.is_shut()) {
            self.listener.hear(&Event::Paused { cause: format!("{cause}; nothing more is bought in this run") });
            shared.node_health.close(cause);
        }
    }

    fn wake<'r>(&'r self, shared: &'r Shared, work: &Work<'r>, give_up_at: Option<UnixMs>) {
        let now = self.clock.now();
        if give_up_at.is_some_and(|at| at <= now) {
            shared.doubt_timed_out.set(true);
            shared.doubt_timeout.notify_waiters();
        }
        if shared.node_health.next_probe().is_some_and(|at| at <= now)
            && let Some(payer) = self.payer
        {
            shared.node_health.begin_probe();
            work.push(async move { Ok(Finished::Probe(payer.node().await)) }.boxed_local());
        }
    }

    async fn sleep_until(&self, until: Option<UnixMs>) {
        match until {
            Some(until) => {
                let ms = u64::try_from(until.since_ms(self.clock.now())).unwrap_or(0);
                self.clock.sleep_ms(ms).await;
            }
            None => std::future::pending().await,
        }
    }

    fn say_draining(&self) {
        let cause = match self.control.drain_cause() {
            Some(DrainCause::Interrupted) => "interrupted (once more leaves at once)",
            Some(DrainCause::Terminated) => "told to end",
            Some(DrainCause::Deadline) => "the deadline has come",
            Some(DrainCause::OneRound) | None => return,
        };
        self.listener.hear(&Event::Draining { cause: cause.to_owned() });
    }

    fn outcome(&self, shared: &Shared) -> Outcome {
        Outcome {
            drained: self.control.drain_cause(),
            left: self.control.leaving(),
            node_unusable: shared.node_health.closed(),
            limit_reached: shared.limit_hit.borrow().clone(),
            cheaper: shared.cheaper.get(),
            below_cap: shared.below_cap.get(),
            served: shared.served.get(),
            held_back: Vec::new(),
        }
    }
}

/// Whether more can be admitted.
enum Admission {
    /// Every place is taken.
    Full,
    /// Not before that time, or not before something else changes; and where another process may change something, it is
    /// looked for that again then.
    Later {
        /// That time; none where only another job's end makes room.
        free: Option<UnixMs>,
        /// When to look again.
        look: Option<UnixMs>,
    },
    /// Jobs have ended while it was looked: look again at once.
    Again,
    /// Nothing more in this run.
    Over,
}

impl Admission {
    /// Whether nothing begins any more unless something that is under way makes room.
    fn leaves_nothing(&self, shared: &Shared) -> bool {
        match self {
            Self::Over => true,
            Self::Later { free: None, .. } => !shared.node_health.is_paused(),
            Self::Later { .. } | Self::Full | Self::Again => false,
        }
    }

    const fn not_before(&self) -> Option<UnixMs> {
        match self {
            Self::Later { free, .. } => *free,
            Self::Full | Self::Again | Self::Over => None,
        }
    }

    const fn look(&self) -> Option<UnixMs> {
        match self {
            Self::Later { look, .. } => *look,
            Self::Full | Self::Again | Self::Over => None,
        }
    }
}

/// What that comes to, while the jobs go on: whoever waits for the ledger must not keep them waiting. Those that end meanwhile
/// are kept; at the first error no other goes on.
async fn beside<T>(
    work: &mut Work<'_>,
    ended: &mut Vec<Finished>,
    asked: impl Future<Output = Result<T, LedgerError>>,
) -> Result<T, RunError> {
    let mut asked = std::pin::pin!(asked);
    loop {
        tokio::select! {
            biased;
            answer = &mut asked => return Ok(answer?),
            Some(finished) = work.next() => ended.push(finished?),
        }
    }
}

/// Whether an open job of an earlier run keeps identical requests waiting; one that has its own poll address need not, and
/// neither does what a person has given up: where it turns out paid, the ledger itself keeps identical requests apart.
fn keeps_identicals_waiting(job: &OpenJob) -> bool {
    match (job.endpoint.dedup_policy(), &job.stage) {
        (DedupPolicy::Never, _) | (_, OpenStage::Abandoned(_)) | (DedupPolicy::Answer, OpenStage::Accepted(..)) => {
            false
        }
        (DedupPolicy::Window(_) | DedupPolicy::Answer, _) => true,
    }
}

/// What the seller was paid before this run.
fn amount_of(stage: &OpenStage) -> Option<Msat> {
    match stage {
        OpenStage::Intended(_) | OpenStage::Abandoned(_) => None,
        OpenStage::Paid(purchase)
        | OpenStage::Answered(purchase, ..)
        | OpenStage::Accepted(purchase, _)
        | OpenStage::Unposted(purchase) => Some(purchase.intent().amount()),
    }
}
