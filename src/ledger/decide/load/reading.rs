//! The rows of a plan, one after the other, as they are decided.

use crate::ledger::decide::Unfit;
use crate::ledger::word::Retake;
use crate::ledger::{JobKey, PlanLoad};
use crate::plan::{ContentHash, PlannedJob};
use crate::purchase::JobState;

use super::{NewRow, Recognised, Recognising, RowRuling, StoredTake, Unproven, row};

/// A plan that is read, and what has been found so far.
#[derive(Debug)]
pub struct Reading<'r> {
    retake: &'r Retake,
    unproven: Unproven,
    report: PlanLoad,
}

impl<'r> Reading<'r> {
    /// `unproven`: what is known by receipts alone.
    pub fn of(retake: &'r Retake, unproven: Unproven) -> Self {
        Self { retake, unproven, report: PlanLoad::default() }
    }

    /// The words that it is read with.
    pub const fn retake(&self) -> &'r Retake {
        self.retake
    }

    /// Whether any purchase is known by its receipt alone.
    pub const fn has_unproven(&self) -> bool {
        self.unproven.is_any()
    }

    /// What has been found so far.
    pub const fn report(&mut self) -> &mut PlanLoad {
        &mut self.report
    }

    /// Decides what becomes of the next row. `takes`: all that are known of its job, in their order. With it, the purchases that the row
    /// proves to be what it asks for.
    ///
    /// # Errors
    /// Where the plan has two rows of one id, or the takes cannot be what they say.
    pub fn row(&mut self, job: &PlannedJob, mut takes: Vec<StoredTake>) -> Result<(Vec<JobKey>, RowRuling), Unfit> {
        let learnt = self.unproven.learn(job);
        self.unproven.inform(&mut takes);
        let ruling = row(self.retake, job, takes, &mut self.report)?;
        self.unproven.note(&ruling, &job.id);
        Ok((learnt, ruling))
    }

    /// Decides what a new row was before, of the purchases whose rows have gone; none where it is new indeed. `had`: whether a take of
    /// the job of that id had that content already.
    ///
    /// # Errors
    /// Where that cannot be looked up.
    pub fn recognise<E: From<Unfit>>(
        &mut self,
        gone: &mut Recognising,
        new: &NewRow,
        had: impl FnOnce(&str, ContentHash) -> Result<bool, E>,
    ) -> Result<Option<Recognised>, E> {
        gone.recognise(self.retake, new, had, &mut self.report)
    }

    /// All rows have been read. Gives what was found, and the purchases that a later row has proved to be something else than their own
    /// row asks for, with how they stand.
    pub fn finish(mut self) -> (PlanLoad, Vec<(JobKey, JobState)>) {
        let mut proved = Vec::new();
        for (key, id, state) in self.unproven.proved_since() {
            self.report.is_proved(id);
            proved.push((*key, *state));
        }
        (self.report, proved)
    }
}
