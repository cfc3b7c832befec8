//! What a person decides of a job that no run can bring on: recorded with the reason, and never against the books.

use rusqlite::{Connection, OptionalExtension, params};

use super::bounds;
use super::error::Fault;
use super::store::{self, durable_intent, extra_take, give_way, payment, unsettled_until};
use super::{SqliteLedger, kept, reopen, trust};
use crate::ledger::decide::{self, JobUpdate};
use crate::ledger::port::Decisions;
use crate::ledger::{
    BatchKey, DeadProof, Decided, Decision, IntentBounds, JobKey, LedgerError, PaymentKey, Reopened, Reopening,
    Trusted, Undecided,
};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// The open payment of a job without a preimage.
fn intended(conn: &Connection, job: JobKey) -> Result<Option<PaymentKey>, Fault> {
    Ok(conn
        .prepare_cached("SELECT id FROM payments WHERE job = ?1 AND state = 'intended'")?
        .query_row([job], |row| row.get(0))
        .optional()?)
}

/// The open payment was never made, by proof or by a person's word alone: its hold is given back.
fn bury(tx: &Connection, now: UnixMs, key: PaymentKey, proof: Option<DeadProof>) -> Result<(), Fault> {
    let (payment, job) = payment(tx, key)?;
    let writes = decide::buried(&payment, &job, now, proof)?;
    writes.iter().try_for_each(|write| store::write(tx, write))
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
            let found = store::job(tx, key)?;
            let open = intended(tx, key)?;
            let of_nothing = decision == Decision::Unpaid && open.is_none();
            // What a person had asked for again of an earlier take may be given up again.
            let is_replaced = found.superseded && !(decision == Decision::Lost && found.state == JobState::Paid);
            if is_replaced || of_nothing || !decision.fits(found.state) {
                return Ok(Decided::Refused(found.state));
            }
            let replaces = matches!(decision, Decision::Unpaid | Decision::Rebuy);
            if replaces
                && proof.is_none()
                && let Some(until) = unsettled_until(tx, key, now)?
            {
                return Ok(Decided::TooEarly(until));
            }
            tx.prepare_cached("INSERT INTO decisions (job, at, decision, note, evidence) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![key, now, decision.as_str(), note, evidence])?;
            if let Some(open) = open
                && (decision == Decision::Unpaid || proof.is_some())
            {
                bury(tx, now, open, proof)?;
            }
            let state = match decision {
                Decision::Unpaid => JobState::Failed,
                // What came back stays what it is: only the job is left at that.
                Decision::Lost | Decision::Rebuy if found.state == JobState::Refunded => JobState::Refunded,
                Decision::Lost | Decision::Rebuy => JobState::Lost,
            };
            let change = JobUpdate { error: Some(note), finished: true, ..JobUpdate::to(state, Reason::Decided) };
            store::change(tx, now, &found, &change)?;
            bounds::abandoned(tx, key)?;
            match decision {
                Decision::Rebuy => extra_take(tx, key).map(Some)?,
                Decision::Unpaid => give_way(tx, key)?,
                Decision::Lost => None,
            };
            Ok(Decided::Recorded)
        })
    }

    fn keep(&mut self, now: UnixMs, key: JobKey, note: &str) -> Result<bool, LedgerError> {
        self.write(|tx, _| kept::keep(tx, now, key, note))
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
