//! The row of a job.

use std::collections::HashMap;
use std::sync::LazyLock;

use rusqlite::{Connection, Row, params};

use crate::ledger::JobKey;
use crate::ledger::decide::Job;
use crate::ledger::sqlite::convert::{ReadText, text};
use crate::ledger::sqlite::error::{Fault, contradiction};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

use super::rows;

/// What a [`Job`] is read from: a job `j` of a batch `b`.
pub(in crate::ledger::sqlite) const JOB: &str =
    "j.id, j.batch, j.superseded, j.price_msat, j.fee_ceiling_msat, j.max_cost_msat,
    j.last_load < b.loads, j.state, j.reason, j.error, j.wait_until, j.url, j.attempts, j.started_at, j.finished_at";
/// How many columns that are.
pub(in crate::ledger::sqlite) const JOB_COLUMNS: usize = 15;

/// The job that stands in a row from that column on.
pub(in crate::ledger::sqlite) fn of_row(row: &Row<'_>, from: usize, read: ReadText) -> rusqlite::Result<Job> {
    Ok(Job {
        key: row.get(from)?,
        batch: row.get(from + 1)?,
        superseded: row.get(from + 2)?,
        price: row.get(from + 3)?,
        fee_ceiling: row.get(from + 4)?,
        max_cost: row.get(from + 5)?,
        is_gone: row.get(from + 6)?,
        state: row.get(from + 7)?,
        reason: row.get(from + 8)?,
        error: read(row, from + 9)?,
        wait_until: row.get(from + 10)?,
        url: read(row, from + 11)?,
        attempts: row.get(from + 12)?,
        started_at: row.get(from + 13)?,
        finished_at: row.get(from + 14)?,
    })
}

/// The jobs of the keys ?1.
pub(super) static BY_KEY: LazyLock<String> = LazyLock::new(|| {
    format!("SELECT {JOB} FROM jobs j JOIN batches b ON b.id = j.batch WHERE j.id IN (SELECT value FROM json_each(?1))")
});

/// The jobs of these keys, as far as there are any.
pub(super) fn find(conn: &Connection, keys: &[JobKey]) -> Result<HashMap<JobKey, Job>, Fault> {
    let keys: Vec<i64> = keys.iter().map(|key| key.0).collect();
    rows(conn, &BY_KEY, &keys, |row| of_row(row, 0, text).map(|job| (job.key, job)))
}

/// A job.
pub(in crate::ledger::sqlite) fn job(conn: &Connection, key: JobKey) -> Result<Job, Fault> {
    find(conn, &[key])?.remove(&key).map_or_else(|| contradiction(format!("there is no job {}", key.0)), Ok)
}

/// Appends a transition.
pub(in crate::ledger::sqlite) fn append_transition(
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
