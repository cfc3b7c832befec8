//! Which pending job is bought next: manifest order, identical requests apart (rule 9), in pages of bounded size.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::catalog::Endpoint;
use crate::ledger::{BatchKey, HeldBack, JobKey, Ledger, LedgerError, PendingJob, Prospect};
use crate::origin::Origin;
use crate::payer::Payer;
use crate::purchase::Reason;
use crate::time::UnixMs;

use super::shared::Shared;
use super::{Clock, Run, Settings};
use crate::life::Tries;

const PAGE: usize = 256;
/// Jobs set aside while others go on: identical requests of one under way, and those of an endpoint that delivers nothing.
/// Where more are waiting, admission waits with them.
const ASIDE_MAX: usize = 1_024;
/// How often it is looked whether another process has made room.
const LOOK_MS: i64 = 1_000;

/// The jobs still to be bought.
pub(super) struct Queue {
    batch: BatchKey,
    page: VecDeque<PendingJob>,
    aside: VecDeque<Aside>,
    exhausted: bool,
    /// Jobs taken from the pages: of them alone `limit` leaves so many. Whoever was asked about a number of jobs was shown the
    /// price of the first ones, so that no dearer one takes the place of one that has to wait.
    taken: u64,
    /// Jobs that were open when the run began. Where one of them turns out not to be paid it is pending again, but as it
    /// stood in an earlier manifest, under that one's limits, and nobody was asked about it: the next run buys it.
    left_out: HashSet<JobKey>,
    /// Since when nothing could begin, and another process might make room.
    waits_since: Option<UnixMs>,
}

/// Jobs that a run could not begin, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldJobs {
    /// Which jobs that were not reached it concerns as well.
    pub whose: Whose,
    /// The reason, as results and events name it.
    pub reason: Reason,
    /// Why they could not begin, in words for a person.
    pub words: String,
    /// Those that were reached.
    pub jobs: Vec<JobKey>,
}

/// Whom it concerns that jobs could not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The named jobs alone.
    Named,
    /// All pending jobs of the endpoint of that name.
    AllOfEndpoint(String),
    /// All pending jobs.
    AllPending,
}

/// A pending job, and what this run has tried of it so far.
pub(super) struct Aside {
    pub(super) job: Box<PendingJob>,
    pub(super) tries: Tries,
}

/// What there is to admit.
pub(super) enum Turn {
    /// This job begins now.
    Job(Aside),
    /// Nothing before that time, or before another job ends.
    NotBefore {
        /// That time; none where only another job's end makes room.
        free: Option<UnixMs>,
        /// Another process may make room: look again then.
        look: Option<UnixMs>,
    },
    /// Nothing more in this run.
    Exhausted,
}

impl Queue {
    pub(super) fn new(batch: BatchKey) -> Self {
        Self {
            batch,
            page: VecDeque::new(),
            aside: VecDeque::new(),
            exhausted: false,
            taken: 0,
            left_out: HashSet::new(),
            waits_since: None,
        }
    }

    /// Buys none of these in this run.
    pub(super) fn leave_out(&mut self, jobs: impl IntoIterator<Item = JobKey>) {
        self.left_out.extend(jobs);
    }

    pub(super) async fn next<L: Ledger, P: Payer, O: Origin, C: Clock>(
        &mut self,
        run: &Run<'_, L, P, O, C>,
        shared: &Shared,
    ) -> Result<Turn, LedgerError> {
        let now = run.clock.now();
        let mut looks = Looks::default();
        let mut at = 0;
        while let Some(Aside { job, .. }) = self.aside.get(at).filter(|_| !looks.node_is_full) {
            if is_free(job, shared, now)
                && looks.token_lets_begin(run, shared, job).await?
                && looks.may_begin(run, shared, job).await?
                && let Some(job) = self.aside.remove(at)
            {
                return Ok(self.admit(job, shared));
            }
            at += 1;
        }
        if self.aside.len() >= ASIDE_MAX {
            // What an endpoint may not have now is left to the next run, so that other endpoints' jobs are reached.
            self.aside.retain(|aside| {
                let endpoint = &aside.job.endpoint;
                !shared.bounds.is_shut(&endpoint.name, now) && shared.tokens.words(endpoint).is_none()
            });
        }
        while self.aside.len() < ASIDE_MAX && !looks.node_is_full {
            let Some(job) = self.fetch(run.ledger, run.settings).await? else { break };
            let job = Aside { job: Box::new(job), tries: Tries::default() };
            if is_free(&job.job, shared, now)
                && looks.token_lets_begin(run, shared, &job.job).await?
                && looks.may_begin(run, shared, &job.job).await?
            {
                return Ok(self.admit(job, shared));
            }
            self.aside.push_back(job);
        }
        if self.aside.is_empty() && (self.exhausted || self.is_over(run.settings)) {
            return Ok(Turn::Exhausted);
        }
        let free =
            self.aside.iter().filter_map(|aside| free_at(&aside.job, shared, now)).filter(|free| *free > now).min();
        Ok(Turn::NotBefore { free, look: self.look_again(run.settings, shared, now) })
    }

