//! Purchases that were begun before their row in the manifest became another: they are finished as they were begun, and are
//! `changed` once they are delivered, whenever that is.

use rusqlite::{Connection, params};

use super::convert::uint;
use super::error::Fault;
use super::store::append_transition;
use crate::ledger::{BatchKey, JobKey};
use crate::purchase::{JobState, Reason};
use crate::time::UnixMs;

/// That the row of a job `j`, as the last load found it, asks for something else than what is bought or begun.
const OTHER_ROW: &str = "j.superseded = 0 AND j.row_content IS NOT NULL
    AND j.last_load = (SELECT loads FROM batches WHERE id = j.batch)";

pub(super) fn open_and_changed(conn: &Connection, batch: BatchKey) -> Result<u64, Fault> {
    let sql = format!(
        "SELECT count(*) FROM jobs j WHERE j.batch = ?1
             AND j.state IN ('running', 'in_doubt', 'paid', 'refund_offered') AND {OTHER_ROW}"
    );
    Ok(conn.prepare_cached(&sql)?.query_row(params![batch], |row| uint(row, 0))?)
}

pub(super) fn mark(tx: &Connection, batch: Option<BatchKey>, now: UnixMs) -> Result<(), Fault> {
    let found: Vec<(JobKey, JobState)> = tx
        .prepare_cached(&format!(
            "SELECT j.id, j.state FROM jobs j WHERE (?1 IS NULL OR j.batch = ?1)
                 AND j.state IN ('delivered', 'downloaded') AND {OTHER_ROW} AND j.kept IS NOT j.row_content
                 AND j.reason NOT IN ('changed', 'known_by_receipt', 'body_missing', 'row_damaged')"
        ))?
        .query_map([batch], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (key, state) in found {
        tx.prepare_cached("UPDATE jobs SET reason = 'changed' WHERE id = ?1")?.execute([key])?;
        append_transition(tx, now, key, state, state, Reason::Changed)?;
    }
    Ok(())
}
