//! Jobs that cost more than one may: refused before anything is asked, as the manifest's last load and this run limit them.

use rusqlite::{Connection, params};

use super::error::Fault;
use super::store::{Rows, append_transition};
use crate::ledger::decide::load::limited;
use crate::ledger::{BatchKey, IdList, JobKey};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// A job that stands otherwise under these limits.
struct Found {
    key: JobKey,
    was: JobState,
    /// Why it is refused; none where it may be bought again.
    words: Option<String>,
}

impl Found {
    const fn stands(&self) -> (JobState, Reason) {
        match self.words {
            Some(_) => (JobState::Refused, Reason::JobLimit),
            None => (JobState::Pending, Reason::None),
        }
    }
}

/// The same of the manifest as [`SqliteLedger::foresee`] has it.
pub(super) fn foresee(conn: &Connection, batch: BatchKey, most: Option<Msat>) -> Result<IdList, Fault> {
    for job in find(conn, batch, most, Rows::Planned)? {
        let (state, reason) = job.stands();
        conn.prepare_cached("UPDATE temp.planned SET state = ?2, reason = ?3 WHERE id = ?1")?
            .execute(params![job.key, state, reason])?;
    }
    refused(conn, batch, Rows::Planned)
}

fn find(conn: &Connection, batch: BatchKey, most: Option<Msat>, rows: Rows) -> Result<Vec<Found>, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT r.id, r.state, r.reason, r.price_msat, r.fee_ceiling_msat, r.max_cost_msat FROM {} r
         WHERE r.batch = ?1 AND r.superseded = 0 AND r.state IN ('pending', 'refused')
             AND (r.state = 'pending' OR r.reason IN ('duplicate', 'job_limit'))
             AND (?2 IS NOT NULL OR r.max_cost_msat IS NOT NULL OR r.reason = 'job_limit')",
        rows.table()
    ))?;
    let mut rows = statement.query(params![batch, most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (was, reason) = (row.get(1)?, row.get(2)?);
        if let Some(words) = limited((was, reason), (row.get(3)?, row.get(4)?), row.get(5)?, most) {
            found.push(Found { key: row.get(0)?, was, words });
        }
    }
    Ok(found)
}

fn refused(conn: &Connection, batch: BatchKey, rows: Rows) -> Result<IdList, Fault> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT job FROM {} WHERE batch = ?1 AND superseded = 0 AND state = 'refused' AND reason = 'job_limit' ORDER BY seq",
        rows.table()
    ))?;
    let mut ids = IdList::default();
    let mut rows = statement.query([batch])?;
    while let Some(row) = rows.next()? {
        ids.add(&row.get::<_, String>(0)?);
    }
    Ok(ids)
}

pub(super) fn hold(tx: &Connection, batch: BatchKey, now: UnixMs, most: Option<Msat>) -> Result<IdList, Fault> {
    for job in find(tx, batch, most, Rows::Loaded)? {
        let (state, reason) = job.stands();
        tx.prepare_cached(
            "UPDATE jobs SET state = ?2, reason = ?3, error = ?4, wait_until = NULL,
                 finished_at = CASE WHEN ?4 IS NOT NULL THEN ?5 END
             WHERE id = ?1",
        )?
        .execute(params![job.key, state, reason, job.words, now])?;
        append_transition(tx, now, job.key, job.was, state, reason)?;
    }
    refused(tx, batch, Rows::Loaded)
}
