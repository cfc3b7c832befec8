//! Purchases that were begun before their row in the manifest became another: they are finished as they were begun, and are
//! `changed` once they are delivered, whenever that is.

use rusqlite::{Connection, params};

use crate::ledger::decide::load::OtherRow;
use crate::ledger::load::MarkDesk;
use crate::ledger::sqlite::convert::{text, uint};
use crate::ledger::sqlite::error::Fault;
use crate::ledger::{BatchKey, JobKey};

use super::Tx;
use super::jobs::{self, JOB, JOB_COLUMNS};

/// That the row of a job `j`, as the last load found it, asks for something else than what is bought or begun.
const OTHER_ROW: &str = "j.superseded = 0 AND j.row_content IS NOT NULL
    AND j.last_load = (SELECT loads FROM batches WHERE id = j.batch)";

pub(in crate::ledger::sqlite) fn open_and_changed(conn: &Connection, batch: BatchKey) -> Result<u64, Fault> {
    let sql = format!(
        "SELECT count(*) FROM jobs j WHERE j.batch = ?1
             AND j.state IN ('running', 'in_doubt', 'paid', 'refund_offered') AND {OTHER_ROW}"
    );
    Ok(conn.prepare_cached(&sql)?.query_row(params![batch], |row| uint(row, 0))?)
}

impl MarkDesk for Tx<'_> {
    fn other_rows(
        &mut self,
        batch: Option<BatchKey>,
        after: Option<JobKey>,
        most: usize,
    ) -> Result<Vec<OtherRow>, Fault> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT {JOB}, j.row_content, j.kept FROM jobs j JOIN batches b ON b.id = j.batch
             WHERE (?1 IS NULL OR j.batch = ?1) AND j.id > ?2 AND {OTHER_ROW} ORDER BY j.id LIMIT ?3"
        ))?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![batch, after.unwrap_or(JobKey(i64::MIN)), most], |row| {
            let (row_content, kept) = (row.get(JOB_COLUMNS)?, row.get(JOB_COLUMNS + 1)?);
            Ok(OtherRow { job: jobs::of_row(row, 0, text)?, row_content, kept })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