    /// When to look again whether another process has made room; none where none can, or has not for so long that the next
    /// run is to see to it.
    fn look_again(&mut self, settings: &Settings, shared: &Shared, now: UnixMs) -> Option<UnixMs> {
        if !shared.bounds.may_change_elsewhere() && !shared.tokens.may_change_elsewhere() {
            self.waits_since = None;
            return None;
        }
        let waited_ms = now.since_ms(*self.waits_since.get_or_insert(now));
        let patience_ms = i64::try_from(settings.wait_doubt_ms).unwrap_or(i64::MAX);
        (waited_ms < patience_ms).then(|| now.plus_ms(LOOK_MS))
    }

    /// The jobs that could not begin, with what holds each of them back: for the last word of a run.
    pub(super) async fn held_back<L: Ledger, P: Payer, O: Origin, C: Clock>(
        &self,
        run: &Run<'_, L, P, O, C>,
        shared: &Shared,
    ) -> Result<Vec<HeldJobs>, LedgerError> {
        let mut looks = Looks::default();
        for Aside { job, .. } in &self.aside {
            // What was learnt while the run went on may be old.
            looks.look(run, shared, job).await?;
            looks.token_lets_begin(run, shared, job).await?;
        }
        let mut held = Vec::new();
        let mut left: Vec<&PendingJob> = self.aside.iter().map(|aside| &*aside.job).collect();
        if let Some(cause) = shared.bounds.of_node() {
            let jobs = left.drain(..).map(|job| job.key).collect();
            held.push(HeldJobs { whose: Whose::AllPending, reason: cause.reason(), words: cause.to_string(), jobs });
        }
        for (name, cause) in shared.bounds.of_endpoints() {
            let (its, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|job| job.endpoint.name == name);
            left = others;
            let jobs = its.iter().map(|job| job.key).collect();
            let whose = Whose::AllOfEndpoint(name);
            held.push(HeldJobs { whose, reason: cause.reason(), words: cause.to_string(), jobs });
        }
        let mut of_tokens: Vec<HeldJobs> = Vec::new();
        left.retain(|job| {
            let Some(words) = shared.tokens.words(&job.endpoint).filter(|_| job.endpoint.is_reusable()) else {
                return true;
            };
            let whose = Whose::AllOfEndpoint(job.endpoint.name.clone());
            match of_tokens.iter_mut().find(|held| held.whose == whose) {
                Some(held) => held.jobs.push(job.key),
                None => of_tokens.push(HeldJobs { whose, reason: Reason::AwaitingToken, words, jobs: vec![job.key] }),
            }
            false
        });
        held.extend(of_tokens);
        for job in left {
            if let Some(identical) = shared.identical.in_the_way(job) {
                let words =
                    format!("{identical} sends the identical request and is still open: it is bought after that one");
                let reason = Reason::IdenticalRequest;
                held.push(HeldJobs { whose: Whose::Named, reason, words, jobs: vec![job.key] });
            }
        }
        Ok(held)
    }

    /// Whether there is nothing that could still be admitted in this run.
    pub(super) async fn is_exhausted<L: Ledger>(
        &mut self,
        ledger: &L,
        settings: &Settings,
        shared: &Shared,
        now: UnixMs,
    ) -> Result<bool, LedgerError> {
        if self.aside.iter().any(|aside| !shared.bounds.is_shut(&aside.job.endpoint.name, now)) {
            return Ok(false);
        }
        let Some(job) = self.fetch(ledger, settings).await? else { return Ok(true) };
        self.page.push_front(job);
        self.taken = self.taken.saturating_sub(1);
        Ok(false)
    }

    /// Takes a job back that was admitted and could not be asked for.
    pub(super) fn put_back(&mut self, job: Aside) {
        self.aside.push_back(job);
    }

    /// Whether there may be more to admit.
    pub(super) fn has_left(&self, settings: &Settings) -> bool {
        !(self.aside.is_empty() && self.page.is_empty() && (self.exhausted || self.is_over(settings)))
    }

    /// Whether `limit` leaves no more.
    fn is_over(&self, settings: &Settings) -> bool {
        settings.limit.is_some_and(|limit| self.taken >= limit)
    }

    fn admit(&mut self, aside: Aside, shared: &Shared) -> Turn {
        self.waits_since = None;
        shared.identical.begin(&aside.job);
        shared.tokens.begin(&aside.job);
        shared.bounds.begin(aside.job.key, &aside.job.endpoint);
        Turn::Job(aside)
    }

    /// The next pending job, in the manifest's order, of those that are wanted.
    async fn fetch<L: Ledger>(&mut self, ledger: &L, settings: &Settings) -> Result<Option<PendingJob>, LedgerError> {
        if self.is_over(settings) {
            return Ok(None);
        }
        loop {
            if self.page.is_empty() && !self.exhausted {
                self.page = ledger.claim(self.batch, PAGE).await?.into();
                self.exhausted = self.page.is_empty();
            }
            match self.page.pop_front() {
                Some(job) if self.left_out.contains(&job.key) => {}
                Some(job) if settings.only.as_ref().is_some_and(|only| !only.contains(&job.id)) => {}
                next => {
                    self.taken = self.taken.saturating_add(u64::from(next.is_some()));
                    return Ok(next);
                }
            }
        }
    }
}

