//! A batch and its plan, in the maps: what becomes of each job is decided as in every store.

use std::sync::Arc;

use crate::ledger::decide::{self, Job, Latest, LoadAction, PaymentState};
use crate::ledger::word::TakeStand;
use crate::ledger::{BatchKey, JobKey, LedgerError, LoadError, PlanLoad, Retake};
use crate::plan::{ContentHash, PlannedJob};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::{BatchRow, JobRow, MemoryLedger, next};

/// A load under way.
struct Load<'a> {
    ledger: &'a mut MemoryLedger,
    batch: BatchKey,
    now: UnixMs,
    /// The number of this load of the batch, from 1.
    number: u64,
    seq: u64,
    report: PlanLoad,
}

impl MemoryLedger {
    /// A new batch of that name.
    pub fn add_batch(&mut self, name: &str, is_play: bool) -> BatchKey {
        let key = BatchKey(next(self.batches.keys().last().map(|key| key.0)));
        self.batches.insert(key, BatchRow { name: name.to_owned(), is_play, ..BatchRow::default() });
        key
    }

    /// The batch of that name, or a new one.
    pub fn begin_batch(&mut self, name: &str) -> BatchKey {
        let known = self.batches.iter().find(|(_, row)| row.name == name).map(|(key, _)| *key);
        known.unwrap_or_else(|| self.add_batch(name, false))
    }

    /// Writes the resolved jobs of a plan into the batch, as [`Loading::load_plan`](crate::ledger::port::Loading::load_plan)
    /// does, without words of a person: takes that somebody must accept, and ids that were made, are not known here.
    ///
    /// # Errors
    /// The first error of `jobs`, or a contradiction. Nothing was written then.
    pub fn load_plan<E>(
        &mut self,
        batch: BatchKey,
        now: UnixMs,
        jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
    ) -> Result<PlanLoad, LoadError<E>> {
        let mut changed = self.clone();
        let Some(row) = changed.batches.get_mut(&batch) else {
            return Err(LoadError::Ledger(LedgerError::Contradiction(format!("there is no batch {}", batch.0))));
        };
        row.loads = row.loads.saturating_add(1);
        let number = row.loads;
        let mut load = Load { ledger: &mut changed, batch, now, number, seq: 0, report: PlanLoad::default() };
        for job in jobs {
            load.add(&job.map_err(LoadError::Plan)?).map_err(LoadError::Ledger)?;
        }
        load.withdraw();
        let report = load.report;
        *self = changed;
        Ok(report)
    }

    /// Every take of a job that stands, the latest last.
    fn stands(&self, batch: BatchKey, id: &str) -> Vec<TakeStand> {
        let of_job = self.jobs.values().filter(|row| row.job.batch == batch && row.id == id);
        let mut takes: Vec<TakeStand> = of_job
            .map(|row| TakeStand {
                take: row.take,
                state: row.job.state,
                reason: row.job.reason,
                content: row.content,
                kept: row.kept,
                unsettled: row.job.reason != Reason::Decided
                    && self
                        .payments
                        .values()
                        .any(|one| one.job == row.job.key && one.fate.state == PaymentState::Intended),
            })
            .collect();
        takes.sort_by_key(|take| take.take);
        takes
    }
}

