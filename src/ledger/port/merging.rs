//! What another ledger, a rescued copy or receipts know, brought into this one.

use crate::catalog::Endpoint;
use crate::ledger::{KnownParams, LedgerAddress, LedgerError, LockError, Merged, ReceiptRow};
use crate::time::UnixMs;

/// Taking over what this ledger does not know.
pub trait Merging {
    /// What can be brought in, in a state in which nobody changes it any more.
    type Source: MergeSource;

    /// The ledger at that address, to be brought in here.
    ///
    /// # Errors
    /// Where it is no ledger, is damaged or of a newer version, or cannot be copied.
    fn source(&self, other: &LedgerAddress) -> Result<Self::Source, LedgerError>;

    /// The receipts of that file, of batches that were begun from `manifest`. An endpoint that the
    /// ledger does not know is taken for one like `stranger`. What was asked for is known where `asked` tells: cells by
    /// parameter, as results have them.
    ///
    /// # Errors
    /// Where a row proves nothing (its preimage does not belong to its hash), or no ledger can be made of them.
    fn source_of_receipts(
        &self,
        file: &LedgerAddress,
        manifest: &str,
        rows: &[ReceiptRow],
        asked: &KnownParams,
        stranger: &Endpoint,
    ) -> Result<Self::Source, LedgerError>;

    /// Brings in every row of that source that this ledger lacks, and what it knows better.
    ///
    /// # Errors
    /// Where one of them cannot be used. Nothing was written then.
    fn merge(&mut self, now: UnixMs, source: &Self::Source) -> Result<Merged, LedgerError>;

    /// Records a person's word that what stands in that file is given up.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn discard(&mut self, now: UnixMs, file: &LedgerAddress) -> Result<(), LedgerError>;
}

/// What can be brought in.
pub trait MergeSource {
    /// The right to run a batch.
    type Lock;

    /// The names of its batches.
    fn batches(&self) -> &[String];

    /// The right to run each of its batches there, where somebody may run one.
    ///
    /// # Errors
    /// Where another process runs one of them, or a lock cannot be taken.
    fn lock(&self, now: UnixMs) -> Result<Vec<Self::Lock>, LockError>;
}
