//! A batch and its plan, in the maps: what is known of its jobs is looked up, and what `decide::load` decides of them is written.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use crate::ledger::decide::load::{Gone, LoadWrite, NewRow, StoredTake, Unproven, given};
use crate::ledger::decide::{Job, PickedShots};
use crate::ledger::load::{ALIKE_MAX, LoadDesk, Unfound};
use crate::ledger::{BatchKey, JobKey, LedgerError, Retake, TakeMark};
use crate::plan::{ContentHash, PlannedJob};
use crate::purchase::{JobState, Reason};

use super::{BatchRow, JobRow, MemoryLedger, next};

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

    /// Whose row has gone from the manifest.
    pub(super) fn tell_who_is_gone(&mut self, batch: BatchKey) {
        let loads = self.batches.get(&batch).map_or(0, |row| row.loads);
        let of_batch = self.jobs.values_mut().filter(|row| row.job.batch == batch);
        of_batch.for_each(|row| row.job.is_gone = row.last_load < loads);
    }

    fn stored_take(&self, row: &JobRow, accepted: u64) -> StoredTake {
        StoredTake {
            key: row.job.key,
            take: row.take,
            state: row.job.state,
            reason: row.job.reason,
            content: row.content,
            kept: row.kept,
            edition: row.edition.clone(),
            meant: row.meant,
            attempts: row.job.attempts,
            asks_otherwise: false,
            is_found: false,
            is_new_word: row.first_load > accepted,
            payments: self.payments_of(row.job.key),
            mark: self.mark_of(row),
            is_beside_pick: false,
            was_touched: self.was_begun(row.job.key) || self.decisions.iter().any(|(job, _)| *job == row.job.key),
        }
    }

    /// What is said of a take.
    fn mark_of(&self, row: &JobRow) -> Option<TakeMark> {
        self.marks.get(&row.job.key).and_then(|marked| marked.mark)
    }

    /// The shots that have their pick.
    fn picked_shots(&self, batch: BatchKey) -> PickedShots {
        let of_batch = || self.jobs.values().filter(|row| row.job.batch == batch);
        let picked =
            of_batch().filter(|row| self.mark_of(row) == Some(TakeMark::Pick)).map(|row| (row.id.clone(), row.content));
        let Ok(picked) = PickedShots::of(picked, |id| Ok::<_, Infallible>(of_batch().any(|row| row.id == id)));
        picked
    }
}

/// A batch whose plan is loaded.
pub(super) struct OfBatch<'a> {
    ledger: &'a mut MemoryLedger,
    batch: BatchKey,
    /// The number of the load that is under way, from 1.
    number: u64,
}

impl<'a> OfBatch<'a> {
    pub(super) fn of(ledger: &'a mut MemoryLedger, batch: BatchKey) -> Self {
        Self { ledger, batch, number: 0 }
    }

    fn accepted(&self) -> u64 {
        self.ledger.batches.get(&self.batch).map_or(0, |row| row.accepted_load)
    }

    /// Latest takes that this load has not found, by their places.
    fn left(&self) -> impl Iterator<Item = &JobRow> {
        self.ledger.latest(self.batch).into_iter().filter(|row| row.last_load < self.number)
    }

    fn takes(&self, id: &str) -> Vec<StoredTake> {
        let of_job = self.ledger.jobs.values().filter(|row| row.job.batch == self.batch && row.id == id);
        let picked = self.ledger.picked_shots(self.batch);
        let mut takes: Vec<StoredTake> = of_job
            .map(|row| StoredTake {
                is_found: self.number > 0 && row.last_load == self.number,
                is_beside_pick: picked.has(id, row.content),
                ..self.ledger.stored_take(row, self.accepted())
            })
            .collect();
        takes.sort_by_key(|take| take.take);
        takes
    }

    fn change(&mut self, key: JobKey, what: impl FnOnce(&mut JobRow)) {
        if let Some(row) = self.ledger.jobs.get_mut(&key) {
            what(row);
        }
    }

