//! What a person says to leave as it was delivered, although the manifest's row is another, or nobody knows whether it is.

use rusqlite::params;

use super::SqliteLedger;
use super::store::{append_transition, job};
use crate::ledger::{JobKey, LedgerError};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

impl SqliteLedger {
    /// Leaves a delivered take as it is, for as long as its row in the manifest asks for what it now asks for. What it was for
    /// is not learnt by that. Gives whether there was anything to decide.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn keep(&mut self, now: UnixMs, key: JobKey, note: &str) -> Result<bool, LedgerError> {
        self.write(|tx, _| {
            let found = job(tx, key)?;
            let is_delivered = matches!(found.state, JobState::Delivered | JobState::Downloaded);
            if found.superseded || !is_delivered || !found.reason.is_of_manifest() {
                return Ok(false);
            }
            tx.prepare_cached(
                "INSERT INTO decisions (job, at, decision, note, evidence) VALUES (?1, ?2, 'keep', ?3, ?4)",
            )?
            .execute(params![key, now, note, found.reason.as_str()])?;
            tx.prepare_cached("UPDATE jobs SET reason = '', kept = coalesce(row_content, content) WHERE id = ?1")?
                .execute([key])?;
            append_transition(tx, now, key, found.state, found.state, Reason::None)?;
            Ok(true)
        })
    }
}
