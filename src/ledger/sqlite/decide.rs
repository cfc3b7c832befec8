//! What a person decides of a job that no run can bring on: recorded with the reason, and never against the books.

use rusqlite::{OptionalExtension, params};

use super::Books;
use super::budget;
use super::error::{Fault, contradiction};
use super::job::{self, Change};
use super::payment::{durable_intent, payment};
use crate::ledger::{BatchKey, DurableIntent, JobKey, JobState, LedgerError, PaymentKey, Reason};
use crate::time::UnixMs;

/// What a person decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The payment was never made: its hold is given back, and the job may be bought again.
    Unpaid,
    /// The money is gone and nothing comes for it, which a person has taken note of. What was held stays used.
    Lost,
    /// As lost, and one more take of the job is bought by the next run.
    Rebuy,
}

/// A job on which a person is to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecided {
    /// The job.
    pub job: JobKey,
    /// How it stands.
    pub state: JobState,
    /// Why.
    pub reason: Reason,
    /// Its open payment without a preimage: what the node may still contradict.
    pub intent: Option<DurableIntent>,
}

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is recorded.
    Recorded,
    /// It contradicts how the job stands; nothing was written.
    Refused(JobState),
}

impl Decision {
    /// The word, as it is typed and kept.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Lost => "lost",
            Self::Rebuy => "rebuy",
        }
    }

    /// Whether it can be said of a job in that state.
    const fn fits(self, state: JobState) -> bool {
        match (self, state) {
            (_, JobState::Running | JobState::InDoubt)
            | (Self::Lost | Self::Rebuy, JobState::Paid | JobState::RefundOffered)
            | (Self::Lost | Self::Rebuy, JobState::Lost | JobState::Refunded) => true,
            (Self::Unpaid, JobState::Paid | JobState::RefundOffered | JobState::Lost)
            | (
                _,
                JobState::Pending | JobState::Delivered | JobState::Downloaded | JobState::Refused | JobState::Failed,
            )
            | (Self::Unpaid, JobState::Refunded) => false,
        }
    }
}

impl Books {
    /// The latest take of that job, as a person is to decide on it; none where the batch has no such job.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn undecided(&self, batch: BatchKey, id: &str) -> Result<Option<Undecided>, LedgerError> {
        self.read(|books| {
            let found = books
                .conn
                .prepare_cached("SELECT id, state, reason FROM jobs WHERE batch = ?1 AND job = ?2 AND superseded = 0")?
                .query_row(params![batch, id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((job, state, reason)) = found else { return Ok(None) };
            let open: Option<PaymentKey> = books
                .conn
                .prepare_cached("SELECT id FROM payments WHERE job = ?1 AND state = 'intended'")?
                .query_row([job], |row| row.get(0))
                .optional()?;
            let intent = open.map(|key| durable_intent(&books.conn, key)).transpose()?;
            Ok(Some(Undecided { job, state, reason, intent }))
        })
    }

    /// Records a decision, with the person's note and with what the node said (or why it was not asked).
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn decide(
        &mut self,
        now: UnixMs,
        key: JobKey,
        decision: Decision,
        note: &str,
        evidence: &str,
    ) -> Result<Decided, LedgerError> {
        self.write(|tx, _| {
            let found = job::job(tx, key)?;
            if found.superseded || !decision.fits(found.state) {
                return Ok(Decided::Refused(found.state));
            }
            tx.prepare_cached("INSERT INTO decisions (job, at, decision, note, evidence) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![key, now, decision.as_str(), note, evidence])?;
            let from = (found.state, found.reason);
            match decision {
                Decision::Unpaid => {
                    bury(tx, now, key)?;
                    let change =
                        Change { error: Some(note), finished: true, ..Change::to(JobState::Failed, Reason::Decided) };
                    job::change(tx, now, key, from, &change)?;
                }
                Decision::Lost | Decision::Rebuy => {
                    // What came back stays what it is: only the job is left at that.
                    let state = if found.state == JobState::Refunded { JobState::Refunded } else { JobState::Lost };
                    let change = Change { error: Some(note), finished: true, ..Change::to(state, Reason::Decided) };
                    job::change(tx, now, key, from, &change)?;
                }
            }
            if decision == Decision::Rebuy {
                next_take(tx, key)?;
            }
            Ok(Decided::Recorded)
        })
    }
}

/// By a person's word the open payment was never made: its hold is given back.
fn bury(tx: &rusqlite::Connection, now: UnixMs, job: JobKey) -> Result<(), Fault> {
    let open: Option<PaymentKey> = tx
        .prepare_cached("SELECT id FROM payments WHERE job = ?1 AND state = 'intended'")?
        .query_row([job], |row| row.get(0))
        .optional()?;
    let Some(key) = open else { return contradiction(format!("job {} has no open payment", job.0)) };
    budget::void(tx, &payment(tx, key)?)?;
    tx.prepare_cached("UPDATE payments SET state = 'dead', dead_proof = 'decided', dead_at = ?2 WHERE id = ?1")?
        .execute(params![key, now])?;
    Ok(())
}

/// One more take of the same purchase, pending. It is of no load: the word for it was given here, and stands.
fn next_take(tx: &rusqlite::Connection, job: JobKey) -> Result<(), Fault> {
    tx.prepare_cached("UPDATE jobs SET superseded = 1 WHERE id = ?1")?.execute([job])?;
    let rows = tx
        .prepare_cached(
            "INSERT INTO jobs (batch, job, take, seq, line, endpoint, content, price_msat, fee_ceiling_msat,
                 max_cost_msat, state, reason, first_load, last_load, params, extra)
             SELECT batch, job, take + 1, seq, line, endpoint, content, price_msat, fee_ceiling_msat, max_cost_msat,
                 'pending', '', 0, last_load, params, extra
             FROM jobs WHERE id = ?1",
        )?
        .execute([job])?;
    if rows == 1 { Ok(()) } else { contradiction(format!("there is no job {}", job.0)) }
}
