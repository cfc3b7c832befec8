//! Batches, and the ledger as a whole.

use crate::ledger::{
    Batch, BatchKey, BatchStart, Counts, FilesOf, Gap, JobKey, LedgerError, LockError, LockedBy, NewBatch, Remembered,
    WrittenFile,
};
use crate::manifest::Limits;
use crate::purchase::Reason;
use crate::time::UnixMs;

/// Batches: begun, found again, and what is remembered of them.
pub trait Batches {
    /// Which ledger this is, in hex: the same for every copy of it.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn id(&self) -> Result<String, LedgerError>;

    /// Whether opening it has created it.
    fn is_new(&self) -> bool;

    /// Begins a batch, or finds it again. The batch's money is summed up anew and compared with what was counted.
    ///
    /// # Errors
    /// Where the ledger cannot be used, or its sums differ from its counts.
    fn begin_batch(&mut self, now: UnixMs, new: &NewBatch) -> Result<BatchStart, LedgerError>;

    /// The batch of that name.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn batch(&self, name: &str) -> Result<Option<Batch>, LedgerError>;

    /// Every batch and where it stands, the oldest first.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn batches(&self) -> Result<Vec<(Batch, Counts)>, LedgerError>;

    /// Every batch, the oldest first. None is counted, which takes as long as there are jobs.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn uncounted(&self) -> Result<Vec<Batch>, LedgerError>;

    /// The batches of the manifest at that path, the newest first.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn batches_at(&self, manifest: &str) -> Result<Vec<Batch>, LedgerError>;

    /// The name of a batch.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn name_of(&self, batch: BatchKey) -> Result<String, LedgerError>;

    /// Where the files of each batch go that has fetched any, or waits for one; the one whose run began last comes first.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn files(&self) -> Result<Vec<FilesOf>, LedgerError>;

    /// Remembers this of the batch from now on, in place of what was remembered.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn remember(&mut self, batch: BatchKey, what: &Remembered) -> Result<(), LedgerError>;

    /// Remembers what the batch's manifest itself limits.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn remember_limits(&mut self, batch: BatchKey, limits: &Limits) -> Result<(), LedgerError>;

    /// What the batch's manifest itself limits, as its last load found it.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn limits(&self, batch: BatchKey) -> Result<Limits, LedgerError>;

    /// Says of every job that is still pending (of one endpoint, where it is named) why this run did not buy it.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn explain_pending(
        &mut self,
        batch: BatchKey,
        endpoint: Option<&str>,
        reason: Reason,
        words: &str,
    ) -> Result<(), LedgerError>;

    /// Says why these jobs are still pending.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn explain_jobs(&mut self, jobs: &[JobKey], reason: Reason, words: &str) -> Result<(), LedgerError>;

    /// Says anew of the pending jobs of every batch that were held back at their endpoint what holds them back there by now, and
    /// forgets it where nothing does: as a run would find it that begins now and lets an endpoint take so many payments in a row.
    ///
    /// # Errors
    /// Where the ledger cannot be read or written.
    fn explain_held_anew(&mut self, now: UnixMs, max_undelivered: u32) -> Result<(), LedgerError>;

    /// Sums up payments anew, of one batch or of all (then days and months too), and compares with what was counted.
    ///
    /// # Errors
    /// Where they differ: the ledger is damaged.
    fn check_money(&self, batch: Option<BatchKey>) -> Result<(), LedgerError>;
}

/// The files of batches, as they were written last: what is as the ledger is has not to be written anew.
pub trait WrittenFiles {
    /// How often anything was written that a view may show.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn changes(&self) -> Result<u64, LedgerError>;

    /// Notes how the batch has written its files.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn note_written(&mut self, batch: BatchKey, files: &[WrittenFile]) -> Result<(), LedgerError>;

    /// The files of the batch as it wrote them last.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn written(&self, batch: BatchKey) -> Result<Vec<WrittenFile>, LedgerError>;

    /// Whether a batch has written the file at that absolute path, as it stands there by its mark.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn has_written(&self, path: &str, mark: &str) -> Result<bool, LedgerError>;
}

/// What keeps a run from a ledger: another run of the batch, and what the ledger lacks.
pub trait Locks {
    /// The right to run a batch.
    type Lock: HeldLock;

    /// Takes the right to run the batch of that name, at once or not at all.
    ///
    /// # Errors
    /// Where another process holds it, or it cannot be taken.
    fn lock(&self, batch: &str, now: UnixMs) -> Result<Self::Lock, LockError>;

    /// Who has the right to run that batch now, if anybody has. Nothing is written for that.
    ///
    /// # Errors
    /// Where that cannot be found out.
    fn locked_by(&self, batch: &str) -> Result<Option<LockedBy>, LockError>;

    /// What the ledger lacks, if anything. None in memory.
    ///
    /// # Errors
    /// Where that cannot be found out.
    fn gap(&self) -> Result<Option<Gap>, LedgerError>;
}

/// The right to run a batch, held until it is dropped, or until its process ends, however it ends.
pub trait HeldLock {
    /// Gives the right back, and removes what there is of it: there is no such batch.
    fn remove(self);
}
