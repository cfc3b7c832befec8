//! Plans and results files: loaded, and foreseen.

use crate::ledger::{
    BatchKey, ChosenRows, Compared, Duplicates, HeldBack, IdList, IntentBounds, JobKey, JobsThen, LedgerError,
    LoadError, PlanLoad, Retake, ToBuy, Trusted, Unbought,
};
use crate::manifest::{JobSpec, ResultsRow};
use crate::money::Msat;
use crate::plan::{PlanDigest, PlannedJob};
use crate::purchase::{JobState, Reason, WalletId};
use crate::time::UnixMs;

/// A plan, or rows of a results file, written into the ledger, and what follows of it before anything is bought.
pub trait Loading {
    /// Writes the resolved jobs of a plan into the batch, in one transaction; positions are numbered anew, in the order
    /// in which jobs come. Jobs are not kept in memory.
    ///
    /// # Errors
    /// The first error of `jobs`, or the ledger's. Nothing was written then.
    fn load_plan<E>(
        &mut self,
        batch: BatchKey,
        now: UnixMs,
        retake: &Retake,
        jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
    ) -> Result<PlanLoad, LoadError<E>>;

    /// What of the jobs that a results file chooses had ended without spending is pending again, as running the manifest would have it.
    /// Nothing else changes.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn choose(&mut self, now: UnixMs, chosen: &ChosenRows) -> Result<(), LedgerError>;

    /// Refuses what the batch has still to buy and what costs more than its own limit, or than this one of the run, may: with the
    /// highest routing fee, for the reason `job_limit`. What was refused so before and is within them now is pending again.
    /// Gives all that are refused so now.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn hold_to_job_limit(&mut self, batch: BatchKey, now: UnixMs, most: Option<Msat>) -> Result<IdList, LedgerError>;

    /// Marks what was delivered as it was begun, of the batch or of all, and is changed in the manifest since. The next load would do
    /// the same; this run ends as that one would.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn mark_changed(&mut self, batch: Option<BatchKey>, now: UnixMs) -> Result<(), LedgerError>;

    /// How many of the batch's open jobs are changed in the manifest since they were begun.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn open_and_changed(&self, batch: BatchKey) -> Result<u64, LedgerError>;

    /// Notes that what the last load found to buy was accepted: from now on the takes that it asked for once more stand, each
    /// with the word that asked for it, whatever this run comes to.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn accept_takes(&mut self, now: UnixMs, batch: BatchKey) -> Result<(), LedgerError>;

    /// Takes back the takes that were asked for and not accepted: a later run, of which nobody asked that, would buy them.
    /// The next load does the same: a run that finds nothing to buy leaves them, and an earlier version that was stopped at the question.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn discard_unaccepted(&mut self, batch: BatchKey) -> Result<(), LedgerError>;

    /// Sets aside what the last load of the batch would buy although it is bought already: such jobs become `refused`, for
    /// the reason `duplicate`, naming the original. Those that were set aside before and whose original counts no more are
    /// pending again. Play money is not compared.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn set_duplicates_aside(
        &mut self,
        batch: BatchKey,
        now: UnixMs,
        compared: &Compared<'_>,
    ) -> Result<Duplicates, LedgerError>;

    /// A person's word: the duplicates of the last load (of these jobs, where any are named) are bought all the same. It is
    /// durable, and a job's own: it goes where the job's content becomes another.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn mean_duplicates(&mut self, batch: BatchKey, now: UnixMs, only: &[String]) -> Result<(), LedgerError>;

    /// Takes back the takes after the first that are set aside as duplicates: what was bought before each is the job's latest
    /// again, and nothing hides it.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn discard_duplicates(&mut self, batch: BatchKey, now: UnixMs) -> Result<(), LedgerError>;

    /// Shows what running the batch would buy, in manifest order: each job that is pending, and with `duplicates` those that
    /// are set aside.
    ///
    /// # Errors
    /// The ledger's error where it cannot be read; inside, the first of `each`, which ends the reading.
    fn to_buy<E>(
        &self,
        batch: BatchKey,
        duplicates: bool,
        each: &mut dyn FnMut(ToBuy) -> Result<(), E>,
    ) -> Result<Result<(), E>, LedgerError>;
}

/// The very plan that was loaded last, loaded once more, and foreseen: most of its jobs stay as they stand, and are not looked at.
pub trait LoadedPlans: Foresee {
    /// Notes that the last load of the batch has read that plan.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn note_loaded(&mut self, batch: BatchKey, plan: PlanDigest) -> Result<(), LedgerError>;

    /// Does as [`Loading::load_plan`] does without words of a person, where the last load of the batch has read the very same plan; none
    /// where it has not, and nothing was written then. `jobs` are read only where any of them is tried again, or marked.
    ///
    /// # Errors
    /// As there.
    fn load_again<E>(
        &mut self,
        batch: BatchKey,
        now: UnixMs,
        plan: PlanDigest,
        jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
    ) -> Result<Option<PlanLoad>, LoadError<E>>;

