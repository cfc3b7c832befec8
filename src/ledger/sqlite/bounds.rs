//! Whether a purchase may begin, as it is asked before the ask: the intent's own transaction asks the same.

use rusqlite::{Connection, params};

use super::SqliteLedger;
use super::error::Fault;
use super::store::prospective;
use crate::ledger::decide::admit;
use crate::ledger::{HeldBack, JobKey, LedgerError, Prospect};
use crate::time::UnixMs;

impl SqliteLedger {
    /// Why a purchase may not begin there now; none where it may.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn held_back(&self, now: UnixMs, prospect: &Prospect) -> Result<Option<HeldBack>, LedgerError> {
        self.read(|books| {
            let known = prospective(&books.conn, &prospect.url, &prospect.node)?;
            Ok(admit(now, prospect, &known).err())
        })
    }
}

/// A person gave up what that job has paid for, or may have: it is under way no more, and counts as taken for nothing.
pub(super) fn abandoned(tx: &Connection, job: JobKey) -> Result<(), Fault> {
    tx.prepare_cached("UPDATE payments SET undelivered = 2 WHERE job = ?1 AND undelivered = 1 AND state <> 'dead'")?
        .execute(params![job])?;
    Ok(())
}
