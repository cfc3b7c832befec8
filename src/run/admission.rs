//! Which pending job is bought next: manifest order, identical requests apart (rule 9), in pages of bounded size.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};

use crate::catalog::Apart;
use crate::ledger::{BatchKey, JobKey, Ledger, LedgerError, PendingJob};
use crate::plan::ContentHash;
use crate::time::UnixMs;

use super::Settings;
use super::breaker::Breaker;
use super::drive::Shared;

const PAGE: usize = 256;
/// Jobs set aside while others go on: twins of one under way, and those of an endpoint that delivers nothing. Where more are waiting, admission waits with them.
const ASIDE_MAX: usize = 1_024;
const TWINS_KEPT: usize = 4_096;

/// The jobs still to be bought.
pub(super) struct Queue {
    batch: BatchKey,
    after: Option<u64>,
    page: VecDeque<PendingJob>,
    aside: VecDeque<PendingJob>,
    exhausted: bool,
    /// Jobs taken from the pages: of them alone `limit` leaves so many. Whoever was asked about a number of jobs was shown the
    /// price of the first ones, so that no dearer one takes the place of one that has to wait.
    taken: u64,
    /// Jobs that were open when the run began. Where one of them turns out not to be paid it is pending again, but as it
    /// stood in an earlier manifest, under that one's limits, and nobody was asked about it: the next run buys it.
    left_out: HashSet<JobKey>,
}

/// What there is to admit.
pub(super) enum Turn {
    /// This job.
    Job(Box<PendingJob>),
    /// Nothing before that time, or before another job ends.
    NotBefore(Option<UnixMs>),
    /// Nothing more in this run.
    Exhausted,
}

impl Queue {
    pub(super) fn new(batch: BatchKey) -> Self {
        Self {
            batch,
            after: None,
            page: VecDeque::new(),
            aside: VecDeque::new(),
            exhausted: false,
            taken: 0,
            left_out: HashSet::new(),
        }
    }

    /// Buys none of these in this run.
    pub(super) fn leave_out(&mut self, jobs: impl IntoIterator<Item = JobKey>) {
        self.left_out.extend(jobs);
    }

    pub(super) async fn next<L: Ledger>(
        &mut self,
        ledger: &L,
        settings: &Settings,
        shared: &Shared,
        now: UnixMs,
    ) -> Result<Turn, LedgerError> {
        let breaker = &shared.breaker;
        let free_at = |job: &PendingJob| free_at(job, shared, now);
        if let Some(at) = self.aside.iter().position(|job| free_at(job).is_some_and(|free| free <= now))
            && let Some(job) = self.aside.remove(at)
        {
            return Ok(Self::admit(job, shared));
        }
        if self.aside.len() >= ASIDE_MAX {
            // What an endpoint may not have now is left to the next run, so that other endpoints' jobs are reached.
            self.aside.retain(|job| !breaker.is_open(&job.endpoint.name));
        }
        while self.aside.len() < ASIDE_MAX {
            let Some(job) = self.fetch(ledger, settings).await? else { break };
            match free_at(&job) {
                Some(free) if free <= now => return Ok(Self::admit(job, shared)),
                Some(_) | None => self.aside.push_back(job),
            }
        }
        if self.aside.is_empty() && (self.exhausted || self.is_over(settings)) {
            return Ok(Turn::Exhausted);
        }
        Ok(Turn::NotBefore(self.aside.iter().filter_map(free_at).min()))
    }

    /// Whether there is nothing that could still be admitted in this run.
    pub(super) async fn is_exhausted<L: Ledger>(
        &mut self,
        ledger: &L,
        settings: &Settings,
        breaker: &Breaker,
    ) -> Result<bool, LedgerError> {
        if self.aside.iter().any(|job| !breaker.is_open(&job.endpoint.name)) {
            return Ok(false);
        }
        let Some(job) = self.fetch(ledger, settings).await? else { return Ok(true) };
        self.page.push_front(job);
        self.taken = self.taken.saturating_sub(1);
        Ok(false)
    }

