//! Several writes as one.

use crate::ledger::LedgerError;

/// What becomes of writes that were carried out as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They stand, all of them.
    Kept,
    /// They go, as if they had never been made: what they would come to was all that was asked.
    TakenBack,
}

/// Why no record is taken amid it: whoever pays relies on what is recorded.
pub(in crate::ledger) const RECORD_IN_PART: &str = "a record amid what may be taken back";

/// Writes that belong together, whatever ends the process between them.
pub trait Whole {
    /// Carries `work` out in one transaction, in which it reads what it has written. Keys of what is taken back mean nothing
    /// afterwards, and no record is taken. Other processes wait meanwhile to write: `work` waits for nobody.
    ///
    /// # Errors
    /// That of `work`, or the ledger's where it cannot be written. Nothing was written then.
    fn as_one<T, E: From<LedgerError>>(&mut self, work: impl FnOnce(&mut Self) -> Result<(T, Fate), E>)
    -> Result<T, E>;
}
