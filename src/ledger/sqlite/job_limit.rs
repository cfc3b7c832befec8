//! Jobs that cost more than one may: refused before anything is asked, as the manifest's last load and this run limit them.

use rusqlite::{Connection, params};

use super::error::Fault;
use super::store::{Rows, append_transition};
use crate::ledger::{BatchKey, IdList, JobKey, job_limit_words};
use crate::money::Msat;
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// The most that a job `r` may cost, fee included: by its own limit, or by ?2 where that is tighter. NULL where there is neither.
const MOST: &str = "min(coalesce(r.max_cost_msat, ?2), coalesce(?2, r.max_cost_msat))";

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
        "SELECT r.id, r.state, r.price_msat, r.fee_ceiling_msat, {MOST} AS most,
             coalesce(r.price_msat + r.fee_ceiling_msat > {MOST}, 0) AS is_above
         FROM {} r WHERE r.batch = ?1 AND r.superseded = 0 AND (
             (is_above AND (r.state = 'pending' OR (r.state = 'refused' AND r.reason = 'duplicate')))
             OR (NOT is_above AND r.state = 'refused' AND r.reason = 'job_limit'))",
        rows.table()
    ))?;
    let found = statement.query_map(params![batch, most], |row| {
        let is_above: bool = row.get(5)?;
        let most: Option<Msat> = row.get(4)?;
        let (price, fee_ceiling) = (row.get(2)?, row.get(3)?);
        let words = most.filter(|_| is_above).map(|most| job_limit_words(price, fee_ceiling, most));
        Ok(Found { key: row.get(0)?, was: row.get(1)?, words })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
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
