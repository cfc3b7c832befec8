//! A plan, or rows of a results file, written into the ledger; and what follows of it before anything is bought.

use rusqlite::Connection;

use super::error::{Fault, contradiction};
use super::load::Loading as Tables;
use super::store::{Rows, Tx, open_and_changed};
use super::{SqliteLedger, chosen, duplicates, job_limit};
use crate::ledger::decide::load::Discarding;
use crate::ledger::load::{accept_takes, discard_all_takes, load_plan, mark_changed};
use crate::ledger::port::Loading;
use crate::ledger::{
    BatchKey, ChosenRows, Compared, Duplicates, IdList, LedgerError, LoadError, PlanLoad, Retake, ToBuy,
};
use crate::money::Msat;
use crate::plan::PlannedJob;
use crate::time::UnixMs;

impl SqliteLedger {
    /// Writes what is made of a plan's jobs. Where one of them is an error, nothing was written.
    pub(super) fn write_plan<T, E>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<Result<T, E>, Fault>,
    ) -> Result<T, LoadError<E>> {
        let mut of_plan = None;
        let written = self.write(|tx, _| match work(tx)? {
            Ok(written) => Ok(written),
            Err(error) => {
                of_plan = Some(error);
                contradiction("the plan has errors")
            }
        });
        match (written, of_plan) {
            (_, Some(error)) => Err(LoadError::Plan(error)),
            (Ok(written), None) => Ok(written),
            (Err(error), None) => Err(LoadError::Ledger(error)),
        }
    }
}

impl Loading for SqliteLedger {
    fn load_plan<E>(
        &mut self,
        batch: BatchKey,
        now: UnixMs,
        retake: &Retake,
        jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
    ) -> Result<PlanLoad, LoadError<E>> {
        self.write_plan(|tx| load_plan(&mut Tables::of(tx, batch)?, now, retake, jobs))
    }

    fn choose(&mut self, now: UnixMs, chosen: &ChosenRows) -> Result<(), LedgerError> {
        self.write(|tx, _| chosen::choose(tx, now, chosen))
    }

    fn hold_to_job_limit(&mut self, batch: BatchKey, now: UnixMs, most: Option<Msat>) -> Result<IdList, LedgerError> {
        self.write(|tx, _| job_limit::hold(tx, batch, now, most))
    }

    fn mark_changed(&mut self, batch: Option<BatchKey>, now: UnixMs) -> Result<(), LedgerError> {
        self.write(|tx, bodies| mark_changed(&mut Tx::new(tx, bodies), batch, now))
    }

    fn open_and_changed(&self, batch: BatchKey) -> Result<u64, LedgerError> {
        self.read(|ledger| open_and_changed(&ledger.conn, batch))
    }

    fn accept_takes(&mut self, now: UnixMs, batch: BatchKey) -> Result<(), LedgerError> {
        self.write(|tx, _| accept_takes(&mut Tables::of(tx, batch)?, now))
    }

    fn discard_unaccepted(&mut self, batch: BatchKey) -> Result<(), LedgerError> {
        self.write(|tx, _| discard_all_takes(&mut Tables::of(tx, batch)?, &[Discarding::Unaccepted]))
    }

    fn set_duplicates_aside(
        &mut self,
        batch: BatchKey,
        now: UnixMs,
        compared: &Compared<'_>,
    ) -> Result<Duplicates, LedgerError> {
        self.write(|tx, _| duplicates::set_aside(tx, batch, now, compared))
    }

    fn mean_duplicates(&mut self, batch: BatchKey, now: UnixMs, only: &[String]) -> Result<(), LedgerError> {
        self.write(|tx, _| duplicates::mean(tx, batch, now, only))
    }

    fn discard_duplicates(&mut self, batch: BatchKey, now: UnixMs) -> Result<(), LedgerError> {
        self.write(|tx, _| discard_all_takes(&mut Tables::of(tx, batch)?, &[Discarding::SetAside(now)]))
    }

    fn to_buy<E>(
        &self,
        batch: BatchKey,
        duplicates: bool,
        each: &mut dyn FnMut(ToBuy) -> Result<(), E>,
    ) -> Result<Result<(), E>, LedgerError> {
        self.read(|ledger| duplicates::to_buy(&ledger.conn, batch, duplicates, Rows::Loaded, each))
    }
}
