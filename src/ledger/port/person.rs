//! What a person decides.

use crate::ledger::{
    BatchKey, DeadProof, Decided, Decision, IntentBounds, JobKey, LedgerError, Reopened, Reopening, Trusted, Undecided,
};
use crate::time::UnixMs;

/// What a person decides: recorded with its note, and never against what is known.
pub trait Decisions {
    /// The latest take of that job, as a person is to decide on it; none where the batch has no such job.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn undecided(&self, batch: BatchKey, id: &str) -> Result<Option<Undecided>, LedgerError>;

    /// That take of the job, or its latest where none is named.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn undecided_take(&self, batch: BatchKey, id: &str, take: Option<u32>) -> Result<Option<Undecided>, LedgerError>;

    /// Records a decision, with the person's note and with what the node said (or why it was not asked). `proof`: what its own
    /// answer proves, that the open payment can never settle.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn decide(
        &mut self,
        now: UnixMs,
        key: JobKey,
        decision: Decision,
        note: &str,
        evidence: &str,
        proof: Option<DeadProof>,
    ) -> Result<Decided, LedgerError>;

    /// Leaves a delivered take as it is, for as long as its row in the manifest asks for what it now asks for. What it was for
    /// is not learnt by that. Gives whether there was anything to decide.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn keep(&mut self, now: UnixMs, key: JobKey, note: &str) -> Result<bool, LedgerError>;

    /// Carries out a person's word on a take that is paid for, and records it with the note.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn reopen(&mut self, now: UnixMs, key: JobKey, word: Reopening, note: &str) -> Result<Reopened, LedgerError>;

    /// Records that a person trusts that origin (host, and port where it is not the usual one) with one more purchase. The
    /// same word again is the same word.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn trust(
        &mut self,
        now: UnixMs,
        batch: BatchKey,
        origin: &str,
        number: u32,
        bounds: IntentBounds,
    ) -> Result<Trusted, LedgerError>;
}
