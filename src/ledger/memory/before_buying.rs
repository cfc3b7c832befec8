//! What is made of a batch in the maps before anything of it is bought.

use crate::ledger::decide::load::{Discarding, OtherRow, Stand, limited};
use crate::ledger::load::{MarkDesk, accept_takes, discard_all_takes, load_plan, mark_changed};
use crate::ledger::port::{Fate, Loading, Whole};
use crate::ledger::{
    BatchKey, ChosenRows, Compared, Duplicates, IdList, JobKey, LedgerError, LoadError, PlanLoad, Retake, ToBuy,
};
use crate::money::Msat;
use crate::plan::PlannedJob;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::loading::OfBatch;
use super::{JobRow, MemoryLedger};

impl Loading for MemoryLedger {
    fn load_plan<E>(
        &mut self,
        batch: BatchKey,
        now: UnixMs,
        retake: &Retake,
        jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
    ) -> Result<PlanLoad, LoadError<E>> {
        let mut changed = self.clone();
        let report = load_plan(&mut OfBatch::of(&mut changed, batch), now, retake, jobs).map_err(LoadError::Ledger)?;
        let report = report.map_err(LoadError::Plan)?;
        changed.tell_who_is_gone(batch);
        *self = changed;
        Ok(report)
    }

    fn choose(&mut self, now: UnixMs, chosen: &ChosenRows) -> Result<(), LedgerError> {
        for again in &chosen.again {
            self.jobs.entry(again.key).and_modify(|row| {
                (row.job.state, row.job.reason, row.job.wait_until) = (JobState::Pending, Reason::None, None);
            });
            self.transitions.push((again.key, now, again.from, JobState::Pending, Reason::None));
        }
        Ok(())
    }

    fn hold_to_job_limit(&mut self, batch: BatchKey, now: UnixMs, most: Option<Msat>) -> Result<IdList, LedgerError> {
        let limited = |JobRow { job, .. }: &JobRow| {
            limited(job.key, (job.state, job.reason), (job.price, job.fee_ceiling), (job.max_cost, most))
        };
        let stands: Vec<Stand> = self.latest(batch).into_iter().filter_map(limited).collect();
        self.stand(batch, now, &stands)?;
        let is_refused = |row: &&&JobRow| (row.job.state, row.job.reason) == (JobState::Refused, Reason::JobLimit);
        let mut refused = IdList::default();
        self.latest(batch).iter().filter(is_refused).for_each(|row| refused.add(&row.id));
        Ok(refused)
    }

    fn mark_changed(&mut self, batch: Option<BatchKey>, now: UnixMs) -> Result<(), LedgerError> {
        mark_changed(self, batch, now)
    }

    fn open_and_changed(&self, batch: BatchKey) -> Result<u64, LedgerError> {
        use JobState::{InDoubt, Paid, RefundOffered, Running};
        let is_open = |row: &&JobRow| matches!(row.job.state, Running | InDoubt | Paid | RefundOffered);
        let open = self.of_other_rows().filter(|row| row.job.batch == batch).filter(is_open).count();
        Ok(u64::try_from(open).unwrap_or(u64::MAX))
    }

    fn accept_takes(&mut self, now: UnixMs, batch: BatchKey) -> Result<(), LedgerError> {
        accept_takes(&mut OfBatch::of(self, batch), now)
    }

    fn discard_unaccepted(&mut self, batch: BatchKey) -> Result<(), LedgerError> {
        discard_all_takes(&mut OfBatch::of(self, batch), &[Discarding::Unaccepted])
    }

    fn set_duplicates_aside(
        &mut self,
        batch: BatchKey,
        now: UnixMs,
        compared: &Compared<'_>,
    ) -> Result<Duplicates, LedgerError> {
        self.set_aside(batch, now, compared)
    }

    fn mean_duplicates(&mut self, batch: BatchKey, now: UnixMs, only: &[String]) -> Result<(), LedgerError> {
        self.mean(batch, now, only)
    }

    fn discard_duplicates(&mut self, batch: BatchKey, now: UnixMs) -> Result<(), LedgerError> {
        discard_all_takes(&mut OfBatch::of(self, batch), &[Discarding::SetAside(now)])
    }

    fn to_buy<E>(
        &self,
        batch: BatchKey,
        duplicates: bool,
        each: &mut dyn FnMut(ToBuy) -> Result<(), E>,
    ) -> Result<Result<(), E>, LedgerError> {
        let is_meant = |row: &&JobRow| row.job.state == JobState::Pending || (duplicates && row.is_set_aside());
        for row in self.latest(batch).into_iter().filter(is_meant) {
            let JobRow { job, id, .. } = row;
            let (id, is_duplicate, place) = (id.clone(), row.is_set_aside(), 0);
            let (price, fee_ceiling, reason) = (job.price, job.fee_ceiling, job.reason);
            let is_capped = row.endpoint.is_capped();
            let to_buy = ToBuy { id, price, is_capped, fee_ceiling, is_duplicate, reason, place };
            if let Err(error) = each(to_buy) {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

impl Whole for MemoryLedger {
    fn as_one<T, E: From<LedgerError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(T, Fate), E>,
    ) -> Result<T, E> {
        let mut changed = Self { is_part: true, ..self.clone() };
        let (done, fate) = work(&mut changed)?;
        if fate == Fate::Kept {
            *self = Self { is_part: false, ..changed };
        }
        Ok(done)
    }
}

impl MarkDesk for MemoryLedger {
    fn other_rows(
        &mut self,
        batch: Option<BatchKey>,
        after: Option<JobKey>,
        most: usize,
    ) -> Result<Vec<OtherRow>, LedgerError> {
        let is_meant = |row: &&JobRow| batch.is_none_or(|batch| row.job.batch == batch) && Some(row.job.key) > after;
        let found = self
            .of_other_rows()
            .filter(is_meant)
            .filter_map(|row| Some(OtherRow { job: row.job.clone(), row_content: row.row_content?, kept: row.kept }));
        Ok(found.take(most).collect())
    }
}

impl MemoryLedger {
    /// Latest takes whose row, as the last load found it, asks for something else than what is bought or begun.
    fn of_other_rows(&self) -> impl Iterator<Item = &JobRow> {
        let loads = |row: &JobRow| self.batches.get(&row.job.batch).map_or(0, |of| of.loads);
        let latest = self.jobs.values().filter(|row| !row.job.superseded && row.row_content.is_some());
        latest.filter(move |row| row.last_load == loads(row))
    }
}