    /// Takes a job back that was admitted and could not be asked for.
    pub(super) fn put_back(&mut self, job: PendingJob) {
        self.aside.push_back(job);
    }

    /// Whether `limit` leaves no more.
    fn is_over(&self, settings: &Settings) -> bool {
        settings.limit.is_some_and(|limit| self.taken >= limit)
    }

    fn admit(job: PendingJob, shared: &Shared) -> Turn {
        shared.twins.begin(&job);
        shared.breaker.begin(&job.endpoint.name, job.key);
        Turn::Job(Box::new(job))
    }

    /// The next pending job, in the manifest's order, of those that are wanted.
    async fn fetch<L: Ledger>(&mut self, ledger: &L, settings: &Settings) -> Result<Option<PendingJob>, LedgerError> {
        if self.is_over(settings) {
            return Ok(None);
        }
        loop {
            if self.page.is_empty() && !self.exhausted {
                self.page = ledger.pending(self.batch, self.after, PAGE).await?.into();
                match self.page.back() {
                    Some(last) => self.after = Some(last.seq),
                    None => self.exhausted = true,
                }
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

/// When a job may begin: not while its endpoint delivers nothing, or has still to deliver, or a twin is under way, and not
/// before its twin's window is over and its host wants to hear of us again.
fn free_at(job: &PendingJob, shared: &Shared, now: UnixMs) -> Option<UnixMs> {
    if !shared.breaker.has_room(&job.endpoint.name) {
        return None;
    }
    let free = shared.twins.free_at(job)?;
    Some(shared.pace.blocked_until(&job.endpoint.url, now).map_or(free, |until| free.max(until)))
}

/// Identical requests of this run: one at a time, and a window apart.
#[derive(Default)]
pub(super) struct Twins(RefCell<HashMap<ContentHash, Twin>>);

enum Twin {
    Active(JobKey),
    FreeAt(UnixMs),
}

impl Twins {
    /// When the job may begin as far as its twins of this run are concerned; nothing while one is under way.
    fn free_at(&self, job: &PendingJob) -> Option<UnixMs> {
        if job.endpoint.apart() == Apart::Never {
            return Some(UnixMs(i64::MIN));
        }
        match self.0.borrow().get(&job.content) {
            None => Some(UnixMs(i64::MIN)),
            Some(Twin::FreeAt(at)) => Some(*at),
            Some(Twin::Active(_)) => None,
        }
    }

    fn begin(&self, job: &PendingJob) {
        if job.endpoint.apart() != Apart::Never {
            self.0.borrow_mut().insert(job.content, Twin::Active(job.key));
        }
    }

    /// An open job of an earlier run is under way.
    pub(super) fn resume(&self, content: ContentHash, key: JobKey) {
        self.0.borrow_mut().entry(content).or_insert(Twin::Active(key));
    }

    /// The job was never asked for: its twins need not wait for it.
    pub(super) fn withdraw(&self, content: ContentHash, key: JobKey) {
        let mut twins = self.0.borrow_mut();
        if matches!(twins.get(&content), Some(Twin::Active(active)) if *active == key) {
            twins.remove(&content);
        }
    }

    /// The job is at its end, or this run does nothing more with it, or it has an answer of its own: its twins may begin
    /// from `free_at` on.
    pub(super) fn end(&self, content: ContentHash, key: JobKey, free_at: UnixMs, now: UnixMs) {
        let mut twins = self.0.borrow_mut();
        if matches!(twins.get(&content), Some(Twin::Active(active)) if *active == key) {
            twins.insert(content, Twin::FreeAt(free_at));
        }
        if twins.len() > TWINS_KEPT {
            twins.retain(|_, twin| match twin {
                Twin::Active(_) => true,
                Twin::FreeAt(at) => *at > now,
            });
        }
    }
}