/// What was asked of the ledger in one turn: once for each endpoint.
#[derive(Default)]
struct Looks {
    endpoints: HashMap<*const Endpoint, bool>,
    /// Where a token is being bought by a job that is not asked for in this run.
    open_tokens: HashSet<*const Endpoint>,
    node_is_full: bool,
}

impl Looks {
    /// Whether the bounds on endpoint, origin and node let the job begin.
    async fn may_begin<L: Ledger, P: Payer, O: Origin, C: Clock>(
        &mut self,
        run: &Run<'_, L, P, O, C>,
        shared: &Shared,
        job: &PendingJob,
    ) -> Result<bool, LedgerError> {
        // One question to the ledger after the other would let no more begin in a second than it answers.
        if shared.bounds.has_room(&job.endpoint.name) {
            return Ok(true);
        }
        self.look(run, shared, job).await
    }

    /// Whether the token of its endpoint lets the job begin.
    async fn token_lets_begin<L: Ledger, P: Payer, O: Origin, C: Clock>(
        &mut self,
        run: &Run<'_, L, P, O, C>,
        shared: &Shared,
        job: &PendingJob,
    ) -> Result<bool, LedgerError> {
        let endpoint = Arc::as_ptr(&job.endpoint);
        let lets = !self.open_tokens.contains(&endpoint) && run.token_lets_begin(shared, job).await?;
        if !lets {
            self.open_tokens.insert(endpoint);
        }
        Ok(lets)
    }

    async fn look<L: Ledger, P: Payer, O: Origin, C: Clock>(
        &mut self,
        run: &Run<'_, L, P, O, C>,
        shared: &Shared,
        job: &PendingJob,
    ) -> Result<bool, LedgerError> {
        let known = self.endpoints.get(&Arc::as_ptr(&job.endpoint)).copied();
        if let Some(may_begin) = known.or(self.node_is_full.then_some(false)) {
            return Ok(may_begin);
        }
        let held = run.held_back(shared, job).await?;
        self.node_is_full = held.as_ref().is_some_and(HeldBack::is_of_node);
        self.endpoints.insert(Arc::as_ptr(&job.endpoint), held.is_none());
        Ok(held.is_none())
    }
}

impl<L: Ledger, P: Payer, O: Origin, C: Clock> Run<'_, L, P, O, C> {
    /// Whether the token of its endpoint lets the job begin: one is in use, or there is none, and this job may buy it.
    pub(super) async fn token_lets_begin(&self, shared: &Shared, job: &PendingJob) -> Result<bool, LedgerError> {
        let Some(buying) = shared.buying.as_ref().filter(|_| job.endpoint.is_reusable()) else { return Ok(true) };
        if let Some(lets_begin) = shared.tokens.known(job) {
            return Ok(lets_begin);
        }
        let token = self.ledger.token(job.key, &job.endpoint.url, buying.node.network).await?;
        Ok(shared.tokens.learn(job, token))
    }

    /// Why that job's purchase may not begin now; none where it may.
    pub(super) async fn held_back(&self, shared: &Shared, job: &PendingJob) -> Result<Option<HeldBack>, LedgerError> {
        let Some(buying) = &shared.buying else { return Ok(None) };
        let (endpoint, now) = (&job.endpoint, self.clock.now());
        let prospect = Prospect {
            batch: buying.batch,
            url: endpoint.url.clone(),
            node: buying.node.id.clone(),
            bounds: buying.bounds,
            asking: shared.bounds.asking(job.key, endpoint, buying.bounds.payments_in_flight),
            cost: job.most(),
            caps: self.settings.budget.caps_at(now, &endpoint.url),
        };
        let held = self.ledger.held_back(now, &prospect).await?;
        if let Some(event) = shared.bounds.note(&endpoint.name, held.as_ref(), now) {
            self.listener.hear(&event);
        }
        Ok(held)
    }
}

/// Whether nothing but the bounds keeps the job from beginning now.
fn is_free(job: &PendingJob, shared: &Shared, now: UnixMs) -> bool {
    free_at(job, shared, now).is_some_and(|free| free <= now)
}

/// When a job may begin, as far as the bounds let it: not while an identical request is under way, and not before its
/// window is over and its host wants to hear of us again; nor while another job buys the token that serves it.
fn free_at(job: &PendingJob, shared: &Shared, now: UnixMs) -> Option<UnixMs> {
    if shared.tokens.has_to_wait(job) {
        return None;
    }
    let free = shared.identical.free_at(job)?;
    Some(shared.pace.blocked_until(&job.endpoint.url, now).map_or(free, |until| free.max(until)))
}
