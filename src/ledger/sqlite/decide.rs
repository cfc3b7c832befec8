//! What persons decide, in this store: the rules stand in `ledger::decide`.

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteLedger;
use super::error::Fault;
use super::store::{self, durable_intent};
use crate::ledger::desk::{Desk, Desks};
use crate::ledger::{BatchKey, JobKey, LedgerError, PaymentKey, Undecided};

/// The open payment of a job without a preimage.
fn intended(conn: &Connection, job: JobKey) -> Result<Option<PaymentKey>, Fault> {
    Ok(conn
        .prepare_cached("SELECT id FROM payments WHERE job = ?1 AND state = 'intended'")?
        .query_row([job], |row| row.get(0))
        .optional()?)
}

impl Desks for SqliteLedger {
    type Error = Fault;

    fn at_desk<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Desk<Error = Fault>) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        self.write(|tx, bodies| work(&mut store::Tx::new(tx, bodies)))
    }

    fn find_undecided(&self, batch: BatchKey, id: &str, take: Option<u32>) -> Result<Option<Undecided>, LedgerError> {
        self.read(|ledger| {
            let found = ledger
                .conn
                .prepare_cached(
                    "SELECT id, state, reason FROM jobs
                     WHERE batch = ?1 AND job = ?2 AND CASE WHEN ?3 IS NULL THEN superseded = 0 ELSE take = ?3 END",
                )?
                .query_row(params![batch, id, take], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((job, state, reason)) = found else { return Ok(None) };
            let intent = intended(&ledger.conn, job)?.map(|key| durable_intent(&ledger.conn, key)).transpose()?;
            Ok(Some(Undecided { job, state, reason, intent }))
        })
    }
}