    fn write(&mut self, write: &LoadWrite<'_>) {
        let (batch, number) = (self.batch, self.number);
        match *write {
            LoadWrite::Add { job, place, take, earlier } => {
                let key = JobKey(next(self.ledger.jobs.keys().last().map(|key| key.0)));
                let mut row = JobRow::of(key, batch, (job, earlier));
                (row.take, row.seq, row.first_load, row.last_load) = (take, place, number, number);
                self.ledger.jobs.insert(key, row);
            }
            LoadWrite::Replaced(key) => self.change(key, |row| row.job.superseded = true),
            LoadWrite::FoundAt { key, job, place, reason } => self.change(key, |row| {
                row.row_content = Some(job.content).filter(|content| *content != row.content);
                row.row_given = Some(given(job)).filter(|given| *given != row.given);
                row.extra.clone_from(&job.extra);
                (row.seq, row.last_load, row.job.reason) = (place, number, reason);
            }),
            LoadWrite::Rewrite { key, job, earlier, place, to, forgets_error } => {
                let planned = JobRow::of(key, batch, (job, earlier));
                self.change(key, |row| {
                    row.rewrite(planned, to, forgets_error);
                    (row.seq, row.last_load) = (place, number);
                });
            }
            LoadWrite::Withdraw { key, at, keeps_end } => self.change(key, |row| {
                let Job { state, reason, error, wait_until, finished_at, .. } = &mut row.job;
                (*state, *reason, *error, *wait_until) = (JobState::Refused, Reason::Withdrawn, None, None);
                *finished_at = finished_at.filter(|_| keeps_end).or(Some(at));
            }),
            LoadWrite::Stand { key, at, to, words, is_meant } => self.change(key, |row| {
                (row.job.state, row.job.reason, row.job.wait_until) = (to.0, to.1, None);
                (row.job.error, row.job.finished_at) = (words.map(str::to_owned), words.map(|_| at));
                row.meant |= is_meant;
            }),
            LoadWrite::Mark { job, reason } => self.change(job, |row| row.job.reason = reason),
            LoadWrite::Transition { job, at, from, to, reason } => {
                self.ledger.transitions.push((job, at, from, to, reason));
            }
            // Nothing is known here by its receipt alone.
            LoadWrite::Learn { .. } => {}
            LoadWrite::Accept { of, .. } => self.ledger.decisions.push((of, "retake")),
            LoadWrite::DiscardTake { gone, latest } => {
                self.ledger.transitions.retain(|(job, ..)| *job != gone);
                self.put_in_place(gone, latest);
            }
            LoadWrite::Recognise { new, was, reason } => {
                self.put_in_place(new, was);
                self.change(was, |row| row.job.reason = reason);
            }
            LoadWrite::Join { new, was, take } => {
                let id = self.ledger.jobs.get(&was).map(|row| row.id.clone()).unwrap_or_default();
                self.change(new, |row| (row.id, row.take) = (id, take));
            }
        }
    }

    /// One row goes, and another stands in its place.
    fn put_in_place(&mut self, gone: JobKey, stays: JobKey) {
        let Some(gone) = self.ledger.jobs.remove(&gone) else { return };
        self.change(stays, |row| {
            (row.seq, row.extra, row.last_load) = (gone.seq, gone.extra, gone.last_load);
            row.row_content = Some(gone.content).filter(|content| *content != row.content);
            row.row_given = Some(gone.given).filter(|given| *given != row.given);
            (row.job.superseded, row.job.is_gone) = (false, gone.job.is_gone);
        });
    }
}

