//! The row of a job, and the one way in which its state changes.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::{Fault, contradiction};
use crate::ledger::{BatchKey, Committed, JobEnd, JobKey, JobState, Reason};
use crate::money::Msat;
use crate::time::UnixMs;

/// What a record must know of a job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) batch: BatchKey,
    pub(super) state: JobState,
    pub(super) reason: Reason,
    pub(super) superseded: bool,
    pub(super) price: Msat,
    pub(super) fee_ceiling: Msat,
    pub(super) max_cost: Option<Msat>,
}

/// Reads a job.
pub(super) fn job(tx: &Connection, key: JobKey) -> Result<Job, Fault> {
    let found = tx
        .prepare_cached(
            "SELECT batch, state, reason, superseded, price_msat, fee_ceiling_msat, max_cost_msat
             FROM jobs WHERE id = ?1",
        )?
        .query_row([key], |row| {
            Ok(Job {
                batch: row.get(0)?,
                state: row.get(1)?,
                reason: row.get(2)?,
                superseded: row.get(3)?,
                price: row.get(4)?,
                fee_ceiling: row.get(5)?,
                max_cost: row.get(6)?,
            })
        })
        .optional()?;
    match found {
        Some(job) => Ok(job),
        None => contradiction(format!("there is no job {}", key.0)),
    }
}

/// How a job changes.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) state: JobState,
    pub(super) reason: Reason,
    pub(super) error: Option<&'a str>,
    pub(super) wait_until: Option<UnixMs>,
    pub(super) url: Option<&'a str>,
    /// It counts as one more attempt.
    pub(super) attempt: bool,
    /// It has come to an end.
    pub(super) finished: bool,
}

impl<'a> Change<'a> {
    /// To a state, with nothing more to say.
    pub(super) const fn to(state: JobState, reason: Reason) -> Self {
        Self { state, reason, error: None, wait_until: None, url: None, attempt: false, finished: false }
    }

    /// To how a record says the job stands.
    pub(super) fn to_end(end: &'a JobEnd) -> Self {
        let finished = match end.state {
            JobState::Refused | JobState::Failed | JobState::Lost => true,
            JobState::Pending
            | JobState::Running
            | JobState::InDoubt
            | JobState::Paid
            | JobState::Delivered
            | JobState::Downloaded
            | JobState::RefundOffered
            | JobState::Refunded => false,
        };
        Self { error: end.error.as_deref(), finished, ..Self::to(end.state, end.reason) }
    }
}

/// Whether the job's row has gone from the manifest, or it never had one here: nobody asks for it any more.
pub(super) fn is_gone(tx: &Connection, key: JobKey) -> Result<bool, Fault> {
    Ok(tx
        .prepare_cached(
            "SELECT 1 FROM jobs j JOIN batches b ON b.id = j.batch WHERE j.id = ?1 AND j.last_load < b.loads",
        )?
        .exists([key])?)
}

/// Changes a job, and appends the transition where state or reason are new.
pub(super) fn change(
    tx: &Connection,
    now: UnixMs,
    key: JobKey,
    from: (JobState, Reason),
    change: &Change<'_>,
) -> Result<(), Fault> {
    tx.prepare_cached(
        "UPDATE jobs SET state = ?2, reason = ?3, error = ?4, wait_until = ?5, url = coalesce(?6, url),
             attempts = attempts + ?7,
             started_at = CASE WHEN ?7 THEN coalesce(started_at, ?9) ELSE started_at END,
             finished_at = CASE WHEN ?8 THEN ?9 END
         WHERE id = ?1",
    )?
    .execute(params![
        key,
        change.state,
        change.reason,
        change.error,
        change.wait_until,
        change.url,
        change.attempt,
        change.finished,
        now
    ])?;
    if from != (change.state, change.reason) {
        append_transition(tx, now, key, from.0, change.state, change.reason)?;
    }
    Ok(())
}

/// Appends a transition.
pub(super) fn append_transition(
    tx: &Connection,
    now: UnixMs,
    key: JobKey,
    from: JobState,
    to: JobState,
    reason: Reason,
) -> Result<(), Fault> {
    tx.prepare_cached("INSERT INTO transitions (job, at, from_state, to_state, reason) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![key, now, from, to, reason])?;
    Ok(())
}

/// Nobody can go on with the job: what is said of it, and nothing else, becomes another.
pub(super) fn stuck(
    tx: &Connection,
    now: UnixMs,
    key: JobKey,
    reason: Reason,
    error: &str,
) -> Result<Committed, Fault> {
    if !matches!(reason, Reason::BodyMissing | Reason::RowDamaged) {
        return contradiction(format!("{} is no reason why nobody can go on with a job", reason.as_str()));
    }
    let before = tx
        .prepare_cached("SELECT state, reason FROM jobs WHERE id = ?1")?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((state, known)): Option<(JobState, Reason)> = before else {
        return contradiction(format!("there is no job {}", key.0));
    };
    tx.prepare_cached("UPDATE jobs SET reason = ?2, error = ?3 WHERE id = ?1")?.execute(params![key, reason, error])?;
    if known != reason {
        append_transition(tx, now, key, state, state, reason)?;
    }
    Ok(Committed::Done)
}
