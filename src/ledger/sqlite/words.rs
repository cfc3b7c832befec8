//! Words of a person that buy once more: what they find in the ledger, and when they stand.

use rusqlite::{Connection, params};

use super::Books;
use super::error::Fault;
use crate::ledger::word::{Heard, Retake, TakeStand, heard, repeats};
use crate::ledger::{BatchKey, LedgerError};
use crate::plan::PlannedJob;
use crate::time::UnixMs;

/// Takes that nobody has accepted so far. One that a decision made is of no load, and stands from its beginning.
const UNACCEPTED: &str = "n.batch = ?1 AND n.take > 1 AND n.attempts = 0
    AND (n.state = 'pending' OR (n.state = 'refused' AND n.reason = 'duplicate'))
    AND n.first_load > (SELECT accepted_load FROM batches WHERE id = ?1)";

/// Every take of a job, the latest last. Of one that a person gave up with its payment open, the intent knows until when that
/// may settle: see `unsettled`.
const TAKES: &str = "
    SELECT j.take, j.state, j.reason, j.content, EXISTS (SELECT 1 FROM payments p
        WHERE p.job = j.id AND p.state <> 'dead' AND p.state = 'intended' AND j.reason <> 'decided')
    FROM jobs j WHERE j.batch = ?1 AND j.job = ?2 ORDER BY j.take";

impl Books {
    /// Notes that what the last load found to buy was accepted: from now on the takes that it asked for once more stand, each
    /// with the word that asked for it, whatever this run comes to.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn accept_takes(&mut self, now: UnixMs, batch: BatchKey) -> Result<(), LedgerError> {
        self.write(|tx, _| {
            tx.prepare_cached(&format!(
                "INSERT INTO decisions (job, at, decision, note, evidence)
                 SELECT p.id, ?2, 'retake', p.job || '@' || p.take, 'take ' || n.take || ' replaces it'
                 FROM jobs n JOIN jobs p ON p.batch = n.batch AND p.job = n.job AND p.take = n.take - 1
                 WHERE {UNACCEPTED}"
            ))?
            .execute(params![batch, now])?;
            tx.prepare_cached("UPDATE batches SET accepted_load = loads WHERE id = ?1")?.execute([batch])?;
            Ok(())
        })
    }

    /// Takes back the takes that were asked for and not accepted: a later run, of which nobody asked that, would buy them.
    /// The next load does the same where a process was stopped at the question.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub fn take_back_takes(&mut self, batch: BatchKey) -> Result<(), LedgerError> {
        self.write(|tx, _| take_back(tx, batch, None))
    }
}

/// Takes back an unbought take that left no trace, accepted or not: the purchase before it is the latest again. Gives
/// whether it could.
pub(super) fn take_back_repeat(tx: &Connection, batch: BatchKey, id: &str) -> Result<bool, Fault> {
    let traceless = tx
        .prepare_cached(
            "SELECT 1 FROM jobs j WHERE j.batch = ?1 AND j.job = ?2 AND j.superseded = 0 AND j.take > 1
                 AND j.state = 'pending' AND j.attempts = 0
                 AND NOT EXISTS (SELECT 1 FROM transitions t WHERE t.job = j.id)
                 AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.job = j.id)",
        )?
        .exists(params![batch, id])?;
    if traceless {
        take_back(tx, batch, Some(id))?;
    }
    Ok(traceless)
}

/// The takes that nobody has accepted go (or the latest of this job, where one is named), and the purchases before them are
/// the latest again.
pub(super) fn take_back(tx: &Connection, batch: BatchKey, of: Option<&str>) -> Result<(), Fault> {
    let which = match of {
        None => format!("{UNACCEPTED} AND ?2 IS NULL"),
        Some(_) => "n.batch = ?1 AND n.job = ?2 AND n.take > 1
            AND n.take = (SELECT max(take) FROM jobs WHERE batch = ?1 AND job = ?2)"
            .to_owned(),
    };
    tx.prepare_cached(&format!(
        "UPDATE jobs SET superseded = 0, seq = n.seq, line = n.line, extra = n.extra, last_load = n.last_load
         FROM jobs n WHERE jobs.batch = n.batch AND jobs.job = n.job AND jobs.take = n.take - 1 AND {which}"
    ))?
    .execute(params![batch, of])?;
    tx.prepare_cached(&format!("DELETE FROM jobs AS n WHERE {which}"))?.execute(params![batch, of])?;
    Ok(())
}

/// What the words say of a job of the batch, as the manifest now asks for it.
pub(super) fn listen(conn: &Connection, batch: BatchKey, retake: &Retake, job: &PlannedJob) -> Result<Heard, Fault> {
    Ok(heard(retake, &job.id, job.content, &takes(conn, batch, &job.id)?))
}

/// Whether the job's unbought take would become a purchase of what an earlier take delivered.
pub(super) fn would_repeat(
    conn: &Connection,
    batch: BatchKey,
    retake: &Retake,
    job: &PlannedJob,
) -> Result<bool, Fault> {
    Ok(repeats(retake, &job.id, job.content, &takes(conn, batch, &job.id)?))
}

fn takes(conn: &Connection, batch: BatchKey, id: &str) -> Result<Vec<TakeStand>, Fault> {
    let mut statement = conn.prepare_cached(TAKES)?;
    let stand = |row: &rusqlite::Row<'_>| {
        Ok(TakeStand {
            take: row.get(0)?,
            state: row.get(1)?,
            reason: row.get(2)?,
            content: row.get(3)?,
            unsettled: row.get(4)?,
        })
    };
    Ok(statement.query_map(params![batch, id], stand)?.collect::<Result<_, _>>()?)
}