impl LoadDesk for OfBatch<'_> {
    type Error = LedgerError;

    fn further(&mut self) -> Result<Vec<Vec<StoredTake>>, LedgerError> {
        let further =
            self.ledger.latest(self.batch).into_iter().filter(|row| row.take > 1).map(|row| self.takes(&row.id));
        Ok(further.filter(|takes| takes.last().is_some_and(|latest| latest.state.has_spent_nothing())).collect())
    }

    fn begin(&mut self) -> Result<(u64, Unproven), LedgerError> {
        let missing = || LedgerError::Contradiction(format!("there is no batch {}", self.batch.0));
        let row = self.ledger.batches.get_mut(&self.batch).ok_or_else(missing)?;
        row.loads = row.loads.saturating_add(1);
        self.number = row.loads;
        Ok((row.loads, Unproven::default()))
    }

    fn stored(&mut self, _retake: &Retake, jobs: &[PlannedJob]) -> Result<Vec<Vec<StoredTake>>, LedgerError> {
        let beside = |job: &PlannedJob| {
            let mut takes = self.takes(&job.id);
            for take in &mut takes {
                let endpoint = self.ledger.jobs.get(&take.key).map(|row| &row.endpoint);
                take.asks_otherwise = endpoint.is_some_and(|endpoint| **endpoint != *job.endpoint);
            }
            takes
        };
        Ok(jobs.iter().map(beside).collect())
    }

    fn gone(&mut self) -> Result<Vec<Gone>, LedgerError> {
        let bought = self.left().map(|row| (row, self.ledger.stored_take(row, 0)));
        let bought = bought.filter(|(_, take)| !take.state.has_spent_nothing());
        let gone = bought.map(|(row, take)| Gone {
            key: take.key,
            id: row.id.clone(),
            take: take.take,
            state: take.state,
            reason: take.reason,
            content: take.content,
            given: row.given,
            kept: take.kept,
        });
        Ok(gone.collect())
    }

    fn new_rows(&mut self) -> Result<Vec<NewRow>, LedgerError> {
        let is_new = |row: &&JobRow| row.first_load == self.number && row.take == 1;
        let new = self.ledger.latest(self.batch).into_iter().filter(is_new).map(|row| {
            let worst_case = row.job.price.checked_add(row.job.fee_ceiling);
            let is_above_limit = row.job.max_cost.is_some_and(|most| worst_case.is_none_or(|cost| cost > most));
            NewRow { key: row.job.key, id: row.id.clone(), content: row.content, given: row.given, is_above_limit }
        });
        Ok(new.collect())
    }

    fn had(&mut self, id: &str, content: ContentHash) -> Result<bool, LedgerError> {
        Ok(self.takes(id).iter().any(|take| take.content == content))
    }

    fn unfound(&mut self, after: Option<(u64, JobKey)>, most: usize) -> Result<Vec<Unfound>, LedgerError> {
        let is_after = |row: &&JobRow| after.is_none_or(|after| (row.seq, row.job.key) > after);
        let left = self.left().filter(is_after).take(most);
        let unfound = left.map(|row| {
            let (key, id, state) = (row.job.key, row.id.clone(), row.job.state);
            Unfound { key, id, state, reason: row.job.reason, place: row.seq }
        });
        Ok(unfound.collect())
    }

    fn alike(&mut self) -> Result<Vec<(String, String)>, LedgerError> {
        let mut alike: BTreeMap<String, (u64, Option<&str>, Option<&str>)> = BTreeMap::new();
        for row in self.ledger.latest(self.batch) {
            let folded = row.id.trim_start_matches('0').to_ascii_lowercase();
            let (place, new, old) = alike.entry(folded).or_insert((row.seq, None, None));
            let found = if row.first_load == self.number { new } else { old };
            *found = (*found).max(Some(row.id.as_str()));
            *place = row.seq.min(*place);
        }
        let mut alike: Vec<_> = alike.into_values().filter_map(|(place, new, old)| Some((place, new?, old?))).collect();
        alike.sort_by_key(|(place, ..)| *place);
        let named = alike.into_iter().take(ALIKE_MAX).map(|(_, new, old)| (new.to_owned(), old.to_owned()));
        Ok(named.collect())
    }

    fn accept(&mut self) -> Result<(), LedgerError> {
        self.ledger.batches.entry(self.batch).and_modify(|row| row.accepted_load = row.loads);
        Ok(())
    }

    fn apply(&mut self, writes: &[LoadWrite<'_>]) -> Result<(), LedgerError> {
        writes.iter().for_each(|write| self.write(write));
        Ok(())
    }
}

impl JobRow {
    /// What is planned now, in its place.
    fn rewrite(&mut self, planned: Self, to: (JobState, Reason), forgets_error: bool) {
        (self.endpoint, self.params, self.extra) = (planned.endpoint, planned.params, planned.extra);
        self.meant &= self.content == planned.content;
        (self.content, self.given) = (planned.content, planned.given);
        (self.row_content, self.row_given) = (None, None);
        let Job { price, fee_ceiling, max_cost, .. } = planned.job;
        (self.job.price, self.job.fee_ceiling, self.job.max_cost) = (price, fee_ceiling, max_cost);
        (self.job.state, self.job.reason, self.job.wait_until) = (to.0, to.1, None);
        if forgets_error {
            self.job.error = None;
        }
        if to.0 == JobState::Pending {
            self.job.finished_at = None;
        }
    }

    /// The first take of a job, to be bought; what it sends is that of one after so many `earlier` ones of the same.
    pub(super) fn of(key: JobKey, batch: BatchKey, (planned, earlier): (&PlannedJob, u32)) -> Self {
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
            row_content: None,
            row_given: None,
            given: given(planned),
            edition: String::new(),
            meant: false,
            kept: None,
            seq: planned.seq,
            first_load: 0,
            last_load: 0,
            endpoint: Arc::clone(&planned.endpoint),
            params: planned.sent_params(earlier).into_owned(),
            extra: planned.extra.clone(),
            mark: None,
            more: Vec::new(),
            file: None,
        }
    }
}