impl Load<'_> {
    fn add(&mut self, job: &PlannedJob) -> Result<(), LedgerError> {
        let is_it = |row: &&JobRow| row.job.batch == self.batch && row.id == job.id && !row.job.superseded;
        let known = self.ledger.jobs.values().find(is_it).cloned();
        match known {
            None => {
                self.insert(job, 1);
                self.report.new = self.report.new.saturating_add(1);
            }
            Some(known) if known.last_load == self.number => {
                let what = format!("the plan has two jobs of the id {}", job.id);
                return Err(LedgerError::Contradiction(what));
            }
            Some(known) => self.known(&known, job)?,
        }
        self.seq = self.seq.saturating_add(1);
        Ok(())
    }

    fn known(&mut self, known: &JobRow, job: &PlannedJob) -> Result<(), LedgerError> {
        let latest = Latest {
            take: known.take,
            state: known.job.state,
            reason: known.job.reason,
            content: known.content,
            kept: known.kept,
            asks_otherwise: *known.endpoint != *job.endpoint,
        };
        let takes = || Ok::<_, LedgerError>(self.ledger.stands(self.batch, &job.id));
        let (action, unmet) = decide::load(&Retake::default(), &latest, job, takes, || Ok(false))?;
        self.report.note(&action, unmet, &latest, job);
        match action {
            LoadAction::Keep => self.place(known, job, latest.reason),
            LoadAction::Mark(reason) => self.place(known, job, reason),
            LoadAction::Refresh => self.rewrite(known, job, (latest.state, latest.reason), false),
            LoadAction::Again => self.rewrite(known, job, (JobState::Pending, Reason::None), false),
            LoadAction::Replace => self.rewrite(known, job, (JobState::Pending, Reason::None), true),
            LoadAction::Withdraw => self.end(known.job.key, Reason::Withdrawn),
            LoadAction::Retake | LoadAction::Discard => {
                return Err(LedgerError::Contradiction("nobody has said a word for it".to_owned()));
            }
        }
        match action {
            LoadAction::Again => self.report.again = self.report.again.saturating_add(1),
            LoadAction::Mark(reason) if reason.is_of_manifest() => {}
            LoadAction::Keep | LoadAction::Refresh | LoadAction::Mark(_) => {
                self.report.unchanged = self.report.unchanged.saturating_add(1);
            }
            LoadAction::Replace | LoadAction::Withdraw | LoadAction::Retake | LoadAction::Discard => {}
        }
        Ok(())
    }

    fn insert(&mut self, job: &PlannedJob, take: u32) {
        let key = JobKey(next(self.ledger.jobs.keys().last().map(|key| key.0)));
        let mut row = JobRow::of(key, self.batch, job);
        (row.take, row.seq, row.last_load) = (take, self.seq, self.number);
        self.ledger.jobs.insert(key, row);
    }

    /// Only its place in the manifest, and its mark.
    fn place(&mut self, known: &JobRow, job: &PlannedJob, reason: Reason) {
        let row_content = Some(job.content).filter(|content| *content != known.content);
        self.change(known.job.key, known.job.state, reason, |row| {
            row.row_content = row_content;
            row.extra.clone_from(&job.extra);
        });
    }

    /// What was planned now, in its place.
    fn rewrite(&mut self, known: &JobRow, job: &PlannedJob, to: (JobState, Reason), forget_error: bool) {
        let planned = JobRow::of(known.job.key, self.batch, job);
        self.change(known.job.key, to.0, to.1, |row| {
            (row.endpoint, row.params, row.extra) = (planned.endpoint, planned.params, planned.extra);
            row.meant &= row.content == planned.content;
            (row.content, row.row_content) = (planned.content, None);
            let Job { price, fee_ceiling, max_cost, .. } = planned.job;
            (row.job.price, row.job.fee_ceiling, row.job.max_cost) = (price, fee_ceiling, max_cost);
            row.job.wait_until = None;
            if forget_error {
                row.job.error = None;
            }
            if to.0 == JobState::Pending {
                row.job.finished_at = None;
            }
        });
    }

    fn change(&mut self, key: JobKey, state: JobState, reason: Reason, what: impl FnOnce(&mut JobRow)) {
        let (seq, number, now) = (self.seq, self.number, self.now);
        let Some(row) = self.ledger.jobs.get_mut(&key) else { return };
        let was = (row.job.state, row.job.reason);
        what(row);
        (row.job.state, row.job.reason, row.seq, row.last_load) = (state, reason, seq, number);
        row.job.is_gone = false;
        if was != (state, reason) {
            self.ledger.transitions.push((key, now, was.0, state, reason));
        }
    }

    /// It is not bought any more.
    fn end(&mut self, key: JobKey, reason: Reason) {
        let now = self.now;
        self.change(key, JobState::Refused, reason, |row| {
            (row.job.error, row.job.wait_until) = (None, None);
            row.job.finished_at = row.job.finished_at.or(Some(now));
        });
    }

    /// Rows that have gone from the manifest: what is not bought is withdrawn, everything else stays.
    fn withdraw(&mut self) {
        let (batch, number) = (self.batch, self.number);
        let of_batch = self.ledger.jobs.values_mut().filter(|row| row.job.batch == batch && !row.job.superseded);
        let mut gone = Vec::new();
        for row in of_batch.filter(|row| row.last_load < number) {
            row.job.is_gone = true;
            let is_unbought = matches!(row.job.state, JobState::Pending | JobState::Refused | JobState::Failed);
            if is_unbought && row.job.reason != Reason::Withdrawn {
                gone.push((row.job.key, row.seq, row.last_load, row.id.clone()));
            }
        }
        for (key, seq, last_load, id) in gone {
            self.end(key, Reason::Withdrawn);
            self.report.withdrawn.add(&id);
            if let Some(row) = self.ledger.jobs.get_mut(&key) {
                (row.seq, row.last_load, row.job.is_gone) = (seq, last_load, true);
            }
        }
    }
}

impl JobRow {
    /// The first take of a job, to be bought.
    pub(super) fn of(key: JobKey, batch: BatchKey, planned: &PlannedJob) -> Self {
        let job = Job {
            key,
            batch,
            superseded: false,
            price: planned.priced.price,
            fee_ceiling: planned.fee_ceiling,
            max_cost: planned.max_cost,
            is_gone: false,
            state: JobState::Pending,
            reason: Reason::None,
            error: None,
            wait_until: None,
            url: None,
            attempts: 0,
            started_at: None,
            finished_at: None,
        };
        Self {
            job,
            id: planned.id.clone(),
            take: 1,
            merged: false,
            content: planned.content,
            row_content: None::<ContentHash>,
            meant: false,
            kept: None,
            seq: planned.seq,
            last_load: 0,
            endpoint: Arc::clone(&planned.endpoint),
            params: planned.params.clone(),
            extra: planned.extra.clone(),
            mark: None,
            file: None,
        }
    }
}
