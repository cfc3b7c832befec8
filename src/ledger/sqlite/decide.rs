//! What a person decides of a job that no run can bring on: recorded with the reason, and never against the books.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Fault;
use super::store::{self, durable_intent, person_facts};
use super::{SqliteLedger, reopen, trust};
use crate::ledger::decide::{self, Said};
use crate::ledger::port::Decisions;
use crate::ledger::{
    BatchKey, DeadProof, Decided, Decision, IntentBounds, JobKey, LedgerError, PaymentKey, Reopened, Reopening,
    Trusted, Undecided,
};
use crate::time::UnixMs;

/// The open payment of a job without a preimage.
fn intended(conn: &Connection, job: JobKey) -> Result<Option<PaymentKey>, Fault> {
    Ok(conn
        .prepare_cached("SELECT id FROM payments WHERE job = ?1 AND state = 'intended'")?
        .query_row([job], |row| row.get(0))
        .optional()?)
}

impl Decisions for SqliteLedger {
    fn undecided(&self, batch: BatchKey, id: &str) -> Result<Option<Undecided>, LedgerError> {
        self.undecided_take(batch, id, None)
    }

    fn undecided_take(&self, batch: BatchKey, id: &str, take: Option<u32>) -> Result<Option<Undecided>, LedgerError> {
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

    fn decide(
        &mut self,
        now: UnixMs,
        key: JobKey,
        decision: Decision,
        note: &str,
        evidence: &str,
        proof: Option<DeadProof>,
    ) -> Result<Decided, LedgerError> {
        self.write(|tx, _| {
            let said = Said { decision, note, evidence, proof };
            let (decided, writes) = decide::resolve(&person_facts(tx, key)?, now, said)?;
            writes.iter().try_for_each(|write| store::write(tx, write))?;
            Ok(decided)
        })
    }

    fn keep(&mut self, now: UnixMs, key: JobKey, note: &str) -> Result<bool, LedgerError> {
        self.write(|tx, _| {
            let Some(writes) = decide::keep(&store::job(tx, key)?, now, note) else { return Ok(false) };
            writes.iter().try_for_each(|write| store::write(tx, write))?;
            Ok(true)
        })
    }

    fn reopen(&mut self, now: UnixMs, key: JobKey, word: Reopening, note: &str) -> Result<Reopened, LedgerError> {
        self.write(|tx, _| reopen::reopen(tx, now, key, word, note))
    }

    fn trust(
        &mut self,
        now: UnixMs,
        batch: BatchKey,
        origin: &str,
        number: u32,
        bounds: IntentBounds,
    ) -> Result<Trusted, LedgerError> {
        self.write(|tx, _| trust::trust(tx, now, batch, (origin, number), bounds))
    }
}