    /// Foresees as [`Foresee::foresee`] does without words of a person, where the last load of the batch has read the very same plan and
    /// nothing is left to be tried, or marked; none where that is not so.
    ///
    /// # Errors
    /// As there.
    fn foresee_again(
        &self,
        batch: BatchKey,
        plan: PlanDigest,
    ) -> Result<Option<<Self as Foresee>::Foreseen<'_>>, LedgerError>;
}

/// What loading a plan, or choosing rows, would find to buy. Nothing is written.
pub trait Foresee {
    /// What is foreseen.
    type Foreseen<'b>: Foreseen
    where
        Self: 'b;

    /// What loading these jobs into that batch, or into a new one, would find to buy, with these words of a person and in this
    /// edition.
    ///
    /// # Errors
    /// The first error of `jobs`, or the ledger's where it cannot be read.
    fn foresee<E>(
        &self,
        batch: Option<BatchKey>,
        retake: &Retake,
        edition: &str,
        jobs: impl IntoIterator<Item = Result<PlannedJob, E>>,
    ) -> Result<Self::Foreseen<'_>, LoadError<E>>;

    /// Compares the rows of a results file with the stored jobs of the batch, and chooses those that stand as they are stored. Of two
    /// rows of one job each has to.
    ///
    /// # Errors
    /// The first error of `rows`, or the ledger's where it cannot be read.
    fn read_rows<E>(
        &self,
        batch: BatchKey,
        rows: impl IntoIterator<Item = Result<ResultsRow, E>>,
    ) -> Result<ChosenRows, LoadError<E>>;

    /// What the stored job asks for, as a manifest would give it on that line.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn stored_spec(&self, job: JobKey, line: u64) -> Result<JobSpec, LedgerError>;

    /// What running a results file that chooses these jobs of the batch would buy.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn foresee_rows(&self, batch: BatchKey, chosen: &ChosenRows) -> Result<Self::Foreseen<'_>, LedgerError>;

    /// What a run of the batch would find to buy of its stored jobs, whatever its manifest is by now, and what it would leave out as
    /// bought already under another name. What has an edition is not compared: that may be another one by then.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn unbought(&self, batch: BatchKey) -> Result<Unbought, LedgerError>;
}

/// What running a manifest would buy.
pub trait Foreseen {
    /// What loading it would report of the jobs that the batch has already; how many are new or gone is not counted.
    fn report(&self) -> &PlanLoad;

    /// How many delivered jobs it would mark as changed.
    fn changed(&self) -> u64;

    /// How many open ones are changed since they were begun.
    fn open_and_changed(&self) -> u64;

    /// Sets the rows aside that are bought already under another name, as [`Loading::set_duplicates_aside`] does once they
    /// are loaded; once more on another network, as it does.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn compare(&self, compared: &Compared<'_>) -> Result<Duplicates, LedgerError>;

    /// What it would buy, in the manifest's order, as [`Loading::to_buy`] has it.
    ///
    /// # Errors
    /// The ledger's error where it cannot be read; inside, the first of `each`, which ends the reading.
    fn to_buy<E>(
        &self,
        duplicates: bool,
        each: &mut dyn FnMut(ToBuy) -> Result<(), E>,
    ) -> Result<Result<(), E>, LedgerError>;

    /// How many jobs the batch would have then.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn jobs_then(&self, duplicates: bool) -> Result<JobsThen, LedgerError>;

    /// Refuses what costs more than one job may, as [`Loading::hold_to_job_limit`] does.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn hold_to_job_limit(&mut self, most: Option<Msat>) -> Result<(), LedgerError>;

    /// How many jobs are set aside as duplicates.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn set_aside(&self) -> Result<u64, LedgerError>;

    /// The origin of that place: host, and port where it is not the usual one.
    fn origin(&self, place: i64) -> Option<String>;

    /// What would become of a person's word for that origin, as `trust` of [`Decisions`](super::Decisions) judges it.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn trust(&self, now: UnixMs, origin: &str, number: u32, bounds: IntentBounds) -> Result<Trusted, LedgerError>;

    /// Why nothing may begin at that place, and no run changes that; none where something may, or what is open of the batch may
    /// change it.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn breaker(&self, now: UnixMs, place: i64, max_undelivered: u32) -> Result<Option<HeldBack>, LedgerError>;

    /// Jobs whose payments were begun at another node than that one.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn at_other_nodes(&self, node: &WalletId) -> Result<IdList, LedgerError>;

    /// Of what it would buy, the jobs that their origin refused when they were last asked for, and why: whether it does again is known
    /// only by asking.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn refused_before(&self) -> Result<Vec<(Reason, String)>, LedgerError>;

    /// Jobs of the batch that a run would leave as they are, by how they stand: only a person can bring them on, or nobody chose
    /// them and they are not pending; or, where no files are fetched, its file could not be had before. What is set aside, and what its
    /// report tells of rows, is not among them.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn stays(&self, fetches: bool) -> Result<Vec<(JobState, Reason, IdList)>, LedgerError>;
}
