//! Words of a person that buy once more: what they find in the ledger, and when they stand.

use rusqlite::{Connection, params};

use super::error::Fault;
use super::store::append_transition;
use crate::ledger::word::TakeStand;
use crate::ledger::{BatchKey, JobKey};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// Takes that nobody has accepted so far. One that a decision made is of no load, and stands from its beginning.
pub(super) const UNACCEPTED: &str = "n.batch = ?1 AND n.take > 1 AND n.attempts = 0
    AND (n.state = 'pending' OR (n.state = 'refused' AND n.reason = 'duplicate'))
    AND n.first_load > (SELECT accepted_load FROM batches WHERE id = ?1)";

/// A take after the first that never came to a payment, nor to a decision.
const UNPAID: &str = "n.batch = ?1 AND n.take > 1 AND n.superseded = 0 AND n.state IN ('pending', 'refused', 'failed')
    AND NOT EXISTS (SELECT 1 FROM payments p WHERE p.job = n.id)
    AND NOT EXISTS (SELECT 1 FROM decisions d WHERE d.job = n.id)
    AND EXISTS (SELECT 1 FROM jobs e WHERE e.batch = n.batch AND e.job = n.job AND e.take = n.take - 1)";

/// It is set aside as a duplicate.
const SET_ASIDE: &str = "n.state = 'refused' AND n.reason = 'duplicate'";

/// The takes that nobody has accepted go, and the purchases before them are the latest again.
pub(super) fn discard_unaccepted(tx: &Connection, batch: BatchKey) -> Result<(), Fault> {
    discard(tx, batch, None, &format!("{UNACCEPTED} AND ?2 IS NULL"), None)
}

/// The takes that are set aside as duplicates go, where they came to no payment: they would hide what was bought before.
pub(super) fn discard_set_aside(tx: &Connection, batch: BatchKey, now: UnixMs) -> Result<(), Fault> {
    let which = format!("{UNPAID} AND {SET_ASIDE} AND ?2 IS NULL");
    discard(tx, batch, Some(now), &which, None)
}

/// Whether the job's latest take is unbought, accepted or not, and came to no payment.
pub(super) fn can_be_discarded(conn: &Connection, batch: BatchKey, id: &str) -> Result<bool, Fault> {
    let which = format!("SELECT 1 FROM jobs n WHERE {UNPAID} AND n.job = ?2");
    Ok(conn.prepare_cached(&which)?.exists(params![batch, id])?)
}

/// Takes back that take: the purchase before it is the latest again.
pub(super) fn discard_repeat(tx: &Connection, batch: BatchKey, id: &str) -> Result<(), Fault> {
    discard(tx, batch, None, &format!("{UNPAID} AND n.job = ?2"), Some(id))
}

/// Takes that a load takes back before anything else: nobody has accepted them, or they are set aside.
fn discarded() -> String {
    format!("({UNACCEPTED}) OR ({UNPAID} AND {SET_ASIDE})")
}

/// Whether a load that comes now takes back the job's take with that key.
pub(super) fn is_discarded(conn: &Connection, batch: BatchKey, take: JobKey) -> Result<bool, Fault> {
    let which = format!("SELECT 1 FROM jobs n WHERE n.id = ?2 AND ({})", discarded());
    Ok(conn.prepare_cached(&which)?.exists(params![batch, take])?)
}

/// Those takes go with their histories, and the purchases before them stand in their places in the manifest: marked as changed
/// where they are, and `now` is there. Without it, the load that follows does that.
fn discard(tx: &Connection, batch: BatchKey, now: Option<UnixMs>, which: &str, of: Option<&str>) -> Result<(), Fault> {
    let found: Vec<(JobKey, JobKey, bool)> = tx
        .prepare_cached(&format!(
            "SELECT n.id, o.id, o.state IN ('delivered', 'downloaded') AND o.content <> n.content AND o.kept IS NOT n.content
                 AND o.reason NOT IN ('changed', 'known_by_receipt')
             FROM jobs n JOIN jobs o ON o.batch = n.batch AND o.job = n.job AND o.take = n.take - 1 WHERE {which}"
        ))?
        .query_map(params![batch, of], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Ok(());
    }
    tx.prepare_cached(&format!("DELETE FROM transitions WHERE job IN (SELECT n.id FROM jobs n WHERE {which})"))?
        .execute(params![batch, of])?;
    for (gone, latest, is_changed) in found {
        tx.prepare_cached(
            "UPDATE jobs SET superseded = 0, seq = n.seq, line = n.line, extra = n.extra, last_load = n.last_load,
                 row_content = nullif(n.content, jobs.content), row_given = nullif(n.given, jobs.given)
             FROM jobs n WHERE jobs.id = ?1 AND n.id = ?2",
        )?
        .execute(params![latest, gone])?;
        tx.prepare_cached("DELETE FROM jobs WHERE id = ?1")?.execute([gone])?;
        if let Some(now) = now.filter(|_| is_changed) {
            let (state, reason): (JobState, Reason) = tx
                .prepare_cached(
                    "UPDATE jobs SET reason = CASE content WHEN zeroblob(32) THEN 'known_by_receipt' ELSE 'changed' END
                     WHERE id = ?1 RETURNING state, reason",
                )?
                .query_row([latest], |row| Ok((row.get(0)?, row.get(1)?)))?;
            append_transition(tx, now, latest, state, state, reason)?;
        }
    }
    Ok(())
}

/// Every take of a job that stands, the latest last. Of one that a person gave up with its payment open, the intent knows until
/// when that may settle: see `decide::unsettled_until`.
pub(super) fn takes(conn: &Connection, batch: BatchKey, id: &str) -> Result<Vec<TakeStand>, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT n.take, n.state, n.reason, n.content, n.kept, EXISTS (SELECT 1 FROM payments p
             WHERE p.job = n.id AND p.state <> 'dead' AND p.state = 'intended' AND n.reason <> 'decided')
         FROM jobs n WHERE n.batch = ?1 AND n.job = ?2 AND NOT ({}) ORDER BY n.take",
        discarded()
    ))?;
    let stand = |row: &rusqlite::Row<'_>| {
        Ok(TakeStand {
            take: row.get(0)?,
            state: row.get(1)?,
            reason: row.get(2)?,
            content: row.get(3)?,
            kept: row.get(4)?,
            unsettled: row.get(5)?,
        })
    };
    Ok(statement.query_map(params![batch, id], stand)?.collect::<Result<_, _>>()?)
}

pub(super) fn accept_takes(tx: &Connection, now: UnixMs, batch: BatchKey) -> Result<(), Fault> {
    tx.prepare_cached(&format!(
        "INSERT INTO decisions (job, at, decision, note, evidence)
         SELECT p.id, ?2, 'retake', p.job || '@' || p.take, 'take ' || n.take || ' replaces it'
         FROM jobs n JOIN jobs p ON p.batch = n.batch AND p.job = n.job AND p.take = n.take - 1
         WHERE {UNACCEPTED}"
    ))?
    .execute(params![batch, now])?;
    tx.prepare_cached("UPDATE batches SET accepted_load = loads WHERE id = ?1")?.execute([batch])?;
    Ok(())
}
