//! What a person says of takes.

use crate::ledger::{BatchKey, LedgerError, Marking, Unmarkable};
use crate::time::UnixMs;

/// Marks of takes: they spend nothing.
pub trait Marks {
    /// Says all of that, or nothing where any of it cannot be said: gives each that cannot, by its place, and why.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    fn mark(&mut self, now: UnixMs, markings: &[Marking]) -> Result<Vec<(usize, Unmarkable)>, LedgerError>;

    /// Whether any take of the batch is picked.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    fn has_picks(&self, batch: BatchKey) -> Result<bool, LedgerError>;
}
